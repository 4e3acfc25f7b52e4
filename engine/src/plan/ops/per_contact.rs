//! The selected records of every contact, each contact's together.
//!
//! The state is as large as what is kept of the records; nothing is hashed.

use arrow::array::{RecordBatch, UInt32Array};
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::layout::ORDINAL;

use crate::plan::exec::{ShardContext, column};

/// What is kept of records, by contact.
pub(super) struct PerContact<T> {
    rows: Vec<(u32, T)>,
}

impl<T> PerContact<T> {
    /// Reads an input; `of` says what is kept of each row of a batch, or that it is of no use.
    pub(super) async fn gather(
        mut input: SendableRecordBatchStream,
        shard: &ShardContext,
        mut of: impl FnMut(&RecordBatch) -> Result<Vec<Option<T>>> + Send,
    ) -> Result<Self>
    where
        T: Send,
    {
        let mut rows: Vec<(u32, T)> = Vec::new();
        let counter = shard.counter("rows");
        while let Some(batch) = input.try_next().await? {
            counter.add(batch.num_rows());
            shard.reservation.try_grow(batch.num_rows() * size_of::<(u32, T)>())?;
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            let kept = of(&batch)?;
            if kept.len() != ordinals.values().len() {
                return internal_err!("rows that are more or fewer than their batch");
            }
            for (&ordinal, kept) in ordinals.values().iter().zip(kept) {
                if ordinal as usize >= shard.contacts {
                    return Err(internal_datafusion_err!("an ordinal beyond its shard"));
                }
                rows.extend(kept.map(|kept| (ordinal, kept)));
            }
        }
        rows.sort_unstable_by_key(|(ordinal, _)| *ordinal);
        Ok(Self { rows })
    }

    /// Every contact that has records, with those.
    pub(super) fn contacts(&self) -> impl Iterator<Item = (u32, &[(u32, T)])> {
        let same = |one: &(u32, T), other: &(u32, T)| one.0 == other.0;
        self.rows.chunk_by(same).filter_map(|own| own.first().map(|(ordinal, _)| (*ordinal, own)))
    }
}
