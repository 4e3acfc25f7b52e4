//! What keeps a dataset in order: proving it, looking at it, collecting what is not needed, copying it.

mod status;
mod verify;
#[cfg(test)]
mod verify_tests;

pub use status::{ClassStatus, LogStatus, Status, TableStatus, Unfinished};
pub use verify::{DatasetVerification, Defect, DefectKind, Unopened};
