//! Importers: from files of the outside world to one new generation of a dataset.
//!
//! In: a folder of plain files, or of a lookup one file. Out: [`ImportReport`], and an audit record that names the files with their digests.
//! Every importer maps columns by the names in the header, refuses what it does not know, and either stores everything
//! that is not refused or nothing. See `docs/import.md` of this crate for the formats.

mod csv_file;
mod lookups;
mod population;
mod source;
mod synthea;
mod systems;

pub(crate) use lookups::CENTROIDS;
pub use lookups::{LookupReport, import_hierarchy, import_valueset, import_zip};
pub use population::import_population;
pub use synthea::import_synthea;

pub use crate::ingest::{
    ImportError, ImportOptions, ImportReport, MEMORY_BUDGET, Place, Progress, ProgressFn, Reason, Stage,
    TableReport,
};
