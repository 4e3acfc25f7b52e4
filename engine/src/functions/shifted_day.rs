//! `shifted_day(date)`: the day to which lengths of time lead from a packed date, as days since 1970-01-01.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::Int32Array;
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::segment::{DurationUnit, Shift};
use hyperseg_dsl::value::{day_from_epoch, days_since_epoch, unpack_date};

/// Lengths that are added or taken away one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shifts(pub(crate) Vec<Shift>);

impl Eq for Shifts {}

impl Hash for Shifts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for Shift { back, length } in &self.0 {
            (back, length.count, length.unit as u8).hash(state);
        }
    }
}

impl Shifts {
    /// Where they lead from a day: months clamped to their last day, never out of the years 1 to 9999.
    pub(crate) fn from(&self, day: NaiveDate) -> NaiveDate {
        self.0.iter().fold(day, |day, shift| moved(day, *shift))
    }
}

/// First and last day of the calendar as days since 1970-01-01.
const CALENDAR: (i64, i64) = (-719_162, 2_932_896);

fn moved(day: NaiveDate, Shift { back, length }: Shift) -> NaiveDate {
    let count = if back { -i64::from(length.count) } else { i64::from(length.count) };
    let (first, last) = CALENDAR;
    let number = match length.unit {
        DurationUnit::Minute | DurationUnit::Hour => return day,
        DurationUnit::Day => i64::from(days_since_epoch(day)) + count,
        DurationUnit::Week => i64::from(days_since_epoch(day)) + 7 * count,
        DurationUnit::Month => in_months(day, count),
        DurationUnit::Quarter => in_months(day, 3 * count),
        DurationUnit::Year => in_months(day, 12 * count),
    };
    let number = i32::try_from(number.clamp(first, last)).ok();
    number.and_then(day_from_epoch).unwrap_or(day)
}

/// The same day so many months later, or the last one of a shorter month.
fn in_months(day: NaiveDate, months: i64) -> i64 {
    let month = i64::from(day.year()) * 12 + i64::from(day.month0()) + months;
    let (year, month0) = (month.div_euclid(12), month.rem_euclid(12));
    if year < 1 {
        return CALENDAR.0;
    }
    let (Ok(year), Ok(month)) = (i32::try_from(year), u32::try_from(month0 + 1)) else { return CALENDAR.1 };
    let found = (0..4).find_map(|less| NaiveDate::from_ymd_opt(year, month, day.day().checked_sub(less)?));
    found.map_or(CALENDAR.1, |found| i64::from(days_since_epoch(found)))
}

/// The day as an expression, null when the date is missing or not known to the day.
pub(crate) fn shifted_day(shifts: Shifts, date: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(ShiftedDay { signature, shifts }).call(vec![date])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ShiftedDay {
    signature: Signature,
    shifts: Shifts,
}

impl ScalarUDFImpl for ShiftedDay {
    fn name(&self) -> &str {
        "shifted_day"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let dates = arrays.first().and_then(|array| array.as_any().downcast_ref::<Int32Array>());
        let Some(dates) = dates else { return internal_err!("shifted_day takes a date") };
        let day = |packed: i32| unpack_date(packed).map(|day| days_since_epoch(self.shifts.from(day)));
        let days = dates.iter().map(|date| date.and_then(day));
        Ok(ColumnarValue::Array(Arc::new(days.collect::<Int32Array>())))
    }
}

#[cfg(test)]
mod tests {
    use hyperseg_dsl::segment::Duration;
    use hyperseg_dsl::value::parse_day;

    use super::*;

    #[test]
    fn months_are_clamped_and_the_calendar_has_ends() {
        let shift = |back, count, unit| Shift { back, length: Duration { count, unit } };
        let from =
            |day: &str, shifts: &[Shift]| Shifts(shifts.to_vec()).from(parse_day(day).unwrap()).to_string();
        let month = DurationUnit::Month;
        assert_eq!(from("2026-01-31", &[shift(false, 1, month)]), "2026-02-28");
        assert_eq!(from("2024-03-31", &[shift(true, 1, month)]), "2024-02-29");
        assert_eq!(from("2026-01-31", &[shift(false, 1, month), shift(false, 1, month)]), "2026-03-28");
        assert_eq!(from("2024-02-29", &[shift(false, 2, DurationUnit::Year)]), "2026-02-28");
        assert_eq!(from("2026-01-01", &[shift(true, 1, DurationUnit::Day)]), "2025-12-31");
        assert_eq!(from("2026-01-01", &[shift(false, 6, DurationUnit::Week)]), "2026-02-12");
        assert_eq!(from("2026-01-01", &[shift(false, 1_000_000, DurationUnit::Year)]), "9999-12-31");
        assert_eq!(from("2026-01-01", &[shift(true, 1_000_000, DurationUnit::Day)]), "0001-01-01");
        assert_eq!(from("2026-05-01", &[shift(true, 1_000_000, DurationUnit::Quarter)]), "0001-01-01");
        let first = i64::from(days_since_epoch(parse_day("0001-01-01").unwrap()));
        assert_eq!(CALENDAR, (first, i64::from(days_since_epoch(parse_day("9999-12-31").unwrap()))));
    }
}
