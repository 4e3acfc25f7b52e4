//! A dataset in a directory of this machine.
//!
//! In: names and bytes. Out: files that survive a crash from the moment a function returns; half-written ones have
//! temporary names, which nobody reads. Locks are those of the file system, which end with the process that holds them.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{After, Appended, Blob, Draft, Found, Guard, Location, LogFile, Prepared, Store, TEMPORARY};
use crate::disk::Medium;
use crate::error::{Error, Result};

/// Only the owner reads and writes.
const FILE_MODE: u32 = 0o600;
const LOG: &str = "audit/log";
const LOG_LOCK: &str = "audit/lock";

/// A directory.
#[derive(Debug)]
pub(crate) struct Local {
    dir: PathBuf,
    medium: Medium,
}

impl Local {
    pub(crate) const fn new(dir: PathBuf, medium: Medium) -> Self {
        Self { dir, medium }
    }

    fn at(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.dir.clone() } else { self.dir.join(name) }
    }

    /// The name in messages; that of the directory itself in full.
    fn shown(&self, name: &str) -> String {
        if name.is_empty() { self.dir.display().to_string() } else { name.to_owned() }
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.medium.create(path)?;
        self.medium.write(path, &mut file, bytes)?;
        self.medium.sync(path, &file)
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(self.at(name))
    }

    fn lock_manifest(
        &self,
        name: &str,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<Box<dyn Guard>>> {
        let Some(file) = open(&self.at(name)).map_err(|error| Error::io("open", name, error))? else {
            return Ok(None);
        };
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", name, error)),
        }
        // The name may have gone between opening and locking.
        let gone = file.metadata().map_err(|error| Error::io("read", name, error))?.nlink() == 0;
        Ok((!gone).then(|| Box::new(file) as Box<dyn Guard>))
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dir.display().fmt(f)
    }
}

impl Store for Local {
    fn path(&self) -> Option<&Path> {
        Some(&self.dir)
    }

    fn elsewhere(&self, place: &Path) -> Result<Location> {
        Ok(Location::on_medium(self.medium.clone(), place))
    }

    fn medium(&self) -> &Medium {
        &self.medium
    }

