//! What shapes the list, once more: chance by the reference semantics, that each value stands once, the limit.

use std::collections::HashSet;

use arrow::array::{Array, RecordBatch, StringArray};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Field, Schema};
use hyperseg_dsl::segment::Segment;
use hyperseg_dsl::semantics::{arm, held_out, sampled};
use hyperseg_dsl::value::Value;

use super::super::stored::value;
use super::{column, unreadable};
use crate::error::{Error, Result};
use crate::plan::recipients::ARM;

/// Every row is in the sample, not held out, and in the arm that it names.
pub(in crate::run) fn by_chance(segment: &Segment, rows: &RecordBatch) -> Result<()> {
    if segment.sample.is_none() && segment.holdout.is_none() && segment.split.is_none() {
        return Ok(());
    }
    let ids: &StringArray = column(rows, "contact_id")?;
    let arms: Option<&StringArray> = segment.split.as_ref().map(|_| column(rows, ARM)).transpose()?;
    let mut wrong = 0_u64;
    for row in 0..rows.num_rows() {
        let id = if ids.is_valid(row) { ids.value(row) } else { "" };
        let out = segment.sample.as_ref().is_some_and(|sample| !sampled(sample, id))
            || segment.holdout.as_ref().is_some_and(|holdout| held_out(holdout, id));
        let own = segment.split.as_ref().and_then(|split| arm(split, id));
        let named = arms.filter(|arms| arms.is_valid(row)).map(|arms| arms.value(row));
        wrong += u64::from(out || own != named);
    }
    if wrong > 0 { Err(Error::Recheck { contacts: wrong }) } else { Ok(()) }
}

/// The values of which each may stand once in the list, among the rows of a shard; those that are missing, and dates that are
/// not fully known, apart.
pub(in crate::run) fn values(
    segment: &Segment,
    rows: &RecordBatch,
    schema: &Schema,
    clock: &Clock,
) -> Result<Vec<String>> {
    let Some(one_per) = &segment.one_per else { return Ok(Vec::new()) };
    let field = schema.contact_field(&one_per.field).ok_or_else(unreadable)?;
    let mut found = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        found.extend(value(rows, field, row)?.and_then(|value| match value {
            // The same when they lie on one local day.
            Value::Time(when) => Some(clock.day_of(when).to_string()),
            // The same as nothing.
            Value::Partial(_) => None,
            other => Some(Field::render(&other)),
        }));
    }
    Ok(found)
}

/// Each value stands once, and there are no more contacts than the limit allows; `released` are they.
pub(in crate::run) fn whole(segment: &Segment, values: &[Vec<String>], released: u64) -> Result<()> {
    let mut seen = HashSet::new();
    let twice = values.iter().flatten().filter(|value| !seen.insert(value.as_str())).count() as u64;
    let most = segment.limit.as_ref().map_or(u64::MAX, |limit| limit.count.into());
    let wrong = twice.max(released.saturating_sub(most));
    if wrong > 0 { Err(Error::Recheck { contacts: wrong }) } else { Ok(()) }
}
