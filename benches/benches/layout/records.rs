//! Random records of a shard, and looking for one of them.

use std::ops::Range;
use std::slice::from_ref;
use std::time::Instant;

use arrow::array::{AsArray, FixedSizeBinaryArray};
use arrow::buffer::Buffer;
use arrow::datatypes::UInt32Type;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use crate::clock::Scale;
use crate::files::{File, PAGE_ROWS};

/// A day, as times are packed: quarters of microseconds.
pub const DAY: i64 = 86_400_000_000 * 4;
/// Records are of three years; "now" is their end.
pub const DAYS: i64 = 1095;

/// An ordinal of a shard; some contacts are much busier than others.
pub fn skewed(rng: &mut ChaCha8Rng, contacts: usize) -> u32 {
    let uniform: f64 = rng.random();
    (uniform * uniform * contacts as f64) as u32
}

/// Times and ordinals in the order of time; whole seconds. Of one contact in eight the last 200 days know nothing.
pub fn events(rng: &mut ChaCha8Rng, records: usize, contacts: usize) -> Vec<(i64, u32)> {
    const SECOND: i64 = 4_000_000;
    let event = |_| {
        let ordinal = skewed(rng, contacts);
        let days = if ordinal % 8 == 7 { DAYS - 200 } else { DAYS };
        (rng.random_range(0..days * DAY / SECOND) * SECOND, ordinal)
    };
    let mut events: Vec<(i64, u32)> = (0..records).map(event).collect();
    events.sort_unstable();
    events
}

/// Sets the bit of an ordinal.
pub fn set(bits: &mut [u8], ordinal: u32) {
    bits[(ordinal >> 3) as usize] |= 1 << (ordinal & 7);
}

/// How many bits are set.
pub fn ones(bits: &[u8]) -> u32 {
    bits.iter().map(|byte| byte.count_ones()).sum()
}

/// Record hashes, which nothing compresses: what an import writes for every record beside its ordinal and time.
pub fn hashes(rng: &mut ChaCha8Rng, records: usize) -> FixedSizeBinaryArray {
    let mut bytes = vec![0; records * 5];
    rng.fill_bytes(&mut bytes);
    FixedSizeBinaryArray::try_new(5, Buffer::from_vec(bytes), None).unwrap()
}

/// What was read to find one record.
#[derive(Default)]
pub struct Walk {
    pub pages: usize,
    pub bytes: usize,
    pub found: bool,
}

/// Looks for the latest record of a contact before a row, among rows that lie in the order of time: ordinals page by
/// page from there back, then the column `then` of the page that has it.
pub fn walk_back(file: &File, rows: Range<usize>, ordinal: u32, then: &[&str]) -> Walk {
    let mut walk = Walk::default();
    let mut end = rows.end;
    while end > rows.start && !walk.found {
        let start = ((end - 1) / PAGE_ROWS * PAGE_ROWS).max(rows.start);
        let page = start..end;
        let page = from_ref(&page);
        for batch in file.read(&["ord"], Some(page)) {
            let batch = batch.unwrap();
            let ordinals = batch.column(0).as_primitive::<UInt32Type>().values();
            walk.found |= ordinals.contains(&ordinal);
        }
        walk.pages += 1;
        walk.bytes += file.sealed("ord", page);
        if walk.found {
            file.read(then, Some(page)).for_each(|batch| assert!(batch.is_ok()));
            walk.bytes += then.iter().map(|column| file.sealed(column, page)).sum::<usize>();
        }
        end = start;
    }
    walk
}

/// Walks of several contacts that lose their latest record, and what they read in the mean and at most.
pub struct Walks {
    pub ms: f64,
    pub pages: f64,
    pub pages_most: usize,
    pub bytes: f64,
    pub lost: usize,
}

impl Walks {
    /// `latest`: ordinals, and the rows before the latest record of each.
    pub fn new(file: &File, latest: &[(u32, Range<usize>)], then: &[&str]) -> Self {
        let start = Instant::now();
        let walks: Vec<Walk> =
            latest.iter().map(|(ordinal, rows)| walk_back(file, rows.clone(), *ordinal, then)).collect();
        let count = walks.len() as f64;
        Self {
            ms: start.elapsed().as_secs_f64() * 1e3 / count,
            pages: walks.iter().map(|walk| walk.pages).sum::<usize>() as f64 / count,
            pages_most: walks.iter().map(|walk| walk.pages).max().unwrap(),
            bytes: walks.iter().map(|walk| walk.bytes).sum::<usize>() as f64 / count,
            lost: walks.iter().filter(|walk| !walk.found).count(),
        }
    }
}

/// Prints what histories of three lengths give: a row for the question, and one for a correction.
pub fn histories(
    scale: Scale,
    history: fn(Scale, usize) -> (String, String),
    question: &str,
    correction: &str,
) {
    let rows: Vec<(String, String)> =
        [1, 4, 16].iter().map(|times| history(scale, scale.records * times)).collect();
    println!("{question}");
    rows.iter().for_each(|(row, _)| println!("{row}"));
    println!("{correction}");
    rows.iter().for_each(|(_, row)| println!("{row}"));
}
