//! What the engine tells about a count, a funnel, a plan or a run. Every type here is plain data for serde.

use std::collections::BTreeMap;

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Channel, Class, Purpose};
use serde::{Deserialize, Serialize};

/// Why a contact that matched does not receive anything, in waterfall order.
pub use hyperseg_dsl::semantics::Blocked as Reason;
use hyperseg_dsl::semantics::Trace;

/// Contacts removed for one reason that no earlier reason had removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The reason.
    pub reason: Reason,
    /// How many contacts.
    pub contacts: u64,
}

/// Contacts of the list in one arm of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmCount {
    /// Name of the arm.
    pub arm: String,
    /// How many contacts.
    pub contacts: u64,
}

/// Contacts that would be on the list, or compete for it, had not a higher segment of the portfolio taken them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBy {
    /// The segment that has taken them.
    pub segment: String,
    /// Run id of its audit record.
    pub run_id: String,
    /// How many contacts.
    pub contacts: u64,
}

/// Answer of `count`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountReport {
    /// Run id of the audit record.
    pub run_id: String,
    /// Name of the segment.
    pub segment: String,
    /// Contacts in the dataset.
    pub contacts: u64,
    /// Contacts for whom every criterion is TRUE.
    pub matched: u64,
    /// Those of them that have no location and were placed by the centroid of their ZIP; `None` when no criterion looks ZIP codes
    /// up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_by_zip: Option<u64>,
    /// What the gates removed, in waterfall order. Empty when the segment has no purpose and channel.
    pub removed: Vec<Removed>,
    /// Those removed as `taken` by the segment of the portfolio that has taken them, one entry per higher segment; empty for
    /// a segment by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<TakenBy>,
    /// Contacts that a run would release; `None` when the segment lacks purpose or channel.
    pub releasable: Option<u64>,
    /// Those contacts by the arm of the segment's `split`, in its order; empty without one, and where only the number
    /// was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmCount>,
    /// What the count looked at.
    pub scope: ScopeReport,
}

/// How one criterion divides the contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionReport {
    /// Its text in canonical form.
    pub label: String,
    /// Contacts for whom it is TRUE.
    pub is_true: u64,
    /// Contacts for whom it is FALSE.
    pub is_false: u64,
    /// Contacts for whom it is UNKNOWN: something it asks for is missing.
    pub is_unknown: u64,
    /// Contacts for whom this and every criterion before it is TRUE.
    pub cumulative: u64,
    /// Record rows that its filters found UNKNOWN and therefore did not select, among those that were read: of a sequence, the
    /// rows of contacts who have a record of the step with the fewest.
    pub unknown_rows: u64,
}

/// Answer of `funnel`: the waterfall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunnelReport {
    /// The count it belongs to.
    #[serde(flatten)]
    pub count: CountReport,
    /// One entry per top-level criterion, in the author's order.
    pub criteria: Vec<CriterionReport>,
    /// Those who match by stage, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<StagesReport>,
}

/// Contacts by stage; each is in the first stage that takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagesReport {
    /// The stages in their order.
    pub stages: Vec<StageReport>,
    /// Contacts in none of them.
    pub in_none: u64,
}

/// Contacts in one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageReport {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: Option<String>,
    /// How many of those who match are in it.
    pub contacts: u64,
}

/// A column that was unlocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlockedColumn {
    /// `contact`, or the name of a record kind.
    pub table: String,
    /// Sensitivity class.
    pub class: Class,
    /// Column within the files of the table and class.
    pub column: String,
    /// Data keys unwrapped for it, one per file.
    pub keys: u64,
}

/// What a query looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeReport {
    /// Generation of the dataset.
    pub generation: u64,
    /// Instant and zone.
    pub clock: Clock,
    /// Columns unlocked.
    pub columns: Vec<UnlockedColumn>,
    /// Ids of the class keys that wrapped them.
    pub key_ids: Vec<String>,
    /// Figures of the scans.
    pub counters: Counters,
}

/// Figures of the scans of one query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Files of which something was read.
    pub files_read: u64,
    /// Blocks of rows that were judged by the page directories.
    pub blocks: u64,
    /// Blocks ruled out: nothing of them was read.
    pub blocks_pruned: u64,
    /// Blocks for which every condition was known to hold, or the answer was: no column was read to find out.
    pub blocks_known: u64,
    /// Pages fetched and decrypted, dictionaries among them.
    pub pages_read: u64,
    /// Rows decoded.
    pub rows_decoded: u64,
    /// Ciphertext bytes of these pages.
    pub bytes_read: u64,
    /// Milliseconds from the durable intent to the answer.
    pub elapsed_ms: u64,
}

/// Answer of `plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReport {
    /// Logical plan, indented.
    pub logical: String,
    /// Physical plan, indented; with counters when analyzed.
    pub physical: String,
    /// Columns the plan unlocks.
    pub columns: Vec<UnlockedColumn>,
    /// What planning took.
    pub times: PlanTimes,
    /// The funnel, when the plan was executed.
    pub analyzed: Option<FunnelReport>,
}

/// What the steps from a typed segment to a plan took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTimes {
    /// From the segment to the logical plan.
    pub lower_micros: u64,
    /// DataFusion's optimizer.
    pub optimize_micros: u64,
    /// From the logical to the physical plan.
    pub plan_micros: u64,
}

