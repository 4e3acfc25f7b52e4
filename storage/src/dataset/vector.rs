//! Deletion vectors: which rows of a data file count no more.
//!
//! A data file is never changed. A row that was replaced or deleted is named by the file's deletion vector, a small
//! sealed file of its own; the manifest's entry of the data file names it. Older generations name an older vector or
//! none, and so still see the row.
//!
//! ```text
//! data/<uuid>.deleted = "HSDELET1" ‖ seal(data key of the vector, aad, runs)
//! runs = for each run of rows that count no more: rows before it since the last one, then its rows; both LEB128
//! ```
//!
//! In: sorted ranges of rows. Out: the same ranges, from the one file whose vector they are.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::entry::{FileEntry, WrappedKey};
use super::id::{DatasetId, FileId};
use crate::crypto::{DataKey, Digest, KeyId, sha256};
use crate::error::{Error, Result};
use crate::file::keys::Place;
use crate::keyring::{KeyClass, Keyring};
use crate::store::Store;

const MAGIC: &[u8; 8] = b"HSDELET1";
/// Behind the id in names.
pub(super) const SUFFIX: &str = ".deleted";
/// Longest vector that is read.
const BYTES_MAX: u64 = 256 << 20;

/// What a manifest knows of the deletion vector of a data file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VectorEntry {
    pub(crate) id: FileId,
    /// Rows of the data file that count no more.
    pub(crate) rows: u64,
    /// Length of the vector's file.
    pub(crate) bytes: u64,
    /// SHA-256 of it.
    pub(crate) sha256: Digest,
    /// Data key, wrapped under the key of the data file's class.
    pub(crate) key: WrappedKey,
    pub(crate) key_id: KeyId,
}

impl VectorEntry {
    pub(crate) fn file_name(&self) -> String {
        format!("data/{}{SUFFIX}", self.id)
    }

    /// Name under which the data key is wrapped; no column has such a name.
    fn key_name(&self) -> String {
        key_name(self.id)
    }

    /// Unwraps the data key.
    pub(crate) fn unwrap(&self, keyring: &Keyring, place: &Place) -> Result<DataKey> {
        let class_key = keyring.key_of(KeyClass::Data(place.class), &self.key_id)?;
        place.unwrap(class_key, &self.key_id, &self.key_name(), &self.key)
    }

    /// Wraps the data key under the primary key of the class.
    pub(crate) fn rewrap(&mut self, keyring: &Keyring, place: &Place) -> Result<()> {
        let key = self.unwrap(keyring, place)?;
        let new = keyring.class_key(KeyClass::Data(place.class))?;
        self.key = place.wrap(new, &self.key_name(), &key)?;
        self.key_id = *new.id();
        Ok(())
    }

    /// Writes the vector of a data file of this place and length; it is durable when its directory was synced.
    pub(super) fn write(
        store: &dyn Store,
        keyring: &Keyring,
        place: &Place,
        rows: &[Range<u64>],
    ) -> Result<Self> {
        let class_key = keyring.class_key(KeyClass::Data(place.class))?;
        let (id, key) = (FileId::random(), DataKey::generate()?);
        let sealed = key.seal(place.vector_aad(&id).as_bytes(), &encode(rows))?;
        let bytes = [MAGIC.as_slice(), &sealed].concat();
        let this = Self {
            id,
            rows: rows.iter().map(|run| run.end - run.start).sum(),
            bytes: bytes.len() as u64,
            sha256: Digest(sha256(&bytes)),
            key: place.wrap(class_key, &key_name(id), &key)?,
            key_id: *class_key.id(),
        };
        if !store.create(&this.file_name(), &bytes)? {
            return Err(Error::corrupt(this.file_name(), "a file of this name is there already"));
        }
        Ok(this)
    }

    /// Opens the vector of a data file with so many rows.
    ///
    /// # Errors
    /// It is missing, or not the one that was written.
    pub(crate) fn read(
        &self,
        store: &dyn Store,
        place: &Place,
        key: &DataKey,
        file_rows: u64,
    ) -> Result<Vec<Range<u64>>> {
        let bytes = self.bytes(store)?;
        let bad = || Error::corrupt(self.file_name(), "it is not the deletion vector that was written");
        let sealed = bytes.strip_prefix(MAGIC).ok_or_else(bad)?;
        let plain = key.open(place.vector_aad(&self.id).as_bytes(), sealed).map_err(|_| bad())?;
        decode(&plain, file_rows).filter(|rows| total(rows) == self.rows).ok_or_else(bad)
    }

