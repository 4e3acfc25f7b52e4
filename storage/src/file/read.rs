//! Reading ranges of an encrypted data file.
//!
//! In: a file the manifest names. Out: its bytes at given ranges, still encrypted, and its footer once the footer's
//! digest is that of the manifest. A file that is plaintext, has another length, or ends in another footer is never
//! opened. Nothing here decrypts.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::ahead::Ahead;
use super::modules::modules_are_whole;
use crate::crypto::{Sha256Stream, sha256};
use crate::dataset::FileEntry;
use crate::error::{Error, Result};
use crate::store::{Blob, Store};

const ENCRYPTED_MAGIC: &[u8; 4] = b"PARE";
const PLAINTEXT_MAGIC: &[u8; 4] = b"PAR1";
/// Length word and magic at the end of a file.
pub(crate) const TAIL_LEN: u64 = 8;
/// Shortest file that can be: magic, a footer module, tail.
const FILE_LEN_MIN: u64 = 4 + 32 + TAIL_LEN;
/// Longest footer read into memory.
const FOOTER_LEN_MAX: u64 = 256 << 20;
const DIGEST_BLOCK: usize = 1 << 22;
/// Most bytes of the end of a file that are read before it is known what is there.
const ENDS_MAX: u64 = 16 << 20;

/// An open data file; cheap to clone, safe to read from several threads.
#[derive(Clone, Debug)]
pub struct DataFile {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    blob: Arc<dyn Blob>,
    name: String,
    /// Beginning and end, where every read is a journey.
    ends: Vec<(u64, Bytes)>,
    /// A read has failed: it may be another file by now.
    has_failed: AtomicBool,
}

impl DataFile {
    /// Opens the file of an entry.
    ///
    /// # Errors
    /// The file is missing, plaintext, or not of the length that the manifest gives.
    pub(crate) fn open(store: &dyn Store, entry: &FileEntry) -> Result<Self> {
        let name = entry.file_name();
        // Footer and page directories lie at the end.
        let end = entry.columns.iter().map(|column| column.directory.offset).min().unwrap_or(entry.bytes);
        let file = Self::open_ahead(store, &name, name.clone(), end)?;
        let (found, expected) = (file.len(), entry.bytes);
        if found != expected {
            let what = format!("it has {found} bytes, the manifest says {expected}");
            return Err(Error::corrupt(file.name(), what));
        }
        Ok(file)
    }

    /// Opens a file that must be encrypted Parquet from its first to its last bytes.
    /// It lies under the name `now` and is called by its own in errors.
    pub(crate) fn open_encrypted(store: &dyn Store, now: &str, name: String) -> Result<Self> {
        Self::open_ahead(store, now, name, u64::MAX)
    }

    fn open_ahead(store: &dyn Store, now: &str, name: String, end: u64) -> Result<Self> {
        let blob = store.open(now)?.ok_or_else(|| Error::FileMissing { file: name.clone() })?;
        let mut ends = Vec::new();
        if blob.is_far() && blob.len() >= FILE_LEN_MIN {
            let end = end.min(blob.len() - TAIL_LEN);
            // What was changed can name any place; a footer is no longer than this.
            let end = end.max(blob.len().saturating_sub(ENDS_MAX));
            let ranges = [0..4, end..blob.len()];
            let read = blob.read_all(&ranges).map_err(|error| Error::io("read", name.clone(), error))?;
            ends.extend(ranges.iter().map(|range| range.start).zip(read));
        }
        let this = Self { inner: Arc::new(Inner { blob, name, ends, has_failed: AtomicBool::new(false) }) };
        this.check_magic()?;
        Ok(this)
    }

    /// A file whose ends were read.
    #[cfg(test)]
    pub(super) fn with_ends(blob: Arc<dyn Blob>, ends: Vec<(u64, Bytes)>) -> Self {
        let (name, has_failed) = ("data/file".to_owned(), AtomicBool::new(false));
        Self { inner: Arc::new(Inner { blob, name, ends, has_failed }) }
    }

    fn check_magic(&self) -> Result<()> {
        let len = self.len();
        let head = self.read(0..len.min(4))?;
        if &*head == PLAINTEXT_MAGIC {
            return Err(Error::Plaintext { file: self.inner.name.clone() });
        }
        if len < FILE_LEN_MIN {
            return Err(Error::corrupt(self.name(), "it is too short to be a data file"));
        }
        let tail = self.read(len.saturating_sub(4)..len)?;
        if &*tail == PLAINTEXT_MAGIC {
            return Err(Error::Plaintext { file: self.inner.name.clone() });
        }
        if &*head != ENCRYPTED_MAGIC || &*tail != ENCRYPTED_MAGIC {
            return Err(Error::corrupt(self.name(), "it is not an encrypted Parquet file"));
        }
        Ok(())
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.inner.blob.len()
    }

