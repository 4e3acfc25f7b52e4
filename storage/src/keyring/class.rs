//! What one key encryption key is for.

use std::fmt;

use hyperseg_dsl::schema::Class;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The part of a dataset that one key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyClass {
    /// Data of one sensitivity class.
    Data(Class),
    /// Audit log, recipient lists and their members.
    Audit,
    /// Manifests.
    Manifest,
    /// Keyed hashes by which an import finds stored rows. It never rotates: hashes lie in the files.
    RowHash,
}

impl KeyClass {
    /// Every class of a dataset.
    pub fn all() -> impl Iterator<Item = Self> {
        Class::ALL.into_iter().map(Self::Data).chain([Self::Audit, Self::Manifest, Self::RowHash])
    }

    /// Name as the keyring file writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data(class) => class.name(),
            Self::Audit => "audit",
            Self::Manifest => "manifest",
            Self::RowHash => "row_hash",
        }
    }
}

impl KeyClass {
    /// The class of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|class| class.name() == name)
    }

    /// Whether its key can be replaced by a new one. What is sealed under the audit key (records, lists) and hashed
    /// under that of the rows stays as it is, so these two cannot.
    #[must_use]
    pub const fn rotates(self) -> bool {
        matches!(self, Self::Data(_) | Self::Manifest)
    }
}

impl fmt::Display for KeyClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for KeyClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for KeyClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| D::Error::custom("unknown class"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = KeyClass::all().map(KeyClass::name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