    /// The file's bytes, as many as the manifest says.
    pub(crate) fn bytes(&self, store: &dyn Store) -> Result<Vec<u8>> {
        let name = self.file_name();
        let bytes = store.read(&name, self.bytes.min(BYTES_MAX))?;
        let bytes = bytes.ok_or_else(|| Error::FileMissing { file: name.clone() })?;
        if bytes.len() as u64 == self.bytes { Ok(bytes) } else { Err(Error::corrupt(name, "it was cut")) }
    }
}

fn key_name(id: FileId) -> String {
    format!("deletion vector {id}")
}

fn total(rows: &[Range<u64>]) -> u64 {
    rows.iter().map(|run| run.end - run.start).sum()
}

/// The vector that a data file of a snapshot has, opened under the keyring; empty when it has none.
pub(crate) fn of_file(
    store: &dyn Store,
    dataset: DatasetId,
    keyring: &Keyring,
    entry: &FileEntry,
) -> Result<Vec<Range<u64>>> {
    let Some(vector) = &entry.deleted else { return Ok(Vec::new()) };
    let place = Place::of(dataset, entry);
    vector.read(store, &place, &vector.unwrap(keyring, &place)?, entry.rows)
}

/// Puts ranges in order, and joins those that overlap or touch.
pub(crate) fn union(mut rows: Vec<Range<u64>>) -> Vec<Range<u64>> {
    rows.retain(|run| !run.is_empty());
    rows.sort_unstable_by_key(|run| (run.start, run.end));
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(rows.len());
    for run in rows {
        match joined.last_mut() {
            Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
            _ => joined.push(run),
        }
    }
    joined
}

/// Those of some rows that are not deleted; both ascend.
pub(crate) fn without(rows: &[Range<u64>], deleted: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = Vec::with_capacity(rows.len());
    let mut deleted = deleted.iter().peekable();
    for run in rows {
        let mut start = run.start;
        while start < run.end {
            match deleted.peek() {
                Some(gone) if gone.end <= start => {
                    deleted.next();
                }
                Some(gone) if gone.start < run.end => {
                    if gone.start > start {
                        left.push(start..gone.start);
                    }
                    // A run that reaches beyond this one also cuts the next.
                    start = gone.end;
                }
                Some(_) | None => {
                    left.push(start..run.end);
                    break;
                }
            }
        }
    }
    left
}

fn encode(rows: &[Range<u64>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 3);
    let mut end = 0;
    for run in rows {
        put(&mut out, run.start - end);
        put(&mut out, run.end - run.start);
        end = run.end;
    }
    out
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// `None` when the bytes are not runs of rows of such a file.
fn decode(mut bytes: &[u8], file_rows: u64) -> Option<Vec<Range<u64>>> {
    let mut rows = Vec::new();
    let mut end = 0_u64;
    while !bytes.is_empty() {
        let start = end.checked_add(take(&mut bytes)?)?;
        let length = take(&mut bytes).filter(|length| *length > 0)?;
        end = start.checked_add(length).filter(|end| *end <= file_rows)?;
        rows.push(start..end);
    }
    Some(rows)
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back() {
        for rows in [vec![], vec![0..1], vec![3..5, 5_000..70_000, 1 << 40..(1 << 40) + 1]] {
            assert_eq!(decode(&encode(&rows), u64::MAX), Some(rows));
        }
        assert_eq!(decode(&encode(&[3..5]), 4), None, "beyond the file");
        assert_eq!(decode(&[3], 9), None);
        assert_eq!(decode(&[3, 0], 9), None);
        assert_eq!(decode(&[0xff; 12], 9), None);
    }

    #[test]
    fn rows_are_joined_and_taken_away() {
        assert_eq!(union(vec![7..9, 1..2, 2..4, 8..12, 5..5]), [1..4, 7..12]);
        let all = |rows: &[Range<u64>]| rows.iter().cloned().flatten().collect::<Vec<u64>>();
        let deleted = [2..4, 6..7, 9..30, 32..33];
        for rows in [vec![0..40], vec![0..3, 3..4, 6..8, 20..32], vec![2..4], vec![], vec![33..34]] {
            let expected: Vec<u64> =
                all(&rows).into_iter().filter(|row| !all(&deleted).contains(row)).collect();
            assert_eq!(all(&without(&rows, &deleted)), expected, "{rows:?}");
        }
    }
}
