//! Logical text of values, as population files and case files write it.
//!
//! Text and the [`Field`] it belongs to come in, a [`Value`] in normal form goes out: NFC text, canonical category,
//! code in its system's normal form, five-digit ZIP. What is not a value of the type is refused, never guessed.
//! Errors name the expected form, never the text.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use unicode_normalization::UnicodeNormalization;

use super::{CodeSystem, Field, FieldType, format_money, parse_money};
use crate::value::{Code, PartialDate, Value, When, parse_day, parse_when};

/// What a text should have been. It holds nothing of the text, which may be personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedType {
    /// Description of the form, e.g. `a date such as 2026-01-31`.
    pub what: &'static str,
}

impl fmt::Display for ExpectedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.what)
    }
}

impl std::error::Error for ExpectedType {}

impl Field {
    /// Reads a cell: an empty one is a missing value, any other must be a value of the field.
    ///
    /// # Errors
    /// The text is not a value of the field.
    pub fn parse_cell(&self, text: &str) -> Result<Option<Value>, ExpectedType> {
        if text.is_empty() { Ok(None) } else { self.parse(text).map(Some) }
    }

    /// Reads a value of the field.
    ///
    /// Instants are RFC 3339, dates `YYYY-MM-DD`, or `YYYY-MM` and `YYYY` where no more is known, codes `SYSTEM:code`, lists of categories joined by `|`, points
    /// `latitude,longitude`. The field `zip` takes five digits or ZIP+4, of which it keeps the first five.
    ///
    /// # Errors
    /// The text is empty or not a value of the field.
    pub fn parse(&self, text: &str) -> Result<Value, ExpectedType> {
        let value = match self.ty {
            FieldType::Text => text_value(&self.name, text),
            FieldType::Category => self.category(text).map(Value::Category),
            FieldType::Int => text.parse::<i32>().ok().map(|n| Value::Int(n.into())),
            FieldType::Number => text.parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Number),
            FieldType::Money => parse_money(text).map(Value::Money),
            FieldType::Bool => text.parse().ok().map(Value::Bool),
            FieldType::Date => {
                parse_day(text).map(Value::Date).or_else(|| PartialDate::parse(text).map(Value::Partial))
            }
            FieldType::Time => parse_when(text).map(Value::Time),
            FieldType::Code => parse_code(text).map(Value::Code),
            FieldType::Categories => {
                text.split('|').map(|part| self.category(part)).collect::<Option<_>>().map(Value::Categories)
            }
            FieldType::Point => parse_point(text),
        };
        value.ok_or(ExpectedType { what: self.expected() })
    }

    /// Writes a value in the form that [`Field::parse`] reads.
    #[must_use]
    pub fn render(value: &Value) -> String {
        match value {
            Value::Text(text) | Value::Category(text) => text.clone(),
            Value::Int(n) => n.to_string(),
            Value::Number(n) => n.to_string(),
            Value::Money(cents) => format_money(*cents),
            Value::Bool(truth) => truth.to_string(),
            Value::Date(day) | Value::Time(When::Day(day)) => day.format("%Y-%m-%d").to_string(),
            Value::Partial(date) => date.to_string(),
            Value::Time(When::Instant(micros)) => DateTime::from_timestamp_micros(*micros)
                .unwrap_or(DateTime::<Utc>::MIN_UTC)
                .to_rfc3339_opts(SecondsFormat::AutoSi, true),
            Value::Code(code) => code.to_string(),
            Value::Categories(items) => items.join("|"),
            Value::Point(latitude, longitude) => format!("{latitude},{longitude}"),
        }
    }

    fn category(&self, text: &str) -> Option<String> {
        self.categories.iter().find(|known| *known == text).cloned()
    }

    fn expected(&self) -> &'static str {
        match self.ty {
            FieldType::Text if self.name == ZIP => "a ZIP code of five digits, leading zeros included",
            FieldType::Text => "a text that is not empty",
            FieldType::Category => "one of the field's categories",
            FieldType::Int => "a whole number",
            FieldType::Number => "a number",
            FieldType::Money => "an amount with at most two decimals",
            FieldType::Bool => "true or false",
            FieldType::Date => "a date such as 2026-01-31, or 2026-01 or 2026 where no more is known",
            FieldType::Time => "a date such as 2026-01-31 or an instant such as 2026-01-31T09:30:00Z",
            FieldType::Code => "a code with its system, such as ICD10CM:E11.9",
            FieldType::Categories => "some of the field's categories joined by |",
            FieldType::Point => "latitude and longitude in degrees, joined by a comma",
        }
    }
}

/// The one text field that has a form of its own.
pub(crate) const ZIP: &str = "zip";

