//! Every construct of the language compiles to the tree it should, and formatting keeps what it means.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{
    BoundSegment, Cmp, CodeSet, ContactTest, Duration, DurationUnit, FieldTest, Hidden, Holdout, Logic,
    NumberTest, Operand, ParamValues, Segment, Test, TextOp, Which, Window,
};
use hyperseg_dsl::value::{Value, parse_day};
use hyperseg_dsl::{Checked, check, format, render};

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
    let checked = check(source, &Schema::built_in());
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
    let Logic::Leaf(ContactTest::Count(selector, test)) = &bound.segment().criteria[5].test else { panic!() };
    assert_eq!(selector.record, "email_open");
    assert_eq!(selector.windows, [Window::InLast(length(90, DurationUnit::Day))]);
    assert_eq!(*test, NumberTest::Compare(Cmp::Ge, literal(Value::Number(5.0))));
}
