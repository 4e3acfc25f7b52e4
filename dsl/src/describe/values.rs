//! Names and values in words.

use super::listed;
use crate::schema::{Channel, FieldType, format_money};
use crate::segment::{CodePattern, CodeSet, Operand};
use crate::value::Value;

/// Values of a list that are named before the rest is only counted.
const SHOWN: usize = 8;

/// A name of the schema as words.
pub(super) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

pub(super) fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "e-mail",
        Channel::Sms => "text message",
        Channel::Voice => "telephone",
        Channel::Mail => "letter",
        Channel::Push => "push notification",
    }
}

pub(super) fn operand(of: &Operand) -> String {
    match of {
        Operand::Param(name) => format!("${name}"),
        Operand::Literal(value) => literal(value),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{}\"", text.escape_debug()),
        Value::Category(text) => spaced(text),
        Value::Int(whole) => whole.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Money(cents) => format_money(*cents),
        Value::Bool(true) => "true".to_owned(),
        Value::Bool(false) => "false".to_owned(),
        Value::Date(day) => day.to_string(),
        Value::Partial(date) => date.to_string(),
        Value::Time(crate::value::When::Day(day)) => day.to_string(),
        Value::Time(crate::value::When::Instant(micros)) => {
            match chrono::DateTime::from_timestamp_micros(*micros) {
                Some(instant) => instant.to_rfc3339(),
                None => format!("instant {micros}"),
            }
        }
        Value::Code(code) => code.to_string(),
        Value::Categories(all) => all.join(", "),
        Value::Point(north, east) => format!("{north}, {east}"),
    }
}

pub(super) fn operands(all: &[Operand]) -> String {
    few(all.iter().map(operand), all.len(), "or")
}

/// `a, b or 12 others`.
fn few(parts: impl Iterator<Item = String>, count: usize, word: &str) -> String {
    if count <= SHOWN + 1 {
        return listed(&parts.collect::<Vec<_>>(), word);
    }
    let mut shown: Vec<String> = parts.take(SHOWN).collect();
    shown.push(format!("{} others", count - SHOWN));
    listed(&shown, word)
}

/// A set of codes; the verb stands before it.
pub(super) fn codes(set: &CodeSet) -> String {
    let include = few(set.include.iter().map(pattern), set.include.len(), "or");
    if set.exclude.is_empty() {
        return include;
    }
    let exclude = few(set.exclude.iter().map(pattern), set.exclude.len(), "and");
    format!("{include} (without {exclude})")
}

fn pattern(of: &CodePattern) -> String {
    if of.under { format!("{} or below", of.code) } else { of.code.to_string() }
}

/// The verb of equality for a type.
pub(super) fn is(ty: FieldType, negated: bool) -> &'static str {
    match (ty, negated) {
        (FieldType::Int | FieldType::Number | FieldType::Money, false) => "is exactly",
        (_, false) => "is",
        (_, true) => "is not",
    }
}
