//! The author's top-level criteria: TRUE for all of them, with a count after each.
//!
//! ```text
//! in:   criterion 1   TRUE for 1 2 3     criterion 2   TRUE for 2 3 4
//! out:  TRUE for 2 3                     counters: cumulative 3, then 2
//! ```
//!
//! When nobody asks what each criterion says, they narrow each other: what reads least and leaves fewest comes first, by
//! the page directories of the shard, and the next one reads what concerns those who are left.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};

use crate::plan::estimate::Estimate;
use crate::plan::exec::{SetOperator, ShardContext, read_set};
use crate::sets::ShardSet;
use crate::table::Candidates;

/// And of the inputs. As a rule every input is read, so that each criterion is reported even when an earlier one is
/// empty.
#[derive(Debug)]
pub(crate) struct Criteria {
    /// Nothing more is read once nobody is left.
    pub(crate) stops: bool,
    /// The last input says who is placed by the ZIP; of those who are left it is counted how many.
    pub(crate) placed: bool,
    /// Each input is asked about those whom the ones before it leave; what comes out is TRUE or FALSE.
    pub(crate) narrowing: Option<Narrowing>,
}

/// Inputs that are asked about some contacts.
#[derive(Debug)]
pub(crate) struct Narrowing {
    /// The inputs, to be looked at before they are asked.
    pub(crate) inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// For each input where its scans learn about whom they are asked; `None` when it answers for everybody.
    pub(crate) candidates: Vec<Option<Arc<Candidates>>>,
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
        let mut inputs: Vec<Option<SendableRecordBatchStream>> = inputs.into_iter().map(Some).collect();
        let criteria = inputs.len() - usize::from(self.placed && !inputs.is_empty());
        let order = match &self.narrowing {
            Some(narrowing) if criteria > 1 => narrowing.order(criteria, shard)?,
            Some(_) | None => (0..criteria).collect(),
        };
        for place in order {
            so_far = so_far.and(&self.ask(&mut inputs, place, &so_far, shard).await?);
            if self.narrowing.is_some() {
                // Of those who are not left nothing more is learned.
                so_far = ShardSet::two_valued(so_far.certain().clone());
            }
            let left = so_far.count_true();
            shard.count(cumulative(place), left);
            if self.stops && left == 0 {
                return Ok(ShardSet::constant(shard.contacts, false));
            }
        }
        if self.placed {
            let placed = self.ask(&mut inputs, criteria, &so_far, shard).await?;
            shard.count(PLACED_BY_ZIP, so_far.and(&placed).count_true());
        }
        Ok(so_far)
    }
}

impl Criteria {
    /// The answer of an input, which is told who is left.
    async fn ask(
        &self,
        inputs: &mut [Option<SendableRecordBatchStream>],
        place: usize,
        left: &ShardSet,
        shard: &ShardContext,
    ) -> Result<ShardSet> {
        let Some(input) = inputs.get_mut(place).and_then(Option::take) else {
            return internal_err!("a criterion that is not there");
        };
        let candidates = self.narrowing.as_ref().and_then(|it| it.candidates.get(place)?.as_ref());
        if candidates.is_some_and(|candidates| !candidates.say(shard.shard as usize, left.certain())) {
            return internal_err!("other contacts than before");
        }
        read_set(input, shard).await
    }
}

impl Narrowing {
    /// Places of the first so many inputs, in the order that is likely to read least.
    fn order(&self, number: usize, shard: &ShardContext) -> Result<Vec<usize>> {
        let contacts = shard.contacts as u64;
        let inputs = self.inputs.iter().take(number).enumerate();
        let ranks = inputs.map(|(place, input)| {
            let estimate = Estimate::of(input, shard.shard as usize, contacts)?;
            Ok((estimate.rank(contacts), place))
        });
        let mut ranks = ranks.collect::<Result<Vec<_>>>()?;
        ranks.sort_unstable();
        Ok(ranks.into_iter().map(|(_, place)| place).collect())
    }
}
