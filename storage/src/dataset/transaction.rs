//! A transaction: new files, then one new generation. Of the parts that list files only those are written whose files
//! changed; the manifest goes on naming the others of its base.
//!
//! In: batches of rows. Out: the next snapshot, visible in one step when its manifest gets its name. There is one
//! writer at a time (a lock on `DATASET/lock`); a second one, or one that lost a race, gets [`Error::Conflict`]. It can
//! never happen that a reader sees a file before the commit, or half of a commit. What a dead writer left behind is
//! removed when the next transaction begins.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::Utc;
use hyperseg_dsl::schema::{Class, Schema};

use super::document::{self, DocumentEntry, DocumentKind};
use super::entry::{FileEntry, WrappedKey};
use super::id::{DatasetId, DocumentId, FileId, TableId};
use super::manifest::{self, Manifest};
use super::part::{Part, PartPlace};
use super::parts::{self, Lists};
use super::snapshot::{ShardInfo, Snapshot};
use super::vector::{self, VectorEntry};
use super::{DATA, Dataset, SEALED, leftovers};
use crate::audit::{Intent, IntentBody};
use crate::crypto::{Digest, sha256};
use crate::error::{Error, Result};
use crate::file::keys::{FOOTER_KEY, Place};
use crate::file::{FileWriter, Pieces};
use crate::keyring::{KeyClass, Keyring};
use crate::layout;
use crate::store::Guard;

pub(super) const LOCK: &str = "lock";
/// Between two looks at whether another writer is through.
const PAUSE: Duration = Duration::from_millis(200);
const SHARDS_MAX: usize = 1 << 16;

/// Writes files and commits them as the next generation. Without [`Self::commit`] nothing stays.
#[derive(Debug)]
pub struct Transaction {
    dataset: Dataset,
    base: Arc<Snapshot>,
    state: Mutex<State>,
    /// Held until the transaction is over.
    lock: Box<dyn Guard>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<FileEntry>,
    /// Rows of files of the base that count no more.
    deletions: BTreeMap<FileId, Vec<Range<u64>>>,
    /// Vectors that were written for them.
    vectors: BTreeMap<FileId, VectorEntry>,
    /// Files of the base that the next snapshot does without.
    dropped: HashSet<FileId>,
    /// Contacts, by shard and ordinal, that are forgotten.
    forgotten: Vec<(u32, u32)>,
    /// Names of parts that were written for the next manifest.
    parts: Vec<String>,
    documents: Vec<DocumentEntry>,
    /// Documents of the base that the next snapshot does without.
    removed_documents: HashSet<DocumentId>,
    schema: Option<Schema>,
    shards: Option<Vec<ShardInfo>>,
    consent_imported_micros: Option<i64>,
}

impl Transaction {
    pub(super) fn begin(dataset: &Dataset) -> Result<Self> {
        let lock = Self::lock(dataset)?;
        // Keys change under this lock only: from here on what is in memory is what is on the disk, or nothing is
        // written.
        dataset.keyring().check_current()?;
        let mut base = dataset.snapshot()?;
        if lock.was_taken_over() {
            base = fence(dataset, &base)?;
            lock.note_fenced();
        }
        dataset.keyring().note_uses(&base.manifest().key_uses);
        leftovers::remove(dataset, &base)?;
        Ok(Self { dataset: dataset.clone(), base, state: Mutex::default(), lock })
    }

