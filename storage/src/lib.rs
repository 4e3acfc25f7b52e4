//! Encrypted datasets of hyperseg.
pub mod audit;
mod crypto;
pub mod dataset;
pub mod error;
pub mod file;
pub mod import;
pub mod ingest;
pub mod keyring;
pub mod layout;
pub mod process;
pub mod rows;
pub mod scope;

pub use crypto::{Digest, Secret};
pub use dataset::{
    Dataset, DatasetId, FileEntry, FileId, InitOptions, ShardInfo, Snapshot, TableId, Transaction,
};
pub use error::{Error, ErrorKind, Result};
pub use file::DataFile;
pub use keyring::{Keyring, NewSlot, Unlock};
pub use scope::{KeyScope, Unlocked};
