//! Whether the day of the latest or of the earliest selected record lies in a window of whole days.
//!
//! ```text
//! in:   ord 4 beyond, ord 4 inside      ord 7 inside      ord 9 neither          one row for each selected record
//! out:  FALSE for 4 and 9, TRUE for 7, UNKNOWN for everyone without a selected record
//! ```
//!
//! Beyond is before the window for the earliest and after it for the latest. The order of records is by local days first,
//! so that all records that could be the one lie in the window together or do not: no times have to be compared, and the
//! scan reads them only in blocks in which the window begins or ends. `latest` with any other test: [`super::extreme`].

use arrow::array::{Array, BooleanArray, UInt32Array};
use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;
use crate::table::asked;

/// Contacts by the day of a record. The scan answers two questions for each: beyond, inside.
#[derive(Debug)]
pub(crate) struct ExtremeDay {
    /// Of the latest rather than of the earliest.
    pub(crate) latest: bool,
}

/// What was seen of a contact, as bits.
const SOME: u8 = 1;
const BEYOND: u8 = 2;
const INSIDE: u8 = 4;

#[async_trait]
impl SetOperator for ExtremeDay {
    fn name(&self) -> &'static str {
        if self.latest { "LatestDayExec" } else { "EarliestDayExec" }
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        shard.reservation.try_grow(shard.contacts)?;
        let mut contacts = vec![0_u8; shard.contacts];
        let rows = shard.counter("rows");
        while let Some(batch) = input.try_next().await? {
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            let beyond: &BooleanArray = column(&batch, &asked(0))?;
            let inside: &BooleanArray = column(&batch, &asked(1))?;
            rows.add(batch.num_rows());
            if beyond.null_count() > 0 || inside.null_count() > 0 {
                return internal_err!("a day that neither is nor is not in a window");
            }
            // As a rule all rows of a block are beyond, or inside, or neither.
            let all = |answers: &BooleanArray| match answers.true_count() {
                0 => Some(false),
                count if count == answers.len() => Some(true),
                _ => None,
            };
            let mut see = |ordinal: u32, seen: u8| match contacts.get_mut(ordinal as usize) {
                Some(contact) => {
                    *contact |= seen;
                    Ok(())
                }
                None => Err(internal_datafusion_err!("an ordinal beyond its shard")),
            };
            if let (Some(beyond), Some(inside)) = (all(beyond), all(inside)) {
                let seen = bits(beyond, inside);
                ordinals.values().iter().try_for_each(|&ordinal| see(ordinal, seen))?;
            } else {
                let seen =
                    beyond.values().iter().zip(inside.values()).map(|(beyond, inside)| bits(beyond, inside));
                ordinals.values().iter().zip(seen).try_for_each(|(&ordinal, seen)| see(ordinal, seen))?;
            }
        }
        let certain = packed(&contacts, |seen| *seen & (BEYOND | INSIDE) == INSIDE);
        let possible = packed(&contacts, |seen| *seen & (BEYOND | INSIDE) == INSIDE || *seen == 0);
        Ok(ShardSet::new(certain, possible))
    }
}

fn bits(beyond: bool, inside: bool) -> u8 {
    SOME | if beyond { BEYOND } else { 0 } | if inside { INSIDE } else { 0 }
}
