//! What a generation of a dataset knows beside its data, for the compiler of segments.
//!
//! In: an open dataset. Out: its stored value sets, hierarchies, places and stages, opened when they are asked for, and the files
//! that the caller gives. Reading them needs the manifest key only and leaves no audit record of its own: nothing in them is about a
//! person, and each run says by their SHA-256 which of them its segment was closed against.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hyperseg_dsl::JOURNEY;
use hyperseg_dsl::lookups::{Hierarchy, Lookups, Places, Refusal, StoredCodes, StoredStages};
use hyperseg_dsl::schema::CodeSystem;

use crate::dataset::{Dataset, DocumentKind, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::import::CENTROIDS;

/// Lookups of one generation.
pub struct StoredLookups {
    dataset: Dataset,
    snapshot: Arc<Snapshot>,
    files: BTreeMap<String, Arc<str>>,
    hierarchies: Mutex<BTreeMap<CodeSystem, Arc<Hierarchy>>>,
    places: Mutex<Option<Arc<Places>>>,
}

impl StoredLookups {
    /// Of the generation that the handle shows, with the contents of files by the names that segments have for them.
    ///
    /// # Errors
    /// The manifest does not open.
    pub fn new(dataset: &Dataset, files: BTreeMap<String, Arc<str>>) -> Result<Self> {
        let snapshot = dataset.snapshot()?;
        let (hierarchies, places) = Default::default();
        Ok(Self { dataset: dataset.clone(), snapshot, files, hierarchies, places })
    }

    /// Text of a stored document; none when there is none of this kind and name.
    fn text(&self, kind: DocumentKind, name: &str) -> Result<Option<String>, Refusal> {
        let Some(entry) = self.snapshot.document(kind, name) else { return Ok(None) };
        let contents = self.dataset.document(entry).map_err(|error| refusal(&error))?;
        let text = String::from_utf8(contents.to_vec()).map_err(|_| other_form())?;
        Ok(Some(text))
    }
}

/// Why something stored cannot be had.
#[must_use]
pub fn refusal(error: &Error) -> Refusal {
    match error.kind() {
        ErrorKind::Integrity => Refusal::damaged(error.to_string()),
        ErrorKind::Runtime | ErrorKind::Usage | ErrorKind::Unauthorised => Refusal::new(error.to_string()),
    }
}

fn other_form() -> Refusal {
    Refusal::new("what is stored has a form that this program does not know").help("import it again")
}

impl Lookups for StoredLookups {
    fn file(&self, name: &str) -> Result<Arc<str>, Refusal> {
        self.files.get(name).cloned().ok_or_else(|| Refusal::new("its contents were not given"))
    }

    fn valueset(&self, name: &str) -> Result<Option<Arc<StoredCodes>>, Refusal> {
        let Some(text) = self.text(DocumentKind::Valueset, name)? else { return Ok(None) };
        StoredCodes::from_document(&text).map(Arc::new).map(Some).ok_or_else(other_form)
    }

    fn valueset_names(&self) -> Vec<String> {
        let documents = self.snapshot.documents().iter();
        let sets = documents.filter(|entry| entry.kind == DocumentKind::Valueset);
        sets.map(|entry| entry.name.clone()).collect()
    }

    fn hierarchy(&self, system: CodeSystem) -> Result<Option<Arc<Hierarchy>>, Refusal> {
        let mut known = self.hierarchies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hierarchy) = known.get(&system) {
            return Ok(Some(Arc::clone(hierarchy)));
        }
        let Some(text) = self.text(DocumentKind::Hierarchy, system.name())? else { return Ok(None) };
        let hierarchy = Arc::new(Hierarchy::from_document(system, text).ok_or_else(other_form)?);
        known.insert(system, Arc::clone(&hierarchy));
        Ok(Some(hierarchy))
    }

    fn places(&self) -> Result<Option<Arc<Places>>, Refusal> {
        let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let Some(text) = self.text(DocumentKind::Zip, CENTROIDS)? else { return Ok(None) };
            *known = Some(Arc::new(Places::from_document(text).map_err(|_| other_form())?));
        }
        Ok(known.clone())
    }

    fn stages(&self) -> Result<Option<Arc<StoredStages>>, Refusal> {
        let text = self.text(DocumentKind::Stages, JOURNEY)?;
        Ok(text.map(StoredStages::new).map(Arc::new))
    }
}

impl fmt::Debug for StoredLookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredLookups")
            .field("generation", &self.snapshot.generation())
            .finish_non_exhaustive()
    }
}
