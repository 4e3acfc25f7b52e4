//! `anniversary_between(date, first, last)`: a yearly return of the date falls into a range of days of each contact's own.

use std::sync::Arc;

use arrow::array::{BooleanArray, Int32Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::value::{day_from_epoch, unpack_date_range};

use super::anniversary::returns;
use super::dates::agreed;

/// TRUE when a year after the date's own has its return in the range, both ends included and given as days since
/// 1970-01-01; null when one of the three is missing, and when the days that the date can be differ in it.
pub(crate) fn anniversary_between(date: Expr, first: Expr, last: Expr) -> Expr {
    let signature = Signature::any(3, Volatility::Immutable);
    ScalarUDF::from(AnniversaryBetween { signature }).call(vec![date, first, last])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AnniversaryBetween {
    signature: Signature,
}

impl ScalarUDFImpl for AnniversaryBetween {
    fn name(&self) -> &str {
        "anniversary_between"
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
        let [Some(dates), Some(first), Some(last)] = arrays.as_slice() else {
            return internal_err!("anniversary_between takes a date and two days");
        };
        let rows = dates.iter().zip(first.iter()).zip(last.iter());
        let answers = rows.map(|((date, first), last)| {
            let (first, last) = (day_from_epoch(first?)?, day_from_epoch(last?)?);
            agreed(unpack_date_range(date?)?.days().map(|day| returns(day, first, last)))
        });
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}
