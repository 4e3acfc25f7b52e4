//! What chance decided, once more by the reference semantics.

use arrow::array::{Array, RecordBatch, StringArray};
use hyperseg_dsl::segment::Segment;
use hyperseg_dsl::semantics::{arm, held_out, sampled};

use super::column;
use crate::error::{Error, Result};
use crate::plan::recipients::ARM;

/// Every row is in the sample, not held out, and in the arm that it names.
pub(in crate::run) fn check(segment: &Segment, rows: &RecordBatch) -> Result<()> {
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
