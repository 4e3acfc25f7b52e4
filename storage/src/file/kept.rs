//! Data files of an object store, kept with their ends for the next query.
//!
//! In: files that were opened and proven. Out: the same files, without a request. Kept is what lies at the ends, footer
//! and page directories, as it lies there: encrypted. Whoever uses it compares the footer with the manifest's digest and
//! authenticates directories again, and pages are read where they lie, so that what was changed since is told when a
//! page of it is read. In a directory the system keeps what was read by itself.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::DataFile;
use crate::dataset::FileId;

/// Files that are kept, at most so many bytes of them; who was not asked for longest goes first.
pub(crate) struct KeptFiles {
    bytes_max: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    files: HashMap<FileId, (u64, DataFile)>,
    /// Files by when they were asked for.
    by_use: BTreeMap<u64, FileId>,
    uses: u64,
    bytes: u64,
}

impl KeptFiles {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// The file of this id and length, if it is kept and every read of it since has succeeded.
    pub(crate) fn get(&self, id: FileId, bytes: u64) -> Option<DataFile> {
        let mut kept = self.kept();
        let file = kept.take(id)?;
        if file.has_failed() || file.len() != bytes {
            return None;
        }
        kept.put(id, file.clone());
        Some(file)
    }

    /// Keeps a file that was proven, where that saves a journey.
    pub(crate) fn keep(&self, id: FileId, file: &DataFile) {
        if !file.is_far() || file.ends_bytes() > self.bytes_max {
            return;
        }
        let mut kept = self.kept();
        kept.take(id);
        kept.put(id, file.clone());
        while kept.bytes > self.bytes_max {
            let Some(oldest) = kept.by_use.first_key_value().map(|(_, id)| *id) else { break };
            kept.take(oldest);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take(&mut self, id: FileId) -> Option<DataFile> {
        let (used, file) = self.files.remove(&id)?;
        self.by_use.remove(&used);
        self.bytes -= file.ends_bytes();
        Some(file)
    }

    fn put(&mut self, id: FileId, file: DataFile) {
        self.uses += 1;
        self.bytes += file.ends_bytes();
        self.by_use.insert(self.uses, id);
        self.files.insert(id, (self.uses, file));
    }
}

impl fmt::Debug for KeptFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptFiles").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::io;
    use std::ops::Range;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::store::Blob;

    const LENGTH: u64 = 1_000;

    /// A file of which nothing but its ends can be read.
    #[derive(Debug)]
    struct Gone {
        is_far: bool,
    }

    impl Blob for Gone {
        fn len(&self) -> u64 {
            LENGTH
        }

        fn read(&self, _: Range<u64>) -> io::Result<Bytes> {
            Err(io::ErrorKind::NotFound.into())
        }

        fn is_far(&self) -> bool {
            self.is_far
        }
    }

    fn file(bytes: usize, is_far: bool) -> DataFile {
        let ends = vec![(LENGTH - bytes as u64, Bytes::from(vec![0; bytes]))];
        DataFile::with_ends(Arc::new(Gone { is_far }), ends)
    }

    #[test]
    fn who_was_not_asked_for_longest_goes_first() {
        let kept = KeptFiles::new(100);
        let ids = [(); 4].map(|()| FileId::random());
        let is_kept = |id: FileId| kept.get(id, LENGTH).is_some();
        kept.keep(ids[0], &file(40, true));
        kept.keep(ids[1], &file(40, true));
        assert!(is_kept(ids[0]));
        kept.keep(ids[2], &file(40, true));
        assert_eq!([0, 1, 2].map(|at: usize| is_kept(ids[at])), [true, false, true]);
        kept.keep(ids[2], &file(60, true));
        assert_eq!([0, 2].map(|at: usize| is_kept(ids[at])), [true, true], "in the place of itself");
        kept.keep(ids[3], &file(101, true));
        kept.keep(ids[1], &file(1, false));
        assert_eq!([0, 1, 2, 3].map(|at: usize| is_kept(ids[at])), [true, false, true, false]);
        assert_eq!(kept.kept().bytes, 100);
        assert!(kept.get(ids[0], LENGTH + 1).is_none(), "of another length");
    }

    #[test]
    fn a_file_that_could_not_be_read_is_opened_anew() {
        let (kept, id) = (KeptFiles::new(100), FileId::random());
        kept.keep(id, &file(40, true));
        let found = kept.get(id, LENGTH).unwrap();
        assert!(found.read(990..LENGTH).is_ok() && kept.get(id, LENGTH).is_some());
        assert!(found.read(0..10).is_err() && kept.get(id, LENGTH).is_none());
        assert_eq!(kept.kept().bytes, 0);
    }
}
