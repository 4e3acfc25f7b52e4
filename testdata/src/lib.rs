//! testdata

pub mod cases;
pub mod population;
pub mod worlds;
