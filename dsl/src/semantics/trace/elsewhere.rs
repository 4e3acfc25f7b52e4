//! Tests that look elsewhere: at criteria under a name, now or then, and at those who live with the contact.

use super::super::{Contact, Truth, evaluate_among, household, time};
use super::{Evidence, Step, Teller, named};
use crate::segment::{Asks, Criteria, HOUSEHOLD_ID, Household, Reference};

impl Teller<'_> {
    /// How many live with the contact, and for how many of them it holds; nothing else of others is shown.
    pub(super) fn household(&self, of: &Household) -> Evidence {
        let members = household::members(self.contact, self.others);
        let truth = |member: &Contact| evaluate_among(&of.test, member, self.others, self.schema, self.clock);
        let number = |wanted: fn(Truth) -> bool| {
            members.as_ref().map(|members| members.iter().filter(|member| wanted(truth(member))).count())
        };
        let count = |name: &str, number: Option<usize>| named(name, number.map(|number| number.to_string()));
        self.facts([
            self.fact(HOUSEHOLD_ID),
            count("members of the household", members.as_ref().map(Vec::len)),
            count("of these it holds for", number(Truth::is_true)),
            count("of these it is not known for", number(|truth| truth == Truth::Unknown)),
        ])
    }

    /// What stands under a name, now and, when it is asked for, then.
    pub(super) fn reference(&self, of: &Reference) -> Vec<Step> {
        let mut parts = self.members(of, "");
        if let Asks::Entered(window) = &of.asks
            && let Some(clock) = time::before(window, self.clock)
        {
            let then = Teller { clock: &clock, reads: self.reads.clone(), ..*self };
            parts.extend(then.members(of, &format!(", at the end of {}", clock.today())));
        }
        parts
    }

    fn members(&self, of: &Reference, when: &str) -> Vec<Step> {
        let group = |asks: &str, criteria: &Criteria| {
            let step = self.step(criteria);
            Step {
                asks: format!("{asks} {}{when}", of.name),
                truth: step.truth,
                parts: vec![step],
                evidence: None,
            }
        };
        let test = group("the criteria of", &of.test);
        std::iter::once(test)
            .chain(of.without.iter().map(|criteria| group("who is left out of", criteria)))
            .collect()
    }
}
