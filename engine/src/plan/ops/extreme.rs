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

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, Int64Array, UInt32Array};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

use super::days::LocalDays;
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

impl Seen {
    fn bits(self) -> i64 {
        match self {
            Self::Nothing => 0,
            Self::False => 1,
            Self::Unknown => 2,
            Self::True => 3,
        }
    }

    fn of_bits(bits: i64) -> Self {
        match bits {
            1 => Self::False,
            2 => Self::Unknown,
            3 => Self::True,
            _ => Self::Nothing,
        }
    }
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
        shard.reservation.try_grow(shard.contacts * (size_of::<(i64, i64)>() + size_of::<i16>()))?;
        let mut contacts = Contacts::new(shard.contacts, self.extreme);
        let rows = shard.counter("rows");
        let mut candidates = vec![0_u16; PIECE_ROWS];
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
            let mut start = 0;
            let pieces = ordinals.values().chunks(PIECE_ROWS).zip(at.values().chunks(PIECE_ROWS));
            for (ordinals, times) in pieces {
                for &piece_row in contacts.candidates(ordinals, times, &mut candidates) {
                    let place = usize::from(piece_row);
                    let (Some(&ordinal), Some(&at)) = (ordinals.get(place), times.get(place)) else {
                        continue;
                    };
                    let row = start + place;
                    contacts.take(ordinal, at, || {
                        let seen = match (tests.is_valid(row), tests.is_valid(row) && tests.value(row)) {
                            (false, _) => Seen::Unknown,
                            (true, true) => Seen::True,
                            (true, false) => Seen::False,
                        };
                        (recorded.is_valid(row).then(|| recorded.value(row)), seen)
                    })?;
                }
                start += ordinals.len();
            }
        }
        Ok(contacts.answer())
    }
}

/// The best record of each contact so far.
///
/// As a rule a contact has one best record, known to the instant: then its key is the instant with what was seen in the
/// two bits that instants leave free. Who has two records of one
/// instant, or one known only to the day, is `SEVERAL` and has a full state.
struct Contacts {
    /// Key, and `recorded_at` of the record behind it, as stored.
    best: Vec<(i64, i64)>,
    /// The upper bits of the keys: small enough for the processor's nearest cache, and mostly all that is needed.
    coarse: Vec<i16>,
    several: HashMap<u32, State>,
    better: Keys,
}

/// The upper bits of an instant's key, in units of 19 hours around 1970; what lies beyond 70 years counts as that.
fn coarse(key: i64) -> i16 {
    i16::try_from(key >> 38).unwrap_or(if key < 0 { i16::MIN } else { i16::MAX })
}

/// Rows that are looked up together: what they touch fits into the processor's nearest caches.
const PIECE_ROWS: usize = 1 << 11;
/// No record yet.
const NOTHING: i64 = i64::MIN;
/// See [`Contacts::several`].
const SEVERAL: i64 = i64::MAX;
/// A record without `recorded_at`.
const UNRECORDED: i64 = i64::MIN;

impl Contacts {
    fn new(contacts: usize, extreme: Extreme) -> Self {
        let best = vec![(NOTHING, UNRECORDED); contacts];
        let coarse = vec![i16::MIN; contacts];
        Self { best, coarse, several: HashMap::new(), better: Keys::new(extreme) }
    }

