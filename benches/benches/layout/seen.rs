//! "No event in 180 days": from the events, or from a column of contacts that says when each was last seen.

use std::ops::Range;

use arrow::array::{AsArray, Int64Array, UInt32Array};
use arrow::datatypes::{Int64Type, UInt32Type};
use hyperseg_storage::bits::packed;
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, kb, medians, ms};
use crate::files::{Column, File, PAGE_ROWS, write};
use crate::records::{DAY, DAYS, Walks, events, hashes, histories, ones, set};

const SINCE: i64 = (DAYS - 180) * DAY;
/// Contacts whose latest record is deleted.
const DELETED: usize = 64;

/// What an import writes of events, but for what differs from kind to kind.
fn columns(events: &[(i64, u32)], rng: &mut ChaCha8Rng) -> [Column; 3] {
    [
        Column::plain("ord", UInt32Array::from_iter_values(events.iter().map(|event| event.1))),
        Column::delta("at", Int64Array::from_iter_values(events.iter().map(|event| event.0))),
        Column::plain("hash", hashes(rng, events.len())),
    ]
}

/// Blocks that the bounds of their times do not rule out; of the first, times have to be looked at.
fn blocks(events: &[(i64, u32)]) -> (Range<usize>, Range<usize>) {
    let first = events.partition_point(|event| event.0 < SINCE);
    let (start, known) = (first / PAGE_ROWS * PAGE_ROWS, first.next_multiple_of(PAGE_ROWS));
    (start..known.min(events.len()), known.min(events.len())..events.len())
}

fn scan(file: &File, doubtful: &Range<usize>, known: &Range<usize>, contacts: usize) -> Vec<u8> {
    let mut seen = vec![0; contacts / 8];
    for batch in file.read(&["ord"], Some(std::slice::from_ref(known))) {
        let batch = batch.unwrap();
        let ordinals = batch.column(0).as_primitive::<UInt32Type>().values();
        ordinals.iter().for_each(|ordinal| set(&mut seen, *ordinal));
    }
    for batch in file.read(&["ord", "at"], Some(std::slice::from_ref(doubtful))) {
        let batch = batch.unwrap();
        let ordinals = batch.column(0).as_primitive::<UInt32Type>().values();
        let at = batch.column(1).as_primitive::<Int64Type>().values();
        let after = ordinals.iter().zip(at).filter(|(_, at)| **at >= SINCE);
        after.for_each(|(ordinal, _)| set(&mut seen, *ordinal));
    }
    seen.iter_mut().for_each(|byte| *byte = !*byte);
    seen
}

/// Contacts without any event have the least number.
fn last_of(columns: &[Column], contacts: usize) -> Int64Array {
    let mut last = vec![i64::MIN; contacts];
    let ordinals = columns[0].values.as_primitive::<UInt32Type>().values();
    let at = columns[1].values.as_primitive::<Int64Type>().values();
    for (ordinal, at) in ordinals.iter().zip(at) {
        let last = &mut last[*ordinal as usize];
        *last = (*last).max(*at);
    }
    last.into()
}

fn from_column(file: &File, contacts: usize) -> Vec<u8> {
    let mut bits = Vec::with_capacity(contacts / 8);
    for batch in file.read(&["last"], None) {
        let batch = batch.unwrap();
        let last = batch.column(0).as_primitive::<Int64Type>().values();
        bits.extend_from_slice(packed(last, |at| *at < SINCE).inner().as_slice());
    }
    bits
}

/// The rows before the latest event of some contacts.
fn latest_rows(events: &[(i64, u32)], contacts: usize, rng: &mut ChaCha8Rng) -> Vec<(u32, Range<usize>)> {
    let mut last = vec![None; contacts];
    events.iter().enumerate().for_each(|(row, event)| last[event.1 as usize] = Some(row));
    let with: Vec<(u32, usize)> =
        last.into_iter().zip(0..).filter_map(|(row, ordinal)| Some((ordinal, row?))).collect();
    let some = sample(rng, with.len(), DELETED.min(with.len()));
    some.into_iter().map(|place| (with[place].0, 0..with[place].1)).collect()
}

fn history(scale: Scale, records: usize) -> (String, String) {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let events = events(&mut rng, records, scale.shard);
    let columns = columns(&events, &mut rng);
    let file = File::write(&columns, PAGE_ROWS);
    let last = || [Column::plain("last", last_of(&columns, scale.shard))];
    let table = File::write(&last(), PAGE_ROWS);
    let (doubtful, known) = blocks(&events);
    let expected = scan(&file, &doubtful, &known, scale.shard);
    assert_eq!(expected, from_column(&table, scale.shard));
    let all = std::iter::once(0..records).collect::<Vec<_>>();
    let mut works: Vec<Work<'_>> = vec![
        Box::new(|| drop(scan(&file, &doubtful, &known, scale.shard))),
        Box::new(|| drop(from_column(&table, scale.shard))),
        Box::new(|| drop(write(&columns, PAGE_ROWS, true))),
        Box::new(|| drop(write(&last(), PAGE_ROWS, true))),
        Box::new(|| {
            // Everything anew from the stored records: what many deletions cost.
            let mut last = vec![i64::MIN; scale.shard];
            for batch in file.read(&["ord", "at"], None) {
                let batch = batch.unwrap();
                let ordinals = batch.column(0).as_primitive::<UInt32Type>().values();
                let at = batch.column(1).as_primitive::<Int64Type>().values();
                ordinals.iter().zip(at).for_each(|(ordinal, at)| last[*ordinal as usize] = *at);
            }
            drop(write(&[Column::plain("last", Int64Array::from(last))], PAGE_ROWS, true));
        }),
    ];
    let times = medians(scale.rounds, &mut works);
    drop(works);
    let walks = Walks::new(&file, &latest_rows(&events, scale.shard, &mut rng), &["at"]);
    let window = [doubtful.clone(), known.clone()];
    let scanned = file.sealed("ord", &window) + file.sealed("at", &window[..1]);
    let whole = file.sealed("ord", &all) + file.sealed("at", &all);
    let question = format!(
        "| {records} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        ones(&expected),
        kb(scanned),
        ms(times[0]),
        kb(table.bytes.len()),
        ms(times[1]),
        kb(file.bytes.len()),
        kb(table.bytes.len()),
        ms(times[2]),
        ms(times[3])
    );
    let correction = format!(
        "| {records} | {:.1} | {} | {} | {:.3} | {} of {DELETED} | {} | {} |",
        walks.pages,
        walks.pages_most,
        kb(walks.bytes as usize),
        walks.ms,
        walks.lost,
        kb(whole),
        ms(times[4])
    );
    (question, correction)
}

/// Histories of three lengths.
pub fn last_seen(scale: Scale) {
    let question = format!(
        "\n### No event in 180 days, {} contacts\n\n| events | members | scan: kB | scan: ms | last seen: kB | last seen: ms | import: kB of events | extra kB | import: ms of events | extra ms |\n|---|---|---|---|---|---|---|---|---|---|",
        scale.shard
    );
    let correction = "\nThe latest event of a contact is deleted: events are read back to the one before, or all of them for everybody.\n\n| events | pages of ordinals, mean | most | kB, mean | ms, mean | no other event | everybody: kB | everybody: ms |\n|---|---|---|---|---|---|---|---|";
    histories(scale, history, &question, correction);
}
