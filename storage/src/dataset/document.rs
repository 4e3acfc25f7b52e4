//! Sealed documents: `sealed/<uuid>`, small things that the manifest names beside the data files.
//!
//! `file = "HSSEALD1" ‖ seal(data key, aad, contents)`, `aad = purpose ‖ dataset id ‖ document id ‖ kind ‖ name`; the data
//! key is random, for one document, and wrapped under the manifest key in the document's entry. In: contents with a kind
//! and a name. Out: the entry, or the contents once they authenticate. Documents hold what segments refer to (code
//! sets, hierarchies, places), and **nothing about persons**: whoever opens the manifest opens them, and reading one
//! leaves no audit record of its own; what a segment took from them is in that of its run.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::Dataset;
use super::entry::WrappedKey;
use super::id::{DatasetId, DocumentId};
use super::snapshot::Snapshot;
use crate::audit::IntentBody;
use crate::crypto::{Aad, DataKey, Digest, KeyId, SEAL_OVERHEAD, SealingKey, sha256};
use crate::error::{Error, Result};
use crate::keyring::{KeyClass, Keyring};
use crate::store::Store;

const MAGIC: &[u8; 8] = b"HSSEALD1";
/// Most bytes of a document's contents.
pub const DOCUMENT_BYTES_MAX: u64 = 256 << 20;
/// Most bytes of a document's name.
const NAME_BYTES_MAX: usize = 256;
/// Most documents of a generation.
const DOCUMENTS_MAX: usize = 10_000;

/// What a document holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// Codes of a value set; named as segments name it.
    Valueset,
    /// Which codes lie under which; named by the code system.
    Hierarchy,
    /// Where ZIP codes lie; there is one.
    Zip,
    /// The stages of the dataset's own; there is one.
    Stages,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Valueset, Self::Hierarchy, Self::Zip, Self::Stages];

    /// Name, as JSON has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valueset => "valueset",
            Self::Hierarchy => "hierarchy",
            Self::Zip => "zip",
            Self::Stages => "stages",
        }
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a manifest knows of one document. Kind and name together are unique in a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentEntry {
    /// Identity and name of the file.
    pub id: DocumentId,
    /// What it holds.
    pub kind: DocumentKind,
    /// What it is called among its kind.
    pub name: String,
    /// SHA-256 of the contents.
    pub contents: Digest,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Generation whose commit wrote it.
    pub generation: u64,
    /// Data key, wrapped.
    pub(crate) key: WrappedKey,
    /// Manifest key under which it is wrapped.
    pub(crate) key_id: KeyId,
}

impl DocumentEntry {
    /// Name of the file relative to the dataset.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.id.file_name()
    }

    /// Length of the contents in bytes.
    #[must_use]
    pub fn contents_bytes(&self) -> u64 {
        self.bytes.saturating_sub((MAGIC.len() + SEAL_OVERHEAD) as u64)
    }

    fn aad(&self, purpose: &str, dataset: &DatasetId) -> Aad {
        Aad::new(purpose)
            .field(dataset.as_bytes())
            .field(self.id.as_bytes())
            .field(self.kind.name().as_bytes())
            .field(self.name.as_bytes())
    }

    fn key_aad(&self, dataset: &DatasetId, key: &KeyId) -> Aad {
        self.aad("hyperseg document key v1", dataset).field(key.as_bytes())
    }

    /// Seals contents into a new file and describes it. The file is durable, its directory is not yet.
    pub(super) fn write(
        dataset: &Dataset,
        generation: u64,
        (kind, name): (DocumentKind, &str),
        contents: &[u8],
    ) -> Result<Self> {
        let limit = |what: &str, max: u64| Error::Limit { what: what.to_owned(), max };
        if contents.len() as u64 > DOCUMENT_BYTES_MAX {
            return Err(limit("the size of a sealed document in bytes", DOCUMENT_BYTES_MAX));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(limit("the length of a document's name in bytes", NAME_BYTES_MAX as u64));
        }
        let class_key = dataset.keyring().class_key(KeyClass::Manifest)?;
        let data_key = DataKey::generate()?;
        let mut entry = Self {
            id: DocumentId::random(),
            kind,
            name: name.to_owned(),
            contents: Digest(sha256(contents)),
            bytes: 0,
            sha256: Digest([0; 32]),
            generation,
            key: WrappedKey(Vec::new()),
            key_id: *class_key.id(),
        };
        entry.key = entry.wrap(dataset.id(), class_key, &data_key)?;
        let aad = entry.aad("hyperseg document v1", dataset.id());
        let bytes = [MAGIC.as_slice(), &data_key.seal(aad.as_bytes(), contents)?].concat();
        entry.bytes = bytes.len() as u64;
        entry.sha256 = Digest(sha256(&bytes));
        if !dataset.store().create(&entry.file_name(), &bytes)? {
            return Err(Error::corrupt(entry.file_name(), "another file has this random name"));
        }
        Ok(entry)
    }

    /// SHA-256 of the file as it lies there.
    pub(super) fn digest(store: &dyn Store, entry: &Self) -> Result<Digest> {
        let name = entry.file_name();
        let bytes = store.read(&name, entry.bytes)?.ok_or(Error::FileMissing { file: name })?;
        Ok(Digest(sha256(&bytes)))
    }

    /// Opens the bytes of the file.
    fn open(&self, dataset: &DatasetId, keyring: &Keyring, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let corrupt = |what: &str| Error::corrupt(self.file_name(), what);
        if bytes.len() as u64 != self.bytes || sha256(bytes) != self.sha256.0 {
            return Err(corrupt("it is not what was written"));
        }
        let sealed = bytes.strip_prefix(MAGIC).ok_or_else(|| corrupt("it is not a sealed document"))?;
        let key = self.data_key(dataset, keyring)?;
        let aad = self.aad("hyperseg document v1", dataset);
        let contents = key.open(aad.as_bytes(), sealed).map_err(|_| corrupt("it does not authenticate"))?;
        if sha256(&contents) != self.contents.0 {
            return Err(corrupt("its contents are not those that the manifest names"));
        }
        Ok(contents)
    }

    /// Wraps the data key under the manifest key of `keyring` anew; the document is bound to its place as before.
    pub(super) fn rewrap(&mut self, dataset: &DatasetId, keyring: &Keyring) -> Result<()> {
        let new = keyring.class_key(KeyClass::Manifest)?;
        let key = self.data_key(dataset, keyring)?;
        self.key = self.wrap(dataset, new, &key)?;
        self.key_id = *new.id();
        Ok(())
    }

    fn wrap(&self, dataset: &DatasetId, under: &SealingKey, key: &DataKey) -> Result<WrappedKey> {
        key.wrap(under, self.key_aad(dataset, under.id()).as_bytes()).map(WrappedKey)
    }

    fn data_key(&self, dataset: &DatasetId, keyring: &Keyring) -> Result<DataKey> {
        let key = keyring.key_of(KeyClass::Manifest, &self.key_id)?;
        let aad = self.key_aad(dataset, &self.key_id);
        DataKey::unwrap(key, aad.as_bytes(), &self.key.0)
            .map_err(|_| Error::WrongKey { what: self.file_name() })
    }
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredDocument {
    /// Whether a new generation was made; not when the same contents are there already.
    pub changed: bool,
    /// Generation that holds it.
    pub generation: u64,
    /// SHA-256 of the contents.
    pub contents: Digest,
}

