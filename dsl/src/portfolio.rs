//! Portfolios: segments that share contacts, in the order in which they take them.
//!
//! A contact of a portfolio goes to the first segment that takes it: that has it on its list, or holds it back for comparison.
//! Whom a segment does not take, for whatever reason, is free for the next one.

use serde::{Deserialize, Serialize};

use crate::segment::{BindError, BoundSegment, ParamValues, Segment};

/// Most segments of a portfolio.
pub const PORTFOLIO_SEGMENTS_MAX: usize = 50;

/// A portfolio whose segments have been checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Portfolio {
    /// Identifier, unique in its file, among segments too.
    pub name: String,
    /// Free text behind the name.
    pub title: Option<String>,
    /// 2 to [`PORTFOLIO_SEGMENTS_MAX`], each once; the first that takes a contact has it.
    pub segments: Vec<Segment>,
    /// The text to hash: the declaration spelled canonically, then the canonical text of each segment in its order. Empty
    /// when it was not compiled from a text.
    pub canonical: String,
}

/// A portfolio of a file, by the names of its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortfolioOrder {
    /// Identifier, unique in its file, among segments too.
    pub name: String,
    /// Free text behind the name.
    pub title: Option<String>,
    /// 2 to [`PORTFOLIO_SEGMENTS_MAX`], each once; the first that takes a contact has it.
    pub segments: Vec<String>,
    /// The declaration spelled canonically.
    pub(crate) canonical: String,
}

impl PortfolioOrder {
    /// The portfolio with its segments; `None` when one of them is not among these.
    pub(crate) fn with(&self, segments: &[Segment]) -> Option<Portfolio> {
        let find = |name: &String| segments.iter().find(|segment| segment.name == *name).cloned();
        let segments: Vec<Segment> = self.segments.iter().map(find).collect::<Option<_>>()?;
        let mut canonical = format!("{}\n", self.canonical);
        segments.iter().for_each(|segment| canonical.push_str(&segment.canonical));
        Some(Portfolio { name: self.name.clone(), title: self.title.clone(), segments, canonical })
    }
}

impl Portfolio {
    /// Replaces the parameters of every segment by their given or default values; each segment takes those it has.
    ///
    /// # Errors
    /// As [`Segment::bind`]; a name is unknown when no segment has it.
    pub fn bind(&self, given: &ParamValues) -> Result<BoundPortfolio, BindError> {
        let mut known: Vec<String> = self
            .segments
            .iter()
            .flat_map(|segment| &segment.params)
            .map(|param| param.name.clone())
            .collect();
        known.sort();
        known.dedup();
        if let Some(name) = given.keys().find(|name| !known.contains(name)) {
            return Err(BindError::Unknown { name: name.clone(), known });
        }
        let mut segments = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            let own = |name: &String| segment.params.iter().any(|param| param.name == *name);
            let own = given.iter().filter(|(name, _)| own(name));
            let own: ParamValues = own.map(|(name, value)| (name.clone(), value.clone())).collect();
            segments.push(segment.bind(&own)?);
        }
        let bound = segments.iter().map(|segment| segment.segment().clone()).collect();
        Ok(BoundPortfolio { portfolio: Self { segments: bound, ..self.clone() }, segments })
    }
}

/// A portfolio without parameters. Only [`Portfolio::bind`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundPortfolio {
    portfolio: Portfolio,
    segments: Vec<BoundSegment>,
}

impl BoundPortfolio {
    /// The portfolio; every operand in its segments is a literal.
    #[must_use]
    pub fn portfolio(&self) -> &Portfolio {
        &self.portfolio
    }

    /// Its segments in their order.
    #[must_use]
    pub fn segments(&self) -> &[BoundSegment] {
        &self.segments
    }
}