    fn look(&self, name: &str) -> Result<Option<Found>> {
        match fs::symlink_metadata(self.at(name)) {
            Ok(found) => Ok(Some(Found { bytes: found.len(), is_regular: found.is_file() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", name, error)),
        }
    }

    fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = open(&self.at(name)).map_err(|error| Error::io("open", name, error))? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = file.take(max.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| Error::io("read", name, error))?;
        if bytes.len() as u64 > max {
            return Err(Error::Limit { what: format!("the size of {name} in bytes"), max });
        }
        Ok(Some(bytes))
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn Blob>>> {
        let fail = |error| Error::io("open", name, error);
        let Some(file) = open(&self.at(name)).map_err(fail)? else { return Ok(None) };
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() {
            return Err(Error::corrupt(name, "it is not a regular file"));
        }
        Ok(Some(Arc::new(LocalBlob { file, len: metadata.len() })))
    }

    fn names(&self, directory: &str) -> Result<Vec<String>> {
        let list = || -> io::Result<Vec<String>> {
            let items = match fs::read_dir(self.at(directory)) {
                // Datasets of before there were documents have no place for them.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                items => items?,
            };
            items.map(|item| Ok(item?.file_name().to_string_lossy().into_owned())).collect()
        };
        list().map_err(|error| Error::io("list", self.shown(directory), error))
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let (directory, _) = name.rsplit_once('/').unwrap_or(("", name));
        let temporary = self.at(directory).join(format!("{TEMPORARY}{}", uuid::Uuid::new_v4()));
        let written = self.write_synced(&temporary, bytes).and_then(|()| {
            match self.medium.link(&temporary, &self.at(name)) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        });
        // a temporary file that stays behind is removed by the next writer
        let _ = self.medium.remove(&temporary);
        let created = written.map_err(|error| Error::io("write", name, error))?;
        self.sync(directory)?;
        Ok(created)
    }

    fn draft(&self, temporary: Option<&str>, name: &str) -> Result<Box<dyn Draft>> {
        let now = temporary.unwrap_or(name);
        let path = self.at(now);
        let file = self.medium.create(&path).map_err(|error| Error::io("create", name, error))?;
        Ok(Box::new(LocalDraft {
            medium: self.medium.clone(),
            path,
            name: now.to_owned(),
            file,
            own: temporary.map(|_| self.at(name)),
            is_published: false,
        }))
    }

    fn remove(&self, name: &str) -> Result<bool> {
        match self.medium.remove(&self.at(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("remove", name, error)),
        }
    }

    fn make_directory(&self, name: &str) -> Result<()> {
        let made = self.medium.create_directory(&self.at(name));
        made.map_err(|error| Error::io("create", self.shown(name), error))
    }

    fn sync(&self, directory: &str) -> Result<()> {
        let synced = self.medium.sync_directory(&self.at(directory));
        synced.map_err(|error| Error::io("sync", self.shown(directory), error))
    }

    fn prepare(&self) -> Result<Prepared> {
        let fail = |error| Error::io("create", self.shown(""), error);
        match fs::read_dir(&self.dir) {
            Ok(mut items) => Ok(if items.next().is_some() { Prepared::InUse } else { Prepared::Empty }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = self.dir.parent() {
                    fs::create_dir_all(parent).map_err(fail)?;
                }
                self.make_directory("")?;
                Ok(Prepared::Made)
            }
            Err(error) => Err(fail(error)),
        }
    }

    fn clear(&self, prepared: Prepared) {
        let all = match (prepared, fs::read_dir(&self.dir)) {
            (Prepared::Empty | Prepared::Made, Ok(all)) => all,
            _ => return,
        };
        for item in all.flatten() {
            let is_directory = item.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_directory { fs::remove_dir_all(item.path()) } else { fs::remove_file(item.path()) };
        }
        if prepared == Prepared::Made {
            let _ = fs::remove_dir(&self.dir);
        }
    }

    fn lock(&self, name: &str) -> Result<Option<Box<dyn Guard>>> {
        let file = self.lock_file(name).map_err(|error| Error::io("open", name, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", name, error)),
        }
    }

    fn is_locked(&self, name: &str) -> Result<bool> {
        let Some(file) = open(&self.at(name)).map_err(|error| Error::io("open", name, error))? else {
            return Ok(false);
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", name, error)),
        }
    }

    fn claim(&self, name: &str, _note: &str) -> Result<Box<dyn Guard>> {
        let fail = |error| Error::io("lock", name, error);
        let mark = self.medium.create(&self.at(name)).map_err(fail)?;
        match mark.try_lock() {
            Ok(()) => Ok(Box::new(mark)),
            Err(error) => Err(fail(error.into())),
        }
    }

    fn is_claimed(&self, name: &str) -> Result<bool> {
        let fail = |error| Error::io("lock", name, error);
        let Some(mark) = open(&self.at(name)).map_err(fail)? else { return Ok(false) };
        match mark.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(fail(error)),
        }
    }

    fn hold(&self, manifest: &str) -> Result<Option<Box<dyn Guard>>> {
        self.lock_manifest(manifest, File::try_lock_shared)
    }

    fn hold_alone(&self, manifest: &str) -> Result<Option<Box<dyn Guard>>> {
        self.lock_manifest(manifest, File::try_lock)
    }

    fn lock_log(&self, _anchor: &Path, exclusive: bool) -> Result<Option<Box<dyn Guard>>> {
        let fail = |error| Error::io("lock", LOG_LOCK, error);
        if exclusive {
            let lock = self.lock_file(LOG_LOCK).map_err(fail)?;
            lock.lock().map_err(fail)?;
            return Ok(Some(Box::new(lock)));
        }
        // Without the file nobody has written yet, so nobody is writing.
        let Some(lock) = open(&self.at(LOG_LOCK)).map_err(fail)? else { return Ok(None) };
        lock.lock_shared().map_err(fail)?;
        Ok(Some(Box::new(lock)))
    }

    fn create_log(&self, header: &[u8]) -> Result<()> {
        let create = || -> io::Result<()> {
            let options = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(self.at(LOG));
            let mut file = options?;
            file.write_all(header)?;
            file.sync_all()
        };
        create().map_err(|error| Error::io("create", LOG, error))
    }

    fn copy_log(&self, mut log: After) -> Result<()> {
        let mut draft = self.draft(None, LOG)?;
        let copied = io::copy(&mut log.bytes, &mut draft).and_then(|_| draft.sync());
        copied.and_then(|()| draft.publish()).map_err(|error| Error::io("write", LOG, error))
    }

    fn log(&self, write: bool) -> Result<Option<Box<dyn LogFile>>> {
        let path = self.at(LOG);
        match OpenOptions::new().read(true).write(write).open(&path) {
            Ok(file) => Ok(Some(Box::new(LocalLog { file, path, medium: self.medium.clone() }))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", LOG, error)),
        }
    }

    fn scratch(&self) -> PathBuf {
        self.dir.clone()
    }
}

/// Opens a file; none when there is none.
fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Debug)]
struct LocalBlob {
    file: File,
    len: u64,
}

impl Blob for LocalBlob {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = range.end.saturating_sub(range.start);
        let mut buffer = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?];
        self.file.read_exact_at(&mut buffer, range.start)?;
        Ok(buffer.into())
    }
}

