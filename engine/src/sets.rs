//! Sets of contacts of one shard under three-valued logic.
//!
//! A set keeps two bitmaps over the ordinals of a shard: for whom a criterion is certainly TRUE, and for whom it is
//! possibly TRUE (TRUE or UNKNOWN). FALSE is the rest. With these two, Kleene's and, or and not are plain bit
//! operations, and a complement can never select the unknown:
//!
//! | | certain | possible |
//! |---|---|---|
//! | and | certain ∧ certain | possible ∧ possible |
//! | or | certain ∨ certain | possible ∨ possible |
//! | not | ¬possible | ¬certain |

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, BinaryArray, RecordBatch, UInt32Array};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};

/// TRUE and UNKNOWN of one criterion over the contacts of one shard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShardSet {
    certain: BooleanBuffer,
    possible: BooleanBuffer,
}

/// The contacts of each shard. Those that were forgotten have their ordinals for good, and are in no set.
#[derive(Debug)]
pub(crate) struct Shards {
    contacts: Vec<u32>,
    /// Who was not forgotten; `None` when nobody was.
    present: Vec<Option<ShardSet>>,
}

impl Shards {
    /// From the contacts of each shard, with the ordinals of those that were forgotten. Without a shard there is one
    /// without contacts.
    pub(crate) fn new<'f>(shards: impl Iterator<Item = (u32, &'f [u32])>) -> Arc<Self> {
        let (mut contacts, mut present) = (Vec::new(), Vec::new());
        for (number, forgotten) in shards {
            contacts.push(number);
            let is_present = |ordinal: u32| forgotten.binary_search(&ordinal).is_err();
            let set = || ShardSet::two_valued((0..number).map(is_present).collect());
            present.push((!forgotten.is_empty()).then(set));
        }
        if contacts.is_empty() {
            contacts.push(0);
        }
        Arc::new(Self { contacts, present })
    }

    /// Number of shards.
    pub(crate) fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Ordinals of a shard.
    pub(crate) fn contacts(&self, shard: usize) -> Option<usize> {
        self.contacts.get(shard).map(|contacts| *contacts as usize)
    }

    /// A set of a shard without those that were forgotten.
    pub(crate) fn present(&self, shard: usize, set: ShardSet) -> ShardSet {
        match self.present.get(shard) {
            Some(Some(present)) => set.and(present),
            Some(None) | None => set,
        }
    }
}

/// Rows of a plan of sets: one per shard.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("shard", DataType::UInt32, false),
        Field::new("contacts", DataType::UInt32, false),
        Field::new("certain", DataType::Binary, false),
        Field::new("possible", DataType::Binary, false),
    ]))
});

impl ShardSet {
    /// From the two bitmaps; what is certain is possible too.
    pub(crate) fn new(certain: BooleanBuffer, possible: BooleanBuffer) -> Self {
        debug_assert_eq!(certain.len(), possible.len());
        Self { certain, possible }
    }

    /// A set without UNKNOWN.
    pub(crate) fn two_valued(members: BooleanBuffer) -> Self {
        Self { certain: members.clone(), possible: members }
    }

    /// Everyone or nobody.
    pub(crate) fn constant(contacts: usize, value: bool) -> Self {
        Self::two_valued(if value {
            BooleanBuffer::new_set(contacts)
        } else {
            BooleanBuffer::new_unset(contacts)
        })
    }

    /// For whom it is TRUE.
    pub(crate) fn certain(&self) -> &BooleanBuffer {
        &self.certain
    }

    /// For whom it is TRUE or UNKNOWN.
    pub(crate) fn possible(&self) -> &BooleanBuffer {
        &self.possible
    }

    /// Contacts of the shard.
    pub(crate) fn contacts(&self) -> usize {
        self.certain.len()
    }

    /// Number of contacts for whom it is TRUE.
    pub(crate) fn count_true(&self) -> usize {
        self.certain.count_set_bits()
    }

