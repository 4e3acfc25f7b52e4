//! A question that counts from a date of the contact, for those who have the date.
//!
//! ```text
//! in:   no lab since birth TRUE for 1 2      birth date known TRUE for 2 3
//! out:  TRUE for 2, FALSE for 3, UNKNOWN for everyone else
//! ```

use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::plan::exec::{SetOperator, ShardContext, read_set};
use crate::sets::ShardSet;

/// The first input, UNKNOWN where the second is not TRUE.
#[derive(Debug)]
pub(crate) struct WhereKnown;

#[async_trait]
impl SetOperator for WhereKnown {
    fn name(&self) -> &'static str {
        "WhereKnownExec"
    }

    fn is_pointwise(&self) -> bool {
        true
    }

    fn likely(&self, inputs: &[u64], contacts: u64) -> u64 {
        inputs.iter().copied().min().unwrap_or(contacts)
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut inputs = inputs.into_iter();
        let (Some(answer), Some(known), None) = (inputs.next(), inputs.next(), inputs.next()) else {
            return internal_err!("other than two inputs");
        };
        let answer = read_set(answer, shard).await?;
        let known = read_set(known, shard).await?;
        let certain = answer.certain() & known.certain();
        let possible = answer.possible() | &!known.certain();
        Ok(ShardSet::new(certain, possible))
    }
}
