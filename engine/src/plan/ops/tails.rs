//! Who of those that the gate lets through the list takes: one for each value, a sample, the first so many.
//!
//! ```text
//! in:   gate TRUE for 2 5 9     amounts 2 → 7, 9 → 9     ids and values of 2 5 9      limit 2 desc
//! out:  TRUE for 9 2            counters: over_limit 1
//! ```
//!
//! Contacts compete across shards: the first shard that is asked for works all of them off, each in a task of its own, and
//! every shard answers from what was found.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::TryStreamExt;
use hyperseg_storage::layout::ORDINAL;
use tokio::sync::OnceCell;

use super::distinct::{Keys, Sameness};
use crate::plan::amounts::Amounts;
use crate::plan::chance::Share;
use crate::plan::exec::{SetOperator, ShardContext, Whole, column};
use crate::report::Reason;
use crate::sets::ShardSet;
use crate::table::EncryptedScan;

/// What is asked of the list as a whole. Inputs: the gate, the amounts when contacts are ordered by one, scans of the
/// contact fields that are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    /// The column of which each value stands once, and what makes two values the same.
    pub(crate) one_per: Option<(String, Sameness)>,
    /// Who stays by chance.
    pub(crate) sample: Option<Share>,
    /// At most so many.
    pub(crate) limit: Option<u32>,
    /// The second input holds amounts, of which the greatest come first, or else the least.
    pub(crate) by: Option<Order>,
}

/// Which amounts come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    /// The least.
    Ascending,
    /// The greatest.
    Descending,
}

impl Asked {
    /// Reasons for which contacts may be left out, in waterfall order.
    pub(crate) fn reasons(&self) -> Vec<Reason> {
        let all = [
            (Reason::OnePer, self.one_per.is_some()),
            (Reason::NotSampled, self.sample.is_some()),
            (Reason::OverLimit, self.limit.is_some()),
        ];
        all.into_iter().filter(|(_, asked)| *asked).map(|(reason, _)| reason).collect()
    }

    /// Columns of contacts that are read.
    pub(crate) fn columns(&self) -> Vec<&str> {
        let mut columns = vec!["contact_id"];
        columns.extend(
            self.one_per.iter().map(|(column, _)| column.as_str()).filter(|name| *name != "contact_id"),
        );
        columns
    }
}

/// The operator, and what it found.
#[derive(Debug)]
pub(crate) struct Tails {
    pub(crate) asked: Asked,
    found: OnceCell<Vec<Found>>,
}

/// What was found in a shard.
#[derive(Debug)]
struct Found {
    kept: BooleanBuffer,
    /// Who was left out, in the order of [`Asked::reasons`].
    out: Vec<(Reason, BooleanBuffer)>,
}

/// A contact that is left.
struct Left {
    shard: usize,
    ordinal: u32,
    /// Row among the ids of its shard.
    row: usize,
    key: Option<i128>,
    /// Equal for equal values.
    group: Option<u64>,
}

/// What was read of a shard.
struct Rows {
    ordinals: UInt32Array,
    ids: StringArray,
    groups: Option<ArrayRef>,
    amounts: Option<Amounts>,
}

#[async_trait]
impl SetOperator for Tails {
    fn name(&self) -> &'static str {
        "TailsExec"
    }

    fn gathers(&self) -> bool {
        true
    }

    fn as_tails(&self) -> Option<&Tails> {
        Some(self)
    }

    async fn run(&self, _inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let Some(whole) = &shard.whole else { return internal_err!("a list without all shards") };
        let found = self.found.get_or_try_init(|| self.all(whole, shard)).await?;
        let found = found.get(shard.shard as usize);
        let found = found.ok_or_else(|| internal_datafusion_err!("a shard was not worked off"))?;
        for (reason, out) in &found.out {
            shard.count(reason.name(), out.count_set_bits());
        }
        Ok(ShardSet::two_valued(found.kept.clone()))
    }
}

impl Tails {
    pub(crate) fn new(asked: Asked) -> Self {
        Self { asked, found: OnceCell::new() }
    }

    /// Why a contact was left out, once the plan was executed; `None` for all others.
    pub(crate) fn left_out(&self, shard: u32, ordinal: u32) -> Option<Reason> {
        let found = self.found.get()?.get(shard as usize)?;
        let is_in = |out: &BooleanBuffer| (ordinal as usize) < out.len() && out.value(ordinal as usize);
        found.out.iter().find(|(_, out)| is_in(out)).map(|(reason, _)| *reason)
    }

    /// Whom the list takes in a shard, once the plan was executed.
    pub(crate) fn kept(&self, shard: usize) -> Option<&BooleanBuffer> {
        self.found.get()?.get(shard).map(|found| &found.kept)
    }

    async fn all(&self, whole: &Whole, shard: &ShardContext) -> Result<Vec<Found>> {
        let tasks: Vec<_> = (0..whole.shards.len())
            .map(|number| {
                let contacts = whole.shards.contacts(number).unwrap_or_default();
                let (inputs, context) = (whole.inputs.clone(), Arc::clone(&whole.context));
                SpawnedTask::spawn(rows(self.asked.clone(), inputs, context, number, contacts))
            })
            .collect();
        let mut read = Vec::with_capacity(tasks.len());
        for task in tasks {
            let joined = task.join_unwind().await;
            let rows = joined.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            let bytes = rows.ids.len() * size_of::<Left>()
                + rows.ids.value_data().len()
                + rows.groups.as_ref().map_or(0, |groups| groups.get_array_memory_size())
                + rows.amounts.as_ref().map_or(0, |amounts| amounts.contacts() * size_of::<i128>());
            shard.reservation.try_grow(bytes)?;
            read.push(rows);
        }
        self.cut(&read, whole)
    }

