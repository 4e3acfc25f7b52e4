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

/// Amounts below this are tallied: the edge among them is found without putting anything in order.
const TALLIED: usize = 1 << 12;

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
        let shards = joined(tasks).await?;
        let edge = self.place.edge(&shards);
        let place = self.place;
        let answers = |competing| SpawnedTask::spawn(async move { Ok(place.answers(&competing, edge)) });
        let sets = joined(shards.into_iter().map(answers).collect()).await?;
        shard.reservation.shrink(bytes);
        Ok(Found { edge, sets })
    }
}

/// What tasks give, in their order.
async fn joined<T: 'static>(tasks: Vec<SpawnedTask<Result<T>>>) -> Result<Vec<T>> {
    let mut all = Vec::with_capacity(tasks.len());
    for task in tasks {
        let joined = task.join_unwind().await;
        all.push(joined.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
    }
    Ok(all)
}

impl Place {
    /// The last amount that belongs; `None` where nobody has one.
    fn edge(self, shards: &[Competing]) -> Option<i128> {
        let tallies: Option<Vec<&[u64]>> = shards.iter().map(|shard| shard.tally.as_deref()).collect();
        let Some(tallies) = tallies else {
            return self.edge_of(shards.iter().flat_map(Competing::keys).collect());
        };
        let at = |amount: usize| tallies.iter().filter_map(|tally| tally.get(amount)).sum::<u64>();
        let all = (0..TALLIED).map(at).sum();
        let most = self.size.of(all).min(all);
        let mut before = 0;
        let belongs = |amount: &usize| {
            let own = at(*amount);
            before += own;
            own > 0 && before >= most
        };
        let edge = match self.order {
            Order::Ascending => (0..TALLIED).find(belongs),
            Order::Descending => (0..TALLIED).rev().find(belongs),
        };
        edge.filter(|_| most > 0).and_then(|edge| i128::try_from(edge).ok())
    }

    fn edge_of(self, mut keys: Vec<i128>) -> Option<i128> {
        let most = usize::try_from(self.size.of(keys.len() as u64)).unwrap_or(usize::MAX);
        let last = most.min(keys.len()).checked_sub(1)?;
        let (_, edge, _) = keys.select_nth_unstable_by_key(last, |key| self.rank(*key));
        Some(*edge)
    }

    /// Lower comes first.
    fn rank(self, key: i128) -> i128 {
        match self.order {
            Order::Ascending => key,
            Order::Descending => !key,
        }
    }

    fn answers(self, competing: &Competing, edge: Option<i128>) -> ShardSet {
        let Competing { amounts, among, .. } = competing;
        let known = if edge.is_some() {
            amounts.known().clone()
        } else {
            BooleanBuffer::new_unset(amounts.contacts())
        };
        let reached = match (edge, self.order) {
            (None, _) => known.clone(),
            (Some(edge), Order::Ascending) => &amounts.at_most(edge) & &known,
            (Some(edge), Order::Descending) => &amounts.at_least(edge) & &known,
        };
        let competes = among.certain();
        let certain = competes & &reached;
        // Of those who compete, the ones without an amount; and whoever may or may not compete.
        let open = &(competes & &!&known) | &(among.possible() & &!competes);
        let possible = &certain | &open;
        ShardSet::new(certain, possible)
    }
}

/// The amounts of a shard and who competes in it.
struct Competing {
    amounts: Amounts,
    among: ShardSet,
    /// How many who compete have each amount, when all of these are small numbers, as counts are.
    tally: Option<Vec<u64>>,
}

impl Competing {
    fn new(amounts: Amounts, among: ShardSet) -> Self {
        let mut this = Self { amounts, among, tally: None };
        let mut tally = vec![0; TALLIED];
        let mut take = |place: Option<usize>| {
            place.and_then(|place| tally.get_mut(place)).map(|number| *number += 1).is_some()
        };
        let contacts = this.amounts.contacts();
        let is_everybody = |set: &BooleanBuffer| set.count_set_bits() == contacts;
        let is_small = match this.amounts.counts() {
            Some(counts) if is_everybody(this.among.certain()) && is_everybody(this.amounts.known()) => {
                counts.iter().all(|count| take(usize::try_from(*count).ok()))
            }
            _ => this.keys().all(|key| take(usize::try_from(key).ok())),
        };
        this.tally = is_small.then_some(tally);
        this
    }

    fn keys(&self) -> impl Iterator<Item = i128> {
        self.among.certain().set_indices().filter_map(|ordinal| self.amounts.key(ordinal))
    }
}

async fn competing(
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    context: Arc<TaskContext>,
    shard: usize,
    everyone: ShardSet,
) -> Result<Competing> {
    let contacts = everyone.contacts();
    let (amounts, among) = match inputs.as_slice() {
        [amounts] => (amounts, None),
        [amounts, among] => (amounts, Some(among)),
        _ => return internal_err!("a rank over other inputs"),
    };
    let amounts = Amounts::read(amounts.execute(shard, Arc::clone(&context))?, shard, contacts).await?;
    let Some(among) = among else { return Ok(Competing::new(amounts, everyone)) };
    let mut found: Option<ShardSet> = None;
    let mut among = among.execute(shard, context)?;
    while let Some(batch) = among.try_next().await? {
        let (number, set) = ShardSet::from_batch(&batch)?;
        if number as usize != shard || set.contacts() != contacts || found.replace(set).is_some() {
            return internal_err!("a set of contacts arrived in another shard's partition");
        }
    }
    let found = found.ok_or_else(|| internal_datafusion_err!("a set of contacts did not arrive"))?;
    Ok(Competing::new(amounts, found.and(&everyone)))
}
