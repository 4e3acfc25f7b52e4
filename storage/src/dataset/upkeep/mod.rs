//! What keeps a dataset in order: proving it, looking at it, collecting what is not needed, copying it.

mod backup;
mod compact;
mod extend;
mod forget;
mod gc;
#[cfg(test)]
mod gc_tests;
mod keys;
#[cfg(test)]
mod keys_tests;
mod restore;
mod status;
mod verify;
#[cfg(test)]
mod verify_tests;

pub use backup::{Backup, Rehearsal};
pub use compact::{CompactOptions, Compaction};
pub use extend::Extension;
pub use forget::Forgetting;
pub use gc::{Collection, Keep};
pub use keys::{AddedSlot, KeyInfo, KeyReport, RootRotation, RotatedKey, Rotation, Shred};
pub use restore::{Restoration, RestoreOptions};
pub use status::{ClassStatus, DocumentStatus, LogStatus, Status, TableStatus, Unfinished};
pub use verify::{DatasetVerification, Defect, DefectKind, Unopened};
