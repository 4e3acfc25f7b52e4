//! A dataset in an object store.
//!
//! In: names and bytes. Out: objects, which are there in full or not at all. What a directory does by links and locks is
//! done by puts under a condition and by leases (module `lease`); the audit log is an object for each record (module
//! `log`). The store has to be strongly consistent and to know `If-None-Match` and `If-Match` on puts, as S3 does.
//! Keyring and anchor stay files of this machine.

mod driver;
mod failure;
mod lease;
mod log;
mod probe;
mod upload;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{Error as StoreError, GetOptions, GetRange, ObjectStore, ObjectStoreExt};

use super::{After, Blob, Draft, Found, Guard, Location, LogFile, Prepared, Store};
use crate::disk::Medium;
use crate::error::{Error, Result};
use crate::keyring::private_file;
use driver::Driver;
pub use failure::StoreFailure;
use failure::io_error;
use lease::Leases;
use log::{LOG, LOG_START, RemoteLog};
use upload::Upload;

/// Directory of the marks of readers.
const HOLDS: &str = "snapshots/holds";
/// What is written, and removed, to see whether the store keeps conditions.
const PROBE: &str = "probe";
/// Requests that are made at the same time for one read.
const AT_ONCE: usize = 8;

/// How an object store is used.
#[derive(Clone, Debug)]
pub struct ObjectOptions {
    /// After so long without a sign, whoever writes or reads is taken for dead. A sign is given four times in it.
    pub lease: Duration,
    /// Where imports put unnamed files, sealed under a key that only they know, while rows wait; none is the system's
    /// own place.
    pub scratch: Option<PathBuf>,
}

impl Default for ObjectOptions {
    fn default() -> Self {
        Self { lease: Duration::from_secs(120), scratch: None }
    }
}

/// A place in an object store.
#[derive(Debug)]
pub(crate) struct Remote {
    objects: Arc<dyn ObjectStore>,
    prefix: Key,
    /// Of the store, in messages.
    name: String,
    driver: Arc<Driver>,
    leases: Arc<Leases>,
    medium: Medium,
    scratch: PathBuf,
    /// What was made since the place was found empty, so that it alone is removed when something fails.
    made: Mutex<Option<Vec<String>>>,
}

impl Remote {
    pub(super) fn new(
        objects: Arc<dyn ObjectStore>,
        prefix: &str,
        name: String,
        options: ObjectOptions,
    ) -> Result<Self> {
        let prefix = parse(prefix)?;
        let driver = Driver::new().map_err(|error| Error::io("open", name.clone(), error))?;
        let leases = Leases::new(Arc::clone(&objects), &driver, options.lease);
        Ok(Self {
            objects,
            prefix,
            name,
            driver: Arc::new(driver),
            leases: Arc::new(leases),
            medium: Medium::system(),
            scratch: options.scratch.unwrap_or_else(std::env::temp_dir),
            made: Mutex::default(),
        })
    }

    fn key(&self, name: &str) -> Key {
        name.split('/').filter(|part| !part.is_empty()).fold(self.prefix.clone(), Key::join)
    }

    fn note_made(&self, name: &str) {
        if let Some(made) = self.made.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            made.push(name.to_owned());
        }
    }

    fn remote_log(&self) -> RemoteLog {
        RemoteLog { objects: Arc::clone(&self.objects), driver: Arc::clone(&self.driver), key: self.key(LOG) }
    }

    /// Name of the mark of a reader, and of all marks of its manifest the beginning.
    fn mark_prefix(manifest: &str) -> String {
        let name = manifest.rsplit('/').next().unwrap_or(manifest);
        format!("{name}-")
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.prefix)
    }
}

fn parse(prefix: &str) -> Result<Key> {
    Key::parse(prefix).map_err(|_| Error::Mismatch {
        table: "object store".to_owned(),
        what: format!("`{prefix}` is no prefix of names"),
    })
}

impl Store for Remote {
    fn elsewhere(&self, place: &Path) -> Result<Location> {
        Ok(Location(Arc::new(Self {
            objects: Arc::clone(&self.objects),
            prefix: parse(&place.to_string_lossy())?,
            name: self.name.clone(),
            driver: Arc::clone(&self.driver),
            leases: Arc::clone(&self.leases),
            medium: self.medium.clone(),
            scratch: self.scratch.clone(),
            made: Mutex::default(),
        })))
    }

    fn medium(&self) -> &Medium {
        &self.medium
    }

