//! References: `in segment name`, `entered segment name in last 30 days`, `received campaign "spring" in last 14 days`.

use nom::branch::alt;
use nom::combinator::{opt, value};

use super::Parser;
use super::leaf::{Input, Step, ident, word, words};
use crate::ast::{ExprKind, Reference, Sent};

/// What a reference starts with.
pub(super) fn reference_ahead(input: Input<'_>) -> Step<'_, ()> {
    use nom::Parser as _;
    let of_segment = alt((words("in", "segment"), words("in", "stage"), words("entered", "segment")));
    alt((value((), of_segment), received_ahead)).parse(input)
}

/// `received` or `not received`, and what.
pub(super) fn received_ahead(input: Input<'_>) -> Step<'_, ()> {
    use nom::Parser as _;
    let what = alt((word("segment"), word("campaign")));
    value((), (opt(word("not")), word("received"), what)).parse(input)
}

impl Parser<'_> {
    /// A reference starts here.
    pub(super) fn at_reference(&self) -> bool {
        self.ahead(reference_ahead)
    }

    /// From its first word on.
    pub(super) fn reference(&mut self) -> Option<ExprKind> {
        if self.take(words("in", "segment")).is_some() {
            let segment = self.expect(ident, "the name of a segment")?;
            return Some(ExprKind::Reference(Reference::Segment(segment)));
        }
        if self.take(words("in", "stage")).is_some() {
            let stage = self.expect(ident, "the name of a stage")?;
            return Some(ExprKind::Reference(Reference::Stage(stage)));
        }
        if self.take(words("entered", "segment")).is_some() {
            let segment = self.expect(ident, "the name of a segment")?;
            if !self.at_window() {
                let example = format!("e.g. `entered segment {} in last 30 days`", segment.name);
                self.unexpected_help("a window", Some(example));
                return None;
            }
            let window = self.window()?;
            return Some(ExprKind::Reference(Reference::Entered { segment, window }));
        }
        let negated = self.take(word("not")).is_some();
        self.take(word("received"))?;
        let sent = if self.take(word("segment")).is_some() {
            Sent::Segment(self.expect(ident, "the name of a segment")?)
        } else {
            self.take(word("campaign"))?;
            const CAMPAIGN: &str = "the name of a campaign in double quotes";
            if self.peek().word().is_some() {
                self.unexpected(CAMPAIGN);
                return None;
            }
            Sent::Campaign(self.value(CAMPAIGN)?)
        };
        let mut windows = Vec::new();
        while self.at_window() {
            windows.push(self.window()?);
        }
        Some(ExprKind::Reference(Reference::Received { negated, sent, windows }))
    }
}
