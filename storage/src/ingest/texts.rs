//! Texts of a column, whether each row has its own or a place in a dictionary.
//!
//! In: arrays of texts, or of dictionaries of texts. Out: the text of a row; or for several arrays together one
//! dictionary, and for every row its place in it.

use std::collections::HashMap;

use arrow::array::{AnyDictionaryArray, Array, ArrayRef, AsArray, StringArray};

/// Place of a missing text.
pub(crate) const MISSING: u32 = u32::MAX;

/// The texts of one array.
pub(crate) enum Texts<'a> {
    /// All of them are missing.
    Missing,
    /// Each row has its own.
    Plain(&'a StringArray),
    /// Rows have places in a dictionary.
    Coded { array: &'a dyn AnyDictionaryArray, places: Vec<usize>, texts: &'a StringArray },
}

impl<'a> Texts<'a> {
    /// `None` when the array holds no texts.
    pub(crate) fn of(array: Option<&'a ArrayRef>) -> Option<Self> {
        let Some(array) = array else { return Some(Self::Missing) };
        if let Some(plain) = array.as_string_opt::<i32>() {
            return Some(Self::Plain(plain));
        }
        let array = array.as_any_dictionary_opt()?;
        let texts = array.values().as_string_opt::<i32>()?;
        if texts.is_empty() {
            return Some(Self::Missing);
        }
        Some(Self::Coded { array, places: array.normalized_keys(), texts })
    }

    /// The text of a row.
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Missing => None,
            Self::Plain(texts) => text(texts, row),
            Self::Coded { array, places, texts } => {
                if array.keys().is_null(row) {
                    return None;
                }
                text(texts, *places.get(row)?)
            }
        }
    }

    /// For every row `of` of its text, which is asked once per distinct text of a dictionary, and once for a run of
    /// equal texts otherwise.
    pub(crate) fn map<T: Copy>(&self, rows: usize, mut of: impl FnMut(Option<&'a str>) -> T) -> Vec<T> {
        match self {
            Self::Missing => vec![of(None); rows],
            Self::Plain(texts) => {
                let mut last: Option<(Option<&str>, T)> = None;
                let mut one = |row| {
                    let text = text(texts, row);
                    match last {
                        Some((before, result)) if before == text => result,
                        _ => {
                            let result = of(text);
                            last = Some((text, result));
                            result
                        }
                    }
                };
                (0..rows).map(&mut one).collect()
            }
            Self::Coded { array, places, texts } => {
                let missing = of(None);
                let results: Vec<T> = (0..texts.len()).map(|place| of(text(texts, place))).collect();
                let result = |place: &usize| results.get(*place).copied().unwrap_or(missing);
                match array.keys().nulls() {
                    None => places.iter().map(result).collect(),
                    Some(nulls) => {
                        let known = |(place, known)| if known { result(place) } else { missing };
                        places.iter().zip(nulls).map(known).collect()
                    }
                }
            }
        }
    }
}

fn text(texts: &StringArray, row: usize) -> Option<&str> {
    (row < texts.len() && texts.is_valid(row)).then(|| texts.value(row))
}

/// The rows of several arrays under one dictionary.
pub(crate) struct Coded {
    /// Place of every row's text, or [`MISSING`].
    pub(crate) codes: Vec<u32>,
    /// Distinct texts.
    pub(crate) texts: Vec<Box<str>>,
}

impl Coded {
    /// Puts the texts of arrays with these numbers of rows under one dictionary. `None` when one holds no texts.
    pub(crate) fn of(arrays: &[Option<ArrayRef>], rows: &[usize]) -> Option<Self> {
        let mut known: HashMap<Box<str>, u32> = HashMap::new();
        let mut codes = Vec::with_capacity(rows.iter().sum());
        for (array, rows) in arrays.iter().zip(rows) {
            let texts = Texts::of(array.as_ref())?;
            codes.extend(texts.map(*rows, |text| match text {
                None => MISSING,
                Some(text) => match known.get(text) {
                    Some(code) => *code,
                    None => {
                        // One text per row at most, and rows have numbers of 32 bits.
                        let code = known.len() as u32;
                        known.insert(text.into(), code);
                        code
                    }
                },
            }));
        }
        let mut texts = vec![Box::default(); known.len()];
        for (text, code) in known {
            *texts.get_mut(code as usize)? = text;
        }
        Some(Self { codes, texts })
    }

    /// Rank of every text among them in the order of their bytes.
    pub(crate) fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<(&str, usize)> = self.texts.iter().map(AsRef::as_ref).zip(0..).collect();
        order.sort_unstable();
        let mut ranks = vec![MISSING; order.len()];
        for (rank, (_, code)) in (0_u32..).zip(order) {
            if let Some(slot) = ranks.get_mut(code) {
                *slot = rank;
            }
        }
        ranks
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::DictionaryArray;
    use arrow::datatypes::{UInt8Type, UInt16Type};

    use super::*;

    #[test]
    fn plain_and_coded_texts_are_the_same() {
        let rows = [Some("b"), None, Some("a"), Some("a"), Some("")];
        let plain: ArrayRef = Arc::new(StringArray::from(rows.to_vec()));
        let coded: ArrayRef = Arc::new(DictionaryArray::<UInt8Type>::from_iter(rows));
        let other: ArrayRef = Arc::new(DictionaryArray::<UInt16Type>::from_iter([Some("c"), Some("b")]));
        for array in [&plain, &coded] {
            let texts = Texts::of(Some(array)).unwrap();
            assert_eq!((0..5).map(|row| texts.get(row)).collect::<Vec<_>>(), rows);
            assert_eq!(texts.map(5, |text| text.map(str::len)), [Some(1), None, Some(1), Some(1), Some(0)]);
        }
        let all = Coded::of(&[Some(plain), None, Some(coded), Some(other)], &[5, 2, 5, 2]).unwrap();
        let ranks = all.ranks();
        let text = |code: &u32| all.texts.get(*code as usize).map(AsRef::as_ref);
        let expected: Vec<Option<&str>> =
            rows.iter().copied().chain([None, None]).chain(rows).chain([Some("c"), Some("b")]).collect();
        assert_eq!(all.codes.iter().map(text).collect::<Vec<Option<&str>>>(), expected);
        let mut by_rank: Vec<(u32, &str)> =
            ranks.iter().copied().zip(all.texts.iter().map(AsRef::as_ref)).collect();
        by_rank.sort_unstable();
        assert_eq!(by_rank, [(0, ""), (1, "a"), (2, "b"), (3, "c")]);
    }
}
