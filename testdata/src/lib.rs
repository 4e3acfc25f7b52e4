//! Synthetic populations, the case corpus, random worlds and example segments of hyperseg.

pub mod cases;
#[path = "../../dsl/tests/lookups/mod.rs"]
pub mod lookups;
pub mod population;
pub mod segment_files;
pub mod worlds;
