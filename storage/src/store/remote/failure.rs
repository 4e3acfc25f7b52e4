//! What went wrong at an object store, in words that quote nothing.

use std::io::{self, ErrorKind};

/// What an object store answered, or that it did not. Its own messages name hosts and requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreFailure(&'static str);

/// The failure as one of input and output, which is what the callers know.
pub(super) fn io_error(error: &object_store::Error) -> io::Error {
    use object_store::Error as E;
    let (kind, what) = match error {
        E::NotFound { .. } => (ErrorKind::NotFound, "the object store has no such object"),
        E::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "the object is there already"),
        E::Precondition { .. } => (ErrorKind::AlreadyExists, "somebody else has changed the object"),
        E::PermissionDenied { .. } => {
            (ErrorKind::PermissionDenied, "the object store does not allow it to these credentials")
        }
        E::Unauthenticated { .. } => {
            (ErrorKind::PermissionDenied, "the object store does not know these credentials")
        }
        E::NotSupported { .. } | E::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "the object store cannot do this, such as a put under a condition")
        }
        E::InvalidPath { .. } => (ErrorKind::InvalidInput, "the object store takes no such name"),
        _ => (ErrorKind::Other, reason(error)),
    };
    io::Error::new(kind, StoreFailure(what))
}

/// What is behind an error that is of no kind: what its causes say, in words of our own.
fn reason(error: &object_store::Error) -> &'static str {
    const REASONS: [(&[&str], &str); 6] = [
        (&["certificate"], "the object store's certificate is not trusted here"),
        (&["dns error", "failed to lookup"], "the object store's name is not known"),
        (&["nosuchbucket"], "the object store has no such bucket"),
        (&["connection refused", "unreachable"], "the object store cannot be reached"),
        (&["timed out", "timeout"], "the object store did not answer in time"),
        (&["credential", "accessdenied", "signature"], "the object store does not take these credentials"),
    ];
    let mut causes = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        causes.push_str(&cause.to_string().to_ascii_lowercase());
        next = cause.source();
    }
    let fits = |words: &[&str]| words.iter().any(|word| causes.contains(word));
    let found = REASONS.iter().find(|(words, _)| fits(words)).map(|(_, what)| *what);
    found.unwrap_or("the object store did not answer, or with an error")
}
