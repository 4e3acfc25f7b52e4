//! Tests in words, each with its negation.

use super::values::{codes, is, operand, operands, spaced};
use super::windows::{anchor, length, window};
use super::{Place, listed, logic, words};
use crate::schema::{FieldType, Schema};
use crate::segment::{
    AgeUnit, Aggregate, Amount, Asks, Cmp, ContactTest, Counted, End, Event, FieldTest, Filter, History,
    ListTest, Logic, Near, NumberTest, Operand, Past, Reference, Relation, Selector, Sequence, Size, Test,
    TextOp, Tie,
};

/// A test of a contact.
pub(super) fn contact(test: &ContactTest, negated: bool, schema: &Schema) -> String {
    match test {
        ContactTest::Field(test) => field(test, negated),
        ContactTest::Age { unit, on, test } => {
            let unit = match unit {
                AgeUnit::Years => "",
                AgeUnit::Months => " in months",
            };
            let on = on.as_ref().map(|day| format!(" on {}", anchor(day))).unwrap_or_default();
            format!("age{unit}{on} {}", number(test, negated))
        }
        ContactTest::Near(near) => place(near, negated),
        ContactTest::Turns { age, window: at } => {
            let verb = if negated { "does not fall" } else { "falls" };
            format!("the day of turning {age} {verb} {}", window(at))
        }
        ContactTest::Anniversary { field, window: at } => {
            let verb = if negated { "does not fall" } else { "falls" };
            format!("the anniversary of {} {verb} {}", spaced(field), window(at))
        }
        ContactTest::History(of) => history(of, negated),
        ContactTest::Has(selector) => {
            format!("there is {} {}", if negated { "no" } else { "some" }, records(selector, "", schema))
        }
        ContactTest::Count { counted, selector, test } => {
            format!("the {} {}", count_in_words(counted, selector, schema), number(test, negated))
        }
        ContactTest::Aggregate { function, selector, field, unit, test, .. } => {
            let number = in_unit(number(test, negated), unit.as_deref());
            format!("the {} {number}", made_in_words(*function, selector, field, schema))
        }
        ContactTest::Observed { selector, .. } => {
            let some = records(selector, "", schema);
            let seen = "while the contact was under observation all of that time";
            format!("there is {} {some}, {seen}", if negated { "no" } else { "some" })
        }
        ContactTest::DaysCovered { selector, window: at, cmp, percent_millis } => {
            let (records, words) = (records(selector, "", schema), compared(*cmp, FieldType::Int, false));
            let percent = f64::from(*percent_millis) / 1000.0;
            let text = format!(
                "the share of days {} on which some ({records}) lasts {words} {percent}%",
                window(at)
            );
            if negated { format!("it is not so that ({text})") } else { text }
        }
        ContactTest::Continuous { selector, gap, length: long } => {
            let (records, gap, long) = (records(selector, "", schema), length(*gap), length(*long));
            let text =
                format!("some ({records}) lasts at any time of the last {long}, gaps of at most {gap} aside");
            if negated { format!("it is not so that ({text})") } else { text }
        }
        ContactTest::One { which, selector, tie, test } => {
            let tie = match tie {
                Some(Tie::Lowest) => " (of several at that time the one with the lowest value)",
                Some(Tie::Highest) => " (of several at that time the one with the highest value)",
                None => "",
            };
            let (which, records) = (which.word(), records(selector, "", schema));
            let text = format!("for the {which} {records}{tie}, {}", filter(test, Place::Inside));
            if negated { format!("it is not so that ({text})") } else { text }
        }
        ContactTest::Share { selector, test, cmp, percent_millis, at_least } => {
            let percent = f64::from(*percent_millis) / 1000.0;
            let least = at_least.map(|number| format!(" and there are at least {number}"));
            let (records, test) = (records(selector, " records", schema), filter(test, Place::Inside));
            let words = compared(*cmp, FieldType::Int, false);
            let text = format!(
                "of all ({records}) the share where {test} {words} {percent}%{}",
                least.unwrap_or_default()
            );
            if negated { format!("it is not so that ({text})") } else { text }
        }
        ContactTest::Rank(rank) => {
            let size = match rank.size {
                Size::Number(number) => number.to_string(),
                Size::PercentMillis(millis) => format!("{}%", f64::from(millis) / 1000.0),
            };
            let end = match rank.end {
                End::Top => "greatest",
                End::Bottom => "least",
            };
            let verb = if negated { "are not" } else { "are" };
            let pool = match &rank.among {
                Some(among) => format!("of contacts for whom ({})", words(among, schema)),
                None => "of all contacts".to_owned(),
            };
            let amount = amount(&rank.amount, schema);
            format!("they {verb} among the {size} with the {end} {amount}, {pool}")
        }
        ContactTest::Sample(sample) => {
            let percent = f64::from(sample.percent_millis) / 1000.0;
            let not = if negated { "does not put" } else { "puts" };
            let seed = super::one_line(&sample.seed);
            format!("chance {not} them into a sample of {percent}% (seed \"{seed}\")")
        }
        ContactTest::Sequence(of) => {
            let text = sequence(of, schema);
            if negated { format!("it is not so that ({text})") } else { text }
        }
        ContactTest::Reference(of) => reference(of, negated, schema),
        ContactTest::Household(of) => {
            let meaning = words(&of.test, schema);
            match (of.all, negated) {
                (false, false) => {
                    format!("for some member of their household, themselves included: ({meaning})")
                }
                (false, true) => {
                    format!("for no member of their household, themselves included: ({meaning})")
                }
                (true, false) => {
                    format!("for every member of their household, themselves included: ({meaning})")
                }
                (true, true) => format!(
                    "it is not so that for every member of their household, themselves included: ({meaning})"
                ),
            }
        }
    }
}

