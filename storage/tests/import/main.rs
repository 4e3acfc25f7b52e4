//! Importers against real encrypted datasets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod bad_input;
mod compaction;
mod direct;
mod late_fields;
mod lookups;
mod operations;
mod partial_dates;
mod people;
mod place;
mod places;
mod population;
mod shards;
mod support;
mod synthea;
mod updates;
