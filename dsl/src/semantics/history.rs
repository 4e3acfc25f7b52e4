//! What a contact field said before.
//!
//! A field holds a value from one change of it to the next. In front of its first change it held what that one replaced,
//! without any what it says now, however far one looks back; behind the last one it holds what that one put in.

use super::field::{of_every, same, value};
use super::time::{first_and_last_instant, in_window};
use super::{Change, Contact, Truth};
use crate::clock::Clock;
use crate::segment::{History, Operand, Past};
use crate::value::{Value, When};

/// The answer for a contact.
pub(super) fn history(of: &History, contact: &Contact, clock: &Clock) -> Truth {
    match &of.past {
        Past::Changed { .. } => {
            Truth::of(changes(of, contact).iter().any(|change| is_asked_for(of, change, clock)))
        }
        Past::Was(wanted) => {
            let held: Vec<Truth> = spells(of, contact)
                .iter()
                .filter(|spell| spell.meets(of, clock))
                .map(|spell| is(wanted, spell.value, clock))
                .collect();
            held.into_iter().fold(Truth::False, Truth::or)
        }
    }
}

/// The changes of the field, the earliest first.
pub(super) fn changes<'c>(of: &History, contact: &'c Contact) -> Vec<&'c Change> {
    let mut changes: Vec<&Change> =
        contact.changes.iter().filter(|change| change.field == of.field).collect();
    // Those at one time stay as they were imported.
    changes.sort_by_key(|change| change.at_micros);
    changes
}

/// The change is one of those that `changed` asks for.
pub(super) fn is_asked_for(of: &History, change: &Change, clock: &Clock) -> bool {
    is_seen(change, clock) && lies_in_window(of, change, clock) && has_values(of, change, clock)
}

/// The change is not after as_of.
pub(super) fn is_seen(change: &Change, clock: &Clock) -> bool {
    change.at_micros <= clock.as_of_micros
}

pub(super) fn lies_in_window(of: &History, change: &Change, clock: &Clock) -> bool {
    in_window(When::Instant(change.at_micros), &of.window, clock).is_true()
}

/// The change leads from and to the values that are given.
fn has_values(of: &History, change: &Change, clock: &Clock) -> bool {
    let fits = |wanted: Option<&Operand>, found: &Option<Value>| {
        wanted.is_none_or(|wanted| is(wanted, found.as_ref(), clock).is_true())
    };
    match &of.past {
        Past::Changed { from, to } => fits(from.as_ref(), &change.old) && fits(to.as_ref(), &change.new),
        Past::Was(_) => false,
    }
}

/// The value is the one that is wanted; UNKNOWN when it is missing, and where not all days of a partial date are.
fn is(wanted: &Operand, found: Option<&Value>, clock: &Clock) -> Truth {
    match (wanted, found) {
        (Operand::Literal(wanted), Some(found)) => {
            of_every(found, |found| Truth::of(same(found, wanted, clock)))
        }
        (Operand::Param(_), _) | (_, None) => Truth::Unknown,
    }
}

/// A time during which a field held one value.
struct Spell<'c> {
    /// Since when, if not always.
    since: Option<i64>,
    /// The first instant at which it held it no more.
    until: Option<i64>,
    value: Option<&'c Value>,
}

impl Spell<'_> {
    /// Some instant of it, up to as_of, lies in the window.
    fn meets(&self, of: &History, clock: &Clock) -> bool {
        let Some((first, last)) = first_and_last_instant(&of.window, clock) else { return false };
        let starts = [self.since, first].into_iter().flatten().max();
        let ends = [self.until.map(|until| until - 1), last, Some(clock.as_of_micros)];
        let ends = ends.into_iter().flatten().min();
        match (starts, ends) {
            (Some(starts), Some(ends)) => starts <= ends,
            (None, _) | (_, None) => true,
        }
    }
}

/// The values of a field, one after the other.
fn spells<'c>(of: &History, contact: &'c Contact) -> Vec<Spell<'c>> {
    let changes = changes(of, contact);
    let before = match changes.first() {
        Some(first) => first.old.as_ref(),
        None => value(&contact.fields, &of.field),
    };
    let starts = changes.iter().map(|change| (Some(change.at_micros), change.new.as_ref()));
    let starts: Vec<_> = std::iter::once((None, before)).chain(starts).collect();
    let ends = starts.iter().skip(1).map(|(since, _)| *since).chain([None]);
    let spell = |((since, value), until): (&(Option<i64>, Option<&'c Value>), _)| Spell {
        since: *since,
        until,
        value: *value,
    };
    starts.iter().zip(ends).map(spell).collect()
}
