//! Proving every byte of a generation.
//!
//! In: a dataset. Out: an audit record, written before the first key is unwrapped, and a report that names every file that is missing, changed, plaintext or
//! unreadable; one bad file does not hide the next. Of each file the length, the SHA-256 and the frame are compared
//! with the manifest, every data key is unwrapped, the footer and every page directory opened, and every page
//! decrypted and decoded to the last row. The manifests are followed back to the oldest that is kept, and the newest
//! generation is compared with the one that the anchor of the audit log has seen. Files are proven in parallel; of
//! each no more than a few pages are in memory at once.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hyperseg_dsl::schema::Class;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use super::gc::oldest_kept;
use crate::audit::{Intent, IntentBody};
use crate::crypto::sha256;
use crate::dataset::manifest::Manifest;
use crate::dataset::part::Part;
use crate::dataset::vector::{self, VectorEntry};
use crate::dataset::{Dataset, DocumentEntry, FileEntry, Snapshot, manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::keyring::{KeyClass, KeyringError};
use crate::scope::KeyScope;

/// Most defects of one kind that a report tells in words; all are counted.
const TOLD_MAX: usize = 20;

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DefectKind {
    /// The newest generation is older than the audit log has seen.
    Rollback,
    /// A manifest is missing, does not authenticate, or is not the one its successor names; or `dataset.json` says something
    /// else than it.
    Manifest,
    /// A file that the manifest names is not there.
    Missing,
    /// The name leads to a symbolic link or to something that is no file.
    NotAFile,
    /// The file is plaintext Parquet.
    Plaintext,
    /// The file has another length, or does not begin and end as an encrypted file.
    Frame,
    /// SHA-256 of the file is not that of the manifest.
    Digest,
    /// A wrapped data key does not open under the key of its class.
    KeyWrap,
    /// The footer is not the one that was written, or a column is not encrypted under a key of its own.
    Footer,
    /// A page directory is not the one that was written.
    PageDirectory,
    /// A page does not decrypt or decode, or rows are missing.
    Page,
    /// A part of the manifest does not authenticate, or lists other files than the manifest says.
    Part,
    /// A deletion vector does not open, or names other rows than the manifest says.
    DeletionVector,
    /// A sealed document does not authenticate, or holds something else than the manifest says.
    Document,
    /// The operating system does not read the file.
    Unreadable,
}

impl DefectKind {
    /// Name, as JSON has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Manifest => "manifest",
            Self::Missing => "missing",
            Self::NotAFile => "not_a_file",
            Self::Plaintext => "plaintext",
            Self::Frame => "frame",
            Self::Digest => "digest",
            Self::KeyWrap => "key_wrap",
            Self::Footer => "footer",
            Self::PageDirectory => "page_directory",
            Self::Page => "page",
            Self::Part => "part",
            Self::DeletionVector => "deletion_vector",
            Self::Document => "document",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Defect {
    /// What kind of thing.
    pub kind: DefectKind,
    /// Name relative to the dataset.
    pub file: String,
    /// What it is, in one sentence; no value of a contact or record is in it.
    pub what: String,
}

/// Files of a class whose keys this keyring does not give: frame and digest are proven, pages are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unopened {
    /// Sensitivity class.
    pub class: Class,
    /// Files.
    pub files: u64,
    /// Why they stay closed.
    pub why: String,
}

/// What was proven of a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DatasetVerification {
    /// Generation that was proven; none when its manifest does not open.
    pub generation: Option<u64>,
    /// Highest generation found.
    pub newest: u64,
    /// Highest generation that the anchor of the audit log has seen.
    pub anchored: u64,
    /// Manifests that opened and follow from each other, the newest among them.
    pub manifests: u64,
    /// Parts of the manifest, which list its data files.
    pub parts: u64,
    /// Those that are as written and opened. Files that only the others list are not looked at.
    pub parts_sound: u64,
    /// Data files that the generation names.
    pub files: u64,
    /// Sealed documents that it names.
    pub documents: u64,
    /// Those that are as written and opened.
    pub documents_sound: u64,
    /// Bytes of files, documents and parts of the manifest.
    pub bytes: u64,
    /// Rows of the files.
    pub rows: u64,
    /// Files that are as written from the first byte to the last, and opened wherever there is a key.
    pub sound: u64,
    /// Rows that were decrypted and decoded, in every column.
    pub rows_read: u64,
    /// Pages that authenticated, dictionaries among them.
    pub pages: u64,
    /// Column chunks known to be encrypted under a key of their own.
    pub column_chunks: u64,
    /// Page directories that opened.
    pub page_directories: u64,
    /// Deletion vectors that are as written and opened.
    pub deletion_vectors: u64,
    /// Wrapped data keys that opened.
    pub keys: u64,
    /// Classes without a key here.
    pub unopened: Vec<Unopened>,
    /// How many defects there are of each kind.
    pub found: BTreeMap<DefectKind, u64>,
    /// The defects, at most the first twenty of each kind, by kind and file.
    pub defects: Vec<Defect>,
}

