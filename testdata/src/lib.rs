//! testdata

pub mod cases;
pub mod worlds;
pub mod population;
