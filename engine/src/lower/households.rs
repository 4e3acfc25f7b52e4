//! Criteria over all who live together: the criteria themselves, and rows that say who does.

use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::{LogicalPlan, col};
use hyperseg_dsl::segment::{HOUSEHOLD_ID, Household};

use super::{Lowering, node};
use crate::plan::ops::Operation;
use crate::plan::ops::household::COLUMNS;
use crate::plan::rows::RowsNode;

impl Lowering<'_> {
    /// The answers of the members of each household, joined.
    pub(super) fn household(&self, of: &Household, label: Option<&str>) -> Result<LogicalPlan> {
        let criteria = self.set(&of.test, None)?;
        let field = self.schema().contact_field(HOUSEHOLD_ID);
        let field = field.ok_or_else(|| internal_datafusion_err!("the schema has no {HOUSEHOLD_ID}"))?;
        let scan = self.tables.contact_scan(field.class, &[])?.build()?;
        let columns = COLUMNS.map(str::to_owned).to_vec();
        let rows = RowsNode::plan(col(HOUSEHOLD_ID).is_not_null(), columns, scan)?;
        let label = label.map_or_else(|| HOUSEHOLD_ID.to_owned(), str::to_owned);
        Ok(node(Operation::Household { all: of.all }, label, Vec::new(), vec![criteria, rows]))
    }
}
