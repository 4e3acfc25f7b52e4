//! Sequences: records that follow each other, or must not.

use super::fields::{Fields, Reader};
use super::records::fields_of_selector;
use super::tree::{Json, Node};
use super::values::duration_of;
use crate::ast::{Event, ExprKind, Side, Step, StepKind};

/// The fields that tell what a step is.
const STEPS: [&str; 5] = ["then", "not_followed_by", "before", "after", "around"];

/// A sequence as JSON.
pub(super) fn sequence_of(first: &Event, steps: &[Step]) -> Json {
    Json::object([("sequence", event_of(first)), ("steps", Json::list(steps.iter().map(step_of)))])
}

fn event_of(event: &Event) -> Json {
    let mut fields = fields_of_selector(&event.selector, &[]);
    fields.extend(event.clock.iter().map(|clock| ("clock", Json::text(&clock.name))));
    Json::object(fields)
}

fn step_of(step: &Step) -> Json {
    let event = event_of(&step.event);
    let within = ("within", duration_of(&step.within));
    match step.kind {
        StepKind::Then { after } => {
            let mut fields = vec![("then", event)];
            fields.extend(after.iter().map(|after| ("not_before", duration_of(after))));
            fields.push(within);
            Json::object(fields)
        }
        StepKind::NotFollowed { or_open } => {
            let mut fields = vec![("not_followed_by", event), within];
            if or_open {
                fields.push(("or_still_open", Node::Bool(true).into()));
            }
            Json::object(fields)
        }
        StepKind::Near(side) => Json::object([(side.word(), event), within]),
    }
}

impl Reader {
    /// `sequence` and `steps`.
    pub(super) fn sequence(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let first = fields.take("sequence").and_then(|event| self.event(event));
        let steps =
            fields.need(self, "steps").and_then(|steps| self.list(steps, "the steps of a sequence", 1));
        let steps: Vec<Option<Step>> = steps?.iter().map(|step| self.step(step)).collect();
        Some(ExprKind::Sequence { first: first?, steps: steps.into_iter().collect::<Option<_>>()? })
    }

    fn event(&mut self, json: &Json) -> Option<Event> {
        let mut fields = self.object(json, "a selector of records")?;
        let clock = fields.take("clock").map(|clock| self.name(clock, "a field"));
        let selector = self.selector_fields(fields)?;
        let clock = match clock {
            Some(name) => Some(name?),
            None => None,
        };
        Some(Event { selector, clock, span: json.span })
    }

    fn step(&mut self, json: &Json) -> Option<Step> {
        let mut fields = self.object(json, "a step of a sequence")?;
        let Some(name) = fields.first_of(&STEPS) else {
            fields.nothing_of(self, &STEPS);
            return None;
        };
        let event = STEPS.iter().find(|known| **known == name).and_then(|known| fields.take(known));
        let event = event.and_then(|event| self.event(event));
        let within = fields.need(self, "within").and_then(|within| self.duration(within));
        let kind = match name {
            "then" => match fields.take("not_before").map(|after| self.duration(after)) {
                Some(None) => None,
                after => Some(StepKind::Then { after: after.flatten() }),
            },
            "not_followed_by" => {
                let open = fields.take("or_still_open");
                Some(StepKind::NotFollowed { or_open: self.mark(open, "`or_still_open`") })
            }
            side => Side::ALL.into_iter().find(|known| known.word() == side).map(StepKind::Near),
        };
        fields.finish(self);
        Some(Step { kind: kind?, event: event?, within: within?, span: json.span })
    }
}