    fn lock(dataset: &Dataset) -> Result<Box<dyn Guard>> {
        let begun = Instant::now();
        loop {
            if let Some(lock) = dataset.store().lock(LOCK)? {
                return Ok(lock);
            }
            let left = dataset.patience().saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(PAUSE));
        }
        let newest = manifest::generations(dataset.store())?.last().copied().unwrap_or(0);
        Err(Error::Conflict { generation: newest.saturating_add(1) })
    }

    /// The snapshot this transaction builds on.
    #[must_use]
    pub fn base(&self) -> &Arc<Snapshot> {
        &self.base
    }

    /// Generation that the commit will make.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.base.generation().saturating_add(1)
    }

    /// Writes one encrypted file from batches whose columns are those of [`crate::layout`] for the table and class.
    /// May be called from several threads. No rows, no file.
    ///
    /// # Errors
    /// The columns are not those of the table, the disk is full, or the written file does not read back.
    pub fn write_file(
        &self,
        table: TableId,
        class: Class,
        shard: u32,
        batches: &[RecordBatch],
        rows_per_group: usize,
    ) -> Result<()> {
        self.write_all((table, class, shard), batches, rows_per_group, false)
    }

    /// Writes one file of batches as they come, and holds none of them longer than it is encoded.
    pub(crate) fn write_stream(
        &self,
        place: (TableId, Class, u32),
        batches: &mut dyn Iterator<Item = Result<RecordBatch>>,
        rows_per_group: usize,
    ) -> Result<()> {
        let has_rows = |batch: &Result<RecordBatch>| !matches!(batch, Ok(batch) if batch.num_rows() == 0);
        let mut batches = batches.filter(has_rows).peekable();
        if batches.peek().is_none() {
            return Ok(());
        }
        let mut pieces = batches.map(|batch| batch.map(|batch| vec![batch]));
        self.write(place, &mut pieces, rows_per_group, false)
    }

    /// Writes the later values of some contacts of a class and shard, whose ordinals ascend.
    ///
    /// # Errors
    /// As [`Self::write_file`].
    pub fn write_overlay(
        &self,
        class: Class,
        shard: u32,
        batches: &[RecordBatch],
        rows_per_group: usize,
    ) -> Result<()> {
        self.write_all((TableId::Contact, class, shard), batches, rows_per_group, true)
    }

    fn write_all(
        &self,
        place: (TableId, Class, u32),
        batches: &[RecordBatch],
        rows_per_group: usize,
        overlay: bool,
    ) -> Result<()> {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        self.write(place, &mut std::iter::once(Ok(batches.to_vec())), rows_per_group, overlay)
    }

    fn write(
        &self,
        (table, class, shard): (TableId, Class, u32),
        pieces: &mut Pieces<'_>,
        rows_per_group: usize,
        overlay: bool,
    ) -> Result<()> {
        if rows_per_group == 0 {
            return Err(mismatch(&table, "a row group must have rows"));
        }
        let columns = self.columns(&table, class)?;
        let of_table = table.clone();
        let mut pieces = pieces.map(|batches| {
            batches?.iter().map(|batch| fitted(batch, &columns, &of_table)).collect::<Result<Vec<_>>>()
        });
        let place = Place {
            dataset: *self.dataset.id(),
            file: FileId::random(),
            table,
            class,
            shard,
            generation: self.generation(),
        };
        let writer = FileWriter {
            store: self.dataset.store(),
            place,
            class_key: self.dataset.keyring().class_key(KeyClass::Data(class))?,
            schema: self.base.schema(),
            page_rows: self.base.manifest().page_rows,
        };
        let mut entry = writer.write(&columns, &mut pieces, rows_per_group)?;
        entry.overlay = overlay;
        if entry.table == TableId::Contact {
            // Whoever was forgotten is not imported, and left out of what is rewritten.
            entry.wiped = self.base.forgotten(shard).len() as u64;
        }
        self.state().files.push(entry);
        Ok(())
    }

    /// Lets rows of a file of the base, or of one that was written here, count no more. What else was deleted of it stays
    /// deleted.
    ///
    /// # Errors
    /// There is no such file, or the file has no such rows.
    pub fn delete_rows(&self, file: FileId, rows: &[Range<u64>]) -> Result<()> {
        let entry = self.file(file)?.ok_or_else(|| Error::FileMissing { file: file.file_name() })?;
        if rows.iter().any(|run| run.end > entry.rows) {
            return Err(mismatch(&entry.table, "rows that the file does not have cannot be deleted"));
        }
        self.state().deletions.entry(file).or_default().extend(rows.iter().cloned());
        Ok(())
    }

    fn file(&self, file: FileId) -> Result<Option<FileEntry>> {
        let written = self.state().files.iter().find(|entry| entry.id == file).cloned();
        Ok(if written.is_some() { written } else { self.base.file(file)?.cloned() })
    }

    /// The snapshot that a commit would make now, but for rows that were deleted: for looking at what was written.
    pub(crate) fn preview(&self, intent: &Intent) -> Result<Arc<Snapshot>> {
        let (next, hash) = (self.next_manifest(intent)?, Digest(self.base.manifest_hash()));
        Ok(Arc::new(Snapshot::new(next, hash, self.dataset.location())))
    }

    /// Does without a file of the base.
    pub(crate) fn drop_file(&self, file: FileId) {
        self.state().dropped.insert(file);
    }

    /// Forgets a contact of the base: nobody sees it from the next generation on, nor in an older one.
    pub(crate) fn forget(&self, shard: u32, ordinal: u32) {
        self.state().forgotten.push((shard, ordinal));
    }

    /// Seals a document, in the place of the one of this kind and name. Gives false, and does nothing, when that one
    /// has the same contents.
    ///
    /// # Errors
    /// A limit is passed, or the disk fails.
    pub fn put_document(&self, kind: DocumentKind, name: &str, contents: &[u8]) -> Result<bool> {
        let same = |entry: &DocumentEntry| entry.contents.0 == sha256(contents);
        if self.base.document(kind, name).is_some_and(same) {
            return Ok(false);
        }
        // Datasets of before there were documents lack the directory.
        let store = self.dataset.store();
        if store.look(SEALED)?.is_none() {
            store.make_directory(SEALED)?;
            store.sync("")?;
        }
        let entry = DocumentEntry::write(&self.dataset, self.generation(), (kind, name), contents)?;
        self.state().documents.push(entry);
        Ok(true)
    }

    /// Does without the document of the base of this kind and name, and gives it; none when there is none.
    pub fn remove_document(&self, kind: DocumentKind, name: &str) -> Option<DocumentEntry> {
        let entry = self.base.document(kind, name)?.clone();
        self.state().removed_documents.insert(entry.id);
        Some(entry)
    }

    /// Columns that a file of this table and class has.
    fn columns(&self, table: &TableId, class: Class) -> Result<SchemaRef> {
        let schema = self.base.schema();
        match table {
            TableId::Contact if layout::contact_classes(schema).contains(&class) => {
                Ok(layout::contact_schema(schema, class))
            }
            TableId::History if layout::contact_classes(schema).contains(&class) => {
                Ok(layout::history_schema())
            }
            TableId::Contact | TableId::History => {
                Err(mismatch(table, &format!("contacts have no field of class `{class}`")))
            }
            TableId::Record(name) => match schema.record(name) {
                Some(kind) if schema.classes_for(kind, None).contains(&class) => {
                    Ok(layout::record_schema(kind))
                }
                Some(_) => Err(mismatch(table, &format!("its records never lie in class `{class}`"))),
                None => Err(mismatch(table, "the schema has no such record kind")),
            },
        }
    }

    /// Sets the schema of the next snapshot: that of the base and what is added to it.
    pub(crate) fn set_schema(&self, schema: Schema) {
        self.state().schema = Some(schema);
    }

    /// Sets the shards of the next snapshot; without it they stay as they are.
    pub fn set_shards(&self, shards: Vec<ShardInfo>) {
        self.state().shards = Some(shards);
    }

    /// Says when consent was imported, in microseconds since the epoch; without it the old moment stays.
    pub fn set_consent_imported(&self, micros: i64) {
        self.state().consent_imported_micros = Some(micros);
    }

    /// Wraps the data keys of all files of these classes under the primary keys of `keyring`, in a new generation that
    /// names the same files: no data is written. Gives the snapshot and the number of keys wrapped.
    pub(super) fn rewrap(
        mut self,
        keyring: &Keyring,
        classes: &[KeyClass],
        intent: &Intent,
    ) -> Result<(Arc<Snapshot>, u64)> {
        keyring.note_uses(&self.base.manifest().key_uses);
        let mut next = self.next_manifest(intent)?;
        let mut wrapped = 0;
        let mut lists = Lists::new();
        for part in next.parts.iter().filter(|part| classes.contains(&KeyClass::Data(part.place.class))) {
            let mut files = part.load(self.dataset.store(), self.dataset.id())?.to_vec();
            for file in &mut files {
                wrapped += rewrap_file(self.dataset.id(), keyring, file)?;
            }
            lists.insert(part.place.clone(), files);
        }
        next.parts = parts::replaced(&next.parts, lists)?;
        if classes.contains(&KeyClass::Manifest) {
            for document in &mut next.documents {
                document.rewrap(self.dataset.id(), keyring)?;
                wrapped += 1;
            }
        }
        next.key_uses = keyring.uses(&next.key_uses);
        self.dataset = self.dataset.with_keyring(keyring.clone())?;
        Ok((self.publish(next)?, wrapped))
    }

    /// Makes the next snapshot out of the base and the files written.
    ///
    /// # Errors
    /// [`Error::Conflict`] when somebody else has made this generation; then nothing of this transaction stays. After
    /// another error the generation may be there in full, but was not acknowledged.
    pub fn commit(self, intent: &Intent) -> Result<Arc<Snapshot>> {
        self.write_vectors()?;
        let next = self.next_manifest(intent)?;
        self.publish(next)
    }

    /// Writes the deletion vectors of the files of which rows were deleted. A file of which no row is left is dropped.
    fn write_vectors(&self) -> Result<()> {
        let deletions = std::mem::take(&mut self.state().deletions);
        let (store, keyring) = (self.dataset.store(), self.dataset.keyring());
        for (file, mut rows) in deletions {
            let Some(entry) = self.file(file)? else { continue };
            rows.extend(vector::of_file(store, *self.dataset.id(), keyring, &entry)?);
            let rows = vector::union(rows);
            let deleted: u64 = rows.iter().map(|run| run.end - run.start).sum();
            if deleted == entry.rows {
                self.state().dropped.insert(file);
            } else if deleted > entry.deleted_rows() {
                let place = Place::of(*self.dataset.id(), &entry);
                let vector = VectorEntry::write(store, keyring, &place, &rows)?;
                self.state().vectors.insert(file, vector);
            }
        }
        Ok(())
    }

    fn publish(self, mut next: Manifest) -> Result<Arc<Snapshot>> {
        let key = self.dataset.keyring().class_key(KeyClass::Manifest)?;
        let store = self.dataset.store();
        let new = next.parts.iter().filter(|part| !part.is_written());
        self.state().parts.extend(new.map(Part::file_name));
        parts::write(&mut next.parts, store, self.dataset.id())?;
        store.sync(DATA)?;
        if !self.confirm()? {
            return Err(Error::Conflict { generation: next.generation });
        }
        let created = manifest::create(store, key, &next);
        if !matches!(created, Err(Error::Conflict { .. })) && !self.is_absent(next.generation) {
            // the manifest has its name, even if an error came after it: the files are the snapshot's
            let mut state = self.state();
            state.files.clear();
            state.vectors.clear();
            state.parts.clear();
            state.documents.clear();
        }
        let hash = created?;
        if !self.confirm()? && !manifest::generations(store)?.contains(&self.base.generation()) {
            // Whoever took the lock over has gone on so far that the base was collected: this one came too late.
            store.remove(&manifest::file_name(next.generation))?;
            return Err(Error::Conflict { generation: next.generation });
        }
        // The commit stands, held or not.
        let hold = manifest::hold(store, next.generation).ok().flatten();
        let snapshot = Arc::new(Snapshot::new(next, hash, self.dataset.location()).held(hold));
        self.dataset.remember(&snapshot, None);
        self.dataset.audit()?.anchor_generation(snapshot.generation())?;
        Ok(snapshot)
    }

    /// Whether the lock is still held.
    fn confirm(&self) -> Result<bool> {
        self.lock.confirm().map_err(|error| Error::io("lock", LOCK, error))
    }

    /// Whether a generation is known to have no manifest.
    fn is_absent(&self, generation: u64) -> bool {
        matches!(self.dataset.store().look(&manifest::file_name(generation)), Ok(None))
    }

    fn next_manifest(&self, intent: &Intent) -> Result<Manifest> {
        let base = self.base.manifest();
        let parts = self.next_parts()?;
        let state = self.state();
        let mut forgotten = base.forgotten.clone();
        for (shard, ordinal) in &state.forgotten {
            forgotten.entry(*shard).or_default().push(*ordinal);
        }
        for ordinals in forgotten.values_mut() {
            ordinals.sort_unstable();
            ordinals.dedup();
        }
        let next = Manifest {
            dataset: base.dataset,
            generation: self.generation(),
            previous: Some(Digest(self.base.manifest_hash())),
            created_micros: Utc::now().timestamp_micros(),
            run: intent.id().to_string(),
            zone: base.zone,
            shard_contacts: base.shard_contacts,
            page_rows: base.page_rows,
            shards: state.shards.clone().unwrap_or_else(|| base.shards.clone()),
            consent_imported_micros: state.consent_imported_micros.or(base.consent_imported_micros),
            schema: state.schema.clone().unwrap_or_else(|| base.schema.clone()),
            key_uses: self.dataset.keyring().uses(&base.key_uses),
            parts,
            forgotten,
            documents: document::replaced(&base.documents, &state.documents, &state.removed_documents)?,
        };
        check_shards(&next, base, &state.files)?;
        Ok(next)
    }

    /// The parts of the next manifest: new ones for the tables, classes and shards of which files were written, dropped or
    /// got a deletion vector.
    fn next_parts(&self) -> Result<Vec<Part>> {
        let touched: Vec<FileId> = {
            let state = self.state();
            state.dropped.iter().chain(state.vectors.keys()).copied().collect()
        };
        let mut changed = BTreeSet::new();
        for id in touched {
            changed.extend(self.base.file(id)?.map(PartPlace::of));
        }
        let (base, state) = (self.base.manifest(), self.state());
        changed.extend(state.files.iter().map(PartPlace::of));
        let mut lists = Lists::new();
        for place in changed {
            let old = base.parts.iter().find(|part| part.place == place);
            let old = old.map(|part| part.load(self.dataset.store(), self.dataset.id())).transpose()?;
            let new = state.files.iter().filter(|file| PartPlace::of(file) == place);
            // A file that was written here and has no row left is removed as what nobody names, by the next transaction.
            let stays = |file: &&FileEntry| !state.dropped.contains(&file.id);
            let mut files: Vec<FileEntry> =
                old.unwrap_or_default().iter().chain(new).filter(stays).cloned().collect();
            for file in &mut files {
                if let Some(vector) = state.vectors.get(&file.id) {
                    file.deleted = Some(vector.clone());
                }
            }
            lists.insert(place, files);
        }
        parts::replaced(&base.parts, lists)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // what cannot be removed now is removed when the next transaction begins
        let state = self.state();
        let files = state.files.iter().map(FileEntry::file_name);
        let vectors = state.vectors.values().map(VectorEntry::file_name);
        let documents = state.documents.iter().map(DocumentEntry::file_name);
        for name in files.chain(vectors).chain(state.parts.iter().cloned()).chain(documents) {
            let _ = self.dataset.store().remove(&name);
        }
    }
}

