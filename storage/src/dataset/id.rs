//! Names of datasets, files and tables.
//!
//! In: random bytes or text written by [`std::fmt::Display`]. Out: typed ids. An id never carries personal data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

/// The text is not an id as it is written here: lower case, with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct NotAnId;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random id.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The sixteen bytes, as additional authenticated data takes them.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Self(Uuid::try_parse(text).map_err(|_| NotAnId)?);
                // An id is written in one way: capital letters in a file of ours are a change to it.
                if id.to_string() == text { Ok(id) } else { Err(NotAnId) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom("not a uuid"))
            }
        }
    };
}

uuid_id! {
    /// Identity of a dataset; every sealed thing in it is bound to this id.
    DatasetId
}

uuid_id! {
    /// Identity of one data file: `data/<id>.parquet`.
    FileId
}

impl FileId {
    /// Where the file lies, relative to the dataset.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("data/{self}.parquet")
    }
}

uuid_id! {
    /// Identity of one sealed document: `sealed/<id>`.
    DocumentId
}

impl DocumentId {
    /// Where the file lies, relative to the dataset.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("sealed/{self}")
    }
}

/// Which table a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableId {
    /// Contact fields of one class.
    Contact,
    /// Records of the kind of this name.
    Record(String),
    /// What fields of contacts said before, of one class.
    History,
}

impl TableId {
    /// `contact`, `contact history`, or the name of the record kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Contact => "contact",
            Self::History => "contact history",
            Self::Record(kind) => kind,
        }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_in_one_way() {
        let id: DatasetId = "27a0bb6e-8c9f-4894-841e-fb6191d1df79".parse().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [id.to_string().to_uppercase(), id.to_string().replace('-', ""), format!("{{{id}}}")] {
            assert_eq!(other.parse::<DatasetId>(), Err(NotAnId));
        }
    }
}
