//! `text_test(field)`: contains, starts with, ends with, matches. Case matters.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::segment::TextOp;

/// A test of text against a constant.
#[derive(Clone, Debug)]
pub(crate) enum TextTest {
    /// A literal somewhere, at the start or at the end.
    Literal(TextOp, String),
    /// A regular expression somewhere.
    Pattern(regex::Regex),
}

impl TextTest {
    /// The test, with the pattern compiled.
    pub(crate) fn new(op: TextOp, constant: &str) -> Result<Self> {
        match op {
            TextOp::Contains | TextOp::StartsWith | TextOp::EndsWith => {
                Ok(Self::Literal(op, constant.to_owned()))
            }
            TextOp::Matches => match regex::Regex::new(constant) {
                Ok(pattern) => Ok(Self::Pattern(pattern)),
                Err(_) => exec_err!("a pattern that does not compile"),
            },
        }
    }

    fn key(&self) -> (Option<TextOp>, &str) {
        match self {
            Self::Literal(op, text) => (Some(*op), text),
            Self::Pattern(pattern) => (None, pattern.as_str()),
        }
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Literal(TextOp::StartsWith, part) => text.starts_with(part.as_str()),
            Self::Literal(TextOp::EndsWith, part) => text.ends_with(part.as_str()),
            Self::Literal(TextOp::Contains | TextOp::Matches, part) => text.contains(part.as_str()),
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

impl PartialEq for TextTest {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for TextTest {}

impl Hash for TextTest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().1.hash(state);
    }
}

/// The test as a Boolean expression, null when the text is missing.
pub(crate) fn text(test: TextTest, field: Expr) -> Expr {
    ScalarUDF::from(TextFunction { signature: Signature::any(1, Volatility::Immutable), test })
        .call(vec![field])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TextFunction {
    signature: Signature,
    test: TextTest,
}

impl ScalarUDFImpl for TextFunction {
    fn name(&self) -> &str {
        "text_test"
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
        let Some(texts) = texts else { return internal_err!("text_test takes a text") };
        let answers = texts.iter().map(|text| text.map(|text| self.test.holds(text)));
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}