    fn check_outside(&self, other: &Location) -> Result<()> {
        let (place, dataset) = (self.to_string(), other.to_string());
        match place.strip_prefix(&dataset) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Err(Error::Inside { place, dataset }),
            _ => Ok(()),
        }
    }

    fn look(&self, name: &str) -> Result<Option<Found>> {
        let (objects, key) = (Arc::clone(&self.objects), self.key(name));
        let found = self.driver.wait(async move { objects.head(&key).await });
        match found.map_err(|error| Error::io("read", name, error))? {
            Ok(found) => Ok(Some(Found { bytes: found.size, is_regular: true })),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::io("read", name, io_error(&error))),
        }
    }

    fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>> {
        let (objects, key) = (Arc::clone(&self.objects), self.key(name));
        let found = self.driver.wait(async move {
            let found = objects.get(&key).await?;
            if found.meta.size > max {
                return Ok(None);
            }
            found.bytes().await.map(Some)
        });
        match found.map_err(|error| Error::io("read", name, error))? {
            Ok(Some(bytes)) => Ok(Some(bytes.to_vec())),
            Ok(None) => Err(Error::Limit { what: format!("the size of {name} in bytes"), max }),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::io("read", name, io_error(&error))),
        }
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn Blob>>> {
        let (objects, key) = (Arc::clone(&self.objects), self.key(name));
        let found = self.driver.wait(async move { objects.head(&key).await.map(|found| (found, key)) });
        match found.map_err(|error| Error::io("open", name, error))? {
            Ok((found, key)) => Ok(Some(Arc::new(RemoteBlob {
                objects: Arc::clone(&self.objects),
                driver: Arc::clone(&self.driver),
                key,
                len: found.size,
                e_tag: found.e_tag,
            }))),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::io("open", name, io_error(&error))),
        }
    }

    fn names(&self, directory: &str) -> Result<Vec<String>> {
        let (objects, key) = (Arc::clone(&self.objects), self.key(directory));
        let found = self.driver.wait(async move { objects.list_with_delimiter(Some(&key)).await });
        let found = found.map_err(|error| Error::io("list", directory, error))?;
        let found = found.map_err(|error| Error::io("list", directory, io_error(&error)))?;
        let names = found.objects.iter().filter_map(|meta| meta.location.filename());
        Ok(names.map(str::to_owned).collect())
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let (objects, key, bytes) = (Arc::clone(&self.objects), self.key(name), bytes.to_vec());
        let put = self.driver.wait(async move { upload::create(&objects, &key, bytes.into()).await });
        match put.and_then(|put| put) {
            Ok(()) => {
                self.note_made(name);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(Error::io("write", name, error)),
        }
    }

    fn draft(&self, temporary: Option<&str>, name: &str) -> Result<Box<dyn Draft>> {
        self.note_made(name);
        let (objects, driver) = (Arc::clone(&self.objects), Arc::clone(&self.driver));
        Ok(Box::new(Upload::new(objects, driver, self.key(name), name, temporary.is_some())))
    }

    fn remove(&self, name: &str) -> Result<bool> {
        let (objects, key) = (Arc::clone(&self.objects), self.key(name));
        let removed = self.driver.wait(async move { objects.delete(&key).await });
        match removed.map_err(|error| Error::io("remove", name, error))? {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(Error::io("remove", name, io_error(&error))),
        }
    }

    fn make_directory(&self, _name: &str) -> Result<()> {
        Ok(())
    }

    fn sync(&self, _directory: &str) -> Result<()> {
        Ok(())
    }

    fn prepare(&self) -> Result<Prepared> {
        let (objects, key) = (Arc::clone(&self.objects), self.prefix.clone());
        let first = self.driver.wait(async move { objects.list(Some(&key)).next().await.transpose() });
        let first = first.map_err(|error| Error::io("list", self.to_string(), error))?;
        if first.map_err(|error| Error::io("list", self.to_string(), io_error(&error)))?.is_some() {
            return Ok(Prepared::InUse);
        }
        let (objects, key) = (Arc::clone(&self.objects), self.key(PROBE));
        let kept = self.driver.wait(async move { probe::keeps_conditions(objects, key).await });
        let kept = kept.map_err(|error| Error::io("write", PROBE, error))?;
        if !kept.map_err(|error| Error::io("write", PROBE, io_error(&error)))? {
            return Err(Error::Mismatch {
                table: self.name.clone(),
                what:
                    "this object store overwrites what it is told not to overwrite; no dataset is safe there"
                        .to_owned(),
            });
        }
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        Ok(Prepared::Empty)
    }

    fn clear(&self, _prepared: Prepared) {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).take();
        for name in made.unwrap_or_default() {
            let _ = self.remove(&name);
            // Whoever began the log wrote all of it.
            if name == LOG_START {
                for record in self.names(LOG).unwrap_or_default() {
                    let _ = self.remove(&format!("{LOG}/{record}"));
                }
            }
        }
    }

    fn settle(&self) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn lock(&self, name: &str) -> Result<Option<Box<dyn Guard>>> {
        let taken = self.leases.take(&self.driver, self.key(name));
        taken.map_err(|error| Error::io("lock", name, error))
    }

    fn is_locked(&self, name: &str) -> Result<bool> {
        let live = self.leases.is_live(&self.driver, self.key(name));
        live.map_err(|error| Error::io("lock", name, error))
    }

    fn claim(&self, name: &str, note: &str) -> Result<Box<dyn Guard>> {
        let marked = self.leases.mark(&self.driver, self.key(name), note);
        marked.map_err(|error| Error::io("lock", name, error))
    }

    fn is_claimed(&self, name: &str) -> Result<bool> {
        self.is_locked(name)
    }

    fn note_of(&self, name: &str) -> Result<Option<String>> {
        let note = self.leases.note(&self.driver, self.key(name));
        note.map_err(|error| Error::io("read", name, error))
    }

    fn hold(&self, manifest: &str) -> Result<Option<Box<dyn Guard>>> {
        let mark = format!("{HOLDS}/{}{}", Self::mark_prefix(manifest), uuid::Uuid::new_v4());
        let held = self.leases.hold(&self.driver, self.key(&mark));
        let held = held.map_err(|error| Error::io("lock", manifest, error))?;
        // Only now: whoever collects removes the manifest first and looks for marks then.
        Ok(self.look(manifest)?.map(|_| held))
    }

    fn hold_alone(&self, manifest: &str) -> Result<Option<Box<dyn Guard>>> {
        #[derive(Debug)]
        struct Nobody;
        impl Guard for Nobody {}
        Ok(if self.is_held(manifest)? { None } else { Some(Box::new(Nobody)) })
    }

    fn is_held(&self, manifest: &str) -> Result<bool> {
        let prefix = Self::mark_prefix(manifest);
        let is_meant = move |name: &str| name.starts_with(&prefix);
        let live = self.leases.any_live(&self.driver, self.key(HOLDS), is_meant);
        live.map_err(|error| Error::io("list", HOLDS, error))
    }

    fn lock_log(&self, anchor: &Path, exclusive: bool) -> Result<Option<Box<dyn Guard>>> {
        // Whoever reads takes the anchor first, and then what the log holds: that is never less than what was anchored.
        if !exclusive {
            return Ok(None);
        }
        // The anchor is a file of this machine; other machines have their own, and records are put if absent.
        let path = private_file::beside(anchor, ".lock");
        let lock = || -> io::Result<File> {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            file.lock()?;
            Ok(file)
        };
        let file = lock().map_err(|error| Error::io("lock", path.display().to_string(), error))?;
        Ok(Some(Box::new(file)))
    }

    fn create_log(&self, header: &[u8]) -> Result<()> {
        self.remote_log().begin(header).map_err(|error| Error::io("create", LOG, error))?;
        self.note_made(LOG_START);
        Ok(())
    }

    fn copy_log(&self, log: After) -> Result<()> {
        self.note_made(LOG_START);
        self.remote_log().copy(log).map_err(|error| Error::io("write", LOG, error))
    }

    fn log(&self, write: bool) -> Result<Option<Box<dyn LogFile>>> {
        let log = self.remote_log();
        // Whoever writes proves it first, and finds out.
        if write {
            return Ok(Some(Box::new(log)));
        }
        let is_there = log.is_there().map_err(|error| Error::io("open", LOG, error))?;
        Ok(is_there.then(|| Box::new(log) as Box<dyn LogFile>))
    }

    fn scratch(&self) -> PathBuf {
        self.scratch.clone()
    }
}

