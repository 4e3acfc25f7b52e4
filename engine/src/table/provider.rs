//! A table of one dataset for DataFusion: it hands projections and filters to the scan.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::{TableProvider, TableType, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use super::scan::EncryptedScan;
use super::source::Source;

/// A table within one query.
#[derive(Debug)]
pub(crate) struct SealedTable(Arc<Source>);

/// A scan of the table as a logical plan.
pub(crate) fn scan_of(name: &str, source: Source) -> Result<LogicalPlanBuilder> {
    LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(SealedTable(Arc::new(source)))), None)
}

#[async_trait]
impl TableProvider for SealedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// The scan evaluates every filter itself, where the page directories leave a doubt.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = DFSchema::try_from(self.schema())?;
        let filters = filters.iter().map(|filter| session.create_physical_expr(filter.clone(), &schema));
        let scan = EncryptedScan::new(Arc::clone(&self.0), projection, filters.collect::<Result<_>>()?)?;
        Ok(Arc::new(scan))
    }
}