    fn cut(&self, read: &[Rows], whole: &Whole) -> Result<Vec<Found>> {
        let same = self.asked.one_per.as_ref().map(|(_, same)| *same);
        let mut keys = Keys::new(same.unwrap_or(Sameness::Value));
        let mut left = Vec::with_capacity(read.iter().map(|rows| rows.ids.len()).sum());
        for (shard, rows) in read.iter().enumerate() {
            let mut groups: Vec<Option<u64>> = vec![None; rows.ids.len()];
            if let Some(values) = &rows.groups {
                keys.each(values, |row, key| {
                    if let Some(group) = groups.get_mut(row) {
                        *group = Some(key);
                    }
                })?;
            }
            for (row, (&ordinal, group)) in rows.ordinals.values().iter().zip(groups).enumerate() {
                let key = rows.amounts.as_ref().and_then(|amounts| amounts.key(ordinal as usize));
                left.push(Left { shard, ordinal, row, key, group });
            }
        }
        let id = |one: &Left| read.get(one.shard).map_or("", |rows| rows.ids.value(one.row));
        // Who comes first: by amount, those without one last, then by id.
        let rank = |one: &Left| match (one.key, self.asked.by) {
            (Some(key), Some(Order::Descending)) => (false, !key),
            (Some(key), _) => (false, key),
            (None, _) => (true, 0),
        };
        left.sort_unstable_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| id(a).cmp(id(b))));
        let nobody = || {
            let contacts = (0..whole.shards.len()).map(|shard| whole.shards.contacts(shard));
            contacts.map(|contacts| vec![false; contacts.unwrap_or_default()]).collect::<Vec<_>>()
        };
        let mut out: Vec<(Reason, Vec<Vec<bool>>)> = Vec::new();
        for reason in self.asked.reasons() {
            let mut removed = nobody();
            let mut seen: HashSet<u64> = HashSet::new();
            let sampled = self.asked.sample.as_ref().map(Share::test).transpose()?;
            let mut number = 0_u32;
            left.retain(|one| {
                number = number.saturating_add(1);
                let keeps = match reason {
                    Reason::OnePer => one.group.is_none_or(|group| seen.insert(group)),
                    Reason::NotSampled => sampled.as_ref().is_none_or(|sampled| sampled(id(one))),
                    _ => self.asked.limit.is_none_or(|limit| number <= limit),
                };
                if !keeps {
                    mark(&mut removed, one);
                }
                keeps
            });
            out.push((reason, removed));
        }
        let mut kept = nobody();
        left.iter().for_each(|one| mark(&mut kept, one));
        let mut found: Vec<Found> =
            kept.into_iter().map(|kept| Found { kept: kept.into(), out: Vec::new() }).collect();
        for (reason, removed) in out {
            for (found, removed) in found.iter_mut().zip(removed) {
                found.out.push((reason, removed.into()));
            }
        }
        Ok(found)
    }
}

fn mark(bits: &mut [Vec<bool>], one: &Left) {
    if let Some(bit) = bits.get_mut(one.shard).and_then(|shard| shard.get_mut(one.ordinal as usize)) {
        *bit = true;
    }
}

/// Reads what is asked of the contacts of one shard whom the gate lets through.
async fn rows(
    asked: Asked,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    context: Arc<TaskContext>,
    shard: usize,
    contacts: usize,
) -> Result<Rows> {
    let mut inputs = inputs.iter();
    let Some(gate) = inputs.next() else { return internal_err!("a list without its gate") };
    let mut members: Option<ShardSet> = None;
    let mut gate = gate.execute(shard, Arc::clone(&context))?;
    while let Some(batch) = gate.try_next().await? {
        let (number, set) = ShardSet::from_batch(&batch)?;
        if number as usize != shard || set.contacts() != contacts || members.replace(set).is_some() {
            return internal_err!("the gate answered for another shard");
        }
    }
    let members = members.ok_or_else(|| internal_datafusion_err!("the gate did not answer"))?;
    let amounts = match asked.by {
        None => None,
        Some(_) => {
            let Some(amounts) = inputs.next() else { return internal_err!("an order without its amounts") };
            Some(Amounts::read(amounts.execute(shard, context)?, shard, contacts).await?)
        }
    };
    let ordinals: Vec<u32> = members.certain().set_indices_u32().collect();
    let tables = inputs.map(|scan| {
        let scan = scan.downcast_ref::<EncryptedScan>();
        let scan = scan.ok_or_else(|| internal_datafusion_err!("the list's input is not a scan"))?;
        scan.rows_of(shard, &ordinals)
    });
    let tables: Vec<RecordBatch> = tables.collect::<Result<_>>()?;
    let of = |name: &str| tables.iter().find_map(|table| table.column_by_name(name)).cloned();
    let missing = || internal_datafusion_err!("a column of the list was not read");
    let groups = match &asked.one_per {
        Some((name, _)) => Some(of(name).ok_or_else(missing)?),
        None => None,
    };
    let first = tables.iter().find(|table| table.column_by_name("contact_id").is_some());
    let first = first.ok_or_else(missing)?;
    let (ids, ordinals): (&StringArray, &UInt32Array) =
        (column(first, "contact_id")?, column(first, ORDINAL)?);
    Ok(Rows { ordinals: ordinals.clone(), ids: ids.clone(), groups, amounts })
}
