//! What an answer is likely to take, from the page directories: by it the order of work is decided, and nothing else.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::exec::SetExec;
use crate::table::EncryptedScan;

/// Values of contacts are bytes and plain numbers, read several times as fast as those of records.
const CONTACT_VALUES: u64 = 4;
/// However many are likely to be left, some are not.
const DONE_PART: u64 = 64;

/// Of a plan in one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// Values to read, in those of records: rows in blocks that may hold some that are selected, times columns.
    values: u64,
    /// Contacts for whom it is likely to be TRUE, or rows that are likely to be selected.
    likely: u64,
}

impl Estimate {
    /// Looks at the files of a shard, whose footers and page directories are read for it.
    pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>, shard: usize, contacts: u64) -> Result<Self> {
        if let Some(scan) = plan.downcast_ref::<EncryptedScan>() {
            let order = scan.order();
            let rows = scan.rows_possible(shard)?;
            let values = rows.saturating_mul(order.columns().len() as u64);
            let part = if order.source.bytes { CONTACT_VALUES } else { 1 };
            return Ok(Self { values: values / part, likely: rows });
        }
        let inputs = plan.children().into_iter().map(|child| Self::of(child, shard, contacts));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let likely: Vec<u64> = inputs.iter().map(|input| input.likely).collect();
        let likely = match plan.downcast_ref::<SetExec>() {
            Some(set) => set.operator().likely(&likely, contacts),
            None => likely.into_iter().max().unwrap_or(contacts),
        };
        Ok(Self { values: inputs.iter().map(|input| input.values).sum(), likely })
    }

    /// Less comes first: values read for each contact that is likely to be done with.
    pub(crate) fn rank(self, contacts: u64) -> u64 {
        let done = contacts.saturating_sub(self.likely).max(contacts / DONE_PART).max(1);
        self.values.saturating_mul(contacts.max(1)) / done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_little_and_leaves_few_comes_first() {
        let rank = |values, likely| Estimate { values, likely }.rank(1_000);
        assert!(rank(10, 500) < rank(20, 500));
        assert!(rank(10, 10) < rank(10, 900));
        assert!(rank(10, 2_000) > rank(100, 10), "everybody is likely to be left by the first");
        assert_eq!(Estimate { values: 7, likely: 0 }.rank(0), 7);
    }
}
