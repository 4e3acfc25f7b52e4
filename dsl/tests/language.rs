//! Every construct of the language compiles to the tree it should, and formatting keeps what it means.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::{FieldType, Schema};
use hyperseg_dsl::segment::{
    Aggregate, Anchor, BoundSegment, Cmp, CodeSet, ContactTest, Counted, Duration, DurationUnit, FieldTest,
    Hidden, Holdout, Logic, NumberTest, Operand, ParamValues, Period, Quantity, Segment, Test, TextOp, Turn,
    Which, Window,
};
use hyperseg_dsl::value::{Value, parse_day};
use hyperseg_dsl::{Checked, check, format, render};

mod lookups;
#[path = "language/sequences.rs"]
mod sequences;
#[path = "language/sets_from_files.rs"]
mod sets_from_files;

const MAMMOGRAM: &str = r#"// segments/mammogram.seg
valueset mammography = CPT { "77065", "77066", "77067" } + SNOMED { "71651007" }

param min_opens: number = 3

define engaged = count(email_open) in last 90 days >= $min_opens

segment overdue_mammogram "Women due for a mammogram who read our mail"
  purpose treatment
  channel email
  where gender = female
    and age in 50..74
    and state in (MA, NH, ME)
    and insurance_type = commercial
    and no procedure(code in @mammography) in last 27 months
    and engaged
  output first_name, preferred_language
  holdout 10% seed "2026-q4"
"#;

fn checked(source: &str) -> Checked {
    let (schema, lookups) = (Schema::built_in(), lookups::example());
    let checked = check(source, Known::new(&schema, &lookups));
    assert!(!checked.has_errors(), "{}", render(source, "test.seg", &checked.diagnostics, false));
    checked
}

/// The one segment of a text, which survives formatting.
fn segment(source: &str) -> Segment {
    let segment = checked(source).segments.into_iter().next().expect("a segment");
    let formatted = format(source).expect("formats");
    assert_eq!(
        format(&formatted).as_deref(),
        Ok(formatted.as_str()),
        "formatting is not idempotent:\n{formatted}"
    );
    let again = checked(&formatted).segments.into_iter().next().expect("a segment");
    assert_eq!(segment, again, "formatting changed the meaning:\n{formatted}");
    segment
}

/// The only criterion of `where`.
fn criterion(criteria: &str) -> Logic<ContactTest> {
    let segment = segment(&format!("segment s\n  where {criteria}\n"));
    assert_eq!(segment.criteria.len(), 1);
    segment.criteria[0].test.clone()
}

fn field(criteria: &str) -> FieldTest {
    match criterion(criteria) {
        Logic::Leaf(ContactTest::Field(test)) => test,
        other => panic!("{other:?}"),
    }
}

fn literal(value: Value) -> Operand {
    Operand::Literal(value)
}

fn category(text: &str) -> Operand {
    literal(Value::Category(text.to_owned()))
}

fn date(text: &str) -> Operand {
    literal(Value::Date(parse_day(text).unwrap()))
}

fn length(count: u32, unit: DurationUnit) -> Duration {
    Duration { count, unit }
}

#[test]
fn the_example_of_the_design() {
    let segment = segment(MAMMOGRAM);
    assert_eq!(format(MAMMOGRAM).unwrap(), MAMMOGRAM);
    assert_eq!(segment.name, "overdue_mammogram");
    assert_eq!(segment.purpose.unwrap().name(), "treatment");
    assert_eq!(segment.channel.unwrap().name(), "email");
    assert_eq!(segment.output, ["first_name", "preferred_language"]);
    assert_eq!(segment.holdout, Some(Holdout { percent_millis: 10_000, seed: "2026-q4".to_owned() }));
    let labels: Vec<&str> = segment.criteria.iter().map(|criterion| criterion.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "gender = female",
            "age in 50..74",
            "state in (MA, NH, ME)",
            "insurance_type = commercial",
            "no procedure(code in @mammography) in last 27 months",
            "engaged",
        ]
    );
    assert_eq!(segment.params.len(), 1);
    assert_eq!(segment.params[0].default, Some(Value::Number(3.0)));
    let given = ParamValues::from([("min_opens".to_owned(), "5".to_owned())]);
    let bound: BoundSegment = segment.bind(&given).unwrap();
    let Logic::Leaf(ContactTest::Count { selector, test, .. }) = &bound.segment().criteria[5].test else {
        panic!()
    };
    assert_eq!(selector.record, "email_open");
    assert_eq!(selector.windows, [Window::InLast(length(90, DurationUnit::Day))]);
    assert_eq!(*test, NumberTest::Compare(Cmp::Ge, literal(Value::Number(5.0))));
}

