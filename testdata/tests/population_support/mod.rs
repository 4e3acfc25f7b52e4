//! Reads a generated population back, cell by cell.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, TimestampMicrosecondType,
};
use chrono::NaiveDate;
use hyperseg_dsl::value::DAY_MICROS;
use hyperseg_testdata::population::{Format, Options, generate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The day every test looks back from.
pub fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 31).unwrap()
}

/// The usual options.
pub fn options(contacts: u64) -> Options<'static> {
    Options { contacts, seed: 1, as_of: as_of(), format: Format::Parquet, density: 1.0, progress: None }
}

/// One table: its batches.
pub struct Table {
    batches: Vec<RecordBatch>,
}

/// Tables by name, `contacts` among them.
pub type Loaded = BTreeMap<String, Table>;

/// The population of 20,000 that most tests share.
pub fn loaded() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        generate(dir.path(), &options(20_000)).unwrap();
        load(dir.path())
    })
}

/// Reads every Parquet file of a folder.
pub fn load(dir: &Path) -> Loaded {
    let entries =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    entries
        .map(|path| {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
            let batches = reader.build().unwrap().map(Result::unwrap).collect();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), Table { batches })
        })
        .collect()
}

impl Table {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Names of the columns.
    pub fn columns(&self) -> Vec<String> {
        let schema = self.batches[0].schema();
        schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The text of every row in a column.
    pub fn texts<'t>(&'t self, name: &str) -> impl Iterator<Item = Option<&'t str>> + use<'t> {
        let columns: Vec<_> = self.batches.iter().map(|batch| batch.column_by_name(name).unwrap()).collect();
        columns.into_iter().flat_map(|column| column.as_string::<i32>().iter())
    }

    /// The number of every row in a column: numbers as they are, money in hundredths, days since 1970-01-01, moments
    /// in microseconds (a day as its first one), TRUE as 1.
    pub fn numbers(&self, name: &str) -> Vec<Option<f64>> {
        let one = |batch: &RecordBatch| -> Vec<Option<f64>> {
            let column = batch.column_by_name(name).unwrap();
            match column.data_type() {
                DataType::Int32 => {
                    column.as_primitive::<Int32Type>().iter().map(|cell| cell.map(f64::from)).collect()
                }
                DataType::Float64 => column.as_primitive::<Float64Type>().iter().collect(),
                DataType::Decimal128(18, 2) => column
                    .as_primitive::<Decimal128Type>()
                    .iter()
                    .map(|cell| cell.map(|cents| cents as f64))
                    .collect(),
                DataType::Boolean => column
                    .as_boolean()
                    .iter()
                    .map(|cell| cell.map(|flag| f64::from(u8::from(flag))))
                    .collect(),
                DataType::Date32 if name == "at" || name == "end" => column
                    .as_primitive::<Date32Type>()
                    .iter()
                    .map(|cell| cell.map(|day| (i64::from(day) * DAY_MICROS) as f64))
                    .collect(),
                DataType::Date32 => {
                    column.as_primitive::<Date32Type>().iter().map(|cell| cell.map(f64::from)).collect()
                }
                DataType::Timestamp(..) => column
                    .as_primitive::<TimestampMicrosecondType>()
                    .iter()
                    .map(|cell| cell.map(|micros| micros as f64))
                    .collect(),
                other => panic!("{name} is {other}"),
            }
        };
        self.batches.iter().flat_map(one).collect()
    }

    /// How many rows have a value and how many have none.
    pub fn known_and_missing(&self, name: &str) -> (usize, usize) {
        let missing: usize =
            self.batches.iter().map(|batch| batch.column_by_name(name).unwrap().null_count()).sum();
        (self.len() - missing, missing)
    }
}
