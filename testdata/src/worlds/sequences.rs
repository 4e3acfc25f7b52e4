//! Random sequences: records that follow each other, with lengths that lie between records of the world.

use hyperseg_dsl::schema::{Field, FieldType, RecordKind};
use hyperseg_dsl::segment::{
    ContactTest, Criteria, Duration, DurationUnit, Event, Link, Logic, Relation, SameField, Sequence,
};

use super::criteria::Maker;
use super::palette::{EXACT_SPANS, SPANS};

impl Maker<'_> {
    /// `A then B …` and its like; mostly over one or two kinds, so that records meet.
    pub(super) fn sequence(&mut self) -> Criteria {
        let (Some(one), Some(other)) = (self.kind(), self.kind()) else { return Logic::True };
        let second = if self.dice.percent(50) { one } else { other };
        let (first, mut links) = (self.event(one), Vec::new());
        if self.dice.percent(30) {
            let relation = if self.dice.percent(50) { Relation::Before } else { Relation::Around };
            let event = Event { clock: None, ..self.event(second) };
            let same = self.same(one, second);
            links.push(Link { relation, within: self.length(), same, event });
            return Logic::Leaf(ContactTest::Sequence(Sequence { first, links }));
        }
        let steps = self.dice.one(&[1, 1, 1, 2, 2, 3]);
        let mut from = one;
        let mut used = first.clock.is_none();
        for _ in 0..steps {
            let kind = if self.dice.percent(50) { one } else { second };
            let within = self.length();
            // The more links, the less may be asked of each.
            let same = if steps == 1 || self.dice.percent(20) { self.same(from, kind) } else { Vec::new() };
            let mut event = self.event(kind);
            used = true;
            let relation = if self.dice.percent(65) {
                from = kind;
                used = event.clock.is_none();
                Relation::Then { after: self.after(within) }
            } else {
                event.clock = None;
                Relation::NotFollowed { or_open: self.dice.percent(30) }
            };
            links.push(Link { relation, within, same, event });
        }
        if !used {
            for link in &mut links {
                link.event.clock = None;
            }
        }
        Logic::Leaf(ContactTest::Sequence(Sequence { first, links }))
    }

    fn event(&mut self, kind: &RecordKind) -> Event {
        // Several records have to meet: little else may be asked of each.
        let windows = usize::from(self.dice.percent(15));
        let active = kind.has_end() && self.dice.percent(15);
        let selector = self.selector_with(kind, 15, windows, active);
        let times: Vec<&Field> = kind
            .fields
            .iter()
            .filter(|field| matches!(field.ty, FieldType::Date | FieldType::Time) && field.name != "at")
            .collect();
        let clock = if self.dice.percent(25) { self.dice.pick(&times) } else { None };
        Event { selector, clock: clock.map(|field| field.name.clone()) }
    }

    fn length(&mut self) -> Duration {
        let nothing = Duration { count: 1, unit: DurationUnit::Day };
        if self.dice.percent(20) {
            self.dice.pick(&EXACT_SPANS).map_or(nothing, |(span, _)| *span)
        } else {
            let long = SPANS.get(3..).unwrap_or_default();
            let spans = if self.dice.percent(70) { long } else { &SPANS };
            self.dice.pick(spans).copied().unwrap_or(nothing)
        }
    }

    /// A shorter length in the same kind of unit.
    fn after(&mut self, within: Duration) -> Option<Duration> {
        if !self.dice.percent(25) {
            return None;
        }
        match within.unit {
            DurationUnit::Minute | DurationUnit::Hour => {
                Some(Duration { count: 30, unit: DurationUnit::Minute })
            }
            _ => {
                let lengths = [
                    Duration { count: 0, unit: DurationUnit::Day },
                    Duration { count: 1, unit: DurationUnit::Day },
                    Duration { count: 24, unit: DurationUnit::Hour },
                    Duration { count: 7, unit: DurationUnit::Day },
                    Duration { count: 1, unit: DurationUnit::Month },
                ];
                self.dice.pick(&lengths).copied().filter(|length| days(*length) <= days(within))
            }
        }
    }

    /// Fields that both kinds have.
    fn same(&mut self, one: &RecordKind, other: &RecordKind) -> Vec<SameField> {
        if !self.dice.percent(25) {
            return Vec::new();
        }
        let shared: Vec<SameField> = one
            .fields
            .iter()
            .filter(|field| !matches!(field.ty, FieldType::Categories | FieldType::Point))
            // No two records share it.
            .filter(|field| field.name != "record_id")
            .filter(|field| {
                let theirs = other.field(&field.name);
                theirs.is_some_and(|theirs| theirs.ty == field.ty && theirs.categories == field.categories)
            })
            .map(|field| SameField { field: field.name.clone(), ty: field.ty })
            .collect();
        let mut found = Vec::new();
        for _ in 0..1 + self.dice.below(2) {
            if let Some(field) = self.dice.pick(&shared)
                && !found.contains(field)
            {
                found.push(field.clone());
            }
        }
        found
    }
}

/// Fewest days of a length.
fn days(length: Duration) -> u32 {
    match length.unit {
        DurationUnit::Minute => length.count / 1_440,
        DurationUnit::Hour => length.count / 24,
        DurationUnit::Day => length.count,
        DurationUnit::Week => length.count * 7,
        DurationUnit::Month => length.count * 28,
        DurationUnit::Quarter => length.count * 90,
        DurationUnit::Year => length.count * 365,
    }
}
