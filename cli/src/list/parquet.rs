//! A list as Parquet: text columns, compressed with Zstandard, without a plan's statistics.

use std::io::Write;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::failure::{Exit, Failure, Outcome};

pub(super) struct Writer<W: Write + Send> {
    inner: ArrowWriter<W>,
}

impl<W: Write + Send> Writer<W> {
    pub(super) fn new(schema: &SchemaRef, out: W) -> Outcome<Self> {
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let inner = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(failed)?;
        Ok(Self { inner })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Outcome<()> {
        self.inner.write(batch).map_err(failed)
    }

    pub(super) fn finish(self) -> Outcome<W> {
        self.inner.into_inner().map_err(failed)
    }
}

/// Parquet's messages may quote values; none is shown.
fn failed(_: ParquetError) -> Failure {
    Failure::new(Exit::Runtime, "cannot write the list as Parquet")
}
