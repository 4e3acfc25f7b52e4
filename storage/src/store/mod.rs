//! Where a dataset lies, and the few things that are done there.
//!
//! In: names relative to the dataset, such as `data/<uuid>.parquet`. Out: bytes that are there in full or not at all.
//! A [`Location`] is a directory of this machine (module `local`: every change is synced, and passes through
//! [`crate::disk`] so that tests can make it fail) or a place in an object store (module `remote`: conditional puts
//! take the place of links, leases that of locks). Everything above asks a `Store` and does not know which it is.
//!
//! | asked for | directory | object store |
//! |---|---|---|
//! | create unless it is there | temporary file, fsync, `link` | put, if none matches |
//! | a long file | temporary file, fsync, `rename` | multipart upload under its own name, which nobody knows yet |
//! | one writer | `flock` | a lease, taken by conditional put; its holder confirms it before a commit |
//! | readers hold a generation | shared `flock` on its manifest | a lease for each reader |
//! | append to the log | write and fsync at the end | one object for each record, created if absent |

pub(crate) mod local;
mod remote;
mod s3;

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;

use crate::disk::{Disk, Medium};
use crate::error::{Error, Result};
use crate::keyring::private_file;
use local::Local;
use remote::Remote;
pub use remote::{ObjectOptions, StoreFailure};
pub use s3::{PLATFORM_VARIABLES, S3Credentials, S3Settings, SCHEME};

/// Beginning of temporary names.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Where a dataset lies; cheap to clone. Paths turn into one.
#[derive(Clone)]
pub struct Location(Arc<dyn Store>);

impl Location {
    /// A directory of this machine.
    #[must_use]
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Local::new(path.into(), Medium::system())))
    }

    /// A directory on a disk of the caller's, such as one that fails on purpose.
    #[must_use]
    pub fn on(disk: Arc<dyn Disk>, path: impl Into<PathBuf>) -> Self {
        Self::on_medium(Medium::new(disk), path)
    }

    pub(crate) fn on_medium(medium: Medium, path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Local::new(path.into(), medium)))
    }

    /// A place in an object store: all names that begin with `prefix`. The store has to be strongly consistent, and to
    /// know puts under a condition. Keyring and anchor stay files of this machine.
    ///
    /// # Errors
    /// The prefix is no path, or no threads can be made.
    pub fn objects(store: Arc<dyn ObjectStore>, prefix: &str, options: ObjectOptions) -> Result<Self> {
        let name = store.to_string();
        Self::named(store, prefix, name, options)
    }

    fn named(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        name: String,
        options: ObjectOptions,
    ) -> Result<Self> {
        Ok(Self(Arc::new(Remote::new(store, prefix, name, options)?)))
    }

    /// Another place on the same disk, or in the same object store.
    ///
    /// # Errors
    /// The store takes no such name.
    pub fn elsewhere(&self, place: impl AsRef<Path>) -> Result<Self> {
        self.0.elsewhere(place.as_ref())
    }

    /// The names in a directory of the dataset, such as `data`.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn names(&self, directory: &str) -> Result<Vec<String>> {
        self.0.names(directory)
    }

    /// The directory, where it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path()
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.0.as_ref()
    }

    /// Refuses a place inside another one.
    pub(crate) fn check_outside(&self, other: &Self) -> Result<()> {
        match (self.path(), other.path()) {
            (Some(path), Some(dataset)) => private_file::check_outside(path, dataset),
            _ => self.0.check_outside(other),
        }
    }

    /// Refuses a file, such as a keyring, that lies inside.
    pub(crate) fn check_apart(&self, file: &Path) -> Result<()> {
        self.path().map_or(Ok(()), |dir| private_file::check_outside(file, dir))
    }
}

/// A place that gets its name when all is there. Dropped before, what was made is removed.
pub(crate) struct Staging {
    target: Location,
    location: Location,
    prepared: Prepared,
    is_published: bool,
}

impl Staging {
    /// Where something is to lie, and nothing lies yet.
    pub(crate) fn begin(target: &Location) -> Result<Self> {
        let location = match target.path() {
            Some(path) if fs::symlink_metadata(path).is_ok() => {
                return Err(Error::NotEmpty { place: target.to_string() });
            }
            Some(path) => {
                let mut salt = [0; 8];
                crate::crypto::random(&mut salt)?;
                // What cannot be removed says by its name what it is.
                let beside = private_file::beside(path, &format!(".partial-{}", hex::encode(salt)));
                target.elsewhere(beside)?
            }
            // Names cannot be changed there: what is looked for first is written last.
            None => target.clone(),
        };
        let prepared = location.store().prepare()?;
        if prepared == Prepared::InUse {
            return Err(Error::NotEmpty { place: target.to_string() });
        }
        Ok(Self { target: target.clone(), location, prepared, is_published: false })
    }

