//! A question that is put only to those for whom another one is not FALSE.
//!
//! ```text
//! in:   refused something TRUE for 2 3      consent forbids TRUE for 3, worked out for 2 3 alone
//! out:  TRUE for 3
//! ```
//!
//! The second input reads what concerns contacts for whom the first is TRUE or UNKNOWN; what it says of others means nothing.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::plan::exec::{SetOperator, ShardContext, read_set};
use crate::sets::ShardSet;
use crate::table::Candidates;

/// Kleene's and of two inputs, the second of which is asked about a few.
#[derive(Debug)]
pub(crate) struct Narrow {
    /// Where the scan of the second learns who they are.
    pub(crate) candidates: Arc<Candidates>,
}

#[async_trait]
impl SetOperator for Narrow {
    fn name(&self) -> &'static str {
        "NarrowExec"
    }

    fn narrows(&self) -> bool {
        true
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut inputs = inputs.into_iter();
        let (Some(first), Some(second), None) = (inputs.next(), inputs.next(), inputs.next()) else {
            return internal_err!("other than two inputs");
        };
        let first = read_set(first, shard).await?;
        if first.possible().count_set_bits() == 0 {
            return Ok(first);
        }
        if !self.candidates.say(shard.shard as usize, first.possible()) {
            return internal_err!("other contacts than before");
        }
        Ok(first.and(&read_set(second, shard).await?))
    }
}
