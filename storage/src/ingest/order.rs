//! The order in which a file holds its records: class, what counts before what is hidden, cluster field, then time and
//! contact or contact and time.
//!
//! Records that never count unless asked for (entered in error, cancelled, refuted, opened by a machine) lie behind
//! the others, so that nearly every block of a file is known to hold none of them.
//!
//! In: what a partition's rows have of these. Out: the rows in this order, cut by class. Rows that agree in all of them
//! are told apart by their hash, and at last by a digest of what they say: the order of arrival never shows.

use std::ops::Range;

use hyperseg_dsl::schema::Within;
use rayon::slice::ParallelSliceMut;

use super::texts::MISSING;

/// Rows of a partition; keys have room for no more.
pub(super) const ROWS_MAX: usize = 1 << 30;

/// What decides the order, by row.
pub(super) struct Keys {
    /// Class, or one for all rows.
    pub(super) classes: Column<u8>,
    /// Does not count unless asked for by name.
    pub(super) hidden: Column<bool>,
    /// Rank of the cluster field; [`MISSING`] comes last.
    pub(super) clusters: Column<u32>,
    pub(super) times: Vec<i64>,
    pub(super) ordinals: Vec<u32>,
    /// Which of the two comes first.
    pub(super) within: Within,
}

/// A value per row, or one for all.
pub(super) enum Column<T> {
    One(T),
    Each(Vec<T>),
}

impl<T: Copy + Default> Column<T> {
    pub(super) fn get(&self, row: usize) -> T {
        match self {
            Self::One(value) => *value,
            Self::Each(values) => values.get(row).copied().unwrap_or_default(),
        }
    }
}

/// How a key is laid out: group (class, hiddenness and cluster), time and ordinal in their order, row. Without room for
/// both, the second of them is left to what settles ties.
struct Layout {
    ranks: u64,
    earliest: i64,
    time_bits: u32,
    ordinal_bits: u32,
    row_bits: u32,
    within: Within,
}

impl Layout {
    fn of(keys: &Keys) -> Self {
        let ranks = match &keys.clusters {
            Column::One(_) => 1,
            Column::Each(ranks) => {
                ranks.iter().filter(|rank| **rank != MISSING).max().map_or(1, |max| u64::from(*max) + 2)
            }
        };
        let earliest = keys.times.iter().copied().min().unwrap_or_default();
        let latest = keys.times.iter().copied().max().unwrap_or_default();
        let time_bits = bits(latest.wrapping_sub(earliest) as u64);
        let row_bits = bits(keys.times.len() as u64);
        let ordinal_bits = bits(u64::from(keys.ordinals.iter().copied().max().unwrap_or_default()));
        let group_bits = bits(2 * ranks * (u64::from(u8::MAX) + 1));
        let (time_bits, ordinal_bits) = match keys.within {
            _ if group_bits + time_bits + ordinal_bits + row_bits <= u128::BITS => (time_bits, ordinal_bits),
            Within::Time => (time_bits, 0),
            Within::Contact => (0, ordinal_bits),
        };
        Self { ranks, earliest, time_bits, ordinal_bits, row_bits, within: keys.within }
    }

    fn key(&self, keys: &Keys, row: usize) -> u128 {
        let rank = match keys.clusters.get(row) {
            MISSING => self.ranks - 1,
            rank => u64::from(rank),
        };
        let group = 2 * u64::from(keys.classes.get(row)) + u64::from(keys.hidden.get(row));
        let group = group * self.ranks + rank;
        let time = keys.times.get(row).copied().unwrap_or_default().wrapping_sub(self.earliest) as u64;
        let ordinal = u64::from(keys.ordinals.get(row).copied().unwrap_or_default());
        let (time, ordinal) = ((self.time_bits, time), (self.ordinal_bits, ordinal));
        let parts = match self.within {
            Within::Time => [time, ordinal],
            Within::Contact => [ordinal, time],
        };
        let mut key = u128::from(group);
        for (bits, part) in parts.into_iter().filter(|(bits, _)| *bits > 0) {
            key = key << bits | u128::from(part);
        }
        key << self.row_bits | row as u128
    }

    fn class(&self, key: u128) -> u8 {
        let group = (key >> (self.row_bits + self.ordinal_bits + self.time_bits)) as u64;
        u8::try_from(group / (2 * self.ranks)).unwrap_or(u8::MAX)
    }
}

