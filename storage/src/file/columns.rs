//! How each column is encoded and compressed.
//!
//! In: the columns of a file and a few of its rows. Out: Parquet's writer properties. Hot columns (ordinals, times,
//! categories, codes, numbers) are encoded and not compressed: undoing LZ4 costs more than decrypting what it saves.
//! Texts use ZSTD, those of identity apart; keyed hashes do not compress, so nothing tries. Parquet keeps no statistics: the page directories do. Bloom filters are written in plaintext by
//! Parquet, so there are none.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use hyperseg_dsl::schema::{Class, Cluster, FieldType, Schema, Within};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::keys::Place;
use crate::dataset::TableId;
use crate::layout::{CONTENT_HASH, ORDINAL, RECORD_HASH};

/// Identity is read for members only; small pages leave the others sealed.
const IDENTITY_PAGE_ROWS: u32 = 1 << 11;
/// Kinds that lie by contact are asked about a few contacts at a time; a small page holds rows of few others.
const BY_CONTACT_PAGE_ROWS: u32 = 1 << 11;
/// Rows that the encoder takes in between looking whether a page is full.
const ENCODER_ROWS: u32 = 1 << 10;
/// Pages end by their rows; a page of this many bytes ends before.
const PAGE_BYTES_MAX: usize = 64 << 20;
const ZSTD_LEVEL: i32 = 3;
/// Rows looked at to decide whether values repeat, and whether most are missing.
const SAMPLE_ROWS: usize = 4_096;

/// Rows of a page, and of a block of the page directory, in files of a table: this many at most.
pub(crate) fn page_rows(schema: &Schema, table: &TableId, most: u32) -> u32 {
    let kind = match table {
        TableId::Record(name) => schema.record(name),
        TableId::Contact | TableId::History => None,
    };
    match kind.map(|kind| kind.within) {
        Some(Within::Contact) => most.min(BY_CONTACT_PAGE_ROWS),
        Some(Within::Time) | None => most,
    }
}

/// The rows by which encodings are chosen, of those that are there when a file is begun: the first ones. Contacts lie
/// by what they are, so that the first ones are alike: of them, as many at even distances.
pub(crate) fn sample(table: &TableId, batches: &[RecordBatch]) -> Option<RecordBatch> {
    if *table != TableId::Contact {
        return batches.first().map(|first| first.slice(0, first.num_rows().min(SAMPLE_ROWS)));
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let places = batches.iter().enumerate();
    let places = places.flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row)));
    let places: Vec<(usize, usize)> = places.step_by(rows.div_ceil(SAMPLE_ROWS).max(1)).collect();
    interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &places).ok()
}

/// Writer properties for a file.
pub(crate) fn properties(
    schema: &Schema,
    place: &Place,
    sample: &RecordBatch,
    rows_per_group: usize,
    page_rows: u32,
    encryption: Arc<FileEncryptionProperties>,
) -> WriterProperties {
    let table = &place.table;
    let page_rows =
        if place.class == Class::Identity { page_rows.min(IDENTITY_PAGE_ROWS) } else { page_rows };
    let mut builder = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_per_group))
        .set_data_page_row_count_limit(page_rows as usize)
        .set_write_batch_size(page_rows.min(ENCODER_ROWS) as usize)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_bloom_filter_enabled(false)
        .set_compression(Compression::LZ4_RAW)
        .set_dictionary_enabled(false)
        .with_file_encryption_properties(encryption);
    for (field, column) in sample.schema().fields().iter().zip(sample.columns()) {
        let role = match Role::of(schema, table, field.name(), column) {
            // Members are scattered: a page is unpacked for every few of its rows.
            Role::Plain { text: true } if place.class == Class::Identity => Role::Plain { text: false },
            role => role,
        };
        for path in leaf_paths(field.name(), field.data_type()) {
            builder = role.apply(builder, path);
        }
    }
    builder.build()
}

/// Whether bounds of a text column are worth keeping: codes, and what the kind is clustered by.
pub(crate) fn bounds_of_texts(schema: &Schema, table: &TableId, name: &str) -> bool {
    let TableId::Record(kind) = table else { return false };
    let Some(kind) = schema.record(kind) else { return false };
    let clustered = match &kind.cluster {
        Cluster::Field(field) => field == name,
        Cluster::Time | Cluster::Fields(_, _) => false,
    };
    clustered || kind.field(name).is_some_and(|field| field.ty == FieldType::Code)
}

/// What a column is to its readers.
enum Role {
    /// Small numbers in order: deltas.
    Ordered,
    /// Few different values.
    Repeating { text: bool },
    /// Anything else.
    Plain { text: bool },
    /// Random bytes.
    Hash,
}

