//! Encrypted Parquet files: writing, reading bytes, keys.
//!
//! There is one way to write a file, and it encrypts every column and the footer.

pub(crate) mod ahead;
mod columns;
mod directory;
pub(crate) mod footer;
pub(crate) mod form;
pub(crate) mod kept;
pub(crate) mod keys;
mod modules;
mod read;
mod write;

pub use directory::{Block, Bounds, PageDirectory, PagePlace};
pub use form::{MISSING_BYTE, MISSING_PLACE, Reader};
pub use read::DataFile;
pub(crate) use write::{FileWriter, Pieces};
