//! A segment as a part of a portfolio that is being solved.
//!
//! Every segment has a plan of its own over the one snapshot. The plan of a lower one asks cells whom the higher ones have
//! taken; a cell is filled when the segment's own plan has run. So all plans can be made, shown and refused before the first
//! of them runs, and none runs before those in front of it.

use std::sync::{Arc, OnceLock};

use hyperseg_dsl::Portfolio;
use hyperseg_dsl::describe_in_portfolio;
use hyperseg_dsl::schema::Field as SchemaField;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::BoundSegment;

use super::digest::sha256_hex;
use crate::plan::ops::taken::TakenCell;
use crate::report::{PortfolioPlace, PortfolioSegment};
use crate::request::PortfolioRequest;

/// What the segments of a portfolio share while it is solved.
#[derive(Debug)]
struct Shared {
    portfolio: Portfolio,
    /// SHA-256 of its canonical text, or of the source when it was not compiled from one.
    sha256: String,
    segments: Vec<PortfolioSegment>,
    /// Whom each segment takes.
    cells: Vec<Arc<TakenCell>>,
    /// The run of each segment, once it has begun.
    runs: Vec<OnceLock<String>>,
}

/// The place of a segment in a portfolio.
#[derive(Clone, Debug)]
pub(super) struct Within {
    shared: Arc<Shared>,
    place: usize,
    own: Arc<TakenCell>,
}

impl Within {
    /// The places of all segments, in their order.
    pub(super) fn all(request: &PortfolioRequest) -> Vec<Self> {
        let portfolio = request.portfolio.portfolio().clone();
        let count = portfolio.segments.len();
        let or_source = |canonical: &str| {
            sha256_hex(if canonical.is_empty() { &request.source } else { canonical }.as_bytes())
        };
        let segment = |bound: &BoundSegment| PortfolioSegment {
            segment: bound.segment().name.clone(),
            sha256: or_source(&bound.segment().canonical),
            purpose: bound.segment().purpose,
            channel: bound.segment().channel,
            params: bound
                .params()
                .iter()
                .map(|(name, value)| (name.clone(), SchemaField::render(value)))
                .collect(),
        };
        let cells: Vec<Arc<TakenCell>> = (0..count).map(|_| Arc::default()).collect();
        let shared = Arc::new(Shared {
            sha256: or_source(&portfolio.canonical),
            segments: request.portfolio.segments().iter().map(segment).collect(),
            cells: cells.clone(),
            runs: (0..count).map(|_| OnceLock::new()).collect(),
            portfolio,
        });
        let places = cells.into_iter().enumerate();
        places.map(|(place, own)| Self { shared: Arc::clone(&shared), place, own }).collect()
    }

    /// Name of the segment.
    pub(super) fn segment(&self) -> &str {
        self.name(self.place)
    }

    fn name(&self, place: usize) -> &str {
        self.shared.portfolio.segments.get(place).map_or("", |segment| segment.name.as_str())
    }

    /// Names of the segments that take contacts before this one.
    pub(super) fn higher(&self) -> Vec<&str> {
        (0..self.place).map(|place| self.name(place)).collect()
    }

    /// Whom those take.
    pub(super) fn taken(&self) -> Vec<Arc<TakenCell>> {
        self.shared.cells.iter().take(self.place).cloned().collect()
    }

    /// Whom this one takes.
    pub(super) fn own(&self) -> &TakenCell {
        &self.own
    }

    /// Notes the run of this segment.
    pub(super) fn begun(&self, run_id: &str) {
        if let Some(run) = self.shared.runs.get(self.place) {
            // A segment has one run.
            let _ = run.set(run_id.to_owned());
        }
    }

    /// The run of the segment at a place; empty before it has begun.
    pub(super) fn run_of(&self, place: usize) -> String {
        self.shared.runs.get(place).and_then(OnceLock::get).cloned().unwrap_or_default()
    }

    /// SHA-256 of what pins the list: the canonical text of the portfolio, and which of its lists this is.
    pub(super) fn sha256(&self) -> String {
        sha256_hex(format!("{} {}", self.shared.sha256, self.segment()).as_bytes())
    }

    /// The segment in English, and what the portfolio makes of it.
    pub(super) fn description(&self, schema: &Schema) -> String {
        describe_in_portfolio(&self.shared.portfolio, self.place, schema)
    }

    /// For the records.
    pub(super) fn report(&self) -> PortfolioPlace {
        PortfolioPlace {
            name: self.shared.portfolio.name.clone(),
            title: self.shared.portfolio.title.clone(),
            sha256: self.shared.sha256.clone(),
            place: self.place as u64 + 1,
            segments: self.shared.segments.clone(),
        }
    }
}
