//! Existence and number of selected records.
//!
//! ```text
//! in:   ord 4, 7, 4            one row for each selected record
//! has:  TRUE for 4 and 7       count: 4 → 2, 7 → 1, everyone else 0
//! ```
//!
//! The state is dense, one bit or one number per contact of the shard; nothing is hashed or sorted.

use arrow::array::UInt32Array;
use arrow::buffer::{BooleanBuffer, Buffer};
use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::bits::packed_by;
use hyperseg_storage::layout::ORDINAL;

use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// Contacts with at least one selected record.
#[derive(Debug)]
pub(crate) struct HasRecord;

/// Contacts by the number of selected records.
#[derive(Debug)]
pub(crate) struct CountRecords {
    /// Which numbers are TRUE.
    pub(crate) test: CountTest,
}

/// Numbers that satisfy a test on a count: inclusive ranges, none for a test that no count satisfies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CountTest(pub(crate) Vec<(u32, u32)>);

impl CountTest {
    pub(super) fn holds(&self, count: u32) -> bool {
        self.0.iter().any(|&(low, high)| low <= count && count <= high)
    }

    /// Whether numbers from 255 on need not be told apart.
    fn fits_bytes(&self) -> bool {
        let small = u32::from(u8::MAX);
        self.0.iter().all(|&(low, high)| low <= small && (high < small || high == u32::MAX))
    }
}

#[async_trait]
impl SetOperator for HasRecord {
    fn name(&self) -> &'static str {
        "HasRecordExec"
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut input = single(inputs)?;
        let words = shard.contacts.div_ceil(64);
        shard.reservation.try_grow(words * 8)?;
        let mut found = vec![0_u64; words];
        let rows = shard.counter("rows");
        while let Some(batch) = input.try_next().await? {
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            rows.add(ordinals.values().len());
            for &ordinal in ordinals.values() {
                match found.get_mut(ordinal as usize >> 6) {
                    Some(word) => *word |= 1 << (ordinal & 63),
                    None => return beyond(),
                }
            }
        }
        let spare = words * 64 - shard.contacts;
        if found.last().is_some_and(|last| last.leading_zeros() < u32::try_from(spare).unwrap_or(u32::MAX)) {
            return beyond();
        }
        Ok(ShardSet::two_valued(BooleanBuffer::new(Buffer::from_vec(found), 0, shard.contacts)))
    }
}

#[async_trait]
impl SetOperator for CountRecords {
    fn name(&self) -> &'static str {
        "CountRecordsExec"
    }

    fn likely(&self, inputs: &[u64], contacts: u64) -> u64 {
        let with_some = inputs.iter().sum::<u64>().min(contacts);
        if self.test.holds(0) { contacts - with_some } else { with_some }
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let input = single(inputs)?;
        if self.test.fits_bytes() {
            let counts = counts(input, shard, |count: &mut u8| *count = count.saturating_add(1)).await?;
            let byte = |count: u32| u8::try_from(count).unwrap_or(u8::MAX);
            let ranges: Vec<_> = self.test.0.iter().map(|&(low, high)| (byte(low), byte(high))).collect();
            Ok(ShardSet::two_valued(in_ranges(&counts, &ranges)))
        } else {
            let counts = counts(input, shard, |count: &mut u32| *count = count.saturating_add(1)).await?;
            Ok(ShardSet::two_valued(in_ranges(&counts, &self.test.0)))
        }
    }
}

/// A bitmap of the counts that lie in one of some ranges, each inclusive.
fn in_ranges<C: Copy + PartialOrd>(counts: &[C], ranges: &[(C, C)]) -> BooleanBuffer {
    packed_by(counts, |counts, flags| {
        for (low, high) in ranges {
            for (flag, count) in flags.iter_mut().zip(counts) {
                *flag |= u8::from((low <= count) & (count <= high));
            }
        }
    })
}

/// How many rows each contact has.
pub(crate) async fn row_counts(input: SendableRecordBatchStream, shard: &ShardContext) -> Result<Vec<u32>> {
    counts(input, shard, |count: &mut u32| *count = count.saturating_add(1)).await
}

/// Counts the rows of each contact.
async fn counts<C: Clone + Default>(
    mut input: SendableRecordBatchStream,
    shard: &ShardContext,
    add_one: impl Fn(&mut C),
) -> Result<Vec<C>> {
    shard.reservation.try_grow(shard.contacts * size_of::<C>())?;
    let mut counts = vec![C::default(); shard.contacts];
    let rows = shard.counter("rows");
    while let Some(batch) = input.try_next().await? {
        let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
        rows.add(ordinals.values().len());
        for &ordinal in ordinals.values() {
            match counts.get_mut(ordinal as usize) {
                Some(count) => add_one(count),
                None => return beyond(),
            }
        }
    }
    Ok(counts)
}

fn beyond<T>() -> Result<T> {
    internal_err!("an ordinal beyond its shard")
}
