//! Tests of one field, joined by `and`, that exclude each other: `age < 18 and age > 65`.

use super::Part;
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{
    AgeUnit, Aggregate, Anchor, Cmp, ContactTest, Counted, FieldTest, Logic, NumberTest, Operand, Selector,
    Test, Window,
};
use crate::value::{Value, days_since_epoch};

/// Subjects beyond this many are not looked at.
const SUBJECTS_MAX: usize = 200;

/// What a test says about one value of its field, when it is TRUE.
pub(in crate::resolve) enum Fact {
    /// It lies between these, ends included or not.
    Between(Bound, Bound),
    /// It is one of these.
    OneOf(Vec<String>),
}

/// An end of an interval and whether it belongs to it.
#[derive(Clone, Copy)]
pub(in crate::resolve) struct Bound {
    pub(super) at: f64,
    pub(super) inside: bool,
}

impl Bound {
    /// As a lower end, the least whole number that it lets through.
    pub(super) fn least_whole(self) -> f64 {
        if self.inside { self.at.ceil() } else { self.at.floor() + 1.0 }
    }

    /// As an upper end, the greatest whole number that it lets through.
    pub(super) fn greatest_whole(self) -> f64 {
        if self.inside { self.at.floor() } else { self.at.ceil() - 1.0 }
    }
}

/// What a fact speaks of.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::resolve) enum Subject<'l> {
    /// A field, or the age.
    Field(&'l str),
    /// How many of something there are.
    Count(&'l Counted, &'l Selector),
    /// A number made of a field's values.
    Aggregate(Aggregate, &'l Selector, &'l str),
}

impl Subject<'_> {
    /// The least value where all are whole numbers.
    pub(super) fn whole_from(self) -> Option<f64> {
        match self {
            Self::Field("age") | Self::Count(_, _) => Some(0.0),
            Self::Field(_) | Self::Aggregate(_, _, _) => None,
        }
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Field(name) => format!("`{name}`"),
            Self::Count(_, selector) => format!("this count of `{}`", selector.record),
            Self::Aggregate(function, selector, field) => {
                format!("this `{}` of `{}.{field}`", function.name(), selector.record)
            }
        }
    }
}

/// A leaf that may state a fact.
pub(in crate::resolve) trait Facts {
    /// What it speaks of, and what it says of that.
    fn fact(&self) -> Option<(Subject<'_>, Fact)>;
}

impl Facts for ContactTest {
    fn fact(&self) -> Option<(Subject<'_>, Fact)> {
        match self {
            Self::Field(test) => test.fact(),
            Self::Age { unit: AgeUnit::Years, on: None, test } => {
                number_fact(test).map(|fact| (Subject::Field("age"), fact))
            }
            Self::Count { counted, selector, test } => {
                number_fact(test).map(|fact| (Subject::Count(counted, selector), fact))
            }
            Self::Aggregate { function, selector, field, unit: None, test, .. } => {
                number_fact(test).map(|fact| (Subject::Aggregate(*function, selector, field), fact))
            }
            // Records are many: two facts about them need not speak of one record.
            Self::Age { .. }
            | Self::Aggregate { .. }
            | Self::Turns { .. }
            | Self::Near(_)
            | Self::Anniversary { .. }
            | Self::History(_)
            | Self::Has(_)
            | Self::Observed { .. }
            | Self::DaysCovered { .. }
            | Self::Continuous { .. }
            | Self::One { .. }
            | Self::Sequence(_)
            | Self::Rank(_)
            | Self::Sample(_)
            | Self::Share { .. }
            | Self::Reference(_)
            | Self::Household(_) => None,
        }
    }
}

impl Facts for FieldTest {
    fn fact(&self) -> Option<(Subject<'_>, Fact)> {
        let fact = match &self.test {
            Test::Compare(Cmp::Eq, Operand::Literal(value)) => match number(value) {
                Some(at) => Fact::Between(inside(at), inside(at)),
                None => Fact::OneOf(vec![name(value)?]),
            },
            Test::Compare(cmp, Operand::Literal(value)) => compared(*cmp, number(value)?)?,
            Test::Between(Operand::Literal(low), Operand::Literal(high)) => {
                Fact::Between(inside(number(low)?), inside(number(high)?))
            }
            Test::In(operands) => Fact::OneOf(
                operands
                    .iter()
                    .map(|operand| match operand {
                        Operand::Literal(value) => name(value),
                        Operand::Param(_) => None,
                    })
                    .collect::<Option<_>>()?,
            ),
            Test::Compare(_, _)
            | Test::CompareField(_, _)
            | Test::Between(_, _)
            | Test::Measured { .. }
            | Test::Text(_, _)
            | Test::Codes(_)
            | Test::List(_, _)
            | Test::Known
            | Test::Missing => return None,
            Test::Window(window) => days(window)?,
        };
        Some((Subject::Field(&self.field), fact))
    }
}

/// The days of a window that does not depend on the clock.
fn days(window: &Window) -> Option<Fact> {
    let day = |anchor: &Anchor| match anchor.as_date()? {
        Operand::Literal(value) => number(value),
        Operand::Param(_) => None,
    };
    match window {
        Window::Since(date) => compared(Cmp::Ge, day(date)?),
        Window::Before(date) => compared(Cmp::Lt, day(date)?),
        Window::After(date) => compared(Cmp::Gt, day(date)?),
        Window::On(date) => compared(Cmp::Eq, day(date)?),
        Window::Between(low, high) => Some(Fact::Between(inside(day(low)?), inside(day(high)?))),
        Window::InLast(_)
        | Window::InNext(_)
        | Window::MoreThanAgo(_)
        | Window::BetweenAgo(_, _)
        | Window::Calendar(_, _) => None,
    }
}

fn number_fact(test: &NumberTest) -> Option<Fact> {
    match test {
        NumberTest::Compare(cmp, Operand::Literal(value)) => compared(*cmp, number(value)?),
        NumberTest::Range(Operand::Literal(low), Operand::Literal(high)) => {
            Some(Fact::Between(inside(number(low)?), inside(number(high)?)))
        }
        NumberTest::Compare(_, _) | NumberTest::Range(_, _) | NumberTest::In(_) => None,
    }
}

fn compared(cmp: Cmp, at: f64) -> Option<Fact> {
    let (least, most) =
        (Bound { at: f64::NEG_INFINITY, inside: true }, Bound { at: f64::INFINITY, inside: true });
    let outside = Bound { at, inside: false };
    match cmp {
        Cmp::Eq => Some(Fact::Between(inside(at), inside(at))),
        Cmp::Ne => None,
        Cmp::Lt => Some(Fact::Between(least, outside)),
        Cmp::Le => Some(Fact::Between(least, inside(at))),
        Cmp::Gt => Some(Fact::Between(outside, most)),
        Cmp::Ge => Some(Fact::Between(inside(at), most)),
    }
}

fn inside(at: f64) -> Bound {
    Bound { at, inside: true }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a lint")]
        Value::Int(whole) | Value::Money(whole) => Some(*whole as f64),
        Value::Number(number) => Some(*number),
        Value::Date(day) => Some(f64::from(days_since_epoch(*day))),
        Value::Partial(_)
        | Value::Text(_)
        | Value::Category(_)
        | Value::Bool(_)
        | Value::Time(_)
        | Value::Code(_)
        | Value::Categories(_)
        | Value::Point(_, _) => None,
    }
}

