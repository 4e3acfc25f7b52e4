//! The reference: does this contact belong to this segment?
//!
//! One contact, one record at a time, plain Rust, one match arm per node of [`crate::segment`]. A bound segment, a
//! contact with all its records and a clock come in, a [`Verdict`] goes out. It shares with the engine nothing but
//! the segment, the schema and the clock, and is written to be read, not to be fast. It never fails: what the resolver
//! does not let through is UNKNOWN here.

mod aggregate;
mod amount;
mod anchor;
mod chance;
mod cover;
mod field;
mod gate;
mod history;
mod household;
mod interval;
mod place;
mod portfolio;
mod ranks;
mod reads;
mod record;
mod sequence;
mod tails;
mod time;
mod trace;
mod truth;

#[cfg(test)]
mod traps;

use std::fmt;
use std::ops::RangeInclusive;

pub use chance::{arm, held_out, sampled};
pub use field::Fields;
pub use gate::{
    Blocked, Consent, Delivery, Facts, GATE_FIELDS, GATE_KINDS, Suppression, capped, gate, judge,
};
pub use portfolio::{Solved, solve};
pub use ranks::{Edge, Ranks, ranks_of};
pub use reads::{Reads, RecordReads};
pub use trace::{
    Evidence, Fact, PassedOver, Passing, Row, Step, Trace, TracedCriterion, TracedGate, trace, trace_among,
    trace_around,
};
pub use truth::Truth;

use crate::clock::Clock;
use crate::schema::Schema;
use crate::segment::{AgeUnit, Anchor, Asks, BoundSegment, ContactTest, Counted, Criteria};
use crate::value::Value;

/// A contact with its records.
#[derive(Clone, PartialEq)]
pub struct Contact {
    /// Known fields by name, `contact_id` among them.
    pub fields: Fields,
    /// Records of every kind, in any order.
    pub records: Vec<Record>,
    /// What imports changed of the fields, in their order; times never go back.
    pub changes: Vec<Change>,
}

impl Contact {
    /// The contact's id; empty when it has none.
    #[must_use]
    pub fn id(&self) -> &str {
        match self.fields.get("contact_id") {
            Some(Value::Text(id)) => id,
            _ => "",
        }
    }
}

/// A record of a contact.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// Name of the record kind.
    pub kind: String,
    /// Known fields by name: `record_id`, `at`, `recorded_at`, `source`, `status` and those of the kind.
    pub fields: Fields,
}

/// A change of a field of a contact.
#[derive(Clone, PartialEq)]
pub struct Change {
    /// The contact field.
    pub field: String,
    /// When it was changed, in microseconds since the epoch.
    pub at_micros: i64,
    /// What it said until then; `None` when it was missing.
    pub old: Option<Value>,
    /// What it said from then on.
    pub new: Option<Value>,
}

impl fmt::Debug for Change {
    /// Shows of what, never from what to what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("field", &self.field).finish_non_exhaustive()
    }
}

impl fmt::Debug for Contact {
    /// Shows how much there is, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact")
            .field("fields", &self.fields.len())
            .field("records", &self.records.len())
            .field("changes", &self.changes.len())
            .finish()
    }
}

impl fmt::Debug for Record {
    /// Shows how much there is, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("kind", &self.kind).field("fields", &self.fields.len()).finish()
    }
}

/// What a segment says of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The value of each top-level criterion, in the author's order.
    pub criteria: Vec<Truth>,
    /// All of them are TRUE.
    pub matched: bool,
    /// Why a contact that matched is left out nevertheless; `None` for those that did not match.
    pub blocked: Option<Blocked>,
}

impl Verdict {
    /// The contact is on the list.
    #[must_use]
    pub fn is_recipient(&self) -> bool {
        self.matched && self.blocked.is_none()
    }
}

