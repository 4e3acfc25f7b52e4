//! `among(text)`: whether a text or code is one of many.
//!
//! DataFusion's own list is a vector of expressions, which every pass of the optimizer copies at every node above it: a
//! list of 30,000 items costs more to plan than to count. Here the items are shared, whoever copies the expression.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::{BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

/// A set of texts, cheap to copy.
#[derive(Clone, Debug)]
pub(crate) struct Texts(Arc<Items>);

#[derive(Debug)]
struct Items {
    /// By their bytes, each once.
    ascending: Vec<Arc<str>>,
    /// The same, to be looked up row by row; made when the first row comes.
    found: OnceLock<HashSet<Arc<str>>>,
}

impl Texts {
    pub(crate) fn new(texts: impl Iterator<Item = impl Into<Arc<str>>>) -> Self {
        let mut ascending: Vec<Arc<str>> = texts.map(Into::into).collect();
        ascending.sort_unstable();
        ascending.dedup();
        Self(Arc::new(Items { ascending, found: OnceLock::new() }))
    }

    fn found(&self) -> &HashSet<Arc<str>> {
        self.0.found.get_or_init(|| self.0.ascending.iter().cloned().collect())
    }

    /// Whether texts from `low` to `high` can be in the set, and out of it.
    pub(crate) fn contained(&self, low: &str, high: &str) -> (bool, bool) {
        let first = self.0.ascending.partition_point(|text| text.as_ref() < low);
        let any = self.0.ascending.get(first).is_some_and(|text| text.as_ref() <= high);
        (any, !(any && low == high))
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.ascending == other.0.ascending
    }
}

impl Eq for Texts {}

impl Hash for Texts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Sets that differ may have one hash; the optimizer asks for it again and again.
        (self.0.ascending.len(), self.0.ascending.first(), self.0.ascending.last()).hash(state);
    }
}

/// The test as a Boolean expression, null when the text is missing.
pub(crate) fn among(texts: Texts, field: Expr) -> Expr {
    ScalarUDF::from(Among { signature: Signature::any(1, Volatility::Immutable), texts }).call(vec![field])
}

/// The set and the tested expression, when a physical expression is this test.
pub(crate) fn as_among(expr: &Arc<dyn PhysicalExpr>) -> Option<(&Texts, &Arc<dyn PhysicalExpr>)> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let among = call.fun().inner().downcast_ref::<Among>()?;
    Some((&among.texts, call.args().first()?))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Among {
    signature: Signature,
    texts: Texts,
}

impl ScalarUDFImpl for Among {
    fn name(&self) -> &str {
        "among"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = arrays.first().and_then(|array| array.as_any().downcast_ref::<StringArray>());
        let Some(texts) = texts else { return internal_err!("among takes a text") };
        let found = self.texts.found();
        let answers = texts.iter().map(|text| text.map(|text| found.contains(text)));
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_texts_can_be_in_the_set_and_out_of_it() {
        let texts = Texts::new(["b", "d", "b", "f"].into_iter());
        assert_eq!(texts.contained("b", "b"), (true, false));
        assert_eq!(texts.contained("a", "c"), (true, true));
        assert_eq!(texts.contained("c", "c"), (false, true));
        assert_eq!(texts.contained("e", "ez"), (false, true));
        assert_eq!(texts.contained("g", "z"), (false, true));
        assert_eq!(texts, Texts::new(["f", "d", "b"].into_iter()));
        assert_ne!(texts, Texts::new(["f", "e", "b"].into_iter()));
    }
}
