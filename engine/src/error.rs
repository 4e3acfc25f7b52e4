//! Errors by what a caller can do about them. None shows a value of a contact or a record.

use thiserror::Error;

/// Why the engine did not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Storage, keys or the audit log.
    #[error(transparent)]
    Storage(#[from] hyperseg_storage::Error),
    /// The segment says no purpose or no channel, and a list was asked for.
    #[error(
        "segment `{segment}` has no {what}; a list needs both `purpose` and `channel` in the segment's header"
    )]
    NotReleasable {
        /// Name of the segment.
        segment: String,
        /// What is missing.
        what: &'static str,
    },
    /// Consent data is too old, or never was imported.
    #[error(
        "{what}; import consent again, or allow it with --consent-max-age (the release record will say so)"
    )]
    ConsentStale {
        /// What was found, with ages in hours.
        what: String,
    },
    /// A list was asked for as of a day that has not come.
    #[error(
        "a list cannot be released as of a day to come: whom consent and age allow then is not known today; count and funnel can look ahead"
    )]
    FutureAsOf,
    /// No contact has the id that was asked for. The id is not in the message.
    #[error("no contact of the dataset has this id")]
    UnknownContact,
    /// A list was asked for from an older generation.
    #[error(
        "a list is released from the newest generation only: whoever has withdrawn consent since would be on it; count and funnel can look back"
    )]
    PastGeneration,
    /// The list is smaller or larger than the guards allow.
    #[error("{recipients} recipients, but the guard allows {bound}; nothing was released")]
    Guard {
        /// Size of the list.
        recipients: u64,
        /// The bound that was crossed, e.g. `at most 500`.
        bound: String,
    },
    /// A plan without exactly one gate above every scan of contacts.
    #[error("refused: the plan has no consent and suppression gate above its scans")]
    GateMissing,
    /// The independent check of consent and suppression disagrees with the plan.
    #[error(
        "refused: the row-by-row check of consent and suppression disagrees with the plan for {contacts} contacts; nothing was released"
    )]
    Recheck {
        /// How many recipients differ.
        contacts: u64,
    },
    /// The independent check of the lists of a portfolio found contacts that a higher segment has taken.
    #[error(
        "refused: the check of the lists of the portfolio found {contacts} contacts that another of its segments has taken; nothing was released"
    )]
    Overlap {
        /// How many.
        contacts: u64,
    },
    /// The query needs more memory than its pool has.
    #[error("the query needs more memory than its limit of {limit_bytes} bytes")]
    Memory {
        /// Bytes of the pool.
        limit_bytes: usize,
    },
    /// The caller stopped the query.
    #[error("cancelled")]
    Cancelled,
    /// DataFusion, Arrow or Parquet failed; their messages may quote values and are not shown.
    #[error("the query failed while {doing} ({kind})")]
    Query {
        /// What was being done.
        doing: &'static str,
        /// Kind of the underlying error, without its message.
        kind: &'static str,
    },
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Try again or look at the machine.
    Runtime,
    /// Ask differently.
    Usage,
    /// Get a key, a right or a consent.
    Unauthorised,
    /// Something was changed that must not change.
    Integrity,
    /// A guard of the caller held.
    Guard,
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Storage(error) => match error.kind() {
                hyperseg_storage::ErrorKind::Runtime => ErrorKind::Runtime,
                hyperseg_storage::ErrorKind::Usage => ErrorKind::Usage,
                hyperseg_storage::ErrorKind::Unauthorised => ErrorKind::Unauthorised,
                hyperseg_storage::ErrorKind::Integrity => ErrorKind::Integrity,
            },
            Self::NotReleasable { .. } | Self::ConsentStale { .. } | Self::PastGeneration => {
                ErrorKind::Unauthorised
            }
            Self::FutureAsOf | Self::UnknownContact => ErrorKind::Usage,
            Self::Guard { .. } => ErrorKind::Guard,
            Self::GateMissing | Self::Recheck { .. } | Self::Overlap { .. } => ErrorKind::Integrity,
            Self::Memory { .. } | Self::Cancelled | Self::Query { .. } => ErrorKind::Runtime,
        }
    }
}

/// Result of the engine.
pub type Result<T> = std::result::Result<T, Error>;
