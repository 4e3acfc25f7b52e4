//! The logical node.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_datafusion_err};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use hyperseg_dsl::segment::Aggregate;

use super::Amounts;
use crate::plan::ops::distinct::Sameness;
use crate::plan::ops::extreme::Extreme;

static SCHEMA: LazyLock<DFSchemaRef> =
    LazyLock::new(|| Arc::new(DFSchema::try_from(Amounts::schema()).unwrap_or_else(|_| DFSchema::empty())));

/// How the number of a contact is made of rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Making {
    /// The value of the contact's one row. Expressions: filter, value.
    Value,
    /// How many rows there are. Expressions: filter.
    Count,
    /// How many different values or days. Expressions: filter, value.
    CountDistinct(Sameness),
    /// A number made of values. Expressions: filter, value, what it says of the number.
    Measure(Aggregate),
    /// The value of the last row in an order; of several the greatest or the least. Expressions: filter, value.
    Extreme {
        /// The order.
        extreme: Extreme,
        /// Of several the greatest.
        greatest: bool,
    },
}

impl Making {
    /// Columns of the rows that are read beside those of the expressions.
    pub(crate) fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Value | Self::Count | Self::CountDistinct(_) | Self::Measure(_) => &["ord"],
            Self::Extreme { .. } => &["ord", "at", "recorded_at"],
        }
    }
}

/// Amounts over one scan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AmountsNode {
    pub(crate) making: Making,
    /// The filter of the rows first.
    pub(crate) exprs: Vec<Expr>,
    pub(crate) input: LogicalPlan,
    /// Who has an amount at all: a set of contacts, everyone when there is none.
    pub(crate) known: Option<LogicalPlan>,
}

impl AmountsNode {
    /// The node as a plan.
    pub(crate) fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialOrd for AmountsNode {
    /// Plans have no order; equal ones are equal.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for AmountsNode {
    fn name(&self) -> &str {
        "Amounts"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        std::iter::once(&self.input).chain(&self.known).collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &SCHEMA
    }

    fn expressions(&self) -> Vec<Expr> {
        self.exprs.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Amounts")
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut inputs = inputs.into_iter();
        let input = inputs.next();
        let input = input.ok_or_else(|| internal_datafusion_err!("amounts without their scan"))?;
        Ok(Self { making: self.making.clone(), exprs, input, known: inputs.next() })
    }

    /// The columns that the expressions and the making name; of the set all.
    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let columns = self.making.columns();
        let mut indices: Vec<usize> =
            columns.iter().filter_map(|name| schema.index_of_column_by_name(None, name)).collect();
        for column in self.exprs.iter().flat_map(Expr::column_refs) {
            indices.extend(schema.maybe_index_of_column(column));
        }
        indices.sort_unstable();
        indices.dedup();
        let known = self.known.iter().map(|known| (0..known.schema().fields().len()).collect());
        Some(std::iter::once(indices).chain(known).collect())
    }
}
