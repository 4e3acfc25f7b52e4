//! Whom a higher segment of a portfolio has taken.
//!
//! ```text
//! in:   nothing; the segment's plan has run and said whom it takes: 2 5
//! out:  TRUE for 2 5
//! ```

use std::sync::{Arc, OnceLock};

use arrow::buffer::BooleanBuffer;
use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::plan::exec::{SetOperator, ShardContext};
use crate::sets::ShardSet;

/// Name of the counter of contacts whom the higher segment at this place has taken.
pub(crate) fn taken_counter(place: usize) -> String {
    format!("taken_{place}")
}

/// The contacts that a segment of a portfolio takes, by shard, once its plan was executed.
#[derive(Debug, Default)]
pub(crate) struct TakenCell(OnceLock<Vec<BooleanBuffer>>);

impl TakenCell {
    /// Says whom the segment takes; `false` when that was said before.
    pub(crate) fn set(&self, shards: Vec<BooleanBuffer>) -> bool {
        self.0.set(shards).is_ok()
    }

    /// Whom it takes in a shard; `None` before that is known.
    pub(crate) fn of(&self, shard: usize) -> Option<&BooleanBuffer> {
        self.0.get()?.get(shard)
    }
}

/// The operator over what a cell holds.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) by: Arc<TakenCell>,
}

#[async_trait]
impl SetOperator for Taken {
    fn name(&self) -> &'static str {
        "TakenExec"
    }

    async fn run(&self, _inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        // Nobody is free as long as it is not known who was taken.
        match self.by.of(shard.shard as usize) {
            Some(taken) if taken.len() == shard.contacts => Ok(ShardSet::two_valued(taken.clone())),
            Some(_) => internal_err!("a higher segment of the portfolio answered for another shard"),
            None => internal_err!("a higher segment of the portfolio has not been worked off"),
        }
    }
}
