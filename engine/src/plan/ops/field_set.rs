//! A predicate over contact fields of one class.
//!
//! ```text
//! in:   truth TRUE, UNKNOWN, FALSE        of contacts 0, 1, 2: one row for each, in order
//! out:  TRUE UNKNOWN FALSE
//! ```

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder};
use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;

use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;
use crate::table::TRUTH;

/// Contacts by a predicate over their fields. Every contact of the shard has exactly one row.
#[derive(Debug)]
pub(crate) struct FieldSet;

#[async_trait]
impl SetOperator for FieldSet {
    fn name(&self) -> &'static str {
        "FieldSetExec"
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        shard.reservation.try_grow(shard.contacts.div_ceil(4))?;
        let mut certain = BooleanBufferBuilder::new(shard.contacts);
        let mut possible = BooleanBufferBuilder::new(shard.contacts);
        while let Some(batch) = input.try_next().await? {
            let truth: &BooleanArray = column(&batch, TRUTH)?;
            match truth.nulls() {
                None => {
                    certain.append_buffer(truth.values());
                    possible.append_buffer(truth.values());
                }
                Some(known) => {
                    let is_true = truth.values() & known.inner();
                    possible.append_buffer(&(&is_true | &!known.inner()));
                    certain.append_buffer(&is_true);
                }
            }
        }
        if certain.len() != shard.contacts {
            return internal_err!("{} rows of contact fields for {} contacts", certain.len(), shard.contacts);
        }
        shard.count("rows", certain.len());
        Ok(ShardSet::new(certain.finish(), possible.finish()))
    }
}
