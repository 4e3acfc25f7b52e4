//! Leases: what takes the place of locks in an object store.
//!
//! A lease is an object that its holder writes anew every quarter of its term, each time on the condition that nobody
//! else has. One that was not renewed for a term is given up: its holder is taken for dead. That can be wrong, as when a
//! machine slept, so nothing relies on a lease alone. A commit confirms it first, and whoever takes a lease over makes a
//! generation before removing anything, so that a holder who wakes up finds its place taken.
//!
//! How long ago an object was renewed is the store's clock against this machine's; they must not differ by more than
//! half a term.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde::{Deserialize, Serialize};

use super::driver::Driver;
use super::failure::io_error;
use crate::store::Guard;

/// Longest body read; ours are short.
const BODY_MAX: u64 = 4096;
/// How often somebody else may be quicker.
const RACES_MAX: usize = 3;

/// What a lease says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// Not given back.
    held: bool,
    /// Given back, but whoever it was taken from before was not fenced off.
    #[serde(default)]
    open: bool,
    /// Random, so that no two bodies are the same.
    token: String,
    note: String,
}

impl Body {
    fn new(held: bool, note: &str) -> Self {
        Self { held, open: false, token: uuid::Uuid::new_v4().to_string(), note: note.to_owned() }
    }

    fn bytes(&self) -> Vec<u8> {
        // Text always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The leases of one handle on a store.
pub(super) struct Leases {
    objects: Arc<dyn ObjectStore>,
    term: Duration,
    living: Arc<Mutex<Vec<Weak<Lease>>>>,
}

/// A lease of this process.
struct Lease {
    objects: Arc<dyn ObjectStore>,
    key: Key,
    note: String,
    /// As this process wrote it last; none when somebody else has written it since.
    version: tokio::sync::Mutex<Option<UpdateVersion>>,
}

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It is written that it is free.
    GivenBack,
    /// Its object is removed.
    Removed,
    /// Nothing is done; its maker removes it.
    Left,
}

/// A lease as what is held.
struct Held {
    lease: Arc<Lease>,
    driver: Arc<Driver>,
    ending: Ending,
    taken_over: bool,
    fenced: AtomicBool,
}

impl Leases {
    /// Leases of a term; they are renewed while the handle lives.
    pub(super) fn new(objects: Arc<dyn ObjectStore>, driver: &Driver, term: Duration) -> Self {
        let living: Arc<Mutex<Vec<Weak<Lease>>>> = Arc::default();
        let known = Arc::downgrade(&living);
        let pause = (term / 4).max(Duration::from_millis(50));
        driver.spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(known) = known.upgrade() else { break };
                let leases: Vec<Arc<Lease>> = {
                    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                    known.retain(|lease| lease.strong_count() > 0);
                    known.iter().filter_map(Weak::upgrade).collect()
                };
                drop(known);
                for lease in leases {
                    // One that cannot be reached now is tried again; whoever relies on it asks.
                    let _ = lease.renew().await;
                }
            }
        });
        Self { objects, term, living }
    }

    /// Takes the one lease of this name; none while somebody else has it.
    pub(super) fn take(&self, driver: &Arc<Driver>, key: Key) -> io::Result<Option<Box<dyn Guard>>> {
        let (objects, term) = (Arc::clone(&self.objects), self.term);
        let taken = driver.wait(async move { take(objects, term, key).await })?;
        let taken = taken.map_err(|error| io_error(&error))?;
        Ok(taken.map(|(lease, taken_over)| self.held(lease, driver, Ending::GivenBack, taken_over)))
    }

    /// Makes a mark that nobody else has made.
    pub(super) fn mark(&self, driver: &Arc<Driver>, key: Key, note: &str) -> io::Result<Box<dyn Guard>> {
        self.put(driver, key, note, Ending::Left)
    }

    /// Makes a mark that is removed with its guard.
    pub(super) fn hold(&self, driver: &Arc<Driver>, key: Key) -> io::Result<Box<dyn Guard>> {
        self.put(driver, key, "", Ending::Removed)
    }

    fn put(&self, driver: &Arc<Driver>, key: Key, note: &str, ending: Ending) -> io::Result<Box<dyn Guard>> {
        let (objects, note) = (Arc::clone(&self.objects), note.to_owned());
        let made = driver.wait(async move { put(objects, key, &note, PutMode::Create).await })?;
        let lease = made.map_err(|error| io_error(&error))?;
        Ok(self.held(lease, driver, ending, false))
    }

    fn held(&self, lease: Lease, driver: &Arc<Driver>, ending: Ending, taken_over: bool) -> Box<dyn Guard> {
        let lease = Arc::new(lease);
        let mut living = self.living.lock().unwrap_or_else(PoisonError::into_inner);
        living.push(Arc::downgrade(&lease));
        let fenced = AtomicBool::new(false);
        Box::new(Held { lease, driver: Arc::clone(driver), ending, taken_over, fenced })
    }

    /// Whether a lease is held by somebody who renews it.
    pub(super) fn is_live(&self, driver: &Driver, key: Key) -> io::Result<bool> {
        let (objects, term) = (Arc::clone(&self.objects), self.term);
        let found = driver.wait(async move { read(&objects, &key).await })?;
        let found = found.map_err(|error| io_error(&error))?;
        Ok(found.is_some_and(|(body, _, renewed)| body.held && is_fresh(renewed, term)))
    }

    /// Whether somebody holds one of these marks; those that were given up are removed.
    pub(super) fn any_live(
        &self,
        driver: &Driver,
        directory: Key,
        is_meant: impl Fn(&str) -> bool + Send + 'static,
    ) -> io::Result<bool> {
        let (objects, term) = (Arc::clone(&self.objects), self.term);
        let any = driver.wait(async move {
            let mut all = objects.list(Some(&directory));
            let mut any = false;
            while let Some(found) = all.next().await {
                let found = found?;
                if !found.location.filename().is_some_and(&is_meant) {
                    continue;
                }
                if is_fresh(found.last_modified, term) {
                    any = true;
                } else {
                    // Whoever made it is gone; when that is wrong, it renews nothing any more, and asks.
                    let _ = objects.delete(&found.location).await;
                }
            }
            Ok(any)
        })?;
        any.map_err(|error: StoreError| io_error(&error))
    }

    /// The note of a lease.
    pub(super) fn note(&self, driver: &Driver, key: Key) -> io::Result<Option<String>> {
        let objects = Arc::clone(&self.objects);
        let found = driver.wait(async move { read(&objects, &key).await })?;
        let found = found.map_err(|error| io_error(&error))?;
        Ok(found.map(|(body, ..)| body.note))
    }
}

