//! Which contact has which place.
//!
//! In: keyed hashes of contact ids. Out: (shard, ordinal), given in order of arrival: the first shard with room. A
//! place once given never changes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Place of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Shard.
    pub(crate) shard: u32,
    /// Ordinal within the shard.
    pub(crate) ordinal: u32,
}

/// What became of a contact that was offered.
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
    by_id: HashMap<u128, (Place, i64), BuildHasherDefault<Lower64>>,
    /// Contacts per shard.
    shards: Vec<u32>,
    shard_contacts: u32,
}

impl ContactMap {
    pub(crate) fn new(shards: Vec<u32>, shard_contacts: u32) -> Self {
        Self { by_id: HashMap::default(), shards, shard_contacts: shard_contacts.max(1) }
    }

    /// Takes a contact of the dataset.
    pub(crate) fn load(&mut self, id: u128, place: Place, content: i64) {
        self.by_id.insert(id, (place, content));
    }

    pub(crate) fn find(&self, id: u128) -> Option<Place> {
        self.by_id.get(&id).map(|(place, _)| *place)
    }

    /// Takes a contact of the import; `None` when there can be no more shards.
    pub(crate) fn offer(&mut self, id: u128, content: i64) -> Option<Offered> {
        if let Some((place, known)) = self.by_id.get_mut(&id) {
            let before = std::mem::replace(known, content);
            return Some(if before == content { Offered::Same } else { Offered::Changed(*place) });
        }
        let shard = match self.shards.iter().position(|contacts| *contacts < self.shard_contacts) {
            Some(shard) => shard,
            None => {
                self.shards.push(0);
                self.shards.len() - 1
            }
        };
        let contacts = self.shards.get_mut(shard)?;
        let place = Place { shard: u32::try_from(shard).ok()?, ordinal: *contacts };
        *contacts = contacts.checked_add(1)?;
        self.by_id.insert(id, (place, content));
        Some(Offered::New(place))
    }

    /// Contacts per shard, those of the import included.
    pub(crate) fn shards(&self) -> &[u32] {
        &self.shards
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

    #[test]
    fn places_are_dense_and_stay() {
        let mut map = ContactMap::new(vec![2, 1], 2);
        map.load(7, Place { shard: 0, ordinal: 1 }, 70);
        assert_eq!(map.offer(7, 70), Some(Offered::Same));
        let place = Place { shard: 0, ordinal: 1 };
        assert_eq!(map.offer(7, 71), Some(Offered::Changed(place)));
        assert_eq!(map.offer(7, 71), Some(Offered::Same));
        assert_eq!(map.offer(7, 70), Some(Offered::Changed(place)), "and back");
        assert_eq!(map.offer(8, 1), Some(Offered::New(Place { shard: 1, ordinal: 1 })));
        assert_eq!(map.offer(9, 1), Some(Offered::New(Place { shard: 2, ordinal: 0 })));
        assert_eq!(map.find(8), Some(Place { shard: 1, ordinal: 1 }));
        assert_eq!(map.find(1), None);
        assert_eq!(map.shards(), [2, 2, 1]);
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
