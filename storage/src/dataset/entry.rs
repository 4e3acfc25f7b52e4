//! What a manifest knows of one data file; its entry stands in a part ([`super::part`]).
//!
//! In: what the writer measured. Out: where a file lies, what it holds, how to recognise it, and its data keys, each
//! wrapped under the key of the file's class. A plain key can never be in here, so that an entry may be printed.

use std::fmt;

use hyperseg_dsl::schema::Class;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::id::{FileId, TableId};
use super::vector::VectorEntry;
use crate::crypto::{Digest, KeyId};

/// One encrypted Parquet file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Identity and name.
    pub id: FileId,
    /// Table whose rows it holds.
    pub table: TableId,
    /// Sensitivity class of all its columns.
    pub class: Class,
    /// Shard of contacts whose rows it holds.
    pub shard: u32,
    /// Rows.
    pub rows: u64,
    /// Rows of a block of the page directories.
    pub page_rows: u32,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of all bytes.
    pub sha256: Digest,
    /// Smallest `at` of a record file, or `changed_at` of one of history, in the packed form of
    /// [`hyperseg_dsl::value::pack_time`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_min: Option<i64>,
    /// The largest, packed likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_max: Option<i64>,
    /// Leaf columns in the order of the file.
    pub columns: Vec<ColumnEntry>,
    /// Generation whose commit wrote the file.
    pub(crate) generation: u64,
    /// Footer: how long, how to recognise it, its key.
    pub(crate) footer: FooterEntry,
    /// Key under which the data keys are wrapped.
    pub(crate) key_id: KeyId,
    /// Rows of contacts that take the place of those in older files; their ordinals ascend, with gaps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overlay: bool,
    /// Contacts of the shard that were forgotten when the file was written: nothing is said of them in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) wiped: u64,
    /// Rows that count no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted: Option<VectorEntry>,
}

impl FileEntry {
    /// Name relative to the dataset.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.id.file_name()
    }

    /// Rows that count: all but those of the deletion vector.
    #[must_use]
    pub fn live_rows(&self) -> u64 {
        self.rows.saturating_sub(self.deleted_rows())
    }

    /// Rows that the deletion vector names.
    #[must_use]
    pub fn deleted_rows(&self) -> u64 {
        self.deleted.as_ref().map_or(0, |vector| vector.rows)
    }

    /// Whether the file has this top-level column.
    #[must_use]
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.top_level() == name)
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One leaf column of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnEntry {
    /// Path of the leaf: the column's name, and for lists `name.list.element`.
    pub name: String,
    /// Where its sealed page directory lies.
    pub(crate) directory: Section,
    /// Data key, wrapped.
    pub(crate) key: WrappedKey,
}

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    /// Offset of the first byte.
    pub(crate) offset: u64,
    /// Length.
    pub(crate) bytes: u64,
}

impl ColumnEntry {
    /// Name of the top-level column, as [`crate::layout`] gives it.
    #[must_use]
    pub fn top_level(&self) -> &str {
        self.name.split_once('.').map_or(self.name.as_str(), |(top, _)| top)
    }
}

/// The encrypted footer. Its digest lets readers refuse a changed one before any parser sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FooterEntry {
    /// Length with the last eight bytes of the file: length word and magic.
    pub(crate) bytes: u64,
    /// SHA-256 of these bytes.
    pub(crate) sha256: Digest,
    /// Data key, wrapped.
    pub(crate) key: WrappedKey,
}

/// A wrapped data key; hexadecimal in documents.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WrappedKey(pub(crate) Vec<u8>);

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappedKey")
    }
}

impl Serialize for WrappedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for WrappedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(Self).map_err(|_| D::Error::custom("not a wrapped key"))
    }
}