/// Wraps the data keys of one file anew; the file is bound to its place as before.
fn rewrap_file(dataset: &DatasetId, keyring: &Keyring, file: &mut FileEntry) -> Result<u64> {
    let class = KeyClass::Data(file.class);
    let (old, new) = (keyring.key_of(class, &file.key_id)?, keyring.class_key(class)?);
    let place = Place::of(*dataset, file);
    let move_over = |name: &str, wrapped: &mut WrappedKey| -> Result<()> {
        *wrapped = place.wrap(new, name, &place.unwrap(old, old.id(), name, wrapped)?)?;
        Ok(())
    };
    for column in &mut file.columns {
        move_over(&column.name, &mut column.key)?;
    }
    move_over(FOOTER_KEY, &mut file.footer.key)?;
    file.key_id = *new.id();
    if let Some(vector) = &mut file.deleted {
        vector.rewrap(keyring, &place)?;
    }
    Ok(file.columns.len() as u64 + 1)
}

fn mismatch(table: &TableId, what: &str) -> Error {
    Error::Mismatch { table: table.to_string(), what: what.to_owned() }
}

/// The batch under the schema of its file, so that types and missing values are checked.
fn fitted(batch: &RecordBatch, columns: &SchemaRef, table: &TableId) -> Result<RecordBatch> {
    let names =
        |schema: &SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    if names(&batch.schema()) != names(columns) {
        return Err(mismatch(table, "the columns are not those of the table, or stand in another order"));
    }
    for (field, values) in columns.fields().iter().zip(batch.columns()) {
        if field.data_type() != values.data_type() {
            return Err(mismatch(table, &format!("column `{}` has another type", field.name())));
        }
        if !field.is_nullable() && values.null_count() > 0 {
            return Err(mismatch(table, &format!("column `{}` lacks a value", field.name())));
        }
    }
    RecordBatch::try_new(Arc::clone(columns), batch.columns().to_vec())
        .map_err(|_| mismatch(table, "a batch does not fit the table"))
}

