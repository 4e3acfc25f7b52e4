//! Rows that are not stored, and why.
//!
//! In: origins (file and line) with a reason. Out: counts per table, the first places for messages, and a CSV file
//! of all of them. A value of the row never gets here: a reject knows its place and the rule it broke.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Rejects kept with their place; an import with more is stopped.
pub const REJECTS_MAX: u64 = 5_000_000;
/// Places named in an error message and in the report.
const PLACES_SHOWN: usize = 5;
const LINE_BITS: u32 = 44;

/// Why a row was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The line has more or fewer cells than the header.
    RaggedRow,
    /// A byte that is not UTF-8.
    NotUtf8,
    /// Not a calendar day `YYYY-MM-DD`, month `YYYY-MM` or year `YYYY`.
    BadDate,
    /// Not a day and not an RFC 3339 instant.
    BadTime,
    /// Not a whole number in range.
    BadInt,
    /// Not a finite number, or out of the field's range.
    BadNumber,
    /// Not an amount with at most two decimals.
    BadMoney,
    /// Not `true` or `false`.
    BadBool,
    /// Not `SYSTEM:code` with a known system.
    BadCode,
    /// Not one of the field's categories.
    UnknownCategory,
    /// Text that cannot be stored.
    BadText,
    /// Only one of the two coordinates.
    HalfPoint,
    /// A value that the importer's mapping does not know.
    Unmapped,
    /// A row without contact id.
    MissingContactId,
    /// A record without `at`.
    MissingAt,
    /// A record of a contact that is neither in the dataset nor in this import.
    UnknownContact,
    /// A record with the id of another contact's record of the same import.
    SharedId,
}

impl Reason {
    /// Name in reject files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RaggedRow => "ragged_row",
            Self::NotUtf8 => "not_utf8",
            Self::BadDate => "bad_date",
            Self::BadTime => "bad_time",
            Self::BadInt => "bad_int",
            Self::BadNumber => "bad_number",
            Self::BadMoney => "bad_money",
            Self::BadBool => "bad_bool",
            Self::BadCode => "bad_code",
            Self::UnknownCategory => "unknown_category",
            Self::BadText => "bad_text",
            Self::HalfPoint => "half_point",
            Self::Unmapped => "unmapped",
            Self::MissingContactId => "missing_contact_id",
            Self::MissingAt => "missing_at",
            Self::UnknownContact => "unknown_contact",
            Self::SharedId => "shared_id",
        }
    }

    /// What it means, in a few words.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::RaggedRow => "the row has not as many cells as the header",
            Self::NotUtf8 => "a byte is not UTF-8",
            Self::BadDate => "not a date YYYY-MM-DD, YYYY-MM or YYYY",
            Self::BadTime => "neither a full date YYYY-MM-DD nor an RFC 3339 time with offset",
            Self::BadInt => "not a whole number in range",
            Self::BadNumber => "not a finite number in range",
            Self::BadMoney => "not an amount with at most two decimals",
            Self::BadBool => "neither true nor false",
            Self::BadCode => "not SYSTEM:code with a known code system",
            Self::UnknownCategory => "not one of the field's categories",
            Self::BadText => "not text that can be stored",
            Self::HalfPoint => "only one of latitude and longitude",
            Self::Unmapped => "a value that the mapping does not know",
            Self::MissingContactId => "no contact id",
            Self::MissingAt => "a record needs a date or time",
            Self::SharedId => "the id of another contact's record in this import; ids are those of a source",
            Self::UnknownContact => "no such contact in the dataset or the import",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.explain())
    }
}

/// File and line of a row, in one number that sorts by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub(crate) u64);

impl Origin {
    /// Row at `line` (from 1; in Parquet files the row number) of the file with this number.
    pub(crate) const fn new(file: u16, line: u64) -> Self {
        Self((file as u64) << LINE_BITS | (line & ((1 << LINE_BITS) - 1)))
    }

    const fn file(self) -> usize {
        (self.0 >> LINE_BITS) as usize
    }

    /// Line, from 1.
    pub(crate) const fn line(self) -> u64 {
        self.0 & ((1 << LINE_BITS) - 1)
    }
}

