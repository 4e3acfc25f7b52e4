//! Random draws from one seed, by integer arithmetic only, so that a seed means the same everywhere.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of draws.
pub(super) struct Dice {
    rng: ChaCha8Rng,
}

impl Dice {
    /// The stream of a seed and a purpose; streams of different purposes are independent.
    pub(super) fn new(seed: u64, purpose: u8) -> Self {
        let mut key = [0_u8; 32];
        let bytes = seed.to_le_bytes().into_iter().chain([purpose]);
        key.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
        Self { rng: ChaCha8Rng::from_seed(key) }
    }

    /// Uniform in 0..n; 0 when n is 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        let scaled = (u64::from(self.rng.next_u32()) * n) >> 32;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// Uniform in low..=high; low when the range is empty.
    pub(super) fn range(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        let scaled = (u128::from(self.rng.next_u64()) * u128::from(width)) >> 64;
        low.saturating_add(i64::try_from(scaled).unwrap_or(0))
    }

    /// True this many times in a hundred.
    pub(super) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of the items; `None` when there is none.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let place = self.below(items.len());
        items.get(place)
    }

    /// A copy of one of the items, or the default where there is none.
    pub(super) fn one<T: Clone + Default>(&mut self, items: &[T]) -> T {
        self.pick(items).cloned().unwrap_or_default()
    }
}
