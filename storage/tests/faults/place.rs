//! A small dataset in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyperseg_storage::dataset::{Dataset, InitOptions};
use hyperseg_storage::disk::Disk;
use hyperseg_storage::keyring::{Keyring, Unlock};
use hyperseg_storage::{Error, Location};

use crate::world::import;

/// A lock ends with its holder.
pub const FENCES: bool = false;
/// One in so many of the failures that are tried.
pub const THINNER: usize = 1;

pub struct World {
    root: PathBuf,
    _own: Option<tempfile::TempDir>,
}

impl World {
    /// A dataset of two generations; the second has one file.
    pub fn new() -> Self {
        let world = Self::empty();
        let (dataset, _kit) =
            Dataset::init(world.location(), &world.keyring(), InitOptions::default()).unwrap();
        import(&dataset).unwrap();
        world
    }

    pub fn copy(&self) -> Self {
        let copy = Self::empty();
        copy_tree(&self.root, &copy.root);
        copy
    }

    /// A place without a dataset.
    pub fn bare() -> Self {
        Self::empty()
    }

    fn empty() -> Self {
        let own = tempfile::tempdir().unwrap();
        Self { root: own.path().into(), _own: Some(own) }
    }

    /// The world of another process.
    pub fn at(root: PathBuf) -> Self {
        Self { root, _own: None }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn dir(&self) -> PathBuf {
        self.root.join("data")
    }

    pub fn keyring(&self) -> PathBuf {
        self.root.join("keys/ring")
    }

    pub fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn unlock(&self) -> Unlock {
        Keyring::default_unlock(&self.keyring())
    }

    pub fn open(&self) -> Result<Dataset, Error> {
        Dataset::open(self.dir(), Keyring::open(&self.keyring(), self.dir(), &self.unlock())?)
    }

    pub fn open_on(&self, disk: Arc<dyn Disk>) -> Dataset {
        let keyring = Keyring::open(&self.keyring(), self.dir(), &self.unlock()).unwrap();
        Dataset::open(Location::on(disk, self.dir()), keyring).unwrap()
    }

    pub fn location(&self) -> Location {
        self.dir().into()
    }

    /// Names in a directory of the dataset.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let items = fs::read_dir(self.dir().join(directory)).unwrap();
        items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Where a copy of the dataset can be made, on the disk that it lies on.
    pub fn copy_place(&self, dataset: &Dataset) -> Location {
        dataset.location().elsewhere(self.place("copy")).unwrap()
    }

    /// A copy that was made there, if there is one.
    pub fn copy_made(&self) -> Option<Location> {
        let out = self.place("copy");
        out.exists().then(|| out.into())
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            fs::set_permissions(&target, item.metadata().unwrap().permissions()).unwrap();
            copy_tree(&item.path(), &target);
        } else {
            fs::copy(item.path(), &target).unwrap();
        }
    }
}
