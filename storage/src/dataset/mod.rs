//! A dataset: its files, snapshots and writers.

mod id;

pub use id::{DatasetId, FileId, TableId};
