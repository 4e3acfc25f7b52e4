//! Datasets in an object store: the same tests as in a directory, and those of what only a store can do.
//!
//! The store lies in memory, under a wrapper that makes the n-th request fail: once or for good, before it had its effect
//! or after, reads as well as writes. Failing for good is what a crash looks like to the next process, which finds the
//! leases of the dead one to be a day old.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../faults/change.rs"]
#[expect(dead_code, reason = "other ways of failing use the rest")]
mod change;
#[path = "../faults/changes.rs"]
mod changes;
#[path = "../faults/copies.rs"]
mod copies;
mod disk;
mod leases;
#[path = "../import/operations.rs"]
mod operations;
mod place;
mod reading;
#[path = "../faults/rewrites.rs"]
mod rewrites;
#[path = "../import/support.rs"]
#[expect(dead_code, reason = "other tests of imports use the rest")]
mod support;
mod tampering;
#[path = "../faults/world.rs"]
#[expect(dead_code, reason = "processes are started in other tests")]
mod world;
