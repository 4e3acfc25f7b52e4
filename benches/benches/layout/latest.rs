//! "Latest value of a code > 9": from the records of the code, or from a table of the latest record of each contact and
//! code.

use std::ops::Range;

use arrow::array::{AsArray, Float64Array, Int64Array, UInt32Array};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use rand::seq::index::sample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, kb, medians, ms};
use crate::files::{Column, File, PAGE_ROWS, write};
use crate::records::{Walks, events, hashes, histories, ones, set};

const CODES: usize = 64;
/// Place of the code that is asked for, by how often codes come.
const ASKED: usize = 2;
const DELETED: usize = 64;

/// A record: code, time, ordinal, value.
#[derive(Clone, Copy)]
struct Lab {
    code: usize,
    at: i64,
    ord: u32,
    value: f64,
}

/// Records by code, then by time.
fn labs(rng: &mut ChaCha8Rng, records: usize, contacts: usize) -> Vec<Lab> {
    let weights: Vec<f64> = (1..=CODES).map(|rank| 1.0 / rank as f64).collect();
    let all: f64 = weights.iter().sum();
    let mut labs: Vec<Lab> = Vec::with_capacity(records);
    for (code, weight) in weights.iter().enumerate() {
        let some = ((records as f64 * weight / all) as usize).min(records - labs.len());
        let some = if code + 1 == CODES { records - labs.len() } else { some };
        for (at, ord) in events(rng, some, contacts) {
            labs.push(Lab { code, at, ord, value: f64::from(rng.random_range(40..110)) / 10.0 });
        }
    }
    labs
}

fn columns(labs: &[Lab], by_time: bool) -> [Column; 3] {
    let at = Int64Array::from_iter_values(labs.iter().map(|lab| lab.at));
    [
        Column::plain("ord", UInt32Array::from_iter_values(labs.iter().map(|lab| lab.ord))),
        if by_time { Column::delta("at", at) } else { Column::plain("at", at) },
        Column::dictionary("value", Float64Array::from_iter_values(labs.iter().map(|lab| lab.value))),
    ]
}

/// The latest record of each code and contact: by code, then by contact.
fn latest_of(labs: &[Lab], contacts: usize) -> Vec<Lab> {
    let mut latest = Vec::new();
    let mut last: Vec<Option<Lab>> = vec![None; contacts];
    for of_code in labs.chunk_by(|one, other| one.code == other.code) {
        of_code.iter().for_each(|lab| last[lab.ord as usize] = Some(*lab));
        latest.extend(last.iter_mut().filter_map(Option::take));
    }
    latest
}

fn rows_of(labs: &[Lab]) -> Range<usize> {
    labs.partition_point(|lab| lab.code < ASKED)..labs.partition_point(|lab| lab.code <= ASKED)
}

/// A step for each record: it counts unless a later one is known.
fn scan(file: &File, rows: &Range<usize>, contacts: usize) -> Vec<u8> {
    let mut latest = vec![(i64::MIN, 0.0); contacts];
    for batch in file.read(&["ord", "at", "value"], Some(std::slice::from_ref(rows))) {
        let batch = batch.unwrap();
        let ords = batch.column(0).as_primitive::<UInt32Type>().values();
        let at = batch.column(1).as_primitive::<Int64Type>().values();
        let values = batch.column(2).as_primitive::<Float64Type>().values();
        for ((ord, at), value) in ords.iter().zip(at).zip(values) {
            let known = &mut latest[*ord as usize];
            if *at >= known.0 {
                *known = (*at, *value);
            }
        }
    }
    let mut bits = vec![0; contacts / 8];
    let above = latest.iter().zip(0..).filter(|((_, value), _)| *value > 9.0);
    above.for_each(|(_, ord)| set(&mut bits, ord));
    bits
}

