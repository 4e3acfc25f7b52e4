//! Random histories of contact fields, tests of them, and the imports that make them.

use std::collections::BTreeMap;
use std::fmt::Write;

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Field, Schema};
use hyperseg_dsl::segment::{ContactTest, Criteria, History, Logic, Operand, Past, Turn, Window};
use hyperseg_dsl::semantics::{Change, Contact};
use hyperseg_dsl::value::{Value, When};

use super::World;
use super::criteria::Maker;
use super::dice::Dice;
use super::palette;
use super::text::{instant, operand, window_text};

/// Most imports that change something in a world.
const MOMENTS_MAX: usize = 4;

/// Gives contacts a past. What they say stays what it is: the values in front of it are drawn backwards.
pub(super) fn add(dice: &mut Dice, schema: &Schema, clock: &Clock, contacts: &mut [Contact]) {
    if dice.percent(35) {
        return;
    }
    let mut moments: Vec<i64> = (0..1 + dice.below(MOMENTS_MAX))
        .map(|_| match palette::moment(dice, clock) {
            When::Instant(micros) => micros,
            When::Day(day) => clock.start_of_day(day),
        })
        .collect();
    if dice.percent(20) {
        // Two imports at one time.
        moments.extend(moments.first().copied());
    }
    moments.sort_unstable();
    let kept: Vec<&Field> = schema.contact.iter().filter(|field| History::kept_of(field)).collect();
    let hot: Vec<&Field> = (0..6).filter_map(|_| dice.pick(&kept).copied()).collect();
    for contact in contacts {
        if dice.percent(20) {
            continue;
        }
        let mut said = contact.fields.clone();
        let mut changes = Vec::new();
        for at_micros in moments.iter().rev() {
            for (place, field) in hot.iter().enumerate() {
                // The same one may have been drawn twice.
                if hot.iter().take(place).any(|other| other.name == field.name) || !dice.percent(40) {
                    continue;
                }
                let new = said.remove(&field.name);
                let old = if dice.percent(25) { None } else { Some(palette::value(dice, field, clock)) };
                said.extend(old.clone().map(|old| (field.name.clone(), old)));
                if old != new {
                    changes.push(Change { field: field.name.clone(), at_micros: *at_micros, old, new });
                }
            }
        }
        changes.reverse();
        contact.changes = changes;
    }
}

/// The world before its first change.
#[must_use]
pub fn rewound(world: &World) -> World {
    let mut world = world.clone();
    for contact in &mut world.contacts {
        for change in contact.changes.iter().rev() {
            put(&mut contact.fields, &change.field, change.old.as_ref());
        }
    }
    world
}

fn put(fields: &mut BTreeMap<String, Value>, name: &str, value: Option<&Value>) {
    match value {
        Some(value) => fields.insert(name.to_owned(), value.clone()),
        None => fields.remove(name),
    };
}

/// An import that changes contacts.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// When, in microseconds since the epoch.
    pub at_micros: i64,
    /// What the contacts say from then on, all their fields.
    pub contacts: Vec<BTreeMap<String, Value>>,
}

/// The imports that lead from [`rewound`] to the world, in their order.
#[must_use]
pub fn rounds(world: &World) -> Vec<Round> {
    let mut said: Vec<Contact> = rewound(world).contacts;
    let mut rounds: BTreeMap<(i64, usize), Vec<(usize, &Change)>> = BTreeMap::new();
    for (place, contact) in world.contacts.iter().enumerate() {
        for (number, change) in contact.changes.iter().enumerate() {
            // Of several changes of a field at one time each needs an import of its own.
            let before = contact.changes.iter().take(number);
            let same = before
                .filter(|other| other.field == change.field && other.at_micros == change.at_micros)
                .count();
            rounds.entry((change.at_micros, same)).or_default().push((place, change));
        }
    }
    let round = |((at_micros, _), changes): ((i64, usize), Vec<(usize, &Change)>)| {
        let mut touched: Vec<usize> = Vec::new();
        for (place, change) in changes {
            if let Some(contact) = said.get_mut(place) {
                put(&mut contact.fields, &change.field, change.new.as_ref());
            }
            if touched.last() != Some(&place) {
                touched.push(place);
            }
        }
        let contacts =
            touched.into_iter().filter_map(|place| Some(said.get(place)?.fields.clone())).collect();
        Round { at_micros, contacts }
    };
    rounds.into_iter().map(round).collect()
}

