//! The keys of one file that a plan may use, as Parquet asks for them.
//!
//! In: the names of leaves whose keys were armed. Out: these keys and no other. While it parses a footer, Parquet asks
//! for the key of every column; what is refused then stays sealed and is noted as such. What is refused afterwards is
//! an attempt to read a column that the plan did not name, and is noted apart.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::encryption::decrypt::KeyRetriever;
use parquet::errors::ParquetError;

use crate::crypto::DataKey;
use crate::file::keys::FOOTER_KEY;

/// The unwrapped keys of one file, and what was refused.
pub(super) struct FileKeys {
    pub(super) footer: DataKey,
    /// By leaf.
    pub(super) columns: HashMap<String, DataKey>,
    pub(super) sealed: Mutex<BTreeSet<String>>,
    pub(super) refused: Mutex<BTreeSet<String>>,
}

impl FileKeys {
    pub(super) fn new(footer: DataKey, columns: HashMap<String, DataKey>) -> Self {
        Self { footer, columns, sealed: Mutex::default(), refused: Mutex::default() }
    }

    fn note(list: &Mutex<BTreeSet<String>>, column: String) {
        list.lock().unwrap_or_else(PoisonError::into_inner).insert(column);
    }
}

/// Gives Parquet the armed keys of one file.
pub(super) struct Retriever {
    keys: Arc<FileKeys>,
    /// The footer has been parsed: from now on only data is read.
    parsed: AtomicBool,
}

impl Retriever {
    pub(super) fn new(keys: Arc<FileKeys>) -> Arc<Self> {
        Arc::new(Self { keys, parsed: AtomicBool::new(false) })
    }

    /// Says that the footer has been parsed.
    pub(super) fn footer_is_parsed(&self) {
        self.parsed.store(true, Ordering::Release);
    }
}

impl KeyRetriever for Retriever {
    fn retrieve_key(&self, key_metadata: &[u8]) -> parquet::errors::Result<Vec<u8>> {
        if key_metadata == FOOTER_KEY.as_bytes() {
            return Ok(self.keys.footer.to_parquet());
        }
        let name = String::from_utf8_lossy(key_metadata);
        if let Some(key) = self.keys.columns.get(name.as_ref()) {
            return Ok(key.to_parquet());
        }
        let list = if self.parsed.load(Ordering::Acquire) { &self.keys.refused } else { &self.keys.sealed };
        FileKeys::note(list, name.into_owned());
        Err(ParquetError::General("this column is outside the scope of the query".to_owned()))
    }
}

impl fmt::Debug for Retriever {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retriever")
    }
}
