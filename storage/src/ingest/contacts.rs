//! Which contact has which place.
//!
//! In: keyed hashes of contact ids, and where contacts live, what they are and when they were born. Out: (shard,
//! ordinal). The shard is the first with room. Within it the new contacts lie by [`CONTACT_ORDER`] behind those of the
//! dataset:
//!
//! ```text
//! arrive:  c7 TX female 1980 │ c2 CA male 1990 │ c9 TX female 1950     known: 0, 1
//! places:  c2 → 2              c9 → 3            c7 → 4
//! ```
//!
//! That order is told when the first place of a new contact of the shard is asked for: by a record, or by the file of
//! the contacts. Until then places are provisional, in order of arrival. A place once told never changes, and a
//! contact that comes later lies behind, in order of arrival.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};

use crate::layout::CONTACT_ORDER;

/// Place of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Shard.
    pub(crate) shard: u32,
    /// Ordinal within the shard.
    pub(crate) ordinal: u32,
}

/// What a contact is laid out by: ranks of its values in [`CONTACT_ORDER`].
pub(crate) type SortKey = [u32; CONTACT_ORDER.len()];

/// Rank of a missing value: behind all others.
const MISSING: u32 = u32::MAX;

/// The sort keys of the rows of a batch.
pub(crate) fn sort_keys(batch: &RecordBatch) -> Vec<SortKey> {
    let mut keys = vec![[MISSING; CONTACT_ORDER.len()]; batch.num_rows()];
    for (place, name) in CONTACT_ORDER.iter().enumerate() {
        let column = batch.column_by_name(name);
        let column = column.filter(|it| matches!(it.data_type(), DataType::Int16 | DataType::Int32));
        let Some(values) = column.and_then(|column| cast(column, &DataType::Int32).ok()) else { continue };
        for (key, value) in keys.iter_mut().zip(values.as_primitive::<Int32Type>()) {
            if let (Some(rank), Some(value)) = (key.get_mut(place), value) {
                // With the sign turned, numbers below zero, as dates before 1970, come first.
                *rank = value.cast_unsigned() ^ (1 << 31);
            }
        }
    }
    keys
}

/// What became of a contact that was offered. Places are provisional: [`ContactMap::settled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is new and has this place.
    New(Place),
    /// It is there with the same content.
    Same,
    /// It is there, at this place, and the last that was heard of it is other content.
    Changed(Place),
}

/// All contacts of the dataset and of the import so far.
pub(crate) struct ContactMap {
    /// Provisional place and content.
    by_id: HashMap<u128, (Place, i64), BuildHasherDefault<Lower64>>,
    shards: Vec<Shard>,
    shard_contacts: u32,
}

/// The contacts of a shard.
#[derive(Default)]
struct Shard {
    contacts: u32,
    /// Those of the dataset; the others are new.
    known: u32,
    /// Of each new contact in order of arrival, until their order is told.
    keys: Mutex<Vec<SortKey>>,
    /// For each of them its place among them; empty where all stay as they came.
    order: OnceLock<Vec<u32>>,
}

impl Shard {
    /// Notes what a new contact is laid out by, if that is still of use.
    fn note(&mut self, ordinal: u32, key: SortKey) {
        let Some(place) = ordinal.checked_sub(self.known).filter(|_| self.order.get().is_none()) else {
            return;
        };
        let keys = self.keys.get_mut().unwrap_or_else(PoisonError::into_inner);
        match keys.get_mut(place as usize) {
            Some(known) => *known = key,
            None => keys.push(key),
        }
    }

    fn settled(&self, ordinal: u32) -> u32 {
        let Some(place) = ordinal.checked_sub(self.known) else { return ordinal };
        // On this thread alone: one that waits for a task of the pool might take up another that waits for this.
        let order = self.order.get_or_init(|| {
            places(std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner)))
        });
        order.get(place as usize).map_or(ordinal, |place| self.known + place)
    }
}

/// Where each contact goes when they are sorted by their keys, equal ones as they came. Nothing when all stay.
fn places(keys: Vec<SortKey>) -> Vec<u32> {
    if keys.is_sorted() {
        return Vec::new();
    }
    let mut sorted: Vec<(SortKey, u32)> = keys.into_iter().zip(0..).collect();
    sorted.sort_unstable();
    let mut places = vec![0; sorted.len()];
    for ((_, arrived), place) in sorted.into_iter().zip(0..) {
        if let Some(its) = places.get_mut(arrived as usize) {
            *its = place;
        }
    }
    places
}

