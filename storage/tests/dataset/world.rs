//! A small dataset in a directory of its own, and rows for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, Float64Array, Int16Array, Int16Builder, Int32Array,
    Int64Array, ListBuilder, RecordBatch, StringArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, SchemaRef};
use hyperseg_dsl::schema::{Class, Schema};
use hyperseg_storage::audit::{Intent, IntentBody};
use hyperseg_storage::dataset::{Dataset, FileEntry, InitOptions, ShardInfo, Snapshot, TableId};
use hyperseg_storage::keyring::Keyring;
use hyperseg_storage::{Error, layout};
use sha2::{Digest as _, Sha256};

pub const CANARY: &str = "Zanzibar-Quokka-5521";

pub struct World {
    _root: tempfile::TempDir,
    pub dir: PathBuf,
    pub keyring: PathBuf,
    pub dataset: Dataset,
}

impl World {
    /// An empty dataset.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (dir, keyring) = (root.path().join("data set"), root.path().join("keys/ring"));
        let (dataset, _recovery) = Dataset::init(&dir, &keyring, InitOptions::default()).unwrap();
        Self { _root: root, dir, keyring, dataset }
    }

    /// The same dataset once more, byte by byte.
    pub fn copy(&self) -> Self {
        let root = tempfile::tempdir().unwrap();
        copy_into(self._root.path(), root.path());
        let (dir, keyring) = (root.path().join("data set"), root.path().join("keys/ring"));
        let open = Keyring::open(&keyring, &dir, &Keyring::default_unlock(&keyring)).unwrap();
        let dataset = Dataset::open(dir.as_path(), open).unwrap();
        Self { _root: root, dir, keyring, dataset }
    }

    /// A dataset with identity, demographic and email rows of one shard.
    pub fn filled() -> Self {
        let world = Self::new();
        world.add(500);
        world
    }

    /// Adds files of so many rows to shard 0.
    pub fn add(&self, rows: usize) -> Arc<Snapshot> {
        let transaction = self.dataset.begin().unwrap();
        transaction.set_shards(vec![ShardInfo { contacts: 1_000 }]);
        for class in [Class::Identity, Class::Demographic] {
            let batch = contacts(class, rows);
            transaction.write_file(TableId::Contact, class, 0, &[batch], 200).unwrap();
        }
        let batches = [records("email_open", rows), records("email_open", rows)];
        transaction.write_file(record("email_open"), Class::Behavioural, 0, &batches, 300).unwrap();
        let intent = self.intent("import");
        let snapshot = transaction.commit(&intent).unwrap();
        intent.complete(serde_json::json!({})).unwrap();
        snapshot
    }

    pub fn intent(&self, action: &'static str) -> Intent {
        self.dataset.audit().unwrap().intent(IntentBody::new(action)).unwrap()
    }

    /// The same dataset, opened again.
    pub fn reopen(&self) -> Result<Dataset, Error> {
        let keyring = Keyring::open(&self.keyring, &self.dir, &Keyring::default_unlock(&self.keyring))?;
        Dataset::open(&self.dir, keyring)
    }

    pub fn path(&self, entry: &FileEntry) -> PathBuf {
        self.dir.join(entry.file_name())
    }

    pub fn manifest(&self, generation: u64) -> PathBuf {
        self.dir.join(format!("snapshots/{generation:016}.manifest"))
    }
}

pub fn record(kind: &str) -> TableId {
    TableId::Record(kind.to_owned())
}

pub fn contacts(class: Class, rows: usize) -> RecordBatch {
    batch(&layout::contact_schema(&Schema::built_in(), class), rows)
}

pub fn records(kind: &str, rows: usize) -> RecordBatch {
    batch(&layout::record_schema(Schema::built_in().record(kind).unwrap()), rows)
}

/// Rows with something in every column; texts carry the canary.
pub fn batch(schema: &SchemaRef, rows: usize) -> RecordBatch {
    let columns = schema.fields().iter().map(|field| column(field, rows)).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}

fn column(field: &Field, rows: usize) -> ArrayRef {
    let count = 0..u32::try_from(rows).unwrap();
    match field.data_type() {
        DataType::UInt32 => Arc::new(UInt32Array::from_iter_values(count)),
        DataType::Utf8 => Arc::new(StringArray::from_iter_values(count.map(|row| format!("{CANARY}{row}")))),
        DataType::Int16 => Arc::new(Int16Array::from_iter_values(count.map(|row| (row % 3) as i16))),
        DataType::Int32 => Arc::new(Int32Array::from_iter_values(count.map(|row| row as i32 * 4))),
        DataType::Int64 => Arc::new(Int64Array::from_iter_values(count.map(|row| i64::from(row) * 4_000))),
        DataType::Float64 => Arc::new(Float64Array::from_iter_values(count.map(f64::from))),
        DataType::Boolean => Arc::new(BooleanArray::from_iter(count.map(|row| Some(row % 2 == 0)))),
        DataType::FixedSizeBinary(size) => {
            let hash =
                |row: u32| row.to_le_bytes().repeat(4).into_iter().take(*size as usize).collect::<Vec<u8>>();
            Arc::new(FixedSizeBinaryArray::try_from_iter(count.map(hash)).unwrap())
        }
        DataType::List(element) => {
            let mut list = ListBuilder::new(Int16Builder::new()).with_field(Arc::clone(element));
            for row in count {
                list.append_value([Some((row % 3) as i16), Some(1)]);
            }
            Arc::new(list.finish())
        }
        other => panic!("no rows for {other}"),
    }
}

/// Every file below a directory.
/// Directories too, empty ones among them, with what may be done in them.
fn copy_into(from: &Path, to: &Path) {
    for item in fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&copy).unwrap();
            fs::set_permissions(&copy, fs::metadata(&path).unwrap().permissions()).unwrap();
            copy_into(&path, &copy);
        } else {
            fs::copy(&path, &copy).unwrap();
        }
    }
}

pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

pub fn of_table<'a>(snapshot: &'a Snapshot, table: &TableId, class: Class) -> &'a FileEntry {
    snapshot.files().unwrap().into_iter().find(|file| file.table == *table && file.class == class).unwrap()
}

/// Writes a keyring whose checksum fits the text: what somebody can do who knows the format and has no key.
pub fn forge_keyring(path: &Path, text: &str) {
    let body = text.split("\"body\": ").nth(1).unwrap().split(",\n  \"mac\"").next().unwrap();
    let compact: String = body.lines().map(|line| line.trim().replace("\": ", "\":")).collect();
    let mac = text.split("\"mac\": \"").nth(1).unwrap()[..64].to_owned();
    let checksum = hex::encode(Sha256::digest([compact.as_bytes(), &hex::decode(mac).unwrap()].concat()));
    let old = text.split("\"checksum\": \"").nth(1).unwrap()[..64].to_owned();
    fs::write(path, text.replace(&old, &checksum)).unwrap();
}
