//! Encrypted files as DataFusion tables.

mod provider;
mod reader;

pub(crate) use provider::{SealedFile, SealedTable, consecutive, scan_of};
pub(crate) use reader::{ScopeCell, SealedReaderFactory};
