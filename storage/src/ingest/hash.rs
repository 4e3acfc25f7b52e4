//! Keyed hashes of the importer: SipHash-2-4 with 128 bits where equal must mean the same, faster keyed folds for the
//! content of contacts and for the short numbers by which records are found.
//!
//! In: bytes and storage-encoded columns. Out: numbers that mean nothing without the dataset's key. They are stored
//! inside encrypted files only; the key keeps a source from steering two rows onto one number. SipHash is the function
//! of Aumasson and Bernstein (2012) in its 128-bit form, checked against the authors' vectors below.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow::record_batch::RecordBatch;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::layout::RECORD_HASH_BYTES;

/// Key of [`Hasher`]: made once per dataset, the same in every import.
#[derive(Clone)]
pub(crate) struct Hasher {
    sip: (u64, u64),
    fold: [u64; 4],
    /// Bits of the numbers by which records are found.
    finder: u64,
}

/// Bits that a number by which records are found has.
const FINDER_MASK: u64 = (1 << (8 * RECORD_HASH_BYTES)) - 1;

impl Hasher {
    /// That of a dataset.
    pub(crate) fn of(dataset: &Dataset) -> Result<Self> {
        Ok(Self::new(&dataset.keyring().row_hash_key()?.mac(b"row hashes v1")))
    }

    /// From 32 secret bytes.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let mut words = [0_u64; 4];
        for (word, bytes) in words.iter_mut().zip(secret.chunks_exact(8)) {
            *word = bytes.try_into().map_or(0, u64::from_le_bytes);
        }
        let [k0, k1, k2, k3] = words;
        let fold = [k2 | 1, k3 | 1, k0.rotate_left(23) ^ k3, k1.rotate_left(41) ^ k2];
        Self { sip: (k0, k1), fold, finder: FINDER_MASK }
    }

    /// 128-bit identity of a byte string.
    pub(crate) fn identity(&self, bytes: &[u8]) -> u128 {
        siphash_2_4_128(self.sip, bytes)
    }

    /// Number by which a record with an id is found; `source` is [`Self::source`] of its source.
    pub(crate) fn record(&self, source: u64, record_id: &[u8]) -> u64 {
        self.finder & short(self.sip, source, record_id)
    }

    /// What a source adds to the numbers of its records.
    pub(crate) fn source(&self, source: Option<&str>) -> u64 {
        short(self.sip, self.fold[2], source.unwrap_or_default().as_bytes())
    }

    /// Number by which a record without id is found: the fold of its row, and its contact.
    pub(crate) fn row(&self, fold: [u64; 2], ordinal: u32) -> u64 {
        self.finder & short(self.sip, fold[0] ^ fold[1].rotate_left(32), &ordinal.to_le_bytes())
    }

    /// A digest that takes values piece by piece.
    pub(crate) fn digest(&self) -> Sip {
        Sip::new(self.sip)
    }

    /// A hasher with which many records have the same number.
    #[cfg(test)]
    pub(crate) fn weakened(&self, bits: u32) -> Self {
        Self { finder: (1 << bits) - 1, ..self.clone() }
    }

    /// For every row of a batch two independent 64-bit folds of all its columns, in the columns' order.
    ///
    /// Missing values do not take part: a column that is added later, and missing in old rows, leaves the fold of
    /// old rows as it was. Each value is bound to its column by a fold of the column's name.
    pub(crate) fn rows(&self, batch: &RecordBatch, skip: &[&str]) -> Vec<[u64; 2]> {
        let mut rows = vec![[self.fold[2], self.fold[3]]; batch.num_rows()];
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if skip.contains(&field.name().as_str()) || column.null_count() == column.len() {
                continue;
            }
            let name = self.identity(field.name().as_bytes());
            self.column(&mut rows, [name as u64, (name >> 64) as u64], column.as_ref());
        }
        rows
    }

    fn column(&self, rows: &mut [[u64; 2]], name: [u64; 2], column: &dyn Array) {
        match column.data_type() {
            DataType::Int16 => {
                let values = column.as_primitive::<Int16Type>();
                self.each(rows, name, column, |i| values.value(i) as u64);
            }
            DataType::Int32 => {
                let values = column.as_primitive::<Int32Type>();
                self.each(rows, name, column, |i| values.value(i) as u64);
            }
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>();
                self.each(rows, name, column, |i| values.value(i) as u64);
            }
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>();
                self.each(rows, name, column, |i| values.value(i).to_bits());
            }
            DataType::Boolean => {
                let values = column.as_boolean();
                self.each(rows, name, column, |i| u64::from(values.value(i)));
            }
            DataType::Utf8 => {
                let values = column.as_string::<i32>();
                for (i, row) in rows.iter_mut().enumerate() {
                    if values.is_valid(i) {
                        self.bytes(row, name, values.value(i).as_bytes());
                    }
                }
            }
            DataType::List(_) => {
                let values = column.as_list::<i32>();
                for (i, row) in rows.iter_mut().enumerate() {
                    if values.is_valid(i) {
                        let items = values.value(i);
                        for item in items.as_primitive::<Int16Type>().values() {
                            self.word(row, name, *item as u64);
                        }
                        self.word(row, name, items.len() as u64);
                    }
                }
            }
            // The layout has no other type.
            _ => {}
        }
    }

    fn each(&self, rows: &mut [[u64; 2]], name: [u64; 2], column: &dyn Array, value: impl Fn(usize) -> u64) {
        for (i, row) in rows.iter_mut().enumerate() {
            if column.is_valid(i) {
                self.word(row, name, value(i));
            }
        }
    }

    fn bytes(&self, row: &mut [u64; 2], name: [u64; 2], bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(row, name, chunk.try_into().map_or(0, u64::from_le_bytes));
        }
        self.word(row, name, little_endian(chunks.remainder()));
        self.word(row, name, bytes.len() as u64);
    }

    fn word(&self, row: &mut [u64; 2], name: [u64; 2], word: u64) {
        row[0] = fold(row[0] ^ word, self.fold[0] ^ name[0]);
        row[1] = fold(row[1].rotate_left(29) ^ word ^ name[1], self.fold[1]);
    }
}

