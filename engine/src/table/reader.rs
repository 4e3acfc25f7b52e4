//! Bytes and footers for DataFusion's Parquet source, under the keys of one query.
//!
//! The footer comes from the query's [`KeyScope`]: columns outside it stay sealed, and the metadata that is returned
//! can decrypt nothing else. Until the scope is armed nothing can be read at all.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use hyperseg_storage::{DataFile, Dataset, FileEntry, KeyScope};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::SealedFile;

/// Where the keys of a query will be, once its plan is known and its intent is durable.
pub(crate) type ScopeCell = Arc<OnceLock<Arc<KeyScope>>>;

/// Opens files of one dataset under the keys of one query.
#[derive(Debug)]
pub(crate) struct SealedReaderFactory {
    pub(crate) dataset: Dataset,
    pub(crate) scope: ScopeCell,
}

impl ParquetFileReaderFactory for SealedReaderFactory {
    fn create_reader(
        &self,
        partition_index: usize,
        partitioned_file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let sealed = partitioned_file
            .extension::<SealedFile>()
            .ok_or_else(|| internal_datafusion_err!("a scan of a file that is not of the dataset"))?;
        let scope =
            self.scope.get().ok_or_else(|| internal_datafusion_err!("a scan before its keys were armed"))?;
        let file = self
            .dataset
            .open_file(&sealed.entry)
            .map_err(|error| datafusion::common::DataFusionError::External(Box::new(error)))?;
        let metrics =
            ParquetFileMetrics::new(partition_index, partitioned_file.object_meta.location.as_ref(), metrics);
        Ok(Box::new(SealedReader {
            file,
            entry: Arc::clone(&sealed.entry),
            scope: Arc::clone(scope),
            metrics,
        }))
    }
}

struct SealedReader {
    file: DataFile,
    entry: Arc<FileEntry>,
    scope: Arc<KeyScope>,
    metrics: ParquetFileMetrics,
}

impl AsyncFileReader for SealedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        self.metrics.bytes_scanned.add(length);
        let bytes = self.file.read_modules(range).map_err(|error| ParquetError::External(Box::new(error)));
        futures::future::ready(bytes).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        let metadata = self
            .scope
            .load_metadata(&self.file, &self.entry)
            .map_err(|error| ParquetError::External(Box::new(error)));
        futures::future::ready(metadata).boxed()
    }
}
