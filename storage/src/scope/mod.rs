//! The data keys one query may use.
//!
//! In: the columns that a plan reads, file by file, and the audit record that says so. Out: metadata and rows of these
//! columns, and the list of what was unlocked. Only the data keys of the wanted columns, and of the footers of their
//! files, are ever unwrapped; every other column stays sealed.

mod open;
mod patch;
mod read;
mod retriever;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use hyperseg_dsl::schema::Class;
use parquet::encryption::decrypt::FileDecryptionProperties;
use serde::{Deserialize, Serialize};

pub use open::OpenFile;
use patch::Patches;
pub use read::Batches;
use retriever::{FileKeys, Retriever};

use crate::audit::Intent;
use crate::crypto::DataKey;
use crate::dataset::{Dataset, FileEntry, FileId, Snapshot, TableId};
use crate::error::{Error, Result};
use crate::file::footer;
use crate::file::keys::{FOOTER_KEY, Place};
use crate::keyring::KeyClass;
use crate::layout;

/// A column whose data keys were unwrapped, for the audit record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlocked {
    /// Table: `contact`, or the name of a record kind.
    pub table: String,
    /// Sensitivity class.
    pub class: Class,
    /// Top-level column.
    pub column: String,
    /// Ids of the class keys that wrap its data keys.
    pub key_ids: Vec<String>,
    /// Files whose data key for this column was unwrapped; file and column name the data key.
    pub files: Vec<FileId>,
}

/// Unwrapped data keys of the columns of one plan. They are wiped when the scope goes.
pub struct KeyScope {
    files: HashMap<FileId, FileScope>,
    unlocked: Vec<Unlocked>,
}

struct FileScope {
    place: Place,
    /// All columns of the table, as they are read; a file of before one was added does not have it.
    schema: SchemaRef,
    keys: Arc<FileKeys>,
    /// Key of the file's deletion vector.
    deleted: Option<DataKey>,
    /// Files with later values of its contacts, the latest last.
    overlays: Vec<FileEntry>,
    /// Ordinal of its first row, when there are such files.
    first_ordinal: u64,
    open: Mutex<Option<Arc<OpenFile>>>,
}

impl KeyScope {
    /// Unwraps the data keys of the wanted top-level columns; nothing is unwrapped without a durable intent. With those of
    /// a file of contacts come those of the overlays that hold later values of it.
    ///
    /// # Errors
    /// A file is not of the snapshot, its table has no such column, the keyring has no key for the class, or a wrapped
    /// key does not open.
    pub fn arm(
        dataset: &Dataset,
        snapshot: &Arc<Snapshot>,
        intent: &Intent,
        wants: Vec<(FileId, Vec<String>)>,
    ) -> Result<Arc<Self>> {
        Self::arm_files(dataset, snapshot, intent, wants, true)
    }

    /// The same for files as they lie there, without what is later than they are.
    pub(crate) fn arm_stored(
        dataset: &Dataset,
        snapshot: &Arc<Snapshot>,
        intent: &Intent,
        wants: Vec<(FileId, Vec<String>)>,
    ) -> Result<Arc<Self>> {
        Self::arm_files(dataset, snapshot, intent, wants, false)
    }

    /// The columns by file that [`KeyScope::arm`] unlocks when these are wanted: those of a file of contacts also in the
    /// files that hold later values of it.
    ///
    /// # Errors
    /// What lists the files cannot be read.
    pub fn needed(
        snapshot: &Snapshot,
        wants: Vec<(FileId, Vec<String>)>,
    ) -> Result<BTreeMap<FileId, BTreeSet<String>>> {
        merged(snapshot, wants, true)
    }

    fn arm_files(
        dataset: &Dataset,
        snapshot: &Arc<Snapshot>,
        _intent: &Intent,
        wants: Vec<(FileId, Vec<String>)>,
        with_overlays: bool,
    ) -> Result<Arc<Self>> {
        let merged = merged(snapshot, wants, with_overlays)?;
        let mut files = HashMap::with_capacity(merged.len());
        let mut log = UnlockedLog::default();
        for (id, columns) in merged {
            let entry = snapshot.file(id)?.ok_or_else(|| Error::Mismatch {
                table: id.file_name(),
                what: format!("generation {} has no such file", snapshot.generation()),
            })?;
            let schema = layout::schema_of(snapshot.schema(), &entry.table, entry.class);
            let schema =
                schema.ok_or_else(|| Error::corrupt(entry.file_name(), "the schema has no such table"))?;
            let mut file = Self::arm_file(dataset, entry, schema, &columns, &mut log)?;
            if with_overlays {
                file.overlays = overlays(snapshot, entry)?.cloned().collect();
                if !file.overlays.is_empty() {
                    file.first_ordinal = snapshot.first_ordinal(entry)?;
                }
            }
            files.insert(id, file);
        }
        Ok(Arc::new(Self { files, unlocked: log.finish() }))
    }

