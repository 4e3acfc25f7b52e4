//! Tests of one field of a contact or record.

use std::collections::BTreeMap;

use super::interval::{compare_interval, interval_test, reported};
use super::time::{in_window, operand_day, value_day, value_when};
use super::truth::{Truth, compare};
use crate::clock::Clock;
use crate::segment::{Cmp, CodePattern, CodeSet, FieldTest, ListTest, NumberTest, Operand, Test, TextOp};
use crate::value::{Code, Value};

/// Values by the name of their field; a missing value has no entry.
pub type Fields = BTreeMap<String, Value>;

/// The value of a field. Empty text and empty lists are missing.
pub(super) fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| match value {
        Value::Text(text) => !text.is_empty(),
        Value::Categories(items) => !items.is_empty(),
        Value::Category(_)
        | Value::Int(_)
        | Value::Number(_)
        | Value::Money(_)
        | Value::Bool(_)
        | Value::Date(_)
        | Value::Partial(_)
        | Value::Time(_)
        | Value::Code(_)
        | Value::Point(_, _) => true,
    })
}

/// A test of a contact's or record's field.
pub(super) fn field_test(test: &FieldTest, fields: &Fields, clock: &Clock) -> Truth {
    let found = value(fields, &test.field);
    match &test.test {
        Test::Known => Truth::of(found.is_some()),
        Test::Missing => Truth::of(found.is_none()),
        Test::Measured { unit, test: asked } => reported(fields, &test.field, Some(unit))
            .map_or(Truth::Unknown, |interval| interval_test(interval, asked)),
        Test::Compare(..)
        | Test::CompareField(..)
        | Test::In(_)
        | Test::Between(..)
        | Test::Text(..)
        | Test::Codes(_)
        | Test::List(..)
        | Test::Window(_) => match found {
            Some(found) => of_every(found, |found| value_test(found, test, fields, clock)),
            None => Truth::Unknown,
        },
    }
}

/// What a test says of a value. Of a date that is not fully known it says what it says of each of its days, and UNKNOWN
/// where these differ.
pub(super) fn of_every(found: &Value, says: impl Fn(&Value) -> Truth) -> Truth {
    let Value::Partial(date) = found else { return says(found) };
    agreed(date.range().days().map(|day| says(&Value::Date(day))))
}

/// What all say; UNKNOWN where they differ, and when there are none.
pub(super) fn agreed(answers: impl IntoIterator<Item = Truth>) -> Truth {
    let mut answers = answers.into_iter();
    let Some(first) = answers.next() else { return Truth::Unknown };
    if answers.all(|other| other == first) { first } else { Truth::Unknown }
}

/// A test of a value that is known.
fn value_test(found: &Value, test: &FieldTest, fields: &Fields, clock: &Clock) -> Truth {
    match &test.test {
        Test::Compare(cmp, operand) => compare_field(found, test, fields, *cmp, operand, clock),
        Test::CompareField(cmp, other) => match value(fields, &other.field) {
            // The interval is on the other side.
            Some(_) if is_interval(&other.field, fields) => reported(fields, &other.field, None)
                .map_or(Truth::Unknown, |interval| {
                    compare_interval(interval, turned(*cmp), &Operand::Literal(found.clone()))
                }),
            Some(other) => of_every(other, |other| {
                compare_field(found, test, fields, *cmp, &Operand::Literal(other.clone()), clock)
            }),
            None => Truth::Unknown,
        },
        Test::In(operands) => operands
            .iter()
            .map(|operand| compare_field(found, test, fields, Cmp::Eq, operand, clock))
            .fold(Truth::False, Truth::or),
        Test::Between(low, high) => compare_field(found, test, fields, Cmp::Ge, low, clock)
            .and(compare_field(found, test, fields, Cmp::Le, high, clock)),
        Test::Text(op, operand) => text_test(found, *op, operand),
        Test::Codes(set) => match found {
            Value::Code(code) => Truth::of(in_codes(code, set)),
            _ => Truth::Unknown,
        },
        Test::List(how, operands) => list_test(found, *how, operands),
        Test::Window(window) => {
            value_when(found).map_or(Truth::Unknown, |when| in_window(when, window, clock))
        }
        // They do not look at the value by itself.
        Test::Known | Test::Missing | Test::Measured { .. } => Truth::Unknown,
    }
}

/// The number of a result that was reported as `<5.7` is an interval.
fn is_interval(field: &str, fields: &Fields) -> bool {
    field == "value" && value(fields, "comparator").is_some()
}

/// The comparison of a field's value, or of all that it can be.
fn compare_field(
    found: &Value,
    test: &FieldTest,
    fields: &Fields,
    cmp: Cmp,
    operand: &Operand,
    clock: &Clock,
) -> Truth {
    if !is_interval(&test.field, fields) {
        return compare_value(found, cmp, operand, clock);
    }
    reported(fields, &test.field, None)
        .map_or(Truth::Unknown, |interval| compare_interval(interval, cmp, operand))
}

