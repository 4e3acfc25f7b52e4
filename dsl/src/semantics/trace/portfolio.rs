//! What a trace says of a segment within a portfolio.

use super::super::Blocked;
use super::{Evidence, Trace, TracedGate, named};

impl Trace {
    /// Says whether a higher segment of the portfolio has taken the contact, and which.
    pub fn taken(&mut self, by: Option<&str>) {
        if self.listed.is_none() {
            // Without a list nobody is left out of it.
            return;
        }
        let own = Blocked::Taken;
        // A reason of the contact itself that comes before stands.
        let removes = self.matched && by.is_some() && self.blocked.is_none_or(|reason| own < reason);
        let facts = by.map(|winner| named("taken by", Some(winner.to_owned())));
        let evidence = Evidence { facts: facts.into_iter().collect(), ..Evidence::default() };
        let gate = TracedGate { reason: own, closed: by.is_some(), removes: false, evidence };
        let place = self.gates.iter().position(|other| other.reason > own).unwrap_or(self.gates.len());
        self.gates.insert(place, gate);
        if removes {
            self.gates.iter_mut().for_each(|gate| gate.removes = gate.reason == own);
            self.blocked = Some(own);
            self.listed = Some(false);
        }
    }

    /// A segment of a portfolio with this trace takes the contact: it is on the list, or held back for comparison.
    #[must_use]
    pub fn takes(&self) -> bool {
        self.listed == Some(true)
            || self.listed.is_some() && self.matched && self.blocked == Some(Blocked::Holdout)
    }
}