/// What a field said before.
fn history(of: &History, negated: bool) -> String {
    let (name, at) = (spaced(&of.field), window(&of.window));
    match &of.past {
        Past::Changed { from, to } => {
            let verb = if negated { "did not change" } else { "changed" };
            let behind = |word: &str, it: &Option<Operand>| {
                it.as_ref().map(|it| format!(" {word} {}", operand(it))).unwrap_or_default()
            };
            format!("{name} {verb}{}{} {at}", behind("from", from), behind("to", to))
        }
        Past::Was(value) => {
            let time = if negated { "at no time" } else { "at some time" };
            format!("{name} was {} {time} {at}", operand(value))
        }
    }
}

/// Criteria under a name, with what they are, so that a description says it all by itself.
fn reference(of: &Reference, negated: bool, schema: &Schema) -> String {
    let mut meaning = words(&of.test, schema);
    for criteria in &of.without {
        meaning.push_str(&format!("; left out those for whom {}", words(criteria, schema)));
    }
    let name = &of.name;
    match &of.asks {
        Asks::InSegment | Asks::InStage => {
            let (not, kind) = (
                if negated { "not " } else { "" },
                if of.asks == Asks::InStage { "stage" } else { "segment" },
            );
            format!("they are {not}in {kind} {name} ({meaning})")
        }
        Asks::Entered(at) => {
            let verb = if negated { "did not come" } else { "came" };
            format!("they {verb} into segment {name} {} ({meaning})", window(at))
        }
    }
}

fn place(near: &Near, negated: bool) -> String {
    let verb = if negated { "does not lie" } else { "lies" };
    let number = near.distance.to_string();
    let centre = match &near.zip {
        Some(zip) => format!("ZIP {zip}"),
        None => format!("latitude {}, longitude {}", near.north, near.east),
    };
    let by_zip = if near.places.is_some() { " (without a location that of the ZIP counts)" } else { "" };
    format!("the location {verb} within {number} {} of {centre}{by_zip}", near.unit.word(&number))
}

/// A number that contacts are ordered by, without an article.
pub(super) fn amount(of: &Amount, schema: &Schema) -> String {
    match of {
        Amount::Field { field, .. } => spaced(field),
        Amount::Age(AgeUnit::Years) => "age".to_owned(),
        Amount::Age(AgeUnit::Months) => "age in months".to_owned(),
        Amount::Count { counted, selector } => count_in_words(counted, selector, schema),
        Amount::Aggregate { function, selector, field, unit, .. } => {
            converted(made_in_words(*function, selector, field, schema), unit.as_deref())
        }
        Amount::One { which, selector, field, unit, .. } => {
            let which = which.word();
            let value = converted(spaced(field), unit.as_deref());
            format!("{value} of the {which} {}", records(selector, "", schema))
        }
    }
}