/// An object of which ranges are read, as long as it is the one that was opened.
struct RemoteBlob {
    objects: Arc<dyn ObjectStore>,
    driver: Arc<Driver>,
    key: Key,
    len: u64,
    e_tag: Option<String>,
}

impl RemoteBlob {
    fn get(&self, range: Range<u64>) -> impl Future<Output = object_store::Result<Bytes>> + Send + 'static {
        let (objects, key, if_match) = (Arc::clone(&self.objects), self.key.clone(), self.e_tag.clone());
        async move {
            let range = Some(GetRange::Bounded(range));
            objects
                .get_opts(&key, GetOptions { range, if_match, ..GetOptions::default() })
                .await?
                .bytes()
                .await
        }
    }
}

impl Blob for RemoteBlob {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let ranges = [range];
        let all = self.read_all(&ranges)?;
        all.into_iter().next().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn read_all(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        let lengths: Vec<u64> = ranges.iter().map(|range| range.end.saturating_sub(range.start)).collect();
        let gets: Vec<_> = ranges
            .iter()
            .map(|range| (!range.is_empty()).then(|| self.get(range.clone())))
            .map(|get| async move {
                match get {
                    Some(get) => get.await,
                    None => Ok(Bytes::new()),
                }
            })
            .collect();
        let found = self.driver.wait(async move {
            futures::stream::iter(gets).buffered(AT_ONCE).try_collect::<Vec<Bytes>>().await
        })?;
        let found = found.map_err(|error| match error {
            // It is another object than the one that was opened.
            StoreError::Precondition { .. } => io::ErrorKind::UnexpectedEof.into(),
            error => io_error(&error),
        })?;
        if found.iter().zip(lengths).any(|(bytes, length)| bytes.len() as u64 != length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(found)
    }

    fn is_far(&self) -> bool {
        true
    }
}

impl fmt::Debug for RemoteBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteBlob")
            .field("key", &self.key.as_ref())
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