/// Folded multiplication: both halves of the 128-bit product.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b | 1));
    (product as u64) ^ ((product >> 64) as u64) ^ a.rotate_left(32)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Fold of a few bytes, sixteen at a time. Every bit of them takes part.
fn short((k0, k1): (u64, u64), seed: u64, bytes: &[u8]) -> u64 {
    let word = |half: &[u8]| half.try_into().map_or(0, u64::from_le_bytes);
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut chunks = bytes.chunks_exact(16);
    for chunk in &mut chunks {
        let (low, high) = chunk.split_at(8);
        state = mix(word(low) ^ k0, word(high) ^ state);
    }
    let rest = chunks.remainder();
    let (low, high) = rest.split_at(rest.len().min(8));
    state = mix(little_endian(low) ^ k0, little_endian(high) ^ state);
    mix(state ^ k1, state.rotate_left(32) ^ k0)
}

/// Both halves of the product.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product as u64) ^ ((product >> 64) as u64)
}

/// SipHash-2-4-128 of 64-bit words that come one by one.
#[derive(Clone, Copy)]
pub(crate) struct Sip {
    v: [u64; 4],
}

impl Sip {
    fn new((k0, k1): (u64, u64)) -> Self {
        Self {
            v: [
                k0 ^ 0x736f_6d65_7073_6575,
                k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
                k0 ^ 0x6c79_6765_6e65_7261,
                k1 ^ 0x7465_6462_7974_6573,
            ],
        }
    }

    /// Takes a text: its length, then its bytes in words.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.word(text.len() as u64);
        let mut chunks = text.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(chunk.try_into().map_or(0, u64::from_le_bytes));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            self.word(little_endian(rest));
        }
    }

    /// The digest of all words, as of a message that ends with a whole word.
    pub(crate) fn digest(mut self) -> u128 {
        self.word(0);
        self.halves()
    }

    fn halves(&mut self) -> u128 {
        self.v[2] ^= 0xee;
        let low = self.finish();
        self.v[1] ^= 0xdd;
        let high = self.finish();
        u128::from(low) | u128::from(high) << 64
    }

    fn round(&mut self) {
        let [mut v0, mut v1, mut v2, mut v3] = self.v;
        v0 = v0.wrapping_add(v1);
        v1 = v1.rotate_left(13) ^ v0;
        v0 = v0.rotate_left(32);
        v2 = v2.wrapping_add(v3);
        v3 = v3.rotate_left(16) ^ v2;
        v0 = v0.wrapping_add(v3);
        v3 = v3.rotate_left(21) ^ v0;
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(17) ^ v2;
        v2 = v2.rotate_left(32);
        self.v = [v0, v1, v2, v3];
    }

    /// Takes a word.
    pub(crate) fn word(&mut self, word: u64) {
        self.v[3] ^= word;
        self.round();
        self.round();
        self.v[0] ^= word;
    }

    fn finish(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.v[0] ^ self.v[1] ^ self.v[2] ^ self.v[3]
    }
}

fn siphash_2_4_128(key: (u64, u64), bytes: &[u8]) -> u128 {
    let mut sip = Sip::new(key);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        sip.word(chunk.try_into().map_or(0, u64::from_le_bytes));
    }
    sip.word((bytes.len() as u64) << 56 | little_endian(chunks.remainder()));
    sip.halves()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int16Array, StringArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn vector(length: u8) -> String {
        let key: Vec<u8> = (0..16).collect();
        let word = |at: usize| u64::from_le_bytes(key[at..at + 8].try_into().unwrap());
        let input: Vec<u8> = (0..length).collect();
        hex::encode(siphash_2_4_128((word(0), word(8)), &input).to_le_bytes())
    }

    #[test]
    fn siphash_matches_the_authors_vectors() {
        assert_eq!(vector(0), "a3817f04ba25a8e66df67214c7550293");
        assert_eq!(vector(1), "da87c1d86b99af44347659119b22fc45");
        assert_eq!(vector(2), "8177228da4a45dc7fca38bdef60affe4");
    }

    fn batch(texts: &[Option<&str>], numbers: &[Option<i16>]) -> RecordBatch {
        let fields = vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Int16, true)];
        let columns: Vec<Arc<dyn Array>> =
            vec![Arc::new(StringArray::from(texts.to_vec())), Arc::new(Int16Array::from(numbers.to_vec()))];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    #[test]
    fn folds_tell_rows_apart_and_depend_on_the_key() {
        let texts = [Some("x"), Some("x"), None, Some("x\0"), Some(""), Some("12345678"), Some("x")];
        let numbers = [Some(1), Some(2), Some(1), Some(1), Some(1), Some(1), Some(1)];
        let batch = batch(&texts, &numbers);
        let hasher = Hasher::new(&[7; 32]);
        let rows = hasher.rows(&batch, &[]);
        assert_eq!(rows[0], rows[6]);
        for lane in 0..2 {
            let mut distinct: Vec<u64> = rows[..6].iter().map(|row| row[lane]).collect();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), 6);
        }
        assert_ne!(Hasher::new(&[8; 32]).rows(&batch, &[])[0], rows[0]);
        assert_eq!(hasher.rows(&batch, &["b"])[0], hasher.rows(&batch, &["b"])[1]);
    }
}
