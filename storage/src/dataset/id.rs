//! Names of datasets, files and tables.
//!
//! In: random bytes or text written by [`std::fmt::Display`]. Out: typed ids. An id never carries personal data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

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
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
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
