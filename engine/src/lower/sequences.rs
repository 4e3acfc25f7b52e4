//! Records that follow each other: rows for each record, and the chain above them.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use hyperseg_dsl::segment::{Duration, DurationUnit, Relation as Written, SameField, Sequence};

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
        for (place, selector) in sequence.selectors().enumerate() {
            let (scan, filter) = self.selected(selector, of.dates)?;
            let columns = chain.columns(place).into_iter().map(str::to_owned).collect();
            inputs.push(RowsNode::plan(filter, columns, scan)?);
        }
        let label = of.label.map_or_else(|| first.clone(), str::to_owned);
        Ok(node(Operation::RecordChain(chain), label, Vec::new(), inputs))
    }

    fn sameness(&self, same: &SameField) -> Sameness {
        Sameness::of(same.ty, self.clock.zone)
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