/// The form in which ZIPs are stored: five digits.
pub(crate) fn is_stored_zip(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text in NFC. ASCII always is, and long lists are ASCII.
pub(crate) fn normal_text(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

fn text_value(field: &str, text: &str) -> Option<Value> {
    let normal = normal_text(text);
    if field == ZIP {
        return normal_zip(&normal).map(|zip| Value::Text(zip.to_owned()));
    }
    (!normal.is_empty()).then_some(Value::Text(normal))
}

/// The first five digits of `02138` or `02138-1234`. A ZIP that lost its leading zero is refused: adding it back is
/// the importer's decision, not a guess to make here.
fn normal_zip(text: &str) -> Option<&str> {
    let (five, four) = match text.split_once('-') {
        Some((five, four)) => (five, Some(four)),
        None => (text, None),
    };
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(five, 5) && four.is_none_or(|four| digits(four, 4))).then_some(five)
}

fn parse_code(text: &str) -> Option<Code> {
    let (system, code) = text.split_once(':')?;
    let system = CodeSystem::parse(system)?;
    Some(Code { system: system.name().to_owned(), code: system.normal(code)? })
}

fn parse_point(text: &str) -> Option<Value> {
    let (latitude, longitude) = text.split_once(',')?;
    let degrees = |part: &str, max: f64| part.parse::<f64>().ok().filter(|n| n.abs() <= max);
    Some(Value::Point(degrees(latitude, 90.0)?, degrees(longitude, 180.0)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::schema::Schema;

    fn contact(field: &str, text: &str) -> Option<String> {
        let schema = Schema::built_in();
        schema.contact_field(field).unwrap().parse(text).ok().map(|value| Field::render(&value))
    }

    fn record(kind: &str, field: &str, text: &str) -> Option<String> {
        let schema = Schema::built_in();
        let field = schema.record(kind).unwrap().field(field).unwrap();
        field.parse(text).ok().map(|value| Field::render(&value))
    }

    #[test]
    fn every_type_comes_back() {
        for (field, text) in [
            ("first_name", "O'Brien \"Q\"; DROP 🦀"),
            ("gender", "female"),
            ("household_size", "-3"),
            ("risk_score", "0.125"),
            ("income", "50000.10"),
            ("birth_date", "2024-02-29"),
            ("birth_date", "1950-06"),
            ("birth_date", "1950"),
            ("spoken_languages", "en|es"),
            ("location", "42.36,-71.06"),
            ("zip", "02138"),
        ] {
            assert_eq!(contact(field, text).as_deref(), Some(text), "{field}");
        }
        for (kind, field, text) in [
            ("lab", "at", "2024-03-01T09:30:00Z"),
            ("lab", "at", "2024-03-01T09:30:00.123456Z"),
            ("lab", "at", "2024-03-01"),
            ("lab", "code", "LOINC:4548-4"),
            ("email_open", "machine", "true"),
        ] {
            assert_eq!(record(kind, field, text).as_deref(), Some(text), "{kind}.{field}");
        }
    }

    #[test]
    fn normal_forms() {
        assert_eq!(contact("first_name", "Zoe\u{308}").as_deref(), Some("Zo\u{eb}"));
        assert_eq!(contact("zip", "02138-1234").as_deref(), Some("02138"));
        assert_eq!(record("condition", "code", "icd10:e11.9").as_deref(), Some("ICD10CM:E119"));
        assert_eq!(record("lab", "at", "2024-03-01T09:30:00-05:00").as_deref(), Some("2024-03-01T14:30:00Z"));
        let schema = Schema::built_in();
        assert_eq!(schema.contact_field("zip").unwrap().parse_cell(""), Ok(None));
    }

    #[test]
    fn what_is_not_of_the_type_is_refused() {
        for (field, text) in [
            ("first_name", ""),
            ("zip", "2138"),
            ("zip", "02138-12"),
            ("gender", "Female"),
            ("gender", "unknown"),
            ("household_size", "1.5"),
            ("household_size", "3000000000"),
            ("risk_score", "NaN"),
            ("risk_score", "inf"),
            ("income", "1.234"),
            ("birth_date", "2023-02-29"),
            ("birth_date", "2023-13"),
            ("birth_date", "2023-00"),
            ("birth_date", "2023-2"),
            ("birth_date", "23"),
            ("spoken_languages", "en|"),
            ("location", "91,0"),
            ("location", "nan,0"),
        ] {
            assert_eq!(contact(field, text), None, "{field} {text}");
        }
        for (field, text) in [
            ("at", "2024-03-01T09:30:00"),
            // A record whose time is a month or a year has no place in the order of records.
            ("at", "2024-03"),
            ("recorded_at", "2024"),
            ("code", "E11.9"),
            ("code", "ICD9:250"),
            ("code", "LOINC:"),
        ] {
            assert_eq!(record("lab", field, text), None, "{field} {text}");
        }
    }
}
