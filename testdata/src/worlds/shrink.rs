//! From a disagreement to a small one.

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{
    Asks, ContactTest, Criteria, Filter, Household, Logic, Rank, Reference, Segment, Selector, Sequence,
};

use super::World;
use super::criteria::hidden;
use super::text::criteria_text;

/// Removes contacts, records, fields and criteria as long as `fails` still says so, and returns what is left.
///
/// `fails` is asked at most `tries_max` times; it must be a function of its arguments alone.
pub fn shrink(
    world: World,
    segment: Segment,
    tries_max: usize,
    fails: &mut dyn FnMut(&World, &Segment) -> bool,
) -> (World, Segment) {
    let mut shrinker = Shrinker { world, segment, tries: tries_max, fails };
    loop {
        let mut smaller = shrinker.contacts();
        smaller |= shrinker.segment_parts();
        smaller |= shrinker.records();
        smaller |= shrinker.changes();
        smaller |= shrinker.fields();
        if !smaller {
            return (shrinker.world, shrinker.segment);
        }
    }
}

struct Shrinker<'a> {
    world: World,
    segment: Segment,
    tries: usize,
    fails: &'a mut dyn FnMut(&World, &Segment) -> bool,
}

impl Shrinker<'_> {
    /// Keeps the candidate when it still fails.
    fn accept(&mut self, world: Option<World>, segment: Option<Segment>) -> bool {
        if self.tries == 0 {
            return false;
        }
        self.tries -= 1;
        let world = world.unwrap_or_else(|| self.world.clone());
        let segment = segment.unwrap_or_else(|| self.segment.clone());
        let fails = (self.fails)(&world, &segment);
        if fails {
            self.world = world;
            self.segment = segment;
        }
        fails
    }

    /// Drops halves, quarters and so on down to single contacts.
    fn contacts(&mut self) -> bool {
        let mut smaller = false;
        let mut size = self.world.contacts.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < self.world.contacts.len() && self.world.contacts.len() > 1 {
                let mut world = self.world.clone();
                let end = (start + size).min(world.contacts.len());
                world.contacts.drain(start..end);
                if !world.contacts.is_empty() && self.accept(Some(world), None) {
                    smaller = true;
                } else {
                    start += size;
                }
            }
            size /= 2;
        }
        smaller
    }

    fn records(&mut self) -> bool {
        let mut smaller = false;
        for place in 0..self.world.contacts.len() {
            let count = |world: &World| world.contacts.get(place).map_or(0, |contact| contact.records.len());
            let mut number = 0;
            while number < count(&self.world) {
                let mut world = self.world.clone();
                if let Some(contact) = world.contacts.get_mut(place) {
                    contact.records.remove(number);
                }
                if self.accept(Some(world), None) {
                    smaller = true;
                } else {
                    number += 1;
                }
            }
        }
        smaller
    }

    /// Drops the earliest changes of a field: what is left follows from each other.
    fn changes(&mut self) -> bool {
        let mut smaller = false;
        for place in 0..self.world.contacts.len() {
            let number = |world: &World| world.contacts.get(place).map_or(0, |contact| contact.changes.len());
            let mut kept = 0;
            while kept < number(&self.world) {
                let mut world = self.world.clone();
                let Some(contact) = world.contacts.get_mut(place) else { break };
                let field = contact.changes.get(kept).map(|change| change.field.clone());
                let earliest =
                    contact.changes.iter().position(|change| Some(&change.field) == field.as_ref());
                if earliest == Some(kept) {
                    contact.changes.remove(kept);
                    if self.accept(Some(world), None) {
                        smaller = true;
                        continue;
                    }
                }
                kept += 1;
            }
        }
        smaller
    }

    fn fields(&mut self) -> bool {
        let mut smaller = false;
        for place in 0..self.world.contacts.len() {
            let Some(contact) = self.world.contacts.get(place) else { continue };
            for name in
                contact.fields.keys().filter(|name| *name != "contact_id").cloned().collect::<Vec<_>>()
            {
                let mut world = self.world.clone();
                if let Some(contact) = world.contacts.get_mut(place) {
                    contact.fields.remove(&name);
                    contact.changes.retain(|change| change.field != name);
                }
                smaller |= self.accept(Some(world), None);
            }
            for number in 0..self.world.contacts.get(place).map_or(0, |contact| contact.records.len()) {
                let record = self.world.contacts.get(place).and_then(|contact| contact.records.get(number));
                let Some(record) = record else { continue };
                let names = record.fields.keys().filter(|name| !["record_id", "at"].contains(&name.as_str()));
                for name in names.cloned().collect::<Vec<_>>() {
                    let mut world = self.world.clone();
                    let contact = world.contacts.get_mut(place);
                    if let Some(record) = contact.and_then(|contact| contact.records.get_mut(number)) {
                        record.fields.remove(&name);
                    }
                    smaller |= self.accept(Some(world), None);
                }
            }
        }
        smaller
    }

    fn segment_parts(&mut self) -> bool {
        let mut smaller = false;
        for drop in [
            |segment: &mut Segment| segment.exclude = None,
            |segment: &mut Segment| segment.cap = None,
            |segment: &mut Segment| segment.one_per = None,
            |segment: &mut Segment| segment.limit = None,
            |segment: &mut Segment| segment.limit.iter_mut().for_each(|limit| limit.by = None),
            |segment: &mut Segment| segment.sample = None,
            |segment: &mut Segment| segment.split = None,
            |segment: &mut Segment| segment.holdout = None,
            |segment: &mut Segment| segment.output.clear(),
        ] {
            let mut segment = self.segment.clone();
            drop(&mut segment);
            if segment != self.segment {
                smaller |= self.accept(None, Some(segment));
            }
        }
        let mut place = 0;
        while place < self.segment.criteria.len() {
            let mut segment = self.segment.clone();
            segment.criteria.remove(place);
            if !segment.criteria.is_empty() && self.accept(None, Some(segment)) {
                smaller = true;
            } else {
                smaller |= self.criterion(place);
                place += 1;
            }
        }
        smaller
    }

    /// Replaces a criterion by one of its parts, or by a simpler test.
    fn criterion(&mut self, place: usize) -> bool {
        let Some(criterion) = self.segment.criteria.get(place) else { return false };
        let parts: Vec<Criteria> = match &criterion.test {
            Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => parts.clone(),
            Logic::Not(inner) => {
                let mut parts = vec![(**inner).clone()];
                if let Logic::Leaf(test) = inner.as_ref() {
                    let simpler =
                        simpler(test).into_iter().map(|test| Logic::Not(Box::new(Logic::Leaf(test))));
                    parts.extend(simpler);
                }
                parts
            }
            Logic::Leaf(test) => {
                let mut parts: Vec<Criteria> = match test {
                    ContactTest::Household(of) => vec![of.test.clone()],
                    ContactTest::Reference(of) => {
                        std::iter::once(&of.test).chain(&of.without).cloned().collect()
                    }
                    _ => Vec::new(),
                };
                parts.extend(simpler(test).into_iter().map(Logic::Leaf));
                parts
            }
            Logic::True | Logic::False => Vec::new(),
        };
        for part in parts {
            let mut segment = self.segment.clone();
            if let Some(criterion) = segment.criteria.get_mut(place) {
                criterion.label = criteria_text(&part);
                criterion.test = part;
            }
            if self.accept(None, Some(segment)) {
                self.criterion(place);
                return true;
            }
        }
        false
    }
}

