//! Importers: from files of the outside world to one new generation of a dataset.
//!
//! In: a folder of plain files. Out: [`ImportReport`], and an audit record that names the files with their digests.
//! Every importer maps columns by the names in the header, refuses what it does not know, and either stores everything
//! that is not refused or nothing. See `docs/import.md` of this crate for the formats.

mod csv_file;
mod population;
mod source;
mod synthea;

pub use population::import_population;
pub use synthea::import_synthea;

pub use crate::ingest::{
    ImportError, ImportOptions, ImportReport, MEMORY_BUDGET, Place, Progress, ProgressFn, Reason, Stage,
    TableReport,
};