    fn arm_file(
        dataset: &Dataset,
        entry: &FileEntry,
        schema: SchemaRef,
        columns: &BTreeSet<String>,
        log: &mut UnlockedLog,
    ) -> Result<FileScope> {
        let class_key = dataset.keyring().key_of(KeyClass::Data(entry.class), &entry.key_id)?;
        let place = Place::of(*dataset.id(), entry);
        let unwrap = |name: &str, wrapped| place.unwrap(class_key, &entry.key_id, name, wrapped);
        let mut keys = HashMap::new();
        for column in columns {
            if !entry.has_column(column) {
                if schema.index_of(column).is_ok() {
                    // Added later: it is missing in all rows, and there is nothing to unlock.
                    continue;
                }
                let what = format!("it has no column `{column}`");
                return Err(Error::Mismatch { table: entry.file_name(), what });
            }
            for leaf in entry.columns.iter().filter(|leaf| leaf.top_level() == column) {
                keys.insert(leaf.name.clone(), unwrap(&leaf.name, &leaf.key)?);
            }
            log.note(entry, column);
        }
        let footer = unwrap(FOOTER_KEY, &entry.footer.key)?;
        let deleted = entry.deleted.as_ref().map(|vector| vector.unwrap(dataset.keyring(), &place));
        Ok(FileScope {
            deleted: deleted.transpose()?,
            place,
            schema,
            keys: Arc::new(FileKeys::new(footer, keys)),
            overlays: Vec::new(),
            first_ordinal: 0,
            open: Mutex::default(),
        })
    }

    /// Opens a file; its footer and page directories are read once per scope.
    ///
    /// # Errors
    /// The file is outside the scope or missing, its footer or a directory is not the one that was written, or what
    /// they say is not what the manifest says.
    pub fn open(&self, dataset: &Dataset, entry: &FileEntry) -> Result<Arc<OpenFile>> {
        let scope = self.file(entry)?;
        let mut cached = scope.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = cached.as_ref() {
            return Ok(Arc::clone(open));
        }
        let deleted = scope.deleted_rows(dataset, entry)?;
        let mut open = Self::open_proven(dataset, entry, scope, deleted)?;
        if !scope.overlays.is_empty() {
            let overlays = scope.overlays.iter().map(|overlay| self.open(dataset, overlay));
            open.patches = Patches::of(overlays.collect::<Result<_>>()?, scope.first_ordinal, entry.rows)?;
        }
        let open = Arc::new(open);
        *cached = Some(Arc::clone(&open));
        Ok(open)
    }

    /// Opens a file that was kept, or else the one that lies there.
    fn open_proven(
        dataset: &Dataset,
        entry: &FileEntry,
        scope: &FileScope,
        deleted: Vec<Range<u64>>,
    ) -> Result<OpenFile> {
        if let Some(file) = dataset.kept_files().get(entry.id, entry.bytes)
            && let Ok(open) = OpenFile::open(file, entry, scope, deleted.clone())
        {
            return Ok(open);
        }
        // A directory that nobody had asked for may have been damaged when it was kept, and put right since.
        let open = OpenFile::open(dataset.open_file(entry)?, entry, scope, deleted)?;
        dataset.kept_files().keep(entry.id, &open.file);
        Ok(open)
    }

    /// Opens the footer alone, and checks that every column chunk is encrypted under a key of its own.
    ///
    /// # Errors
    /// The file is outside the scope, or its footer is not the one that was written.
    pub(crate) fn check_footer(&self, dataset: &Dataset, entry: &FileEntry) -> Result<()> {
        let (_, decryption) = self.file(entry)?.decryption(entry)?;
        footer::parse(&dataset.open_file(entry)?, entry, &decryption).map(|_| ())
    }

    /// Decryption properties of a file, for readers that insist on parsing the footer themselves. They must be told
    /// to skip the page index, and cannot tell plaintext files from encrypted ones; [`Self::open`] can.
    ///
    /// # Errors
    /// The file is outside the scope.
    pub fn decryption(&self, entry: &FileEntry) -> Result<Arc<FileDecryptionProperties>> {
        self.file(entry)?.decryption(entry).map(|(_, properties)| properties)
    }

