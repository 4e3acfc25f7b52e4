//! `dataset.json`: what must be known before any key is there.
//!
//! In: the file, written once by `init`. Out: format version, id, shard size. It holds no personal data and is not
//! sealed; the sealed manifest repeats what matters, and a difference is an integrity error.

use serde::{Deserialize, Serialize};

use super::id::DatasetId;
use crate::error::{Error, Result};
use crate::store::Location;

/// Name of the file.
pub(crate) const FILE: &str = "dataset.json";
const FORMAT: &str = "hyperseg dataset";
/// 2: manifests list files in parts.
const VERSION: u32 = 2;
const LEN_MAX: u64 = 64 << 10;

/// Contents of `dataset.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Descriptor {
    format: String,
    version: u32,
    pub(crate) id: DatasetId,
    pub(crate) shard_contacts: u32,
}

/// Only what every version has, to tell a later version from a damaged file.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl Descriptor {
    pub(crate) fn new(id: DatasetId, shard_contacts: u32) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, id, shard_contacts }
    }

    pub(crate) fn write(&self, location: &Location) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|_| Error::corrupt(FILE, "it cannot be written as JSON"))?;
        text.push(b'\n');
        if location.store().create(FILE, &text)? {
            Ok(())
        } else {
            Err(Error::NotEmpty { place: location.to_string() })
        }
    }

    pub(crate) fn read(location: &Location) -> Result<Self> {
        let Some(text) = location.store().read(FILE, LEN_MAX)? else {
            return Err(Error::NotADataset { place: location.to_string() });
        };
        let head: Head = serde_json::from_slice(&text)
            .map_err(|_| Error::corrupt(FILE, "it is not a dataset's description"))?;
        if head.format != FORMAT || head.version != VERSION {
            let what = format!("`{}` version {} is not known here", FORMAT, head.version);
            return Err(Error::Unsupported { file: FILE.to_owned(), what });
        }
        let this: Self = serde_json::from_slice(&text)
            .map_err(|_| Error::corrupt(FILE, "it has a field that this format does not have"))?;
        if this.shard_contacts == 0 {
            return Err(Error::corrupt(FILE, "its shards hold no contacts"));
        }
        Ok(this)
    }
}
