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
}

impl Principal {
    pub(super) fn of_process(slot: &str) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let user = match whoami::username() {
            Ok(name) if !name.is_empty() => name,
            Ok(_) | Err(_) => format!("uid {uid}"),
        };
        Self { user, uid, authenticated_by: format!("owner slot ({slot})") }
    }
}
