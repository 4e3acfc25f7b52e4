//! What an import did, table by table.

use serde::{Deserialize, Serialize};

use super::reject::Place;

/// What became of the rows of one table: `read = stored + updated + duplicate + deleted + rejected`. Where there were so
/// many rows before, there are `stored` more and `deleted` fewer now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// `contact`, or the record kind.
    pub table: String,
    /// Rows read.
    pub read: u64,
    /// Rows stored that were not there.
    pub stored: u64,
    /// Rows that took the place of a row with the same id and other content.
    #[serde(default)]
    pub updated: u64,
    /// Rows that changed nothing: what they say is stored, a later row of the import says it or something else of the same
    /// record, or they delete what is not there.
    pub duplicate: u64,
    /// Rows that deleted a row.
    #[serde(default)]
    pub deleted: u64,
    /// Rows refused.
    pub rejected: u64,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Tables in the order of the schema; only those with rows.
    pub tables: Vec<TableReport>,
    /// Generation after the import; the one before it when nothing was stored and no consent was confirmed.
    pub generation: u64,
    /// Something was stored, updated or deleted.
    pub changed: bool,
    /// Files of the folder that this version does not import, though it knows them.
    pub left_out_files: Vec<String>,
    /// First rejected rows.
    pub rejects: Vec<Place>,
    /// Bytes of rows that were sealed into the temporary file because memory was short.
    pub spilled_bytes: u64,
    /// Most bytes of rows that waited in memory at once.
    #[serde(default)]
    pub peak_waiting_bytes: u64,
}

impl ImportReport {
    /// Rows of all tables together.
    #[must_use]
    pub fn total(&self) -> TableReport {
        let mut total = TableReport { table: "total".to_owned(), ..TableReport::default() };
        for table in &self.tables {
            total.read += table.read;
            total.stored += table.stored;
            total.updated += table.updated;
            total.duplicate += table.duplicate;
            total.deleted += table.deleted;
            total.rejected += table.rejected;
        }
        total
    }

    /// Whether a row made a difference.
    #[must_use]
    pub fn is_news(&self) -> bool {
        let total = self.total();
        total.stored + total.updated + total.deleted > 0
    }

    /// The report of one table.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&TableReport> {
        self.tables.iter().find(|table| table.table == name)
    }
}