    /// Every column whose data keys were unwrapped, by table, class and name.
    #[must_use]
    pub fn unlocked(&self) -> Vec<Unlocked> {
        self.unlocked.clone()
    }

    /// Data keys outside the scope that were asked for while data was read: attempts that failed.
    #[must_use]
    pub fn refused(&self) -> Vec<(FileId, String)> {
        self.noted(|keys| &keys.refused)
    }

    /// Leaves that stayed sealed while footers were parsed: the columns the plan does not need.
    #[must_use]
    pub fn sealed(&self) -> Vec<(FileId, String)> {
        self.noted(|keys| &keys.sealed)
    }

    fn noted(&self, list: impl Fn(&FileKeys) -> &Mutex<BTreeSet<String>>) -> Vec<(FileId, String)> {
        let mut all = Vec::new();
        for (id, file) in &self.files {
            let columns = list(&file.keys).lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(columns.iter().map(|column| (*id, column.clone())));
        }
        all.sort();
        all
    }

    fn file(&self, entry: &FileEntry) -> Result<&FileScope> {
        self.files
            .get(&entry.id)
            .ok_or_else(|| Error::Sealed { file: entry.file_name(), column: "any".to_owned() })
    }
}

impl FileScope {
    /// Rows that the deletion vector of the file names.
    fn deleted_rows(&self, dataset: &Dataset, entry: &FileEntry) -> Result<Vec<Range<u64>>> {
        match (&entry.deleted, &self.deleted) {
            (Some(vector), Some(key)) => vector.read(dataset.store(), &self.place, key, entry.rows),
            (None, _) => Ok(Vec::new()),
            (Some(vector), None) => {
                Err(Error::Sealed { file: vector.file_name(), column: "deleted rows".to_owned() })
            }
        }
    }

    fn decryption(&self, entry: &FileEntry) -> Result<(Arc<Retriever>, Arc<FileDecryptionProperties>)> {
        let retriever = Retriever::new(Arc::clone(&self.keys));
        let properties = FileDecryptionProperties::with_key_retriever(Arc::clone(&retriever) as _)
            .with_aad_prefix(self.place.aad_prefix())
            .build()
            .map_err(|_| Error::corrupt(entry.file_name(), "its decryption cannot be set up"))?;
        Ok((retriever, properties))
    }
}

impl fmt::Debug for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyScope").field("unlocked", &self.unlocked).finish_non_exhaustive()
    }
}

fn merged(
    snapshot: &Snapshot,
    wants: Vec<(FileId, Vec<String>)>,
    with_overlays: bool,
) -> Result<BTreeMap<FileId, BTreeSet<String>>> {
    let mut merged: BTreeMap<FileId, BTreeSet<String>> = BTreeMap::new();
    for (file, columns) in wants {
        let entry = if with_overlays { snapshot.file(file)? } else { None };
        let overlays = entry.map(|entry| overlays(snapshot, entry)).transpose()?;
        for overlay in overlays.into_iter().flatten() {
            let columns = columns.iter().cloned().chain([layout::ORDINAL.to_owned()]);
            merged.entry(overlay.id).or_default().extend(columns);
        }
        merged.entry(file).or_default().extend(columns);
    }
    Ok(merged)
}

/// Files that hold later values of a file of contacts.
fn overlays<'s>(
    snapshot: &'s Snapshot,
    entry: &FileEntry,
) -> Result<impl Iterator<Item = &'s FileEntry> + use<'s>> {
    let is_patched = entry.table == TableId::Contact && !entry.overlay;
    let overlays = is_patched.then(|| snapshot.overlays(entry.class, entry.shard)).transpose()?;
    Ok(overlays.into_iter().flatten())
}

/// Collects what was unlocked, one item for each table, class and column.
#[derive(Default)]
struct UnlockedLog(BTreeMap<(String, Class, String), UnlockedKeys>);

#[derive(Default)]
struct UnlockedKeys {
    key_ids: BTreeSet<String>,
    files: Vec<FileId>,
}

impl UnlockedLog {
    fn note(&mut self, entry: &FileEntry, column: &str) {
        let place = (entry.table.name().to_owned(), entry.class, column.to_owned());
        let keys = self.0.entry(place).or_default();
        keys.key_ids.insert(entry.key_id.to_string());
        keys.files.push(entry.id);
    }

    fn finish(self) -> Vec<Unlocked> {
        let item = |((table, class, column), keys): ((String, Class, String), UnlockedKeys)| {
            let UnlockedKeys { key_ids, files } = keys;
            Unlocked { table, class, column, key_ids: key_ids.into_iter().collect(), files }
        };
        self.0.into_iter().map(item).collect()
    }
}
