//! Values of contact fields and record fields, as the schema types them.

use std::fmt;

use chrono::{DateTime, Datelike, Months, NaiveDate};
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

/// The days that a date can be, both ends included: one day, when it is fully known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateRange {
    /// The earliest of them.
    pub first: Day,
    /// The latest of them.
    pub last: Day,
}

impl DateRange {
    /// Every one of the days.
    pub fn days(self) -> impl Iterator<Item = Day> {
        self.first.iter_days().take_while(move |day| *day <= self.last)
    }

    /// The day, when it is only one.
    #[must_use]
    pub fn exact(self) -> Option<Day> {
        (self.first == self.last).then_some(self.first)
    }
}

impl From<Day> for DateRange {
    fn from(day: Day) -> Self {
        Self { first: day, last: day }
    }
}

/// A date of which the source knows only the month or the year: one of its days, nobody knows which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PartialDate {
    year: i32,
    /// Nothing when only the year is known.
    month: Option<u32>,
    first: Day,
    last: Day,
}

impl PartialDate {
    /// Parses exactly `YYYY` or `YYYY-MM`, from the year 1 to 9999.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str, length: usize| {
            let fits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
            fits.then(|| text.parse::<u32>().ok()).flatten()
        };
        let (year, month) = match text.split_once('-') {
            Some((year, month)) => (digits(year, 4)?, Some(digits(month, 2)?)),
            None => (digits(text, 4)?, None),
        };
        Self::new(i32::try_from(year).ok()?, month)
    }

    fn new(year: i32, month: Option<u32>) -> Option<Self> {
        if !(1..=9999).contains(&year) {
            return None;
        }
        let first = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), 1)?;
        let next = first.checked_add_months(Months::new(if month.is_some() { 1 } else { 12 }))?;
        Some(Self { year, month, first, last: next.pred_opt()? })
    }

    /// The days that it can be.
    #[must_use]
    pub fn range(self) -> DateRange {
        DateRange { first: self.first, last: self.last }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.month {
            Some(month) => write!(f, "{:04}-{month:02}", self.year),
            None => write!(f, "{:04}", self.year),
        }
    }
}

impl From<PartialDate> for String {
    fn from(date: PartialDate) -> Self {
        date.to_string()
    }
}

impl TryFrom<String> for PartialDate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("expected a month such as 2026-01 or a year such as 2026")
    }
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
    /// A date that is not fully known; values of fields only, never a literal of a segment.
    Partial(PartialDate),
    /// Instant or day.
    Time(When),
    /// Code of a code system.
    Code(Code),
    /// Several categories, in the source's order.
    Categories(Vec<String>),
    /// Degrees north and east (WGS 84).
    Point(f64, f64),
}

impl Value {
    /// The days that a value of a field of type date can be; `None` for other types.
    #[must_use]
    pub fn date_range(&self) -> Option<DateRange> {
        match self {
            Self::Date(day) => Some((*day).into()),
            Self::Partial(date) => Some(date.range()),
            Self::Text(_)
            | Self::Category(_)
            | Self::Int(_)
            | Self::Number(_)
            | Self::Money(_)
            | Self::Bool(_)
            | Self::Time(_)
            | Self::Code(_)
            | Self::Categories(_)
            | Self::Point(_, _) => None,
        }
    }
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
/// Precision 0 is a full date. 2 is a month and 3 a year ([`pack_partial`]), given by their first day. The order of the
/// packed numbers is that of the first days, so that file statistics prune on them.
#[must_use]
pub fn pack_date(day: Day) -> i32 {
    days_since_epoch(day) * 4
}

/// Storage form of a date of which only the month or the year is known.
#[must_use]
pub fn pack_partial(date: PartialDate) -> i32 {
    pack_date(date.first) + if date.month.is_some() { 2 } else { 3 }
}

/// Inverse of [`pack_date`]; `None` for a date that is not fully known.
#[must_use]
pub fn unpack_date(packed: i32) -> Option<Day> {
    if packed & 3 == 0 { day_from_epoch(packed >> 2) } else { None }
}

/// Inverse of [`pack_date`] and [`pack_partial`]: a [`Value::Date`] or [`Value::Partial`]. `None` for what neither of
/// them makes.
#[must_use]
pub fn unpack_date_value(packed: i32) -> Option<Value> {
    let first = day_from_epoch(packed >> 2)?;
    let month = match packed & 3 {
        0 => return Some(Value::Date(first)),
        2 => Some(first.month()),
        3 => None,
        _ => return None,
    };
    PartialDate::new(first.year(), month).filter(|date| date.first == first).map(Value::Partial)
}

/// The days that a packed date can be; `None` for what is no packed date.
#[must_use]
pub fn unpack_date_range(packed: i32) -> Option<DateRange> {
    // Nearly every date is known to the day, and needs no value made of it.
    match unpack_date(packed) {
        Some(day) => Some(day.into()),
        None => unpack_date_value(packed)?.date_range(),
    }
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
    fn partial_dates_are_months_and_years() {
        let range = |text: &str| PartialDate::parse(text).map(PartialDate::range);
        let days = |first: &str, last: &str| {
            Some(DateRange { first: parse_day(first).unwrap(), last: parse_day(last).unwrap() })
        };
        assert_eq!(range("1950"), days("1950-01-01", "1950-12-31"));
        assert_eq!(range("2024-02"), days("2024-02-01", "2024-02-29"));
        assert_eq!(range("0001"), days("0001-01-01", "0001-12-31"));
        assert_eq!(range("9999-12"), days("9999-12-01", "9999-12-31"));
        for text in [
            "",
            "50",
            "0000",
            "0000-01",
            "1950-13",
            "1950-00",
            "1950-6",
            "1950-",
            "1950-06-",
            "-950",
            "+950",
            "19500",
            " 950",
            "1950-06-01",
            "1950-6-1",
            "1950/06",
            "195006",
            "19 0",
            "１９５０",
        ] {
            assert_eq!(PartialDate::parse(text), None, "{text}");
        }
        assert_eq!(range("2024").unwrap().days().count(), 366);
        assert_eq!(range("2024").unwrap().exact(), None);
    }

    #[test]
    fn packed_partial_dates_keep_what_was_written_and_their_order() {
        let texts = ["0001", "0950-12", "1950", "1950-01", "1950-02", "2024-02", "9999", "9999-12"];
        for text in texts {
            let date = PartialDate::parse(text).unwrap();
            assert_eq!(date.to_string(), text);
            let packed = pack_partial(date);
            assert_eq!(unpack_date_value(packed), Some(Value::Partial(date)));
            assert_eq!(unpack_date_range(packed), Some(date.range()));
            assert_eq!(unpack_date(packed), None);
            // Between its first day and the next one.
            assert!(pack_date(date.first) < packed && packed < pack_date(date.first) + 4);
            let json = serde_json::to_string(&Value::Partial(date)).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), Value::Partial(date));
        }
        let day = parse_day("2024-02-29").unwrap();
        assert_eq!(unpack_date_value(pack_date(day)), Some(Value::Date(day)));
        assert_eq!(unpack_date_range(pack_date(day)), Some(day.into()));
        // A month starts on its first day, a year in January; precision 1 is no date.
        for wrong in [pack_date(day) + 2, pack_date(day) + 3, pack_date(day) + 1, i32::MAX, i32::MIN] {
            assert_eq!(unpack_date_value(wrong), None);
        }
        let february = parse_day("2024-02-01").unwrap();
        assert_eq!(unpack_date_value(pack_date(february) + 3), None);
        assert!(serde_json::from_str::<PartialDate>("\"1950-13\"").is_err());
    }

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
