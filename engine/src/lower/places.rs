//! Whether criteria look places of ZIP codes up, and in which table.

use hyperseg_dsl::lookups::Places;
use hyperseg_dsl::segment::{ContactTest, Criteria, Logic};

/// The table that criteria place contacts by; all of a segment's have the same.
pub(super) fn table_of(criteria: &Criteria) -> Option<&Places> {
    match criteria {
        Logic::True | Logic::False => None,
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => parts.iter().find_map(table_of),
        Logic::Not(inner) => table_of(inner),
        Logic::Leaf(ContactTest::Near(near)) => near.places.as_ref(),
        Logic::Leaf(ContactTest::Household(household)) => table_of(&household.test),
        Logic::Leaf(ContactTest::Rank(rank)) => rank.among.as_ref().and_then(table_of),
        Logic::Leaf(ContactTest::Reference(reference)) => {
            table_of(&reference.test).or_else(|| reference.without.iter().find_map(table_of))
        }
        Logic::Leaf(
            ContactTest::Field(_)
            | ContactTest::Age { .. }
            | ContactTest::Turns { .. }
            | ContactTest::Sample(_)
            | ContactTest::Anniversary { .. }
            | ContactTest::History(_)
            | ContactTest::Has(_)
            | ContactTest::Observed { .. }
            | ContactTest::DaysCovered { .. }
            | ContactTest::Continuous { .. }
            | ContactTest::Count { .. }
            | ContactTest::Aggregate { .. }
            | ContactTest::One { .. }
            | ContactTest::Sequence(_)
            | ContactTest::Share { .. },
        ) => None,
    }
}