impl Dataset {
    /// The contents of a document, proven.
    ///
    /// # Errors
    /// The file is missing, not what was written, or its key does not open.
    pub fn document(&self, entry: &DocumentEntry) -> Result<Zeroizing<Vec<u8>>> {
        let name = entry.file_name();
        let bytes = self.store().read(&name, entry.bytes)?.ok_or(Error::FileMissing { file: name })?;
        entry.open(self.id(), self.keyring(), &bytes)
    }

    /// Stores a document in a generation of its own, in the place of the one of its kind and name, under an audit
    /// record. The same contents again make no generation.
    ///
    /// # Errors
    /// Another writer is at work, a limit is passed, or the disk fails.
    pub fn store_document(
        &self,
        kind: DocumentKind,
        name: &str,
        contents: &[u8],
        intent: IntentBody,
    ) -> Result<StoredDocument> {
        let intent = self.audit()?.intent(intent)?;
        let transaction = self.begin()?;
        let changed = transaction.put_document(kind, name, contents)?;
        let generation =
            if changed { transaction.commit(&intent)?.generation() } else { transaction.base().generation() };
        let contents = Digest(sha256(contents));
        let stored = StoredDocument { changed, generation, contents };
        intent.complete(json!({
            "kind": kind.name(), "name": name, "contents": contents, "changed": changed, "generation": generation,
        }))?;
        Ok(stored)
    }
}

/// What became of a document that was to be done without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RemovedDocument {
    /// Whether a new generation was made; not when there was no such document.
    pub changed: bool,
    /// Generation that does without it.
    pub generation: u64,
}

impl Dataset {
    /// Does without a document from a new generation on, under an audit record; older generations keep it as long as they are
    /// kept. Without such a document nothing is made.
    ///
    /// # Errors
    /// Another writer is at work, or the disk fails.
    pub fn remove_document(
        &self,
        kind: DocumentKind,
        name: &str,
        intent: IntentBody,
    ) -> Result<RemovedDocument> {
        let intent = self.audit()?.intent(intent)?;
        let transaction = self.begin()?;
        let removed = transaction.remove_document(kind, name);
        let contents = removed.as_ref().map(|entry| entry.contents);
        let changed = removed.is_some();
        let generation =
            if changed { transaction.commit(&intent)?.generation() } else { transaction.base().generation() };
        intent.complete(json!({
            "kind": kind.name(), "name": name, "removed": contents, "changed": changed, "generation": generation,
        }))?;
        Ok(RemovedDocument { changed, generation })
    }
}

impl Snapshot {
    /// Sealed documents, by kind and name.
    #[must_use]
    pub fn documents(&self) -> &[DocumentEntry] {
        &self.manifest().documents
    }

    /// The document of this kind and name.
    #[must_use]
    pub fn document(&self, kind: DocumentKind, name: &str) -> Option<&DocumentEntry> {
        self.documents().iter().find(|entry| entry.kind == kind && entry.name == name)
    }
}

/// The documents of the next generation: those of the base without the removed ones, with new ones in the place of their
/// namesakes.
pub(super) fn replaced(
    base: &[DocumentEntry],
    new: &[DocumentEntry],
    removed: &HashSet<DocumentId>,
) -> Result<Vec<DocumentEntry>> {
    let stays = |old: &&DocumentEntry| {
        !removed.contains(&old.id) && !new.iter().any(|new| (new.kind, &new.name) == (old.kind, &old.name))
    };
    let mut all: Vec<DocumentEntry> = base.iter().filter(stays).chain(new).cloned().collect();
    all.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    if all.len() > DOCUMENTS_MAX {
        return Err(Error::Limit {
            what: "the number of sealed documents".to_owned(),
            max: DOCUMENTS_MAX as u64,
        });
    }
    Ok(all)
}
