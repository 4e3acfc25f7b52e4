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

use arrow::array::{Array, AsArray, BinaryArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, Field, Schema, SchemaRef, UInt32Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::bits::packed;

use crate::plan::exec::ShardContext;
use crate::sets::ShardSet;
pub(crate) use exec::AmountsExec;
pub(crate) use node::{AmountsNode, Making};

/// The amounts of the contacts of one shard.
#[derive(Debug)]
pub(crate) struct Amounts {
    keys: Keys,
    known: BooleanBuffer,
}

/// By ordinal; what stands in the place of a contact without an amount means nothing.
#[derive(Debug)]
enum Keys {
    /// Numbers of records: a quarter of the bytes.
    Counts(ScalarBuffer<u32>),
    Whole(ScalarBuffer<i128>),
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("shard", DataType::UInt32, false),
        Field::new("counts", DataType::Boolean, false),
        Field::new("keys", DataType::Binary, false),
        Field::new("known", DataType::Binary, false),
    ]))
});

impl Amounts {
    /// From keys by ordinal and for whom they are known.
    pub(crate) fn new(keys: Vec<i128>, known: BooleanBuffer) -> Self {
        debug_assert_eq!(keys.len(), known.len());
        Self { keys: Keys::Whole(keys.into()), known }
    }

    /// From numbers by ordinal, which are known for everybody.
    pub(crate) fn of_counts(counts: Vec<u32>) -> Self {
        let known = BooleanBuffer::new_set(counts.len());
        Self { keys: Keys::Counts(counts.into()), known }
    }

    /// Contacts of the shard.
    pub(crate) fn contacts(&self) -> usize {
        self.known.len()
    }

    /// The key of a contact; `None` when its amount is UNKNOWN.
    pub(crate) fn key(&self, ordinal: usize) -> Option<i128> {
        let known = ordinal < self.known.len() && self.known.value(ordinal);
        let key = match &self.keys {
            Keys::Counts(counts) => counts.get(ordinal).copied().map(i128::from),
            Keys::Whole(keys) => keys.get(ordinal).copied(),
        };
        key.filter(|_| known)
    }

    /// The keys of all contacts, when they are counts, as small numbers.
    pub(crate) fn counts(&self) -> Option<&[u32]> {
        match &self.keys {
            Keys::Counts(counts) => Some(counts),
            Keys::Whole(_) => None,
        }
    }

    /// Whose key is at most this; of UNKNOWN amounts it means nothing.
    pub(crate) fn at_most(&self, most: i128) -> BooleanBuffer {
        match &self.keys {
            Keys::Counts(counts) => match u32::try_from(most) {
                Ok(most) => packed(counts, |count| *count <= most),
                Err(_) if most < 0 => BooleanBuffer::new_unset(counts.len()),
                Err(_) => BooleanBuffer::new_set(counts.len()),
            },
            Keys::Whole(keys) => packed(keys, |key| *key <= most),
        }
    }

    /// Whose key is at least this; of UNKNOWN amounts it means nothing.
    pub(crate) fn at_least(&self, least: i128) -> BooleanBuffer {
        match least.checked_sub(1) {
            Some(below) => !&self.at_most(below),
            None => BooleanBuffer::new_set(self.contacts()),
        }
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

    /// Keys are not copied.
    fn to_batch(&self, shard: u32) -> Result<RecordBatch> {
        let (are_counts, keys) = match &self.keys {
            Keys::Counts(counts) => (true, counts.inner().clone()),
            Keys::Whole(keys) => (false, keys.inner().clone()),
        };
        let keys = BinaryArray::try_new(OffsetBuffer::from_lengths([keys.len()]), keys, None)?;
        Ok(RecordBatch::try_new(
            Self::schema(),
            vec![
                Arc::new(UInt32Array::from(vec![shard])),
                Arc::new(BooleanArray::from(vec![are_counts])),
                Arc::new(keys),
                Arc::new(BinaryArray::from_vec(vec![self.known.sliced().as_slice()])),
            ],
        )?)
    }

    fn from_batch(batch: &RecordBatch) -> Result<(u32, Self)> {
        let malformed = || internal_datafusion_err!("amounts have another shape");
        let [shard, are_counts, keys, known] = batch.columns() else { return Err(malformed()) };
        let shard = shard.as_primitive_opt::<UInt32Type>().ok_or_else(malformed)?;
        let are_counts = are_counts.as_boolean_opt().ok_or_else(malformed)?;
        let bytes = |column: &Arc<dyn Array>| column.as_binary_opt::<i32>().cloned();
        let (keys, known) = bytes(keys).zip(bytes(known)).ok_or_else(malformed)?;
        if batch.num_rows() != 1 {
            return Err(malformed());
        }
        let keys = if are_counts.value(0) {
            Keys::Counts(numbers(&keys).ok_or_else(malformed)?)
        } else {
            Keys::Whole(numbers(&keys).ok_or_else(malformed)?)
        };
        let contacts = match &keys {
            Keys::Counts(counts) => counts.len(),
            Keys::Whole(keys) => keys.len(),
        };
        if known.value(0).len() * 8 < contacts {
            return Err(malformed());
        }
        let known = BooleanBuffer::new(Buffer::from(known.value(0)), 0, contacts);
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

/// The numbers whose bytes are the one value of a column, where they lie; `None` when they cannot be read there.
fn numbers<N: ArrowNativeType>(bytes: &BinaryArray) -> Option<ScalarBuffer<N>> {
    let offsets = bytes.value_offsets();
    let start = usize::try_from(*offsets.first()?).ok()?;
    let length = usize::try_from(*offsets.get(1)?).ok()?.checked_sub(start)?;
    let buffer = bytes.values().slice_with_length(start, length);
    let fits = length.is_multiple_of(size_of::<N>()) && buffer.as_ptr().align_offset(align_of::<N>()) == 0;
    fits.then(|| ScalarBuffer::new(buffer, 0, length / size_of::<N>()))
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
        assert_eq!(back.counts(), None);
        let (shard, back) =
            Amounts::from_batch(&Amounts::of_counts(vec![4, 0, 9]).to_batch(0).unwrap()).unwrap();
        assert_eq!((shard, back.counts()), (0, Some([4, 0, 9].as_slice())));
        assert_eq!((back.key(2), back.key(3)), (Some(9), None));
    }

    #[test]
    fn counts_are_compared_as_any_keys_are() {
        let counts = vec![0, 3, 4, 5, u32::MAX];
        let keys = counts.iter().copied().map(i128::from).collect();
        let (small, whole) =
            (Amounts::of_counts(counts.clone()), Amounts::new(keys, BooleanBuffer::new_set(counts.len())));
        for edge in [i128::MIN, -1, 0, 1, 4, u32::MAX.into(), i128::from(u32::MAX) + 1, i128::MAX] {
            assert_eq!(small.at_most(edge), whole.at_most(edge), "at most {edge}");
            assert_eq!(small.at_least(edge), whole.at_least(edge), "at least {edge}");
            let expected: BooleanBuffer = counts.iter().map(|count| i128::from(*count) >= edge).collect();
            assert_eq!(small.at_least(edge), expected);
        }
    }
}
