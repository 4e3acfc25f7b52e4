//! The first input without those for whom one of the others is TRUE.
//!
//! ```text
//! in:   the segment TRUE for 1 2, UNKNOWN for 3     its exclusion TRUE for 2 3, UNKNOWN for 1
//! out:  TRUE for 1
//! ```

use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::plan::exec::{SetOperator, ShardContext, read_sets};
use crate::sets::ShardSet;

/// Takes out whom the others certainly hold; FALSE for them.
#[derive(Debug)]
pub(crate) struct Without;

#[async_trait]
impl SetOperator for Without {
    fn name(&self) -> &'static str {
        "WithoutExec"
    }

    fn is_pointwise(&self) -> bool {
        true
    }

    fn likely(&self, inputs: &[u64], contacts: u64) -> u64 {
        inputs.first().copied().unwrap_or(contacts).min(contacts)
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let sets = read_sets(inputs, shard).await?.into_iter();
        let answer = sets.reduce(|left, out| left.without(&out));
        answer.ok_or_else(|| internal_datafusion_err!("{} without inputs", self.name()))
    }
}
