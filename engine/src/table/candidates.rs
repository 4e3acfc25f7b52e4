//! The contacts for whom an answer still matters.
//!
//! A gate says who matched before it asks its inputs; their scans then leave out blocks in which none of these is. What
//! they say of other contacts means nothing, so that such a scan belongs to its gate alone.

use std::sync::OnceLock;

use arrow::buffer::BooleanBuffer;
use hyperseg_storage::file::{Block, Bounds};

/// When rows of candidates are looked for one by one in the blocks that are left, rather than all rows of these read: with
/// fewer candidates than this part of the contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OneByOne {
    /// An eighth. Gates read several columns, texts among them, of kinds that lie by contact, so that the rows of a candidate are
    /// side by side.
    Eighth,
    /// About a hundredth, 1 in 128. Where each row is by itself, passing over its neighbours takes longer than reading them.
    Hundredth,
}

/// Contacts by shard, once they are known.
#[derive(Debug)]
pub(crate) struct Candidates {
    shards: Vec<OnceLock<BooleanBuffer>>,
    part: usize,
}

impl Candidates {
    /// Of so many shards, none of which is known yet.
    pub(crate) fn new(shards: usize, one_by_one: OneByOne) -> Self {
        let part = match one_by_one {
            OneByOne::Eighth => 8,
            OneByOne::Hundredth => 128,
        };
        Self { shards: (0..shards).map(|_| OnceLock::new()).collect(), part }
    }

    /// Says who they are in a shard; `false` when that was said before.
    pub(crate) fn set(&self, shard: usize, contacts: BooleanBuffer) -> bool {
        self.shards.get(shard).is_some_and(|cell| cell.set(contacts).is_ok())
    }

    /// Says who they are in a shard; `false` when somebody else was said before. Work that was given up is begun anew, and
    /// says the same.
    pub(crate) fn say(&self, shard: usize, contacts: &BooleanBuffer) -> bool {
        self.set(shard, contacts.clone()) || self.of(shard) == Some(contacts)
    }

    /// Who they are in a shard; everybody as long as nothing was said.
    pub(crate) fn of(&self, shard: usize) -> Option<&BooleanBuffer> {
        self.shards.get(shard)?.get()
    }

    /// Who they are in a shard, when their rows are looked for one by one.
    pub(super) fn one_by_one(&self, shard: usize) -> Option<&BooleanBuffer> {
        self.of(shard).filter(|candidates| candidates.count_set_bits() <= candidates.len() / self.part)
    }
}

/// Whether one of these contacts (inclusive) is a candidate.
pub(super) fn any(candidates: &BooleanBuffer, first: u64, last: u64) -> bool {
    let Ok(first) = usize::try_from(first) else { return false };
    let end = usize::try_from(last).map_or(usize::MAX, |last| last.saturating_add(1)).min(candidates.len());
    first < end && candidates.slice(first, end - first).has_true()
}

/// Whether a record of one of the candidates may lie in a block, by the ordinals in it.
pub(super) fn possible(candidates: &BooleanBuffer, ordinals: Option<&Block>) -> bool {
    match ordinals.map(|block| &block.bounds) {
        Some(Bounds::Int { min, max, .. }) => match (u64::try_from(*min), u64::try_from(*max)) {
            (Ok(min), Ok(max)) => any(candidates, min, max),
            _ => true,
        },
        Some(Bounds::Unknown | Bounds::Float { .. } | Bounds::Text { .. }) | None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_possible_when_a_candidate_is_between_their_bounds() {
        let bits: BooleanBuffer = (0..200).map(|contact| contact == 70 || contact == 199).collect();
        let block = |min, max| Block { missing: 0, bounds: Bounds::Int { min, max, precisions: 0 } };
        for (min, max, expected) in [
            (0, 69, false),
            (0, 70, true),
            (70, 70, true),
            (71, 198, false),
            (71, 199, true),
            (199, 5000, true),
        ] {
            assert_eq!(possible(&bits, Some(&block(min, max))), expected, "{min} to {max}");
        }
        assert!(possible(&bits, Some(&block(-1, 3))));
        assert!(possible(&bits, None));
        assert!(!any(&bits, 200, 300));
    }

    #[test]
    fn nobody_is_left_out_before_it_is_known_who_matters() {
        let candidates = Candidates::new(1, OneByOne::Eighth);
        assert!(candidates.of(0).is_none());
        assert!(candidates.set(0, BooleanBuffer::new_unset(3)));
        assert!(!candidates.set(0, BooleanBuffer::new_set(3)));
        assert!(!candidates.set(1, BooleanBuffer::new_set(3)));
        assert!(candidates.say(0, &BooleanBuffer::new_unset(3)));
        assert!(!candidates.say(0, &BooleanBuffer::new_set(3)));
        assert_eq!(candidates.of(0).map(BooleanBuffer::count_set_bits), Some(0));
    }
}
