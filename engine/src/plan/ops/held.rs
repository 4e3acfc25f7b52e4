//! Which value a field of contacts held at some instant of a stretch of time, and whether some change lies there.
//!
//! ```text
//! in:   ord 4, changed at 10, old missing, new is the value     stretch from 15 to 30
//!       ord 4, changed at 20, old is the value, new is another
//!       ord 7, changed at 40, old missing, new is the value
//! held: TRUE for 4, UNKNOWN for 7, FALSE for everyone else: those without a change are told by what they say now
//! ```
//!
//! The rows of a contact come in the order of the imports that changed it, whose times never go back.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, Int64Array, RecordBatch};
use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use hyperseg_dsl::value::{When, unpack_time};
use hyperseg_storage::layout::CHANGED_AT;

use super::per_contact::PerContact;
use super::record_set::HasRecord;
use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// A stretch of time in microseconds since the epoch, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    /// Open when there is none.
    pub(crate) first: Option<i64>,
    pub(crate) last: i64,
}

/// Contacts with at least one selected change.
#[derive(Debug)]
pub(crate) struct HasChange;

/// Contacts by what a field of theirs that has changed held in a stretch of time. Two expressions say of each change whether the
/// old value is the one asked for, and whether the new one is; null for a missing one.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) span: Span,
    pub(crate) asked: Vec<Arc<dyn PhysicalExpr>>,
}

#[async_trait]
impl SetOperator for HasChange {
    fn name(&self) -> &'static str {
        "HasChangeExec"
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        HasRecord.run(inputs, shard).await
    }
}

/// A change of a contact.
#[derive(Clone, Copy)]
struct Step {
    /// When, in microseconds since the epoch.
    at: i64,
    /// Its place among all rows.
    place: usize,
    old: Option<bool>,
    new: Option<bool>,
}

#[async_trait]
impl SetOperator for Held {
    fn name(&self) -> &'static str {
        "HeldExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.asked.clone()
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut next = 0;
        let changes =
            PerContact::gather(single(inputs)?, shard, |batch| self.steps(batch, &mut next)).await?;
        let mut certain = BooleanBufferBuilder::new(shard.contacts);
        let mut possible = BooleanBufferBuilder::new(shard.contacts);
        certain.append_n(shard.contacts, false);
        possible.append_n(shard.contacts, false);
        let mut own: Vec<Step> = Vec::new();
        for (ordinal, rows) in changes.contacts() {
            own.clear();
            own.extend(rows.iter().map(|(_, step)| *step));
            own.sort_unstable_by_key(|step| (step.at, step.place));
            let (is_certain, is_possible) = self.span.held(&own);
            certain.set_bit(ordinal as usize, is_certain);
            possible.set_bit(ordinal as usize, is_possible);
        }
        Ok(ShardSet::new(certain.finish(), possible.finish()))
    }
}

impl Held {
    fn steps(&self, batch: &RecordBatch, next: &mut usize) -> Result<Vec<Option<Step>>> {
        let wrong =
            || internal_datafusion_err!("a change that does not say when, or of other than two values");
        let answers = |place: usize| {
            let expr = self.asked.get(place).ok_or_else(wrong)?;
            expr.evaluate(batch)?.into_array(batch.num_rows())
        };
        let (old, new) = (answers(0)?, answers(1)?);
        let flags =
            |array: &dyn Array| array.as_any().downcast_ref::<BooleanArray>().cloned().ok_or_else(wrong);
        let (old, new) = (flags(&old)?, flags(&new)?);
        let at: &Int64Array = column(batch, CHANGED_AT)?;
        let mut steps = Vec::with_capacity(batch.num_rows());
        for (row, (packed, (old, new))) in at.values().iter().zip(old.iter().zip(&new)).enumerate() {
            let Some(When::Instant(at)) = unpack_time(*packed) else { return Err(wrong()) };
            steps.push(Some(Step { at, place: *next + row, old, new }));
        }
        *next += steps.len();
        Ok(steps)
    }
}

impl Span {
    /// Whether the value was held certainly, and possibly; the changes stand in their order.
    fn held(&self, changes: &[Step]) -> (bool, bool) {
        let (mut certain, mut possible) = (false, false);
        let mut take = |value: Option<bool>, since: Option<i64>, until: Option<i64>| {
            let starts = since.max(self.first);
            let ends = until.map_or(self.last, |until| (until - 1).min(self.last));
            if starts.is_none_or(|starts| starts <= ends) {
                certain |= value == Some(true);
                possible |= value != Some(false);
            }
        };
        if let Some(first) = changes.first() {
            take(first.old, None, Some(first.at));
        }
        for (place, change) in changes.iter().enumerate() {
            let until = changes.get(place + 1).map(|next| next.at);
            take(change.new, Some(change.at), until);
        }
        (certain, possible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_held_from_one_change_to_the_next() {
        let step = |place, at, old, new| Step { at, place, old, new };
        let (yes, no, missing) = (Some(true), Some(false), None);
        let changes = [step(0, 10, missing, yes), step(1, 20, yes, no), step(2, 20, no, missing)];
        let held = |first, last| Span { first, last }.held(&changes);
        assert_eq!(held(None, 9), (false, true));
        assert_eq!(held(None, 10), (true, true));
        assert_eq!(held(Some(19), 30), (true, true));
        // What was replaced at the same instant was never held.
        assert_eq!(held(Some(20), 20), (false, true));
        assert_eq!(Span { first: Some(20), last: 30 }.held(&changes[..2]), (false, false));
        assert_eq!(held(Some(15), 14), (false, false));
    }
}
