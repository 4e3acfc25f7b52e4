//! Ranks ([`Rank`]): where the edge of each lies in a population, and who belongs then.

use super::amount::{amount, order};
use super::{Around, Contact, Truth, time, value};
use crate::clock::Clock;
use crate::schema::Schema;
use crate::segment::{Asks, ContactTest, Criteria, Logic, Rank, Segment};

pub use super::aggregate::Made as Edge;

/// Where the edges of the ranks of a segment lie. Whoever judges one contact needs them and nothing else of the others.
#[derive(Clone, Debug, Default)]
pub struct Ranks {
    found: Vec<(Rank, Clock, Option<Edge>)>,
}

impl Ranks {
    /// The edges of ranks, each at a clock: the last amount that belongs, `None` where nobody has an amount.
    #[must_use]
    pub fn new(found: Vec<(Rank, Clock, Option<Edge>)>) -> Self {
        Self { found }
    }

    /// Of the criteria of a segment and of its exclusion, over a population.
    #[must_use]
    pub fn of(segment: &Segment, contacts: &[&Contact], schema: &Schema, clock: &Clock) -> Self {
        Self::over(ranks_of(segment, clock), contacts, schema)
    }

    /// Of criteria.
    pub(super) fn of_criteria(
        criteria: &Criteria,
        contacts: &[&Contact],
        schema: &Schema,
        clock: &Clock,
    ) -> Self {
        let mut all = Vec::new();
        collect(criteria, clock, &mut all);
        Self::over(all, contacts, schema)
    }

    fn over(all: Vec<(Rank, Clock)>, contacts: &[&Contact], schema: &Schema) -> Self {
        let mut ranks = Self::default();
        for (rank, clock) in all {
            let edge = ranks.edge_in(&rank, contacts, schema, &clock);
            ranks.found.push((rank, clock, edge));
        }
        ranks
    }

    /// The last amount that belongs.
    fn edge_in(&self, rank: &Rank, contacts: &[&Contact], schema: &Schema, clock: &Clock) -> Option<Edge> {
        let first = rank.end.first();
        let mut amounts: Vec<Edge> = contacts
            .iter()
            .filter(|contact| self.among(rank, contact, contacts, schema, clock).is_true())
            .filter_map(|contact| amount(&rank.amount, first, contact, schema, clock))
            .collect();
        amounts.sort_by(|one, other| order(one, other, first));
        let most = usize::try_from(rank.size.of(amounts.len() as u64)).unwrap_or(usize::MAX);
        most.min(amounts.len()).checked_sub(1).and_then(|last| amounts.get(last)).copied()
    }

    /// The contact competes.
    fn among(
        &self,
        rank: &Rank,
        contact: &Contact,
        others: &[&Contact],
        schema: &Schema,
        clock: &Clock,
    ) -> Truth {
        let around = Around { others, ranks: self };
        rank.among.as_ref().map_or(Truth::True, |among| value(among, contact, around, schema, clock))
    }

    /// The edge of a rank at a clock.
    pub(super) fn edge(&self, rank: &Rank, clock: &Clock) -> Option<Edge> {
        let own = self.found.iter().find(|(other, at, _)| other == rank && at == clock);
        own.and_then(|(_, _, edge)| *edge)
    }

    /// The contact belongs.
    pub(super) fn test(
        &self,
        rank: &Rank,
        contact: &Contact,
        others: &[&Contact],
        schema: &Schema,
        clock: &Clock,
    ) -> Truth {
        match self.among(rank, contact, others, schema, clock) {
            Truth::True => {}
            other @ (Truth::False | Truth::Unknown) => return other,
        }
        let first = rank.end.first();
        match (amount(&rank.amount, first, contact, schema, clock), self.edge(rank, clock)) {
            (Some(own), Some(edge)) => Truth::of(order(&own, &edge, first).is_le()),
            (None, _) | (_, None) => Truth::Unknown,
        }
    }
}

/// The ranks of a segment's criteria and exclusion with the clock at which each is asked, each behind those that decide
/// who competes in it.
#[must_use]
pub fn ranks_of(segment: &Segment, clock: &Clock) -> Vec<(Rank, Clock)> {
    let mut all = Vec::new();
    for criterion in segment.criteria.iter().chain(&segment.exclude) {
        collect(&criterion.test, clock, &mut all);
    }
    all
}

fn collect(criteria: &Criteria, clock: &Clock, all: &mut Vec<(Rank, Clock)>) {
    match criteria {
        Logic::True | Logic::False => {}
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().for_each(|part| collect(part, clock, all));
        }
        Logic::Not(inner) => collect(inner, clock, all),
        Logic::Leaf(ContactTest::Rank(rank)) => {
            if let Some(among) = &rank.among {
                collect(among, clock, all);
            }
            if !all.iter().any(|(other, at)| *other == **rank && at == clock) {
                all.push(((**rank).clone(), *clock));
            }
        }
        Logic::Leaf(ContactTest::Reference(of)) => {
            let then = match &of.asks {
                Asks::InSegment | Asks::InStage => None,
                Asks::Entered(window) => time::before(window, clock),
            };
            for clock in std::iter::once(*clock).chain(then) {
                std::iter::once(&of.test).chain(&of.without).for_each(|part| collect(part, &clock, all));
            }
        }
        Logic::Leaf(ContactTest::Household(of)) => collect(&of.test, clock, all),
        Logic::Leaf(_) => {}
    }
}
