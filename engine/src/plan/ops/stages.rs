//! How many of those who match are in each stage: the first whose criteria are TRUE for them.
//!
//! ```text
//! in:   matched TRUE for 1 2 3     stage one TRUE for 1     stage two TRUE for 1 2, UNKNOWN for 3
//! out:  TRUE for 1 2 3             counters: stage_0 1, stage_1 1, no_stage 1
//! ```

use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::plan::exec::{SetOperator, ShardContext, read_set};
use crate::sets::ShardSet;

/// The first input as it is, counted by the others.
#[derive(Debug)]
pub(crate) struct ByStage;

/// Name of the counter of the contacts in no stage.
pub(crate) const NO_STAGE: &str = "no_stage";

/// Name of the counter of the contacts in the stage at this place.
pub(crate) fn in_stage(place: usize) -> String {
    format!("stage_{place}")
}

#[async_trait]
impl SetOperator for ByStage {
    fn name(&self) -> &'static str {
        "ByStageExec"
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut inputs = inputs.into_iter();
        let Some(matched) = inputs.next() else { return internal_err!("stages of nobody") };
        let matched = read_set(matched, shard).await?;
        let mut left = matched.certain().clone();
        for (place, input) in inputs.enumerate() {
            let stage = read_set(input, shard).await?;
            let outside = &left & &!stage.certain();
            shard.count(in_stage(place), left.count_set_bits() - outside.count_set_bits());
            left = outside;
        }
        shard.count(NO_STAGE, left.count_set_bits());
        Ok(matched)
    }
}
