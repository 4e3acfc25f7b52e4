//! The class keys of an unlocked keyring, and what each is still good for.

use std::collections::BTreeMap;

use chrono::DateTime;

use super::document::WrappedClass;
use super::{KeyClass, KeyState, KeyringError};
use crate::crypto::{KeyId, SealingKey};

/// The keys of one class.
#[derive(Default)]
pub(super) struct ClassKeys {
    /// The primary first, then those that only open.
    pub(super) live: Vec<SealingKey>,
    has_primary: bool,
    destroyed: Vec<KeyId>,
    destroyed_micros: Option<i64>,
}

/// All classes.
pub(super) type Keys = BTreeMap<KeyClass, ClassKeys>;

impl ClassKeys {
    pub(super) fn take(&mut self, item: &WrappedClass, key: Option<SealingKey>) {
        match (key, item.state) {
            (Some(key), KeyState::Primary) => {
                self.has_primary = true;
                self.live.insert(0, key);
            }
            (Some(key), _) => self.live.push(key),
            (None, _) => {
                self.destroyed.push(item.key);
                self.destroyed_micros = self.destroyed_micros.max(item.since_micros);
            }
        }
    }

    /// The key that new data keys are wrapped under.
    pub(super) fn primary(&self) -> Option<&SealingKey> {
        self.live.first().filter(|_| self.has_primary)
    }

    pub(super) fn of_id(&self, id: &KeyId) -> Option<&SealingKey> {
        self.live.iter().find(|key| key.id() == id)
    }

    pub(super) fn was_destroyed(&self, id: &KeyId) -> bool {
        self.destroyed.contains(id)
    }

    /// That there is no primary because it was destroyed.
    pub(super) fn gone(&self, class: KeyClass) -> Option<KeyringError> {
        (!self.destroyed.is_empty()).then(|| {
            let day =
                |micros| DateTime::from_timestamp_micros(micros).map(|time| time.format(" on %Y-%m-%d"));
            let when = self.destroyed_micros.and_then(day).map_or_else(String::new, |day| day.to_string());
            KeyringError::Destroyed { class: class.name(), when }
        })
    }
}