const fn bits(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// Rows in order.
pub(super) struct Sorted {
    pub(super) rows: Vec<u32>,
    /// Ranges of `rows` of one class each.
    pub(super) parts: Vec<Range<usize>>,
    /// Numbers of these classes.
    pub(super) classes: Vec<u8>,
    /// Ranges of `rows` within which only more than the keys can decide.
    pub(super) ties: Vec<Range<usize>>,
}

/// Puts the rows in order, but for those that are gone (sorted).
pub(super) fn sort(keys: &Keys, gone: &[u32]) -> Sorted {
    let layout = Layout::of(keys);
    let mut gone = gone.iter().peekable();
    let mut sorted: Vec<u128> = (0..keys.times.len())
        .filter(|row| gone.next_if(|gone| **gone as usize == *row).is_none())
        .map(|row| layout.key(keys, row))
        .collect();
    sorted.par_sort_unstable();

    let (mut parts, mut classes, mut ties) = (Vec::new(), Vec::new(), Vec::new());
    let mut start = 0;
    for run in sorted.chunk_by(|a, b| a >> layout.row_bits == b >> layout.row_bits) {
        if run.len() > 1 {
            ties.push(start..start + run.len());
        }
        start += run.len();
    }
    let mut start = 0;
    while let Some(first) = sorted.get(start) {
        let class = layout.class(*first);
        let end = sorted.partition_point(|key| layout.class(*key) <= class);
        parts.push(start..end);
        classes.push(class);
        start = end;
    }
    let mask = (1_u128 << layout.row_bits) - 1;
    let rows = sorted.into_iter().map(|key| (key & mask) as u32).collect();
    Sorted { rows, parts, classes, ties }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn check(times: Vec<i64>, clusters: Vec<u32>, classes: Vec<u8>, gone: &[u32]) {
        for within in [Within::Time, Within::Contact] {
            check_within(within, times.clone(), clusters.clone(), classes.clone(), gone);
        }
    }

    fn check_within(within: Within, times: Vec<i64>, clusters: Vec<u32>, classes: Vec<u8>, gone: &[u32]) {
        let ordinals: Vec<u32> = (0..times.len() as u32).map(|row| row.wrapping_mul(7) % 5).collect();
        let mut expected: Vec<u32> = (0..times.len() as u32).filter(|row| !gone.contains(row)).collect();
        let hidden: Vec<bool> = (0..times.len()).map(|row| row % 3 == 1).collect();
        let of = |row: u32| {
            let row = row as usize;
            let (time, ordinal) = (times[row], i64::from(ordinals[row]));
            let parts = match within {
                Within::Time => (time, ordinal),
                Within::Contact => (ordinal, time),
            };
            (classes[row], hidden[row], clusters[row], parts)
        };
        expected.sort_by_key(|row| of(*row));
        let keys = Keys {
            classes: Column::Each(classes.clone()),
            hidden: Column::Each(hidden.clone()),
            clusters: Column::Each(clusters.clone()),
            times: times.clone(),
            ordinals: ordinals.clone(),
            within,
        };
        let order = sort(&keys, gone);
        let found: Vec<_> = order.rows.iter().map(|row| of(*row)).collect();
        assert_eq!(found, expected.iter().map(|row| of(*row)).collect::<Vec<_>>());
        for (class, part) in order.classes.iter().zip(&order.parts) {
            assert!(order.rows[part.clone()].iter().all(|row| classes[*row as usize] == *class));
        }
        assert_eq!(order.parts.iter().map(Range::len).sum::<usize>(), order.rows.len());
        for (at, pair) in order.rows.windows(2).enumerate() {
            let tied = order.ties.iter().any(|tie| tie.contains(&at) && tie.contains(&(at + 1)));
            assert!(of(pair[0]) < of(pair[1]) || tied);
        }
    }

    #[test]
    fn rows_lie_by_class_hiddenness_cluster_time_and_contact() {
        check(vec![5, -3, 5, 5, 0, 0, 9], vec![2, 2, MISSING, 0, 1, 1, 0], vec![1, 1, 0, 3, 0, 0, 1], &[3]);
        check(vec![i64::MIN, i64::MAX, 0, 0, 0], vec![0, MISSING, 0, 0, 1 << 27], vec![0; 5], &[]);
        check(vec![], vec![], vec![], &[]);
        check(vec![1; 64], vec![MISSING; 64], vec![7; 64], &[0, 1, 63]);
    }
}