fn from_table(file: &File, rows: &Range<usize>, contacts: usize) -> Vec<u8> {
    let mut bits = vec![0; contacts / 8];
    for batch in file.read(&["ord", "value"], Some(std::slice::from_ref(rows))) {
        let batch = batch.unwrap();
        let ords = batch.column(0).as_primitive::<UInt32Type>().values();
        let values = batch.column(1).as_primitive::<Float64Type>().values();
        ords.iter().zip(values).filter(|(_, value)| **value > 9.0).for_each(|(ord, _)| set(&mut bits, *ord));
    }
    bits
}

/// Of some contacts with the code the rows of the code before their latest.
fn latest_rows(labs: &[Lab], contacts: usize, rng: &mut ChaCha8Rng) -> Vec<(u32, Range<usize>)> {
    let rows = rows_of(labs);
    let mut last = vec![None; contacts];
    rows.clone().for_each(|row| last[labs[row].ord as usize] = Some(row));
    let with: Vec<(u32, usize)> =
        last.into_iter().zip(0..).filter_map(|(row, ord)| Some((ord, row?))).collect();
    let some = sample(rng, with.len(), DELETED.min(with.len()));
    some.into_iter().map(|place| (with[place].0, rows.start..with[place].1)).collect()
}

fn history(scale: Scale, records: usize) -> (String, String) {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let labs = labs(&mut rng, records, scale.shard);
    let latest = latest_of(&labs, scale.shard);
    let mut stored = columns(&labs, true).to_vec();
    stored.push(Column::plain("hash", hashes(&mut rng, records)));
    let derived = || columns(&latest_of(&labs, scale.shard), false);
    let (file, table) = (File::write(&stored, PAGE_ROWS), File::write(&derived(), PAGE_ROWS));
    let (rows, table_rows) = (rows_of(&labs), rows_of(&latest));
    let expected = scan(&file, &rows, scale.shard);
    // Of records of one second the last one written counts on both sides.
    assert_eq!(expected, from_table(&table, &table_rows, scale.shard));
    let mut works: Vec<Work<'_>> = vec![
        Box::new(|| drop(scan(&file, &rows, scale.shard))),
        Box::new(|| drop(from_table(&table, &table_rows, scale.shard))),
        Box::new(|| drop(write(&stored, PAGE_ROWS, true))),
        Box::new(|| drop(write(&derived(), PAGE_ROWS, true))),
    ];
    let times = medians(scale.rounds, &mut works);
    drop(works);
    let walks = Walks::new(&file, &latest_rows(&labs, scale.shard, &mut rng), &["at", "value"]);
    let bytes = |file: &File, columns: &[&str], rows: &Range<usize>| {
        kb(columns.iter().map(|column| file.sealed(column, std::slice::from_ref(rows))).sum())
    };
    let question = format!(
        "| {records} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        rows.len(),
        ones(&expected),
        bytes(&file, &["ord", "at", "value"], &rows),
        ms(times[0]),
        bytes(&table, &["ord", "value"], &table_rows),
        ms(times[1]),
        kb(file.bytes.len()),
        kb(table.bytes.len()),
        ms(times[2]),
        ms(times[3])
    );
    let correction = format!(
        "| {records} | {:.1} | {} | {} | {:.3} | {} of {DELETED} | {} |",
        walks.pages,
        walks.pages_most,
        kb(walks.bytes as usize),
        walks.ms,
        walks.lost,
        bytes(&file, &["ord", "at", "value"], &rows)
    );
    (question, correction)
}

/// Histories of three lengths.
pub fn latest(scale: Scale) {
    let question = format!(
        "\n### Latest value of one code of {CODES} > 9, {} contacts\n\n| records | of the code | members | scan: kB | scan: ms | latest: kB | latest: ms | import: kB of records | extra kB | import: ms of records | extra ms |\n|---|---|---|---|---|---|---|---|---|---|---|",
        scale.shard
    );
    let correction = "\nThe latest record of a contact and code is deleted: those of the code are read back to the one before, or all of them.\n\n| records | pages of ordinals, mean | most | kB, mean | ms, mean | no other record | all of the code: kB |\n|---|---|---|---|---|---|---|";
    histories(scale, history, &question, correction);
}