struct LocalDraft {
    medium: Medium,
    path: PathBuf,
    /// Of the path, relative to the dataset.
    name: String,
    file: File,
    /// Where it goes when it is published, unless it is there.
    own: Option<PathBuf>,
    is_published: bool,
}

impl Write for LocalDraft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.medium.write(&self.path, &mut self.file, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Draft for LocalDraft {
    fn sync(&mut self) -> io::Result<()> {
        self.medium.sync(&self.path, &self.file)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn publish(mut self: Box<Self>) -> io::Result<()> {
        if let Some(own) = &self.own {
            self.medium.rename(&self.path, own)?;
        }
        self.is_published = true;
        Ok(())
    }
}

impl Drop for LocalDraft {
    fn drop(&mut self) {
        // What has its own name already belongs to whoever asked for it.
        if !self.is_published && self.own.is_some() {
            // the error that is on its way says more than one of the removal would
            let _ = self.medium.remove(&self.path);
        }
    }
}

struct LocalLog {
    file: File,
    path: PathBuf,
    medium: Medium,
}

impl LogFile for LocalLog {
    fn after(&self, records: u64, bytes: u64) -> io::Result<After> {
        let length = self.file.metadata()?.len();
        let start = if records == 0 { 0 } else { bytes };
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        let is_short = length < start;
        let length = length.saturating_sub(start);
        let bytes = Box::new(BufReader::with_capacity(1 << 16, file.take(length)));
        Ok(After { bytes, length, gap: false, is_short })
    }

    fn append(&mut self, _records: u64, bytes: u64, frame: &[u8]) -> Result<Appended> {
        let (medium, path) = (&self.medium, &self.path);
        let file = &mut self.file;
        let written = file.seek(SeekFrom::Start(bytes)).and_then(|_| medium.write(path, file, frame));
        if let Err(error) = written {
            // What was written of the frame is cut off again; if that fails too, the next append finds a torn tail.
            let _ = medium.truncate(path, file, bytes);
            return Err(Error::io("write", LOG, error));
        }
        medium.sync(path, file).map_err(|error| Error::io("sync", LOG, error))?;
        Ok(Appended::Done)
    }

    fn cut(&mut self, bytes: u64) -> Result<()> {
        let cut = self.medium.truncate(&self.path, &self.file, bytes);
        cut.map_err(|error| Error::io("write", LOG, error))?;
        self.medium.sync(&self.path, &self.file).map_err(|error| Error::io("sync", LOG, error))
    }
}
