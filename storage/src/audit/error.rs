//! What can go wrong with the audit log, and what to do about it.

use std::path::PathBuf;

use super::RunId;
use crate::error::ErrorKind;

/// Failure of the audit log. Nothing is released after one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The log ends before the anchor says it does.
    #[error(
        "the audit log was cut off: it holds {found} records, but its anchor has seen {anchored}; restore the log from a backup"
    )]
    Truncated {
        /// Records found.
        found: u64,
        /// Records the anchor has seen.
        anchored: u64,
    },
    /// The log is not what was written.
    #[error(
        "record {record} of the audit log: {what}; the log was changed or is damaged, restore it from a backup"
    )]
    Tampered {
        /// Place of the record, from 0.
        record: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no log at all.
    #[error("the audit log is missing; restore it from a backup")]
    LogMissing,
    /// The anchor is gone.
    #[error(
        "the anchor {} of the audit log is missing, so records may have been cut off; restore it beside the keyring, or make a new one on purpose",
        path.display()
    )]
    AnchorMissing {
        /// Where it belongs.
        path: PathBuf,
    },
    /// The anchor is not what was written.
    #[error("the anchor {} of the audit log is damaged or was changed; restore it from a backup", path.display())]
    AnchorDamaged {
        /// Where it lies.
        path: PathBuf,
    },
    /// An anchor was to be made anew though there is one.
    #[error("the anchor {} of the audit log is there; nothing was changed", path.display())]
    AnchorPresent {
        /// Where it lies.
        path: PathBuf,
    },
    /// Writing to stable storage failed before; what is on the disk is not known.
    #[error("an earlier write to the audit log did not reach the disk; check the disk and start again")]
    Poisoned,
    /// Other machines write so many records that this one found no place.
    #[error("other machines write to the audit log all the time; nothing was done, try again")]
    Busy,
    /// A run was closed by somebody who took it for dead.
    #[error(
        "run {run} was closed meanwhile because its process seemed to be gone; nothing was released, run it again"
    )]
    Closed {
        /// The run.
        run: RunId,
    },
    /// No run has an id that begins so.
    #[error("no run has an id that begins with `{prefix}`")]
    UnknownRun {
        /// What was looked for.
        prefix: String,
    },
    /// Several runs have an id that begins so.
    #[error("{count} runs have an id that begins with `{prefix}`; give more of it")]
    AmbiguousRun {
        /// What was looked for.
        prefix: String,
        /// How many were found.
        count: usize,
    },
    /// The run has released nothing.
    #[error("run {run} has not released a list")]
    NotReleased {
        /// Run.
        run: RunId,
    },
    /// A sealed list is not what was written.
    #[error("the sealed list of run {run}: {what}; it is damaged or was changed, restore it from a backup")]
    ListDamaged {
        /// Run.
        run: RunId,
        /// What is wrong.
        what: &'static str,
    },
    /// A spool of one run was handed to the intent of another.
    #[error("a spool can only be released by the run that opened it")]
    ForeignSpool,
}

impl AuditError {
    /// Family of this error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Truncated { .. }
            | Self::Tampered { .. }
            | Self::LogMissing
            | Self::AnchorMissing { .. }
            | Self::AnchorDamaged { .. }
            | Self::ListDamaged { .. } => ErrorKind::Integrity,
            Self::Poisoned | Self::Busy | Self::Closed { .. } => ErrorKind::Runtime,
            Self::UnknownRun { .. }
            | Self::AmbiguousRun { .. }
            | Self::NotReleased { .. }
            | Self::AnchorPresent { .. }
            | Self::ForeignSpool => ErrorKind::Usage,
        }
    }
}
