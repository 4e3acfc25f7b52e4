//! `anniversary(date)`: a yearly return of the date falls into a range of days.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int32Array};
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::value::{day_from_epoch, unpack_date};

/// Range of days in which a return must fall, both ends included, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Returns {
    pub(crate) first: i32,
    pub(crate) last: i32,
}

/// TRUE when a year after the date's own has its return in the range; null when the date is missing.
pub(crate) fn anniversary(returns: Returns, date: Expr) -> Expr {
    ScalarUDF::from(Anniversary { signature: Signature::any(1, Volatility::Immutable), returns })
        .call(vec![date])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Anniversary {
    signature: Signature,
    returns: Returns,
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
        let answers = (0..dates.len()).map(|row| {
            if dates.is_null(row) {
                None
            } else {
                unpack_date(dates.value(row)).map(|date| returns(date, first, last))
            }
        });
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}

/// Some return of the date, in a year after its own, lies in the range.
fn returns(date: NaiveDate, first: NaiveDate, last: NaiveDate) -> bool {
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
    }
}
