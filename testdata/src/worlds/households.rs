//! Random criteria over households.

use hyperseg_dsl::segment::{ContactTest, Criteria, Household, Logic};

use super::criteria::Maker;

/// Most households within each other.
const INSIDE_MAX: usize = 2;

impl Maker<'_> {
    /// Criteria over the members of a household, now and then over theirs.
    pub(super) fn household(&mut self) -> Criteria {
        if self.inside >= INSIDE_MAX {
            return Logic::True;
        }
        self.inside += 1;
        let depth = self.dice.below(2);
        let test = self.criteria(depth);
        self.inside -= 1;
        let all = self.dice.percent(35);
        Logic::Leaf(ContactTest::Household(Box::new(Household { all, test })))
    }
}
