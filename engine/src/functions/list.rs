//! `list_test(list)`: how the categories of a list lie to others.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int16Array, ListArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::segment::ListTest;

/// The others, by their places among the field's categories.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ListOf {
    pub(crate) how: ListTest,
    pub(crate) places: Vec<i16>,
}

impl ListOf {
    fn holds(&self, list: &[i16]) -> bool {
        let mut is_in = self.places.iter().map(|place| list.contains(place));
        match self.how {
            ListTest::Any => is_in.any(|is_in| is_in),
            ListTest::All => is_in.all(|is_in| is_in),
            ListTest::None => !is_in.any(|is_in| is_in),
        }
    }
}

/// The test as a Boolean expression, null when the list is missing.
pub(crate) fn list_test(of: ListOf, field: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(ListFunction { signature, of }).call(vec![field])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ListFunction {
    signature: Signature,
    of: ListOf,
}

impl ScalarUDFImpl for ListFunction {
    fn name(&self) -> &str {
        "list_test"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let lists = arrays.first().and_then(|array| array.as_any().downcast_ref::<ListArray>());
        let Some(lists) = lists else { return internal_err!("list_test takes a list") };
        let Some(places) = lists.values().as_any().downcast_ref::<Int16Array>() else {
            return internal_err!("list_test takes a list of categories");
        };
        let places = places.values();
        let answers = lists.value_offsets().windows(2).enumerate().map(|(row, ends)| {
            let range = usize::try_from(*ends.first()?).ok()?..usize::try_from(*ends.last()?).ok()?;
            // A list without categories is missing.
            let list = places.get(range).filter(|list| !list.is_empty() && lists.is_valid(row))?;
            Some(self.of.holds(list))
        });
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}
