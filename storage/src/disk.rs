//! The few operations by which this crate changes a disk, in one place where they can fail on purpose.
//!
//! In: paths and bytes. Out: the operating system's answer. Every change of dataset, keyring, anchor and log goes
//! through a `Medium`; a test puts a [`Disk`] of its own under it and makes operation *n* fail, once or for good,
//! before or after it had its effect. A failed sync is final: what is on the disk is then not known, so the medium
//! changes nothing any more but to remove what is half done. Spill files of imports, which nobody reads again, and
//! exports do not come here.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Only the owner reads and writes.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// What is done to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskOp {
    /// A new file.
    Create,
    /// A new directory.
    CreateDirectory,
    /// Bytes to a file.
    Write,
    /// Contents of a file or entries of a directory to stable storage.
    Sync,
    /// A name put in the place of another.
    Rename,
    /// A second name.
    Link,
    /// A name taken away.
    Remove,
    /// The end of a file cut off.
    Truncate,
}

/// A disk. The default does what it is asked; others are for tests of what happens when a disk does not.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Carries an operation out.
    ///
    /// # Errors
    /// As the operating system has it.
    fn act(&self, _op: DiskOp, _path: &Path, act: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        act()
    }

    /// Writes bytes to the end of what was written.
    ///
    /// # Errors
    /// As the operating system has it; some of the bytes may be written.
    fn write(&self, _path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }
}

/// The operating system's file system.
#[derive(Debug)]
pub struct SystemDisk;

impl Disk for SystemDisk {}

/// An earlier sync failed.
#[derive(Debug, thiserror::Error)]
#[error("an earlier write did not reach the disk")]
pub(crate) struct LostWrite;

/// A disk, and whether what was written to it is known to be there. Clones share both.
#[derive(Clone, Debug)]
pub(crate) struct Medium(Arc<State>);

#[derive(Debug)]
struct State {
    disk: Arc<dyn Disk>,
    lost: AtomicBool,
}

impl Medium {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self(Arc::new(State { disk, lost: AtomicBool::new(false) }))
    }

    pub(crate) fn system() -> Self {
        Self::new(Arc::new(SystemDisk))
    }

    /// Whether a sync has failed.
    pub(crate) fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }

    /// Makes a file that must not be there yet, for its owner alone.
    pub(crate) fn create(&self, path: &Path) -> io::Result<File> {
        let mut made = None;
        self.act(DiskOp::Create, path, || {
            made = Some(OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?);
            Ok(())
        })?;
        made.ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// Makes a directory for its owner alone; its parent must be there.
    pub(crate) fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.act(DiskOp::CreateDirectory, path, || DirBuilder::new().mode(DIRECTORY_MODE).create(path))
    }

    pub(crate) fn write(&self, path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.0.disk.write(path, file, bytes)
    }

    /// Puts what was written on stable storage. After a failure nothing is written any more.
    pub(crate) fn sync(&self, path: &Path, file: &File) -> io::Result<()> {
        self.act(DiskOp::Sync, path, || file.sync_all()).inspect_err(|_| {
            self.0.lost.store(true, Ordering::Release);
        })
    }

    /// Puts the entries of a directory on stable storage.
    pub(crate) fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.sync(path, &File::open(path)?)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.act(DiskOp::Rename, to, || fs::rename(from, to))
    }

    pub(crate) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.act(DiskOp::Link, to, || fs::hard_link(from, to))
    }

    /// Removes a file; allowed after a failed sync too.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.disk.act(DiskOp::Remove, path, &mut || fs::remove_file(path))
    }

    /// Cuts a file off; allowed after a failed sync too.
    pub(crate) fn truncate(&self, path: &Path, file: &File, length: u64) -> io::Result<()> {
        self.0.disk.act(DiskOp::Truncate, path, &mut || file.set_len(length))
    }

    fn act(&self, op: DiskOp, path: &Path, mut act: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        self.check()?;
        self.0.disk.act(op, path, &mut act)
    }

    fn check(&self) -> io::Result<()> {
        if self.is_lost() { Err(io::Error::other(LostWrite)) } else { Ok(()) }
    }
}
