//! CSV exports of Synthea, of older and newer versions.
//!
//! In: the folder with patients.csv and any of the other files. Out: contacts and records. Columns are found by name.
//! Every column that Synthea is known to write is either read or listed as left out; any other is an error. SSN,
//! driver's licence and passport never become a value.

mod clinical;
mod codes;
mod coverage;
mod line;
mod patients;

use std::path::Path;
use std::sync::Arc;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::csv_file::{Chunk, CsvFile};
use super::source::{self, SourceFile, audited, map_header};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::ingest::{ImportError, ImportOptions, ImportReport, Ingest, nearest};
use crate::rows::{self, Builder, Refused, Rows};
use line::{Line, Lookups, Spec};

/// Version of the mapping, for the audit record.
const MAPPING_VERSION: u32 = 1;
const PAYERS: &str = "payers.csv";
/// Chunks mapped at once.
const CHUNKS_AT_ONCE: usize = 8;

/// The files in the order in which they are read.
const SPECS: [Spec; 10] = [
    patients::PATIENTS,
    clinical::ENCOUNTERS,
    clinical::CONDITIONS,
    clinical::OBSERVATIONS,
    clinical::PROCEDURES,
    clinical::MEDICATIONS,
    clinical::IMMUNIZATIONS,
    clinical::ALLERGIES,
    clinical::CAREPLANS,
    coverage::PAYER_TRANSITIONS,
];

/// Files of an export that are not imported.
const LEFT_OUT: &[&str] = &[
    "devices.csv",
    "imaging_studies.csv",
    "organizations.csv",
    "providers.csv",
    "supplies.csv",
    "claims.csv",
    "claims_transactions.csv",
    "patient_expenses.csv",
];

/// Imports a Synthea export; all of it or nothing.
///
/// # Errors
/// patients.csv is missing, a file or column is unknown, more rows are refused than the options allow, or a file
/// cannot be read; nothing is stored then.
pub fn import_synthea(dataset: &Dataset, dir: &Path, options: ImportOptions) -> Result<ImportReport> {
    let mut files = Vec::new();
    let mut left_out = Vec::new();
    for file in source::list(dir)? {
        let known = |name: &str| SPECS.iter().any(|spec| spec.file == name) || name == PAYERS;
        if known(&file.name) {
            files.push(file);
        } else if LEFT_OUT.contains(&file.name.as_str()) {
            left_out.push(file.name);
        } else if file.name.ends_with(".csv") {
            let names = SPECS.iter().map(|spec| spec.file).chain([PAYERS]);
            let suggestion = nearest(&file.name, names);
            return Err(ImportError::UnknownFile { file: file.name, suggestion }.into());
        }
    }
    if !files.iter().any(|file| file.name == patients::PATIENTS.file) {
        let expected = "patients.csv and the other files of a Synthea CSV export".to_owned();
        return Err(ImportError::NoFiles { dir: dir.display().to_string(), expected }.into());
    }
    let mut report = audited(dataset, "synthea", MAPPING_VERSION, &files, options, |ingest| {
        let named = |name: &str| files.iter().find(|file| file.name == name);
        let mut lookups = Lookups::default();
        if let Some(file) = named(PAYERS) {
            let number = ingest.rejects().file(&file.name);
            lookups.payers = coverage::payers(file, number, &ingest.options().ignore_columns)?;
        }
        for spec in &SPECS {
            if let Some(file) = named(spec.file) {
                File::open(ingest, spec, file)?.import(ingest, &lookups)?;
            }
        }
        Ok(())
    })?;
    report.left_out_files = left_out;
    Ok(report)
}

/// One file and how its columns are mapped.
struct File {
    spec: &'static Spec,
    csv: CsvFile,
    header: Vec<Arc<str>>,
    places: Vec<Option<usize>>,
    all: Vec<(String, usize)>,
    /// Names of the flat fields of each table.
    fields: Vec<Vec<hyperseg_dsl::schema::Field>>,
}

