//! References to segments, and what was sent.

use super::fields::{Fields, Reader};
use super::tree::Json;
use super::values::{value_of, window_of};
use crate::ast::{ExprKind, Reference, Sent};

/// A reference as JSON.
pub(super) fn reference_of(reference: &Reference) -> Json {
    match reference {
        Reference::Segment(name) => Json::object([("in_segment", Json::text(&name.name))]),
        Reference::Stage(name) => Json::object([("in_stage", Json::text(&name.name))]),
        Reference::Entered { segment, window } => {
            Json::object([("entered_segment", Json::text(&segment.name)), ("window", window_of(window))])
        }
        Reference::Received { negated, sent, windows } => {
            let what = match sent {
                Sent::Segment(name) => ("segment", Json::text(&name.name)),
                Sent::Campaign(name) => ("campaign", value_of(name)),
            };
            let name = if *negated { "not_received" } else { "received" };
            let mut fields = vec![(name, Json::object([what]))];
            if !windows.is_empty() {
                fields.push(("windows", Json::list(windows.iter().map(window_of))));
            }
            Json::object(fields)
        }
    }
}

impl Reader {
    /// `in_segment`.
    pub(super) fn in_segment(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let name = fields.take("in_segment").and_then(|name| self.name(name, "a segment"));
        Some(ExprKind::Reference(Reference::Segment(name?)))
    }

    /// `in_stage`.
    pub(super) fn in_stage(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let name = fields.take("in_stage").and_then(|name| self.name(name, "a stage"));
        Some(ExprKind::Reference(Reference::Stage(name?)))
    }

    /// `entered_segment` and `window`.
    pub(super) fn entered(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let segment = fields.take("entered_segment").and_then(|name| self.name(name, "a segment"));
        let window = fields.need(self, "window").and_then(|window| self.window(window));
        Some(ExprKind::Reference(Reference::Entered { segment: segment?, window: window? }))
    }

    /// `received` or `not_received`, and `windows`.
    pub(super) fn received(&mut self, fields: &mut Fields<'_>, negated: bool) -> Option<ExprKind> {
        const WHAT: [&str; 2] = ["segment", "campaign"];
        let json = fields.take(if negated { "not_received" } else { "received" })?;
        let sent = self.object(json, "what was received").and_then(|mut what| {
            let sent = match what.first_of(&WHAT) {
                Some("segment") => {
                    let name = what.take("segment").and_then(|name| self.name(name, "a segment"));
                    name.map(Sent::Segment)
                }
                Some(_) => what.take("campaign").and_then(|name| self.value(name)).map(Sent::Campaign),
                None => {
                    what.nothing_of(self, &WHAT);
                    return None;
                }
            };
            what.finish(self);
            sent
        });
        let windows = self.each(fields.take("windows"), "windows", Self::window);
        Some(ExprKind::Reference(Reference::Received { negated, sent: sent?, windows: windows? }))
    }
}
