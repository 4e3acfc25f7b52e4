//! Existence and number of selected records.
//!
//! ```text
//! in:   ord 4 value 9.1    ord 4 value missing    ord 7 value 6        filter: value > 9
//! has:  TRUE for 4         count: 4 → 1, everyone else 0               counter unknown_rows: 1
//! ```
//!
//! The state is dense, one bit or one number per contact of the shard; nothing is hashed or sorted.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch, UInt32Array};
use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::Count;
use futures::TryStreamExt;
use hyperseg_storage::layout::ORDINAL;

use super::field_set::{check, single, unset};
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// Contacts with at least one selected record.
#[derive(Debug)]
pub(crate) struct HasRecord {
    /// Boolean, null for UNKNOWN.
    pub(crate) filter: Arc<dyn PhysicalExpr>,
}

/// Contacts by the number of selected records.
#[derive(Debug)]
pub(crate) struct CountRecords {
    /// Boolean, null for UNKNOWN.
    pub(crate) filter: Arc<dyn PhysicalExpr>,
    /// Which numbers are TRUE.
    pub(crate) test: CountTest,
}

/// Numbers that satisfy a test on a count: inclusive ranges, none for a test that no count satisfies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CountTest(pub(crate) Vec<(u32, u32)>);

impl CountTest {
    fn holds(&self, count: u32) -> bool {
        self.0.iter().any(|&(low, high)| low <= count && count <= high)
    }
}

#[async_trait]
impl SetOperator for HasRecord {
    fn name(&self) -> &'static str {
        "HasRecordExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        vec![Arc::clone(&self.filter)]
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        shard.reservation.try_grow(shard.contacts.div_ceil(8))?;
        let mut found = unset(shard.contacts);
        let selection = Selection::new(&self.filter, shard);
        while let Some(batch) = input.try_next().await? {
            selection.each(&batch, |_, ordinal| {
                found.set_bit(ordinal, true);
                Ok(())
            })?;
        }
        Ok(ShardSet::two_valued(found.finish()))
    }
}

#[async_trait]
impl SetOperator for CountRecords {
    fn name(&self) -> &'static str {
        "CountRecordsExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        vec![Arc::clone(&self.filter)]
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        shard.reservation.try_grow(shard.contacts * size_of::<u32>())?;
        let mut counts = vec![0_u32; shard.contacts];
        let selection = Selection::new(&self.filter, shard);
        while let Some(batch) = input.try_next().await? {
            selection.each(&batch, |_, ordinal| {
                if let Some(count) = counts.get_mut(ordinal) {
                    *count = count.saturating_add(1);
                }
                Ok(())
            })?;
        }
        Ok(ShardSet::two_valued(counts.into_iter().map(|count| self.test.holds(count)).collect()))
    }
}

/// The filter of a leaf over records, with its counters.
pub(super) struct Selection<'a> {
    filter: &'a Arc<dyn PhysicalExpr>,
    shard: &'a ShardContext,
    rows: Count,
    unknown_rows: Count,
}

impl<'a> Selection<'a> {
    pub(super) fn new(filter: &'a Arc<dyn PhysicalExpr>, shard: &'a ShardContext) -> Self {
        Self { filter, shard, rows: shard.counter("rows"), unknown_rows: shard.counter("unknown_rows") }
    }

    /// Calls `take` with row and ordinal for each row whose filter is TRUE, and tallies those whose filter is UNKNOWN.
    pub(super) fn each(
        &self,
        batch: &RecordBatch,
        mut take: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<()> {
        let answers = truths(self.filter, batch)?;
        let ordinals: &UInt32Array = column(batch, ORDINAL)?;
        self.rows.add(batch.num_rows());
        self.unknown_rows.add(answers.null_count());
        for (row, ordinal) in ordinals.values().iter().enumerate() {
            if answers.is_valid(row) && answers.value(row) {
                take(row, check(*ordinal, self.shard)?)?;
            }
        }
        Ok(())
    }
}

/// Evaluates a Boolean expression; null is UNKNOWN.
pub(super) fn truths(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let array = expr.evaluate(batch)?.into_array(batch.num_rows())?;
    if let Some(answers) = array.as_any().downcast_ref::<BooleanArray>() {
        return Ok(answers.clone());
    }
    // An expression that is UNKNOWN for every row simplifies to the null literal.
    if array.null_count() == array.len() || *array.data_type() == arrow::datatypes::DataType::Null {
        return Ok(BooleanArray::new_null(array.len()));
    }
    Err(internal_datafusion_err!("a test that is not Boolean"))
}
