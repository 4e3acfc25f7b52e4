//! A predicate over contact fields of one class.
//!
//! ```text
//! in:   ord 0 age 61    ord 1 age missing    ord 2 age 30        predicate: age >= 50
//! out:  TRUE UNKNOWN FALSE
//! ```

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, UInt32Array};
use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::layout::ORDINAL;

use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// Contacts by a predicate over their fields. Every contact of the shard has exactly one row.
#[derive(Debug)]
pub(crate) struct FieldSet {
    /// Boolean, null for UNKNOWN.
    pub(crate) predicate: Arc<dyn PhysicalExpr>,
}

#[async_trait]
impl SetOperator for FieldSet {
    fn name(&self) -> &'static str {
        "FieldSetExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        vec![Arc::clone(&self.predicate)]
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        shard.reservation.try_grow(shard.contacts.div_ceil(4))?;
        let mut certain = unset(shard.contacts);
        let mut possible = unset(shard.contacts);
        let mut rows = 0;
        while let Some(batch) = input.try_next().await? {
            let answers = self.predicate.evaluate(&batch)?.into_array(batch.num_rows())?;
            let answers = answers
                .as_any()
                .downcast_ref::<BooleanArray>()
                .ok_or_else(|| internal_datafusion_err!("a predicate that is not Boolean"))?;
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            for (row, ordinal) in ordinals.values().iter().enumerate() {
                let ordinal = check(*ordinal, shard)?;
                let known = answers.is_valid(row);
                certain.set_bit(ordinal, known && answers.value(row));
                possible.set_bit(ordinal, !known || answers.value(row));
            }
            rows += batch.num_rows();
        }
        if rows != shard.contacts {
            return internal_err!("{rows} rows of contact fields for {} contacts", shard.contacts);
        }
        shard.count("rows", rows);
        Ok(ShardSet::new(certain.finish(), possible.finish()))
    }
}

/// The one input of a leaf.
pub(super) fn single(inputs: Vec<SendableRecordBatchStream>) -> Result<SendableRecordBatchStream> {
    let mut inputs = inputs.into_iter();
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        _ => internal_err!("a leaf has one input"),
    }
}

/// A bitmap without members.
pub(super) fn unset(contacts: usize) -> BooleanBufferBuilder {
    let mut bits = BooleanBufferBuilder::new(contacts);
    bits.append_n(contacts, false);
    bits
}

/// An ordinal as an index into the shard's state.
pub(super) fn check(ordinal: u32, shard: &ShardContext) -> Result<usize> {
    let ordinal = ordinal as usize;
    if ordinal < shard.contacts { Ok(ordinal) } else { internal_err!("an ordinal beyond its shard") }
}