impl ContactMap {
    /// Of so many contacts of the dataset in each shard.
    pub(crate) fn new(shards: Vec<u32>, shard_contacts: u32) -> Self {
        let shard = |contacts| Shard { contacts, known: contacts, ..Shard::default() };
        Self {
            by_id: HashMap::default(),
            shards: shards.into_iter().map(shard).collect(),
            shard_contacts: shard_contacts.max(1),
        }
    }

    /// Takes a contact of the dataset.
    pub(crate) fn load(&mut self, id: u128, place: Place, content: i64) {
        self.by_id.insert(id, (place, content));
    }

    /// The place of a contact; whoever asks settles the order of the new contacts of its shard.
    pub(crate) fn find(&self, id: u128) -> Option<Place> {
        self.by_id.get(&id).map(|(place, _)| self.settled(*place))
    }

    /// The place for good of a contact with this provisional one.
    pub(crate) fn settled(&self, Place { shard, ordinal }: Place) -> Place {
        let ordinal = self.shards.get(shard as usize).map_or(ordinal, |shard| shard.settled(ordinal));
        Place { shard, ordinal }
    }

    /// Takes a contact of the import; `None` when there can be no more shards.
    pub(crate) fn offer(&mut self, id: u128, content: i64, key: SortKey) -> Option<Offered> {
        if let Some((place, known)) = self.by_id.get_mut(&id) {
            let before = std::mem::replace(known, content);
            if before == content {
                return Some(Offered::Same);
            }
            self.shards.get_mut(place.shard as usize)?.note(place.ordinal, key);
            return Some(Offered::Changed(*place));
        }
        let number = match self.shards.iter().position(|shard| shard.contacts < self.shard_contacts) {
            Some(shard) => shard,
            None => {
                self.shards.push(Shard::default());
                self.shards.len() - 1
            }
        };
        let shard = self.shards.get_mut(number)?;
        let place = Place { shard: u32::try_from(number).ok()?, ordinal: shard.contacts };
        shard.contacts = shard.contacts.checked_add(1)?;
        shard.note(place.ordinal, key);
        self.by_id.insert(id, (place, content));
        Some(Offered::New(place))
    }

    /// Contacts per shard, those of the import included.
    pub(crate) fn shards(&self) -> impl ExactSizeIterator<Item = u32> {
        self.shards.iter().map(|shard| shard.contacts)
    }
}

type Ends = (Box<[u8]>, Box<[u8]>);

/// First and last contact id of each shard, in the order of their bytes.
#[derive(Default)]
pub(crate) struct Ranges {
    shards: Vec<Option<Ends>>,
    other_than_ascii: bool,
}

impl Ranges {
    /// Takes a contact of a shard.
    pub(crate) fn add(&mut self, shard: u32, id: &[u8]) {
        self.other_than_ascii |= !id.is_ascii();
        let shard = shard as usize;
        if self.shards.len() <= shard {
            self.shards.resize_with(shard + 1, || None);
        }
        let Some(range) = self.shards.get_mut(shard) else { return };
        match range {
            None => *range = Some((id.into(), id.into())),
            Some((first, _)) if id < first.as_ref() => *first = id.into(),
            Some((_, last)) if id > last.as_ref() => *last = id.into(),
            Some(_) => {}
        }
    }

    /// Shards that may hold contacts whose ids lie between two ids as a source writes them, or at all; every other
    /// shard holds none. Ids are stored in Unicode's normal form, which may lie elsewhere: with an id that is not ASCII
    /// nothing is known.
    pub(crate) fn between(&self, ends: Option<(&[u8], &[u8])>) -> Vec<u32> {
        let (low, high) = match ends {
            Some(ends) if !self.other_than_ascii => ends,
            _ => (&[][..], &[u8::MAX][..]),
        };
        let may = |range: &Option<Ends>| {
            range.as_ref().is_some_and(|(first, last)| first.as_ref() <= high && last.as_ref() >= low)
        };
        (0..).zip(&self.shards).filter(|(_, range)| may(range)).map(|(shard, _)| shard).collect()
    }
}

/// Takes the keys' own bits: they are keyed hashes already.
#[derive(Default)]
struct Lower64(u64);

impl Hasher for Lower64 {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEY: SortKey = [MISSING; CONTACT_ORDER.len()];