type Mapped = Vec<(&'static str, Option<Rows>, Vec<Refused>)>;

impl File {
    fn open(ingest: &Ingest, spec: &'static Spec, source: &SourceFile) -> Result<Self> {
        let csv = CsvFile::open(source, ingest.rejects().file(&source.name))?;
        let header = csv.header();
        let ignored = &ingest.options().ignore_columns;
        for group in spec.needed {
            if !header.iter().any(|column| group.contains(&column.as_str())) {
                let column = group.join("` or `");
                return Err(ImportError::MissingColumn { file: source.name.clone(), column }.into());
            }
        }
        let left_out =
            |column: &str| spec.left_out.contains(&column) || ignored.iter().any(|name| name == column);
        let places = map_header(&source.name, header, spec.used, &[], left_out)?;
        let mut all: Vec<(String, usize)> = header
            .iter()
            .enumerate()
            .filter(|(_, name)| !ignored.contains(name))
            .map(|(place, name)| (name.clone(), place))
            .collect();
        all.sort();
        let schema = ingest.schema();
        Ok(Self {
            header: header.iter().map(|name| name.as_str().into()).collect(),
            fields: spec
                .tables
                .iter()
                .map(|table| rows::table_fields(schema, schema.record(table)))
                .collect(),
            spec,
            csv,
            places,
            all,
        })
    }

    /// Maps chunks in parallel and hands them over: patients in the file's order.
    fn import(mut self, ingest: &mut Ingest, lookups: &Lookups) -> Result<()> {
        ingest.contacts_say(patients::FIELDS);
        loop {
            let mut chunks = Vec::with_capacity(CHUNKS_AT_ONCE);
            while chunks.len() < CHUNKS_AT_ONCE
                && let Some(chunk) = self.csv.next_chunk()?
            {
                chunks.push(chunk);
            }
            if chunks.is_empty() {
                return Ok(());
            }
            let mapped: Vec<Mapped> = chunks.into_par_iter().map(|chunk| self.map(&chunk, lookups)).collect();
            if self.spec.tables == patients::PATIENTS.tables {
                for (table, rows, refused) in mapped.into_iter().flatten() {
                    ingest.refuse(table, refused)?;
                    rows.map_or(Ok(()), |rows| ingest.contact_rows(rows))?;
                }
            } else {
                let shared: &Ingest = ingest;
                mapped.into_par_iter().flatten().try_for_each(|(table, rows, refused)| {
                    shared.refuse(table, refused)?;
                    rows.map_or(Ok(()), |rows| shared.record_rows(table, rows))
                })?;
            }
        }
    }

    fn map(&self, chunk: &Chunk, lookups: &Lookups) -> Mapped {
        let mut builders: Vec<Builder> =
            self.fields.iter().map(|fields| Builder::of_fields(fields)).collect();
        let mut wrong = Vec::new();
        let mut refused = chunk.each(&self.header, |origin, cells| {
            let line = Line { cells, used: self.spec.used, places: &self.places, all: &self.all };
            match (self.spec.map)(&line, lookups) {
                Ok(row) => {
                    let table =
                        self.spec.tables.iter().position(|table| *table == row.table).unwrap_or_default();
                    if let (Some(builder), Some(fields)) = (builders.get_mut(table), self.fields.get(table)) {
                        builder.cells(origin, |place| {
                            fields.get(place).map_or("", |field| row.get(&field.name))
                        });
                    }
                }
                Err(cell) => {
                    let column = Some(cell.column.into());
                    wrong.push(Refused { origin, column, reason: cell.reason });
                }
            }
        });
        refused.extend(wrong);
        let mut mapped: Mapped = Vec::with_capacity(builders.len());
        for (builder, table) in builders.iter_mut().zip(self.spec.tables) {
            let (rows, more) = builder.take();
            // Lines that did not get as far as a table count under the first.
            let mut all = std::mem::take(&mut refused);
            all.extend(more);
            mapped.push((table, rows, all));
        }
        mapped
    }
}
