//! Consent and suppression: who of those that match may be approached.
//!
//! ```text
//! in:   matched TRUE for 1 2 3 4    deceased TRUE for 2    no_consent TRUE for 2 3
//! out:  TRUE for 1 4                counters: matched 4, deceased 1, no_consent 1
//! ```
//!
//! A gate whose answer is UNKNOWN blocks like one that is TRUE; only the author's `exclude` removes TRUE alone.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;

use super::taken::taken_counter;
use crate::plan::exec::{SetOperator, ShardContext, read_set};
use crate::report::Reason;
use crate::sets::ShardSet;
use crate::table::Candidates;

/// The first input without the others, one per reason, in waterfall order.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Reasons of the inputs behind the first.
    pub(crate) reasons: Vec<Reason>,
    /// Where the scans of the other inputs learn who matched.
    pub(crate) candidates: Arc<Candidates>,
    /// Whom it has let through.
    pub(crate) passed: Candidates,
}

/// Name of the counter of contacts that match.
pub(crate) const MATCHED: &str = "matched";

#[async_trait]
impl SetOperator for Gate {
    fn name(&self) -> &'static str {
        "GateExec"
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut inputs = inputs.into_iter();
        let Some(matched) = inputs.next() else { return internal_err!("a gate without criteria") };
        if inputs.len() != self.reasons.len() {
            return internal_err!("a gate with another number of inputs");
        }
        let mut left = read_set(matched, shard).await?.certain().clone();
        shard.count(MATCHED, left.count_set_bits());
        if !self.candidates.set(shard.shard as usize, left.clone()) {
            return internal_err!("a gate was asked twice");
        }
        let mut higher = 0;
        for (reason, input) in self.reasons.iter().zip(inputs) {
            // Who was taken is counted by the segment that has taken.
            let counter: Cow<'static, str> = if *reason == Reason::Taken {
                higher += 1;
                taken_counter(higher - 1).into()
            } else {
                reason.name().into()
            };
            if left.count_set_bits() == 0 {
                // Nobody is left to be blocked.
                shard.count(counter, 0);
                continue;
            }
            let set = read_set(input, shard).await?;
            let blocked = if *reason == Reason::Excluded { set.certain() } else { set.possible() };
            let kept = &left & &!blocked;
            shard.count(counter, left.count_set_bits() - kept.count_set_bits());
            left = kept;
        }
        if !self.passed.set(shard.shard as usize, left.clone()) {
            return internal_err!("a gate was asked twice");
        }
        Ok(ShardSet::two_valued(left))
    }

    fn as_gate(&self) -> Option<&Gate> {
        Some(self)
    }
}
