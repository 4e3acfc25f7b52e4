//! Criteria that stand elsewhere, and lists that were sent, as written.

use super::{Ident, Value, Window};

/// A test that names something outside of the criteria in which it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reference {
    /// `in segment name`.
    Segment(Ident),
    /// `in stage name`.
    Stage(Ident),
    /// `entered segment name window`.
    Entered { segment: Ident, window: Window },
    /// `received …`, or `not received …` when negated.
    Received { negated: bool, sent: Sent, windows: Vec<Window> },
}

/// By what a contact was reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sent {
    /// `segment name`: the list of a segment, of this file or of another.
    Segment(Ident),
    /// `campaign "text"`, or a parameter.
    Campaign(Value),
}
