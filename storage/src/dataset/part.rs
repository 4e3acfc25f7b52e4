//! Parts of a manifest: the data files of one table and class, in some shards.
//!
//! A manifest names its parts and does not list files itself, so that a commit writes the lists of the tables that it
//! changed and goes on naming the others, and a reader opens the lists of the tables that it reads. A part is never
//! changed. It has a random key of its own, which lies in the manifest and nowhere else: whoever opens the manifest opens
//! its parts, and a rotation of the manifest key concerns the manifest alone.
//!
//! ```text
//! data/<uuid>.files = "HSFILES1" ‖ seal(key of the part, aad, JSON list of file entries)
//! aad = purpose ‖ dataset id ‖ part id
//! ```
//!
//! In: file entries. Out: the same entries, from the one file that the manifest means.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use hyperseg_dsl::schema::Class;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::entry::FileEntry;
use super::id::{DatasetId, FileId, TableId};
use crate::crypto::{Aad, DataKey, Digest, sha256};
use crate::error::{Error, Result};
use crate::store::Store;

const MAGIC: &[u8; 8] = b"HSFILES1";
/// Behind the id in names.
pub(super) const SUFFIX: &str = ".files";
/// Longest part that is written or read.
const BYTES_MAX: u64 = 256 << 20;
/// Shards that are listed together. Compaction leaves few files of a table and class in a shard, and an entry takes some
/// 3 KB, so that a part stays at a few hundred kilobytes however many shards there are; and as a shard has 131,072
/// contacts, most datasets have one part for each table and class, which is one request to an object store.
const SHARDS: u32 = 64;

/// Whose files a part lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartPlace {
    pub(crate) table: TableId,
    pub(crate) class: Class,
    /// The first of [`SHARDS`] shards.
    pub(crate) first_shard: u32,
}

impl PartPlace {
    /// Where a file is listed.
    pub(crate) fn of(file: &FileEntry) -> Self {
        let first_shard = file.shard - file.shard % SHARDS;
        Self { table: file.table.clone(), class: file.class, first_shard }
    }

    /// Whether files of a shard are listed here.
    pub(crate) const fn has_shard(&self, shard: u32) -> bool {
        self.first_shard == shard - shard % SHARDS
    }
}

/// What a manifest knows of one part. There are no parts without files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub(crate) id: FileId,
    /// Unique in a manifest, which names its parts in this order.
    pub(crate) place: PartPlace,
    /// Files that it lists.
    pub(crate) files: u64,
    /// Rows of them that count.
    pub(crate) rows: u64,
    /// The greatest `at_max` among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_max: Option<i64>,
    /// Length of the part's own file; 0 until it was written.
    pub(crate) bytes: u64,
    /// SHA-256 of it.
    pub(crate) sha256: Digest,
    #[serde(with = "key")]
    key: DataKey,
    /// What it lists, once it was read; clones, and later manifests that name the part, share it.
    #[serde(skip)]
    list: Arc<OnceLock<List>>,
}

#[derive(Debug)]
struct List {
    files: Vec<FileEntry>,
    by_id: HashMap<FileId, usize>,
}

impl List {
    fn new(files: Vec<FileEntry>) -> Self {
        let by_id = files.iter().zip(0..).map(|(file, place)| (file.id, place)).collect();
        Self { files, by_id }
    }
}

impl Part {
    /// A part of these files, all of this place, that has yet to be written.
    pub(super) fn new(place: PartPlace, mut files: Vec<FileEntry>) -> Result<Self> {
        files.sort_by_key(|file| (file.shard, file.generation, file.at_min, file.id));
        Ok(Self {
            id: FileId::random(),
            place,
            files: files.len() as u64,
            rows: files.iter().map(FileEntry::live_rows).sum(),
            at_max: files.iter().filter_map(|file| file.at_max).max(),
            bytes: 0,
            sha256: Digest([0; 32]),
            key: DataKey::generate()?,
            list: Arc::new(OnceLock::from(List::new(files))),
        })
    }

    pub(crate) fn file_name(&self) -> String {
        format!("data/{}{SUFFIX}", self.id)
    }

    pub(super) const fn is_written(&self) -> bool {
        self.bytes > 0
    }

