//! Whether two rows are the same record, and whether they say the same.
//!
//! In: some rows of a partition, column by column. Out: two 128-bit digests of each, recomputed from what is stored or
//! incoming: of the identity (source and record id; without an id all that the row says), and of the content (all that
//! it says, contact included). SipHash under the dataset's key: equal digests mean equal rows.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int16Type, Int32Type, Int64Type};

use super::hash::{Hasher, Sip};
use super::texts::Texts;

/// What a row is and says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Digests {
    /// Source and record id, or `None`: then the content is the identity.
    pub(super) id: Option<u128>,
    pub(super) content: u128,
    /// Ordinal of the contact.
    pub(super) contact: u32,
}

impl Digests {
    /// Whether two rows are one record.
    pub(super) fn same_record(&self, other: &Self) -> bool {
        self.id == other.id && (self.id.is_some() || self.content == other.content)
    }

    /// Whether two rows of one record say the same. Contents name the contact by its place in its shard only.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.content == other.content && self.contact == other.contact
    }
}

/// Digests in the making.
pub(super) struct Digester<'h> {
    hasher: &'h Hasher,
    contacts: Vec<u32>,
    contents: Vec<Sip>,
    ids: Vec<Sip>,
    has_id: Vec<bool>,
}

impl<'h> Digester<'h> {
    /// Of rows of the contacts with these ordinals.
    pub(super) fn new(hasher: &'h Hasher, ordinals: impl Iterator<Item = u32>) -> Self {
        let contacts: Vec<u32> = ordinals.collect();
        let contents: Vec<Sip> = contacts
            .iter()
            .map(|ordinal| {
                let mut content = hasher.digest();
                content.word(u64::from(*ordinal));
                content
            })
            .collect();
        let rows = contents.len();
        Self { hasher, contacts, contents, ids: vec![hasher.digest(); rows], has_id: vec![false; rows] }
    }

    /// Takes a column: of the digest `slot` the value in `row`. Columns must come in the order of the layout, and
    /// `source` after `record_id` or before it, but always in the same order. `None` when it is not of the layout.
    pub(super) fn column(&mut self, name: &str, array: &ArrayRef, rows: &[(usize, usize)]) -> Option<()> {
        let bound = self.hasher.identity(name.as_bytes()) as u64;
        let number = |slot: &mut Sip, value: u64| {
            slot.word(bound);
            slot.word(value);
        };
        match array.data_type() {
            DataType::Utf8 | DataType::Dictionary(..) => {
                let texts = Texts::of(Some(array))?;
                for (slot, row) in rows {
                    let Some(text) = texts.get(*row) else { continue };
                    let content = self.contents.get_mut(*slot)?;
                    content.word(bound);
                    content.text(text.as_bytes());
                    if name == "record_id" {
                        *self.has_id.get_mut(*slot)? = true;
                    }
                    if name == "record_id" || name == "source" {
                        let id = self.ids.get_mut(*slot)?;
                        id.word(bound);
                        id.text(text.as_bytes());
                    }
                }
            }
            DataType::Int16 => {
                let values = array.as_primitive::<Int16Type>();
                self.each(array, rows, |slot, row| number(slot, values.value(row) as u64))?;
            }
            DataType::Int32 => {
                let values = array.as_primitive::<Int32Type>();
                self.each(array, rows, |slot, row| number(slot, values.value(row) as u64))?;
            }
            DataType::Int64 => {
                let values = array.as_primitive::<Int64Type>();
                self.each(array, rows, |slot, row| number(slot, values.value(row) as u64))?;
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>();
                self.each(array, rows, |slot, row| number(slot, values.value(row).to_bits()))?;
            }
            DataType::Boolean => {
                let values = array.as_boolean();
                self.each(array, rows, |slot, row| number(slot, u64::from(values.value(row))))?;
            }
            DataType::List(_) => {
                let values = array.as_list::<i32>();
                self.each(array, rows, |slot, row| {
                    let items = values.value(row);
                    number(slot, items.len() as u64);
                    if let Some(items) = items.as_primitive_opt::<Int16Type>() {
                        items.values().iter().for_each(|item| slot.word(*item as u64));
                    }
                })?;
            }
            _ => return None,
        }
        Some(())
    }

    fn each(
        &mut self,
        array: &ArrayRef,
        rows: &[(usize, usize)],
        mut take: impl FnMut(&mut Sip, usize),
    ) -> Option<()> {
        for (slot, row) in rows {
            if *row < array.len() && array.is_valid(*row) {
                take(self.contents.get_mut(*slot)?, *row);
            }
        }
        Some(())
    }

    pub(super) fn finish(self) -> Vec<Digests> {
        let rows = self.contents.into_iter().zip(self.ids).zip(self.has_id).zip(self.contacts);
        rows.map(|(((content, id), has_id), contact)| Digests {
            id: has_id.then(|| id.digest()),
            content: content.digest(),
            contact,
        })
        .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int64Array, StringArray};
    use arrow::datatypes::UInt8Type;

    use super::*;

    fn digests(ids: ArrayRef, sources: ArrayRef, times: &[Option<i64>], ordinals: &[u32]) -> Vec<Digests> {
        let hasher = Hasher::new(&[3; 32]);
        let mut digester = Digester::new(&hasher, ordinals.iter().copied());
        let rows: Vec<(usize, usize)> = (0..ordinals.len()).map(|row| (row, row)).collect();
        let times: ArrayRef = Arc::new(Int64Array::from(times.to_vec()));
        for (name, array) in [("record_id", ids), ("at", times), ("source", sources)] {
            digester.column(name, &array, &rows).unwrap();
        }
        digester.finish()
    }

    #[test]
    fn identity_is_source_and_id_or_everything() {
        let ids = [Some("r"), Some("r"), Some("r"), None, None, Some("rs")];
        let sources = [Some("s"), Some("s"), None, Some("s"), Some("s"), None];
        let times = [Some(1), Some(2), Some(1), Some(1), Some(1), Some(1)];
        let plain = digests(
            Arc::new(StringArray::from(ids.to_vec())),
            Arc::new(StringArray::from(sources.to_vec())),
            &times,
            &[0, 0, 0, 0, 1, 0],
        );
        assert!(plain[0].same_record(&plain[1]) && plain[0].content != plain[1].content);
        for (one, other) in [(0, 2), (0, 3), (3, 4), (2, 5), (0, 5)] {
            assert!(!plain[one].same_record(&plain[other]), "{one} {other}");
        }
        let coded = digests(
            Arc::new(StringArray::from(ids.to_vec())),
            Arc::new(DictionaryArray::<UInt8Type>::from_iter(sources)),
            &times,
            &[0, 0, 0, 0, 1, 0],
        );
        assert_eq!(plain, coded);
    }
}