    #[test]
    fn places_are_dense_and_stay() {
        let mut map = ContactMap::new(vec![2, 1], 2);
        map.load(7, Place { shard: 0, ordinal: 1 }, 70);
        assert_eq!(map.offer(7, 70, KEY), Some(Offered::Same));
        let place = Place { shard: 0, ordinal: 1 };
        assert_eq!(map.offer(7, 71, KEY), Some(Offered::Changed(place)));
        assert_eq!(map.offer(7, 71, KEY), Some(Offered::Same));
        assert_eq!(map.offer(7, 70, KEY), Some(Offered::Changed(place)), "and back");
        assert_eq!(map.offer(8, 1, KEY), Some(Offered::New(Place { shard: 1, ordinal: 1 })));
        assert_eq!(map.offer(9, 1, KEY), Some(Offered::New(Place { shard: 2, ordinal: 0 })));
        assert_eq!(map.find(8), Some(Place { shard: 1, ordinal: 1 }));
        assert_eq!(map.find(1), None);
        assert_eq!(map.shards().collect::<Vec<_>>(), [2, 2, 1]);
    }

    #[test]
    fn new_contacts_lie_by_their_keys_behind_the_known_ones() {
        let mut map = ContactMap::new(vec![2], 9);
        map.load(1, Place { shard: 0, ordinal: 0 }, 0);
        map.load(2, Place { shard: 0, ordinal: 1 }, 0);
        for (id, state) in [(10, 5), (11, MISSING), (12, 3), (13, 5), (14, 4)] {
            map.offer(id, 0, [state, MISSING, MISSING]).unwrap();
        }
        // The last row of a contact says where it goes, of a known one nothing does.
        map.offer(14, 1, [9, 0, 0]).unwrap();
        map.offer(1, 1, [7, 0, 0]).unwrap();
        let ordinals = |map: &ContactMap, ids: &[u128]| -> Vec<u32> {
            ids.iter().map(|id| map.find(*id).unwrap().ordinal).collect()
        };
        assert_eq!(ordinals(&map, &[1, 2, 12, 10, 13, 14, 11]), [0, 1, 2, 3, 4, 5, 6]);
        // Told is told: who comes now lies behind, and nobody moves.
        assert_eq!(map.offer(15, 0, [0, 0, 0]), Some(Offered::New(Place { shard: 0, ordinal: 7 })));
        assert!(matches!(map.offer(12, 1, [9, 9, 9]), Some(Offered::Changed(_))));
        assert_eq!(ordinals(&map, &[1, 2, 12, 10, 13, 14, 11, 15]), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn missing_and_unknown_values_come_last() {
        use std::sync::Arc;

        use arrow::array::{ArrayRef, Int16Array, Int32Array, StringArray};

        let states: ArrayRef = Arc::new(Int16Array::from(vec![Some(3), None, Some(0)]));
        let births: ArrayRef = Arc::new(Int32Array::from(vec![Some(-4), Some(0), None]));
        let batch = RecordBatch::try_from_iter([("state", states), ("birth_date", births)]).unwrap();
        let keys = sort_keys(&batch);
        let zero = 1 << 31;
        assert_eq!(keys, [[zero + 3, MISSING, zero - 4], [MISSING, MISSING, zero], [zero, MISSING, MISSING]]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["TX"]));
        assert_eq!(sort_keys(&RecordBatch::try_from_iter([("state", texts)]).unwrap()), [KEY]);
    }

    #[test]
    fn every_shard_that_may_have_an_id_is_found() {
        let ids = [vec!["P01", "P09", "P1", "P"], vec!["P20", "P15"], vec![], vec!["Q", "P2"]];
        let mut ranges = Ranges::default();
        for (shard, ids) in (0..).zip(&ids) {
            ids.iter().for_each(|id| ranges.add(shard, id.as_bytes()));
        }
        let of =
            |ranges: &Ranges, low: &str, high: &str| ranges.between(Some((low.as_bytes(), high.as_bytes())));
        for (low, high) in [("P", "P0"), ("P01", "P15"), ("P15", "P2"), ("P", "Z"), ("P2", "P2"), ("A", "Q")]
        {
            let found = of(&ranges, low, high);
            for (shard, ids) in (0..).zip(&ids) {
                if ids.iter().any(|id| (low..=high).contains(id)) {
                    assert!(found.contains(&shard), "{low} {high} {shard}");
                }
            }
        }
        assert_eq!(of(&ranges, "P01", "P14"), [0]);
        assert!(of(&ranges, "R", "S").is_empty() && of(&ranges, "A", "B").is_empty());
        assert_eq!(ranges.between(None), [0, 1, 3]);
        ranges.add(0, "P\u{e9}".as_bytes());
        assert_eq!(of(&ranges, "P15", "P15"), [0, 1, 3]);
    }
}
