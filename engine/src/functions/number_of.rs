//! `number_of(test, …)`: how many of some tests are TRUE, against a number.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::segment::Quantity;

/// Which numbers of parts that are TRUE will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NumberOf {
    pub(crate) quantity: Quantity,
    pub(crate) number: u32,
}

impl NumberOf {
    /// With so many parts certainly and so many possibly TRUE: whether it certainly, and possibly, is.
    pub(crate) fn judge(self, certain: u32, possible: u32) -> (bool, bool) {
        let number = self.number;
        match self.quantity {
            Quantity::AtLeast => (certain >= number, possible >= number),
            Quantity::AtMost => (possible <= number, certain <= number),
            Quantity::Exactly => {
                (certain == number && possible == number, certain <= number && number <= possible)
            }
        }
    }
}

/// The tests counted and compared; null when what is UNKNOWN among them decides.
pub(crate) fn number_of(number: NumberOf, tests: Vec<Expr>) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ScalarUDF::from(NumberOfFunction { signature, number }).call(tests)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NumberOfFunction {
    signature: Signature,
    number: NumberOf,
}

impl ScalarUDFImpl for NumberOfFunction {
    fn name(&self) -> &str {
        "number_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = arrays.first().map_or(0, |array| array.len());
        let mut counts = vec![(0_u32, 0_u32); rows];
        for array in &arrays {
            // A test that is UNKNOWN for every row may have become the null literal.
            let nulls = BooleanArray::new_null(array.len());
            let tests = match array.data_type() {
                DataType::Null => &nulls,
                _ => array
                    .as_any()
                    .downcast_ref::<BooleanArray>()
                    .ok_or_else(|| internal_datafusion_err!("a test that is not Boolean"))?,
            };
            for ((certain, possible), test) in counts.iter_mut().zip(tests) {
                *certain += u32::from(test == Some(true));
                *possible += u32::from(test != Some(false));
            }
        }
        let answers =
            counts.into_iter().map(|(certain, possible)| match self.number.judge(certain, possible) {
                (true, _) => Some(true),
                (false, true) => None,
                (false, false) => Some(false),
            });
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}
