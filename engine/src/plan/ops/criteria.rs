//! The author's top-level criteria: TRUE for all of them, with a count after each.
//!
//! ```text
//! in:   criterion 1   TRUE for 1 2 3     criterion 2   TRUE for 2 3 4
//! out:  TRUE for 2 3                     counters: cumulative 3, then 2
//! ```

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::plan::exec::{SetOperator, ShardContext, read_set};
use crate::sets::ShardSet;

/// And of the inputs. As a rule every input is read, so that each criterion is reported even when an earlier one is
/// empty.
#[derive(Debug)]
pub(crate) struct Criteria {
    /// Nothing more is read once nobody is left.
    pub(crate) stops: bool,
    /// The last input says who is placed by the ZIP; of those who are left it is counted how many.
    pub(crate) placed: bool,
}

/// Name of the counter of contacts that are left and were placed by their ZIP.
pub(crate) const PLACED_BY_ZIP: &str = "placed_by_zip";

/// Name of the counter of contacts left after the criterion at this place.
pub(crate) fn cumulative(place: usize) -> String {
    format!("cumulative_{place}")
}

#[async_trait]
impl SetOperator for Criteria {
    fn name(&self) -> &'static str {
        "CriteriaExec"
    }

    fn places_by_zip(&self) -> bool {
        self.placed
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut so_far = ShardSet::constant(shard.contacts, true);
        let mut inputs = inputs;
        let placed = if self.placed { inputs.pop() } else { None };
        for (place, input) in inputs.into_iter().enumerate() {
            so_far = so_far.and(&read_set(input, shard).await?);
            let left = so_far.count_true();
            shard.count(cumulative(place), left);
            if self.stops && left == 0 {
                return Ok(ShardSet::constant(shard.contacts, false));
            }
        }
        if let Some(placed) = placed {
            let placed = read_set(placed, shard).await?;
            shard.count(PLACED_BY_ZIP, so_far.and(&placed).count_true());
        }
        Ok(so_far)
    }
}
