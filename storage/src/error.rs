//! What can go wrong with a dataset, named by what the caller can do about it.
//!
//! In: failures of files, keys and documents. Out: one variant each, with the place (a name relative to the dataset,
//! or the path the caller gave) and the nearest right thing to do. A value of a contact or record, and text of a
//! library that could quote one, never enters a message.

use std::io;

use crate::disk::LostWrite;
use crate::store::StoreFailure;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Family of an error; the command line maps it to its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The world failed: disk, conflict, a file of the input.
    Runtime,
    /// The caller asked for something that cannot be.
    Usage,
    /// A key, grant or permission is not there.
    Unauthorised,
    /// Something stored is not what was written.
    Integrity,
}

/// Failure of an operation on a dataset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // --- datasets -----------------------------------------------------------------------------------------------
    /// The directory holds no dataset.
    #[error("{place} is not a dataset: it has no readable dataset.json; make one with `hyperseg init`")]
    NotADataset {
        /// Directory or URL that was opened.
        place: String,
    },
    /// `init` on a directory that has something in it.
    #[error("{place} is not empty; choose a new place for it")]
    NotEmpty {
        /// Directory or URL that was to be made.
        place: String,
    },
    /// A document of a version or shape this program does not know.
    #[error("{file}: {what}; use the version of hyperseg that wrote it, or a newer one")]
    Unsupported {
        /// Name relative to the dataset.
        file: String,
        /// What is not known.
        what: String,
    },
    /// Another writer is at work, or has committed first.
    #[error(
        "another writer holds or has committed generation {generation}; nothing was changed, wait for it and try again (--wait SECONDS)"
    )]
    Conflict {
        /// Generation that this writer wanted to make.
        generation: u64,
    },
    /// The directory holds no backup.
    #[error("{place} is not a backup: it has no readable backup.json; make one with `hyperseg backup`")]
    NotABackup {
        /// Directory or URL that was opened.
        place: String,
    },
    /// A restoration would go behind what the anchor has seen.
    #[error(
        "{records} audit records and {generations} generations were made after this backup and would be lost; nothing was changed, accept the loss to restore it (--accept-loss)"
    )]
    WouldLose {
        /// Records.
        records: u64,
        /// Generations.
        generations: u64,
    },
    /// A generation that never was, or was collected.
    #[error("there is no generation {generation}; {kept}")]
    NoGeneration {
        /// Generation that was named.
        generation: u64,
        /// Which ones there are.
        kept: String,
    },
    /// Something that cannot be added to the schema.
    #[error(transparent)]
    Schema(#[from] hyperseg_dsl::schema::SchemaProblem),
    /// A batch, file or column that does not fit the dataset.
    #[error("{table}: {what}")]
    Mismatch {
        /// Table or file.
        table: String,
        /// What does not fit, without values.
        what: String,
    },
    /// A named limit was passed.
    #[error("{what} is over the limit of {max}")]
    Limit {
        /// What was counted.
        what: String,
        /// Largest allowed.
        max: u64,
    },

    // --- integrity ----------------------------------------------------------------------------------------------
    /// A stored file is not what was written.
    #[error("{file}: {what}; the file is damaged or was changed, restore it from a backup")]
    Corrupt {
        /// Name relative to the dataset.
        file: String,
        /// What is wrong, without values.
        what: String,
    },
    /// An unencrypted Parquet file lies where an encrypted one belongs.
    #[error(
        "{file}: this is an unencrypted Parquet file, and it was refused; remove it and restore the encrypted file"
    )]
    Plaintext {
        /// Name relative to the dataset.
        file: String,
    },
    /// A file the manifest names is not there.
    #[error("{file}: the file is missing though the manifest names it; restore it from a backup")]
    FileMissing {
        /// Name relative to the dataset.
        file: String,
    },
    /// The dataset is older than the audit log says it was.
    #[error(
        "the newest snapshot is generation {found}, but the audit log has seen generation {anchored}: the dataset was rolled back; restore the newer snapshots"
    )]
    Rollback {
        /// Highest generation found.
        found: u64,
        /// Highest generation in the log.
        anchored: u64,
    },

    /// The audit log cannot be written or proven; nothing is released then.
    #[error(transparent)]
    Audit(#[from] crate::audit::AuditError),
    /// The keyring cannot be made or opened.
    #[error(transparent)]
    Keyring(#[from] crate::keyring::KeyringError),
    // --- keys ---------------------------------------------------------------------------------------------------
    /// A key does not open what it should.
    #[error("{what} cannot be opened with this key; give the keyring or secret that belongs to this dataset")]
    WrongKey {
        /// What was to be opened.
        what: String,
    },
    /// A data key outside the armed scope was asked for.
    #[error("{file}: column `{column}` is outside the scope of this query and stays sealed")]
    Sealed {
        /// Name relative to the dataset.
        file: String,
        /// Column.
        column: String,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,

    // --- imports ------------------------------------------------------------------------------------------------
    /// An import stored nothing.
    #[error(transparent)]
    Import(#[from] crate::ingest::ImportError),

    // --- operating system ---------------------------------------------------------------------------------------
    /// No space is left, or a quota or size limit is reached.
    #[error("no space left while writing {file}; nothing was committed, free some space and try again")]
    DiskFull {
        /// Name relative to the dataset, or path given by the caller.
        file: String,
    },
    /// A sync failed before: what is on the disk is not known.
    #[error(
        "{file} was not written: an earlier write did not reach the disk; check the disk and start again"
    )]
    LostWrite {
        /// Name relative to the dataset, or path given by the caller.
        file: String,
    },
    /// A place inside another one, where it must not be.
    #[error("{place} lies inside {dataset}; choose a place outside it")]
    Inside {
        /// What was named.
        place: String,
        /// What it lies in.
        dataset: String,
    },
    /// A failure of an object store.
    #[error("cannot {op} {file}: {what}")]
    Store {
        /// What was tried: `read`, `write`, `create`, …
        op: &'static str,
        /// Name relative to the dataset.
        file: String,
        /// What the store answered.
        what: StoreFailure,
    },
    /// Another failure of the operating system.
    #[error("cannot {op} {file}: {}", source.kind())]
    Io {
        /// What was tried: `read`, `write`, `create`, …
        op: &'static str,
        /// Name relative to the dataset, or path given by the caller.
        file: String,
        /// Cause.
        source: io::Error,
    },
}

impl Error {
    /// Family of this error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Keyring(error) => error.kind(),
            Self::Audit(error) => error.kind(),
            Self::NotADataset { .. }
            | Self::NotEmpty { .. }
            | Self::NoGeneration { .. }
            | Self::NotABackup { .. }
            | Self::Inside { .. }
            | Self::Schema(_)
            | Self::WouldLose { .. }
            | Self::Mismatch { .. } => ErrorKind::Usage,
            Self::Corrupt { .. }
            | Self::Plaintext { .. }
            | Self::FileMissing { .. }
            | Self::Rollback { .. } => ErrorKind::Integrity,
            Self::WrongKey { .. } | Self::Sealed { .. } => ErrorKind::Unauthorised,
            Self::Unsupported { .. }
            | Self::Conflict { .. }
            | Self::Limit { .. }
            | Self::Random
            | Self::Import(_)
            | Self::DiskFull { .. }
            | Self::LostWrite { .. }
            | Self::Store { .. }
            | Self::Io { .. } => ErrorKind::Runtime,
        }
    }

    /// An operating system failure; a full disk becomes [`Error::DiskFull`].
    pub(crate) fn io(op: &'static str, file: impl Into<String>, source: io::Error) -> Self {
        let file = file.into();
        if source.get_ref().is_some_and(|cause| cause.is::<LostWrite>()) {
            return Self::LostWrite { file };
        }
        if let Some(what) = source.get_ref().and_then(|cause| cause.downcast_ref::<StoreFailure>()) {
            return Self::Store { op, file, what: *what };
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { file }
            }
            _ => Self::Io { op, file, source },
        }
    }

    /// A stored file that is not what was written.
    pub(crate) fn corrupt(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Corrupt { file: file.into(), what: what.into() }
    }
}
