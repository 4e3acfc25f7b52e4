//! Who lives with somebody for whom criteria hold, or with nobody for whom they do not.
//!
//! ```text
//! in:   criteria TRUE for 1, UNKNOWN for 3     household_id 1 → a, 2 → a, 3 → b, 4 → b, 5 missing
//! any:  TRUE for 1 2, UNKNOWN for 3 4 5        all: UNKNOWN for nobody, FALSE for everybody
//! ```
//!
//! The members of a household may lie in different shards: the first shard that is asked for works all of them off, each in a
//! task of its own, and every shard answers from what was found.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::TryStreamExt;
use hyperseg_dsl::segment::HOUSEHOLD_ID;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;
use tokio::sync::OnceCell;

use super::distinct::{Keys, Sameness};
use crate::plan::exec::{SetOperator, ShardContext, Whole, column, set_of};
use crate::sets::ShardSet;

/// Columns of the rows that say who lives where.
pub(crate) const COLUMNS: [&str; 2] = [ORDINAL, HOUSEHOLD_ID];

/// No household is known.
const ALONE: u32 = u32::MAX;

/// What the answers of a household's members are, taken together.
#[derive(Clone, Copy, Default)]
struct Answers {
    some_true: bool,
    some_unknown: bool,
    some_false: bool,
}

/// The answers of the members of each household, joined. Inputs: the criteria, rows with ordinal and household.
#[derive(Debug)]
pub(crate) struct Household {
    /// They must hold for all of them, rather than for any.
    all: bool,
    found: OnceCell<Vec<ShardSet>>,
}

#[async_trait]
impl SetOperator for Household {
    fn name(&self) -> &'static str {
        "HouseholdExec"
    }

    fn gathers(&self) -> bool {
        true
    }

    async fn run(&self, _inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let Some(whole) = &shard.whole else { return internal_err!("households without all shards") };
        let found = self.found.get_or_try_init(|| self.everywhere(whole, shard)).await?;
        let found = found.get(shard.shard as usize).cloned();
        found.ok_or_else(|| internal_datafusion_err!("a shard was not worked off"))
    }
}

impl Household {
    pub(crate) fn new(all: bool) -> Self {
        Self { all, found: OnceCell::new() }
    }

    /// The answers of every shard.
    async fn everywhere(&self, whole: &Whole, shard: &ShardContext) -> Result<Vec<ShardSet>> {
        let tasks: Vec<_> =
            (0..whole.shards.len()).map(|number| SpawnedTask::spawn(read(whole.clone(), number))).collect();
        let (mut keys, mut households) = (Keys::new(Sameness::Value), Vec::new());
        let mut shards = Vec::with_capacity(tasks.len());
        for task in tasks {
            let joined = task.join_unwind().await;
            let Read { set, present, rows, reservation } =
                joined.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            shard.reservation.try_grow(set.contacts() * size_of::<u32>())?;
            let mut home = vec![ALONE; set.contacts()];
            for batch in rows {
                // At most so much is kept: every text once, and a place for each.
                let texts = batch.get_array_memory_size();
                let places = batch.num_rows() * size_of::<(String, u64, Answers)>();
                shard.reservation.try_grow(texts + places)?;
                take_in(&batch, (&set, &present), &mut keys, &mut home, &mut households)?;
            }
            drop(reservation);
            shards.push((set, home));
        }
        shard.count("households", households.len());
        Ok(shards.iter().map(|(set, home)| self.answer(set, home, &households)).collect())
    }

    fn answer(&self, own: &ShardSet, home: &[u32], households: &[Answers]) -> ShardSet {
        let of = |place: usize, home: u32| match households.get(home as usize) {
            Some(answers) => *answers,
            // Who else there is, is not known.
            None => Answers {
                some_true: own.certain().value(place),
                some_unknown: true,
                some_false: !own.possible().value(place),
            },
        };
        let answers: Vec<Answers> = home.iter().enumerate().map(|(place, home)| of(place, *home)).collect();
        let (certain, possible) = if self.all {
            (packed(&answers, |it| !it.some_unknown && !it.some_false), packed(&answers, |it| !it.some_false))
        } else {
            (packed(&answers, |it| it.some_true), packed(&answers, |it| it.some_true || it.some_unknown))
        };
        ShardSet::new(certain, possible)
    }
}

/// Adds the members that stand in some rows to their households.
fn take_in(
    batch: &RecordBatch,
    (set, present): (&ShardSet, &ShardSet),
    keys: &mut Keys,
    home: &mut [u32],
    households: &mut Vec<Answers>,
) -> Result<()> {
    let ordinals: &UInt32Array = column(batch, ORDINAL)?;
    let homes = batch.column_by_name(HOUSEHOLD_ID);
    let homes = homes.ok_or_else(|| internal_datafusion_err!("rows without households"))?;
    let beyond = || internal_datafusion_err!("an ordinal beyond its shard");
    let mut fine = true;
    keys.each(homes, |row, key| {
        let (Some(&ordinal), Ok(number)) = (ordinals.values().get(row), u32::try_from(key)) else {
            fine = false;
            return;
        };
        let place = ordinal as usize;
        if number == ALONE || place >= set.contacts() {
            fine = false;
            return;
        }
        if !present.certain().value(place) {
            // Who was forgotten lives nowhere.
            return;
        }
        if households.len() <= number as usize {
            households.resize(number as usize + 1, Answers::default());
        }
        if let (Some(home), Some(answers)) = (home.get_mut(place), households.get_mut(number as usize)) {
            *home = number;
            let (certain, possible) = (set.certain().value(place), set.possible().value(place));
            answers.some_true |= certain;
            answers.some_unknown |= possible && !certain;
            answers.some_false |= !possible;
        }
    })?;
    if fine { Ok(()) } else { Err(beyond()) }
}

/// What was read of a shard, and the memory that it takes.
struct Read {
    set: ShardSet,
    /// Who was not forgotten.
    present: ShardSet,
    rows: Vec<RecordBatch>,
    reservation: MemoryReservation,
}

/// What the criteria say in a shard, and who lives where.
async fn read(whole: Whole, shard: usize) -> Result<Read> {
    let [criteria, rows] = whole.inputs.as_slice() else { return internal_err!("other than two inputs") };
    let contacts = whole.shards.contacts(shard).unwrap_or_default();
    let number = u32::try_from(shard).map_err(|_| internal_datafusion_err!("too many shards"))?;
    let start = |input: &Arc<dyn ExecutionPlan>| input.execute(shard, Arc::clone(&whole.context));
    let set = set_of(start(criteria)?, number, contacts).await?;
    let present = whole.shards.present(shard, ShardSet::constant(contacts, true));
    let reservation = MemoryConsumer::new("HouseholdExec").register(whole.context.memory_pool());
    let (mut stream, mut rows) = (start(rows)?, Vec::new());
    while let Some(batch) = stream.try_next().await? {
        reservation.try_grow(batch.get_array_memory_size())?;
        rows.push(batch);
    }
    Ok(Read { set, present, rows, reservation })
}
