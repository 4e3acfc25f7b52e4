//! Where contacts stand among others by an amount.
//!
//! ```text
//! in:   amounts 2 → 7, 5 → 9, 6 → 7      among TRUE for 2 5 6 8      top 1: the edge is 9
//! out:  TRUE for 5, UNKNOWN for 8        with top 2 the edge is 7: TRUE for 2 5 6
//! ```
//!
//! Contacts compete across shards: the first shard that is asked for gathers the amounts of all of them, and every shard
//! answers by the edge that was found.

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::TryStreamExt;
use hyperseg_dsl::segment::Size;
use tokio::sync::OnceCell;

use super::tails::Order;
use crate::plan::amounts::Amounts;
use crate::plan::exec::{SetOperator, ShardContext, Whole};
use crate::sets::ShardSet;

/// Which contacts belong. Inputs: the amounts, and who competes when that is not everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// Which amounts come first.
    pub(crate) order: Order,
    /// How many contacts.
    pub(crate) size: Size,
}

/// The operator, and what it found.
#[derive(Debug)]
pub(crate) struct Rank {
    pub(crate) place: Place,
    found: OnceCell<Found>,
}

/// What was found over all shards.
#[derive(Debug)]
struct Found {
    /// The last amount that belongs.
    edge: Option<i128>,
    /// Answers by shard.
    sets: Vec<ShardSet>,
}

#[async_trait]
impl SetOperator for Rank {
    fn name(&self) -> &'static str {
        "RankExec"
    }

    fn gathers(&self) -> bool {
        true
    }

    fn as_rank(&self) -> Option<&Rank> {
        Some(self)
    }

    async fn run(&self, _inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let Some(whole) = &shard.whole else { return internal_err!("a rank without all shards") };
        let found = self.found.get_or_try_init(|| self.all(whole, shard)).await?;
        let set = found.sets.get(shard.shard as usize);
        Ok(set.ok_or_else(|| internal_datafusion_err!("a shard was not worked off"))?.clone())
    }
}

impl Rank {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, found: OnceCell::new() }
    }

    /// The key of the last amount that belongs, once the plan was executed; `None` where nobody has an amount.
    pub(crate) fn edge(&self) -> Option<i128> {
        self.found.get()?.edge
    }

    async fn all(&self, whole: &Whole, shard: &ShardContext) -> Result<Found> {
        let contacts = (0..whole.shards.len()).filter_map(|shard| whole.shards.contacts(shard));
        let bytes: usize = contacts.map(|contacts| contacts * 2 * size_of::<i128>()).sum();
        shard.reservation.try_grow(bytes)?;
        let tasks: Vec<_> = (0..whole.shards.len())
            .map(|number| {
                let contacts = whole.shards.contacts(number).unwrap_or_default();
                // Who was forgotten competes with nobody.
                let everyone = whole.shards.present(number, ShardSet::constant(contacts, true));
                let (inputs, context) = (whole.inputs.clone(), Arc::clone(&whole.context));
                SpawnedTask::spawn(competing(inputs, context, number, everyone))
            })
            .collect();
        let mut shards = Vec::with_capacity(tasks.len());
        for task in tasks {
            let joined = task.join_unwind().await;
            shards.push(joined.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
        }
        let mut keys: Vec<i128> = Vec::new();
        for (amounts, among) in &shards {
            keys.extend(among.certain().set_indices().filter_map(|ordinal| amounts.key(ordinal)));
        }
        let most = usize::try_from(self.place.size.of(keys.len() as u64)).unwrap_or(usize::MAX);
        let last = most.min(keys.len()).checked_sub(1);
        let edge = last.map(|last| {
            let (_, edge, _) = keys.select_nth_unstable_by_key(last, |key| self.rank(*key));
            *edge
        });
        let sets = shards.iter().map(|(amounts, among)| self.answers(amounts, among, edge)).collect();
        shard.reservation.shrink(bytes);
        Ok(Found { edge, sets })
    }

    /// Lower comes first.
    fn rank(&self, key: i128) -> i128 {
        match self.place.order {
            Order::Ascending => key,
            Order::Descending => !key,
        }
    }

    fn answers(&self, amounts: &Amounts, among: &ShardSet, edge: Option<i128>) -> ShardSet {
        let known: BooleanBuffer =
            (0..amounts.contacts()).map(|ordinal| edge.is_some() && amounts.key(ordinal).is_some()).collect();
        let reached: BooleanBuffer = (0..amounts.contacts())
            .map(|ordinal| match (amounts.key(ordinal), edge) {
                (Some(key), Some(edge)) => self.rank(key) <= self.rank(edge),
                (None, _) | (_, None) => false,
            })
            .collect();
        let competes = among.certain();
        let certain = competes & &reached;
        // Of those who compete, the ones without an amount; and whoever may or may not compete.
        let open = &(competes & &!&known) | &(among.possible() & &!competes);
        let possible = &certain | &open;
        ShardSet::new(certain, possible)
    }
}

/// The amounts of a shard and who competes in it.
async fn competing(
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    context: Arc<TaskContext>,
    shard: usize,
    everyone: ShardSet,
) -> Result<(Amounts, ShardSet)> {
    let contacts = everyone.contacts();
    let (amounts, among) = match inputs.as_slice() {
        [amounts] => (amounts, None),
        [amounts, among] => (amounts, Some(among)),
        _ => return internal_err!("a rank over other inputs"),
    };
    let amounts = Amounts::read(amounts.execute(shard, Arc::clone(&context))?, shard, contacts).await?;
    let Some(among) = among else { return Ok((amounts, everyone)) };
    let mut found: Option<ShardSet> = None;
    let mut among = among.execute(shard, context)?;
    while let Some(batch) = among.try_next().await? {
        let (number, set) = ShardSet::from_batch(&batch)?;
        if number as usize != shard || set.contacts() != contacts || found.replace(set).is_some() {
            return internal_err!("a set of contacts arrived in another shard's partition");
        }
    }
    let found = found.ok_or_else(|| internal_datafusion_err!("a set of contacts did not arrive"))?;
    Ok((amounts, found.and(&everyone)))
}