#[test]
fn attribute_tests_of_every_type() {
    let compare = |cmp, operand| Test::Compare(cmp, operand);
    let text = |text: &str| literal(Value::Text(text.to_owned()));
    let cases: Vec<(&str, Test)> = vec![
        ("city = \"Boston\"", compare(Cmp::Eq, text("Boston"))),
        ("city = \"Cafe\u{301}\"", compare(Cmp::Eq, text("Café"))),
        ("city in (\"A\", \"B\")", Test::In(vec![text("A"), text("B")])),
        ("city contains \"ost\"", Test::Text(TextOp::Contains, text("ost"))),
        ("city starts with \"Bo\"", Test::Text(TextOp::StartsWith, text("Bo"))),
        ("city ends with \"on\"", Test::Text(TextOp::EndsWith, text("on"))),
        ("city matches \"^B\\\\d+$\"", Test::Text(TextOp::Matches, text("^B\\d+$"))),
        ("city is known", Test::Known),
        ("location is missing", Test::Missing),
        ("gender = female", compare(Cmp::Eq, category("female"))),
        ("gender != female", compare(Cmp::Ne, category("female"))),
        ("state in (MA, OR, IN)", Test::In(vec![category("MA"), category("OR"), category("IN")])),
        ("preferred_language = no", compare(Cmp::Eq, category("no"))),
        ("household_size >= 2", compare(Cmp::Ge, literal(Value::Int(2)))),
        ("household_size > 2.5", compare(Cmp::Gt, literal(Value::Number(2.5)))),
        ("household_size in 2..4", Test::Between(literal(Value::Int(2)), literal(Value::Int(4)))),
        ("household_size in (1, 3)", Test::In(vec![literal(Value::Int(1)), literal(Value::Int(3))])),
        ("risk_score < -0.25", compare(Cmp::Lt, literal(Value::Number(-0.25)))),
        ("income between 1.5 and 20", Test::Between(literal(Value::Money(150)), literal(Value::Money(2000)))),
        ("birth_date <= 1950-01-31", compare(Cmp::Le, date("1950-01-31"))),
        ("birth_date in 1950-01-01..1959-12-31", Test::Between(date("1950-01-01"), date("1959-12-31"))),
        (
            "birth_date between 1950-01-01 and 1959-12-31",
            Test::Between(date("1950-01-01"), date("1959-12-31")),
        ),
        ("birth_date in (1950-01-01)", Test::In(vec![date("1950-01-01")])),
        ("enrolled_on in last 1 week", Test::Window(Window::InLast(length(1, DurationUnit::Week)))),
        ("enrolled_on in next 2 quarters", Test::Window(Window::InNext(length(2, DurationUnit::Quarter)))),
        (
            "enrolled_on more than 2 years ago",
            Test::Window(Window::MoreThanAgo(length(2, DurationUnit::Year))),
        ),
        (
            "enrolled_on between 30 and 60 days ago",
            Test::Window(Window::BetweenAgo(length(30, DurationUnit::Day), length(60, DurationUnit::Day))),
        ),
        (
            "enrolled_on between 30 days and 6 months ago",
            Test::Window(Window::BetweenAgo(length(30, DurationUnit::Day), length(6, DurationUnit::Month))),
        ),
        ("enrolled_on since 2026-01-31", Test::Window(Window::Since(Anchor::date(date("2026-01-31"))))),
        ("enrolled_on before 2026-01-31", Test::Window(Window::Before(Anchor::date(date("2026-01-31"))))),
        ("enrolled_on after 2026-01-31", Test::Window(Window::After(Anchor::date(date("2026-01-31"))))),
        ("enrolled_on on 2026-01-31", Test::Window(Window::On(Anchor::date(date("2026-01-31"))))),
    ];
    for (source, expected) in cases {
        assert_eq!(field(source).test, expected, "{source}");
    }
    for source in ["city not in (\"A\")", "household_size not between 1 and 2", "age in 1..2 and not age = 3"]
    {
        let segment = segment(&format!("segment s where {source}"));
        assert!(matches!(segment.criteria.last().unwrap().test, Logic::Not(_)), "{source}");
    }
}

