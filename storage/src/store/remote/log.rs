//! The audit log in an object store: an object for each record, created if absent, so that of two writers one wins.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::driver::Driver;
use super::failure::io_error;
use super::upload;
use crate::error::{Error, Result};
use crate::store::{After, Appended, LogFile};

/// Directory of the records, and their name in errors.
pub(super) const LOG: &str = "audit/log";
/// The object that has the header.
pub(super) const LOG_START: &str = "audit/log/start";
const START: &str = "start";
/// Digits of a record's name.
const DIGITS: usize = 16;
/// Records that are fetched at once.
const AT_ONCE: usize = 32;
/// Bytes of the header, and of a frame beside what is sealed, its length and the chain: see `audit::frame`.
const HEADER_LEN: usize = 24;
const LENGTH_LEN: usize = 4;
const CHAIN_LEN: usize = 32;

/// The records.
pub(super) struct RemoteLog {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) driver: Arc<Driver>,
    /// Of the directory.
    pub(super) key: Key,
}

impl RemoteLog {
    fn record(&self, number: u64) -> Key {
        self.key.clone().join(format!("{number:0DIGITS$}"))
    }

    /// Whether the log was begun.
    pub(super) fn is_there(&self) -> io::Result<bool> {
        let (objects, key) = (Arc::clone(&self.objects), self.key.clone().join(START));
        match self.driver.wait(async move { objects.head(&key).await })? {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(io_error(&error)),
        }
    }

    pub(super) fn begin(&self, header: &[u8]) -> io::Result<()> {
        self.put(self.key.clone().join(START), header.to_vec())
    }

    fn put(&self, key: Key, bytes: Vec<u8>) -> io::Result<()> {
        let objects = Arc::clone(&self.objects);
        self.driver.wait(async move { upload::create(&objects, &key, bytes.into()).await })?
    }

    /// Takes over all of another log.
    pub(super) fn copy(&self, log: After) -> io::Result<()> {
        let After { mut bytes, length, .. } = log;
        let mut header = vec![0; HEADER_LEN];
        bytes.read_exact(&mut header)?;
        self.begin(&header)?;
        let mut left = length.saturating_sub(header.len() as u64);
        let mut number = 0;
        while left > 0 {
            let mut frames = Vec::with_capacity(AT_ONCE);
            while left > 0 && frames.len() < AT_ONCE {
                let mut prefix = [0; LENGTH_LEN];
                bytes.read_exact(&mut prefix)?;
                let sealed = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
                let rest = sealed.saturating_add(CHAIN_LEN);
                let whole = rest.saturating_add(LENGTH_LEN) as u64;
                if whole > left {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let mut frame = prefix.to_vec();
                frame.resize(LENGTH_LEN + rest, 0);
                bytes.read_exact(frame.get_mut(LENGTH_LEN..).unwrap_or_default())?;
                frames.push((self.record(number), Bytes::from(frame)));
                number += 1;
                left -= whole;
            }
            let objects = Arc::clone(&self.objects);
            self.driver.wait(async move {
                let puts = frames.into_iter().map(|(key, frame)| {
                    let objects = Arc::clone(&objects);
                    async move { upload::create(&objects, &key, frame).await }
                });
                futures::stream::iter(puts).buffer_unordered(AT_ONCE).try_collect::<()>().await
            })??;
        }
        Ok(())
    }
}

impl LogFile for RemoteLog {
    fn after(&self, records: u64, _bytes: u64) -> io::Result<After> {
        // The record before this place too: that it is there says that the log reaches here.
        let known = records.saturating_sub(1);
        let (objects, key) = (Arc::clone(&self.objects), self.key.clone());
        let found = self.driver.wait(async move {
            let before = known.checked_sub(1).map(|number| key.clone().join(format!("{number:0DIGITS$}")));
            let all = match &before {
                Some(before) => objects.list_with_offset(Some(&key), before),
                None => objects.list(Some(&key)),
            };
            all.try_collect::<Vec<ObjectMeta>>().await
        })?;
        let found = found.map_err(|error| io_error(&error))?;
        let number = |meta: &ObjectMeta| {
            let name = meta.location.filename()?;
            let number: u64 = name.parse().ok()?;
            (format!("{number:0DIGITS$}") == name).then_some(number)
        };
        let mut numbered: Vec<(u64, ObjectMeta)> =
            found.into_iter().filter_map(|meta| Some((number(&meta)?, meta))).collect();
        numbered.sort_by_key(|(number, _)| *number);
        let is_short = records > 0 && numbered.first().is_none_or(|(number, _)| *number != known);
        numbered.retain(|(number, _)| *number >= records);
        let total = numbered.len();
        let row = numbered.into_iter().zip(records..).take_while(|((number, _), place)| number == place);
        let mut objects: VecDeque<(Key, u64)> =
            row.map(|((_, meta), _)| (meta.location, meta.size)).collect();
        let gap = objects.len() < total;
        if records == 0 {
            let start = self.key.clone().join(START);
            let (store, key) = (Arc::clone(&self.objects), start.clone());
            let head = self.driver.wait(async move { store.head(&key).await })?;
            match head {
                Ok(head) => objects.push_front((start, head.size)),
                Err(object_store::Error::NotFound { .. }) => objects.clear(),
                Err(error) => return Err(io_error(&error)),
            }
        }
        let length = objects.iter().map(|(_, size)| size).sum();
        let bytes = Records {
            objects: Arc::clone(&self.objects),
            driver: Arc::clone(&self.driver),
            left: objects,
            fetched: VecDeque::new(),
        };
        Ok(After { bytes: Box::new(bytes), length, gap, is_short })
    }

