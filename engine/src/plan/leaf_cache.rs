//! Answers of leaves, kept between queries of one engine.
//!
//! In: a leaf as it was planned, its answer in each shard. Out: the same answer to the same leaf in the same
//! generation, without reading. Constants of the clock are part of the planned leaf, so that another moment is another
//! leaf. The cache is bounded, forgets the leaf that was used longest ago, and wipes what it forgets. It never stands
//! in for keys: a query arms the keys of all its leaves, kept or not, and is audited as if it had read them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow::buffer::{BooleanBuffer, Buffer};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::logical_plan::builder::LogicalTableSource;
use datafusion::logical_expr::{Expr, LogicalPlan};
use zeroize::Zeroizing;

use super::ops::Operation;
use crate::sets::ShardSet;

/// What makes two leaves of one generation the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeafKey {
    pub(crate) operation: Operation,
    pub(crate) exprs: Vec<Expr>,
    pub(crate) inputs: Vec<LogicalPlan>,
}

impl LeafKey {
    /// The key of a planned leaf. Its tables stand in it by their names and schemas alone: what is kept must not keep the keys
    /// and open files of the query that asked first.
    pub(crate) fn of(operation: &Operation, exprs: &[Expr], inputs: &[&LogicalPlan]) -> Result<Self> {
        let inputs = inputs.iter().map(|input| detached((*input).clone()));
        Ok(Self {
            operation: operation.clone(),
            exprs: exprs.to_vec(),
            inputs: inputs.collect::<Result<_>>()?,
        })
    }
}

