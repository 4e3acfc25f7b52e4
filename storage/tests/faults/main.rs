//! What is left when a disk fails: every operation of every change fails in turn, in every way a disk can.
//!
//! The disk under the dataset counts the operations that change it, and makes the n-th fail: once or for good, before it
//! had its effect or after, torn in the middle of a write, or with no space left from there on. Failing for good is what
//! a crash looks like to the next process: nothing after the n-th operation happened, not even cleaning up. Then the
//! dataset is opened again on a good disk and must be whole: exactly the old state or exactly the new one, the new one
//! if it was acknowledged, with a log that proves itself; and what was left half done is gone after the next commit.
//!
//! The same changes are made by a real process that is killed at each of its system calls, or in which one fails
//! ([`syscalls`]), and on a disk that loses what was not synced ([`power`]).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod change;
mod changes;
mod copies;
mod disk;
mod kills;
mod outages;
mod place;
mod power;
mod rewrites;
mod syscalls;
mod world;
