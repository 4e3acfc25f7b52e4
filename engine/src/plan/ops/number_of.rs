//! How many of the inputs are TRUE, against a number.
//!
//! ```text
//! in:   A TRUE for 1 2     B TRUE for 2 3, UNKNOWN for 1     at least 2 of
//! out:  TRUE for 2, UNKNOWN for 1
//! ```

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::physical_plan::SendableRecordBatchStream;

use hyperseg_storage::bits::packed;

use crate::functions::NumberOf;
use crate::plan::exec::{SetOperator, ShardContext, read_set};
use crate::sets::ShardSet;

/// Counts, for each contact, the inputs that are certainly and possibly TRUE.
#[derive(Debug)]
pub(crate) struct CountSets {
    pub(crate) number: NumberOf,
}

#[async_trait]
impl SetOperator for CountSets {
    fn name(&self) -> &'static str {
        "NumberOfExec"
    }

    fn is_pointwise(&self) -> bool {
        true
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        shard.reservation.try_grow(shard.contacts * size_of::<(u32, u32)>())?;
        let mut counts = vec![(0_u32, 0_u32); shard.contacts];
        for input in inputs {
            let set = read_set(input, shard).await?;
            for (count, (certain, possible)) in
                counts.iter_mut().zip(set.certain().iter().zip(set.possible().iter()))
            {
                count.0 += u32::from(certain);
                count.1 += u32::from(possible);
            }
        }
        let certain = packed(&counts, |&(certain, possible)| self.number.judge(certain, possible).0);
        let possible = packed(&counts, |&(certain, possible)| self.number.judge(certain, possible).1);
        Ok(ShardSet::new(certain, possible))
    }
}
