//! How long the selected records last: the share of days that they cover, and whether they go on without a gap.
//!
//! ```text
//! in:   ord 4 from 1 Jan for 30 days, from 20 Jan for 30 days      window 1 Jan to 1 Mar, days covered >= 80 %
//! out:  TRUE for 4: 49 of 60 days
//! ```

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, Int32Array, Int64Array, RecordBatch};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use hyperseg_dsl::clock::Clock;

use super::days::LocalDays;
use super::per_contact::PerContact;
use super::sequence::Reach;
use super::sequence::calendar::Calendar;
use super::share::{Counts, ShareTest};
use crate::plan::amounts::Amounts;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// What is asked. Days are counted from the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cover {
    /// Zone of local days.
    pub(crate) zone: Tz,
    pub(crate) today: i32,
    pub(crate) asked: Covered,
}

/// What is asked of the days that are covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Covered {
    /// Their share of the days from the first to the last.
    Share { first: i32, last: i32, test: ShareTest },
    /// Their share of the days from the first to the last of each contact, which two more inputs tell.
    ShareOfContact { test: ShareTest },
    /// All days from the first to today, gaps of at most this length aside.
    Continuous { first: i32, gap: Reach },
}

/// Contacts by the days on which records last.
#[derive(Debug)]
pub(crate) struct DaysCovered {
    pub(crate) cover: Cover,
    /// The end, the days of supply, whether the record is over: null, null and FALSE for kinds that do not say.
    pub(crate) asked: Vec<Arc<dyn PhysicalExpr>>,
}

/// On which days a record lasts, both ends included.
#[derive(Clone, Copy, Debug)]
struct Lasting {
    from: i32,
    surely: i32,
    perhaps: i32,
}

#[async_trait]
impl SetOperator for DaysCovered {
    fn name(&self) -> &'static str {
        "DaysCoveredExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.asked.clone()
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut days = LocalDays::new(self.cover.zone);
        let mut calendar = Calendar::new(Clock { as_of_micros: 0, zone: self.cover.zone });
        let mut inputs = inputs.into_iter();
        let Some(rows) = inputs.next() else { return internal_err!("days covered by no records") };
        let records = PerContact::gather(rows, shard, |batch| self.rows(batch, &mut days)).await?;
        if let Covered::ShareOfContact { test } = self.cover.asked {
            let ends = Ends::read(inputs, shard).await?;
            return Ok(shares(test, &records, &ends, shard.contacts));
        }
        let nobody = self.answer(&mut Vec::new(), &mut calendar);
        let (mut certain, mut possible) =
            (BooleanBufferBuilder::new(shard.contacts), BooleanBufferBuilder::new(shard.contacts));
        certain.append_n(shard.contacts, nobody.0);
        possible.append_n(shard.contacts, nobody.1);
        let mut own = Vec::new();
        for (ordinal, rows) in records.contacts() {
            own.clear();
            own.extend(rows.iter().map(|(_, lasting)| *lasting));
            let (is_certain, is_possible) = self.answer(&mut own, &mut calendar);
            certain.set_bit(ordinal as usize, is_certain);
            possible.set_bit(ordinal as usize, is_possible);
        }
        Ok(ShardSet::new(certain.finish(), possible.finish()))
    }
}

impl DaysCovered {
    fn rows(&self, batch: &RecordBatch, days: &mut LocalDays) -> Result<Vec<Option<Lasting>>> {
        let mut arrays = Vec::with_capacity(self.asked.len());
        for expr in &self.asked {
            arrays.push(expr.evaluate(batch)?.into_array(batch.num_rows())?);
        }
        let wrong = || internal_datafusion_err!("an end, a supply or a status of another type");
        let array = |place: usize| arrays.get(place).map(|array| array.as_any());
        let ends = array(0).and_then(|array| array.downcast_ref::<Int64Array>()).ok_or_else(wrong)?;
        let supplies = array(1).and_then(|array| array.downcast_ref::<Int32Array>()).ok_or_else(wrong)?;
        let over = array(2).and_then(|array| array.downcast_ref::<BooleanArray>()).ok_or_else(wrong)?;
        let at: &Int64Array = column(batch, "at")?;
        let today = self.cover.today;
        let mut rows = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let (from, _) = days.of(at.value(row))?;
            let (surely, perhaps) = if supplies.is_valid(row) {
                let last = from.saturating_add(supplies.value(row).saturating_sub(1));
                (last, last)
            } else if ends.is_valid(row) {
                let (last, _) = days.of(ends.value(row))?;
                (last, last)
            } else if over.is_valid(row) && over.value(row) {
                (from, today)
            } else {
                (today, today)
            };
            rows.push((perhaps >= from).then_some(Lasting { from, surely, perhaps }));
        }
        Ok(rows)
    }

    /// Whether what is asked holds certainly, and possibly.
    fn answer(&self, lasting: &mut [Lasting], calendar: &mut Calendar) -> (bool, bool) {
        lasting.sort_unstable_by_key(|lasting| lasting.from);
        match self.cover.asked {
            Covered::Share { first, last, test } => share(test, (first, last), lasting),
            // Of nobody in particular nothing is known.
            Covered::ShareOfContact { .. } => (false, true),
            Covered::Continuous { first, gap } => {
                let today = self.cover.today;
                let mut whole = |until: fn(&Lasting) -> i32| {
                    let stretches = lasting.iter().map(|lasting| (lasting.from, until(lasting)));
                    spans(stretches, gap, (first, today), calendar)
                };
                (whole(|lasting| lasting.surely), whole(|lasting| lasting.perhaps))
            }
        }
    }
}