impl Maker<'_> {
    /// A test of what a field said before, mostly of one that has changed.
    pub(super) fn history(&mut self) -> Criteria {
        let changes: Vec<&Change> = self.world.contacts.iter().flat_map(|contact| &contact.changes).collect();
        let change = if self.dice.percent(90) { self.dice.pick(&changes).copied() } else { None };
        let kept: Vec<&Field> = self.schema.contact.iter().filter(|field| History::kept_of(field)).collect();
        let field = match change {
            Some(change) => self.schema.contact_field(&change.field),
            None => self.dice.pick(&kept).copied(),
        };
        let Some(field) = field else { return Logic::True };
        let (old, new) = change.map(|change| (change.old.as_ref(), change.new.as_ref())).unwrap_or_default();
        let past = if !History::has_values(field.ty) {
            Past::Changed { from: None, to: None }
        } else if self.dice.percent(50) {
            let value = if self.dice.percent(50) { old } else { new };
            let value = self.literal(field, value);
            Past::Was(self.operand(value))
        } else {
            let mut one = |sample| {
                let value = self.dice.percent(45).then(|| self.literal(field, sample));
                value.map(|value| self.operand(value))
            };
            let (from, to) = (one(old), one(new));
            // A change leads to another value.
            let to = to.filter(|to| from.as_ref() != Some(to));
            Past::Changed { from, to }
        };
        let window = loop {
            let params = self.params.len();
            let window = self.window(true);
            let ahead = matches!(window, Window::InNext(_) | Window::Calendar(Turn::Next, _));
            if !ahead && window.anchors().iter().all(|anchor| anchor.field().is_none()) {
                break window;
            }
            // A parameter of a window that is not used is not used either.
            self.params.truncate(params);
        };
        let (field, ty) = (field.name.clone(), field.ty);
        Logic::Leaf(ContactTest::History(Box::new(History { field, ty, past, window })))
    }
}

/// The text of a test.
pub(super) fn text(of: &History) -> String {
    let past = match &of.past {
        Past::Changed { from, to } => {
            let behind = |word: &str, value: &Option<Operand>| {
                value.as_ref().map(|value| format!(" {word} {}", operand(value))).unwrap_or_default()
            };
            format!("changed{}{}", behind("from", from), behind("to", to))
        }
        Past::Was(value) => format!("was {}", operand(value)),
    };
    format!("{} {past} {}", of.field, window_text(&of.window))
}

/// The block of a case file; empty without changes.
pub(super) fn block(world: &World) -> String {
    let mut rows = Vec::new();
    for contact in &world.contacts {
        rows.extend(contact.changes.iter().map(|change| (contact.id(), change)));
    }
    if rows.is_empty() {
        return String::new();
    }
    // Writing to memory does not fail, and fields are text.
    let mut writer = csv::Writer::from_writer(Vec::new());
    let _ = writer.write_record(["contact_id", "field", "at", "old", "new"]);
    for (id, change) in rows {
        let cell = |value: &Option<Value>| value.as_ref().map(Field::render).unwrap_or_default();
        let at = instant(change.at_micros);
        let _ = writer.write_record([id, &change.field, &at, &cell(&change.old), &cell(&change.new)]);
    }
    let rows = writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let mut text = String::new();
    let _ = write!(text, "```history\n{rows}```\n\n");
    text
}
