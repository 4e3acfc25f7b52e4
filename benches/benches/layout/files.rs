//! Parquet files in memory, encrypted as the product's are: AES-256-GCM, a key for each column, no statistics.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection, RowSelectionPolicy,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

/// Rows of a page, but of identity files.
pub const PAGE_ROWS: usize = 1 << 13;
const BATCH_ROWS: usize = 1 << 14;
const GROUP_ROWS: usize = 1 << 20;
const FOOTER_KEY: [u8; 32] = [7; 32];

/// Values, and how they are stored.
#[derive(Clone)]
pub struct Column {
    pub name: String,
    pub values: ArrayRef,
    /// `None`: dictionary.
    pub encoding: Option<Encoding>,
    pub compression: Compression,
}

impl Column {
    pub fn new(name: &str, encoding: Option<Encoding>, values: impl Array + 'static) -> Self {
        let compression = Compression::UNCOMPRESSED;
        Self { name: name.to_owned(), values: Arc::new(values), encoding, compression }
    }

    pub fn plain(name: &str, values: impl Array + 'static) -> Self {
        Self::new(name, Some(Encoding::PLAIN), values)
    }

    pub fn delta(name: &str, values: impl Array + 'static) -> Self {
        Self::new(name, Some(Encoding::DELTA_BINARY_PACKED), values)
    }

    pub fn dictionary(name: &str, values: impl Array + 'static) -> Self {
        Self::new(name, None, values)
    }

    pub fn compressed(self, compression: Compression) -> Self {
        Self { compression, ..self }
    }
}

pub fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap())
}

/// A key for each column, as the product has it: setting one up costs something, too.
fn key(name: &str) -> Vec<u8> {
    let mut key = FOOTER_KEY.to_vec();
    for (byte, letter) in key.iter_mut().zip(name.bytes()) {
        *byte ^= letter;
    }
    key
}

/// The bytes of a file.
pub fn write(columns: &[Column], page_rows: usize, encrypted: bool) -> Bytes {
    let fields = columns.iter().map(|column| {
        Field::new(&column.name, column.values.data_type().clone(), column.values.null_count() > 0)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let values = columns.iter().map(|column| Arc::clone(&column.values)).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), values).unwrap();
    let mut builder = WriterProperties::builder()
        .set_statistics_enabled(EnabledStatistics::None)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows.min(1024))
        .set_data_page_size_limit(1 << 26);
    let mut keys = FileEncryptionProperties::builder(FOOTER_KEY.to_vec());
    for column in columns {
        let path = ColumnPath::from(column.name.as_str());
        builder = builder
            .set_column_compression(path.clone(), column.compression)
            .set_column_dictionary_enabled(path.clone(), column.encoding.is_none());
        if let Some(encoding) = column.encoding {
            builder = builder.set_column_encoding(path, encoding);
        }
        keys = keys.with_column_key(&column.name, key(&column.name));
    }
    if encrypted {
        builder = builder.with_file_encryption_properties(keys.build().unwrap());
    }
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, schema, Some(builder.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file.into()
}

/// How to open a file with the keys of some columns; no keys for one in plaintext.
pub fn options<'n>(columns: impl IntoIterator<Item = &'n str>) -> ArrowReaderOptions {
    let mut keys = FileDecryptionProperties::builder(FOOTER_KEY.to_vec());
    let mut any = false;
    for name in columns {
        keys = keys.with_column_key(name, key(name));
        any = true;
    }
    let options = ArrowReaderOptions::new();
    if any { options.with_file_decryption_properties(keys.build().unwrap()) } else { options }
}

/// A file whose footer was read, with the places of its pages.
pub struct File {
    pub bytes: Bytes,
    metadata: ArrowReaderMetadata,
}

impl File {
    pub fn write(columns: &[Column], page_rows: usize) -> Self {
        Self::written(columns, page_rows, true)
    }

    pub fn written(columns: &[Column], page_rows: usize, encrypted: bool) -> Self {
        let bytes = write(columns, page_rows, encrypted);
        let names = columns.iter().map(|column| column.name.as_str());
        let options = options(names.filter(|_| encrypted)).with_page_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&bytes, options).unwrap();
        Self { bytes, metadata }
    }

    /// Texts are read as numbers into a dictionary.
    pub fn coded(self) -> Self {
        let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let fields = self.metadata.schema().fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 => field.as_ref().clone().with_data_type(coded.clone()),
            _ => field.as_ref().clone(),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = ArrowReaderOptions::new().with_schema(schema);
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(self.metadata.metadata()), options).unwrap();
        Self { metadata, ..self }
    }

    fn rows(&self) -> usize {
        usize::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap()
    }

    /// Some columns, in the order of the file; all rows, or those of ranges that ascend.
    pub fn read(&self, columns: &[&str], rows: Option<&[Range<usize>]>) -> ParquetRecordBatchReader {
        let schema = self.metadata.metadata().file_metadata().schema_descr();
        let columns = ProjectionMask::columns(schema, columns.iter().copied());
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.metadata.clone());
        // A mask over single rows would have every page in between decoded.
        let policy = RowSelectionPolicy::Selectors;
        builder =
            builder.with_batch_size(BATCH_ROWS).with_projection(columns).with_row_selection_policy(policy);
        if let Some(rows) = rows {
            let ranges = rows.iter().cloned();
            builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, self.rows()));
        }
        builder.build().unwrap()
    }

    /// Rows read of all columns.
    pub fn count(&self, rows: Option<&[Range<usize>]>) -> usize {
        let schema = self.metadata.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        self.read(&columns, rows).map(|batch| batch.unwrap().num_rows()).sum()
    }

    /// Bytes of the pages that hold some rows of a column, as they lie.
    pub fn sealed(&self, column: &str, rows: &[Range<usize>]) -> usize {
        let metadata = self.metadata.metadata();
        let place = self.metadata.schema().index_of(column).unwrap();
        let (mut bytes, mut first) = (0, 0);
        for (group, index) in metadata.row_groups().iter().zip(metadata.offset_index().unwrap()) {
            let end = first + group.num_rows();
            let pages = index[place].page_locations();
            let ends = pages.iter().skip(1).map(|page| first + page.first_row_index).chain([end]);
            let wanted: Vec<i64> = pages
                .iter()
                .zip(ends)
                .filter(|(page, end)| {
                    let start = first + page.first_row_index;
                    rows.iter().any(|rows| (rows.start as i64) < *end && start < rows.end as i64)
                })
                .map(|(page, _)| i64::from(page.compressed_page_size))
                .collect();
            let chunk = group.column(place);
            let dictionary = chunk.dictionary_page_offset().map_or(0, |at| chunk.data_page_offset() - at);
            bytes += wanted.iter().sum::<i64>() + if wanted.is_empty() { 0 } else { dictionary };
            first = end;
        }
        usize::try_from(bytes).unwrap()
    }
}