/// The comparison seen from the other side.
fn turned(cmp: Cmp) -> Cmp {
    match cmp {
        Cmp::Eq | Cmp::Ne => cmp,
        Cmp::Lt => Cmp::Gt,
        Cmp::Le => Cmp::Ge,
        Cmp::Gt => Cmp::Lt,
        Cmp::Ge => Cmp::Le,
    }
}

/// UNKNOWN when the types do not go together, which the resolver does not let through.
fn compare_value(found: &Value, cmp: Cmp, operand: &Operand, clock: &Clock) -> Truth {
    let Operand::Literal(literal) = operand else { return Truth::Unknown };
    match (found, literal) {
        (Value::Text(left), Value::Text(right)) | (Value::Category(left), Value::Category(right)) => {
            compare(left, cmp, right)
        }
        (Value::Bool(left), Value::Bool(right)) => compare(left, cmp, right),
        (Value::Money(left), Value::Money(right)) => compare(left, cmp, right),
        (Value::Code(left), Value::Code(right)) => compare(left, cmp, right),
        (Value::Date(_) | Value::Time(_), Value::Date(_) | Value::Time(_)) => {
            match (value_day(found, clock), operand_day(operand, clock)) {
                (Some(left), Some(right)) => compare(left, cmp, right),
                (None, _) | (_, None) => Truth::Unknown,
            }
        }
        (left, right) => match (number(left), number(right)) {
            (Some(left), Some(right)) => compare(left, cmp, right),
            (None, _) | (_, None) => Truth::Unknown,
        },
    }
}

/// `=` says that they are the same: numbers by their size, moments by their local day. Dates that are not fully known are the
/// same as nothing: two people who were born in 1950 need not share a birthday.
pub(super) fn same(one: &Value, other: &Value, clock: &Clock) -> bool {
    compare_value(one, Cmp::Eq, &Operand::Literal(other.clone()), clock).is_true()
}

/// Whole and other numbers compare with each other; money only with money.
fn number(value: &Value) -> Option<f64> {
    match value {
        // Whole numbers of fields and counts are far below 2^53.
        #[allow(clippy::cast_precision_loss)]
        Value::Int(n) => Some(*n as f64),
        Value::Number(n) => Some(*n),
        Value::Text(_)
        | Value::Category(_)
        | Value::Money(_)
        | Value::Bool(_)
        | Value::Date(_)
        | Value::Partial(_)
        | Value::Time(_)
        | Value::Code(_)
        | Value::Categories(_)
        | Value::Point(_, _) => None,
    }
}

fn text_test(found: &Value, op: TextOp, operand: &Operand) -> Truth {
    let (Value::Text(text), Operand::Literal(Value::Text(wanted))) = (found, operand) else {
        return Truth::Unknown;
    };
    match op {
        TextOp::Contains => Truth::of(text.contains(wanted.as_str())),
        TextOp::StartsWith => Truth::of(text.starts_with(wanted.as_str())),
        TextOp::EndsWith => Truth::of(text.ends_with(wanted.as_str())),
        TextOp::Matches => Truth::known(regex::Regex::new(wanted).ok().map(|pattern| pattern.is_match(text))),
    }
}

fn list_test(found: &Value, how: ListTest, operands: &[Operand]) -> Truth {
    let Value::Categories(items) = found else { return Truth::Unknown };
    let mut asked = operands.iter().map(|operand| match operand {
        Operand::Literal(Value::Category(category)) => items.contains(category),
        Operand::Literal(_) | Operand::Param(_) => false,
    });
    Truth::of(match how {
        ListTest::Any => asked.any(|is_in| is_in),
        ListTest::All => asked.all(|is_in| is_in),
        ListTest::None => !asked.any(|is_in| is_in),
    })
}

fn in_codes(code: &Code, set: &CodeSet) -> bool {
    let hits = |pattern: &CodePattern| {
        pattern.code.system == code.system
            && if pattern.under {
                code.code.starts_with(&pattern.code.code)
            } else {
                code.code == pattern.code.code
            }
    };
    set.include.iter().any(hits) && !set.exclude.iter().any(hits)
}

/// A whole number, such as an age or a count, against bounds.
pub(super) fn number_test(found: i64, test: &NumberTest, clock: &Clock) -> Truth {
    let found = Value::Int(found);
    match test {
        NumberTest::Compare(cmp, operand) => compare_value(&found, *cmp, operand, clock),
        NumberTest::Range(low, high) => {
            compare_value(&found, Cmp::Ge, low, clock).and(compare_value(&found, Cmp::Le, high, clock))
        }
        NumberTest::In(operands) => operands
            .iter()
            .map(|operand| compare_value(&found, Cmp::Eq, operand, clock))
            .fold(Truth::False, Truth::or),
    }
}
