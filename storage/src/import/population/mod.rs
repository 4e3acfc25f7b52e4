//! Population files: one table per file, one field per column, plaintext.
//!
//! In: `contacts.parquet` or `contacts.csv`, and `<kind>.parquet` or `<kind>.csv` for any record kinds. Out: one
//! generation. Columns are found by name; an absent column is missing everywhere, an unknown one is an error.

mod csv;
mod parquet;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use hyperseg_dsl::schema::{Field, Schema};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::source::{self, SourceFile, audited};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::ingest::{CONTACTS, ImportError, ImportOptions, ImportReport, Ingest, nearest};
use crate::rows::{self, CONTACT_ID, DELETED};

/// Version of the meaning of population files, for the audit record.
const MAPPING_VERSION: u32 = 1;
const CONTACTS_FILE: &str = "contacts";

/// Imports the population files of a folder; all of them or nothing.
///
/// # Errors
/// A file belongs to no table or has an unknown column, more rows are refused than the options allow, or a file cannot
/// be read; nothing is stored then.
pub fn import_population(dataset: &Dataset, dir: &Path, options: ImportOptions) -> Result<ImportReport> {
    let snapshot = dataset.snapshot()?;
    let tables = tables(snapshot.schema(), dir)?;
    let files: Vec<SourceFile> = tables.iter().map(|table| table.file.clone()).collect();
    audited(dataset, "population", MAPPING_VERSION, &files, options, |ingest| {
        let (contacts, records): (Vec<&TableFile>, Vec<&TableFile>) =
            tables.iter().partition(|table| table.kind.is_none());
        // Contacts first: records need their places, which all new ones together have.
        for table in contacts {
            match table.format {
                Format::Csv => csv::import_contacts(ingest, table)?,
                Format::Parquet => parquet::import_contacts(ingest, table)?,
            }
        }
        let shared: &Ingest = ingest;
        // All headers are looked at now: a column nobody knows is told before anything is read.
        let steps: Vec<Vec<Step<'_>>> =
            records.into_iter().map(|table| steps(shared, table)).collect::<Result<_>>()?;
        // What a step completes is written during the next ones.
        shared.while_writing(|writing| {
            writing.start(CONTACTS, None)?;
            for Step { rows, table, complete } in steps.into_iter().flatten() {
                rows.import(shared)?;
                writing.start(table, complete)?;
            }
            Ok(())
        })
    })
}

/// Some rows of a table, and the shards of which no more come; `None` for all.
struct Step<'t> {
    rows: StepRows<'t>,
    table: &'t str,
    complete: Option<Vec<u32>>,
}

enum StepRows<'t> {
    Csv(&'t TableFile),
    Parquet(Vec<parquet::Task>),
}

fn steps<'t>(ingest: &Ingest, file: &'t TableFile) -> Result<Vec<Step<'t>>> {
    let table = file.table();
    if file.format == Format::Csv {
        return Ok(vec![Step { rows: StepRows::Csv(file), table, complete: None }]);
    }
    let mut steps: Vec<Step<'t>> = parquet::tasks(ingest, file)?
        .into_iter()
        .map(|(tasks, shards)| Step { rows: StepRows::Parquet(tasks), table, complete: Some(shards) })
        .collect();
    if let Some(last) = steps.last_mut() {
        last.complete = None;
    }
    Ok(steps)
}

impl StepRows<'_> {
    fn import(self, ingest: &Ingest) -> Result<()> {
        match self {
            Self::Csv(table) => csv::import_records(ingest, table),
            Self::Parquet(tasks) => tasks.into_par_iter().try_for_each(|task| task.run(ingest)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Parquet,
}

/// A file and its table.
struct TableFile {
    file: SourceFile,
    format: Format,
    /// Record kind; `None` for contacts.
    kind: Option<String>,
}

impl TableFile {
    /// Name of the table in reports.
    fn table(&self) -> &str {
        self.kind.as_deref().unwrap_or(CONTACTS)
    }

    /// Flat fields of the table.
    fn fields(&self, schema: &Schema) -> Vec<Field> {
        rows::table_fields(schema, self.kind.as_deref().and_then(|kind| schema.record(kind)))
    }

    /// Columns without which the table makes no sense. Where all rows delete, none needs a time.
    fn needed(&self, header: &[String]) -> &'static [&'static str] {
        let deletes = header.iter().any(|column| column == DELETED);
        if self.kind.is_some() && !deletes { &[CONTACT_ID, "at"] } else { &[CONTACT_ID] }
    }

    /// For every flat field the place of its column in the header.
    fn map(
        &self,
        fields: &[Field],
        header: &[String],
        options: &ImportOptions,
    ) -> Result<Vec<Option<usize>>> {
        let targets: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let ignored = |column: &str| options.ignore_columns.iter().any(|name| name == column);
        source::map_header(&self.file.name, header, &targets, self.needed(header), ignored)
    }
}

/// The fields that have a column in the file.
fn said<'f>(fields: &'f [Field], columns: &'f [Option<usize>]) -> impl Iterator<Item = &'f str> {
    let said = fields.iter().zip(columns).filter(|(_, column)| column.is_some());
    said.map(|(field, _)| field.name.as_str())
}

/// The tables of a folder: contacts first, then in the order of the schema. Files that are neither Parquet nor CSV are
/// none of ours.
fn tables(schema: &Schema, dir: &Path) -> Result<Vec<TableFile>> {
    let mut tables: Vec<TableFile> = Vec::new();
    for file in source::list(dir)? {
        let (stem, format) = match file.name.rsplit_once('.') {
            Some((stem, "csv")) => (stem.to_owned(), Format::Csv),
            Some((stem, "parquet")) => (stem.to_owned(), Format::Parquet),
            _ => continue,
        };
        let kind = (stem != CONTACTS_FILE).then_some(stem);
        if let Some(kind) = &kind
            && schema.record(kind).is_none()
        {
            let known = schema.records.iter().map(|kind| kind.name.as_str()).chain([CONTACTS_FILE]);
            let suggestion = nearest(kind, known);
            return Err(ImportError::UnknownFile { file: file.name, suggestion }.into());
        }
        if tables.iter().any(|table| table.kind == kind) {
            let table = kind.unwrap_or_else(|| CONTACTS_FILE.to_owned());
            return Err(ImportError::TwoFiles { file: file.name, table }.into());
        }
        tables.push(TableFile { file, format, kind });
    }
    if tables.is_empty() {
        let expected = "contacts.parquet, condition.parquet and so on, or the same as .csv".to_owned();
        return Err(ImportError::NoFiles { dir: dir.display().to_string(), expected }.into());
    }
    let place = |table: &TableFile| {
        table.kind.as_ref().and_then(|kind| schema.records.iter().position(|known| known.name == *kind))
    };
    tables.sort_by_key(place);
    Ok(tables)
}

/// Things with caches that threads borrow and give back.
struct Pool<T> {
    free: Mutex<Vec<T>>,
}

impl<T> Pool<T> {
    const fn new() -> Self {
        Self { free: Mutex::new(Vec::new()) }
    }

    fn with<R>(&self, make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut thing = free.unwrap_or_else(make);
        let result = work(&mut thing);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
        result
    }
}