impl Lease {
    /// Writes it anew; false when somebody else has it.
    async fn renew(&self) -> object_store::Result<bool> {
        let mut version = self.version.lock().await;
        let Some(last) = version.clone() else { return Ok(false) };
        let bytes = Body::new(true, &self.note).bytes();
        match self.objects.put_opts(&self.key, bytes.into(), mode(PutMode::Update(last))).await {
            Ok(put) => {
                *version = Some(put.into());
                Ok(true)
            }
            Err(StoreError::Precondition { .. } | StoreError::NotFound { .. }) => {
                *version = None;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn end(&self, ending: Ending, open: bool) {
        // From here on nothing renews it.
        let Some(last) = self.version.lock().await.take() else { return };
        // What fails here is found to be given up after a term.
        match ending {
            Ending::GivenBack => {
                let bytes = Body { open, ..Body::new(false, "") }.bytes();
                let _ = self.objects.put_opts(&self.key, bytes.into(), mode(PutMode::Update(last))).await;
            }
            Ending::Removed => {
                let _ = self.objects.delete(&self.key).await;
            }
            Ending::Left => {}
        }
    }
}

impl Guard for Held {
    fn confirm(&self) -> io::Result<bool> {
        let lease = Arc::clone(&self.lease);
        self.driver.wait(async move { lease.renew().await })?.map_err(|error| io_error(&error))
    }

    fn was_taken_over(&self) -> bool {
        self.taken_over
    }

    fn note_fenced(&self) {
        self.fenced.store(true, Ordering::Release);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (lease, ending) = (Arc::clone(&self.lease), self.ending);
        let open = self.taken_over && !self.fenced.load(Ordering::Acquire);
        let _ = self.driver.wait(async move { lease.end(ending, open).await });
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("key", &self.lease.key.as_ref()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("term", &self.term).finish_non_exhaustive()
    }
}

async fn take(
    objects: Arc<dyn ObjectStore>,
    term: Duration,
    key: Key,
) -> object_store::Result<Option<(Lease, bool)>> {
    for _ in 0..RACES_MAX {
        let (way, taken_over) = match read(&objects, &key).await? {
            None => (PutMode::Create, false),
            Some((body, version, renewed)) => {
                if body.held && is_fresh(renewed, term) {
                    return Ok(None);
                }
                (PutMode::Update(version), body.held || body.open)
            }
        };
        match put(Arc::clone(&objects), key.clone(), "", way).await {
            Ok(lease) => return Ok(Some((lease, taken_over))),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

async fn put(
    objects: Arc<dyn ObjectStore>,
    key: Key,
    note: &str,
    way: PutMode,
) -> object_store::Result<Lease> {
    let bytes = Body::new(true, note).bytes();
    let version = match objects.put_opts(&key, bytes.clone().into(), mode(way)).await {
        Ok(put) => put.into(),
        Err(error) => {
            // An answer that was lost, or a request that was made again by itself: is it ours?
            let Ok(found) = objects.get(&key).await else { return Err(error) };
            let meta = found.meta.clone();
            match found.bytes().await {
                Ok(there) if there == bytes => UpdateVersion { e_tag: meta.e_tag, version: meta.version },
                _ => return Err(error),
            }
        }
    };
    Ok(Lease { objects, key, note: note.to_owned(), version: tokio::sync::Mutex::new(Some(version)) })
}

type Read = (Body, UpdateVersion, DateTime<Utc>);

async fn read(objects: &Arc<dyn ObjectStore>, key: &Key) -> object_store::Result<Option<Read>> {
    let found = match objects.get(key).await {
        Ok(found) => found,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let meta = found.meta.clone();
    let bytes = if meta.size > BODY_MAX { bytes::Bytes::new() } else { found.bytes().await? };
    // What is no lease is taken for one that somebody holds until its term is over.
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Body::new(true, ""));
    Ok(Some((body, UpdateVersion { e_tag: meta.e_tag, version: meta.version }, meta.last_modified)))
}

fn is_fresh(renewed: DateTime<Utc>, term: Duration) -> bool {
    let age = Utc::now().signed_duration_since(renewed);
    // A clock that is behind the store's says that it was renewed just now.
    age.to_std().map_or(true, |age| age < term)
}

fn mode(mode: PutMode) -> PutOptions {
    PutOptions { mode, ..PutOptions::default() }
}