/// The test with less of a filter, without one of its windows, or without `active`; a sequence with fewer links.
fn simpler(test: &ContactTest) -> Vec<ContactTest> {
    match test {
        ContactTest::Has(selector)
        | ContactTest::DaysCovered { selector, .. }
        | ContactTest::Continuous { selector, .. }
        | ContactTest::Count { selector, .. }
        | ContactTest::Aggregate { selector, .. }
        | ContactTest::One { selector, .. }
        | ContactTest::Share { selector, .. } => {
            let with = |simple: Selector| {
                let mut test = test.clone();
                match &mut test {
                    ContactTest::Has(selector)
                    | ContactTest::DaysCovered { selector, .. }
                    | ContactTest::Continuous { selector, .. }
                    | ContactTest::Count { selector, .. }
                    | ContactTest::Aggregate { selector, .. }
                    | ContactTest::One { selector, .. }
                    | ContactTest::Share { selector, .. } => *selector = simple,
                    ContactTest::Field(_)
                    | ContactTest::Observed { .. }
                    | ContactTest::Age { .. }
                    | ContactTest::Turns { .. }
                    | ContactTest::Near(_)
                    | ContactTest::Anniversary { .. }
                    | ContactTest::History(_)
                    | ContactTest::Rank(_)
                    | ContactTest::Sample(_)
                    | ContactTest::Sequence(_)
                    | ContactTest::Reference(_)
                    | ContactTest::Household(_) => {}
                }
                test
            };
            simpler_selectors(selector).into_iter().map(with).collect()
        }
        ContactTest::Sequence(sequence) => simpler_sequences(sequence),
        // The days come from its windows.
        ContactTest::Observed { selector, by } => simpler_selectors(selector)
            .into_iter()
            .filter(|simple| simple.windows == selector.windows)
            .map(|selector| ContactTest::Observed { selector, by: by.clone() })
            .collect(),
        ContactTest::Reference(reference) => simpler_references(reference),
        ContactTest::Rank(rank) => {
            let parts: Vec<Criteria> = match &rank.among {
                Some(Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. }) => parts.clone(),
                Some(Logic::Not(inner)) => vec![(**inner).clone()],
                Some(Logic::True | Logic::False | Logic::Leaf(_)) | None => Vec::new(),
            };
            let mut found: Vec<Rank> =
                parts.into_iter().map(|part| Rank { among: Some(part), ..(**rank).clone() }).collect();
            if rank.among.is_some() {
                found.push(Rank { among: None, ..(**rank).clone() });
            }
            found.into_iter().map(|rank| ContactTest::Rank(Box::new(rank))).collect()
        }
        ContactTest::Household(of) => {
            let with = |test| ContactTest::Household(Box::new(Household { all: of.all, test }));
            match &of.test {
                Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
                    parts.iter().cloned().map(with).collect()
                }
                Logic::Not(inner) => vec![with((**inner).clone())],
                Logic::Leaf(test) => simpler(test).into_iter().map(|test| with(Logic::Leaf(test))).collect(),
                Logic::True | Logic::False => Vec::new(),
            }
        }
        ContactTest::Field(_)
        | ContactTest::Age { .. }
        | ContactTest::Turns { .. }
        | ContactTest::Near(_)
        | ContactTest::Sample(_)
        | ContactTest::History(_)
        | ContactTest::Anniversary { .. } => Vec::new(),
    }
}