fn count_in_words(counted: &Counted, selector: &Selector, schema: &Schema) -> String {
    let what = match counted {
        Counted::Records => String::new(),
        Counted::Days => "different days with ".to_owned(),
        Counted::Distinct { field, .. } => format!("different values of {} among ", spaced(field)),
    };
    format!("number of {what}{}", records(selector, " records", schema))
}

fn made_in_words(function: Aggregate, selector: &Selector, field: &str, schema: &Schema) -> String {
    let what = match function {
        Aggregate::Sum => "sum",
        Aggregate::Avg => "average",
        Aggregate::Min => "minimum",
        Aggregate::Max => "maximum",
        Aggregate::Median => "median",
    };
    format!("{what} of {} over {}", spaced(field), records(selector, " records", schema))
}

/// Records that follow each other. Each stands in parentheses, so that it is plain where it ends.
fn sequence(of: &Sequence, schema: &Schema) -> String {
    let event = |event: &Event| format!("({})", records(&event.selector, "", schema));
    let from = |event: &Event| match &event.clock {
        Some(field) => format!(", counted from its {}", spaced(field)),
        None => String::new(),
    };
    let mut out = format!("there is some {}", event(&of.first));
    let mut start = &of.first;
    for link in &of.links {
        let within = length(link.within);
        let (to, from) = (event(&link.event), from(start));
        let same: Vec<String> = link.same.iter().map(|same| spaced(&same.field)).collect();
        let same = match same.as_slice() {
            [] => String::new(),
            all => format!(" with the same {}", listed(all, "and")),
        };
        match link.relation {
            Relation::Then { after: None } => {
                out.push_str(&format!(", followed by some {to}{same} within {within}{from}"));
            }
            Relation::Then { after: Some(after) } => {
                let after = length(after);
                out.push_str(&format!(
                    ", followed by some {to}{same} at least {after} and at most {within} later{from}"
                ));
            }
            Relation::NotFollowed { or_open } => {
                let over = if or_open { "be they over or not" } else { "which are over" };
                out.push_str(&format!(", not followed by any {to}{same} within {within}, {over}{from}"));
            }
            Relation::Before => out.push_str(&format!(", and some {to}{same} in the {within} before{from}")),
            Relation::Around => {
                out.push_str(&format!(", and some other {to}{same} within {within} before or after{from}"));
            }
        }
        if let Relation::Then { .. } = link.relation {
            start = &link.event;
        }
    }
    out
}

/// A kind of record, `noun` behind its name, with its windows, its filter and what counts although it usually does
/// not.
fn records(selector: &Selector, noun: &str, schema: &Schema) -> String {
    let mut out = spaced(&selector.record);
    if selector.active {
        out = format!("active {out}");
    }
    out.push_str(noun);
    // Windows before the filter: behind it they would read as part of its last test.
    for (index, at) in selector.windows.iter().enumerate() {
        out.push_str(if index == 0 { " " } else { " and " });
        out.push_str(&window(at));
    }
    if selector.filter != Logic::True {
        out.push_str(&format!(" where {}", filter(&selector.filter, Place::Inside)));
    }
    if let Some(kind) = schema.record(&selector.record) {
        let lifted: Vec<String> = kind
            .hidden
            .iter()
            .filter(|(name, _)| !selector.hidden.iter().any(|hidden| hidden.field == *name))
            .filter(|(name, _)| !fixed(&selector.filter, name))
            .map(|(name, _)| spaced(name))
            .collect();
        if !lifted.is_empty() {
            out.push_str(&format!(" (of any {} unless said)", lifted.join(" and ")));
        }
    }
    out
}

/// The filter says which values the field has: nothing is left to say about others.
fn fixed(filter: &Filter, field: &str) -> bool {
    match filter {
        Logic::Leaf(test) => {
            test.field == field && matches!(test.test, Test::Compare(Cmp::Eq, _) | Test::In(_))
        }
        Logic::And(parts) => parts.iter().any(|part| fixed(part, field)),
        Logic::True | Logic::False | Logic::Or(_) | Logic::Of { .. } | Logic::Not(_) => false,
    }
}