    /// Where it lies until then.
    pub(crate) const fn location(&self) -> &Location {
        &self.location
    }

    /// Gives it its name, durably.
    pub(crate) fn publish(mut self) -> Result<()> {
        self.location.store().sync("")?;
        if let (Some(from), Some(to)) = (self.location.path(), self.target.path()) {
            let medium = self.target.store().medium();
            let shown = || self.target.to_string();
            medium.rename(from, to).map_err(|error| Error::io("rename", shown(), error))?;
            let parent = match to.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                Some(_) | None => Path::new("."),
            };
            let synced = medium.sync_directory(parent);
            synced.map_err(|error| Error::io("sync", parent.display().to_string(), error))?;
        }
        self.location.store().settle();
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_published {
            self.location.store().clear(self.prepared);
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

impl From<&Self> for Location {
    fn from(location: &Self) -> Self {
        location.clone()
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::directory(path)
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::directory(path)
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::directory(path)
    }
}

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) bytes: u64,
    /// Neither a link nor a directory.
    pub(crate) is_regular: bool,
}

/// What is done where a dataset lies. Names are relative to it; errors carry them.
pub(crate) trait Store: fmt::Debug + fmt::Display + Send + Sync {
    /// The directory, where it is one.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// Another place of the same kind, with the same handle below it.
    fn elsewhere(&self, place: &Path) -> Result<Location>;

    /// The disk of this machine, on which what lies beside the dataset, keyring and anchor, is changed.
    fn medium(&self) -> &Medium;

    /// Refuses a place inside another one that is none of this machine's directories.
    fn check_outside(&self, _other: &Location) -> Result<()> {
        Ok(())
    }

    /// What lies under a name; a link is not followed.
    fn look(&self, name: &str) -> Result<Option<Found>>;

    /// All of a file of at most `max` bytes.
    fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>>;

    /// A file to read ranges of.
    fn open(&self, name: &str) -> Result<Option<Arc<dyn Blob>>>;

    /// The names in a directory, in no order; none when there is no directory.
    fn names(&self, directory: &str) -> Result<Vec<String>>;

    /// Writes a new file in one step; `false`, and nothing, when there is one. It is durable on return.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool>;

    /// Begins a new file. Where files can be renamed it has the temporary name until it is published; without one it
    /// has its own name at once.
    fn draft(&self, temporary: Option<&str>, name: &str) -> Result<Box<dyn Draft>>;

    /// Takes a file away; `false` when there was none or that is not known.
    fn remove(&self, name: &str) -> Result<bool>;

    /// Makes a directory, where there are any; its parent is there.
    fn make_directory(&self, name: &str) -> Result<()>;

    /// Makes the names in a directory durable; `""` is the dataset itself.
    fn sync(&self, directory: &str) -> Result<()>;

    /// Whether nothing is there yet. A directory is made when it is missing, and is ours then.
    fn prepare(&self) -> Result<Prepared>;

    /// Takes back what was made at a place that [`Self::prepare`] found empty.
    fn clear(&self, prepared: Prepared);

    /// What was made is to stay.
    fn settle(&self) {}

    /// The one lock of this name; none while somebody else has it.
    fn lock(&self, name: &str) -> Result<Option<Box<dyn Guard>>>;

    /// Whether somebody has that lock.
    fn is_locked(&self, name: &str) -> Result<bool>;

    /// Makes a mark of this name that says, for as long as the guard lives, that its maker is there. `note` can be read
    /// by others.
    fn claim(&self, name: &str, note: &str) -> Result<Box<dyn Guard>>;

    /// Whether the maker of a mark is there.
    fn is_claimed(&self, name: &str) -> Result<bool>;

