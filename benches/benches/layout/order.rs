//! "Opened three mails in 90 days" over the same events in two orders: by time, and by contact as sources have them.

use std::ops::Range;

use arrow::array::{AsArray, Int64Array, UInt32Array};
use arrow::datatypes::{Int64Type, UInt32Type};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, medians};
use crate::files::{Column, File, PAGE_ROWS};
use crate::records::{DAY, DAYS, events};

const SINCE: i64 = (DAYS - 90) * DAY;

struct Ordered {
    file: File,
    /// Blocks that the bounds rule in, and blocks in which times have to be looked at.
    known: Vec<Range<usize>>,
    doubtful: Vec<Range<usize>>,
    contacts: usize,
}

impl Ordered {
    fn new(events: &[(i64, u32)], contacts: usize) -> Self {
        let columns = [
            Column::plain("at", Int64Array::from_iter_values(events.iter().map(|event| event.0))),
            Column::plain("ord", UInt32Array::from_iter_values(events.iter().map(|event| event.1))),
        ];
        let (mut known, mut doubtful) = (Vec::new(), Vec::new());
        for (number, block) in events.chunks(PAGE_ROWS).enumerate() {
            let rows = number * PAGE_ROWS..number * PAGE_ROWS + block.len();
            let after = block.iter().filter(|event| event.0 >= SINCE).count();
            if after == block.len() {
                known.push(rows);
            } else if after > 0 {
                doubtful.push(rows);
            }
        }
        Self { file: File::write(&columns, PAGE_ROWS), known, doubtful, contacts }
    }

    fn members(&self) -> usize {
        let mut counts = vec![0_u8; self.contacts];
        let mut count = |ord: u32| counts[ord as usize] = counts[ord as usize].saturating_add(1);
        for batch in self.file.read(&["ord"], Some(&self.known)) {
            let batch = batch.unwrap();
            batch.column(0).as_primitive::<UInt32Type>().values().iter().copied().for_each(&mut count);
        }
        for batch in self.file.read(&["at", "ord"], Some(&self.doubtful)) {
            let batch = batch.unwrap();
            let at = batch.column(0).as_primitive::<Int64Type>().values();
            let ords = batch.column(1).as_primitive::<UInt32Type>().values();
            let after = at.iter().zip(ords).filter(|(at, _)| **at >= SINCE);
            after.map(|(_, ord)| *ord).for_each(&mut count);
        }
        counts.iter().filter(|count| **count >= 3).count()
    }
}

/// Both orders.
pub fn orders(scale: Scale) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let contacts = scale.records / 4;
    let mut events = events(&mut rng, scale.records, contacts);
    let by_time = Ordered::new(&events, contacts);
    events.sort_unstable_by_key(|&(at, ord)| (ord, at));
    let by_contact = Ordered::new(&events, contacts);
    let (mut first, mut second) = (0, 0);
    let mut works: Vec<Work<'_>> =
        vec![Box::new(|| first = by_time.members()), Box::new(|| second = by_contact.members())];
    let times = medians(scale.rounds, &mut works);
    drop(works);
    assert!(first == second && first > 0);
    println!(
        "\n### Order of events: opened ≥ 3 mails in the last 90 days, {} events, {first} members\n\n| order | ms |\n|---|---|",
        scale.records
    );
    println!("| by time | {:.2} |\n| by contact | {:.2} |", times[0] / 1e6, times[1] / 1e6);
}
