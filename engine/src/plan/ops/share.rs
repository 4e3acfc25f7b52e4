//! The share of the selected records that satisfy a test.
//!
//! ```text
//! in:   ord 4 no-show     ord 4 kept     ord 4 status missing     ord 7 kept        test: no-show, share > 30 %
//! out:  TRUE for 4: a third or two, whatever the missing one was; FALSE for 7; UNKNOWN without a record
//! ```

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, UInt32Array};
use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

use super::measure::Relation;
use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// What is asked of the share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ShareTest {
    /// How it compares with the percentage.
    pub(crate) relation: Relation,
    /// Thousandths of a percent.
    pub(crate) percent_millis: u32,
    /// FALSE for fewer records.
    pub(crate) at_least: u32,
}

/// Contacts by the share of their records that satisfy a test.
#[derive(Debug)]
pub(crate) struct ShareOfRecords {
    /// Boolean, null for UNKNOWN.
    pub(crate) test: Arc<dyn PhysicalExpr>,
    pub(crate) asked: ShareTest,
}

/// Records of a contact.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) all: u32,
    pub(super) certain: u32,
    /// Certain, or UNKNOWN.
    pub(super) possible: u32,
}

impl ShareTest {
    /// Whether the test is certain, and whether it is possible.
    pub(super) fn of(self, counts: Counts) -> (bool, bool) {
        if counts.all < self.at_least {
            return (false, false);
        }
        if counts.all == 0 {
            return (false, true);
        }
        let asked = u64::from(counts.all) * u64::from(self.percent_millis);
        let (least, most) = (u64::from(counts.certain) * WHOLE, u64::from(counts.possible) * WHOLE);
        let equal_somewhere = asked % WHOLE == 0 && least <= asked && asked <= most;
        let equal_everywhere = least == asked && most == asked;
        match self.relation {
            Relation::Greater => (least > asked, most > asked),
            Relation::AtLeast => (least >= asked, most >= asked),
            Relation::Less => (most < asked, least < asked),
            Relation::AtMost => (most <= asked, least <= asked),
            Relation::Equal => (equal_everywhere, equal_somewhere),
            Relation::Unequal => (!equal_somewhere, !equal_everywhere),
        }
    }
}

/// Thousandths of a percent in one.
const WHOLE: u64 = 100_000;

#[async_trait]
impl SetOperator for ShareOfRecords {
    fn name(&self) -> &'static str {
        "ShareOfRecordsExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        vec![Arc::clone(&self.test)]
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        shard.reservation.try_grow(shard.contacts * size_of::<Counts>())?;
        let mut counts = vec![Counts::default(); shard.contacts];
        let rows = shard.counter("rows");
        while let Some(batch) = input.try_next().await? {
            let tests = self.test.evaluate(&batch)?.into_array(batch.num_rows())?;
            let tests = tests
                .as_any()
                .downcast_ref::<BooleanArray>()
                .ok_or_else(|| internal_datafusion_err!("a test that is not Boolean"))?;
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            rows.add(batch.num_rows());
            for (row, &ordinal) in ordinals.values().iter().enumerate() {
                let Some(counts) = counts.get_mut(ordinal as usize) else {
                    return internal_err!("an ordinal beyond its shard");
                };
                let known = tests.is_valid(row);
                counts.all = counts.all.saturating_add(1);
                counts.certain += u32::from(known && tests.value(row));
                counts.possible += u32::from(!known || tests.value(row));
            }
        }
        let certain = packed(&counts, |counts| self.asked.of(*counts).0);
        let possible = packed(&counts, |counts| self.asked.of(*counts).1);
        Ok(ShardSet::new(certain, possible))
    }
}