/// Says whether a contact belongs to a segment, and why not, as if it were the only one: nobody lives with it, or competes with
/// it for a rank, a place under a limit or a value of which each stands once. Where others matter, [`select_all`] has the answer.
#[must_use]
pub fn select(
    segment: &BoundSegment,
    contact: &Contact,
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Verdict {
    let ranks = Ranks::of(segment.segment(), &[contact], schema, clock);
    select_single(segment, contact, Around { others: &[], ranks: &ranks }, schema, clock, now_micros)
}

/// Says of every contact of a population whether it belongs to a segment, and why not, in the order of the contacts.
#[must_use]
pub fn select_all<'c>(
    segment: &BoundSegment,
    contacts: impl IntoIterator<Item = &'c Contact>,
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Vec<Verdict> {
    let contacts: Vec<&Contact> = contacts.into_iter().collect();
    select_free(segment, &contacts, &|_| false, schema, clock, now_micros)
}

/// The same within a portfolio, of which higher segments have taken the contacts at some places.
fn select_free(
    segment: &BoundSegment,
    contacts: &[&Contact],
    taken: &dyn Fn(usize) -> bool,
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Vec<Verdict> {
    let ranks = Ranks::of(segment.segment(), contacts, schema, clock);
    let around = Around { others: contacts, ranks: &ranks };
    let one = |(place, contact): (usize, &&Contact)| {
        select_among(segment, contact, around, taken(place), schema, clock, now_micros)
    };
    let mut verdicts: Vec<Verdict> = contacts.iter().enumerate().map(one).collect();
    tails::cut(segment.segment(), contacts, &mut verdicts, schema, clock);
    verdicts
}

/// What an answer depends on beside the contact itself.
#[derive(Clone, Copy)]
struct Around<'a> {
    /// Among whom those are looked for who live with the contact.
    others: &'a [&'a Contact],
    /// Where the edges of ranks lie.
    ranks: &'a Ranks,
}

