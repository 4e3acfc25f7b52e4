//! Selected records as rows, for operators that read several inputs.
//!
//! Its plan is the scan itself, with the filter moved into it; rows for which the filter is UNKNOWN are tallied there.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_datafusion_err};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::table::coded_text;

/// These columns of the rows of a scan that the filter takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RowsNode {
    /// Boolean over the scan; null is UNKNOWN.
    filter: Expr,
    columns: Vec<String>,
    /// Texts come out as numbers into a dictionary.
    coded: bool,
    input: LogicalPlan,
    schema: DFSchemaRef,
}

impl RowsNode {
    /// The rows as a plan.
    pub(crate) fn plan(filter: Expr, columns: Vec<String>, input: LogicalPlan) -> Result<LogicalPlan> {
        Self::of(filter, columns, input, false)
    }

    /// The same, for an operator that compares texts and does not read them: they come out as numbers into a dictionary.
    pub(crate) fn coded(filter: Expr, columns: Vec<String>, input: LogicalPlan) -> Result<LogicalPlan> {
        Self::of(filter, columns, input, true)
    }

    fn of(filter: Expr, columns: Vec<String>, input: LogicalPlan, coded: bool) -> Result<LogicalPlan> {
        let mut fields = Vec::with_capacity(columns.len());
        for name in &columns {
            let field = input.schema().field_with_unqualified_name(name);
            let field = field.map_err(|_| internal_datafusion_err!("a scan without column {name}"))?;
            fields.push(if coded { coded_text(field) } else { Arc::clone(field) });
        }
        let schema = arrow::datatypes::Schema::new(fields);
        let schema = Arc::new(DFSchema::try_from(schema)?);
        let node = Self { filter, columns, coded, input, schema };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }

    /// The columns of the rows.
    pub(crate) fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// Whether texts come out as numbers into a dictionary.
    pub(crate) fn is_coded(&self) -> bool {
        self.coded
    }

    /// What takes the rows.
    pub(crate) fn filter(&self) -> &Expr {
        &self.filter
    }
}

impl PartialOrd for RowsNode {
    /// Plans have no order; equal ones are equal.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for RowsNode {
    fn name(&self) -> &str {
        "Rows"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.filter.clone()]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows: {}", self.columns.join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut node = self.clone();
        let (Some(filter), Some(input)) = (exprs.into_iter().next(), inputs.into_iter().next()) else {
            return Err(internal_datafusion_err!("rows without their filter or scan"));
        };
        node.filter = filter;
        node.input = input;
        Ok(node)
    }

    /// What it puts out, and what the filter reads.
    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let mut indices: Vec<usize> =
            self.columns.iter().filter_map(|name| schema.index_of_column_by_name(None, name)).collect();
        for column in self.filter.column_refs() {
            indices.extend(schema.maybe_index_of_column(column));
        }
        indices.sort_unstable();
        indices.dedup();
        Some(vec![indices])
    }
}
