//! `anniversary(date)`: a yearly return of the date falls into a range of days.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, BooleanArray, Int32Array};
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::value::{day_from_epoch, unpack_date_range};

use super::dates::agreed;

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
            let dates = day_from_epoch(Self::FIRST).map(|day| day.iter_days()).into_iter().flatten();
            dates.take_while(|day| day.year() < first.year()).map(|day| returns(day, first, last)).collect()
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
        // Months and years are many days, and few of them different.
        let mut partial: HashMap<i32, Option<bool>> = HashMap::new();
        let each =
            |packed: i32| agreed(unpack_date_range(packed)?.days().map(|day| returns(day, first, last)));
        let mut answer = |packed: i32| {
            if packed & 3 != 0 {
                return *partial.entry(packed).or_insert_with(|| each(packed));
            }
            let day = usize::try_from((packed >> 2) - Days::FIRST).ok();
            match day.and_then(|day| days.get(day)) {
                Some(answer) => Some(*answer),
                None => each(packed),
            }
        };
        let answers = dates.iter().map(|date| date.and_then(&mut answer));
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
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