    /// Writes a part that was made here; it is durable when its directory was synced.
    pub(super) fn write(&mut self, store: &dyn Store, dataset: &DatasetId) -> Result<()> {
        let name = self.file_name();
        let files = self.list.get().map_or(&[][..], |list| &list.files);
        let json =
            serde_json::to_vec(files).map_err(|_| Error::corrupt(name.clone(), "it cannot be written"))?;
        let sealed = self.key.seal(self.aad(dataset).as_bytes(), &json)?;
        let bytes = [MAGIC.as_slice(), &sealed].concat();
        if bytes.len() as u64 > BYTES_MAX {
            let what = "the size of a part of the manifest in bytes".to_owned();
            return Err(Error::Limit { what, max: BYTES_MAX });
        }
        if !store.create(&name, &bytes)? {
            return Err(Error::corrupt(name, "a file of this name is there already"));
        }
        (self.bytes, self.sha256) = (bytes.len() as u64, Digest(sha256(&bytes)));
        Ok(())
    }

    /// The files that it lists; they are read the first time.
    ///
    /// # Errors
    /// The part is missing, or not the one that was written.
    pub(crate) fn load(&self, store: &dyn Store, dataset: &DatasetId) -> Result<&[FileEntry]> {
        if let Some(files) = self.loaded() {
            return Ok(files);
        }
        // Who comes at the same time reads it too, which is no harm.
        let list = List::new(self.open(dataset, &self.bytes(store)?)?);
        Ok(&self.list.get_or_init(|| list).files)
    }

    /// The files that it lists, if they were read.
    pub(super) fn loaded(&self) -> Option<&[FileEntry]> {
        self.list.get().map(|list| list.files.as_slice())
    }

    /// The file of this id, if the part was read and lists it.
    pub(super) fn loaded_file(&self, id: FileId) -> Option<&FileEntry> {
        let list = self.list.get()?;
        list.files.get(*list.by_id.get(&id)?)
    }

    /// Takes over what another manifest's part lists when it is the same one.
    pub(super) fn share(&mut self, known: &Self) {
        if self.loaded().is_none() && (self.id, self.sha256) == (known.id, known.sha256) {
            self.list = Arc::clone(&known.list);
        }
    }

    /// Opens the bytes of its file, and keeps what they list.
    pub(super) fn prove(&self, dataset: &DatasetId, bytes: &[u8]) -> Result<()> {
        let list = List::new(self.open(dataset, bytes)?);
        self.list.get_or_init(|| list);
        Ok(())
    }

    /// The bytes of its file, as many as the manifest says.
    pub(super) fn bytes(&self, store: &dyn Store) -> Result<Vec<u8>> {
        let name = self.file_name();
        let bytes = match store.read(&name, self.bytes.min(BYTES_MAX)) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(Error::FileMissing { file: name }),
            Err(Error::Limit { .. }) => {
                return Err(Error::corrupt(name, "it is longer than the manifest says"));
            }
            Err(error) => return Err(error),
        };
        if bytes.len() as u64 == self.bytes { Ok(bytes) } else { Err(Error::corrupt(name, "it was cut")) }
    }

    /// Opens the bytes of its file.
    fn open(&self, dataset: &DatasetId, bytes: &[u8]) -> Result<Vec<FileEntry>> {
        let bad = || Error::corrupt(self.file_name(), "it is not the part of the manifest that was written");
        let sealed = bytes.strip_prefix(MAGIC).ok_or_else(bad)?;
        let json = self.key.open(self.aad(dataset).as_bytes(), sealed).map_err(|_| bad())?;
        let files: Vec<FileEntry> = serde_json::from_slice(&json).map_err(|_| Error::Unsupported {
            file: self.file_name(),
            what: "the part of the manifest has a form that this program does not know".to_owned(),
        })?;
        let rows: u64 = files.iter().map(FileEntry::live_rows).sum();
        let at_max = files.iter().filter_map(|file| file.at_max).max();
        let fits = (files.len() as u64, rows, at_max) == (self.files, self.rows, self.at_max)
            && files.iter().all(|file| PartPlace::of(file) == self.place);
        if fits { Ok(files) } else { Err(bad()) }
    }

    fn aad(&self, dataset: &DatasetId) -> Aad {
        Aad::new("hyperseg manifest part v1").field(dataset.as_bytes()).field(self.id.as_bytes())
    }
}

/// The key of a part in the manifest, which is sealed.
mod key {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{DataKey, Zeroizing};

    pub(super) fn serialize<S: Serializer>(key: &DataKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&key.to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DataKey, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        DataKey::from_hex(&text).ok_or_else(|| D::Error::custom("not a key"))
    }
}
