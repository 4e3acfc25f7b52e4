//! `age_test(birth_date, deceased_on)`: whether the completed calendar years or months on a day, or at death when that was
//! earlier, lie in one of some ranges.
//!
//! Ages fall as birth dates rise, so that each range of ages is a range of birth dates: they are compared without
//! taking a single date apart. Only who has died is looked at one by one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::segment::AgeUnit;
use hyperseg_dsl::value::{pack_date, unpack_date, unpack_date_range};
use hyperseg_storage::bits::{packed, packed_by};

use super::dates::{agreed, any_partial, builder};

/// Whether the age in years lies in one of the inclusive ranges; null when the birth date is missing or lies behind
/// the day, and when dates that are not known to the day leave it open.
pub(crate) fn age_test(
    unit: AgeUnit,
    today: NaiveDate,
    ages: Vec<(u32, u32)>,
    birth_date: Expr,
    deceased_on: Expr,
) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::from(AgeTest { signature, unit, today: pack_date(today), ages })
        .call(vec![birth_date, deceased_on])
}

/// The age itself, as a whole number; null when the birth date is missing or lies behind the day, and when dates that are not
/// known to the day leave several open.
pub(crate) fn age_number(unit: AgeUnit, today: NaiveDate, birth_date: Expr, deceased_on: Expr) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::from(AgeNumber { signature, unit, today: pack_date(today) })
        .call(vec![birth_date, deceased_on])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AgeNumber {
    signature: Signature,
    unit: AgeUnit,
    /// Packed.
    today: i32,
}