/// A reference to less, under a name of its own: others may refer to the segment as it was.
fn simpler_references(of: &Reference) -> Vec<ContactTest> {
    let name = format!("{}_", of.name);
    let with = |test: &Criteria, without: &[Criteria]| Reference {
        name: name.clone(),
        asks: match &of.asks {
            // The stages of a file are one row; a segment says the same of those in one of them.
            Asks::InSegment | Asks::InStage => Asks::InSegment,
            Asks::Entered(window) => Asks::Entered(window.clone()),
        },
        test: test.clone(),
        without: match without {
            [_, _, ..] => vec![Logic::Or(without.to_vec())],
            few => few.to_vec(),
        },
    };
    let mut found = Vec::new();
    if !of.without.is_empty() {
        found.push(with(&of.test, &[]));
    }
    if of.asks == Asks::InStage {
        found.push(with(&of.test, &of.without));
    }
    match &of.test {
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            found.extend(parts.iter().map(|part| with(part, &of.without)));
        }
        Logic::Not(inner) => found.push(with(inner, &of.without)),
        Logic::Leaf(test) => {
            found.extend(simpler(test).into_iter().map(|test| with(&Logic::Leaf(test), &of.without)));
        }
        Logic::True | Logic::False => {}
    }
    found.into_iter().map(|reference| ContactTest::Reference(Box::new(reference))).collect()
}

fn simpler_sequences(sequence: &Sequence) -> Vec<ContactTest> {
    let mut found = Vec::new();
    if sequence.links.len() > 1 {
        let mut shorter = sequence.clone();
        shorter.links.pop();
        if let Some(last) = shorter.links.last_mut() {
            last.event.clock = None;
        }
        found.push(shorter);
    }
    for place in 0..sequence.links.len() {
        let mut simple = sequence.clone();
        if let Some(link) = simple.links.get_mut(place)
            && link.same.pop().is_some()
        {
            found.push(simple);
        }
    }
    if sequence.first.clock.is_some() {
        let mut simple = sequence.clone();
        simple.first.clock = None;
        found.push(simple);
    }
    for (place, selector) in sequence.selectors().enumerate() {
        for simpler in simpler_selectors(selector) {
            let mut simple = sequence.clone();
            if let Some(selector) = simple.selectors_mut().nth(place) {
                *selector = simpler;
            }
            found.push(simple);
        }
    }
    found.into_iter().map(ContactTest::Sequence).collect()
}

fn simpler_selectors(selector: &Selector) -> Vec<Selector> {
    let schema = Schema::built_in();
    let Some(kind) = schema.record(&selector.record) else { return Vec::new() };
    let filters: Vec<Filter> = match &selector.filter {
        Logic::True => Vec::new(),
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            let mut filters = vec![Logic::True];
            filters.extend(parts.iter().cloned());
            filters
        }
        Logic::Not(inner) => vec![Logic::True, (**inner).clone()],
        Logic::False | Logic::Leaf(_) => vec![Logic::True],
    };
    let mut found: Vec<Selector> = filters
        .into_iter()
        .map(|filter| Selector { hidden: hidden(kind, &filter), filter, ..selector.clone() })
        .collect();
    for place in 0..selector.windows.len() {
        let mut simple = selector.clone();
        simple.windows.remove(place);
        found.push(simple);
    }
    if selector.active {
        found.push(Selector { active: false, ..selector.clone() });
    }
    found
}