fn filter(of: &Filter, place: Place) -> String {
    logic(of, place, &field)
}

/// A number with the unit it is converted into.
fn converted(number: String, unit: Option<&str>) -> String {
    match unit {
        Some(unit) => format!("{number} (in {unit})"),
        None => number,
    }
}

/// A number's test with the unit of the number.
fn in_unit(test: String, unit: Option<&str>) -> String {
    match unit {
        Some(unit) => format!("{test} {unit}"),
        None => test,
    }
}

fn number(test: &NumberTest, negated: bool) -> String {
    let text = match test {
        NumberTest::Compare(cmp, to) => format!("{} {}", compared(*cmp, FieldType::Int, false), operand(to)),
        NumberTest::Range(low, high) => format!("is from {} to {}", operand(low), operand(high)),
        NumberTest::In(all) => format!("is {}", operands(all)),
    };
    match (negated, text.strip_prefix("is ")) {
        (false, _) => text,
        (true, Some(rest)) => format!("is not {rest}"),
        (true, None) => format!("not: {text}"),
    }
}

/// A test of a field.
fn field(test: &FieldTest, negated: bool) -> String {
    let name = spaced(&test.field);
    let not = if negated { "not " } else { "" };
    let words = match &test.test {
        Test::Compare(cmp, to) => format!("{} {}", compared(*cmp, test.ty, negated), operand(to)),
        Test::CompareField(cmp, other) => {
            format!("{} {}", compared(*cmp, test.ty, negated), spaced(&other.field))
        }
        Test::In(all) => format!("{} one of {}", is(FieldType::Text, negated), operands(all)),
        Test::Between(low, high) => format!("is {not}from {} to {}", operand(low), operand(high)),
        Test::Measured { unit, test } => in_unit(number(test, negated), Some(unit)),
        Test::Text(op, text) => {
            let verb = match (op, negated) {
                (TextOp::Contains, false) => "contains",
                (TextOp::Contains, true) => "does not contain",
                (TextOp::StartsWith, false) => "starts with",
                (TextOp::StartsWith, true) => "does not start with",
                (TextOp::EndsWith, false) => "ends with",
                (TextOp::EndsWith, true) => "does not end with",
                (TextOp::Matches, false) => "matches",
                (TextOp::Matches, true) => "does not match",
            };
            format!("{verb} {}", operand(text))
        }
        Test::Codes(set) => format!("{} {}", is(FieldType::Text, negated), codes(set)),
        Test::List(how, all) => {
            let verb = match (how, negated) {
                (ListTest::None, false) | (ListTest::Any, true) => "has none of",
                (ListTest::Any, false) | (ListTest::None, true) => "has one or more of",
                (ListTest::All, false) => "has all of",
                (ListTest::All, true) => "does not have all of",
            };
            format!("{verb} {}", operands(all))
        }
        Test::Window(at) => format!("is {not}{}", window(at)),
        Test::Known => if negated { "is not known" } else { "is known" }.to_owned(),
        Test::Missing => if negated { "is not missing" } else { "is missing" }.to_owned(),
    };
    format!("{name} {words}")
}

fn compared(cmp: Cmp, ty: FieldType, negated: bool) -> String {
    let day = matches!(ty, FieldType::Date | FieldType::Time);
    let words = match cmp {
        Cmp::Eq => is(ty, false),
        Cmp::Ne => "is not",
        Cmp::Lt if day => "is before",
        Cmp::Le if day => "is on or before",
        Cmp::Gt if day => "is after",
        Cmp::Ge if day => "is on or after",
        Cmp::Lt => "is below",
        Cmp::Le => "is at most",
        Cmp::Gt => "is above",
        Cmp::Ge => "is at least",
    };
    match (negated, words.strip_prefix("is ")) {
        (true, Some(rest)) => format!("is not {rest}"),
        (true, None) => "is not".to_owned(),
        (false, _) => words.to_owned(),
    }
}
