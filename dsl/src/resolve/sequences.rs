//! Records that follow each other.

use super::windows::{bounds, exact};
use super::{Resolver, Scope};
use crate::ast::{self, Ident, Modifier, Side, Span, StepKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{FieldType, RecordKind};
use crate::segment::{
    ContactTest, Criteria, Duration, Event, Link, Logic, RECORDS_MAX, Relation, SameField, Sequence,
};

impl<'a> Resolver<'a> {
    /// `A then B within D …`, or `B within D before A`.
    pub(super) fn sequence(
        &mut self,
        first: &'a ast::Event,
        steps: &'a [ast::Step],
        span: Span,
    ) -> Option<Criteria> {
        if steps.len() >= RECORDS_MAX {
            let message = format!("a sequence speaks of at most {RECORDS_MAX} records");
            self.report(Diagnostic::new(&codes::LIST_TOO_LONG, span, message));
            return None;
        }
        if let [ast::Step { kind: StepKind::Near(side), event, within, .. }] = steps {
            return self.near(first, *side, event, within);
        }
        let mut fine = true;
        for (field, _) in same_of(first) {
            self.nothing_in_front(field);
            fine = false;
        }
        // Where the clock of an event is read: it must start something.
        let mut clocks: Vec<(Option<&Ident>, bool)> = vec![(first.clock.as_ref(), false)];
        let mut before = first;
        let start = self.event(first);
        let mut links = Vec::with_capacity(steps.len());
        for step in steps {
            if let Some((_, used)) = clocks.last_mut() {
                *used = true;
            }
            let within = self.reach(&step.within);
            let same = self.same(before, &step.event);
            let event = self.event(&step.event);
            let relation = match step.kind {
                StepKind::Then { after } => {
                    let after = after.map(|after| self.after(&after, &step.within));
                    clocks.push((step.event.clock.as_ref(), false));
                    before = &step.event;
                    match after {
                        Some(None) => None,
                        after => Some(Relation::Then { after: after.flatten() }),
                    }
                }
                StepKind::NotFollowed { or_open } => {
                    self.unused_clock(step.event.clock.as_ref());
                    fine &= step.event.clock.is_none();
                    Some(Relation::NotFollowed { or_open })
                }
                // The parser lets such a step stand alone only.
                StepKind::Near(_) => None,
            };
            links.push(relation.zip(same).zip(event).map(|((relation, same), event)| Link {
                relation,
                within,
                same,
                event,
            }));
        }
        for (clock, used) in clocks {
            if !used && clock.is_some() {
                self.unused_clock(clock);
                fine = false;
            }
        }
        let links: Option<Vec<Link>> = links.into_iter().collect();
        let (first, links) = (start?, links?);
        fine.then_some(Logic::Leaf(ContactTest::Sequence(Sequence { first, links })))
    }

    /// `near within D side anchor`: the chain starts at the anchor.
    fn near(
        &mut self,
        near: &'a ast::Event,
        side: Side,
        anchor: &'a ast::Event,
        within: &ast::Duration,
    ) -> Option<Criteria> {
        let within = self.reach(within);
        let mut same = self.same(anchor, near);
        if let Some(same) = &mut same {
            for field in self.same(near, anchor)? {
                if !same.contains(&field) {
                    same.push(field);
                }
            }
        }
        let (event, first) = (self.event(near), self.event(anchor));
        if near.clock.is_some() {
            self.unused_clock(near.clock.as_ref());
            return None;
        }
        let relation = match side {
            Side::After => Relation::Then { after: None },
            Side::Before => Relation::Before,
            Side::Around => Relation::Around,
        };
        let (event, first, same) = (event?, first?, same?);
        let links = vec![Link { relation, within, same, event }];
        Some(Logic::Leaf(ContactTest::Sequence(Sequence { first, links })))
    }

    fn event(&mut self, event: &'a ast::Event) -> Option<Event> {
        let selector = self.selector_of_event(&event.selector, event.span);
        let kind = self.schema.record(&event.selector.record.name)?;
        let clock = match &event.clock {
            None => None,
            Some(name) => {
                let field = self.field(Scope::Record(kind), name)?;
                if !matches!(field.ty, FieldType::Date | FieldType::Time) {
                    let ty = super::operands::a_type(field.ty);
                    let message = format!("`{}` is {ty}; no clock starts there", field.name);
                    let times: Vec<&str> = kind
                        .fields
                        .iter()
                        .filter(|field| matches!(field.ty, FieldType::Date | FieldType::Time))
                        .map(|field| field.name.as_str())
                        .collect();
                    let finding = Diagnostic::new(&codes::WRONG_TEST, name.span, message);
                    self.report(finding.help(format!(
                        "dates and times of `{}`: {}",
                        kind.name,
                        times.join(", ")
                    )));
                    return None;
                }
                (field.name != "at").then(|| field.name.clone())
            }
        };
        Some(Event { selector: selector?, clock })
    }

    fn unused_clock(&mut self, clock: Option<&Ident>) {
        let Some(clock) = clock else { return };
        let message = format!("nothing is counted from this `{}`", crate::lex::short(&clock.name));
        let finding = Diagnostic::new(&codes::UNUSED_CLOCK, clock.span, message);
        self.report(finding.help("the field stands behind the record from which the next step counts"));
    }

    /// How far a step reaches.
    fn reach(&mut self, within: &ast::Duration) -> Duration {
        if within.count == 0 && exact(within.unit) {
            let finding =
                Diagnostic::new(&codes::EMPTY_WINDOW, within.span, "nothing follows within no time");
            self.report(finding.help("write a length of time, e.g. `within 24 hours`"));
        }
        Duration { count: within.count, unit: within.unit }
    }

    /// `after D within D`: the shorter one first.
    fn after(&mut self, after: &ast::Duration, within: &ast::Duration) -> Option<Duration> {
        let typed = |length: &ast::Duration| Duration { count: length.count, unit: length.unit };
        if bounds(typed(after)).0 > bounds(typed(within)).1 {
            let span = after.span.to(within.span);
            let finding = Diagnostic::new(&codes::REVERSED, span, "the bounds are the wrong way round");
            self.report(finding.help("the shorter one comes first: `after 90 days within 1 year`"));
            return None;
        }
        Some(typed(after))
    }

    /// The fields of `same … as` that an event has in common with the one it is compared with.
    fn same(&mut self, other: &'a ast::Event, event: &'a ast::Event) -> Option<Vec<SameField>> {
        let mut found: Vec<SameField> = Vec::new();
        let mut fine = true;
        for (name, of) in same_of(event) {
            let other_name = &other.selector.record;
            if of.name != other_name.name {
                let message = format!("`{}` is not the record beside this one", crate::lex::short(&of.name));
                let finding = Diagnostic::new(&codes::SAME_AS, of.span, message);
                self.report(finding.help(format!(
                    "write `same {} as {}`",
                    crate::lex::short(&name.name),
                    crate::lex::short(&other_name.name)
                )));
                fine = false;
                continue;
            }
            let own = self.schema.record(&event.selector.record.name);
            let theirs = self.schema.record(&other_name.name);
            let (Some(own), Some(theirs)) = (own, theirs) else {
                fine = false;
                continue;
            };
            match self.same_field(name, own, theirs) {
                Some(same) if !found.contains(&same) => found.push(same),
                Some(_) => {
                    let message = format!("`same {}` stands twice", crate::lex::short(&name.name));
                    self.report(Diagnostic::new(&codes::DUPLICATE_CRITERION, name.span, message));
                }
                None => fine = false,
            }
        }
        fine.then_some(found)
    }

    fn same_field(&mut self, name: &Ident, own: &'a RecordKind, theirs: &'a RecordKind) -> Option<SameField> {
        let (field, other) = (self.field(Scope::Record(own), name), self.field(Scope::Record(theirs), name));
        let (field, other) = (field?, other?);
        let why = if matches!(field.ty, FieldType::Categories | FieldType::Point) {
            format!("`{}` is {} and cannot be the same", field.name, super::operands::a_type(field.ty))
        } else if field.ty != other.ty || field.categories != other.categories {
            format!("`{}` of `{}` and of `{}` hold different things", field.name, own.name, theirs.name)
        } else {
            return Some(SameField { field: field.name.clone(), ty: field.ty });
        };
        self.report(Diagnostic::new(&codes::SAME_AS, name.span, why));
        None
    }

    /// Reports `same … as` where no other record stands in front.
    pub(super) fn nothing_in_front(&mut self, field: &Ident) {
        let message = "there is no record to compare with";
        let finding = Diagnostic::new(&codes::SAME_AS, field.span, message);
        self.report(
            finding
                .help("e.g. `form_start not followed by form_complete same name as form_start within 1 day`"),
        );
    }
}

/// Field and record of every `same … as` behind an event.
fn same_of(event: &ast::Event) -> impl Iterator<Item = (&Ident, &Ident)> {
    event.selector.modifiers.iter().filter_map(|modifier| match modifier {
        Modifier::Same { field, of } => Some((field, of)),
        Modifier::Window(_) | Modifier::Active(_) | Modifier::Recorded(_) | Modifier::With(_) => None,
    })
}
