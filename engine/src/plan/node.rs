//! The logical extension node of every operator over sets of contacts.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use hyperseg_storage::layout::ORDINAL;

use super::ops::Operation;
use crate::sets::ShardSet;

static SCHEMA: LazyLock<DFSchemaRef> =
    LazyLock::new(|| Arc::new(DFSchema::try_from(ShardSet::schema()).unwrap_or_else(|_| DFSchema::empty())));

/// An operator with its inputs and the expressions it evaluates over them; the output is one set per shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SetNode {
    /// What is done.
    pub(crate) operation: Operation,
    /// Text for EXPLAIN: the criterion or gate it stands for.
    pub(crate) label: String,
    /// Expressions over the first input.
    pub(crate) exprs: Vec<Expr>,
    /// Inputs: a scan for leaves, perhaps with numbers of contacts behind it, rows for leaves with several, sets for the others.
    pub(crate) inputs: Vec<LogicalPlan>,
}

impl SetNode {
    /// The node as a plan.
    pub(crate) fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialOrd for SetNode {
    /// Plans have no order; equal ones are equal.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for SetNode {
    fn name(&self) -> &str {
        self.operation.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &SCHEMA
    }

    fn expressions(&self) -> Vec<Expr> {
        self.exprs.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation.name())?;
        if !self.label.is_empty() {
            write!(f, ": {}", self.label)?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self { operation: self.operation.clone(), label: self.label.clone(), exprs, inputs })
    }

    /// Leaves need the columns their expressions and their fold name; nodes over sets or rows need whole ones.
    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let needed = |(place, input): (usize, &LogicalPlan)| -> Vec<usize> {
            let schema = input.schema();
            let columns = self.operation.columns();
            if let Operation::Tails(asked) = &self.operation
                && schema.index_of_column_by_name(None, ORDINAL).is_some()
            {
                let wanted = |name: &str| name == ORDINAL || asked.columns().contains(&name);
                return (0..schema.fields().len()).filter(|&at| wanted(schema.field(at).name())).collect();
            }
            // What comes behind the scan of a leaf is needed whole, too.
            if !self.operation.is_leaf() || self.operation.reads_rows() || place > 0 {
                return (0..schema.fields().len()).collect();
            }
            let mut indices: Vec<usize> =
                columns.iter().filter_map(|name| schema.index_of_column_by_name(None, name)).collect();
            for column in self.exprs.iter().flat_map(Expr::column_refs) {
                indices.extend(schema.maybe_index_of_column(column));
            }
            indices.sort_unstable();
            indices.dedup();
            indices
        };
        Some(self.inputs.iter().enumerate().map(needed).collect())
    }
}
