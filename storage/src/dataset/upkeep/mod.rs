//! What keeps a dataset in order: proving it, looking at it, collecting what is not needed, copying it.

mod keys;
#[cfg(test)]
mod keys_tests;
mod status;
mod verify;
#[cfg(test)]
mod verify_tests;

pub use keys::{AddedSlot, KeyInfo, KeyReport, RootRotation, RotatedKey, Rotation, Shred};
pub use status::{ClassStatus, LogStatus, Status, TableStatus, Unfinished};
pub use verify::{DatasetVerification, Defect, DefectKind, Unopened};
