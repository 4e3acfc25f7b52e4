//! Who was not under observation: UNKNOWN for those, FALSE for the others.
//!
//! ```text
//! in:   coverage   ord 4 from 1 Jan to 30 Jun, from 1 Jul on      ord 9 from 1 Mar on       window from 1 Feb to today
//!       visits     ord 7 on 5 Jan and tomorrow
//! out:  FALSE for 4 and 7, UNKNOWN for 9 and for everyone else
//! ```

use arrow::array::{Array, BooleanBufferBuilder, Int64Array, RecordBatch};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use hyperseg_dsl::clock::Clock;

use super::cover::{Ends, spans};
use super::days::LocalDays;
use super::per_contact::PerContact;
use super::sequence::Reach;
use super::sequence::calendar::Calendar;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// The days on which a contact has to be under observation, counted from the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unobserved {
    /// Zone of local days.
    pub(crate) zone: Tz,
    pub(crate) today: i32,
    /// The first and the last of them; `None` where they depend on the contact, and two more inputs tell them.
    pub(crate) days: Option<(i32, i32)>,
}

/// Contacts by whether they were under observation. The first input is coverage, the others show that a contact was seen.
#[derive(Debug)]
pub(crate) struct NotObserved {
    pub(crate) days: Unobserved,
}

#[async_trait]
impl SetOperator for NotObserved {
    fn name(&self) -> &'static str {
        "NotObservedExec"
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let Unobserved { zone, today, days: fixed } = self.days;
        let mut possible = BooleanBufferBuilder::new(shard.contacts);
        possible.append_n(shard.contacts, false);
        let mut certain = BooleanBufferBuilder::new(shard.contacts);
        certain.append_n(shard.contacts, false);
        let mut inputs = inputs;
        let ends = match fixed {
            // Nothing is asked.
            Some((first, last)) if first > last => {
                return Ok(ShardSet::new(certain.finish(), possible.finish()));
            }
            Some(_) => None,
            None => {
                let ends = inputs.split_off(inputs.len().saturating_sub(2));
                Some(Ends::read(ends.into_iter(), shard).await?)
            }
        };
        let days_of = |ordinal: usize| fixed.or_else(|| ends.as_ref()?.of(ordinal));
        let mut inputs = inputs.into_iter();
        let Some(coverage) = inputs.next() else { return internal_err!("an observation without coverage") };
        let mut days = LocalDays::new(zone);
        let mut calendar = Calendar::new(Clock { as_of_micros: 0, zone });
        let coverage = PerContact::gather(coverage, shard, |batch| {
            let (at, end): (&Int64Array, &Int64Array) = (column(batch, "at")?, column(batch, "end")?);
            let mut rows = Vec::with_capacity(batch.num_rows());
            for row in 0..batch.num_rows() {
                let (from, _) = days.of(at.value(row))?;
                let to = if end.is_valid(row) { days.of(end.value(row))?.0 } else { today };
                rows.push(Some((from, to)));
            }
            Ok(rows)
        })
        .await?;
        shard.reservation.try_grow(shard.contacts * size_of::<(i32, i32)>())?;
        // First and last day on which a contact was seen; those with coverage are told by that.
        let mut seen = vec![(i32::MAX, i32::MIN); shard.contacts];
        for input in inputs {
            let records = PerContact::gather(input, shard, |batch: &RecordBatch| {
                let at: &Int64Array = column(batch, "at")?;
                let day = |row: usize| days.of(at.value(row)).map(|(day, _)| Some(day));
                (0..batch.num_rows()).map(day).collect()
            })
            .await?;
            for (ordinal, rows) in records.contacts() {
                if let Some((from, to)) = seen.get_mut(ordinal as usize) {
                    *from = rows.iter().map(|(_, day)| *day).min().unwrap_or(i32::MAX).min(*from);
                    *to = rows.iter().map(|(_, day)| *day).max().unwrap_or(i32::MIN).max(*to);
                }
            }
        }
        for (ordinal, rows) in coverage.contacts() {
            let mut stretches: Vec<(i32, i32)> =
                rows.iter().map(|(_, days)| *days).filter(|(from, to)| from <= to).collect();
            stretches.sort_unstable();
            let Some(asked) = days_of(ordinal as usize) else { continue };
            let whole = spans(stretches.into_iter(), Reach::Days(0), asked, &mut calendar);
            if let Some(known) = seen.get_mut(ordinal as usize) {
                *known = if whole { asked } else { (i32::MAX, i32::MIN) };
            }
        }
        for (ordinal, (from, to)) in seen.into_iter().enumerate() {
            // Without a day that is asked about, nothing has to be known; without knowing which they are, nothing is.
            let observed =
                days_of(ordinal).is_some_and(|(first, last)| first > last || from <= first && to >= last);
            possible.set_bit(ordinal, !observed);
        }
        Ok(ShardSet::new(certain.finish(), possible.finish()))
    }
}
