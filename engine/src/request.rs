//! What a caller asks for.

use hyperseg_dsl::BoundPortfolio;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::segment::BoundSegment;

/// One question to the engine: a bound segment and the moment it is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Text of the segment with its declarations, for the audit record.
    pub source: String,
    /// The segment.
    pub segment: BoundSegment,
    /// The run's clock.
    pub clock: Clock,
    /// The present, microseconds since the epoch; gates look at the later of this and the clock.
    pub now_micros: i64,
    /// On whose behalf the principal acts, for the audit record.
    pub actor: Option<String>,
    /// How old consent data may be for a release.
    pub consent_age_max: ConsentAge,
}

/// One question about a whole portfolio: its segments look from one moment.
#[derive(Clone, Debug)]
pub struct PortfolioRequest {
    /// Text of the portfolio with its segments, for the audit records.
    pub source: String,
    /// The portfolio.
    pub portfolio: BoundPortfolio,
    /// The run's clock.
    pub clock: Clock,
    /// The present, microseconds since the epoch; gates look at the later of this and the clock.
    pub now_micros: i64,
    /// On whose behalf the principal acts, for the audit records.
    pub actor: Option<String>,
    /// How old consent data may be for a release.
    pub consent_age_max: ConsentAge,
}

impl PortfolioRequest {
    /// The same question about each segment by itself, in their order.
    pub(crate) fn each(&self) -> Vec<Request> {
        let one = |segment: &BoundSegment| Request {
            source: self.source.clone(),
            segment: segment.clone(),
            clock: self.clock,
            now_micros: self.now_micros,
            actor: self.actor.clone(),
            consent_age_max: self.consent_age_max,
        };
        self.portfolio.segments().iter().map(one).collect()
    }
}

/// How old consent data may be when a list is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentAge {
    /// At most this many hours since the last import of consent.
    Hours(u32),
    /// Any age; the release record says so.
    Unlimited,
}

impl Default for ConsentAge {
    fn default() -> Self {
        Self::Hours(24)
    }
}

/// Bounds on the size of a list, of each list of a portfolio; outside them nothing is released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// Fewest recipients.
    pub recipients_min: Option<u64>,
    /// Most recipients.
    pub recipients_max: Option<u64>,
}

/// Bounds on what one query may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the query memory pool; a query that needs more fails, nothing is ever spilled to disk.
    pub memory_bytes_max: usize,
    /// Bytes of answers of criteria kept in memory for later queries, wiped when they go; 0 keeps none. Answers that are kept are
    /// worked out for everybody; where none is, each criterion of a count or a run reads what concerns those whom the others
    /// leave.
    pub kept_bytes_max: usize,
    /// Partitions that are worked on at the same time; 0 takes the number of cores.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes_max: 2 << 30, kept_bytes_max: 64 << 20, threads: 0 }
    }
}
