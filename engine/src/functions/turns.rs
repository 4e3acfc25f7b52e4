//! `turns(birth_date, deceased_on)`: the day on which an age is completed falls into a range of days, and into life.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int32Array};
use arrow::datatypes::DataType;
use chrono::Months;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::value::{days_since_epoch, unpack_date};

/// Completed years, and the range of days, both ends included, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turns {
    pub(crate) age: u32,
    pub(crate) first: Option<i32>,
    pub(crate) last: Option<i32>,
}

impl Turns {
    fn holds(self, born: i32, died: Option<i32>) -> Option<bool> {
        let months = Months::new(self.age.saturating_mul(12));
        // Years of months are clamped as birthdays are: only 29 February can be.
        let day = days_since_epoch(unpack_date(born)?.checked_add_months(months)?);
        let alive = match died {
            Some(died) => days_since_epoch(unpack_date(died)?) >= day,
            None => true,
        };
        let inside = self.first.is_none_or(|first| first <= day) && self.last.is_none_or(|last| day <= last);
        Some(alive && inside)
    }
}

/// The test as a Boolean expression, null when the birth date is missing.
pub(crate) fn turns(turns: Turns, birth_date: Expr, deceased_on: Expr) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::from(TurnsFunction { signature, turns }).call(vec![birth_date, deceased_on])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TurnsFunction {
    signature: Signature,
    turns: Turns,
}

impl ScalarUDFImpl for TurnsFunction {
    fn name(&self) -> &str {
        "turns"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [birth, death] = arrays.as_slice() else { return internal_err!("turns takes two dates") };
        let (Some(birth), Some(death)) = (dates(birth), dates(death)) else {
            return internal_err!("turns takes two dates");
        };
        let answers = birth.iter().zip(death.iter()).map(|(born, died)| self.turns.holds(born?, died));
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}

fn dates(array: &ArrayRef) -> Option<&Int32Array> {
    array.as_any().downcast_ref()
}
