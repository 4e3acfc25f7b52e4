//! Lines of Synthea files and what they become.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::crypto::Sha256Stream;
use crate::import::csv_file::Cells;
use crate::ingest::Reason;

/// How one file is read.
pub(super) struct Spec {
    pub(super) file: &'static str,
    /// Tables that its lines become rows of; refused lines are counted under the first.
    pub(super) tables: &'static [&'static str],
    /// Columns that are read.
    pub(super) used: &'static [&'static str],
    /// Columns that Synthea writes and we leave out, besides those the user ignores.
    pub(super) left_out: &'static [&'static str],
    /// Of each group one column must be there.
    pub(super) needed: &'static [&'static [&'static str]],
    pub(super) map: for<'l> fn(&Line<'l>, &Lookups) -> Result<Row<'l>, Wrong>,
}

/// What lines refer to.
#[derive(Default)]
pub(super) struct Lookups {
    /// Payer id → name; empty without payers.csv.
    pub(super) payers: HashMap<String, String>,
}

/// A cell that cannot be mapped.
pub(super) struct Wrong {
    pub(super) column: &'static str,
    pub(super) reason: Reason,
}

/// One line, by column names.
pub(super) struct Line<'l> {
    pub(super) cells: &'l Cells<'l>,
    pub(super) used: &'static [&'static str],
    pub(super) places: &'l [Option<usize>],
    /// Every column of the file but those the user ignores, by name.
    pub(super) all: &'l [(String, usize)],
}

impl<'l> Line<'l> {
    /// The cell of a column; empty when the file does not have it.
    pub(super) fn get(&self, column: &str) -> &'l str {
        let place = self.used.iter().position(|used| *used == column);
        self.cells.get(place.and_then(|place| self.places.get(place).copied().flatten()))
    }

    /// The first of several names of a column that is not empty.
    pub(super) fn any(&self, columns: &[&str]) -> &'l str {
        columns.iter().map(|column| self.get(column)).find(|cell| !cell.is_empty()).unwrap_or_default()
    }

    /// An id for a line that has none: the same for the same line, whichever the order of the columns.
    pub(super) fn id(&self) -> Cow<'l, str> {
        let mut digest = Sha256Stream::default();
        for (name, place) in self.all {
            let cell = self.cells.get(Some(*place));
            for part in [name.as_str(), cell] {
                digest.update(&(part.len() as u64).to_be_bytes());
                digest.update(part.as_bytes());
            }
        }
        let digest = digest.finish();
        Cow::Owned(hex::encode(digest.get(..16).unwrap_or_default()))
    }
}

/// A row of one of our tables: text cells by field.
pub(super) struct Row<'l> {
    pub(super) table: &'static str,
    values: Vec<(&'static str, Cow<'l, str>)>,
}

impl<'l> Row<'l> {
    pub(super) fn new(table: &'static str) -> Self {
        Self { table, values: Vec::with_capacity(16) }
    }

    /// A record of a line with PATIENT and, mostly, ENCOUNTER.
    pub(super) fn record(table: &'static str, line: &Line<'l>, id: Cow<'l, str>, at: &'l str) -> Self {
        Self::new(table)
            .with("contact_id", line.get("PATIENT"))
            .with("record_id", id)
            .with("source", SOURCE)
            .with("at", at)
            .with("encounter_id", line.get("ENCOUNTER"))
    }

    /// Sets a field; an empty value leaves it missing.
    pub(super) fn with(mut self, field: &'static str, value: impl Into<Cow<'l, str>>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.values.push((field, value));
        }
        self
    }

    pub(super) fn get(&self, field: &str) -> &str {
        self.values.iter().find(|(name, _)| *name == field).map_or("", |(_, value)| value)
    }
}

/// `source` of every record.
pub(super) const SOURCE: &str = "synthea";