    /// Rows of a piece that may be better than what is known. Looking all of them up first, without acting on any,
    /// lets the processor wait for many places of memory at once.
    fn candidates<'c>(&self, ordinals: &[u32], times: &[i64], found: &'c mut [u16]) -> &'c [u16] {
        let sign = self.better.sign;
        let mut count = 0;
        for (row, (&ordinal, &at)) in (0_u16..).zip(ordinals.iter().zip(times)) {
            // An ordinal beyond the shard is a candidate, to be refused.
            let best = self.coarse.get(ordinal as usize).copied().unwrap_or(i16::MIN);
            let candidate = (at & 3 != 0) | (coarse(sign.wrapping_mul(at)) >= best);
            if let Some(place) = found.get_mut(count) {
                *place = row;
            }
            count += usize::from(candidate);
        }
        found.get(..count).unwrap_or_default()
    }

    /// Takes a record; `rest` is when it was recorded, and what the test says of it.
    fn take(&mut self, ordinal: u32, at: i64, rest: impl FnOnce() -> (Option<i64>, Seen)) -> Result<()> {
        let place = ordinal as usize;
        let (Some((key, recorded)), Some(upper)) = (self.best.get_mut(place), self.coarse.get_mut(place))
        else {
            return internal_err!("an ordinal beyond its shard");
        };
        // Instants have 0 in the two lowest bits.
        let instant = if at & 3 == 0 { Some(self.better.sign * at) } else { None };
        if let Some(instant) = instant.filter(|_| *key != SEVERAL) {
            let best = *key & !3;
            if instant < best {
                return Ok(());
            }
            if instant > best {
                let (recorded_at, seen) = rest();
                *key = instant | seen.bits();
                *upper = coarse(instant);
                *recorded = recorded_at.unwrap_or(UNRECORDED);
                return Ok(());
            }
        }
        if *key != SEVERAL {
            let state = match *key {
                NOTHING => State::NOTHING,
                key => self.better.state(key, *recorded)?,
            };
            self.several.insert(ordinal, state);
            *key = SEVERAL;
            *upper = i16::MIN;
        }
        let Some(state) = self.several.get_mut(&ordinal) else { return internal_err!("a state was lost") };
        let (recorded_at, seen) = rest();
        let (day, instant) = self.better.at(at)?;
        if state.is_empty() || day > state.day {
            *state = State { day, ..State::NOTHING };
        } else if day < state.day {
            return Ok(());
        }
        let recorded = recorded_at.map_or(Ok(i64::MIN), |recorded| self.better.recorded(recorded))?;
        match instant {
            Some(instant) => state.instants.take(instant, recorded, seen),
            None => state.days.take(0, recorded, seen),
        }
        Ok(())
    }

    fn answer(&self) -> ShardSet {
        let (truth, falsehood) = (Seen::True.bits(), Seen::False.bits());
        let is_true = |&(key, _): &(i64, i64)| key != SEVERAL && key != NOTHING && key & 3 == truth;
        let mut certain = BooleanBufferBuilder::new(self.best.len());
        let mut possible = BooleanBufferBuilder::new(self.best.len());
        certain.append_buffer(&packed(&self.best, is_true));
        possible.append_buffer(&packed(&self.best, |&(key, _)| key == NOTHING || key & 3 != falsehood));
        for (&ordinal, state) in &self.several {
            certain.set_bit(ordinal as usize, state.answer() == Seen::True);
            possible.set_bit(ordinal as usize, state.answer() != Seen::False);
        }
        ShardSet::new(certain.finish(), possible.finish())
    }
}

/// Packed moments as keys of which the greater is the better.
pub(crate) struct Keys {
    days: LocalDays,
    sign: i64,
}

impl Keys {
    pub(crate) fn new(extreme: Extreme) -> Self {
        Self { days: LocalDays::new(extreme.zone), sign: if extreme.latest { 1 } else { -1 } }
    }

    /// Key of the day, and of the instant when it is known.
    pub(crate) fn at(&mut self, packed: i64) -> Result<(i32, Option<i64>)> {
        let (day, instant) = self.days.of(packed)?;
        let sign = if self.sign > 0 { 1 } else { -1 };
        Ok((sign * day, instant.map(|instant| self.sign * instant)))
    }

    /// The full state of a contact with one record known to the instant.
    fn state(&mut self, key: i64, recorded: i64) -> Result<State> {
        let (day, instant) = self.at(self.sign * (key & !3))?;
        let instant = instant.ok_or_else(|| internal_datafusion_err!("an instant that is none"))?;
        let recorded = if recorded == UNRECORDED { i64::MIN } else { self.recorded(recorded)? };
        let instants = Best { instant, recorded, seen: Seen::of_bits(key & 3) };
        Ok(State { day, instants, days: Best::NOTHING })
    }

    /// Key of when it was recorded; a day counts from its start.
    pub(crate) fn recorded(&self, packed: i64) -> Result<i64> {
        Ok(self.sign * self.days.start(packed)?)
    }
}
