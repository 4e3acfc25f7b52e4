//! What a criterion costs, from what the manifest says: the rows that its leaves may have to look at.

use hyperseg_dsl::segment::{Amount, Asks, ContactTest, Criteria, Logic};
use hyperseg_storage::Snapshot;

/// Rows of the tables that the leaves read, each as often as it is read.
pub(super) fn rows(snapshot: &Snapshot, test: &Criteria) -> u64 {
    match test {
        Logic::True | Logic::False => 0,
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().map(|part| rows(snapshot, part)).sum()
        }
        Logic::Not(inner) => rows(snapshot, inner),
        Logic::Leaf(test) => rows_of_test(snapshot, test),
    }
}

fn rows_of_test(snapshot: &Snapshot, test: &ContactTest) -> u64 {
    let dates = if test.dates_of_contact().is_empty() { 0 } else { snapshot.contacts() };
    let own = match test {
        ContactTest::Field(_)
        | ContactTest::Age { .. }
        | ContactTest::Turns { .. }
        | ContactTest::Near(_)
        | ContactTest::Sample(_)
        | ContactTest::Anniversary { .. } => snapshot.contacts(),
        ContactTest::Has(selector)
        | ContactTest::Count { selector, .. }
        | ContactTest::Aggregate { selector, .. }
        | ContactTest::One { selector, .. }
        | ContactTest::DaysCovered { selector, .. }
        | ContactTest::Continuous { selector, .. }
        | ContactTest::Share { selector, .. } => snapshot.records(&selector.record),
        ContactTest::History(_) => snapshot.contacts() + snapshot.changes(),
        ContactTest::Household(of) => snapshot.contacts() + rows(snapshot, &of.test),
        ContactTest::Reference(of) => {
            let once: u64 =
                std::iter::once(&of.test).chain(&of.without).map(|part| rows(snapshot, part)).sum();
            match of.asks {
                Asks::InSegment | Asks::InStage => once,
                Asks::Entered(_) => 2 * once,
            }
        }
        ContactTest::Observed { selector, by } => {
            std::iter::once(selector).chain(by.selectors()).map(|it| snapshot.records(&it.record)).sum()
        }
        ContactTest::Rank(rank) => {
            let amount = match &rank.amount {
                Amount::Field { .. } | Amount::Age(_) => snapshot.contacts(),
                Amount::Count { selector, .. }
                | Amount::Aggregate { selector, .. }
                | Amount::One { selector, .. } => snapshot.records(&selector.record),
            };
            amount + rank.among.as_ref().map_or(0, |among| rows(snapshot, among))
        }
        ContactTest::Sequence(sequence) => {
            sequence.selectors().map(|selector| snapshot.records(&selector.record)).sum()
        }
    };
    own + dates
}
