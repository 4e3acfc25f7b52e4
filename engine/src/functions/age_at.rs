//! `age_at(birth_date, deceased_on, day)`: whether the completed years or months on a day of each contact's own, or at
//! death when that was earlier, lie in one of some ranges.

use std::sync::Arc;

use arrow::array::{BooleanArray, Int32Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::segment::AgeUnit;
use hyperseg_dsl::value::day_from_epoch;

use super::age::{ages, holds};

/// The test as a Boolean expression over two packed dates and days since 1970-01-01; null when the birth date or the
/// day is missing, the birth lies behind the day, or dates that are not known to the day leave it open.
pub(crate) fn age_at(unit: AgeUnit, ages: Vec<(u32, u32)>, dates: [Expr; 2], day: Expr) -> Expr {
    let signature = Signature::any(3, Volatility::Immutable);
    let [birth_date, deceased_on] = dates;
    ScalarUDF::from(AgeAt { signature, unit, ages }).call(vec![birth_date, deceased_on, day])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AgeAt {
    signature: Signature,
    unit: AgeUnit,
    ages: Vec<(u32, u32)>,
}

impl AgeAt {
    fn holds(&self, born: i32, died: Option<i32>, day: i32) -> Option<bool> {
        holds(&self.ages, ages(self.unit, born, died, day_from_epoch(day)?)?)
    }
}

impl ScalarUDFImpl for AgeAt {
    fn name(&self) -> &str {
        "age_at"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let arrays: Vec<Option<&Int32Array>> =
            arrays.iter().map(|array| array.as_any().downcast_ref()).collect();
        let [Some(born), Some(died), Some(days)] = arrays.as_slice() else {
            return internal_err!("age_at takes two dates and a day");
        };
        let rows = born.iter().zip(died.iter()).zip(days.iter());
        let answers = rows.map(|((born, died), day)| self.holds(born?, died, day?));
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}
