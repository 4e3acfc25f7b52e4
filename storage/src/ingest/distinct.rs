//! Which incoming records may be there already.
//!
//! In: short hashes of the stored and the incoming records of a partition. Out: groups of rows with the same hash, in
//! which an incoming row meets another one. A row in no group is new; a row in a group must be compared.
//!
//! Nearly all rows are in no group, so nothing is sorted to find that out: a first pass sets a bit per hash and notes
//! the bits that were set already, a second collects the rows with such bits, and only those are sorted.

/// Bits per row: with sixteen, about one row in ten is collected for nothing.
const BITS_PER_ROW: usize = 16;
const BITS_MIN: usize = 1 << 10;

/// A row of one of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Member {
    /// Place among the stored hashes.
    Stored(u32),
    /// Place among the incoming hashes.
    Incoming(u32),
}

/// Groups of rows with equal hashes, stored rows first in each; only groups with an incoming row and another one.
pub(crate) fn groups(stored: &[u64], incoming: &[u64]) -> Vec<Vec<Member>> {
    let bits = ((stored.len() + incoming.len()) * BITS_PER_ROW).next_power_of_two().max(BITS_MIN);
    let mut seen = Bits::new(bits);
    let mut again = Bits::new(bits);
    for hash in stored.iter().chain(incoming) {
        if seen.set(*hash) {
            again.set(*hash);
        }
    }
    drop(seen);
    let of = |hashes: &[u64], member: fn(u32) -> Member| {
        let suspect = hashes.iter().zip(0_u32..).filter(|(hash, _)| again.get(**hash));
        suspect.map(|(hash, place)| (*hash, member(place))).collect::<Vec<_>>()
    };
    let mut suspects = of(stored, Member::Stored);
    suspects.extend(of(incoming, Member::Incoming));
    suspects.sort_unstable();
    suspects
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|group| group.len() > 1 && matches!(group.last(), Some((_, Member::Incoming(_)))))
        .map(|group| group.iter().map(|(_, member)| *member).collect())
        .collect()
}

/// A set of numbers below a power of two.
struct Bits {
    words: Vec<u64>,
    mask: u64,
}

impl Bits {
    fn new(bits: usize) -> Self {
        Self { words: vec![0; bits / 64], mask: bits as u64 - 1 }
    }

    fn place(&self, hash: u64) -> (usize, u64) {
        let bit = hash & self.mask;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    /// Sets a bit and tells whether it was set before.
    fn set(&mut self, hash: u64) -> bool {
        let (place, bit) = self.place(hash);
        let Some(word) = self.words.get_mut(place) else { return true };
        let before = *word & bit != 0;
        *word |= bit;
        before
    }

    fn get(&self, hash: u64) -> bool {
        let (place, bit) = self.place(hash);
        self.words.get(place).is_none_or(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Member::{Incoming, Stored};
    use super::*;

    #[test]
    fn only_incoming_rows_that_meet_another_are_grouped() {
        assert!(groups(&[7, 7, 8], &[9, 10]).is_empty(), "stored rows among themselves are none of ours");
        let found = groups(&[1, 2, 3, 2], &[5, 2, 6, 5, 1 << 39 | 2]);
        assert_eq!(found, [vec![Stored(1), Stored(3), Incoming(1)], vec![Incoming(0), Incoming(3)]]);
    }

    #[test]
    fn many_hashes_agree_with_sorting() {
        let hashes: Vec<u64> = (0..20_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49).collect();
        let found = groups(&[], &hashes);
        let mut sorted = hashes.clone();
        sorted.sort_unstable();
        let expected = sorted.chunk_by(|a, b| a == b).filter(|group| group.len() > 1).count();
        assert_eq!(found.len(), expected);
        assert!(found.iter().all(|group| group.is_sorted()));
    }
}
