//! Records that follow each other: rows for each record, and the chain above them.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use hyperseg_dsl::schema::FieldType;
use hyperseg_dsl::segment::{
    Duration, DurationUnit, FieldTest, Relation as Written, SameField, Sequence, Test,
};

use super::records::conjuncts;
use super::{Leaf, Lowering, node};
use crate::plan::ops::Operation;
use crate::plan::ops::distinct::Sameness;
use crate::plan::ops::sequence::{Chain, Link, Reach, Relation};
use crate::plan::rows::RowsNode;

impl Lowering<'_> {
    /// A chain over the rows of its records.
    pub(super) fn sequence(&self, sequence: &Sequence, of: &Leaf<'_>) -> Result<LogicalPlan> {
        let first = &sequence.first.selector.record;
        let links = sequence.links.iter().map(|link| Link {
            relation: match link.relation {
                Written::Then { after } => Relation::Then { after: after.map(reach) },
                Written::NotFollowed { or_open } => {
                    Relation::NotFollowed { over_at: (!or_open).then_some(self.clock.as_of_micros) }
                }
                Written::Before => Relation::Before,
                Written::Around => Relation::Around { of_one_kind: link.event.selector.record == *first },
            },
            within: reach(link.within),
            same: link.same.iter().map(|same| (same.field.clone(), self.sameness(same))).collect(),
        });
        let events = std::iter::once(&sequence.first).chain(sequence.links.iter().map(|link| &link.event));
        let chain = Chain {
            zone: self.clock.zone,
            clocks: events.map(|event| event.clock.clone()).collect(),
            links: links.collect(),
        };
        let mut inputs = Vec::with_capacity(chain.clocks.len());
        let passed_on = passed_on(sequence, &chain);
        for ((place, selector), tests) in sequence.selectors().enumerate().zip(passed_on) {
            let (scan, filter) = self.selected_among(selector, of.dates, tests)?;
            let columns = chain.columns(place).into_iter().map(str::to_owned).collect();
            inputs.push(RowsNode::coded(filter, columns, scan)?);
        }
        let label = of.label.map_or_else(|| first.clone(), str::to_owned);
        Ok(node(Operation::RecordChain(chain), label, Vec::new(), inputs))
    }

    fn sameness(&self, same: &SameField) -> Sameness {
        Sameness::of(same.ty, self.clock.zone)
    }
}

/// What can be asked of each record beside its own selector: the tests of a text that is the same as in the record before it,
/// where every such record passes them.
///
/// ```text
/// email_sent(campaign = "flu_shot") then email_click same campaign as email_sent      → email_click(campaign = "flu_shot")
/// ```
fn passed_on<'s>(sequence: &'s Sequence, chain: &Chain) -> Vec<Vec<&'s FieldTest>> {
    let selectors: Vec<_> = sequence.selectors().collect();
    let mut passed: Vec<Vec<&FieldTest>> = vec![Vec::new(); selectors.len()];
    for ((place, link), start) in sequence.links.iter().enumerate().zip(chain.starts()) {
        let own = selectors.get(start).map(|selector| conjuncts(&selector.filter)).unwrap_or_default();
        let before = passed.get(start).cloned().unwrap_or_default();
        let is_same = |test: &&FieldTest| {
            link.same.iter().any(|same| same.ty == FieldType::Text && same.field == test.field)
        };
        if let Some(tests) = passed.get_mut(place + 1) {
            tests.extend(own.into_iter().chain(before).filter(is_same).filter(|test| looks_at_one(test)));
        }
    }
    passed
}

/// Whether the test of a text asks for nothing but that text.
fn looks_at_one(test: &FieldTest) -> bool {
    match test.test {
        Test::Compare(..)
        | Test::In(_)
        | Test::Between(..)
        | Test::Text(..)
        | Test::Known
        | Test::Missing => true,
        Test::CompareField(..)
        | Test::Measured { .. }
        | Test::Codes(_)
        | Test::List(..)
        | Test::Window(_) => false,
    }
}

pub(super) fn reach(length: Duration) -> Reach {
    let count = length.count;
    match length.unit {
        DurationUnit::Minute => Reach::Exact(i64::from(count) * 60_000_000),
        DurationUnit::Hour => Reach::Exact(i64::from(count) * 3_600_000_000),
        DurationUnit::Day => Reach::Days(count),
        DurationUnit::Week => Reach::Days(count.saturating_mul(7)),
        DurationUnit::Month => Reach::Months(count),
        DurationUnit::Quarter => Reach::Months(count.saturating_mul(3)),
        DurationUnit::Year => Reach::Months(count.saturating_mul(12)),
    }
}
