//! Records that follow each other in time, as written; the reference and the engine each look for them.

use serde::{Deserialize, Serialize};

use super::{Duration, Selector};
use crate::schema::FieldType;

/// Most records that one sequence speaks of.
pub const RECORDS_MAX: usize = 16;

/// `A then B within D …`: there are records of one contact, one for every event, that stand in the relations that the
/// links ask for. One choice of records serves all links. Never UNKNOWN.
///
/// A moment is an instant or a local day. One comes before another when both are instants and it is the earlier one,
/// or else when its local day is. Lengths in days and longer count local days; those in hours and minutes are exact, and
/// a moment known only to the day then counts as the whole day: the relation must hold wherever in that day it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// Where the chain starts.
    pub first: Event,
    /// At least one, fewer than [`RECORDS_MAX`].
    pub links: Vec<Link>,
}

/// One record of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// From which records.
    pub selector: Selector,
    /// A field of type date or time from which the links that follow count; `at` when there is none. A record
    /// without the value starts nothing.
    pub clock: Option<String>,
}

/// From an event to a record near it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// How the record lies to the event: the last one before this link that is not `not followed by`.
    pub relation: Relation,
    /// How far away its `at` is at most, counted from the event's clock.
    pub within: Duration,
    /// Fields that have the same known value in both, the same as `=` says it.
    pub same: Vec<SameField>,
    /// The record.
    pub event: Event,
}

/// How a record lies to the one that a link starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// `then B within D`: later.
    Then {
        /// `after D`: at least so much later.
        after: Option<Duration>,
    },
    /// `not followed by B within D`: no record is certainly or possibly there, and the time for it is over. An event
    /// without a value of one of the `same` fields does not count.
    NotFollowed {
        /// `or still open`: the time need not be over.
        or_open: bool,
    },
    /// `B within D before A`: earlier. The only link.
    Before,
    /// `B within D around A`: earlier, later or at the same time; not the same record. The only link.
    Around,
}

/// A field that two records have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SameField {
    /// A field of both kinds; not a list of categories and not a point.
    pub field: String,
    /// Its type in the schema, the same in both kinds.
    pub ty: FieldType,
}

impl Sequence {
    /// Every selector, in the order of the records.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.first.selector).chain(self.links.iter().map(|link| &link.event.selector))
    }

    /// Every selector, in the order of the records.
    pub fn selectors_mut(&mut self) -> impl Iterator<Item = &mut Selector> {
        let links = self.links.iter_mut().map(|link| &mut link.event.selector);
        std::iter::once(&mut self.first.selector).chain(links)
    }
}