impl Role {
    fn of(schema: &Schema, table: &TableId, name: &str, values: &ArrayRef) -> Self {
        let (field, in_order) = match table {
            TableId::Contact => (schema.contact_field(name), name == ORDINAL),
            TableId::History => (None, name == ORDINAL),
            TableId::Record(kind) => {
                let kind = schema.record(kind);
                let by_time = kind.is_some_and(|kind| kind.within == Within::Time);
                (kind.and_then(|kind| kind.field(name)), by_time && (name == "at" || name == "recorded_at"))
            }
        };
        if name == RECORD_HASH || name == CONTENT_HASH {
            return Self::Hash;
        }
        if in_order {
            return Self::Ordered;
        }
        match field.map(|field| field.ty) {
            // A byte each, or plain numbers: contacts are few beside records, and read in full.
            Some(
                FieldType::Category
                | FieldType::Bool
                | FieldType::Int
                | FieldType::Number
                | FieldType::Money
                | FieldType::Date
                | FieldType::Time,
            ) if *table == TableId::Contact => Self::Plain { text: false },
            Some(FieldType::Category | FieldType::Categories | FieldType::Bool) => {
                Self::Repeating { text: false }
            }
            Some(FieldType::Code) => Self::Repeating { text: false },
            Some(FieldType::Text) if repeats(values) => Self::Repeating { text: true },
            Some(FieldType::Text) => Self::Plain { text: true },
            Some(
                FieldType::Int | FieldType::Number | FieldType::Money | FieldType::Date | FieldType::Time,
            ) if repeats(values) => Self::Repeating { text: false },
            Some(
                FieldType::Int
                | FieldType::Number
                | FieldType::Money
                | FieldType::Date
                | FieldType::Time
                | FieldType::Point,
            )
            | None => Self::Plain { text: false },
        }
    }

    fn apply(&self, builder: WriterPropertiesBuilder, path: ColumnPath) -> WriterPropertiesBuilder {
        let zstd = || ZstdLevel::try_new(ZSTD_LEVEL).map_or(Compression::LZ4_RAW, Compression::ZSTD);
        match self {
            Self::Ordered => builder
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_compression(path, Compression::UNCOMPRESSED),
            Self::Repeating { text: false } => builder
                .set_column_dictionary_enabled(path.clone(), true)
                .set_column_compression(path, Compression::UNCOMPRESSED),
            Self::Repeating { text: true } => {
                builder.set_column_dictionary_enabled(path.clone(), true).set_column_compression(path, zstd())
            }
            Self::Plain { text: false } => builder.set_column_compression(path, Compression::UNCOMPRESSED),
            Self::Plain { text: true } => builder.set_column_compression(path, zstd()),
            Self::Hash => builder.set_column_compression(path, Compression::UNCOMPRESSED),
        }
    }
}

/// Whether at most a quarter of the values are different ones.
fn repeats(values: &ArrayRef) -> bool {
    let known = values.len() - values.null_count();
    let different = match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().iter().flatten().collect::<HashSet<_>>().len(),
        DataType::Int32 => values.as_primitive::<Int32Type>().iter().flatten().collect::<HashSet<_>>().len(),
        DataType::Int64 => values.as_primitive::<Int64Type>().iter().flatten().collect::<HashSet<_>>().len(),
        DataType::Float64 => {
            let bits = values.as_primitive::<Float64Type>().iter().flatten().map(f64::to_bits);
            bits.collect::<HashSet<_>>().len()
        }
        _ => return false,
    };
    different * 4 <= known
}

/// Paths of the leaves below a column, as Parquet names them.
fn leaf_paths(name: &str, data_type: &DataType) -> Vec<ColumnPath> {
    match data_type {
        DataType::List(element) => {
            let parts = [name, "list", element.name()];
            vec![ColumnPath::new(parts.map(str::to_owned).into())]
        }
        _ => vec![ColumnPath::new(vec![name.to_owned()])],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::Int32Array;
    use arrow::datatypes::{Field, Schema as ArrowSchema};

    use super::super::form;
    use super::*;

    /// Batches of a column of contacts of whom the first ones have no value.
    fn batches(rows: i32, without: i32) -> Vec<RecordBatch> {
        let values =
            |from: i32| Int32Array::from_iter((from..from + 1_000).map(|n| (n >= without).then_some(n)));
        let batch = |from| RecordBatch::try_from_iter([("age", Arc::new(values(from)) as ArrayRef)]).unwrap();
        (0..rows).step_by(1_000).map(batch).collect()
    }

    #[test]
    fn contacts_that_lie_first_do_not_speak_for_all() {
        let columns = Arc::new(ArrowSchema::new(vec![Field::new("age", DataType::Int32, false)]));
        for (rows, without, is_optional) in
            [(20_000, 6_000, false), (20_000, 15_000, true), (3_000, 1_000, false)]
        {
            let sample = sample(&TableId::Contact, &batches(rows, without)).unwrap();
            assert!(sample.num_rows() <= SAMPLE_ROWS && sample.num_rows() * 10 >= rows as usize);
            let written = form::with_sparse(&columns, &TableId::Contact, &sample);
            assert_eq!(written.field(0).is_nullable(), is_optional, "{without} of {rows}");
        }
        // Of records the first rows are of one code, and speak for it.
        let first = sample(&TableId::Record("lab".to_owned()), &batches(20_000, 6_000)).unwrap();
        assert_eq!((first.num_rows(), first.column(0).null_count()), (1_000, 1_000));
    }
}
