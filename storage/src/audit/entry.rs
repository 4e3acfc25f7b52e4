//! Records of the log, as JSON before they are sealed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{SecondsFormat, Utc};
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::crypto::Digest;
use crate::keyring::Principal;

/// Identity of a run: everything between an intent and its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Uuid);

impl RunId {
    pub(super) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The sixteen bytes, as additional authenticated data takes them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom("not a run id"))
    }
}

/// What a record says about its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Somebody is about to do something. Durable before the first data key is unwrapped.
    Intent,
    /// The run ended by releasing a list. Durable before the list can be read.
    Release,
    /// The run ended without a list, such as a count or an import.
    Complete,
    /// The run ended without a result.
    Aborted,
    /// The log itself was repaired; belongs to no run.
    Recovered,
}

/// One record of the log.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Place in the log, from 0.
    pub seq: u64,
    /// When it was written, RFC 3339 in UTC with microseconds.
    pub time: String,
    /// Run it belongs to.
    pub run: Option<RunId>,
    /// What it says.
    pub kind: EntryKind,
    /// Account name.
    pub who: String,
    /// User id.
    pub uid: u32,
    /// How the keyring was unlocked.
    pub auth: String,
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Version of this program.
    pub build: String,
    /// What was done: `count`, `funnel`, `run`, `plan`, `import`, `init`, …
    pub action: String,
    /// An [`IntentBody`], a [`ReleaseRecord`], or what the run said at its end.
    pub body: Value,
}

/// A record without its body, for those who follow runs: a body is most of a record, and making values of it most of the time
/// that proving a long log takes. A record with a field that is not named here is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outline<'p> {
    pub(super) seq: u64,
    #[serde(rename = "time", borrow)]
    _time: Cow<'p, str>,
    pub(super) run: Option<RunId>,
    pub(super) kind: EntryKind,
    #[serde(rename = "who", borrow)]
    _who: Cow<'p, str>,
    #[serde(rename = "uid")]
    _uid: u32,
    #[serde(rename = "auth", borrow)]
    _auth: Cow<'p, str>,
    #[serde(rename = "host", borrow)]
    _host: Cow<'p, str>,
    #[serde(rename = "pid")]
    _pid: u32,
    #[serde(rename = "build", borrow)]
    _build: Cow<'p, str>,
    #[serde(borrow)]
    pub(super) action: Cow<'p, str>,
    #[serde(rename = "body")]
    _body: IgnoredAny,
}

/// The body is left out: a segment's text may name people.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("seq", &self.seq)
            .field("time", &self.time)
            .field("run", &self.run)
            .field("kind", &self.kind)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

impl Entry {
    pub(super) fn new(
        principal: &Principal,
        seq: u64,
        run: Option<RunId>,
        kind: EntryKind,
        action: &str,
        body: Value,
    ) -> Self {
        Self {
            seq,
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            run,
            kind,
            who: principal.user.clone(),
            uid: principal.uid,
            auth: principal.authenticated_by.clone(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            build: concat!("hyperseg ", env!("CARGO_PKG_VERSION")).into(),
            action: action.into(),
            body,
        }
    }
}

/// What somebody is about to do.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentBody {
    /// Verb: `count`, `funnel`, `run`, `plan`, `import`, `init`, …; stands in the action of an [`Entry`].
    #[serde(skip)]
    pub action: &'static str,
    /// For whom the user acts, as the user says.
    pub on_behalf_of: Option<String>,
    /// Purpose of the segment.
    pub purpose: Option<String>,
    /// Channel of the segment.
    pub channel: Option<String>,
    /// Text of the segment.
    pub segment_text: Option<String>,
    /// Hash of the canonical form of the segment.
    pub canonical_hash: Option<String>,
    /// The segment in plain English.
    pub description: Option<String>,
    /// Values of its parameters.
    pub params: Value,
    /// Instant the run looks at the world from, RFC 3339.
    pub as_of: Option<String>,
    /// Zone of its days.
    pub zone: Option<String>,
    /// Generation of the dataset that is read.
    pub generation: Option<u64>,
    /// What else the caller has to say: policy, plan, sources, …
    pub details: Value,
}

impl IntentBody {
    /// An intent that says nothing but what is to be done.
    #[must_use]
    pub fn new(action: &'static str) -> Self {
        Self { action, ..Self::default() }
    }
}

/// What a run says of the list it wants to release.
#[derive(Clone, PartialEq)]
pub struct ReleaseBody {
    /// Rows of the list.
    pub rows: u64,
    /// SHA-256 of the canonical form of the list.
    pub sha256: Digest,
    /// Root of the RFC 6962 tree over its rows ([`super::MerkleTree`]).
    pub merkle_root: Digest,
    /// Counts, gates, columns and keys read, duration, …
    pub details: Value,
}

/// Body of a release record.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRecord {
    /// Rows of the list.
    pub rows: u64,
    /// SHA-256 of the canonical form of the list.
    pub sha256: Digest,
    /// Root of the RFC 6962 tree over its rows.
    pub merkle_root: Digest,
    /// The sealed list, `audit/lists/<run>.list`.
    pub list: SealedFile,
    /// The sealed bitmap of who was on it, `audit/lists/<run>.members`.
    pub members: Option<SealedFile>,
    /// What the run said.
    pub details: Value,
}

/// A sealed file as it lay on the disk when its record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedFile {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the sealed bytes.
    pub sha256: Digest,
}