/// Shards only grow, none is over-full, and every file belongs to one.
fn check_shards(next: &Manifest, base: &Manifest, new: &[FileEntry]) -> Result<()> {
    let bad = |what: &str| Err(Error::Mismatch { table: "shards".to_owned(), what: what.to_owned() });
    if next.shards.len() > SHARDS_MAX {
        return Err(Error::Limit { what: "the number of shards".to_owned(), max: SHARDS_MAX as u64 });
    }
    if next.shards.iter().any(|shard| shard.contacts > next.shard_contacts) {
        return bad("a shard has more contacts than the dataset allows");
    }
    let shrinks = base.shards.iter().zip(&next.shards).any(|(old, new)| new.contacts < old.contacts);
    if shrinks || next.shards.len() < base.shards.len() {
        return bad("a shard would lose contacts");
    }
    if new.iter().any(|file| usize::try_from(file.shard).map_or(true, |shard| shard >= next.shards.len())) {
        return bad("a file belongs to a shard that is not there");
    }
    Ok(())
}

/// Makes a generation with what the base has, so that a writer whose lock was taken over, and who may not be dead, finds
/// its place taken. Only then may its files be removed.
fn fence(dataset: &Dataset, base: &Arc<Snapshot>) -> Result<Arc<Snapshot>> {
    let generation = base.generation().saturating_add(1);
    let details = serde_json::json!({ "reason": "a writer that gave no sign", "generation": generation });
    let intent = dataset.audit()?.intent(IntentBody { details, ..IntentBody::new("takeover") })?;
    let next = Manifest {
        generation,
        previous: Some(Digest(base.manifest_hash())),
        created_micros: Utc::now().timestamp_micros(),
        run: intent.id().to_string(),
        ..base.manifest().clone()
    };
    let key = dataset.keyring().class_key(KeyClass::Manifest)?;
    let made = match manifest::create(dataset.store(), key, &next) {
        Ok(_) => true,
        // It was not dead, and has just committed.
        Err(Error::Conflict { .. }) => false,
        Err(error) => return Err(error),
    };
    // Anchors it too.
    let snapshot = dataset.snapshot()?;
    intent.complete(serde_json::json!({ "made": made, "generation": snapshot.generation() }))?;
    Ok(snapshot)
}
