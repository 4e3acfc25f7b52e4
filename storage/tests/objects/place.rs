//! A small dataset in an object store in memory, with its keyring in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use hyperseg_storage::dataset::{Dataset, InitOptions};
use hyperseg_storage::keyring::{Keyring, Unlock};
use hyperseg_storage::store::ObjectOptions;
use hyperseg_storage::{Error, Location};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::disk::{Faulty, FaultyStore, Mode};
use crate::world::import;

/// A lock does not end with its holder.
pub const FENCES: bool = true;
/// One in so many of the failures that are tried: what a change does at all is tried on a disk.
pub const THINNER: usize = 3;
const PREFIX: &str = "hospital/data set";
const COPY: &str = "copies/one";

pub struct World {
    root: tempfile::TempDir,
    pub objects: Arc<dyn ObjectStore>,
}

impl World {
    /// A dataset of two generations; the second has one file.
    pub fn new() -> Self {
        let world = Self::bare();
        let (dataset, _kit) =
            Dataset::init(world.location(), &world.keyring(), InitOptions::default()).unwrap();
        import(&dataset).unwrap();
        world
    }

    pub fn copy(&self) -> Self {
        let copy = Self::bare();
        for meta in self.all() {
            block_on(async {
                let bytes = self.objects.get(&meta.location).await.unwrap().bytes().await.unwrap();
                copy.objects.put(&meta.location, bytes.into()).await.unwrap();
            });
        }
        let keys = copy.root.path().join("keys");
        fs::create_dir(&keys).unwrap();
        fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        for item in fs::read_dir(self.root.path().join("keys")).unwrap() {
            let item = item.unwrap();
            fs::copy(item.path(), keys.join(item.file_name())).unwrap();
        }
        copy
    }

    /// A place without a dataset.
    pub fn bare() -> Self {
        Self { root: tempfile::tempdir().unwrap(), objects: Arc::new(InMemory::new()) }
    }

    pub fn keyring(&self) -> PathBuf {
        self.root.path().join("keys/ring")
    }

    pub fn place(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn unlock(&self) -> Unlock {
        Keyring::default_unlock(&self.keyring())
    }

    /// As a process sees it that comes a day later.
    pub fn location(&self) -> Location {
        self.location_on(Arc::new(Faulty::new(u64::MAX, Mode::OnceBefore)), PREFIX)
    }

    pub fn location_on(&self, faulty: Arc<Faulty>, prefix: &str) -> Location {
        let store = block_on(FaultyStore::new(Arc::clone(&self.objects), faulty));
        location_of(Arc::new(store), prefix)
    }

    pub fn open(&self) -> Result<Dataset, Error> {
        self.open_in(self.location())
    }

    pub fn open_on(&self, faulty: Arc<Faulty>) -> Dataset {
        // What opens it is not counted: it reads only.
        let dataset = self.open_in(self.location_on(Arc::clone(&faulty), PREFIX)).unwrap();
        faulty.arm();
        dataset
    }

    /// As a process sees it that works at the same time.
    pub fn open_now(&self) -> Dataset {
        self.open_in(location_of(Arc::clone(&self.objects), PREFIX)).unwrap()
    }

    pub fn open_in(&self, location: Location) -> Result<Dataset, Error> {
        let keyring = Keyring::open(&self.keyring(), &location, &self.unlock())?;
        Dataset::open(location, keyring)
    }

    /// Another machine: a copy of the keyring and of its anchor.
    pub fn copy_keys(&self) -> Dataset {
        let (from, to) = (self.root.path().join("keys"), self.root.path().join("there"));
        fs::create_dir(&to).unwrap();
        fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        for name in ["ring", "ring.key", "ring.anchor"] {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
        let location = location_of(Arc::clone(&self.objects), PREFIX);
        let path = to.join("ring");
        let keyring = Keyring::open(&path, &location, &Keyring::default_unlock(&path)).unwrap();
        Dataset::open(location, keyring).unwrap()
    }

    pub fn all(&self) -> Vec<ObjectMeta> {
        block_on(self.objects.list(None).map(|meta| meta.unwrap()).collect())
    }

    /// Names in a directory of the dataset.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let directory = format!("{PREFIX}/{directory}/");
        let names = self
            .all()
            .into_iter()
            .filter_map(|meta| meta.location.as_ref().strip_prefix(&directory).map(str::to_owned));
        names.filter(|name| !name.contains('/')).collect()
    }

    pub fn key(&self, name: &str) -> Key {
        Key::from(format!("{PREFIX}/{name}"))
    }

    pub fn get(&self, name: &str) -> Vec<u8> {
        let key = self.key(name);
        block_on(async { self.objects.get(&key).await.unwrap().bytes().await.unwrap().to_vec() })
    }

    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        block_on(self.objects.put(&self.key(name), bytes.into())).unwrap();
    }

    pub fn delete(&self, name: &str) {
        block_on(self.objects.delete(&self.key(name))).unwrap();
    }

    /// Where a copy of the dataset can be made.
    pub fn copy_place(&self, dataset: &Dataset) -> Location {
        // On the store of the dataset, failures and all, which only its location knows.
        dataset.location().elsewhere(COPY).unwrap()
    }

    /// A copy that was made there, if there is one.
    pub fn copy_made(&self) -> Option<Location> {
        let about = Key::from(format!("{COPY}/backup.json"));
        block_on(self.objects.head(&about)).ok()?;
        Some(location_of(Arc::clone(&self.objects), COPY))
    }
}

pub fn location_of(store: Arc<dyn ObjectStore>, prefix: &str) -> Location {
    // So long that nothing is renewed while requests are counted.
    let options = ObjectOptions { lease: Duration::from_secs(3600), ..ObjectOptions::default() };
    Location::objects(store, prefix, options).unwrap()
}

/// For the tests of imports: a store of its own for each dataset.
pub fn location(_dir: &Path) -> Location {
    location_of(Arc::new(InMemory::new()), PREFIX)
}
