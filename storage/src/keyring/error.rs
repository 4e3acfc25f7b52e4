//! What can go wrong with a keyring, and what to do about it.

use std::path::PathBuf;

use crate::error::ErrorKind;

/// Failure to make or open a keyring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is no keyring at this path.
    #[error("there is no keyring at {}; give the path it was made at, or restore it from a backup", path.display())]
    Missing {
        /// Path that was looked at.
        path: PathBuf,
    },
    /// There is a keyring, but not the key file that opens it.
    #[error(
        "the key file {} is missing; restore it, or unlock the keyring by passphrase or recovery code",
        path.display()
    )]
    KeyFileMissing {
        /// Path that was looked at.
        path: PathBuf,
    },
    /// Something lies where a new file was to be made.
    #[error("{} exists already and was left alone; choose another path for the keyring", path.display())]
    Exists {
        /// File in the way.
        path: PathBuf,
    },
    /// Keys and data in one place protect nothing.
    #[error(
        "{} lies inside the dataset {}; keep keys elsewhere, so that a copy of the data is not a copy of its keys",
        path.display(),
        dataset.display()
    )]
    InsideDataset {
        /// Keyring or key file.
        path: PathBuf,
        /// Directory of the dataset.
        dataset: PathBuf,
    },
    /// Others than the owner could read or change the file.
    #[error("{}: {what}; {cure}", path.display())]
    Exposed {
        /// File or directory.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
        /// What to do.
        cure: String,
    },
    /// The key file, passphrase or code is not one of this keyring.
    #[error("{secret} does not open the keyring {}; {cure}", path.display())]
    WrongKey {
        /// Keyring.
        path: PathBuf,
        /// Which secret was tried.
        secret: &'static str,
        /// What to do.
        cure: &'static str,
    },
    /// The recovery code has a typing error.
    #[error("the recovery code is mistyped: {what}; type it as printed, nine groups of four characters")]
    Mistyped {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The keyring cannot be unlocked in this way.
    #[error("the keyring {} has no {slot} slot; unlock it in another way", path.display())]
    NoSlot {
        /// Keyring.
        path: PathBuf,
        /// Kind of slot.
        slot: &'static str,
    },
    /// The keyring is not what was written.
    #[error("{}: {what}; the file is damaged or was changed, restore it from a backup", path.display())]
    Damaged {
        /// Keyring or key file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A keyring of a later version.
    #[error("{}: version {version} is not known to this program; use a newer hyperseg", path.display())]
    Version {
        /// Keyring.
        path: PathBuf,
        /// Version found.
        version: u64,
    },
    /// The keyring has no key for a class.
    #[error("the keyring holds no key for `{class}`")]
    NoClassKey {
        /// Class.
        class: &'static str,
    },
    /// A principal's slot does not open a class.
    #[error(
        "`{class}` was not granted to {principal}; the owner grants classes with `hyperseg keys add-slot`"
    )]
    NotGranted {
        /// Class.
        class: &'static str,
        /// Name of the principal.
        principal: String,
    },
    /// The key of a class was destroyed on purpose.
    #[error("the key of `{class}` was destroyed{when}: what was encrypted under it can never be read again")]
    Destroyed {
        /// Class.
        class: &'static str,
        /// ` on <day>`, where it is known.
        when: String,
    },
    /// The keyring on the disk is another one than the process has opened.
    #[error("the keyring {} was changed since it was opened; open it again", path.display())]
    Stale {
        /// Keyring.
        path: PathBuf,
    },
    /// Only the owner changes keys.
    #[error("only the owner may do this, and {principal} is not; unlock the keyring by an owner slot")]
    OwnerOnly {
        /// Name of the principal.
        principal: String,
    },
    /// Another process changes the keyring.
    #[error("another process is changing the keyring {}; wait for it and try again", path.display())]
    Busy {
        /// Keyring.
        path: PathBuf,
    },
    /// A change of the keyring that would do harm or makes no sense.
    #[error("{what}")]
    Refused {
        /// Why.
        what: String,
    },
    /// An outside key service gave no answer.
    #[error("the key service `{service}` refused: {what}")]
    Service {
        /// Name of the service.
        service: String,
        /// Its words.
        what: String,
    },
    /// A passphrase that is no protection.
    #[error("the passphrase is shorter than {min} characters; choose a longer one")]
    WeakPassphrase {
        /// Fewest characters taken.
        min: usize,
    },
}

impl KeyringError {
    /// Family of this error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. }
            | Self::InsideDataset { .. }
            | Self::Mistyped { .. }
            | Self::Refused { .. }
            | Self::WeakPassphrase { .. } => ErrorKind::Usage,
            Self::Missing { .. }
            | Self::KeyFileMissing { .. }
            | Self::Exposed { .. }
            | Self::WrongKey { .. }
            | Self::NoSlot { .. }
            | Self::NotGranted { .. }
            | Self::Destroyed { .. }
            | Self::OwnerOnly { .. }
            | Self::Service { .. }
            | Self::NoClassKey { .. } => ErrorKind::Unauthorised,
            Self::Damaged { .. } => ErrorKind::Integrity,
            Self::Version { .. } | Self::Stale { .. } | Self::Busy { .. } => ErrorKind::Runtime,
        }
    }
}
