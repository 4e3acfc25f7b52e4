//! Whom consent forbids to approach.
//!
//! ```text
//! in:   ord 4 grant 1 Jan    ord 4 revoke 5 Mar    ord 7 grant 1 Feb        purpose marketing
//! out:  blocked TRUE for everyone but 7
//! ```
//!
//! The scan hands over the records of the channel and purpose, or of all channels or purposes, without grants that are
//! limited to something. The latest moment
//! decides; a refusal known only to the day counts from the day's end, a grant from its start, so that a doubt
//! within a day is always a refusal.

use arrow::array::{Array, Int16Array, Int64Array, UInt32Array};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::value::{When, unpack_time};
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// What a release needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Consent {
    /// An unexpired grant, rather than only the absence of a refusal.
    pub(crate) needs_grant: bool,
    /// Place of `grant` among the categories of `decision`.
    pub(crate) grant: i16,
    /// The gate's clock.
    pub(crate) as_of_micros: i64,
    /// Zone of local days.
    pub(crate) zone: Tz,
}

/// Contacts that must not be approached.
#[derive(Debug)]
pub(crate) struct ConsentBlocks {
    /// What a release needs.
    pub(crate) consent: Consent,
}

#[derive(Clone, Copy, Debug)]
struct State {
    moment: i64,
    refused: bool,
    granted: bool,
}

#[async_trait]
impl SetOperator for ConsentBlocks {
    fn name(&self) -> &'static str {
        "ConsentBlocksExec"
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        shard.reservation.try_grow(shard.contacts * size_of::<State>())?;
        let nothing = State { moment: i64::MIN, refused: false, granted: false };
        let mut states = vec![nothing; shard.contacts];
        let clock = Clock { as_of_micros: self.consent.as_of_micros, zone: self.consent.zone };
        let rows = shard.counter("rows");
        while let Some(batch) = input.try_next().await? {
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            let at: &Int64Array = column(&batch, "at")?;
            let end: &Int64Array = column(&batch, "end")?;
            let decision: &Int16Array = column(&batch, "decision")?;
            rows.add(batch.num_rows());
            for (row, (&ordinal, &at)) in ordinals.values().iter().zip(at.values()).enumerate() {
                let grant = decision.is_valid(row) && decision.value(row) == self.consent.grant;
                let moment = match unpack_time(at).ok_or_else(unreadable)? {
                    When::Instant(micros) => micros,
                    When::Day(day) if grant => clock.start_of_day(day),
                    When::Day(day) => day.succ_opt().map_or(i64::MAX, |next| clock.start_of_day(next) - 1),
                };
                let unexpired = grant && (end.is_null(row) || ends_after(end.value(row), &clock)?);
                let state = states
                    .get_mut(ordinal as usize)
                    .ok_or_else(|| internal_datafusion_err!("an ordinal beyond its shard"))?;
                if moment > state.moment {
                    *state = State { moment, refused: false, granted: false };
                }
                if moment == state.moment {
                    state.refused |= !grant;
                    state.granted |= unexpired;
                }
            }
        }
        let needs_grant = self.consent.needs_grant;
        let blocked = |state: &State| state.refused || (needs_grant && !state.granted);
        Ok(ShardSet::two_valued(packed(&states, blocked)))
    }
}

/// A grant with this end still holds.
fn ends_after(packed: i64, clock: &Clock) -> Result<bool> {
    Ok(match unpack_time(packed).ok_or_else(unreadable)? {
        When::Instant(micros) => micros > clock.as_of_micros,
        When::Day(day) => day >= clock.today(),
    })
}

fn unreadable() -> datafusion::common::DataFusionError {
    internal_datafusion_err!("a moment of unknown precision")
}
