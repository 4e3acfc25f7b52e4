//! Datasets on disk: what is written, what is refused, what a crash leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod documents;
mod files;
mod flips;
mod keys;
mod parts;
mod rotation;
mod secrecy;
mod tampering;
mod upkeep;
mod world;
mod writers;