/// Where a rejected row stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Name of the file, without its folder.
    pub file: String,
    /// Line, from 1 with the header as line 1; in Parquet files the row number.
    pub line: u64,
    /// Column, when one is to blame.
    pub column: Option<String>,
    /// Reason.
    pub reason: Reason,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if let Some(column) = &self.column {
            write!(f, " {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

struct Reject {
    origin: Origin,
    table: u16,
    column: Option<Arc<str>>,
    reason: Reason,
}

/// Collects rejects of all tables; shared by the readers' threads.
pub(crate) struct Rejects {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    files: Vec<String>,
    tables: Vec<String>,
    rejects: Vec<Reject>,
}

impl Rejects {
    pub(crate) fn new() -> Self {
        Self { inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A poisoned list is still a list: a panic elsewhere fails the import on its own.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of a file in [`Origin`]s.
    pub(crate) fn file(&self, name: &str) -> u16 {
        let mut inner = self.lock();
        inner.files.push(name.to_owned());
        u16::try_from(inner.files.len() - 1).unwrap_or(u16::MAX)
    }

    /// Records one row of a table.
    pub(crate) fn push(
        &self,
        table: &str,
        origin: Origin,
        column: Option<&Arc<str>>,
        reason: Reason,
    ) -> Result<()> {
        let mut inner = self.lock();
        if inner.rejects.len() as u64 >= REJECTS_MAX {
            return Err(Error::Limit { what: "rejected rows".to_owned(), max: REJECTS_MAX });
        }
        let table = match inner.tables.iter().position(|name| name == table) {
            Some(table) => table,
            None => {
                inner.tables.push(table.to_owned());
                inner.tables.len() - 1
            }
        };
        let table = u16::try_from(table).unwrap_or(u16::MAX);
        inner.rejects.push(Reject { origin, table, column: column.cloned(), reason });
        Ok(())
    }

    /// Rejected rows of a table.
    pub(crate) fn count(&self, table: &str) -> u64 {
        let inner = self.lock();
        let Some(number) = inner.tables.iter().position(|name| name == table) else { return 0 };
        inner.rejects.iter().filter(|reject| usize::from(reject.table) == number).count() as u64
    }

    /// Rejected rows of all tables.
    pub(crate) fn total(&self) -> u64 {
        self.lock().rejects.len() as u64
    }

    /// Tables with their number of rejected rows.
    pub(crate) fn by_table(&self) -> Vec<(String, u64)> {
        let tables = self.lock().tables.clone();
        tables.into_iter().map(|table| (table.clone(), self.count(&table))).collect()
    }

    /// The first places, by file and line.
    pub(crate) fn first(&self) -> Vec<Place> {
        let mut inner = self.lock();
        inner.rejects.sort_by_key(|reject| reject.origin);
        inner.rejects.iter().take(PLACES_SHOWN).map(|reject| inner.place(reject)).collect()
    }

    /// Writes all of them as CSV: file, line, column, reason.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut inner = self.lock();
        inner.rejects.sort_by_key(|reject| reject.origin);
        let name = path.display().to_string();
        let failed = |error: csv::Error| match error.into_kind() {
            csv::ErrorKind::Io(source) => Error::io("write", name.clone(), source),
            _ => Error::io("write", name.clone(), std::io::ErrorKind::InvalidData.into()),
        };
        let mut writer = csv::Writer::from_path(path).map_err(failed)?;
        writer.write_record(["file", "line", "column", "reason"]).map_err(failed)?;
        for reject in &inner.rejects {
            let place = inner.place(reject);
            let line = place.line.to_string();
            let column = place.column.as_deref().unwrap_or_default();
            writer
                .write_record([place.file.as_str(), line.as_str(), column, place.reason.name()])
                .map_err(failed)?;
        }
        writer.flush().map_err(|source| Error::io("write", name, source))
    }
}

impl Inner {
    fn place(&self, reject: &Reject) -> Place {
        Place {
            file: self.files.get(reject.origin.file()).cloned().unwrap_or_default(),
            line: reject.origin.line(),
            column: reject.column.as_deref().map(str::to_owned),
            reason: reject.reason,
        }
    }
}
