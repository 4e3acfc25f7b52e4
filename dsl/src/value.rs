//! Values of contact fields and record fields, as the schema types them.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// A calendar day without a zone.
pub type Day = NaiveDate;

/// A moment as the source knew it: an exact instant, or only the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// A day without time or zone.
    Day(Day),
}

/// A code of a code system, both in normal form ([`crate::schema::CodeSystem::normal`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Code {
    /// Name of the system, e.g. `ICD10CM`.
    pub system: String,
    /// Code in the system's normal form, e.g. `E119`.
    pub code: String,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.system, self.code)
    }
}

/// One value of a field. Missing values are `Option<Value>::None`; empty text is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Text in Unicode NFC.
    Text(String),
    /// A category in its canonical spelling.
    Category(String),
    /// Whole number.
    Int(i64),
    /// Finite number.
    Number(f64),
    /// Money in hundredths of the currency unit.
    Money(i64),
    /// Truth value.
    Bool(bool),
    /// Calendar day.
    Date(Day),
    /// Instant or day.
    Time(When),
    /// Code of a code system.
    Code(Code),
    /// Several categories, in the source's order.
    Categories(Vec<String>),
    /// Degrees north and east (WGS 84).
    Point(f64, f64),
}

const EPOCH_CE: i32 = 719_163;

/// Days since 1970-01-01.
#[must_use]
pub fn days_since_epoch(day: Day) -> i32 {
    day.num_days_from_ce() - EPOCH_CE
}

/// The day `days` after 1970-01-01, when the calendar reaches that far.
#[must_use]
pub fn day_from_epoch(days: i32) -> Option<Day> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(EPOCH_CE)?)
}

/// Storage form of a date: `days since 1970-01-01 × 4 + precision`.
///
/// Precision 0 is a full date; 2 (month) and 3 (year) are kept free for partial dates. The order of the packed
/// numbers is the order of the days, so that file statistics prune on them.
#[must_use]
pub fn pack_date(day: Day) -> i32 {
    days_since_epoch(day) * 4
}

/// Inverse of [`pack_date`]; `None` for a precision this version does not know.
#[must_use]
pub fn unpack_date(packed: i32) -> Option<Day> {
    if packed & 3 == 0 { day_from_epoch(packed >> 2) } else { None }
}

/// Microseconds in a day.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// Storage form of a moment: `microseconds since 1970-01-01T00:00Z × 4 + precision`.
///
/// Precision 0 is an instant; 1 is a day, given by its midnight in UTC; 2 and 3 are kept free for months and years.
/// Values stay in order across precisions to within a day, so that file statistics prune on them.
#[must_use]
pub fn pack_time(when: When) -> i64 {
    match when {
        When::Instant(micros) => micros.saturating_mul(4),
        When::Day(day) => i64::from(days_since_epoch(day)).saturating_mul(DAY_MICROS * 4).saturating_add(1),
    }
}

/// Inverse of [`pack_time`]; `None` for a precision this version does not know.
#[must_use]
pub fn unpack_time(packed: i64) -> Option<When> {
    match packed & 3 {
        0 => Some(When::Instant(packed >> 2)),
        1 => {
            let days = (packed >> 2).div_euclid(DAY_MICROS);
            day_from_epoch(i32::try_from(days).ok()?).map(When::Day)
        }
        _ => None,
    }
}

/// Parses what sources write for a moment: `2024-03-01`, or an RFC 3339 instant such as `2024-03-01T09:30:00Z`.
#[must_use]
pub fn parse_when(text: &str) -> Option<When> {
    if let Some(day) = parse_day(text) {
        return Some(When::Day(day));
    }
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    Some(When::Instant(instant.timestamp_micros()))
}

/// Parses exactly `YYYY-MM-DD`.
#[must_use]
pub fn parse_day(text: &str) -> Option<Day> {
    // chrono would also take signs and blanks in the place of digits.
    let fits = |(place, byte): (usize, u8)| {
        if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
    };
    if text.len() != 10 || !text.bytes().enumerate().all(fits) {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn packing_is_reversible_and_ordered() {
        let days = ["0001-01-01", "1899-12-31", "1970-01-01", "2024-02-29", "9999-12-31"];
        for pair in days.windows(2) {
            let (a, b) = (parse_day(pair[0]).unwrap(), parse_day(pair[1]).unwrap());
            assert!(pack_date(a) < pack_date(b));
            assert!(pack_time(When::Day(a)) < pack_time(When::Day(b)));
            assert_eq!(unpack_date(pack_date(a)), Some(a));
            assert_eq!(unpack_time(pack_time(When::Day(b))), Some(When::Day(b)));
        }
        let instant = parse_when("1969-12-31T23:59:59.999999Z").unwrap();
        assert_eq!(instant, When::Instant(-1));
        assert_eq!(unpack_time(pack_time(instant)), Some(instant));
        assert_eq!(parse_day("2023-02-29"), None);
        for text in ["2023-2-9", "2023- 2-09", "+023-02-09", "-023-02-09", " 023-02-09", "2023/02/09"] {
            assert_eq!(parse_day(text), None, "{text}");
        }
    }
}
