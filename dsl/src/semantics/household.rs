//! Criteria over all who live with a contact.

use super::field::value;
use super::{Contact, Truth, evaluate_among};
use crate::clock::Clock;
use crate::schema::Schema;
use crate::segment::{HOUSEHOLD_ID, Household};
use crate::value::Value;

/// The answer for the household of a contact, which is looked for among the others.
pub(super) fn household(
    of: &Household,
    contact: &Contact,
    others: &[&Contact],
    schema: &Schema,
    clock: &Clock,
) -> Truth {
    let join = if of.all { Truth::and } else { Truth::or };
    let none = Truth::of(of.all);
    let is = |member: &Contact| evaluate_among(&of.test, member, others, schema, clock);
    match members(contact, others) {
        Some(members) => members.into_iter().map(is).fold(none, join),
        // Who else there is, is not known.
        None => join(is(contact), Truth::Unknown),
    }
}

/// The contact and all others of its household; `None` when it is not known which that is.
pub(super) fn members<'a>(contact: &'a Contact, others: &[&'a Contact]) -> Option<Vec<&'a Contact>> {
    let home = home(contact)?;
    let rest =
        others.iter().copied().filter(|other| other.id() != contact.id() && self::home(other) == Some(home));
    Some(std::iter::once(contact).chain(rest).collect())
}

fn home(contact: &Contact) -> Option<&str> {
    match value(&contact.fields, HOUSEHOLD_ID) {
        Some(Value::Text(home)) => Some(home),
        _ => None,
    }
}
