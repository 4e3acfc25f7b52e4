//! Slots: the ways into a keyring, and what each of them opens.
//!
//! An **owner** slot wraps the root key: all classes, and the right to change the keyring. A **principal** slot wraps
//! the class keys that were granted to one name, and nothing else; the key of such a slot is also kept wrapped under
//! the root key, so that the owner can rotate class keys without the principal's secret.

use serde::{Deserialize, Serialize};

use super::class::KeyClass;
use super::document::{Opaque, Wrapped, WrappedClass};
use crate::crypto::{Cost, Digest, KeyId};

/// Digits of a slot's id that people see and type.
const ID_DIGITS: usize = 8;
/// Longest name of a principal.
const NAME_MAX: usize = 64;

/// A way into the keyring.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Slot {
    /// Root key wrapped under the key of a file.
    KeyFile { key: KeyId, wrapped: Wrapped },
    /// Root key wrapped under a stretched passphrase.
    Passphrase { key: KeyId, cost: Cost, salt: Digest, wrapped: Wrapped },
    /// Root key wrapped under a printed code.
    Recovery { key: KeyId, wrapped: Wrapped },
    /// Root key wrapped under a secret that an outside service keeps wrapped.
    Provider { key: KeyId, service: String, secret: Opaque, wrapped: Wrapped },
    /// Class keys of one principal, wrapped under its own key.
    Principal {
        name: String,
        key: KeyId,
        way: Way,
        /// The slot's key wrapped under the root key.
        escrow: Wrapped,
        grants: Vec<KeyClass>,
        classes: Vec<WrappedClass>,
    },
}

/// How a principal's slot is opened.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Way {
    /// By a key file.
    KeyFile,
    /// By a passphrase.
    Passphrase { cost: Cost, salt: Digest },
    /// By an outside service.
    Provider { service: String, secret: Opaque },
}

/// How any slot is opened.
#[derive(Clone, Copy)]
pub(super) enum Opening<'a> {
    KeyFile,
    Recovery,
    Passphrase(Cost, &'a Digest),
    Provider(&'a str, &'a Opaque),
}

impl Opening<'_> {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::KeyFile => "key file",
            Self::Recovery => "recovery code",
            Self::Passphrase(..) => "passphrase",
            Self::Provider(..) => "key service",
        }
    }
}

impl Slot {
    /// Id of the slot's key.
    pub(super) const fn key(&self) -> &KeyId {
        match self {
            Self::KeyFile { key, .. }
            | Self::Passphrase { key, .. }
            | Self::Recovery { key, .. }
            | Self::Provider { key, .. }
            | Self::Principal { key, .. } => key,
        }
    }

    /// How it is opened.
    pub(super) fn opening(&self) -> Opening<'_> {
        match self {
            Self::KeyFile { .. } | Self::Principal { way: Way::KeyFile, .. } => Opening::KeyFile,
            Self::Recovery { .. } => Opening::Recovery,
            Self::Passphrase { cost, salt, .. }
            | Self::Principal { way: Way::Passphrase { cost, salt }, .. } => Opening::Passphrase(*cost, salt),
            Self::Provider { service, secret, .. }
            | Self::Principal { way: Way::Provider { service, secret }, .. } => {
                Opening::Provider(service, secret)
            }
        }
    }

    /// The wrapped root key; principals have none.
    pub(super) const fn root(&self) -> Option<&Wrapped> {
        match self {
            Self::KeyFile { wrapped, .. }
            | Self::Passphrase { wrapped, .. }
            | Self::Recovery { wrapped, .. }
            | Self::Provider { wrapped, .. } => Some(wrapped),
            Self::Principal { .. } => None,
        }
    }

    /// What people see of it.
    pub(super) fn info(&self) -> SlotInfo {
        let opening = self.opening();
        let (principal, grants) = match self {
            Self::Principal { name, grants, .. } => (Some(name.clone()), grants.clone()),
            _ => (None, Vec::new()),
        };
        let service = match opening {
            Opening::Provider(service, _) => Some(service.to_owned()),
            _ => None,
        };
        let id = self.key().to_string().chars().take(ID_DIGITS).collect();
        SlotInfo { id, kind: opening.name(), service, principal, grants }
    }
}

/// A way to open a keyring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotInfo {
    /// Beginning of the id of the slot's key.
    pub id: String,
    /// `key file`, `passphrase`, `recovery code` or `key service`.
    pub kind: &'static str,
    /// Name of the service of a `key service`.
    pub service: Option<String>,
    /// Whose slot it is; none for the owner's.
    pub principal: Option<String>,
    /// Classes that a principal's slot opens.
    pub grants: Vec<KeyClass>,
}

/// Whether a principal may have this name.
pub(super) fn is_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(fine)
}
