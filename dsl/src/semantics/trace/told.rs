//! What a trace consists of: steps, the values and records that decided them, gates.

use std::fmt;

use serde::Serialize;

use super::super::{Blocked, Truth};

/// Why a contact is on a list, or is not.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// All criteria are TRUE.
    pub matched: bool,
    /// The first reason to leave a contact that matched out.
    pub blocked: Option<Blocked>,
    /// Whether the contact would be on the list; `None` when the segment has no purpose or no channel and no list.
    pub listed: Option<bool>,
    /// The top-level criteria in the author's order.
    pub criteria: Vec<TracedCriterion>,
    /// The author's `exclude`.
    pub exclude: Option<TracedCriterion>,
    /// Consent, suppression, sample and holdout, each by itself; empty without purpose and channel.
    pub gates: Vec<TracedGate>,
}

/// A top-level criterion.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct TracedCriterion {
    /// Its canonical text.
    pub label: String,
    /// What became of it.
    pub step: Step,
}

/// A part of a criterion.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is asked, in words.
    pub asks: String,
    /// The answer.
    pub truth: Truth,
    /// The parts that make it up; none at a test.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Step>,
    /// What a test looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What a test looked at.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Fields of the contact, and numbers made of records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// Records that were taken, newest first; at most ten. Of a sequence that is TRUE, those of one choice that makes it so,
    /// in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Row>,
    /// Records that were taken and are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    pub records_more: usize,
    /// Records of the kind that were not taken, by reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
}

impl Evidence {
    /// Adds what another record of a sequence was looked for among.
    pub(super) fn extend(&mut self, other: Self) {
        self.facts.extend(other.facts);
        self.records.extend(other.records);
        self.records_more += other.records_more;
        self.passed_over.extend(other.passed_over);
    }
}

/// A name and its value.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Field, or what the number counts.
    pub name: String,
    /// As text; `None` when it is missing.
    pub value: Option<String>,
}

/// A record.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Kind.
    pub record: String,
    /// The fields that the segment names and that are known.
    pub fields: Vec<Fact>,
}

/// Records that were not taken for one reason.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// The reason.
    pub reason: Passing,
    /// How many.
    pub count: usize,
    /// Some of them, newest first, at most ten; of those whose filter is FALSE only those
    /// that have the code and something else that was asked for.
    pub records: Vec<Row>,
}

/// Why a record is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Passing {
    /// Dated after as_of, or without a date.
    NotYet,
    /// Its status says that it does not count.
    DoesNotCount,
    /// The filter is FALSE.
    Filter,
    /// The filter is UNKNOWN.
    FilterUnknown,
    /// Outside of the windows, or not active.
    Time,
    /// Whether it lies in the windows is UNKNOWN.
    TimeUnknown,
}

impl Passing {
    /// In words, behind "not taken:".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotYet => "dated after the run's moment",
            Self::DoesNotCount => "its status does not count",
            Self::Filter => "the filter is FALSE",
            Self::FilterUnknown => "the filter is UNKNOWN",
            Self::Time => "outside of the time asked for",
            Self::TimeUnknown => "whether it lies in the time asked for is UNKNOWN",
        }
    }
}

/// A gate by itself.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct TracedGate {
    /// The reason it stands for.
    pub reason: Blocked,
    /// It keeps the contact out.
    pub closed: bool,
    /// It is the one under which the contact is counted as removed.
    pub removes: bool,
    /// What it looked at.
    pub evidence: Evidence,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

macro_rules! silent {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            /// Shows what it is, never a value.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

silent!(Trace, TracedCriterion, Step, Evidence, Fact, Row, PassedOver, TracedGate);
