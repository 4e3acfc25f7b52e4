//! One table of one dataset: the contact fields of a class, or the records of a kind.
//!
//! Partition *i* of a scan holds the files of shard *i*, in the order of their ordinals, and nothing else; the set
//! operators above rely on it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::{TableProvider, TableType, provider_as_source};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use hyperseg_storage::FileEntry;

use super::SealedReaderFactory;

/// A file of a scan and where its rows lie in the shard.
#[derive(Clone, Debug)]
pub(crate) struct SealedFile {
    /// The manifest's entry.
    pub(crate) entry: Arc<FileEntry>,
    /// Ordinal of the first row, for contact files, whose rows are consecutive contacts.
    pub(crate) first_ordinal: u32,
}

/// A table of a dataset within one query.
#[derive(Debug)]
pub(crate) struct SealedTable {
    pub(crate) schema: SchemaRef,
    /// Files by shard.
    pub(crate) shards: Vec<Vec<SealedFile>>,
    pub(crate) reader: Arc<SealedReaderFactory>,
}

/// A scan of the table as a logical plan.
pub(crate) fn scan_of(name: &str, table: SealedTable) -> Result<LogicalPlanBuilder> {
    LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)
}

impl SealedTable {
    fn file_groups(&self) -> Vec<FileGroup> {
        let file = |sealed: &SealedFile| {
            PartitionedFile::new(sealed.entry.id.to_string(), sealed.entry.bytes)
                .with_extension(sealed.clone())
        };
        self.shards.iter().map(|files| FileGroup::new(files.iter().map(file).collect())).collect()
    }
}

#[async_trait]
impl TableProvider for SealedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters prune row groups; the filter itself stays above the scan.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // Page indexes need the key of every column of a file, bloom filters are written in plaintext: both off.
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_parquet_file_reader_factory(Arc::clone(&self.reader) as Arc<_>)
            .with_enable_page_index(false)
            .with_bloom_filter_on_read(false)
            .with_pushdown_filters(false);
        if let Some(filter) = conjunction(filters.iter().cloned()) {
            let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
            source = source.with_predicate(session.create_physical_expr(filter, &schema)?);
        }
        // The URL only names a store that is never asked: bytes come from the reader factory.
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(self.file_groups())
            .with_projection_indices(projection.cloned())?
            .with_preserve_order(true)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Files of each shard with the ordinals at which they start.
pub(crate) fn consecutive<'a>(shards: impl Iterator<Item = Vec<&'a FileEntry>>) -> Vec<Vec<SealedFile>> {
    shards
        .map(|files| {
            let mut next = 0_u32;
            files
                .into_iter()
                .map(|entry| {
                    let first_ordinal = next;
                    next = next.saturating_add(u32::try_from(entry.rows).unwrap_or(u32::MAX));
                    SealedFile { entry: Arc::new(entry.clone()), first_ordinal }
                })
                .collect()
        })
        .collect()
}
