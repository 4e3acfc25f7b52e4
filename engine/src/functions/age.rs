//! `age(birth_date, deceased_on)`: completed calendar years on a day, or at death when that was earlier.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array};
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::value::{pack_date, unpack_date};

/// The age in years as `Int32`, null when the birth date is missing or lies behind the day.
pub(crate) fn age(today: NaiveDate, birth_date: Expr, deceased_on: Expr) -> Expr {
    ScalarUDF::from(Age { signature: Signature::any(2, Volatility::Immutable), today: pack_date(today) })
        .call(vec![birth_date, deceased_on])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Age {
    signature: Signature,
    /// Packed.
    today: i32,
}

impl ScalarUDFImpl for Age {
    fn name(&self) -> &str {
        "age"
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
        let mut last = (i32::MIN, i32::MIN, None);
        let years = (0..birth.len()).map(|row| {
            let on = if death.is_valid(row) { death.value(row).min(self.today) } else { self.today };
            if birth.is_null(row) {
                return None;
            }
            let born = birth.value(row);
            if (born, on) != (last.0, last.1) {
                last = (born, on, completed_years(born, on));
            }
            last.2
        });
        Ok(ColumnarValue::Array(Arc::new(years.collect::<Int32Array>())))
    }
}

fn dates(array: &ArrayRef) -> Option<&Int32Array> {
    array.as_any().downcast_ref()
}

/// Years between two packed dates. Who was born on 29 February ages on 28 February of a common year.
fn completed_years(born: i32, on: i32) -> Option<i32> {
    let (born, on) = (unpack_date(born)?, unpack_date(on)?);
    if on < born {
        return None;
    }
    let years = on.year() - born.year();
    let reached = NaiveDate::from_ymd_opt(on.year(), born.month(), born.day())
        .or_else(|| NaiveDate::from_ymd_opt(on.year(), 2, 28))?;
    Some(if on < reached { years - 1 } else { years })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_age_on_the_28th() {
        let years = |born: &str, on: &str| {
            let day = |text: &str| pack_date(hyperseg_dsl::value::parse_day(text).unwrap());
            completed_years(day(born), day(on))
        };
        assert_eq!(years("2004-02-29", "2025-02-27"), Some(20));
        assert_eq!(years("2004-02-29", "2025-02-28"), Some(21));
        assert_eq!(years("2004-02-29", "2024-02-28"), Some(19));
        assert_eq!(years("2004-02-29", "2024-02-29"), Some(20));
        assert_eq!(years("1950-05-02", "2026-05-01"), Some(75));
        assert_eq!(years("2026-05-02", "2026-05-01"), None);
    }
}