/// What becomes of a contact with whom nobody competes for a place, but with whom others may live.
fn select_single(
    segment: &BoundSegment,
    contact: &Contact,
    around: Around<'_>,
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Verdict {
    let mut verdict = [select_among(segment, contact, around, false, schema, clock, now_micros)];
    tails::cut(segment.segment(), &[contact], &mut verdict, schema, clock);
    let [verdict] = verdict;
    verdict
}

/// Criteria, exclusion, gates and cap: what one contact decides, those who live with it, and whether a higher segment of a
/// portfolio has taken it.
fn select_among(
    segment: &BoundSegment,
    contact: &Contact,
    around: Around<'_>,
    taken: bool,
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Verdict {
    let segment = segment.segment();
    let value_of = |criteria: &Criteria| value(criteria, contact, around, schema, clock);
    let criteria: Vec<Truth> = segment.criteria.iter().map(|criterion| value_of(&criterion.test)).collect();
    let matched = criteria.iter().all(|truth| truth.is_true());
    let excluded = || segment.exclude.as_ref().is_some_and(|criterion| value_of(&criterion.test).is_true());
    let blocked = if !matched {
        None
    } else if excluded() {
        Some(Blocked::Excluded)
    } else {
        let gate = gate(contact, segment.purpose, segment.channel, clock, now_micros);
        gate.or_else(|| taken.then_some(Blocked::Taken)).or_else(|| {
            let facts = gate::facts(contact, segment.channel);
            let over = |cap| capped(cap, &facts.deliveries, segment.channel, clock, now_micros);
            segment.cap.as_ref().is_some_and(over).then_some(Blocked::FrequencyCap)
        })
    };
    Verdict { criteria, matched, blocked }
}

/// The value of criteria for a contact, as if it were the only one.
#[must_use]
pub fn evaluate(criteria: &Criteria, contact: &Contact, schema: &Schema, clock: &Clock) -> Truth {
    evaluate_among(criteria, contact, &[], schema, clock)
}

/// The value of criteria for each contact of a population.
#[must_use]
pub fn evaluate_all<'c>(
    criteria: &Criteria,
    contacts: impl IntoIterator<Item = &'c Contact>,
    schema: &Schema,
    clock: &Clock,
) -> Vec<Truth> {
    let contacts: Vec<&Contact> = contacts.into_iter().collect();
    let ranks = Ranks::of_criteria(criteria, &contacts, schema, clock);
    let around = Around { others: &contacts, ranks: &ranks };
    contacts.iter().map(|contact| value(criteria, contact, around, schema, clock)).collect()
}

/// The value of criteria for a contact among others, itself among them or not.
#[must_use]
pub fn evaluate_among(
    criteria: &Criteria,
    contact: &Contact,
    others: &[&Contact],
    schema: &Schema,
    clock: &Clock,
) -> Truth {
    let ranks = Ranks::of_criteria(criteria, &with_itself(contact, others), schema, clock);
    value(criteria, contact, Around { others, ranks: &ranks }, schema, clock)
}

/// A contact and others, each once.
fn with_itself<'a>(contact: &'a Contact, others: &[&'a Contact]) -> Vec<&'a Contact> {
    let rest = others.iter().copied().filter(|other| other.id() != contact.id());
    std::iter::once(contact).chain(rest).collect()
}

/// The value of criteria for a contact, once it is known what lies around it.
fn value(
    criteria: &Criteria,
    contact: &Contact,
    around: Around<'_>,
    schema: &Schema,
    clock: &Clock,
) -> Truth {
    truth::logic(criteria, &|test| contact_test(test, contact, around, schema, clock))
}

fn contact_test(
    test: &ContactTest,
    contact: &Contact,
    around: Around<'_>,
    schema: &Schema,
    clock: &Clock,
) -> Truth {
    let Some(test) = anchor::anchored(test, contact, clock) else { return Truth::Unknown };
    match test.as_ref() {
        ContactTest::Field(test) => field::field_test(test, &contact.fields, clock),
        ContactTest::Age { unit, on, test } => {
            let Some(ages) = ages(*unit, on.as_ref(), contact, clock) else { return Truth::Unknown };
            field::agreed(ages.map(|age| field::number_test(age, test, clock)))
        }
        ContactTest::Near(near) => match place::kilometres(near, contact) {
            Some(far) => Truth::of(far <= near.km()),
            None => Truth::Unknown,
        },
        ContactTest::Turns { age, window } => gate::turns(contact, *age, window, clock),
        ContactTest::Anniversary { field: name, window } => {
            let returns = |date: &Value| {
                let day = time::value_day(date, clock);
                day.map_or(Truth::Unknown, |day| time::anniversary(day, window, clock))
            };
            let date = field::value(&contact.fields, name);
            date.map_or(Truth::Unknown, |date| field::of_every(date, returns))
        }
        ContactTest::History(of) => history::history(of, contact, clock),
        ContactTest::Has(selector) => {
            Truth::of(!record::selected(selector, contact, schema, clock).is_empty())
        }
        ContactTest::Count { counted, selector, test } => {
            let records = record::selected(selector, contact, schema, clock);
            let count = match counted {
                Counted::Records => records.len(),
                Counted::Days => aggregate::days(&records, clock),
                Counted::Distinct { field, .. } => aggregate::distinct(&records, field, clock),
            };
            field::number_test(i64::try_from(count).unwrap_or(i64::MAX), test, clock)
        }
        ContactTest::Aggregate { function, selector, field, unit, test, .. } => {
            let records = record::selected(selector, contact, schema, clock);
            aggregate::aggregate(*function, &records, field, unit.as_deref(), test)
        }
        ContactTest::Observed { selector, by } => {
            match record::selected(selector, contact, schema, clock).is_empty() {
                false => Truth::True,
                true if cover::observed(selector, by, contact, schema, clock) => Truth::False,
                true => Truth::Unknown,
            }
        }
        ContactTest::DaysCovered { selector, window, cmp, percent_millis } => {
            let lasting = cover::lasting(selector, contact, schema, clock);
            cover::days_covered(&lasting, window, *cmp, *percent_millis, clock)
        }
        ContactTest::Continuous { selector, gap, length } => {
            cover::continuous(&cover::lasting(selector, contact, schema, clock), *gap, *length, clock)
        }
        ContactTest::One { which, selector, tie, test } => {
            let records = record::selected(selector, contact, schema, clock);
            record::one(*which, &records, *tie, test, clock)
        }
        ContactTest::Share { selector, test, cmp, percent_millis, at_least } => {
            let records = record::selected(selector, contact, schema, clock);
            record::share(&records, test, *cmp, *percent_millis, *at_least, clock)
        }
        ContactTest::Rank(rank) => around.ranks.test(rank, contact, around.others, schema, clock),
        ContactTest::Sample(sample) => Truth::of(sampled(sample, contact.id())),
        ContactTest::Sequence(test) => sequence::sequence(test, contact, schema, clock),
        ContactTest::Household(of) => household::household(of, contact, around, schema, clock),
        ContactTest::Reference(of) => {
            let is_in = |clock: &Clock| {
                let value = |criteria| value(criteria, contact, around, schema, clock);
                of.without.iter().map(value).fold(value(&of.test), Truth::without)
            };
            match &of.asks {
                Asks::InSegment | Asks::InStage => is_in(clock),
                Asks::Entered(window) => match time::before(window, clock) {
                    Some(then) => is_in(clock).without(is_in(&then)),
                    None => Truth::Unknown,
                },
            }
        }
    }
}

/// The completed years or months that the contact can have on a day, today when there is none.
fn ages(unit: AgeUnit, on: Option<&Anchor>, contact: &Contact, clock: &Clock) -> Option<RangeInclusive<i64>> {
    let day = match on {
        None => clock.today(),
        Some(on) => anchor::day(on, clock)?,
    };
    gate::ages(unit, contact, day)
}
