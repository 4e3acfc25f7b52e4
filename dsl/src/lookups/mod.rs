//! What a segment file refers to and does not hold: files, stored value sets, hierarchies of code systems, the places
//! of ZIP codes.
//!
//! In: contents that the caller has read, from wherever they lie. Out: the [`Lookups`] that [`crate::check`] asks while it
//! closes sets and looks places up. This crate reads no file itself. What was taken is pinned: each [`Pin`] names a source and
//! the SHA-256 of its contents, and stands in the segment, in its canonical text and in the audit record.

mod codes;
mod hierarchy;
mod places;
mod stages;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(crate) use codes::from_csv;
pub use codes::{CodeRow, StoredCodes};
pub use hierarchy::{Hierarchy, HierarchyBuilder};
pub use places::{EARTH_RADIUS_KM, Places, distance_km};
pub use stages::StoredStages;
pub(crate) use stages::WithoutFiles;
pub(crate) use table::{Problem, values};

use crate::schema::{CodeSystem, Schema};

/// Largest file that a segment may name, in bytes.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// Most rows of a file that a segment names.
pub const FILE_ROWS_MAX: usize = 1_000_000;

/// Answers what a segment file refers to.
pub trait Lookups {
    /// Text of a file by the name that the segment file has for it.
    ///
    /// # Errors
    /// It cannot be had.
    fn file(&self, name: &str) -> Result<Arc<str>, Refusal>;

    /// The stored value set of this name; none when there is no such set.
    ///
    /// # Errors
    /// It cannot be had.
    fn valueset(&self, name: &str) -> Result<Option<Arc<StoredCodes>>, Refusal>;

    /// Names of the stored value sets.
    fn valueset_names(&self) -> Vec<String>;

    /// What lies under which code of a system; none when it was never imported.
    ///
    /// # Errors
    /// It cannot be had.
    fn hierarchy(&self, system: CodeSystem) -> Result<Option<Arc<Hierarchy>>, Refusal>;

    /// Whether there is a dataset that could hold something; without one nothing was ever imported for sure.
    fn has_dataset(&self) -> bool {
        true
    }

    /// Where ZIP codes lie; none when that was never imported.
    ///
    /// # Errors
    /// It cannot be had.
    fn places(&self) -> Result<Option<Arc<Places>>, Refusal>;

    /// The dataset's own stages; none when those that are built in are in force.
    ///
    /// # Errors
    /// They cannot be had.
    fn stages(&self) -> Result<Option<Arc<StoredStages>>, Refusal>;
}

/// Why a lookup has no answer. Nothing of a file's contents may stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, e.g. `there is no such file`.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What is stored is not what was written: nothing else may be taken in its place, and no correction of the text helps.
    pub damaged: bool,
}

impl Refusal {
    /// Without advice.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None, damaged: false }
    }

    /// With advice.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Of something that is stored and not what was written.
    #[must_use]
    pub fn damaged(what: impl Into<String>) -> Self {
        Self { damaged: true, ..Self::new(what) }
    }
}

/// What names in a segment file can mean: the schema, and what lies outside of the text.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Fields, records, categories.
    pub schema: &'a Schema,
    /// Files and tables.
    pub lookups: &'a dyn Lookups,
}

impl<'a> Known<'a> {
    /// A schema with lookups.
    #[must_use]
    pub fn new(schema: &'a Schema, lookups: &'a dyn Lookups) -> Self {
        Self { schema, lookups }
    }
}

impl<'a> From<&'a Schema> for Known<'a> {
    /// A schema and nothing else: no file, and no table was ever imported.
    fn from(schema: &'a Schema) -> Self {
        Self { schema, lookups: &Nothing }
    }
}

struct Nothing;

impl Lookups for Nothing {
    fn file(&self, _name: &str) -> Result<Arc<str>, Refusal> {
        Err(Refusal::new("there are no files here"))
    }

    fn valueset(&self, _name: &str) -> Result<Option<Arc<StoredCodes>>, Refusal> {
        Ok(None)
    }

    fn valueset_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn hierarchy(&self, _system: CodeSystem) -> Result<Option<Arc<Hierarchy>>, Refusal> {
        Ok(None)
    }

    fn places(&self) -> Result<Option<Arc<Places>>, Refusal> {
        Ok(None)
    }

    fn stages(&self) -> Result<Option<Arc<StoredStages>>, Refusal> {
        Ok(None)
    }
}

/// Lookups whose contents the caller holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InMemory {
    /// Texts by the names of their files.
    pub files: BTreeMap<String, Arc<str>>,
    /// Value sets by name.
    pub valuesets: BTreeMap<String, Arc<StoredCodes>>,
    /// Hierarchies by system.
    pub hierarchies: BTreeMap<CodeSystem, Arc<Hierarchy>>,
    /// Where ZIP codes lie.
    pub places: Option<Arc<Places>>,
    /// The dataset's own stages.
    pub stages: Option<Arc<StoredStages>>,
}

impl Lookups for InMemory {
    fn file(&self, name: &str) -> Result<Arc<str>, Refusal> {
        self.files.get(name).cloned().ok_or_else(|| Refusal::new("there is no such file"))
    }

    fn valueset(&self, name: &str) -> Result<Option<Arc<StoredCodes>>, Refusal> {
        Ok(self.valuesets.get(name).cloned())
    }

    fn valueset_names(&self) -> Vec<String> {
        self.valuesets.keys().cloned().collect()
    }

    fn hierarchy(&self, system: CodeSystem) -> Result<Option<Arc<Hierarchy>>, Refusal> {
        Ok(self.hierarchies.get(&system).cloned())
    }

    fn places(&self) -> Result<Option<Arc<Places>>, Refusal> {
        Ok(self.places.clone())
    }

    fn stages(&self) -> Result<Option<Arc<StoredStages>>, Refusal> {
        Ok(self.stages.clone())
    }
}

/// What a source of a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinKind {
    /// A file that the segment names.
    File,
    /// A stored value set.
    Valueset,
    /// The hierarchy of a code system.
    Hierarchy,
    /// Where ZIP codes lie.
    Zip,
    /// The dataset's own stages.
    Stages,
}

impl PinKind {
    /// Word of the canonical text.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Valueset => "valueset",
            Self::Hierarchy => "hierarchy",
            Self::Zip => "zip",
            Self::Stages => "stages",
        }
    }
}

/// A source that a segment was closed against, with the SHA-256 of its contents at that moment. Of a file these are its
/// bytes, of what is stored the bytes of the sealed document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pin {
    /// What it is.
    pub kind: PinKind,
    /// What it is called: name of the file or value set, code system, `centroids`, `journey`.
    pub name: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl fmt::Display for Pin {
    /// `file "codes.csv" sha256 0123…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} sha256 {}", self.kind.word(), crate::lex::text::quote(&self.name), self.sha256)
    }
}

/// Whether a value set can have this name: letters, digits and `_`, not a digit first.
#[must_use]
pub fn is_valueset_name(name: &str) -> bool {
    crate::lex::is_name(name)
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
