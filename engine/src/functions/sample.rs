//! `in_sample(contact_id)`: the contact is in a share of all contacts that chance takes.

use std::sync::Arc;

use arrow::array::{BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::plan::chance::Share;

/// The test as a Boolean expression over ids, which are never missing.
pub(crate) fn in_sample(share: Share, contact_id: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(InSample { signature, share }).call(vec![contact_id])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct InSample {
    signature: Signature,
    share: Share,
}

impl ScalarUDFImpl for InSample {
    fn name(&self) -> &str {
        "in_sample"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let ids = arrays.first().and_then(|array| array.as_any().downcast_ref::<StringArray>());
        let Some(ids) = ids else { return internal_err!("in_sample takes ids") };
        let taken = self.share.test()?;
        let answers: BooleanArray = ids.iter().map(|id| id.map(&taken)).collect();
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}