    /// Whether the file has no bytes; an opened file always has some.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name relative to the dataset.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The bytes of a range, as they lie on disk.
    ///
    /// # Errors
    /// The range does not lie in the file, or the file cannot be read.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > self.len() {
            return Err(Error::corrupt(self.name(), "a range outside the file was asked for"));
        }
        for (start, bytes) in &self.inner.ends {
            let within = |at: u64| at.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
            if let (Some(from), Some(to)) = (within(range.start), within(range.end))
                && to <= bytes.len()
            {
                return Ok(bytes.slice(from..to));
            }
        }
        self.inner.blob.read(range).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Error {
        self.inner.has_failed.store(true, Ordering::Relaxed);
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::corrupt(self.name(), "it was cut or changed while it was read")
            }
            io::ErrorKind::NotFound => Error::FileMissing { file: self.name().to_owned() },
            _ => Error::io("read", self.name(), error),
        }
    }

    /// Whether a read of it has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.inner.has_failed.load(Ordering::Relaxed)
    }

    /// Bytes of its ends that are in memory.
    pub(crate) fn ends_bytes(&self) -> u64 {
        self.inner.ends.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// The bytes of several ranges, fetched at the same time where each is a journey.
    pub(crate) fn read_all(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if ranges.iter().any(|range| range.start > range.end || range.end > self.len()) {
            return Err(Error::corrupt(self.name(), "a range outside the file was asked for"));
        }
        self.inner.blob.read_all(ranges).map_err(|error| self.failed(error))
    }

    /// Whether every read is a journey, so that it is worth reading ahead.
    pub(crate) fn is_far(&self) -> bool {
        self.inner.blob.is_far()
    }

    /// The bytes of a range that covers whole encrypted modules: a column chunk, or pages with their headers. Their
    /// length words are checked, so that a decoder neither allocates what a changed word says nor panics on it.
    ///
    /// # Errors
    /// As [`Self::read`]; the length words do not cover the range exactly.
    pub fn read_modules(&self, range: Range<u64>) -> Result<Bytes> {
        self.read_modules_ahead(range, None)
    }

    /// As [`Self::read_modules`], out of what was read ahead.
    pub(crate) fn read_modules_ahead(&self, range: Range<u64>, ahead: Option<&Ahead>) -> Result<Bytes> {
        let bytes = match ahead {
            Some(ahead) => ahead.get(self, &range)?,
            None => None,
        };
        let bytes = bytes.map_or_else(|| self.read(range), Ok)?;
        if modules_are_whole(&bytes) {
            Ok(bytes)
        } else {
            Err(Error::corrupt(self.name(), "the lengths of its parts are impossible"))
        }
    }

    /// Range of the footer with the tail, from the length word; bounded by the file and by a limit.
    pub(crate) fn footer_range(&self) -> Result<Range<u64>> {
        let len = self.len();
        let bad = || Error::corrupt(self.name(), "its footer's length is impossible");
        let tail = self.read(len.saturating_sub(TAIL_LEN)..len)?;
        let word = tail.first_chunk::<4>().ok_or_else(bad)?;
        let bytes = u64::from(u32::from_le_bytes(*word)) + TAIL_LEN;
        if bytes > FOOTER_LEN_MAX {
            return Err(bad());
        }
        // the head's magic is no part of the footer
        let start = len.checked_sub(bytes).filter(|start| *start >= 4).ok_or_else(bad)?;
        Ok(start..len)
    }

    /// The footer with the tail, still encrypted; it is the one the manifest knows.
    pub(crate) fn footer(&self, entry: &FileEntry) -> Result<(Range<u64>, Bytes)> {
        let range = self.footer_range()?;
        let changed = || Error::corrupt(self.name(), "its footer is not the one that was written");
        if range.end - range.start != entry.footer.bytes {
            return Err(changed());
        }
        let bytes = self.read(range.clone())?;
        if sha256(&bytes) != entry.footer.sha256.0 {
            return Err(changed());
        }
        Ok((range, bytes))
    }

    /// SHA-256 of the whole file.
    pub(crate) fn digest(&self) -> Result<[u8; 32]> {
        let mut digest = Sha256Stream::default();
        let mut at = 0;
        while at < self.len() {
            let end = self.len().min(at + DIGEST_BLOCK as u64);
            digest.update(&self.read(at..end)?);
            at = end;
        }
        Ok(digest.finish())
    }
}