impl DatasetVerification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.found.is_empty()
    }

    fn take(&mut self, mut defects: Vec<Defect>) {
        defects.sort();
        for defect in defects {
            let found = self.found.entry(defect.kind).or_default();
            *found += 1;
            if *found <= TOLD_MAX as u64 {
                self.defects.push(defect);
            }
        }
        self.defects.sort();
    }
}

/// What one file has shown.
#[derive(Default)]
struct FileProof {
    rows: u64,
    pages: u64,
    column_chunks: u64,
    page_directories: u64,
    deletion_vectors: u64,
    keys: u64,
    unopened: Option<(Class, String)>,
}

impl Dataset {
    /// Proves a generation, the newest unless another is named. `progress` is told the length of each file when it is
    /// done.
    ///
    /// # Errors
    /// The verification itself failed: the audit log cannot be written, or there is no such generation. What is wrong
    /// with the dataset is in the report.
    pub fn verify(
        &self,
        generation: Option<u64>,
        on_behalf_of: Option<String>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<DatasetVerification> {
        let body = IntentBody { on_behalf_of, generation, ..IntentBody::new("verify") };
        let intent = self.audit()?.intent(body)?;
        let report = self.prove_generation(generation, &intent, progress)?;
        intent.complete(json!({
            "generation": report.generation,
            "files": report.files,
            "documents": report.documents,
            "documents_sound": report.documents_sound,
            "sound": report.sound,
            "rows_read": report.rows_read,
            "found": report.found,
        }))?;
        Ok(report)
    }

    pub(super) fn prove_generation(
        &self,
        generation: Option<u64>,
        intent: &Intent,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<DatasetVerification> {
        let mut report =
            DatasetVerification { anchored: self.audit()?.anchored_generation()?, ..Default::default() };
        let newest = manifest::generations(self.store())?.last().copied();
        report.newest = newest.unwrap_or(0);
        let mut defects = Vec::new();
        if report.newest < report.anchored {
            let error = Error::Rollback { found: report.newest, anchored: report.anchored };
            let file = manifest::file_name(report.anchored);
            defects.push(Defect { kind: DefectKind::Rollback, file, what: error.to_string() });
        }
        if let Some(newest) = newest {
            self.verify_chain(newest, oldest_kept(&self.audit()?)?, &mut report, &mut defects)?;
        }
        if let Some(wanted) = generation.or(newest) {
            match self.read_manifest(wanted) {
                Ok((mut manifest, hash)) => {
                    report.generation = Some(wanted);
                    let this = self.unkept();
                    this.prove_parts(&mut manifest, &mut report, &mut defects);
                    let snapshot = Arc::new(Snapshot::new(manifest, hash, self.location()));
                    this.verify_files(&snapshot, intent, progress, &mut report, &mut defects);
                }
                Err(Error::FileMissing { .. }) if generation.is_some() => {
                    return Err(self.no_generation(wanted)?);
                }
                // The chain begins at the newest manifest and has told of it; another one is told of here.
                Err(error) if Some(wanted) != newest => {
                    defects.push(manifest_defect(wanted, &error));
                }
                Err(_) => {}
            }
        }
        report.take(defects);
        Ok(report)
    }

    /// Follows the manifests back to the oldest that collections were to leave, and on while there are any.
    fn verify_chain(
        &self,
        newest: u64,
        oldest: u64,
        report: &mut DatasetVerification,
        defects: &mut Vec<Defect>,
    ) -> Result<()> {
        let mut expected = None;
        let mut generation = newest;
        loop {
            let found = self.read_manifest(generation).and_then(|(manifest, hash)| match expected {
                Some(expected) if hash != expected => {
                    let what = "it is not the one that its successor names";
                    Err(Error::corrupt(manifest::file_name(generation), what))
                }
                _ => Ok(manifest.previous),
            });
            match found {
                Ok(Some(previous)) if generation > 1 => {
                    report.manifests += 1;
                    expected = Some(previous);
                    generation -= 1;
                }
                Ok(None) if generation == 1 => {
                    report.manifests += 1;
                    return Ok(());
                }
                Ok(_) => {
                    let what = "it does not name the manifest before it";
                    let error = Error::corrupt(manifest::file_name(generation), what);
                    defects.push(manifest_defect(generation, &error));
                    return Ok(());
                }
                // Collected, as the log says.
                Err(Error::FileMissing { .. }) if generation < oldest => return Ok(()),
                Err(error) => {
                    defects.push(manifest_defect(generation, &error));
                    return Ok(());
                }
            }
        }
    }

    fn verify_files(
        &self,
        snapshot: &Arc<Snapshot>,
        intent: &Intent,
        progress: &(dyn Fn(u64) + Sync),
        report: &mut DatasetVerification,
        defects: &mut Vec<Defect>,
    ) {
        let prove = |entry: &FileEntry| {
            // Only a file that is as it was written comes to the decoder; should it panic all the same, that is told
            // of the file and the others are proven.
            let proof = catch_unwind(AssertUnwindSafe(|| self.prove(snapshot, intent, entry)));
            progress(entry.bytes);
            proof.unwrap_or_else(|_| Err(defect(DefectKind::Page, entry, "the decoder gave up")))
        };
        let listed = snapshot.manifest().parts.iter().filter_map(Part::loaded);
        let files: Vec<&FileEntry> = listed.flatten().collect();
        let proofs: Vec<_> = files.par_iter().map(|entry| prove(entry)).collect();
        let mut unopened: BTreeMap<Class, (u64, String)> = BTreeMap::new();
        for (entry, proof) in files.into_iter().zip(proofs) {
            report.bytes += entry.bytes + entry.deleted.as_ref().map_or(0, |vector| vector.bytes);
            report.rows += entry.rows;
            match proof {
                Ok(proof) => {
                    report.sound += 1;
                    report.rows_read += proof.rows;
                    report.pages += proof.pages;
                    report.column_chunks += proof.column_chunks;
                    report.page_directories += proof.page_directories;
                    report.deletion_vectors += proof.deletion_vectors;
                    report.keys += proof.keys;
                    if let Some((class, why)) = proof.unopened {
                        unopened.entry(class).or_insert((0, why)).0 += 1;
                    }
                }
                Err(defect) => defects.push(defect),
            }
        }
        report.documents = snapshot.documents().len() as u64;
        for document in snapshot.documents() {
            report.bytes += document.bytes;
            match self.prove_document(document) {
                Ok(()) => {
                    report.documents_sound += 1;
                    report.keys += 1;
                }
                Err(defect) => defects.push(defect),
            }
            progress(document.bytes);
        }
        let closed = |(class, (files, why))| Unopened { class, files, why };
        report.unopened = unopened.into_iter().map(closed).collect();
    }

    /// Proves the parts of a manifest, whatever this handle has read before, and leaves those in it that are sound.
    fn prove_parts(
        &self,
        manifest: &mut Manifest,
        report: &mut DatasetVerification,
        defects: &mut Vec<Defect>,
    ) {
        let parts = std::mem::take(&mut manifest.parts);
        let proofs: Vec<_> = parts.par_iter().map(|part| self.prove_part(part)).collect();
        for (part, proof) in parts.into_iter().zip(proofs) {
            report.parts += 1;
            report.files += part.files;
            report.bytes += part.bytes;
            match proof {
                Ok(()) => {
                    report.parts_sound += 1;
                    manifest.parts.push(part);
                }
                Err(defect) => defects.push(defect),
            }
        }
    }

    fn prove_part(&self, part: &Part) -> Result<(), Defect> {
        let file = part.file_name();
        let wrong = |kind, what: &str| Defect { kind, file: file.clone(), what: what.to_owned() };
        if self.is_irregular(&file) {
            return Err(wrong(DefectKind::NotAFile, "it is a symbolic link, or no file at all"));
        }
        let failed = |step, error: Error| wrong(kind_of(&error, step), &sentence(&error, &file));
        let bytes = part.bytes(self.store()).map_err(|error| failed(DefectKind::Frame, error))?;
        if sha256(&bytes) != part.sha256.0 {
            return Err(wrong(DefectKind::Digest, "its digest is not that of the manifest"));
        }
        part.prove(self.id(), &bytes).map_err(|error| failed(DefectKind::Part, error))
    }

    /// Proves the bytes of a document before it is opened.
    fn prove_document(&self, entry: &DocumentEntry) -> Result<(), Defect> {
        let file = entry.file_name();
        let defect = |kind, what: &str| Defect { kind, file: file.clone(), what: what.to_owned() };
        let wrong = |kind, error: &Error| defect(kind_of(error, kind), &sentence(error, &file));
        match self.store().look(&file) {
            Ok(Some(found)) if !found.is_regular => {
                return Err(defect(DefectKind::NotAFile, "it is a symbolic link, or no file at all"));
            }
            Ok(Some(found)) if found.bytes != entry.bytes => {
                return Err(defect(DefectKind::Frame, "its length is not that of the manifest"));
            }
            Ok(Some(_)) => {}
            Ok(None) => {
                return Err(defect(DefectKind::Missing, "the file is missing though the manifest names it"));
            }
            Err(error) => return Err(wrong(DefectKind::Unreadable, &error)),
        }
        match DocumentEntry::digest(self.store(), entry) {
            Ok(digest) if digest == entry.sha256 => {}
            Ok(_) => return Err(defect(DefectKind::Digest, "its digest is not that of the manifest")),
            Err(error) => return Err(wrong(DefectKind::Unreadable, &error)),
        }
        self.document(entry).map(drop).map_err(|error| match error {
            Error::WrongKey { .. } => defect(DefectKind::KeyWrap, &sentence(&error, &file)),
            error => wrong(DefectKind::Document, &error),
        })
    }

    fn prove(
        &self,
        snapshot: &Arc<Snapshot>,
        intent: &Intent,
        entry: &FileEntry,
    ) -> Result<FileProof, Defect> {
        let wrong = |kind, result: Error| {
            defect(kind_of(&result, kind), entry, sentence(&result, &entry.file_name()))
        };
        if self.is_irregular(&entry.file_name()) {
            return Err(defect(DefectKind::NotAFile, entry, "it is a symbolic link, or no file at all"));
        }
        let file = self.open_file(entry).map_err(|error| wrong(DefectKind::Frame, error))?;
        let digest = file.digest().map_err(|error| wrong(DefectKind::Unreadable, error))?;
        if digest != entry.sha256.0 {
            return Err(defect(DefectKind::Digest, entry, "its digest is not that of the manifest"));
        }
        if let Some(vector) = &entry.deleted {
            self.prove_vector_bytes(vector)?;
        }
        match self.keyring().key_of(KeyClass::Data(entry.class), &entry.key_id) {
            Ok(_) => {}
            Err(Error::Keyring(
                error @ (KeyringError::Destroyed { .. } | KeyringError::NotGranted { .. }),
            )) => {
                let unopened = Some((entry.class, error.to_string()));
                return Ok(FileProof { unopened, ..FileProof::default() });
            }
            Err(error) => return Err(wrong(DefectKind::KeyWrap, error)),
        }
        let columns: BTreeSet<String> =
            entry.columns.iter().map(|column| column.top_level().to_owned()).collect();
        let wants = vec![(entry.id, columns.iter().cloned().collect())];
        let scope = KeyScope::arm_stored(self, snapshot, intent, wants)
            .map_err(|error| wrong(DefectKind::KeyWrap, error))?;
        scope.check_footer(self, entry).map_err(|error| wrong(DefectKind::Footer, error))?;
        if let Some(vector) = &entry.deleted {
            vector::of_file(self.store(), *self.id(), self.keyring(), entry)
                .map_err(|error| vector_defect(vector, DefectKind::DeletionVector, &error))?;
        }
        let open = scope.open(self, entry).map_err(|error| wrong(DefectKind::PageDirectory, error))?;
        if !scope.sealed().is_empty() {
            return Err(defect(DefectKind::Footer, entry, "a column did not open with its key"));
        }
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut batches = open.read_stored(&names).map_err(|error| wrong(DefectKind::Page, error))?;
        let mut rows = 0;
        for batch in &mut batches {
            rows += batch.map_err(|error| wrong(DefectKind::Page, error))?.num_rows() as u64;
        }
        if rows != entry.rows {
            return Err(defect(
                DefectKind::Page,
                entry,
                "it does not give as many rows as the manifest says",
            ));
        }
        let groups = open.metadata().row_groups();
        Ok(FileProof {
            rows,
            pages: batches.pages(),
            column_chunks: groups.iter().map(|group| group.num_columns() as u64).sum(),
            page_directories: entry.columns.len() as u64,
            deletion_vectors: u64::from(entry.deleted.is_some()),
            keys: entry.columns.len() as u64 + 1 + u64::from(entry.deleted.is_some()),
            unopened: None,
        })
    }

    /// Whether something lies there that is no file, such as a link.
    fn is_irregular(&self, name: &str) -> bool {
        matches!(self.store().look(name), Ok(Some(found)) if !found.is_regular)
    }

    /// Compares the bytes of a deletion vector with the manifest's digest.
    fn prove_vector_bytes(&self, vector: &VectorEntry) -> Result<(), Defect> {
        let wrong = |kind, what: &str| Defect { kind, file: vector.file_name(), what: what.to_owned() };
        if self.is_irregular(&vector.file_name()) {
            return Err(wrong(DefectKind::NotAFile, "it is a symbolic link, or no file at all"));
        }
        let bytes = vector.bytes(self.store()).map_err(|error| match error {
            Error::Limit { .. } => wrong(DefectKind::Frame, "it is longer than the manifest says"),
            error => vector_defect(vector, DefectKind::Frame, &error),
        })?;
        if sha256(&bytes) == vector.sha256.0 {
            Ok(())
        } else {
            Err(wrong(DefectKind::Digest, "its digest is not that of the manifest"))
        }
    }
}

fn defect(kind: DefectKind, entry: &FileEntry, what: impl Into<String>) -> Defect {
    Defect { kind, file: entry.file_name(), what: what.into() }
}

fn vector_defect(vector: &VectorEntry, step: DefectKind, error: &Error) -> Defect {
    let file = vector.file_name();
    Defect { kind: kind_of(error, step), what: sentence(error, &file), file }
}

fn manifest_defect(generation: u64, error: &Error) -> Defect {
    // A manifest that opens can contradict another file, which is then the one that was changed.
    let file = match error {
        Error::Corrupt { file, .. } => file.clone(),
        _ => manifest::file_name(generation),
    };
    let kind = match kind_of(error, DefectKind::Manifest) {
        DefectKind::Unreadable => DefectKind::Unreadable,
        _ => DefectKind::Manifest,
    };
    Defect { kind, what: sentence(error, &file), file }
}

/// The kind that an error shows by itself, else that of the step that failed.
fn kind_of(error: &Error, step: DefectKind) -> DefectKind {
    match error {
        Error::FileMissing { .. } => DefectKind::Missing,
        Error::Plaintext { .. } => DefectKind::Plaintext,
        error if error.kind() == ErrorKind::Runtime => DefectKind::Unreadable,
        _ => step,
    }
}

/// The error's words without the file's name, which stands beside them.
fn sentence(error: &Error, file: &str) -> String {
    let words = error.to_string();
    words.strip_prefix(file).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&words).to_owned()
}
