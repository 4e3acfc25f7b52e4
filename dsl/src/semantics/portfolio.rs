//! Which segment of a portfolio takes which contact.

use super::{Blocked, Contact, Verdict, select_free};
use crate::clock::Clock;
use crate::schema::Schema;
use crate::segment::BoundSegment;

/// What the segments of a portfolio say of the contacts of a population.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solved {
    /// By segment in its order, what it says of each contact. Who is left out as [`Blocked::Taken`] was taken by the segment
    /// in `takers`.
    pub verdicts: Vec<Vec<Verdict>>,
    /// By contact, the place of the segment that takes it; `None` when none does.
    pub takers: Vec<Option<usize>>,
}

/// Gives each contact of a population to the first segment that takes it: that has it on its list, or holds it back.
///
/// All segments look from one moment. A contact that a segment leaves out for any other reason is free for the next one. One
/// that is taken leaves the lower segments behind consent and suppression and before their caps, so that their limits fill up
/// with contacts that are free.
#[must_use]
pub fn solve<'c>(
    segments: &[BoundSegment],
    contacts: impl IntoIterator<Item = &'c Contact>,
    schema: &Schema,
    clock: &Clock,
    now_micros: i64,
) -> Solved {
    let contacts: Vec<&Contact> = contacts.into_iter().collect();
    let mut takers: Vec<Option<usize>> = vec![None; contacts.len()];
    let mut verdicts = Vec::with_capacity(segments.len());
    for (place, segment) in segments.iter().enumerate() {
        let taken = |contact: usize| takers.get(contact).is_some_and(Option::is_some);
        let found = select_free(segment, &contacts, &taken, schema, clock, now_micros);
        for (taker, verdict) in takers.iter_mut().zip(&found) {
            if taker.is_none() && takes(verdict) {
                *taker = Some(place);
            }
        }
        verdicts.push(found);
    }
    Solved { verdicts, takers }
}

fn takes(verdict: &Verdict) -> bool {
    verdict.matched && matches!(verdict.blocked, None | Some(Blocked::Holdout))
}
