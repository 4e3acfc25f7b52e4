//! `anniversary(date)`: a yearly return of the date falls into a range of days.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, BooleanArray, Int32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::value::{day_from_epoch, unpack_date_range};
use hyperseg_storage::bits::packed;

use super::dates::{agreed, builder};

/// Range of days in which a return must fall, both ends included, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Returns {
    pub(crate) first: i32,
    pub(crate) last: i32,
}

/// TRUE when a year after the date's own has its return in the range; null when the date is missing, and when
/// the days that it can be differ in it.
pub(crate) fn anniversary(returns: Returns, date: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(Anniversary { signature, returns, days: Days::default() }).call(vec![date])
}

/// For each day from [`Days::FIRST`] to the end of the year before the range: whether a return of it lies in the range.
/// Worked out when it is first needed; it follows from the range, and so takes no part in comparing functions.
#[derive(Debug, Default)]
struct Days(OnceLock<Vec<bool>>);

impl Days {
    /// 1880-01-01 as days since 1970-01-01; earlier dates are worked out one by one.
    const FIRST: i32 = -32_872;

    fn get(&self, first: NaiveDate, last: NaiveDate) -> &[bool] {
        self.0.get_or_init(|| {
            let dates = || day_from_epoch(Self::FIRST).map(|day| day.iter_days()).into_iter().flatten();
            let place = |day: NaiveDate| (day.month0() * 31 + day.day0()) as usize;
            // Of a year before the range only month and day matter. The first year is a leap year, with all of them.
            let mut of_year = [false; 12 * 31];
            for day in dates().take(366).filter(|day| day.year() < first.year()) {
                if let Some(answer) = of_year.get_mut(place(day)) {
                    *answer = returns(day, first, last);
                }
            }
            let answer = |day| of_year.get(place(day)).copied().unwrap_or_default();
            dates().take_while(|day| day.year() < first.year()).map(answer).collect()
        })
    }
}

impl PartialEq for Days {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Days {}

impl Hash for Days {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Anniversary {
    signature: Signature,
    returns: Returns,
    days: Days,
}

impl ScalarUDFImpl for Anniversary {
    fn name(&self) -> &str {
        "anniversary"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let dates = arrays.first().and_then(|array| array.as_any().downcast_ref::<Int32Array>());
        let Some(dates) = dates else { return internal_err!("anniversary takes a date") };
        let range = day_from_epoch(self.returns.first).zip(day_from_epoch(self.returns.last));
        let Some((first, last)) = range else { return internal_err!("a range beyond the calendar") };
        let days = self.days.get(first, last);
        let holds = packed(dates.values(), |date| {
            let day = usize::try_from((date >> 2) - Days::FIRST).ok();
            day.and_then(|day| days.get(day)).copied().unwrap_or_default()
        });
        let length = i32::try_from(days.len()).unwrap_or(i32::MAX);
        let (from, to) = (Days::FIRST * 4, (Days::FIRST.saturating_add(length)).saturating_mul(4));
        let answered = packed(dates.values(), |date| (date & 3 == 0) & (from <= *date) & (*date < to));
        let there =
            dates.nulls().map_or_else(|| BooleanBuffer::new_set(dates.len()), |own| own.inner().clone());
        let left = &there & &!&answered;
        if !left.has_true() {
            return Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(holds, dates.nulls().cloned()))));
        }
        // Months and years are many days, and few of them different.
        let mut known: HashMap<i32, Option<bool>> = HashMap::new();
        let each =
            |packed: i32| agreed(unpack_date_range(packed)?.days().map(|day| returns(day, first, last)));
        let (mut answers, mut valid) = (builder(&holds), builder(&there));
        for row in left.set_indices() {
            let date = dates.value(row);
            let answer = *known.entry(date).or_insert_with(|| each(date));
            answers.set_bit(row, answer == Some(true));
            valid.set_bit(row, answer.is_some());
        }
        let answers = BooleanArray::new(answers.finish(), Some(NullBuffer::new(valid.finish())));
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

/// Some return of the date, in a year after its own, lies in the range.
pub(super) fn returns(date: NaiveDate, first: NaiveDate, last: NaiveDate) -> bool {
    // Every year has one return of the date: two years at either end of a long range decide.
    let years = first.year()..=last.year();
    let ends = [first.year(), first.year() + 1, last.year() - 1, last.year()];
    ends.into_iter().filter(|year| years.contains(year) && *year > date.year()).any(|year| {
        let day = NaiveDate::from_ymd_opt(year, date.month(), date.day())
            .or_else(|| NaiveDate::from_ymd_opt(year, 2, 28));
        day.is_some_and(|day| first <= day && day <= last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_cross_the_year_and_clamp_leap_days() {
        let day = |text: &str| hyperseg_dsl::value::parse_day(text).unwrap();
        let hit = |date, first, last| returns(day(date), day(first), day(last));
        assert!(hit("1980-01-02", "2025-12-28", "2026-01-04"));
        assert!(!hit("1980-01-05", "2025-12-28", "2026-01-04"));
        assert!(hit("2004-02-29", "2026-02-28", "2026-02-28"));
        assert!(!hit("2004-02-29", "2024-02-28", "2024-02-28"));
        assert!(hit("2004-02-29", "2024-02-29", "2024-03-01"));
        assert!(!hit("2026-01-02", "2025-12-28", "2026-01-04"), "the date itself is no return");
        assert!(hit("2026-01-02", "2020-01-01", "2027-06-01"));
        let (first, last) = (day("2025-12-28"), day("2026-01-04"));
        let days = Days::default();
        let table = days.get(first, last);
        assert_eq!(hyperseg_dsl::value::days_since_epoch(day("1880-01-01")), Days::FIRST);
        for (answer, day) in table.iter().zip(day("1880-01-01").iter_days()) {
            assert_eq!(*answer, returns(day, first, last), "{day}");
        }
        assert_eq!(table.len(), (day("2025-01-01") - day("1880-01-01")).num_days() as usize);
    }
}
