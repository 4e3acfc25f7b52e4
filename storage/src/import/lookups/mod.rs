//! What segments refer to: value sets, hierarchies of code systems, places of ZIP codes.
//!
//! In: one file. Out: one sealed document in a generation of its own, under an audit record that names the file with its
//! digest; the same contents again change nothing. Whatever is not understood is refused with its line, and nothing is stored:
//! a value set from which a row was left out would select other people.

mod fhir;
mod hierarchy;
mod omop;
mod rows;
mod valueset;
mod zip;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use hyperseg_dsl::lookups::{Hierarchy, Places, is_valueset_name};
use hyperseg_dsl::schema::CodeSystem;
use serde::Serialize;
use serde_json::json;

use super::source::{SourceFile, describe};
use crate::audit::IntentBody;
use crate::crypto::Digest;
use crate::dataset::{Dataset, DocumentKind};
use crate::error::{Error, Result};
use crate::ingest::ImportError;

/// Name of the one document with places.
pub(crate) const CENTROIDS: &str = "centroids";
/// Most bytes of a file that is read as a whole.
const WHOLE_BYTES_MAX: u64 = 64 << 20;

/// What an import of a lookup did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LookupReport {
    /// What was stored.
    pub kind: DocumentKind,
    /// What it is called.
    pub name: String,
    /// Rows of a value set, codes of a hierarchy, ZIP codes.
    pub entries: u64,
    /// Whether a new generation was made.
    pub changed: bool,
    /// Generation that holds it.
    pub generation: u64,
    /// SHA-256 of what is stored, by which segments name it.
    pub sha256: Digest,
}

/// Stores a value set: a CSV file with `system` and `code`, a FHIR R4 ValueSet in JSON, or an OMOP concept set in CSV.
///
/// # Errors
/// The name is none that a segment can write, the file is not understood, or it cannot be stored.
pub fn import_valueset(
    dataset: &Dataset,
    file: &Path,
    name: &str,
    on_behalf_of: Option<String>,
) -> Result<LookupReport> {
    if !is_valueset_name(name) {
        let what =
            format!("`{name}` cannot be the name of a value set: letters, digits and `_`, not a digit first");
        return Err(Error::Mismatch { table: "value set".to_owned(), what });
    }
    let source = source(file)?;
    let text = whole(&source)?;
    let (format, codes) = valueset::read(&source.name, &text)?;
    let entries = codes.rows().len() as u64;
    store(dataset, &source, (DocumentKind::Valueset, name), format, (entries, codes.document()), on_behalf_of)
}

/// Stores the hierarchy of a code system: a CSV file with `ancestor` and `descendant` (or `parent` and `child`), or the
/// table concept_ancestor of OMOP.
///
/// # Errors
/// The system has its hierarchy in its codes, the file is not understood, or it cannot be stored.
pub fn import_hierarchy(
    dataset: &Dataset,
    file: &Path,
    system: CodeSystem,
    on_behalf_of: Option<String>,
) -> Result<LookupReport> {
    if system.prefix_hierarchy() {
        let what = format!("in {system} lies under a code what starts with it; there is nothing to import");
        return Err(Error::Mismatch { table: "hierarchy".to_owned(), what });
    }
    let source = source(file)?;
    let hierarchy: Hierarchy = hierarchy::read(&source, system)?;
    let entries = hierarchy.codes() as u64;
    let document = (DocumentKind::Hierarchy, system.name());
    store(dataset, &source, document, "pairs", (entries, hierarchy.document()), on_behalf_of)
}

/// Stores the places of ZIP codes: a CSV file with `zip`, `lat` and `lon`, or a Census gazetteer of ZCTAs.
///
/// # Errors
/// The file is not understood, or it cannot be stored.
pub fn import_zip(dataset: &Dataset, file: &Path, on_behalf_of: Option<String>) -> Result<LookupReport> {
    let source = source(file)?;
    let (format, places): (_, Places) = zip::read(&source)?;
    let entries = places.all().len() as u64;
    let document = (DocumentKind::Zip, CENTROIDS);
    store(dataset, &source, document, format, (entries, places.document()), on_behalf_of)
}

fn store(
    dataset: &Dataset,
    source: &SourceFile,
    (kind, name): (DocumentKind, &str),
    format: &str,
    (entries, document): (u64, &str),
    on_behalf_of: Option<String>,
) -> Result<LookupReport> {
    let intent = IntentBody {
        on_behalf_of,
        description: Some(format!("import of {kind} {name}")),
        generation: Some(dataset.snapshot()?.generation()),
        details: json!({ "format": format, "kind": kind.name(), "name": name, "files": [describe(source)?] }),
        ..IntentBody::new("import")
    };
    let stored = dataset.store_document(kind, name, document.as_bytes(), intent)?;
    Ok(LookupReport {
        kind,
        name: name.to_owned(),
        entries,
        changed: stored.changed,
        generation: stored.generation,
        sha256: stored.contents,
    })
}

fn source(file: &Path) -> Result<SourceFile> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let found = std::fs::metadata(file).map_err(|error| Error::io("read", name.clone(), error))?;
    if !found.is_file() {
        return Err(unreadable(&name, None, "it is not a file"));
    }
    Ok(SourceFile { path: file.into(), name })
}

/// A file as text.
fn whole(source: &SourceFile) -> Result<String> {
    let failed = |error| Error::io("read", source.name.clone(), error);
    let mut bytes = Vec::new();
    let file: File = source.open()?;
    file.take(WHOLE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > WHOLE_BYTES_MAX {
        return Err(Error::Limit {
            what: format!("the size of {} in bytes", source.name),
            max: WHOLE_BYTES_MAX,
        });
    }
    String::from_utf8(bytes).map_err(|_| unreadable(&source.name, None, "it is not UTF-8 text"))
}

/// A file that is not understood; nothing of its contents may stand in `what`.
fn unreadable(file: &str, line: Option<u64>, what: impl Into<String>) -> Error {
    let file = line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
    ImportError::Unreadable { file, what: what.into() }.into()
}