    /// Number of contacts for whom it is UNKNOWN.
    pub(crate) fn count_unknown(&self) -> usize {
        self.possible.count_set_bits() - self.count_true()
    }

    /// Kleene's and.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self { certain: &self.certain & &other.certain, possible: &self.possible & &other.possible }
    }

    /// Kleene's or.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self { certain: &self.certain | &other.certain, possible: &self.possible | &other.possible }
    }

    /// FALSE for those for whom the other is TRUE, else as it was.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let left = !&other.certain;
        Self { certain: &self.certain & &left, possible: &self.possible & &left }
    }

    /// Kleene's not.
    pub(crate) fn not(&self) -> Self {
        Self { certain: !&self.possible, possible: !&self.certain }
    }

    /// Schema of the row that carries a set.
    pub(crate) fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    /// The row that carries this set.
    pub(crate) fn to_batch(&self, shard: u32) -> Result<RecordBatch> {
        let contacts =
            u32::try_from(self.contacts()).map_err(|_| internal_datafusion_err!("shard too large"))?;
        let bytes = |bits: &BooleanBuffer| BinaryArray::from_vec(vec![bits.sliced().as_slice()]);
        let batch = RecordBatch::try_new(
            Self::schema(),
            vec![
                Arc::new(UInt32Array::from(vec![shard])),
                Arc::new(UInt32Array::from(vec![contacts])),
                Arc::new(bytes(&self.certain)),
                Arc::new(bytes(&self.possible)),
            ],
        )?;
        Ok(batch)
    }

    /// Shard and set of a row made by [`Self::to_batch`].
    pub(crate) fn from_batch(batch: &RecordBatch) -> Result<(u32, Self)> {
        let malformed = || internal_datafusion_err!("a set of contacts has another shape");
        let [shard, contacts, certain, possible] = batch.columns() else { return Err(malformed()) };
        if batch.num_rows() != 1 {
            return Err(malformed());
        }
        let number = |column: &Arc<dyn Array>| {
            column.as_any().downcast_ref::<UInt32Array>().map(|array| array.value(0)).ok_or_else(malformed)
        };
        let length = usize::try_from(number(contacts)?).map_err(|_| malformed())?;
        let bits = |column: &Arc<dyn Array>| -> Result<BooleanBuffer, DataFusionError> {
            let array = column.as_any().downcast_ref::<BinaryArray>().ok_or_else(malformed)?;
            let bytes = array.value(0);
            if bytes.len() * 8 < length {
                return Err(malformed());
            }
            Ok(BooleanBuffer::new(Buffer::from(bytes), 0, length))
        };
        Ok((number(shard)?, Self { certain: bits(certain)?, possible: bits(possible)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(truths: &str) -> ShardSet {
        let certain = truths.chars().map(|truth| truth == 'T').collect();
        let possible = truths.chars().map(|truth| truth != 'F').collect();
        ShardSet::new(certain, possible)
    }

    #[test]
    fn logic_is_kleenes() {
        let (a, b) = (set("TTTUUUFFF"), set("TUFTUFTUF"));
        assert_eq!(a.and(&b), set("TUFUUFFFF"));
        assert_eq!(a.or(&b), set("TTTTUUTUF"));
        assert_eq!(a.not(), set("FFFUUUTTT"));
        assert_eq!(a.without(&b), set("FTTFUUFFF"));
        assert_eq!((a.count_true(), a.count_unknown()), (3, 3));
    }

    #[test]
    fn rows_carry_sets() {
        let a = set("TUFFTUTUFTTTUU");
        let (shard, back) = ShardSet::from_batch(&a.to_batch(7).unwrap()).unwrap();
        assert_eq!((shard, back), (7, a));
        let empty = ShardSet::constant(0, true);
        assert_eq!(ShardSet::from_batch(&empty.to_batch(0).unwrap()).unwrap().1, empty);
    }
}
