//! What becomes of the contacts that nothing removes by itself: `one per`, `sample`, `limit`, `holdout`, in this order.

use std::cmp::Ordering;

use super::aggregate::Made;
use super::chance::{held_out, sampled};
use super::field::{same, value};
use super::{Blocked, Contact, Verdict, amount};
use crate::clock::Clock;
use crate::schema::Schema;
use crate::segment::Segment;

/// A contact that is left, and where it stands among the verdicts.
struct Left<'c> {
    place: usize,
    contact: &'c Contact,
    amount: Option<Made>,
}

/// Says of those who match and are not blocked who is left out of the list, and why.
pub(super) fn cut(
    segment: &Segment,
    contacts: &[&Contact],
    verdicts: &mut [Verdict],
    schema: &Schema,
    clock: &Clock,
) {
    let order = segment.limit.as_ref().and_then(|limit| limit.by.as_ref());
    let mut left: Vec<Left<'_>> = Vec::new();
    for (place, (contact, verdict)) in contacts.iter().zip(verdicts.iter()).enumerate() {
        if verdict.is_recipient() {
            let amount = order
                .and_then(|order| amount::amount(&order.amount, order.direction, contact, schema, clock));
            left.push(Left { place, contact, amount });
        }
    }
    // Who comes first: by amount, those without one last, then by id.
    left.sort_by(|one, other| {
        let by_amount = match (&one.amount, &other.amount, order) {
            (Some(one), Some(other), Some(order)) => amount::order(one, other, order.direction),
            (Some(_), None, _) => Ordering::Less,
            (None, Some(_), _) => Ordering::Greater,
            _ => Ordering::Equal,
        };
        by_amount.then_with(|| one.contact.id().as_bytes().cmp(other.contact.id().as_bytes()))
    });
    let mut remove =
        |left: &mut Vec<Left<'_>>, reason: Blocked, keeps: &dyn Fn(&[Left<'_>], usize) -> bool| {
            let out: Vec<bool> = (0..left.len()).map(|rank| !keeps(left, rank)).collect();
            for (one, out) in left.iter().zip(&out) {
                if let Some(verdict) = verdicts.get_mut(one.place).filter(|_| *out) {
                    verdict.blocked = Some(reason);
                }
            }
            let mut out = out.into_iter();
            left.retain(|_| !out.next().unwrap_or(false));
        };
    if let Some(one_per) = &segment.one_per {
        remove(&mut left, Blocked::OnePer, &|left, rank| {
            let own = |rank: usize| left.get(rank).and_then(|one| value(&one.contact.fields, &one_per.field));
            own(rank).is_none_or(|own_value| {
                !(0..rank).any(|before| own(before).is_some_and(|other| same(other, own_value, clock)))
            })
        });
    }
    let id = |left: &[Left<'_>], rank: usize| left.get(rank).map_or("", |one| one.contact.id()).to_owned();
    if let Some(sample) = &segment.sample {
        remove(&mut left, Blocked::NotSampled, &|left, rank| sampled(sample, &id(left, rank)));
    }
    if let Some(limit) = &segment.limit {
        remove(&mut left, Blocked::OverLimit, &|_, rank| rank < limit.count as usize);
    }
    if let Some(holdout) = &segment.holdout {
        remove(&mut left, Blocked::Holdout, &|left, rank| !held_out(holdout, &id(left, rank)));
    }
}
