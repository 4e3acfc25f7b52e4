//! A number for each contact, by which contacts are ordered.
//!
//! ```text
//! in:   ord 4 amount 10.00     ord 4 amount 2.50     ord 7 amount missing       sum
//! out:  one row for the shard: 4 → 1250, nobody else has an amount
//! ```
//!
//! Numbers of one amount are turned into whole numbers that are ordered as they are, so that whoever compares them need
//! not know what they were.

mod exec;
mod extreme;
mod fold;
mod node;

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, BinaryArray, RecordBatch, UInt32Array};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;

use crate::plan::exec::ShardContext;
use crate::sets::ShardSet;
pub(crate) use exec::AmountsExec;
pub(crate) use node::{AmountsNode, Making};

/// Bytes of a key.
const KEY_BYTES: usize = size_of::<i128>();

/// The amounts of the contacts of one shard.
#[derive(Debug)]
pub(crate) struct Amounts {
    /// By ordinal; what stands in the place of a contact without an amount means nothing.
    keys: Vec<i128>,
    known: BooleanBuffer,
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("shard", DataType::UInt32, false),
        Field::new("keys", DataType::Binary, false),
        Field::new("known", DataType::Binary, false),
    ]))
});

impl Amounts {
    /// From keys by ordinal and for whom they are known.
    pub(crate) fn new(keys: Vec<i128>, known: BooleanBuffer) -> Self {
        debug_assert_eq!(keys.len(), known.len());
        Self { keys, known }
    }

    /// Contacts of the shard.
    pub(crate) fn contacts(&self) -> usize {
        self.keys.len()
    }

    /// The key of a contact; `None` when its amount is UNKNOWN.
    pub(crate) fn key(&self, ordinal: usize) -> Option<i128> {
        let known = ordinal < self.known.len() && self.known.value(ordinal);
        self.keys.get(ordinal).copied().filter(|_| known)
    }

    /// The keys of all contacts; those of UNKNOWN amounts mean nothing.
    pub(crate) fn keys(&self) -> &[i128] {
        &self.keys
    }

    /// Whose amounts are known.
    pub(crate) fn known(&self) -> &BooleanBuffer {
        &self.known
    }

    /// Without those of contacts that were forgotten.
    fn present(self, shard: &ShardContext) -> Self {
        let known = shard.present(ShardSet::two_valued(self.known)).certain().clone();
        Self { known, ..self }
    }

    /// Those of the contacts for whom the set is TRUE.
    fn of(self, set: &ShardSet) -> Self {
        let known = &self.known & set.certain();
        Self { known, ..self }
    }

    /// Schema of the row that carries them.
    pub(crate) fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn to_batch(&self, shard: u32) -> Result<RecordBatch> {
        let mut bytes = Vec::with_capacity(self.keys.len() * KEY_BYTES);
        for key in &self.keys {
            bytes.extend_from_slice(&key.to_le_bytes());
        }
        Ok(RecordBatch::try_new(
            Self::schema(),
            vec![
                Arc::new(UInt32Array::from(vec![shard])),
                Arc::new(BinaryArray::from_vec(vec![bytes.as_slice()])),
                Arc::new(BinaryArray::from_vec(vec![self.known.sliced().as_slice()])),
            ],
        )?)
    }

    fn from_batch(batch: &RecordBatch) -> Result<(u32, Self)> {
        let malformed = || internal_datafusion_err!("amounts have another shape");
        let [shard, keys, known] = batch.columns() else { return Err(malformed()) };
        let shard = shard.as_any().downcast_ref::<UInt32Array>().ok_or_else(malformed)?;
        let bytes = |column: &Arc<dyn Array>| column.as_any().downcast_ref::<BinaryArray>().cloned();
        let (keys, known) = bytes(keys).zip(bytes(known)).ok_or_else(malformed)?;
        if batch.num_rows() != 1 {
            return Err(malformed());
        }
        let (chunks, rest) = keys.value(0).as_chunks::<KEY_BYTES>();
        let keys: Vec<i128> = chunks.iter().map(|chunk| i128::from_le_bytes(*chunk)).collect();
        if !rest.is_empty() || known.value(0).len() * 8 < keys.len() {
            return Err(malformed());
        }
        let known = BooleanBuffer::new(Buffer::from(known.value(0)), 0, keys.len());
        Ok((shard.value(0), Self { keys, known }))
    }

    /// The amounts that a stream carries, of a shard of so many contacts.
    pub(crate) async fn read(
        mut input: SendableRecordBatchStream,
        shard: usize,
        contacts: usize,
    ) -> Result<Self> {
        let mut found: Option<Self> = None;
        while let Some(batch) = input.try_next().await? {
            let (number, amounts) = Self::from_batch(&batch)?;
            if number as usize != shard || amounts.contacts() != contacts || found.replace(amounts).is_some()
            {
                return Err(internal_datafusion_err!("amounts arrived in another shard's partition"));
            }
        }
        found.ok_or_else(|| internal_datafusion_err!("amounts did not arrive"))
    }
}

/// A double as a whole number that is ordered as it is.
pub(crate) fn key_of(real: f64) -> i128 {
    // Zero has two forms.
    let bits = (real + 0.0).to_bits().cast_signed();
    i128::from(bits ^ (((bits >> 63).cast_unsigned() >> 1).cast_signed()))
}

/// The double whose key this is.
pub(crate) fn real_of(key: i128) -> f64 {
    let key = i64::try_from(key).unwrap_or(0);
    f64::from_bits((key ^ (((key >> 63).cast_unsigned() >> 1).cast_signed())).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_their_numbers() {
        let numbers = [f64::MIN, -1e300, -2.5, -2.0, -1e-300, 0.0, 1e-300, 0.1, 1.0, 2.5, 1e300, f64::MAX];
        assert!(numbers.map(key_of).is_sorted_by(|a, b| a < b));
        assert!(numbers.iter().all(|number| real_of(key_of(*number)).to_bits() == number.to_bits()));
        assert_eq!(key_of(-0.0), key_of(0.0));
    }

    #[test]
    fn rows_carry_amounts() {
        let known: BooleanBuffer = [true, false, true].into_iter().collect();
        let amounts = Amounts::new(vec![i128::MIN, 7, 1 << 100], known);
        let (shard, back) = Amounts::from_batch(&amounts.to_batch(3).unwrap()).unwrap();
        assert_eq!(shard, 3);
        let keys: Vec<Option<i128>> = (0..4).map(|ordinal| back.key(ordinal)).collect();
        assert_eq!(keys, [Some(i128::MIN), None, Some(1 << 100), None]);
    }
}
