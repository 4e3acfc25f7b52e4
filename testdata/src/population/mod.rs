//! A deterministic synthetic population: invented people with correlated demography, real clinical codes, journeys,
//! and skewed behaviour, for demonstrations, tests and benches.
//!
//! ```text
//! seed, contact number --people--> person --clinical, journey, consent, behaviour--> rows --writer--> files
//! ```
//!
//! In: a seed, a number of contacts, a day to look back from. Out: the files that `import population` reads:
//! `contacts.parquet` and one file per record kind (or CSV), with three years of history before `as_of` and some
//! appointments after it. A million contacts hold about 90 million records, 50 of each contact's being mail, portal,
//! form and shop events.
//!
//! * The same options always give the same bytes, whatever the number of threads: every household and every contact
//!   draws from its own ChaCha8 stream, and a contact does not change when more contacts are asked for.
//! * People are invented: common names drawn apart from each other, `example.test` addresses, telephone numbers of
//!   the 555 exchange. Codes (ICD-10-CM, SNOMED CT, RxNorm, LOINC, CVX, CPT, HCPCS, ICD-10-PCS), ZIP codes and their
//!   centroids are real.
//! * Correlated: age and sex decide conditions, conditions decide medication, laboratory values and encounters; the
//!   household shares home, language and income, which insurance follows; minors name a guardian of their household; seasons move
//!   influenza and its vaccine; a few contacts are very busy and many are quiet.
//! * Every field that may be missing sometimes is; a few records are entered in error, not done, refuted or drafts.
//! * From about 12,000 contacts on every category of every field occurs (the last ones are the rare languages).
//!
//! What an analyst must know: an estimated delivery date is a `lab` with LOINC 11778-8 whose `at` **is** that date
//! (noon, UTC) and whose `recorded_at` is when it was estimated, so that `lab(…) in next 20 weeks` finds it. It is,
//! with appointments, the only thing that happens after `as_of`.
//!
//! Can never happen: a real person, an unbounded buffer (contacts are made and written in ranges), a moment outside
//! the three years other than those named above and ends, expiries and due days.

mod behaviour;
mod clinical;
mod consent;
mod contact;
mod dice;
mod diseases;
mod encounters;
mod journey;
mod kinds;
mod labs;
mod maternity;
mod names;
mod people;
mod places;
mod prevention;
mod procedures;
mod rows;
mod scribe;
mod web;
mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use chrono::{Datelike, Months, NaiveDate};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::value::days_since_epoch;
use parquet::errors::ParquetError;
use rayon::prelude::*;

use kinds::Kind;
use rows::{Fault, Shapes, Tables};
use scribe::Frame;
use writer::TableFile;

/// Form of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Parquet, LZ4, row groups of 65,536 rows.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
}

/// What to generate.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Number of contacts, at most [`CONTACTS_MAX`].
    pub contacts: u64,
    /// Seed; another seed gives other people.
    pub seed: u64,
    /// The day the population is looked at: nothing but schedules lies after it.
    pub as_of: NaiveDate,
    /// Form of the files.
    pub format: Format,
    /// How many events (mail, messages, calls, web, shop) contacts have, 1 being about 50 each; from 0 to
    /// [`DENSITY_MAX`]. Demography, clinical records, journey and consent do not change with it.
    pub density: f64,
    /// Told the number of contacts written so far, now and then.
    pub progress: Option<&'a dyn Fn(u64)>,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("contacts", &self.contacts)
            .field("seed", &self.seed)
            .field("as_of", &self.as_of)
            .field("format", &self.format)
            .field("density", &self.density)
            .finish_non_exhaustive()
    }
}

/// Most contacts of a population: ids have eight digits.
pub const CONTACTS_MAX: u64 = 99_999_999;

/// Greatest density.
pub const DENSITY_MAX: f64 = 100.0;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Number of contacts.
    pub contacts: u64,
    /// Number of records by kind; kinds without records are not listed and have no file.
    pub records: BTreeMap<String, u64>,
    /// Size of all files.
    pub bytes: u64,
}

impl Summary {
    /// Number of records of all kinds.
    #[must_use]
    pub fn records_total(&self) -> u64 {
        self.records.values().sum()
    }
}

