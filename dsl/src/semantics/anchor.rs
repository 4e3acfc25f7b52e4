//! Days from which windows and ages count, for one contact.

use std::borrow::Cow;

use super::Contact;
use super::field::value;
use super::time::{operand_day, value_day};
use crate::clock::Clock;
use crate::segment::{Amount, Anchor, ContactTest, Operand, Start, shifted};
use crate::value::{Day, Value};

/// The test with the dates of the contact put in where it counts from them; `None`, which makes it UNKNOWN, when the
/// contact lacks one, or when only the month or the year of one is known.
pub(super) fn anchored<'t>(
    test: &'t ContactTest,
    contact: &Contact,
    clock: &Clock,
) -> Option<Cow<'t, ContactTest>> {
    if test.dates_of_contact().is_empty() {
        return Some(Cow::Borrowed(test));
    }
    let mut test = test.clone();
    let mut all_known = true;
    test.each_anchor_mut(&mut |anchor| all_known &= put_in(anchor, contact, clock));
    all_known.then_some(Cow::Owned(test))
}

/// An amount with the dates of the contact put in where it counts from them; `None`, which makes it UNKNOWN, when the
/// contact lacks one.
pub(super) fn anchored_amount<'a>(
    amount: &'a Amount,
    contact: &Contact,
    clock: &Clock,
) -> Option<Cow<'a, Amount>> {
    if amount.dates_of_contact().is_empty() {
        return Some(Cow::Borrowed(amount));
    }
    let mut amount = amount.clone();
    let mut all_known = true;
    amount.each_anchor_mut(&mut |anchor| all_known &= put_in(anchor, contact, clock));
    all_known.then_some(Cow::Owned(amount))
}

/// Puts the date of the contact into an anchor that starts at one; says whether the contact has it.
fn put_in(anchor: &mut Anchor, contact: &Contact, clock: &Clock) -> bool {
    let Some(field) = anchor.field() else { return true };
    match value(&contact.fields, field).and_then(|date| value_day(date, clock)) {
        Some(day) => {
            let day = shifted(day, &anchor.shifts);
            *anchor = Anchor::date(Operand::Literal(Value::Date(day)));
            true
        }
        None => false,
    }
}

/// The day of an anchor that is none of the contact.
pub(super) fn day(anchor: &Anchor, clock: &Clock) -> Option<Day> {
    let start = match &anchor.start {
        Start::Date(operand) => operand_day(operand, clock)?,
        Start::AsOf => clock.today(),
        Start::Field(_) => return None,
    };
    Some(shifted(start, &anchor.shifts))
}