fn name(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Category(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Int(_)
        | Value::Number(_)
        | Value::Money(_)
        | Value::Date(_)
        | Value::Partial(_)
        | Value::Time(_)
        | Value::Code(_)
        | Value::Categories(_)
        | Value::Point(_, _) => None,
    }
}

struct Known {
    low: Bound,
    high: Bound,
    names: Option<Vec<String>>,
    first: Span,
}

/// Looks at parts joined by `and`; reports the first part that leaves nothing of what those before it allow.
pub(super) fn contradiction<L: Facts>(parts: &[Part<L>], findings: &mut Vec<Diagnostic>) {
    let mut subjects: Vec<(Subject<'_>, Known)> = Vec::new();
    for part in parts {
        let Logic::Leaf(leaf) = &part.logic else { continue };
        let Some((subject, fact)) = leaf.fact() else { continue };
        let place = subjects.iter().position(|(other, _)| *other == subject);
        if place.is_none() && subjects.len() < SUBJECTS_MAX {
            let known = Known {
                low: Bound { at: f64::NEG_INFINITY, inside: true },
                high: Bound { at: f64::INFINITY, inside: true },
                names: None,
                first: part.span,
            };
            subjects.push((subject, known));
        }
        let place = place.unwrap_or(subjects.len().saturating_sub(1));
        let Some((_, known)) = subjects.get_mut(place).filter(|(other, _)| *other == subject) else {
            continue;
        };
        let empty = match fact {
            Fact::Between(low, high) => {
                known.low = tighter(known.low, low, |a, b| a > b);
                known.high = tighter(known.high, high, |a, b| a < b);
                let (low, high) = (known.low, known.high);
                match subject.whole_from() {
                    Some(least) => low.least_whole().max(least) > high.greatest_whole(),
                    None => low.at > high.at || low.at >= high.at && !(low.inside && high.inside),
                }
            }
            Fact::OneOf(names) => {
                let left: Vec<String> = match &known.names {
                    None => names,
                    Some(before) => {
                        let before: std::collections::BTreeSet<&String> = before.iter().collect();
                        names.into_iter().filter(|name| before.contains(name)).collect()
                    }
                };
                let empty = left.is_empty();
                known.names = Some(left);
                empty
            }
        };
        if empty {
            let message = format!("{} cannot be all of this at once", subject.name());
            let finding = Diagnostic::new(&codes::NEVER_TRUE, part.span, message);
            findings.push(finding.related(known.first, "excluded by this").help("did you mean `or`?"));
            return;
        }
    }
}

fn tighter(a: Bound, b: Bound, beats: impl Fn(f64, f64) -> bool) -> Bound {
    if beats(b.at, a.at) || b.at.to_bits() == a.at.to_bits() && !b.inside { b } else { a }
}