    fn before(&self, records: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(number) = records.checked_sub(1) else { return Ok(None) };
        let (objects, key) = (Arc::clone(&self.objects), self.record(number));
        let range = Some(GetRange::Suffix(length as u64));
        let found = self.driver.wait(async move {
            let options = GetOptions { range, ..GetOptions::default() };
            objects.get_opts(&key, options).await?.bytes().await
        })?;
        match found {
            Ok(bytes) => Ok((bytes.len() == length).then(|| bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(io_error(&error)),
        }
    }

    fn append(&mut self, records: u64, _bytes: u64, frame: &[u8]) -> Result<Appended> {
        match self.put(self.record(records), frame.to_vec()) {
            Ok(()) => Ok(Appended::Done),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Appended::Raced),
            Err(error) => Err(Error::io("write", LOG, error)),
        }
    }

    fn cut(&mut self, _bytes: u64) -> Result<()> {
        // A record is there or not; there is nothing to cut off.
        Err(Error::io("write", LOG, io::ErrorKind::Unsupported.into()))
    }

    fn is_whole(&self) -> bool {
        true
    }
}

/// Objects one after the other.
struct Records {
    objects: Arc<dyn ObjectStore>,
    driver: Arc<Driver>,
    left: VecDeque<(Key, u64)>,
    fetched: VecDeque<Bytes>,
}

impl Records {
    fn fetch(&mut self) -> io::Result<()> {
        let count = self.left.len().min(AT_ONCE);
        let next: Vec<(Key, u64)> = self.left.drain(..count).collect();
        let objects = Arc::clone(&self.objects);
        let fetched = self.driver.wait(async move {
            let gets = next.into_iter().map(|(key, size)| {
                let objects = Arc::clone(&objects);
                async move { objects.get(&key).await?.bytes().await.map(|bytes| (bytes, size)) }
            });
            futures::stream::iter(gets).buffered(AT_ONCE).try_collect::<Vec<_>>().await
        })?;
        for (bytes, size) in fetched.map_err(|error| io_error(&error))? {
            if bytes.len() as u64 != size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.fetched.push_back(bytes);
        }
        Ok(())
    }
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.fetched.front_mut() {
                Some(bytes) if bytes.is_empty() => {
                    self.fetched.pop_front();
                }
                Some(bytes) => {
                    let count = buffer.len().min(bytes.len());
                    let piece = bytes.split_to(count);
                    if let Some(target) = buffer.get_mut(..count) {
                        target.copy_from_slice(&piece);
                    }
                    return Ok(count);
                }
                None if self.left.is_empty() => return Ok(0),
                None => self.fetch()?,
            }
        }
    }
}
