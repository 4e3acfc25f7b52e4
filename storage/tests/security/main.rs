//! Keys and audit log against wrong keys, changed bytes, crashes and other processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod crashes;
mod keyring;
mod lists;
mod log;
mod process;
mod world;
