//! Random draws that are the same on every machine.
//!
//! In: a ChaCha8 stream keyed by seed, domain and number. Out: draws made of integer arithmetic and of the floating
//! point operations that IEEE 754 rounds exactly (+, −, ×, ÷, √). Can never happen: a draw that depends on another
//! contact, on the thread that makes it, or on the platform's mathematical library.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is used for; streams of different domains are independent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Domain {
    /// Household split and what its members share.
    Household = 1,
    /// One contact and its records.
    Contact = 2,
}

/// A stream of draws.
pub(super) struct Dice {
    rng: ChaCha8Rng,
}

impl Dice {
    /// The stream of this seed, domain and number.
    pub(super) fn new(seed: u64, domain: Domain, number: u64) -> Self {
        let mut key = [0_u8; 32];
        let parts =
            seed.to_le_bytes().into_iter().chain(number.to_le_bytes()).chain((domain as u64).to_le_bytes());
        key.iter_mut().zip(parts).for_each(|(slot, byte)| *slot = byte);
        Self { rng: ChaCha8Rng::from_seed(key) }
    }

    /// Uniform in 0..n; 0 when n is 0.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        let scaled = (u64::from(self.rng.next_u32()) * u64::from(n)) >> 32;
        u32::try_from(scaled).unwrap_or(0)
    }

    /// Uniform in low..=high; low when the range is empty.
    pub(super) fn range(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        let scaled = (u128::from(self.rng.next_u64()) * u128::from(span)) >> 64;
        low.saturating_add(i64::try_from(scaled).unwrap_or(0))
    }

    /// Uniform day in low..=high; low when the range is empty.
    pub(super) fn day(&mut self, low: i32, high: i32) -> i32 {
        i32::try_from(self.range(low.into(), high.into())).unwrap_or(low)
    }

    /// A day in low..=high, later days more often: a health system grows, and so do its logs.
    pub(super) fn recent_day(&mut self, low: i32, high: i32) -> i32 {
        let u = self.unit();
        let back = f64::from(high.saturating_sub(low).max(0)) * u * (0.6 + 0.4 * u);
        high.saturating_sub(back as i32).max(low)
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(self.rng.next_u32()) / 4_294_967_296.0
    }

    /// TRUE with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// TRUE in this many of a hundred draws.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// About normal with mean 0 and deviation 1, never beyond ±3.5.
    pub(super) fn normal(&mut self) -> f64 {
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.732
    }

    /// A whole number with exactly this mean, spread between 0 and twice the mean.
    pub(super) fn count(&mut self, mean: f64) -> u32 {
        let spread = self.unit() + self.unit();
        (mean.max(0.0) * spread + self.unit()) as u32
    }

    /// Heavy-tailed factor with mean about 0.9: a Pareto law with exponent 4/3 from 0.25 to 60.
    pub(super) fn heavy(&mut self) -> f64 {
        let root = (1.0 - self.unit()).sqrt();
        (0.25 / (root * root.sqrt())).min(60.0)
    }

    /// One of the items; the default when there is none.
    pub(super) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let place = self.below(u32::try_from(items.len()).unwrap_or(u32::MAX));
        items.get(place as usize).copied().unwrap_or_default()
    }

    /// One of the items, the first ones far more often (the place is uniform cubed).
    pub(super) fn zipf<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let u = self.unit();
        let place = (u * u * u * items.len() as f64) as usize;
        items.get(place).copied().unwrap_or_default()
    }

    /// One of the items by weight; the default when all weights are 0.
    pub(super) fn weighted<T: Copy + Default>(&mut self, items: &[(u32, T)]) -> T {
        let total = items.iter().map(|(weight, _)| *weight).sum();
        let mut left = self.below(total);
        for (weight, item) in items {
            if left < *weight {
                return *item;
            }
            left -= *weight;
        }
        T::default()
    }
}
