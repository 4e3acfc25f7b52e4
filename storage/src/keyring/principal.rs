//! Who acts: the operating system's user and the slot that unlocked the keyring.

use serde::Serialize;

/// An identified user. There is no anonymous one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// Account name, or `uid <number>` where the system has no name for it.
    pub user: String,
    /// Effective user id.
    pub uid: u32,
    /// How the keyring was unlocked, such as `owner slot (key file)`.
    pub authenticated_by: String,
    /// Whether an owner slot was opened: all classes, and the right to change keys.
    pub owner: bool,
}

impl Principal {
    /// Whoever runs the process and has opened the owner's slot, or that of the named principal.
    pub(super) fn of_process(principal: Option<&str>, secret: &str) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let user = match whoami::username() {
            Ok(name) if !name.is_empty() => name,
            Ok(_) | Err(_) => format!("uid {uid}"),
        };
        let slot = principal.map_or_else(|| "owner slot".to_owned(), |name| format!("slot of {name}"));
        Self { user, uid, authenticated_by: format!("{slot} ({secret})"), owner: principal.is_none() }
    }
}
