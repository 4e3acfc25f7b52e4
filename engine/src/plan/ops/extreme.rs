//! The latest or the earliest selected record.
//!
//! ```text
//! in:    ord 4 at 2 Jan value 9.1     ord 4 at 5 Mar value 6     ord 7 at 1 Feb value missing      test: value > 9
//!        one row for each selected record
//! out:   latest: FALSE for 4, UNKNOWN for 7 and for everyone without a selected record
//! ```
//!
//! Order: the local day of `at`; on the last day every record known only to the day, and the instants equal to the
//! last one; among those the last `recorded_at`. Of what remains, one record that satisfies the test suffices.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int64Array, UInt32Array};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::layout::ORDINAL;

use super::days::LocalDays;
use super::record_set::bits;
use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// Which end of the order, and in which zone days are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Extreme {
    /// The latest rather than the earliest.
    pub(crate) latest: bool,
    /// Zone of local days.
    pub(crate) zone: Tz,
}

impl Extreme {
    /// Name of the logical node.
    pub(crate) fn name(self) -> &'static str {
        if self.latest { "LatestRecord" } else { "EarliestRecord" }
    }
}

/// Contacts by a test of their latest or earliest selected record.
#[derive(Debug)]
pub(crate) struct ExtremeRecord {
    /// What the record must satisfy: Boolean, null for UNKNOWN.
    pub(crate) test: Arc<dyn PhysicalExpr>,
    /// Order.
    pub(crate) extreme: Extreme,
}

/// TRUE, UNKNOWN or FALSE of the records that tie, as the greatest seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Nothing,
    False,
    Unknown,
    True,
}

/// Best records of one kind of precision. Keys are turned so that greater is better.
#[derive(Clone, Copy, Debug)]
struct Best {
    instant: i64,
    recorded: i64,
    seen: Seen,
}

impl Best {
    const NOTHING: Self = Self { instant: i64::MIN, recorded: i64::MIN, seen: Seen::Nothing };

    fn take(&mut self, instant: i64, recorded: i64, seen: Seen) {
        let (key, best) = ((instant, recorded), (self.instant, self.recorded));
        if self.seen == Seen::Nothing || key > best {
            *self = Self { instant, recorded, seen };
        } else if key == best {
            self.seen = self.seen.max(seen);
        }
    }
}

/// Dense state of one contact: the best day, and on it the best among instants and among days.
#[derive(Clone, Copy, Debug)]
struct State {
    day: i32,
    instants: Best,
    days: Best,
}

impl State {
    const NOTHING: Self = Self { day: i32::MIN, instants: Best::NOTHING, days: Best::NOTHING };

    fn is_empty(&self) -> bool {
        self.instants.seen == Seen::Nothing && self.days.seen == Seen::Nothing
    }

    fn answer(&self) -> Seen {
        match (self.instants.seen, self.days.seen) {
            (seen, Seen::Nothing) | (Seen::Nothing, seen) => seen,
            (instant, day) if self.instants.recorded == self.days.recorded => instant.max(day),
            (instant, _) if self.instants.recorded > self.days.recorded => instant,
            (_, day) => day,
        }
    }
}

#[async_trait]
impl SetOperator for ExtremeRecord {
    fn name(&self) -> &'static str {
        if self.extreme.latest { "LatestRecordExec" } else { "EarliestRecordExec" }
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        vec![Arc::clone(&self.test)]
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        shard.reservation.try_grow(shard.contacts * size_of::<State>())?;
        let mut states = vec![State::NOTHING; shard.contacts];
        let mut keys = Keys::new(self.extreme);
        let rows = shard.counter("rows");
        while let Some(batch) = input.try_next().await? {
            let tests = self.test.evaluate(&batch)?.into_array(batch.num_rows())?;
            let tests = tests
                .as_any()
                .downcast_ref::<BooleanArray>()
                .ok_or_else(|| internal_datafusion_err!("a test that is not Boolean"))?;
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            let at: &Int64Array = column(&batch, "at")?;
            let recorded: &Int64Array = column(&batch, "recorded_at")?;
            rows.add(batch.num_rows());
            for (row, (&ordinal, &at)) in ordinals.values().iter().zip(at.values()).enumerate() {
                let state = states
                    .get_mut(ordinal as usize)
                    .ok_or_else(|| internal_datafusion_err!("an ordinal beyond its shard"))?;
                let (day, instant) = keys.at(at)?;
                if state.is_empty() || day > state.day {
                    *state = State { day, ..State::NOTHING };
                } else if day < state.day {
                    continue;
                }
                let seen = match (tests.is_valid(row), tests.is_valid(row) && tests.value(row)) {
                    (false, _) => Seen::Unknown,
                    (true, true) => Seen::True,
                    (true, false) => Seen::False,
                };
                let recorded =
                    if recorded.is_valid(row) { keys.recorded(recorded.value(row))? } else { i64::MIN };
                match instant {
                    Some(instant) => state.instants.take(instant, recorded, seen),
                    None => state.days.take(0, recorded, seen),
                }
            }
        }
        let certain = bits(&states, |state| state.answer() == Seen::True);
        let possible = bits(&states, |state| state.answer() != Seen::False);
        Ok(ShardSet::new(certain, possible))
    }
}

/// Packed moments as keys of which the greater is the better.
struct Keys {
    days: LocalDays,
    sign: i64,
}

impl Keys {
    fn new(extreme: Extreme) -> Self {
        Self { days: LocalDays::new(extreme.zone), sign: if extreme.latest { 1 } else { -1 } }
    }

    /// Key of the day, and of the instant when it is known.
    fn at(&mut self, packed: i64) -> Result<(i32, Option<i64>)> {
        let (day, instant) = self.days.of(packed)?;
        let sign = if self.sign > 0 { 1 } else { -1 };
        Ok((sign * day, instant.map(|instant| self.sign * instant)))
    }

    /// Key of when it was recorded; a day counts from its start.
    fn recorded(&self, packed: i64) -> Result<i64> {
        Ok(self.sign * self.days.start(packed)?)
    }
}