    /// The note of a mark.
    fn note_of(&self, _name: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// Keeps a manifest from being collected; none when there is no such manifest.
    fn hold(&self, manifest: &str) -> Result<Option<Box<dyn Guard>>>;

    /// Keeps readers from beginning to hold a manifest, where that can be; none while one holds it.
    fn hold_alone(&self, manifest: &str) -> Result<Option<Box<dyn Guard>>>;

    /// Whether a reader has begun to hold a manifest since [`Self::hold_alone`], which could not keep it from that.
    fn is_held(&self, _manifest: &str) -> Result<bool> {
        Ok(false)
    }

    /// Waits for those who append to the log. `anchor` is where the log's anchor lies on this machine.
    fn lock_log(&self, anchor: &Path, exclusive: bool) -> Result<Option<Box<dyn Guard>>>;

    /// Begins the log with its header.
    fn create_log(&self, header: &[u8]) -> Result<()>;

    /// Begins a log with all of another one.
    fn copy_log(&self, log: After) -> Result<()>;

    /// The log; none when there is none.
    fn log(&self, write: bool) -> Result<Option<Box<dyn LogFile>>>;

    /// Where an import may put unnamed files that nobody reads again; what is in them is sealed.
    fn scratch(&self) -> PathBuf;
}

/// What [`Store::prepare`] has found and made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// Something is there.
    InUse,
    /// Nothing is there.
    Empty,
    /// Nothing was there; the directory was made.
    Made,
}

/// Something that is held until it is dropped.
pub(crate) trait Guard: fmt::Debug + Send + Sync {
    /// Whether it is still held. What the system holds for a process cannot be lost.
    fn confirm(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether it was taken from somebody who may not know it yet.
    fn was_taken_over(&self) -> bool {
        false
    }

    /// Says that whoever it was taken from can do no harm any more. Until then the next holder is told, too.
    fn note_fenced(&self) {}
}

impl Guard for std::fs::File {}

/// A file of which ranges are read.
pub(crate) trait Blob: fmt::Debug + Send + Sync {
    fn len(&self) -> u64;

    /// Bytes of a range that lies in the file.
    fn read(&self, range: Range<u64>) -> io::Result<Bytes>;

    /// Bytes of several ranges; where each costs a journey, they are made at the same time.
    fn read_all(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        ranges.iter().map(|range| self.read(range.clone())).collect()
    }

    /// Whether reading costs a journey, so that it is worth reading ahead.
    fn is_far(&self) -> bool {
        false
    }
}

/// A file that is being written. Dropped before it is published, it is removed, unless it has its own name already.
pub(crate) trait Draft: Write + Send {
    /// Puts all that was written on stable storage; then it can be read under [`Self::name`].
    fn sync(&mut self) -> io::Result<()>;

    /// The name that it has now.
    fn name(&self) -> &str;

    /// Gives it its own name. The name is durable when its directory was synced.
    fn publish(self: Box<Self>) -> io::Result<()>;
}

/// The records of an audit log, one after the other.
pub(crate) trait LogFile: Send {
    /// What follows the first `records` records, which are `bytes` long with the header. Before the first one this is the header.
    fn after(&self, records: u64, bytes: u64) -> io::Result<After>;

    /// The last bytes of the record before this place, where records can be found by their numbers.
    fn before(&self, _records: u64, _length: usize) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Puts a record on stable storage after so many records and bytes.
    fn append(&mut self, records: u64, bytes: u64, frame: &[u8]) -> Result<Appended>;

    /// Takes away what follows so many bytes, durably.
    fn cut(&mut self, bytes: u64) -> Result<()>;

    /// Whether a record is there in full or not at all. What does not prove itself was changed then, not cut short.
    fn is_whole(&self) -> bool {
        false
    }
}

/// What follows a place of the log.
pub(crate) struct After {
    pub(crate) bytes: Box<dyn Read>,
    pub(crate) length: u64,
    /// A record is missing behind these bytes, though others follow.
    pub(crate) gap: bool,
    /// The log ends before this place.
    pub(crate) is_short: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is there.
    Done,
    /// Somebody else's is there.
    Raced,
}

/// Reads a file from its beginning to its end.
#[derive(Debug)]
pub(crate) struct BlobReader {
    blob: Arc<dyn Blob>,
    at: u64,
    block: Bytes,
}

/// What is read at once.
const BLOCK: u64 = 1 << 20;

impl BlobReader {
    pub(crate) fn new(blob: Arc<dyn Blob>) -> Self {
        Self { blob, at: 0, block: Bytes::new() }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() && self.at < self.blob.len() {
            let end = self.blob.len().min(self.at.saturating_add(BLOCK));
            self.block = self.blob.read(self.at..end)?;
            self.at = end;
        }
        let count = buffer.len().min(self.block.len());
        let piece = self.block.split_to(count);
        if let Some(target) = buffer.get_mut(..count) {
            target.copy_from_slice(&piece);
        }
        Ok(count)
    }
}
