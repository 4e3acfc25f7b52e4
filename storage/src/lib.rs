//! Encrypted datasets of hyperseg.
//!
//! ```text
//! plain files --import--> rows --ingest--> encrypted Parquet files --commit--> snapshot --scope--> columns of one query
//! ```
//!
//! A [`Dataset`] lies in a directory or an object store, and is useless without its [`Keyring`], which lies elsewhere. Only the data keys of
//! the columns that a [`KeyScope`] names are unwrapped, and only after the [`audit`] log says so durably. There is one
//! way to write a file, and it encrypts. `docs/` of this crate describes files, keys, audit log and imports.

pub mod audit;
pub mod bits;
mod crypto;
pub mod dataset;
pub mod disk;
pub mod error;
pub mod file;
pub mod import;
pub mod ingest;
pub mod keyring;
pub mod layout;
mod lookups;
pub mod process;
pub mod rows;
pub mod scope;
pub mod store;

pub use crypto::{Digest, Secret};
pub use dataset::{
    Dataset, DatasetId, DocumentEntry, DocumentKind, FileEntry, FileId, InitOptions, ShardInfo, Snapshot,
    TableId, Transaction,
};
pub use error::{Error, ErrorKind, Result};
pub use file::DataFile;
pub use keyring::{Keyring, NewSlot, Unlock};
pub use lookups::{StoredLookups, refusal};
pub use scope::{KeyScope, Unlocked};
pub use store::Location;