/// Why no population was generated. A failure while writing leaves files behind that are not complete.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The folder holds something; a population is never mixed with other files.
    #[error("{} is not empty: name a folder that does not exist yet", .0.display())]
    NotEmpty(PathBuf),
    /// The options are outside their limits.
    #[error("{0} is out of range: contacts ≤ {CONTACTS_MAX}, density 0 to {DENSITY_MAX}, as_of 1990 to 2199")]
    OutOfRange(&'static str),
    /// The folder or a file cannot be written.
    #[error("cannot write the population: {0}")]
    Io(#[source] io::Error),
    /// Parquet could not be written.
    #[error("cannot write the population: {0}")]
    Parquet(#[from] ParquetError),
    /// CSV could not be written.
    #[error("cannot write the population: {0}")]
    Csv(#[from] csv::Error),
    /// The generator and the schema disagree on a field: a defect of this program.
    #[error("the generator does not fit the schema at field `{0}`; please report it")]
    Schema(&'static str),
    /// Columns do not form a batch: a defect of this program.
    #[error("the generator made columns that do not fit: {0}; please report it")]
    Arrow(#[from] ArrowError),
}

/// Contacts whose rows form one batch; a multiple of the block in which households are formed. The bytes of Parquet
/// files follow from it, so it does not depend on the machine.
const RANGE_CONTACTS: u64 = 16 * people::BLOCK;

/// Ranges made at once, at density 1. Bounds memory to about 100 bytes × 90 records × 1,024 contacts.
const RANGES_AT_ONCE: u64 = 4;

/// Writes a population into a folder that is empty or does not exist, and into its folder `lookups` where its ZIP codes lie.
///
/// # Errors
/// A folder that holds something, options out of range, a disk that does not take the files.
pub fn generate(dir: &Path, options: &Options<'_>) -> Result<Summary, GenerateError> {
    let schema = Schema::built_in();
    let frame = frame(options, &schema)?;
    prepare(dir)?;
    let lookups = dir.join("lookups");
    std::fs::create_dir(&lookups).map_err(GenerateError::Io)?;
    std::fs::write(lookups.join("zip.csv"), places::centroids()).map_err(GenerateError::Io)?;
    let shapes = Shapes::new(&schema);
    let names = std::iter::once("contacts").chain(Kind::ALL.iter().map(|kind| kind.name()));
    let mut files: Vec<TableFile> = names.map(|name| TableFile::new(dir, name, options.format)).collect();

    let contacts = options.contacts;
    let ranges = contacts.div_ceil(RANGE_CONTACTS);
    let at_once = ((RANGES_AT_ONCE as f64 / (0.5 + options.density / 2.0)) as u64).clamp(1, RANGES_AT_ONCE);
    let mut next = 0;
    while next < ranges {
        let end = ranges.min(next + at_once);
        let made: Vec<Vec<RecordBatch>> = (next..end)
            .into_par_iter()
            .map(|range| {
                let first = range * RANGE_CONTACTS;
                make(&frame, &shapes, first, contacts.min(first + RANGE_CONTACTS))
            })
            .collect::<Result<_, _>>()?;
        files.par_iter_mut().enumerate().try_for_each(|(table, file)| {
            made.iter().filter_map(|batches| batches.get(table)).try_for_each(|batch| file.append(batch))
        })?;
        next = end;
        if let Some(progress) = options.progress {
            progress(contacts.min(next * RANGE_CONTACTS));
        }
    }
    summarise(files, contacts)
}

fn frame(options: &Options<'_>, schema: &Schema) -> Result<Frame, GenerateError> {
    if options.contacts > CONTACTS_MAX {
        return Err(GenerateError::OutOfRange("contacts"));
    }
    if !(0.0..=DENSITY_MAX).contains(&options.density) {
        return Err(GenerateError::OutOfRange("density"));
    }
    if !(1990..2200).contains(&options.as_of.year()) {
        return Err(GenerateError::OutOfRange("as_of"));
    }
    let first = options.as_of.checked_sub_months(Months::new(36)).unwrap_or(options.as_of);
    let languages = schema.contact_field("preferred_language").map(|field| field.categories.clone());
    Ok(Frame::new(
        options.seed,
        days_since_epoch(first),
        days_since_epoch(options.as_of),
        options.density,
        languages.unwrap_or_default(),
    ))
}

fn prepare(dir: &Path) -> Result<(), GenerateError> {
    std::fs::create_dir_all(dir).map_err(GenerateError::Io)?;
    match std::fs::read_dir(dir).map_err(GenerateError::Io)?.next() {
        None => Ok(()),
        Some(_) => Err(GenerateError::NotEmpty(dir.to_owned())),
    }
}

/// The rows of the contacts first..end.
fn make(frame: &Frame, shapes: &Shapes, first: u64, end: u64) -> Result<Vec<RecordBatch>, GenerateError> {
    let mut tables = Tables::new(shapes);
    people::each(frame, first, end, |person, dice| {
        let mut scribe = scribe::Scribe::new(frame, person, &mut tables);
        let health = clinical::record(&mut scribe, dice);
        // The row comes before what depends on the density, so that the density does not change it.
        contact::record(&mut scribe, dice, &health);
        journey::record(&mut scribe, dice, &health);
        consent::record(&mut scribe, dice);
        behaviour::record(&mut scribe, dice);
        web::record(&mut scribe, dice);
    });
    tables.finish().map_err(|fault| match fault {
        Fault::Cell(field) => GenerateError::Schema(field),
        Fault::Arrow(error) => GenerateError::Arrow(error),
    })
}

fn summarise(files: Vec<TableFile>, contacts: u64) -> Result<Summary, GenerateError> {
    let mut files = files.into_iter();
    let mut bytes = match files.next() {
        Some(file) => file.finish()?,
        None => 0,
    };
    let mut records = BTreeMap::new();
    for (kind, file) in Kind::ALL.iter().zip(files) {
        if file.rows() > 0 {
            records.insert(kind.name().to_owned(), file.rows());
        }
        bytes += file.finish()?;
    }
    Ok(Summary { contacts, records, bytes })
}
