//! Files of a population: one per table, in Parquet or CSV.
//!
//! In: batches of consecutive ranges of contacts, in order. Out: `contacts.*` and `<kind>.*`; a table without rows
//! leaves no file. Can never happen: bytes that depend on how many threads made the batches.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, SchemaRef, TimestampMicrosecondType,
};
use chrono::{DateTime, SecondsFormat};
use hyperseg_dsl::{schema::format_money, value::day_from_epoch};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::{Format, GenerateError};

/// Rows in a Parquet row group. Every table keeps one in memory until it is full; this bounds them together.
const GROUP_ROWS: usize = 65_536;

/// Columns whose values rarely come twice in a row group: a dictionary would only cost.
const NO_DICTIONARY: &[&str] = &[
    "record_id",
    "message_id",
    "at",
    "recorded_at",
    "booked_at",
    "email",
    "phone",
    "address_line",
    "member_id",
];

/// One file, created with its first row.
pub(super) struct TableFile {
    path: PathBuf,
    format: Format,
    sink: Option<Sink>,
    rows: u64,
}

enum Sink {
    Parquet(Box<ArrowWriter<File>>),
    Csv(Box<csv::Writer<BufWriter<File>>>),
}

impl TableFile {
    /// The file of a table in a folder.
    pub(super) fn new(dir: &Path, table: &str, format: Format) -> Self {
        let extension = match format {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
        };
        Self { path: dir.join(format!("{table}.{extension}")), format, sink: None, rows: 0 }
    }

    /// Rows written so far.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends the rows of a batch.
    pub(super) fn append(&mut self, batch: &RecordBatch) -> Result<(), GenerateError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.sink.is_none() {
            self.sink = Some(Sink::create(&self.path, self.format, batch.schema())?);
        }
        match &mut self.sink {
            Some(Sink::Parquet(writer)) => writer.write(batch)?,
            Some(Sink::Csv(writer)) => append_csv(writer, batch)?,
            None => {}
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Completes the file and answers its size in bytes.
    pub(super) fn finish(self) -> Result<u64, GenerateError> {
        match self.sink {
            None => return Ok(0),
            Some(Sink::Parquet(writer)) => {
                writer.close()?;
            }
            Some(Sink::Csv(mut writer)) => writer.flush().map_err(GenerateError::Io)?,
        }
        Ok(std::fs::metadata(&self.path).map_err(GenerateError::Io)?.len())
    }
}

impl Sink {
    fn create(path: &Path, format: Format, schema: SchemaRef) -> Result<Self, GenerateError> {
        let file = File::create_new(path).map_err(GenerateError::Io)?;
        match format {
            Format::Parquet => {
                let mut properties = WriterProperties::builder()
                    // Zstandard would save a quarter of the disk, but holds a megabyte for each of 500 columns.
                    .set_compression(Compression::LZ4_RAW)
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .set_created_by("hyperseg generate".to_owned());
                for name in NO_DICTIONARY {
                    properties = properties.set_column_dictionary_enabled(ColumnPath::from(*name), false);
                }
                let writer = ArrowWriter::try_new(file, schema, Some(properties.build()))?;
                Ok(Self::Parquet(Box::new(writer)))
            }
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(BufWriter::with_capacity(1 << 16, file));
                writer.write_record(schema.fields().iter().map(|field| field.name()))?;
                Ok(Self::Csv(Box::new(writer)))
            }
        }
    }
}

fn append_csv<W: Write>(writer: &mut csv::Writer<W>, batch: &RecordBatch) -> Result<(), GenerateError> {
    let mut cell = String::new();
    for row in 0..batch.num_rows() {
        for column in batch.columns() {
            cell.clear();
            if column.is_valid(row) {
                write_cell(&mut cell, column.as_ref(), row);
            }
            writer.write_field(&cell)?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    Ok(())
}

/// Writes a present value as `import population` reads it from CSV.
fn write_cell(cell: &mut String, column: &dyn Array, row: usize) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = match column.data_type() {
        DataType::Int32 => write!(cell, "{}", column.as_primitive::<Int32Type>().value(row)),
        DataType::Float64 => write!(cell, "{}", column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => {
            let cents = i64::try_from(column.as_primitive::<Decimal128Type>().value(row)).unwrap_or(i64::MAX);
            write!(cell, "{}", format_money(cents))
        }
        DataType::Boolean => write!(cell, "{}", column.as_boolean().value(row)),
        DataType::Date32 => {
            let day = day_from_epoch(column.as_primitive::<Date32Type>().value(row)).unwrap_or_default();
            write!(cell, "{day}")
        }
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let moment = DateTime::from_timestamp_micros(micros).unwrap_or_default();
            write!(cell, "{}", moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        _ => {
            cell.push_str(column.as_string::<i32>().value(row));
            Ok(())
        }
    };
}
