//! How much is measured, and how.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Sizes of the experiments.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Rows of a column, and contacts of a dataset.
    pub rows: usize,
    /// Contacts of a shard.
    pub shard: usize,
    /// Records of the smallest history; others are four and sixteen times as long.
    pub records: usize,
    pub rounds: usize,
}

impl Scale {
    pub const FULL: Self = Self { rows: 1 << 20, shard: 1 << 17, records: 1 << 20, rounds: 15 };
    /// Everything runs, and every answer is checked; the times say nothing.
    pub const TEST: Self = Self { rows: 1 << 13, shard: 1 << 12, records: 1 << 13, rounds: 1 };
}

/// Something to be measured.
pub type Work<'w> = Box<dyn FnMut() + 'w>;

/// Before each turn, so that a short one is not the end of a time slice on a machine that does other work.
const PAUSE: Duration = Duration::from_millis(1);

/// Medians in nanoseconds. The works take turns, so that they see the same noise; the first turn of each only warms up.
pub fn medians(rounds: usize, works: &mut [Work<'_>]) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(rounds); works.len()];
    for round in 0..=rounds {
        for (work, times) in works.iter_mut().zip(&mut times) {
            sleep(PAUSE);
            let start = Instant::now();
            work();
            if round > 0 {
                times.push(start.elapsed().as_secs_f64() * 1e9);
            }
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    times.into_iter().map(median).collect()
}

/// Milliseconds.
pub fn ms(nanoseconds: f64) -> String {
    format!("{:.3}", nanoseconds / 1e6)
}

/// Thousands of bytes.
pub fn kb(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / 1e3)
}
