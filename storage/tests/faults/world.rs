//! A change of a small dataset that is copied for each failure, and what must hold of the copy afterwards; where the copy
//! lies is the business of `place`.

use std::io;
use std::process::{Child, Command};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
    UInt32Array, new_null_array,
};
use arrow::datatypes::DataType;
use hyperseg_dsl::schema::{Class, Schema};
use hyperseg_storage::audit::{Intent, IntentBody};
use hyperseg_storage::dataset::{Dataset, DocumentKind, ShardInfo, TableId};
use hyperseg_storage::scope::KeyScope;
use hyperseg_storage::{Error, layout};

use crate::disk::MODES;
pub use crate::place::World;
use crate::place::{FENCES, THINNER};

pub const ROWS: usize = 12;

/// A process that is being started has the locks of the one that starts it, until it is itself: meanwhile a lock that
/// was let go of looks as if another writer had it.
static STARTING: RwLock<()> = RwLock::new(());

/// Starts a process while no dataset is worked on.
pub fn start(command: &mut Command) -> io::Result<Child> {
    let _alone = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// While this is held no process is started.
pub fn undisturbed() -> RwLockReadGuard<'static, ()> {
    STARTING.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn intent(dataset: &Dataset, action: &'static str) -> Result<Intent, Error> {
    dataset.audit()?.intent(IntentBody::new(action))
}

/// Adds a file of [`ROWS`] rows in a new generation, and a document that says how many files there are then.
pub fn import(dataset: &Dataset) -> Result<u64, Error> {
    let intent = intent(dataset, "import")?;
    let transaction = dataset.begin()?;
    transaction.set_shards(vec![ShardInfo { contacts: 100 }]);
    let table = TableId::Record("sms_sent".to_owned());
    transaction.write_file(table, Class::Behavioural, 0, &[rows()], 100)?;
    let files = transaction.base().files()?.len() + 1;
    transaction.put_document(DocumentKind::Valueset, "files", files.to_string().as_bytes())?;
    let generation = transaction.commit(&intent)?.generation();
    intent.complete(serde_json::json!({}))?;
    Ok(generation)
}

fn rows() -> RecordBatch {
    rows_of(ROWS)
}

pub fn rows_of(rows: usize) -> RecordBatch {
    let schema = layout::record_schema(Schema::built_in().record("sms_sent").unwrap());
    let count = 0..rows as u32;
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.data_type() {
            DataType::UInt32 => Arc::new(UInt32Array::from_iter_values(count.clone())),
            DataType::Int16 => {
                Arc::new(Int16Array::from_iter_values(count.clone().map(|row| (row % 2) as i16)))
            }
            DataType::Int32 => Arc::new(Int32Array::from_iter_values(count.clone().map(|row| row as i32))),
            DataType::Int64 => Arc::new(Int64Array::from_iter_values(count.clone().map(i64::from))),
            DataType::Utf8 => {
                Arc::new(StringArray::from_iter_values(count.clone().map(|row| row.to_string())))
            }
            DataType::FixedSizeBinary(size) => {
                let hash = |row: u32| row.to_le_bytes().repeat(4)[..*size as usize].to_vec();
                Arc::new(FixedSizeBinaryArray::try_from_iter(count.clone().map(hash)).unwrap())
            }
            other => new_null_array(other, rows),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// Rows of the newest generation, every file opened with its key.
pub fn count(dataset: &Dataset) -> Result<usize, Error> {
    let snapshot = dataset.snapshot()?;
    let intent = intent(dataset, "count")?;
    let mut rows = 0;
    for entry in snapshot.files()? {
        let wants = vec![(entry.id, vec!["ord".to_owned()])];
        let scope = KeyScope::arm(dataset, &snapshot, &intent, wants)?;
        for batch in scope.read(dataset, entry, &["ord"], None)? {
            rows += batch?.num_rows();
        }
    }
    Ok(rows)
}

/// How many points are enough where all ways of failing of a disk together give so many.
pub fn enough(points: u64) -> u64 {
    points * MODES.len() as u64 / 6 * 2 / 5 / THINNER as u64
}

/// Whether a generation is the next one. Where a lock does not end with its holder, whoever takes it over makes one first.
pub fn is_next(made: u64, before: u64) -> bool {
    made == before + 1 || FENCES && made == before + 2
}

/// As [`must_open`], and the document that every commit of [`import`] writes says how many files there are.
pub fn must_be_whole(world: &World, point: &str) -> (Dataset, u64) {
    let (dataset, generation) = must_open(world, point);
    let snapshot = dataset.snapshot().unwrap();
    let document = snapshot.document(DocumentKind::Valueset, "files").expect(point);
    let files = dataset.document(document).unwrap_or_else(|error| panic!("{point}: {error}"));
    assert_eq!(
        files.as_slice(),
        snapshot.files().unwrap().len().to_string().as_bytes(),
        "{point}: half a commit"
    );
    (dataset, generation)
}

/// What must hold whatever happened: it opens, every byte is proven, the log proves itself. Gives the dataset and its
/// generation as it was found.
pub fn must_open(world: &World, point: &str) -> (Dataset, u64) {
    let dataset = world.open().unwrap_or_else(|error| panic!("{point}: {error}"));
    let snapshot = dataset.snapshot().unwrap_or_else(|error| panic!("{point}: {error}"));
    let generation = snapshot.generation();
    let proven = dataset.verify(None, None, &|_| {}).unwrap_or_else(|error| panic!("{point}: {error}"));
    assert!(proven.is_sound(), "{point}: {:?}", proven.defects);
    let log = dataset.audit().unwrap().verify().unwrap();
    assert!(!log.grade.is_wrong() && log.open_runs == 0, "{point}: {log:?}");
    (dataset, generation)
}

/// The next commit works and cleans up.
pub fn must_go_on(dataset: &Dataset, point: &str) {
    let before = dataset.snapshot().unwrap().generation();
    let made = import(dataset).unwrap_or_else(|error| panic!("{point}: {error}"));
    assert!(is_next(made, before), "{point}: {made} after {before}");
    let left = dataset.status(0).unwrap();
    let nothing = left.unfinished.temporary_files + left.unfinished.unnamed_files + left.unfinished.open_runs;
    assert_eq!(nothing, 0, "{point}: {:?}", left.unfinished);
    assert!(!left.log.grade.is_wrong(), "{point}");
}
