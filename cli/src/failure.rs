//! What went wrong, as the user is told: one sentence, perhaps a hint, and an exit code.
//!
//! Messages hold names of files, fields, parameters and figures; never a value of a contact or a record.

use std::fmt;
use std::io;

use hyperseg_engine::ErrorKind as EngineKind;
use hyperseg_storage::ErrorKind as StorageKind;

/// Exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed at run time: the disk, the machine, memory.
    Runtime,
    /// Wrong usage.
    Usage,
    /// A segment does not compile.
    Compile,
    /// Not authorised: key, purpose, consent.
    Unauthorised,
    /// Something was changed that must not change.
    Integrity,
    /// A guard (`--min`, `--max`) held.
    Guard,
    /// Nothing came out, and `--fail-empty` was given.
    Empty,
    /// `--check` found differences.
    Differs,
    /// Interrupted from the keyboard.
    Interrupted,
}

impl Exit {
    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Runtime => 1,
            Self::Usage => 2,
            Self::Compile => 3,
            Self::Unauthorised => 4,
            Self::Integrity => 5,
            Self::Guard => 6,
            Self::Empty => 7,
            Self::Differs => 8,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What went wrong; empty when everything was said already (diagnostics, a broken pipe).
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Result of a command.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Ends with a code without another word.
    pub fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An operation on a file failed. Only the kind of the error is shown.
    pub fn file(doing: &str, path: &std::path::Path, error: &io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => {
                Exit::Usage
            }
            _ => Exit::Runtime,
        };
        Self::new(exit, format!("cannot {doing} {}: {}", path.display(), reason(error)))
    }

    /// Writing to standard output failed; when the reader has gone there is nobody to tell.
    pub fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(Exit::Done);
        }
        Self::new(Exit::Runtime, format!("cannot write to standard output: {}", reason(error)))
    }
}

/// An error of the operating system in the words that people know; paths and values are not in it.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<hyperseg_storage::Error> for Failure {
    fn from(error: hyperseg_storage::Error) -> Self {
        let exit = match error.kind() {
            StorageKind::Runtime => Exit::Runtime,
            StorageKind::Usage => Exit::Usage,
            StorageKind::Unauthorised => Exit::Unauthorised,
            StorageKind::Integrity => Exit::Integrity,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<hyperseg_engine::Error> for Failure {
    fn from(error: hyperseg_engine::Error) -> Self {
        let exit = match error.kind() {
            EngineKind::Runtime => Exit::Runtime,
            EngineKind::Usage => Exit::Usage,
            EngineKind::Unauthorised => Exit::Unauthorised,
            EngineKind::Integrity => Exit::Integrity,
            EngineKind::Guard => Exit::Guard,
        };
        Self::new(exit, error.to_string())
    }
}