fn detached(plan: LogicalPlan) -> Result<LogicalPlan> {
    let detached = plan.transform_down(|node| match node {
        LogicalPlan::TableScan(mut scan) => {
            scan.source = Arc::new(LogicalTableSource::new(scan.source.schema()));
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(detached.data)
}

/// Most leaves whose answers are kept.
const LEAVES_MAX: usize = 4_096;

/// An answer in one shard.
#[derive(Debug)]
struct Answer {
    contacts: usize,
    certain: Zeroizing<Vec<u8>>,
    /// `None` when nothing is UNKNOWN.
    possible: Option<Zeroizing<Vec<u8>>>,
    unknown_rows: usize,
}

impl Answer {
    fn of(set: &ShardSet, unknown_rows: usize) -> Self {
        let bytes = |bits: &BooleanBuffer| Zeroizing::new(bits.sliced().as_slice().to_vec());
        Self {
            contacts: set.contacts(),
            certain: bytes(set.certain()),
            possible: (set.count_unknown() > 0).then(|| bytes(set.possible())),
            unknown_rows,
        }
    }

    fn set(&self) -> ShardSet {
        let bits = |bytes: &[u8]| BooleanBuffer::new(Buffer::from(bytes), 0, self.contacts);
        match &self.possible {
            Some(possible) => ShardSet::new(bits(&self.certain), bits(possible)),
            None => ShardSet::two_valued(bits(&self.certain)),
        }
    }

    fn bytes(&self) -> usize {
        self.certain.len() + self.possible.as_ref().map_or(0, |possible| possible.len())
    }
}

/// The kept answers of one leaf.
#[derive(Debug)]
pub(crate) struct Slot {
    cache: Weak<LeafCache>,
    key: LeafKey,
    generation: u64,
    shards: Vec<Mutex<Option<Answer>>>,
}

impl Slot {
    /// The answer in a shard, and how many rows its filter found UNKNOWN.
    pub(crate) fn get(&self, shard: usize) -> Option<(ShardSet, usize)> {
        let answer = lock(self.shards.get(shard)?);
        answer.as_ref().map(|answer| (answer.set(), answer.unknown_rows))
    }

    /// Keeps an answer.
    pub(crate) fn put(&self, shard: usize, set: &ShardSet, unknown_rows: usize) {
        let answer = Answer::of(set, unknown_rows);
        let bytes = answer.bytes();
        if let Some(place) = self.shards.get(shard)
            && lock(place).replace(answer).is_none()
            && let Some(cache) = self.cache.upgrade()
        {
            cache.grow(self, bytes);
        }
    }
}

#[derive(Debug, Default)]
struct Kept {
    slots: HashMap<LeafKey, (Arc<Slot>, u64, usize)>,
    generation: u64,
    bytes: usize,
    clock: u64,
}

impl Kept {
    /// Forgets the leaf that was used longest ago; `false` when there is none.
    fn forget_oldest(&mut self) -> bool {
        let oldest = self.slots.iter().min_by_key(|(_, (_, used, _))| *used).map(|(key, _)| key.clone());
        let Some((_, _, size)) = oldest.and_then(|key| self.slots.remove(&key)) else { return false };
        self.bytes = self.bytes.saturating_sub(size);
        true
    }
}

/// Answers of leaves over one dataset.
#[derive(Debug)]
pub(crate) struct LeafCache {
    kept: Mutex<Kept>,
    bytes_max: usize,
}

impl LeafCache {
    /// A cache of at most so many bytes of answers.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::default(), bytes_max })
    }

    /// Whether answers are kept at all.
    pub(crate) fn keeps(&self) -> bool {
        self.bytes_max > 0
    }

    /// The place for a leaf's answers; `None` when nothing is kept.
    pub(crate) fn slot(self: &Arc<Self>, key: LeafKey, generation: u64, shards: usize) -> Option<Arc<Slot>> {
        if !self.keeps() {
            return None;
        }
        let mut kept = lock(&self.kept);
        if generation > kept.generation {
            *kept = Kept { generation, ..Kept::default() };
        }
        if generation < kept.generation {
            return None;
        }
        kept.clock += 1;
        let now = kept.clock;
        let (slot, used, _) = kept.slots.entry(key).or_insert_with_key(|key| {
            let places = (0..shards).map(|_| Mutex::default()).collect();
            let slot = Slot { cache: Arc::downgrade(self), key: key.clone(), generation, shards: places };
            (Arc::new(slot), now, 0)
        });
        *used = now;
        let slot = Arc::clone(slot);
        if kept.slots.len() > LEAVES_MAX {
            kept.forget_oldest();
        }
        Some(slot)
    }

    /// Counts what a slot has taken, and forgets others until all fits.
    fn grow(&self, slot: &Slot, bytes: usize) {
        let mut kept = lock(&self.kept);
        if kept.generation != slot.generation {
            return;
        }
        let Some((_, _, size)) = kept.slots.get_mut(&slot.key) else { return };
        *size += bytes;
        kept.bytes += bytes;
        while kept.bytes > self.bytes_max && kept.forget_oldest() {}
    }

    /// Bytes of the answers that are kept.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        lock(&self.kept).bytes
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    use super::*;

    fn key(number: i32) -> LeafKey {
        let input = LogicalPlanBuilder::empty(false).build().unwrap();
        LeafKey { operation: Operation::HasRecord, exprs: vec![lit(number)], inputs: vec![input] }
    }

    fn set(truths: &str) -> ShardSet {
        let certain = truths.chars().map(|truth| truth == 'T').collect();
        ShardSet::new(certain, truths.chars().map(|truth| truth != 'F').collect())
    }

    #[test]
    fn answers_come_back_in_their_generation() {
        let cache = LeafCache::new(1 << 20);
        let slot = cache.slot(key(1), 5, 2).unwrap();
        assert!(slot.get(0).is_none());
        slot.put(0, &set("TUFTTUFFT"), 3);
        slot.put(1, &set("TF"), 0);
        let again = cache.slot(key(1), 5, 2).unwrap();
        assert_eq!(again.get(0), Some((set("TUFTTUFFT"), 3)));
        assert_eq!(again.get(1), Some((set("TF"), 0)));
        assert!(cache.slot(key(2), 5, 2).unwrap().get(0).is_none(), "another constant, another leaf");
        assert!(cache.slot(key(1), 6, 2).unwrap().get(0).is_none(), "another generation");
        assert!(cache.slot(key(1), 5, 2).is_none(), "a reader of an old generation keeps nothing");
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn the_leaf_used_longest_ago_is_forgotten() {
        let cache = LeafCache::new(3);
        for number in 1..=3 {
            cache.slot(key(number), 1, 1).unwrap().put(0, &set("TFTF"), 0);
        }
        assert_eq!(cache.bytes(), 3);
        assert!(cache.slot(key(1), 1, 1).unwrap().get(0).is_some(), "used again");
        cache.slot(key(4), 1, 1).unwrap().put(0, &set("TFTF"), 0);
        assert_eq!(cache.bytes(), 3);
        assert!(cache.slot(key(1), 1, 1).unwrap().get(0).is_some());
        assert!(cache.slot(key(2), 1, 1).unwrap().get(0).is_none());
        assert!(LeafCache::new(0).slot(key(1), 1, 1).is_none(), "nothing is kept");
    }
}
