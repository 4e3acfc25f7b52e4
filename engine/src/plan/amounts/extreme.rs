//! The value of the latest or the earliest selected record.
//!
//! Which record that is, [`crate::plan::ops::extreme`] says. Records that tie are all looked at: of their values the
//! greatest or the least counts, and what has none is passed over.

use std::sync::Arc;

use arrow::array::{Array, Int64Array, UInt32Array};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

use super::Amounts;
use crate::plan::exec::{ShardContext, column};
use crate::plan::ops::extreme::{Extreme, Keys};
use crate::plan::ops::measure::{Made, Values};

/// The best of two values.
#[derive(Clone, Copy)]
struct Better {
    greatest: bool,
}

impl Better {
    fn of(self, one: Option<i128>, other: Option<i128>) -> Option<i128> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if self.greatest { one.max(other) } else { one.min(other) }),
            (known, None) | (None, known) => known,
        }
    }
}

/// Records of one precision that tie so far. Keys of time are turned so that greater is better.
#[derive(Clone, Copy)]
struct Best {
    instant: i64,
    recorded: i64,
    seen: bool,
    value: Option<i128>,
}

impl Best {
    const NOTHING: Self = Self { instant: i64::MIN, recorded: i64::MIN, seen: false, value: None };

    fn take(&mut self, instant: i64, recorded: i64, value: Option<i128>, better: Better) {
        let (key, best) = ((instant, recorded), (self.instant, self.recorded));
        if !self.seen || key > best {
            *self = Self { instant, recorded, seen: true, value };
        } else if key == best {
            self.value = better.of(self.value, value);
        }
    }
}

/// The best day of a contact, and on it the best among instants and among days.
#[derive(Clone, Copy)]
struct State {
    day: i32,
    instants: Best,
    days: Best,
}

impl State {
    const NOTHING: Self = Self { day: i32::MIN, instants: Best::NOTHING, days: Best::NOTHING };

    fn value(&self, better: Better) -> Option<i128> {
        let (instants, days) = (&self.instants, &self.days);
        match (instants.seen, days.seen) {
            (true, true) if instants.recorded == days.recorded => better.of(instants.value, days.value),
            (true, true) if instants.recorded > days.recorded => instants.value,
            (_, true) => days.value,
            (_, false) => instants.value,
        }
    }
}

/// The values of a shard.
pub(super) async fn last_values(
    extreme: Extreme,
    greatest: bool,
    value: &Arc<dyn PhysicalExpr>,
    mut input: SendableRecordBatchStream,
    shard: &ShardContext,
) -> Result<Amounts> {
    let better = Better { greatest };
    shard.reservation.try_grow(shard.contacts * size_of::<State>())?;
    let mut states = vec![State::NOTHING; shard.contacts];
    let mut keys = Keys::new(extreme);
    let rows = shard.counter("rows");
    while let Some(batch) = input.try_next().await? {
        let values = Values::of(value.evaluate(&batch)?.into_array(batch.num_rows())?)?;
        let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
        let at: &Int64Array = column(&batch, "at")?;
        let recorded: &Int64Array = column(&batch, "recorded_at")?;
        rows.add(batch.num_rows());
        for (row, (&ordinal, &at)) in ordinals.values().iter().zip(at.values()).enumerate() {
            let state = states.get_mut(ordinal as usize);
            let state = state.ok_or_else(|| internal_datafusion_err!("an ordinal beyond its shard"))?;
            let (day, instant) = keys.at(at)?;
            let nothing = !state.instants.seen && !state.days.seen;
            if nothing || day > state.day {
                *state = State { day, ..State::NOTHING };
            } else if day < state.day {
                continue;
            }
            // A record that does not say when it was recorded loses against one that does.
            let recorded =
                if recorded.is_valid(row) { keys.recorded(recorded.value(row))? } else { i64::MIN };
            let value = values.get(row).map(Made::key);
            match instant {
                Some(instant) => state.instants.take(instant, recorded, value, better),
                None => state.days.take(0, recorded, value, better),
            }
        }
    }
    let values: Vec<Option<i128>> = states.iter().map(|state| state.value(better)).collect();
    let known = packed(&values, Option::is_some);
    Ok(Amounts::new(values.into_iter().map(Option::unwrap_or_default).collect(), known))
}