impl ScalarUDFImpl for AgeNumber {
    fn name(&self) -> &str {
        "age_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [birth, death] = arrays.as_slice() else { return internal_err!("age takes two dates") };
        let (Some(birth), Some(death)) = (dates(birth), dates(death)) else {
            return internal_err!("age takes two dates");
        };
        let Some(today) = unpack_date(self.today) else { return internal_err!("an age on no day") };
        let ages = birth.iter().zip(death).map(|(born, died)| {
            let (youngest, oldest) = ages(self.unit, born?, died, today)?;
            (youngest == oldest).then_some(youngest)
        });
        Ok(ColumnarValue::Array(Arc::new(ages.collect::<Int32Array>())))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AgeTest {
    signature: Signature,
    unit: AgeUnit,
    /// Packed.
    today: i32,
    ages: Vec<(u32, u32)>,
}

impl AgeTest {
    /// Inclusive ranges of packed birth dates of those who are alive.
    fn births(&self) -> Vec<(i32, i32)> {
        let range = |&(low, high): &(u32, u32)| {
            let latest = self.latest_birth(low);
            let earliest =
                high.checked_add(1).map_or(i32::MIN, |older| self.latest_birth(older).saturating_add(1));
            (earliest, latest)
        };
        self.ages.iter().map(range).collect()
    }

    /// The latest packed birth date of somebody who has reached this age today.
    fn latest_birth(&self, age: u32) -> i32 {
        let reached = |born: i32| {
            let born = unpack_date(born & !3 | self.today & 3);
            let years =
                born.zip(unpack_date(self.today)).and_then(|(born, on)| completed(self.unit, born, on));
            years.is_some_and(|years| i64::from(years) >= i64::from(age))
        };
        // Packed dates ascend with dates; no calendar goes back further than this.
        let (mut low, mut high) = (self.today.saturating_sub(3_000_000), self.today.saturating_add(4));
        if !reached(low) {
            return i32::MIN;
        }
        while low.saturating_add(1) < high {
            let middle = low + (high - low) / 2;
            if reached(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// Of one contact, on this day.
    fn one(&self, born: i32, died: Option<i32>, today: NaiveDate) -> Option<bool> {
        holds(&self.ages, ages(self.unit, born, died, today)?)
    }
}

impl ScalarUDFImpl for AgeTest {
    fn name(&self) -> &str {
        "age_test"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [birth, death] = arrays.as_slice() else { return internal_err!("age takes two dates") };
        let (Some(birth), Some(death)) = (dates(birth), dates(death)) else {
            return internal_err!("age takes two dates");
        };
        let births = self.births();
        let holds = packed_by(birth.values(), |dates, flags| {
            for (low, high) in &births {
                for (flag, date) in flags.iter_mut().zip(dates) {
                    *flag |= u8::from((low <= date) & (date <= high));
                }
            }
        });
        let born = packed(birth.values(), |date| *date <= self.today);
        let known = match birth.nulls() {
            Some(nulls) => &born & nulls.inner(),
            None => born,
        };
        let (holds, known) = self.one_by_one(birth, death, holds, known);
        let nulls = Some(NullBuffer::new(known)).filter(|nulls| nulls.null_count() > 0);
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(holds, nulls))))
    }
}

impl AgeTest {
    /// The answers with those of contacts who have died, or whose birth is not known to the day, worked out one by one.
    fn one_by_one(
        &self,
        birth: &Int32Array,
        death: &Int32Array,
        holds: BooleanBuffer,
        known: BooleanBuffer,
    ) -> (BooleanBuffer, BooleanBuffer) {
        let dead = match death.nulls() {
            Some(nulls) => nulls.inner().clone(),
            None => BooleanBuffer::new_set(death.len()),
        };
        let odd =
            if any_partial(birth) { &dead | &packed(birth.values(), |date| *date & 3 != 0) } else { dead };
        let Some(today) = unpack_date(self.today).filter(|_| odd.has_true()) else {
            return (holds, known);
        };
        let (mut holds, mut known) = (builder(&holds), builder(&known));
        for row in odd.set_indices().filter(|row| birth.is_valid(*row)) {
            let died = death.is_valid(row).then(|| death.value(row));
            let answer = self.one(birth.value(row), died, today);
            known.set_bit(row, answer.is_some());
            holds.set_bit(row, answer == Some(true));
        }
        (holds.finish(), known.finish())
    }
}

fn dates(array: &ArrayRef) -> Option<&Int32Array> {
    array.as_any().downcast_ref()
}

/// The least and the greatest age that somebody can have on a day, or at death when that came first: they differ where a date is
/// not known to the day. Every age between the two is that of some days.
pub(super) fn ages(unit: AgeUnit, born: i32, died: Option<i32>, on: NaiveDate) -> Option<(i32, i32)> {
    let born = unpack_date_range(born)?;
    let (earliest_end, latest_end) = match died {
        Some(died) => {
            let died = unpack_date_range(died)?;
            (died.first.min(on), died.last.min(on))
        }
        None => (on, on),
    };
    let youngest = completed(unit, born.last, earliest_end)?;
    if born.first == born.last && earliest_end == latest_end {
        return Some((youngest, youngest));
    }
    Some((youngest, completed(unit, born.first, latest_end)?))
}

/// Whether all ages from the least to the greatest lie in one of the inclusive ranges; `None` where only some do.
pub(super) fn holds(ranges: &[(u32, u32)], (youngest, oldest): (i32, i32)) -> Option<bool> {
    let in_ranges = |age: u32| ranges.iter().any(|&(low, high)| low <= age && age <= high);
    agreed((youngest..=oldest).map(|age| u32::try_from(age).is_ok_and(in_ranges)))
}

/// Years or months between two dates.
pub(super) fn completed(unit: AgeUnit, born: NaiveDate, on: NaiveDate) -> Option<i32> {
    match unit {
        AgeUnit::Years => completed_years(born, on),
        AgeUnit::Months => completed_months(born, on),
    }
}

/// Months between two dates, completed on the last day of a month that lacks the day of birth.
fn completed_months(born: NaiveDate, on: NaiveDate) -> Option<i32> {
    if on < born {
        return None;
    }
    let months = |day: NaiveDate| day.year() * 12 + i32::try_from(day.month0()).unwrap_or(0);
    let is_last_day = on.succ_opt().is_none_or(|next| next.month() != on.month());
    let reached = on.day() >= born.day() || is_last_day;
    Some(months(on) - months(born) - i32::from(!reached))
}

/// Years between two dates. Who was born on 29 February ages on 28 February of a common year.
fn completed_years(born: NaiveDate, on: NaiveDate) -> Option<i32> {
    if on < born {
        return None;
    }
    let birthday = (born.month(), born.day());
    let on_day = (on.month(), on.day());
    let is_leap_day = birthday == (2, 29) && on_day == (2, 28) && !on.leap_year();
    Some(on.year() - born.year() - i32::from(on_day < birthday && !is_leap_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        hyperseg_dsl::value::parse_day(text).unwrap()
    }

    #[test]
    fn leap_days_age_on_the_28th() {
        let years = |born: &str, on: &str| completed_years(day(born), day(on));
        assert_eq!(years("2004-02-29", "2025-02-27"), Some(20));
        assert_eq!(years("2004-02-29", "2025-02-28"), Some(21));
        assert_eq!(years("2004-02-29", "2024-02-28"), Some(19));
        assert_eq!(years("2004-02-29", "2024-02-29"), Some(20));
        assert_eq!(years("1950-05-02", "2026-05-01"), Some(75));
        assert_eq!(years("2026-05-02", "2026-05-01"), None);
    }

    #[test]
    fn months_are_completed_on_the_last_day_of_shorter_ones() {
        let months = |born: &str, on: &str| completed_months(day(born), day(on));
        assert_eq!(months("2026-01-31", "2026-02-27"), Some(0));
        assert_eq!(months("2026-01-31", "2026-02-28"), Some(1));
        assert_eq!(months("2026-01-31", "2026-03-30"), Some(1));
        assert_eq!(months("2026-01-31", "2026-03-31"), Some(2));
        assert_eq!(months("2025-06-15", "2026-06-14"), Some(11));
        assert_eq!(months("2024-02-29", "2025-02-28"), Some(12));
        assert_eq!(months("2026-01-31", "2026-01-30"), None);
    }

    #[test]
    fn ranges_of_birth_dates_are_ranges_of_ages() {
        for today in ["2024-02-28", "2024-02-29", "2024-03-01", "2025-02-28", "2025-03-01", "2026-01-01"] {
            let today = day(today);
            let ranges = [vec![(0, 0)], vec![(18, u32::MAX)], vec![(0, 17), (65, 70)], vec![(150, 200)]];
            for (ages, unit) in
                ranges.iter().flat_map(|ages| [(ages, AgeUnit::Years), (ages, AgeUnit::Months)])
            {
                let signature = Signature::any(2, Volatility::Immutable);
                let test = AgeTest { signature, unit, today: pack_date(today), ages: ages.clone() };
                let births = test.births();
                for back in (0..800).chain(6_500..6_650).chain(23_700..26_400).chain(54_000..56_000) {
                    let Some(born) = today.checked_sub_days(chrono::Days::new(back)) else { continue };
                    let packed = pack_date(born);
                    let found = births.iter().any(|&(low, high)| low <= packed && packed <= high);
                    let years = u32::try_from(completed(unit, born, today).unwrap()).unwrap();
                    let expected = ages.iter().any(|&(low, high)| low <= years && years <= high);
                    assert_eq!(found, expected, "born {born}, on {today}, {ages:?}");
                }
            }
        }
    }
}