/// Whether the share of the days from the first to the last on which records last, which stand in order, holds certainly, and
/// possibly.
fn share(test: ShareTest, (first, last): (i32, i32), lasting: &[Lasting]) -> (bool, bool) {
    let days = |until: fn(&Lasting) -> i32| {
        let (mut days, mut next) = (0_u32, first);
        for one in lasting {
            let (from, to) = (one.from.max(next), until(one).min(last));
            if from <= to {
                days = days.saturating_add(from.abs_diff(to)).saturating_add(1);
                next = to.saturating_add(1);
            }
        }
        days
    };
    let all = if first <= last { first.abs_diff(last).saturating_add(1) } else { 0 };
    let certain = days(|lasting| lasting.surely);
    test.of(Counts { all, certain, possible: days(|lasting| lasting.perhaps) })
}

/// The same of every contact, over days of its own; UNKNOWN without such days.
fn shares(test: ShareTest, records: &PerContact<Lasting>, ends: &Ends, contacts: usize) -> ShardSet {
    let (mut certain, mut possible) =
        (BooleanBufferBuilder::new(contacts), BooleanBufferBuilder::new(contacts));
    for ordinal in 0..contacts {
        let days = ends.of(ordinal);
        let (is_certain, is_possible) = days.map_or((false, true), |days| share(test, days, &[]));
        certain.append(is_certain);
        possible.append(is_possible);
    }
    let mut own = Vec::new();
    for (ordinal, rows) in records.contacts() {
        let Some(days) = ends.of(ordinal as usize) else { continue };
        own.clear();
        own.extend(rows.iter().map(|(_, lasting)| *lasting));
        own.sort_unstable_by_key(|lasting| lasting.from);
        let (is_certain, is_possible) = share(test, days, &own);
        certain.set_bit(ordinal as usize, is_certain);
        possible.set_bit(ordinal as usize, is_possible);
    }
    ShardSet::new(certain.finish(), possible.finish())
}

/// The first and the last day of a window that depends on the contact.
pub(super) struct Ends {
    first: Amounts,
    last: Amounts,
}

impl Ends {
    /// From the two inputs that tell them.
    pub(super) async fn read(
        mut inputs: impl Iterator<Item = SendableRecordBatchStream>,
        shard: &ShardContext,
    ) -> Result<Self> {
        let (Some(first), Some(last)) = (inputs.next(), inputs.next()) else {
            return internal_err!("days of a contact without their ends");
        };
        shard.reservation.try_grow(shard.contacts * 2 * size_of::<i128>())?;
        let (number, contacts) = (shard.shard as usize, shard.contacts);
        Ok(Self {
            first: Amounts::read(first, number, contacts).await?,
            last: Amounts::read(last, number, contacts).await?,
        })
    }

    /// Of a contact; `None` for one without a date that they count from.
    pub(super) fn of(&self, ordinal: usize) -> Option<(i32, i32)> {
        let day = |amounts: &Amounts| amounts.key(ordinal).and_then(|day| i32::try_from(day).ok());
        day(&self.first).zip(day(&self.last))
    }
}

/// Stretches, which stand in order, go from the first day to the last, gaps of at most a length aside.
pub(super) fn spans(
    stretches: impl Iterator<Item = (i32, i32)>,
    gap: Reach,
    (first, last): (i32, i32),
    calendar: &mut Calendar,
) -> bool {
    let mut joined: Option<(i32, i32)> = None;
    for (from, to) in stretches {
        joined = match joined {
            Some((start, end)) if from.saturating_sub(1) <= calendar.shift(end, gap, true) => {
                Some((start, end.max(to)))
            }
            Some(_) | None => Some((from, to)),
        };
        if joined.is_some_and(|(start, end)| start <= first && end >= last) {
            return true;
        }
    }
    false
}
