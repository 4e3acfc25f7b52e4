//! What a class key is still good for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// State of a class key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// New data keys are wrapped under it.
    #[default]
    Primary,
    /// It opens what was wrapped under it before a rotation.
    DecryptOnly,
    /// It is gone: what was wrapped under it alone can never be read again.
    Destroyed,
}

impl KeyState {
    /// Name, as the keyring file writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::DecryptOnly => "decrypt_only",
            Self::Destroyed => "destroyed",
        }
    }

    pub(super) fn is_primary(&self) -> bool {
        *self == Self::Primary
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::DecryptOnly => "decrypt-only",
            Self::Destroyed => "destroyed",
        })
    }
}