/// Answer of `why`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhyReport {
    /// Run id of the audit record.
    pub run_id: String,
    /// Name of the segment.
    pub segment: String,
    /// The contact that was asked for.
    pub contact_id: String,
    /// Instant and zone.
    pub clock: Clock,
    /// What the reference semantics found.
    #[serde(flatten)]
    pub trace: Trace,
    /// Columns unlocked.
    pub columns: Vec<UnlockedColumn>,
    /// Ids of the class keys that wrapped them.
    pub key_ids: Vec<String>,
}

/// What stands behind a released list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Run id of the audit record.
    pub run_id: String,
    /// Id of the dataset.
    pub dataset_id: String,
    /// Name of the segment.
    pub segment: String,
    /// Its title.
    pub title: Option<String>,
    /// Purpose of the release.
    pub purpose: Purpose,
    /// Channel of the release.
    pub channel: Channel,
    /// SHA-256 of the canonical text, hex; for a list of a portfolio that of all its segments in their order and of which of
    /// them this is.
    pub segment_sha256: String,
    /// The segment in English.
    pub description: String,
    /// Parameters that were bound, as text.
    pub params: BTreeMap<String, String>,
    /// Who ran it.
    pub principal: String,
    /// On whose behalf.
    pub on_behalf_of: Option<String>,
    /// Contacts for whom every criterion is TRUE.
    pub matched: u64,
    /// What the gates removed, in waterfall order.
    pub removed: Vec<Removed>,
    /// The portfolio that the list is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portfolio: Option<PortfolioPlace>,
    /// Those removed as `taken` by the segment of the portfolio that has taken them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<TakenBy>,
    /// Rows of the list.
    pub released: u64,
    /// The rows by the arm of the segment's `split`, in its order; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmCount>,
    /// Columns of the list.
    pub columns: Vec<String>,
    /// SHA-256 over the canonical rows, hex. A row is the JSON array of its cells, without blanks, and a line feed.
    pub list_sha256: String,
    /// RFC 6962 Merkle root over the canonical rows, hex.
    pub list_merkle_root: String,
    /// When the release record became durable, microseconds since the epoch; absent within that record itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_at_micros: Option<i64>,
    /// When consent was last imported before the release, microseconds since the epoch.
    pub consent_imported_at_micros: Option<i64>,
    /// How old consent was allowed to be, in hours; `None` when the caller allowed any age.
    pub consent_max_age_hours: Option<u32>,
    /// What the run looked at.
    pub scope: ScopeReport,
}

/// What a portfolio is, and which of its segments this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortfolioPlace {
    /// Name of the portfolio.
    pub name: String,
    /// Its title.
    pub title: Option<String>,
    /// SHA-256 of its canonical text, which holds every segment, hex.
    pub sha256: String,
    /// Place of this segment among its segments, from 1.
    pub place: u64,
    /// Its segments in the order in which they take contacts.
    pub segments: Vec<PortfolioSegment>,
}

/// A segment of a portfolio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortfolioSegment {
    /// Its name.
    pub segment: String,
    /// SHA-256 of its own canonical text, hex.
    pub sha256: String,
    /// Why contacts are approached.
    pub purpose: Option<Purpose>,
    /// How contacts are approached.
    pub channel: Option<Channel>,
    /// Parameters that were bound, as text.
    pub params: BTreeMap<String, String>,
}

/// Answer of `count` or `funnel` about a portfolio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortfolioReport<R> {
    /// Name of the portfolio.
    pub portfolio: String,
    /// Its title.
    pub title: Option<String>,
    /// Contacts in the dataset.
    pub contacts: u64,
    /// Contacts that a run would release, all lists together; each is on one.
    pub releasable: u64,
    /// Contacts that are kept back for comparison, all segments together.
    pub held_back: u64,
    /// The segments in their order.
    pub segments: Vec<R>,
}

/// Plan of a segment of a portfolio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentPlan {
    /// Name of the segment.
    pub segment: String,
    /// Its plan.
    #[serde(flatten)]
    pub plan: PlanReport,
}

/// Answer of `why` about a portfolio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortfolioWhyReport {
    /// Run id of the audit record.
    pub run_id: String,
    /// Name of the portfolio.
    pub portfolio: String,
    /// The contact that was asked for.
    pub contact_id: String,
    /// Instant and zone.
    pub clock: Clock,
    /// The segment that takes the contact; `None` when none does.
    pub taken_by: Option<String>,
    /// That segment keeps the contact back for comparison: it is on no list.
    pub held_back: bool,
    /// What the reference semantics found, by segment in their order.
    pub segments: Vec<SegmentTrace>,
    /// Columns unlocked.
    pub columns: Vec<UnlockedColumn>,
    /// Ids of the class keys that wrapped them.
    pub key_ids: Vec<String>,
}

/// What a segment of a portfolio says of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SegmentTrace {
    /// Name of the segment.
    pub segment: String,
    /// The higher segment that has taken the contact.
    pub taken_by: Option<String>,
    /// What the reference semantics found.
    #[serde(flatten)]
    pub trace: Trace,
}