#[test]
fn codes_and_value_sets() {
    let codes = |declarations: &str, filter: &str| -> Vec<CodeSet> {
        let segment = segment(&format!("{declarations}\nsegment s where has condition({filter})"));
        let Logic::Leaf(ContactTest::Has(selector)) = &segment.criteria[0].test else { panic!() };
        let sets = |logic: &Logic<FieldTest>| match logic {
            Logic::Leaf(FieldTest { test: Test::Codes(set), .. }) => set.clone(),
            other => panic!("{other:?}"),
        };
        match &selector.filter {
            Logic::Or(parts) => parts.iter().map(sets).collect(),
            Logic::Not(inner) => vec![sets(inner)],
            one => vec![sets(one)],
        }
    };
    let shown = |sets: Vec<CodeSet>| -> Vec<String> {
        let pattern =
            |p: &hyperseg_dsl::segment::CodePattern| format!("{}{}", p.code, if p.under { "*" } else { "" });
        sets.iter()
            .map(|set| {
                let include: Vec<String> = set.include.iter().map(pattern).collect();
                let exclude: Vec<String> = set.exclude.iter().map(pattern).collect();
                format!("{} - {}", include.join(" "), exclude.join(" "))
                    .trim_end_matches([' ', '-'])
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(shown(codes("", "code = ICD10CM:\"e11.9\"")), ["ICD10CM:E119"]);
    assert_eq!(shown(codes("", "code = icd10:\"E11.9\"")), ["ICD10CM:E119"]);
    assert_eq!(shown(codes("", "code = ICD-10-CM:\"E11.9\"")), ["ICD10CM:E119"]);
    assert_eq!(shown(codes("", "code != ICD10CM:\"E11.9\"")), ["ICD10CM:E119"]);
    assert_eq!(shown(codes("", "code under ICD10CM:\"E11\"")), ["ICD10CM:E11*"]);
    assert_eq!(shown(codes("", "code in (SCT:\"1\", ICD10CM:\"E11\")")), ["ICD10CM:E11 SNOMED:1"]);
    let vs = |declarations: &str| shown(codes(declarations, "code in @v"));
    assert_eq!(
        vs("valueset v = ICD10CM { \"E11\", under \"E10\" } + SNOMED { \"7\" }"),
        ["ICD10CM:E10* ICD10CM:E11 SNOMED:7"]
    );
    assert_eq!(vs("valueset v = ICD10CM { \"E11\", \"E12\" } - ICD10CM { \"E12\" }"), ["ICD10CM:E11"]);
    assert_eq!(
        vs("valueset v = ICD10CM { under \"E11\" } - ICD10CM { \"E11.9\", \"E12\" }"),
        ["ICD10CM:E11* - ICD10CM:E119"]
    );
    // Exclusion wins wherever it stands, but only within one value set.
    assert_eq!(
        vs("valueset v = ICD10CM { \"E11\" } - ICD10CM { \"E12\" } + ICD10CM { \"E12\" }"),
        ["ICD10CM:E11"]
    );
    assert_eq!(
        vs(
            "valueset w = ICD10CM { under \"E11\" } - ICD10CM { \"E11.9\" }\nvalueset v = @w + ICD10CM { \"E11.9\" }"
        ),
        ["ICD10CM:E11* - ICD10CM:E119", "ICD10CM:E119"]
    );
    assert_eq!(vs("valueset w = CPT { \"1\", \"2\" }\nvalueset v = @w - CPT { \"2\" }"), ["CPT:1"]);
}

#[test]
fn records_windows_and_hidden_values() {
    let has = |source: &str| match criterion(source) {
        Logic::Leaf(ContactTest::Has(selector)) => selector,
        Logic::Not(inner) => match *inner {
            Logic::Leaf(ContactTest::Has(selector)) => selector,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let names = |hidden: &[Hidden]| hidden.iter().map(|one| one.field.clone()).collect::<Vec<_>>();
    let plain = has("has condition");
    assert_eq!(names(&plain.hidden), ["status", "verification"]);
    assert_eq!(plain.filter, Logic::True);
    assert_eq!(
        names(&has("has condition(status = entered_in_error or verification is known)").hidden),
        [] as [&str; 0]
    );
    assert_eq!(names(&has("has condition(status is known)").hidden), ["verification"]);
    let open = has("has email_open");
    assert_eq!(open.hidden[1], Hidden { field: "machine".to_owned(), values: vec![Value::Bool(true)] });
    assert_eq!(names(&has("has email_open(machine = true)").hidden), ["status"]);
    let active = has("no coverage(type = medicare) active in last 2 days since 2026-01-01");
    assert!(active.active);
    assert_eq!(active.windows.len(), 2);
    let hours = has("has visit in last 36 hours");
    assert_eq!(hours.windows, [Window::InLast(length(36, DurationUnit::Hour))]);
    assert!(matches!(criterion("no visit"), Logic::Not(_)));
    let Logic::Leaf(ContactTest::Count { selector, test, .. }) =
        criterion("count(visit in last 1 year) since 2026-01-01 in 2..5")
    else {
        panic!()
    };
    assert_eq!(selector.windows.len(), 2);
    assert_eq!(test, NumberTest::Range(literal(Value::Int(2)), literal(Value::Int(5))));
    let Logic::Leaf(ContactTest::One { which, selector, test }) =
        criterion("latest lab(code = LOINC:\"4548-4\") in last 1 year.value >= 9")
    else {
        panic!()
    };
    assert_eq!((which, selector.windows.len()), (Which::Latest, 1));
    assert!(matches!(test, Logic::Leaf(FieldTest { test: Test::Compare(Cmp::Ge, _), .. })));
    let Logic::Leaf(ContactTest::One { which, test, .. }) =
        criterion("earliest encounter has (class = inpatient or class = emergency)")
    else {
        panic!()
    };
    assert_eq!(which, Which::Earliest);
    assert!(matches!(test, Logic::Or(_)));
    let Logic::Leaf(ContactTest::Anniversary { field, window }) =
        criterion("birth_date anniversary in next 7 days")
    else {
        panic!()
    };
    assert_eq!((field.as_str(), window), ("birth_date", Window::InNext(length(7, DurationUnit::Day))));
    let Logic::Leaf(ContactTest::Age { test: NumberTest::In(ages), .. }) = criterion("age in (18, 21)")
    else {
        panic!()
    };
    assert_eq!(ages.len(), 2);
}

#[test]
fn measures_of_records() {
    let count = |source: &str| match criterion(source) {
        Logic::Leaf(ContactTest::Count { counted, selector, test }) => (counted, selector, test),
        other => panic!("{other:?}"),
    };
    let made = |source: &str| match criterion(source) {
        Logic::Leaf(ContactTest::Aggregate { function, selector, field, ty, unit: None, test }) => {
            (function, selector, field, ty, test)
        }
        other => panic!("{other:?}"),
    };
    let at_least = |value| NumberTest::Compare(Cmp::Ge, literal(value));
    assert_eq!(count("count(visit) >= 2").0, Counted::Records);
    let (counted, selector, test) =
        count("count(days of coverage(type = medicare) active in last 2 years) since 2020-01-01 >= 2");
    assert_eq!((counted, test), (Counted::Days, at_least(Value::Int(2))));
    assert!(selector.active && selector.windows.len() == 2 && selector.filter != Logic::True);
    let (counted, selector, _) =
        count("count(distinct encounter.provider(class = home)) in last 1 year in 2..3");
    assert_eq!(counted, Counted::Distinct { field: "provider".to_owned(), ty: FieldType::Text });
    assert_eq!((selector.record.as_str(), selector.windows.len()), ("encounter", 1));
    assert_eq!(count("count(distinct encounter.status) >= 2").1.hidden.len(), 1);
    for function in Aggregate::ALL {
        let found = made(&format!(
            "{}(bill.amount(status = open) in last 1 month) since 2026-01-01 >= 12.5",
            function.name()
        ));
        assert_eq!((found.0, found.2.as_str(), found.3), (function, "amount", FieldType::Money));
        assert_eq!((found.1.windows.len(), found.4), (2, at_least(Value::Money(1250))));
    }
    assert_eq!(made("sum(medication.days_supply) >= 90").4, at_least(Value::Int(90)));
    assert_eq!(made("avg(medication.days_supply) >= 30.5").4, at_least(Value::Number(30.5)));
    assert_eq!(made("max(lab.value) >= 9").4, at_least(Value::Number(9.0)));
    let (_, selector, _, _, test) = made("min(medication.refills active) in -1..2");
    assert!(selector.active);
    assert_eq!(test, NumberTest::Range(literal(Value::Int(-1)), literal(Value::Int(2))));
    // The names are reserved only in front of a parenthesis.
    let odd = "define sum = age > 3\ndefine median = age > 4\nsegment max where sum and median";
    assert_eq!(segment(odd).criteria.len(), 2);
    let source = "param least: money\nparam days: int = 3\nsegment s where sum(bill.amount) >= $least and count(days of visit) < $days";
    let given = ParamValues::from([("least".into(), "-0.05".into())]);
    let bound = segment(source).bind(&given).unwrap();
    assert!(!format!("{:?}", bound.segment().criteria).contains("Param"));
    assert!(segment(source).bind(&ParamValues::from([("least".into(), "5e3".into())])).is_err());
}

#[test]
fn what_stands_behind_a_filter() {
    let same = |one: &str, other: &str| assert_eq!(criterion(one), criterion(other), "{one}");
    same("has visit recorded in last 3 days", "has visit(recorded_at in last 3 days)");
    same(
        "has visit(site is known) recorded between 2026-01-01 and 2026-01-31 with provider",
        "has visit(site is known and recorded_at between 2026-01-01 and 2026-01-31 and provider is known)",
    );
    same(
        "latest lab with value in last 1 year.value > 9",
        "latest lab(value is known) in last 1 year.value > 9",
    );
    // A field that is only asked to be there lifts nothing.
    let hidden = |source: &str| match criterion(source) {
        Logic::Leaf(ContactTest::Has(selector)) => selector.hidden.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!((hidden("has encounter with status"), hidden("has encounter(status is known)")), (1, 0));
    let windows = |source: &str| match criterion(source) {
        Logic::Leaf(ContactTest::Has(selector)) => selector.windows,
        other => panic!("{other:?}"),
    };
    assert_eq!(windows("has visit last month"), [Window::Calendar(Turn::Last, Period::Month)]);
    assert_eq!(windows("has visit this week").len(), 1);
}

#[test]
fn numbers_of_criteria() {
    for (words, quantity) in
        [("at least 2", Quantity::AtLeast), ("at most 2", Quantity::AtMost), ("exactly 2", Quantity::Exactly)]
    {
        let source = format!("{words} of (email is known, phone is known and age > 3, has lab(value > 9))");
        let Logic::Of { quantity: found, number: 2, parts } = criterion(&source) else { panic!("{source}") };
        assert_eq!((found, parts.len()), (quantity, 3));
        assert!(matches!(parts[1], Logic::And(_)));
    }
    let inside = "has lab(at least 1 of (status = final, value > 9) and not exactly 0 of (code is known))";
    let Logic::Leaf(ContactTest::Has(selector)) = criterion(inside) else { panic!() };
    // The filter names the status, wherever.
    assert_eq!(selector.hidden, []);
    let source = "param p: int\nsegment s where at least 1 of (age > $p, nobody)";
    let bound = segment(source).bind(&ParamValues::from([("p".into(), "3".into())])).unwrap();
    assert!(!format!("{:?}", bound.segment().criteria).contains("Param"));
    let part = |campaign: &str| format!("has email_open(campaign = \"{campaign}\")");
    let parts = ["the first", "another", "the last of all"].map(part).join(", ");
    let formatted = format(&format!("segment s where at least 2 of ({parts})")).unwrap();
    let start = "  where at least 2 of (\n    has email_open(campaign = \"the first\"),\n";
    assert!(formatted.contains(start), "{formatted}");
    assert_eq!(format(&formatted).as_deref(), Ok(formatted.as_str()));
    let commented = "segment s where exactly 1 of ( // one\n age > 3, // two\n // three\n age < 2 /* four */ , /* five */ age = 7)";
    let formatted = format(commented).unwrap();
    for mark in ["one", "two", "three", "four", "five"] {
        assert_eq!(formatted.matches(mark).count(), 1, "{formatted}");
    }
    assert_eq!(format(&formatted).as_deref(), Ok(formatted.as_str()));
}

#[test]
fn long_measures_are_broken_at_their_filter() {
    let source = "segment s where sum(bill.amount(status = open and source = \"the first of several systems\" and balance > 5) in last 12 months) > 100.00";
    let formatted = format(source).unwrap();
    assert!(formatted.lines().all(|line| line.chars().count() <= 110), "{formatted}");
    assert!(formatted.contains("  where sum(bill.amount(\n"), "{formatted}");
    let commented = "segment s where count(distinct encounter.provider( // who\n class = home)) > 1";
    assert!(format(commented).unwrap().contains("// who"));
    assert_eq!(segment(source).criteria[0].label, source["segment s where ".len()..]);
}

#[test]
fn logic_defines_and_params() {
    assert_eq!(criterion("everyone"), Logic::True);
    assert_eq!(criterion("nobody"), Logic::False);
    let Logic::Or(parts) = criterion("(age > 3 and city = \"A\") or not (age = 4 or age = 5)") else {
        panic!()
    };
    assert!(matches!(&parts[0], Logic::And(inner) if inner.len() == 2));
    assert!(matches!(&parts[1], Logic::Not(inner) if matches!(**inner, Logic::Or(_))));
    let source = "define b = a or age < $young\nparam young: int\nparam day: date\ndefine a = enrolled_on since $day\n\
                  segment s where b exclude a segment t where a";
    let both = checked(source).segments;
    let names = |segment: &Segment| segment.params.iter().map(|param| param.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&both[0]), ["young", "day"]);
    assert_eq!(names(&both[1]), ["day"]);
    assert_eq!(both[0].exclude.as_ref().unwrap().label, "a");
    let given = ParamValues::from([("young".into(), "18".into()), ("day".into(), "2026-01-01".into())]);
    let bound = both[0].bind(&given).unwrap();
    assert!(!format!("{:?}", bound.segment().criteria).contains("Param"));
    // Keywords are reserved only where they stand.
    let odd =
        "define segment = age > 3\ndefine in = age > 4\nsegment output where segment and in output email";
    assert_eq!(segment(odd).criteria.len(), 2);
}

#[test]
fn holdouts_titles_and_outputs() {
    let one = segment("segment s \"a \\\"title\\\" \\u{1f600}\" where everyone holdout 0.125% output email");
    assert_eq!(one.title.as_deref(), Some("a \"title\" 😀"));
    assert_eq!(one.holdout, Some(Holdout { percent_millis: 125, seed: "s".to_owned() }));
    assert_eq!(one.output, ["email"]);
}

#[test]
fn descriptions_are_english() {
    let described = |test: &str| {
        let found = checked(&format!("segment s where {test}"));
        hyperseg_dsl::describe(&found.segments[0], &Schema::built_in())
    };
    for (test, words) in [
        (
            "count(email_open) in last 180 days >= 1",
            "the number of email open records in the last 180 days is at least 1.\n",
        ),
        (
            "count(appointment(status = no_show)) in last 12 months <= 2",
            "the number of appointment records in the last 12 months where status is no show is at most 2.\n",
        ),
        ("has procedure(code = CPT:\"77067\")", "there is some procedure where code is CPT:77067.\n"),
        (
            "not (latest lab(code = LOINC:\"4548-4\") has (value > 8))",
            "it is not so that (for the latest lab where code is LOINC:4548-4, value is above 8).\n",
        ),
        (
            "count(days of immunization(status = completed)) in last 2 years >= 4",
            "the number of different days with immunization records in the last 2 years where status is completed is at least 4.\n",
        ),
        (
            "not count(distinct encounter.provider) since 2025-01-01 in 2..3",
            "the number of different values of provider among encounter records on or after 2025-01-01 is not from 2 to 3.\n",
        ),
        (
            "sum(bill.amount(balance > 0)) in last 1 year > 1000",
            "the sum of amount over bill records in the last 1 year where balance is above 0.00 is above 1000.00.\n",
        ),
        (
            "avg(medication.days_supply active) < 30.5",
            "the average of days supply over active medication records is below 30.5.\n",
        ),
        (
            "not at least 2 of (age > 3, email is known or phone is known, no lab)",
            "it is not so that at least 2 of these hold (age is above 3; (email is known or phone is known); there is no lab).\n",
        ),
        (
            "form_start in last 3 days not followed by form_complete same name as form_start within 24 hours",
            "there is some (form start in the last 3 days), not followed by any (form complete) with the same name within 24 hours, which are over.\n",
        ),
        (
            "not encounter(class = inpatient).end then visit after 2 days within 1 week",
            "it is not so that (there is some (encounter where class is inpatient), followed by some (visit) at least 2 days and at most 1 week later, counted from its end).\n",
        ),
        ("call within 3 days before visit", "there is some (visit), and some (call) in the 3 days before.\n"),
        (
            "not share(status = no_show of appointment in last 1 year) >= 33.3% with at least 3",
            "it is not so that (of all (appointment records in the last 1 year) the share where status is no show is at least 33.3% and there are at least 3).\n",
        ),
        ("not turns 65 this year", "the day of turning 65 does not fall in the present calendar year.\n"),
        ("age in months on 2026-09-01 >= 60", "age in months on 2026-09-01 is at least 60.\n"),
        ("spoken_languages has none of (en, es)", "spoken languages has none of en or es.\n"),
        ("has bill(not balance < amount)", "there is some bill where balance is not below amount.\n"),
        (
            "has appointment(status in (booked, no_show))",
            "there is some appointment where status is one of booked or no show.\n",
        ),
        (
            "has appointment(status != booked)",
            "there is some appointment where status is not booked (of any status unless said).\n",
        ),
    ] {
        let text = described(test);
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn everything_compiles_and_is_described() {
    let source = include_str!("everything.seg");
    let formatted = format(source).unwrap();
    let (a, b) = (checked(source), checked(&formatted));
    assert_eq!(a.segments, b.segments);
    assert!(formatted.lines().all(|line| line.chars().count() <= 110), "{formatted}");
    let schema = Schema::built_in();
    let text = hyperseg_dsl::describe(&a.segments[0], &schema);
    assert_eq!(text, hyperseg_dsl::describe(&b.segments[0], &schema));
    for words in [
        "For marketing by e-mail.",
        "- gender is female\n",
        "- age is from 50 to 74\n",
        "- there is no procedure in the last 27 months where code is CPT:45378, CPT:45380, CPT:77065, CPT:77066 or SNOMED:71651007",
        "- for the latest lab in the last 1 year where code is LOINC:4548-4, value is above 9\n",
        "- the anniversary of birth date falls in the next 7 days\n",
        "Holds back 12.5% of them by chance (seed \"2026-q4\").",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let json = serde_json::to_string(&a.segments[0]).unwrap();
    assert_eq!(serde_json::from_str::<Segment>(&json).unwrap(), a.segments[0]);
}

#[test]
fn canonical_text_ignores_layout_comments_order_and_what_is_not_used() {
    let a = checked(
        "valueset v = CPT { \"1\" }\nparam p: int = 3\ndefine d = age > $p\nsegment s where d and has procedure(code in @v) output email holdout 5%",
    );
    let b = checked(
        "// c\ndefine other = nobody\ndefine d = age\n>$p\nparam p:int=3 valueset v=CPT{\"1\"}\nsegment s\n where d /* x */ and has procedure(code in @v)\nholdout 5%\noutput email",
    );
    assert_eq!(a.segment("s").unwrap().canonical, b.segment("s").unwrap().canonical);
    assert_eq!(
        a.segment("s").unwrap().canonical,
        "valueset v = CPT { \"1\" }\nparam p: int = 3\ndefine d = age > $p\nsegment s\n  where d and has procedure(code in @v)\n  output email\n  holdout 5%\n"
    );
}

#[test]
fn every_built_in_kind_and_field_compiles() {
    let schema = Schema::built_in();
    let mut criteria: Vec<String> =
        schema.contact.iter().map(|field| format!("{} is known", field.name)).collect();
    for kind in &schema.records {
        let fields: Vec<String> =
            kind.fields.iter().map(|field| format!("{} is known", field.name)).collect();
        criteria.push(format!("has {}({})", kind.name, fields.join(" and ")));
    }
    for field in schema.contact.iter().filter(|field| field.ty == hyperseg_dsl::schema::FieldType::Category) {
        for category in &field.categories {
            criteria.push(format!("({} = {category} or everyone)", field.name));
        }
    }
    let segment = segment(&format!("segment s where {}", criteria.join("\n and ")));
    assert_eq!(segment.criteria.len(), criteria.len());
}

#[test]
fn the_examples_of_the_reference_compile() {
    let text = include_str!("../docs/language.md");
    let mut examples = 0;
    for block in text.split("\n```segment\n").skip(1) {
        let source = &block[..=block.find("\n```").unwrap()];
        let found = checked(source);
        assert!(
            found.diagnostics.iter().all(|finding| finding.code == "HS0902"),
            "{}",
            render(source, "language.md", &found.diagnostics, false)
        );
        assert_eq!(format(source).as_deref(), Ok(source), "not in canonical form");
        examples += 1;
    }
    assert!(examples >= 14, "{examples}");
}
