//! Outside key services: a key management service, a hardware module, an agent on the same host.
//!
//! In: 32 random bytes that open one slot of the keyring, and what they are for. Out: opaque bytes that only the
//! service can turn back. The root key itself never leaves the process: the service sees a secret that wraps it, so
//! that the service alone, without the keyring, opens nothing. `storage/examples/key_service.rs` is a worked example.

use std::fmt;

use zeroize::Zeroizing;

/// Longest answer of a service that is kept in a keyring.
pub const PROVIDER_BYTES_MAX: usize = 8 << 10;

/// A service that keeps a key where this program cannot read it.
///
/// An implementation must authenticate: `unwrap` of changed bytes, or under another context, is an error and never
/// other bytes. It is called when a keyring is opened or a slot is added, never while a query runs.
pub trait KeyProvider: fmt::Debug + Send + Sync {
    /// Name of the service and its key, such as `kms:eu-1/outreach`. It is written into the keyring and the audit log,
    /// and says which slot the service opens.
    fn name(&self) -> &str;

    /// Wraps a secret. `context` says what it is for, and must be authenticated with it.
    ///
    /// # Errors
    /// The service refuses or cannot be reached.
    fn wrap(&self, context: &[u8], secret: &[u8; 32]) -> Result<Vec<u8>, ProviderError>;

    /// Turns wrapped bytes back into the secret.
    ///
    /// # Errors
    /// The bytes or the context are not those of the wrapping, or the service refuses or cannot be reached.
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, ProviderError>;
}

/// Why a service gave no answer. The words are shown to people: they must hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProviderError(pub String);
