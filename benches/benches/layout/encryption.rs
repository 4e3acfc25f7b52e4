//! The same files with and without encryption: column sets that segments of the workload read, in full, and writing
//! them. Nothing in the product turns encryption off.

use arrow::array::{
    Array, AsArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type};
use hyperseg_storage::bits::packed;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, kb, medians, ms};
use crate::files::{Column, File, PAGE_ROWS, write};
use crate::records::{DAY, DAYS, events, ones, set};

struct Set {
    name: &'static str,
    columns: Vec<Column>,
    page_rows: usize,
    /// What a segment does with a batch: adds to a bitmap.
    test: fn(&RecordBatch, &mut Vec<u8>),
}

fn bytes(rng: &mut ChaCha8Rng, rows: usize, values: u8) -> FixedSizeBinaryArray {
    FixedSizeBinaryArray::try_from_iter((0..rows).map(|_| [rng.random_range(0..values)])).unwrap()
}

/// Answers by byte, as the engine tests categories.
const STATES: [bool; 256] = {
    let mut answers = [false; 256];
    answers[3] = true;
    answers[20] = true;
    answers[30] = true;
    answers
};

/// Women of an age in three states.
fn of_people(batch: &RecordBatch, bits: &mut Vec<u8>) {
    let sexes = batch.column(0).as_fixed_size_binary().value_data();
    let states = batch.column(1).as_fixed_size_binary().value_data();
    let births = batch.column(2).as_primitive::<Int32Type>().values();
    let deaths = batch.column(3).as_primitive::<Int32Type>().values();
    let alive = match batch.column(3).nulls() {
        Some(nulls) => !nulls.inner(),
        None => packed(deaths, |death| *death == i32::MIN),
    };
    let tests = [
        packed(sexes, |sex| *sex == 0),
        packed(states, |state| STATES[usize::from(*state)]),
        packed(births, |birth| (*birth >= -8_000) & (*birth < 20_000)),
        alive,
    ];
    let all = tests.into_iter().reduce(|one, other| &one & &other).unwrap();
    bits.extend_from_slice(all.inner().as_slice());
}

/// Who has a record after a time.
fn of_times(batch: &RecordBatch, bits: &mut Vec<u8>) {
    bits.resize(1 << 15, 0);
    let ordinals = batch.column(0).as_primitive::<UInt32Type>().values();
    let at = batch.column(1).as_primitive::<Int64Type>().values();
    let after = ordinals.iter().zip(at).filter(|(_, at)| **at >= DAYS * DAY / 2);
    after.for_each(|(ordinal, _)| set(bits, *ordinal));
}

/// Who has a record of some codes.
fn of_codes(batch: &RecordBatch, bits: &mut Vec<u8>) {
    bits.resize(1 << 15, 0);
    let ordinals = batch.column(0).as_primitive::<UInt32Type>().values();
    let codes = batch.column(1).as_dictionary::<Int32Type>();
    let known = codes.values().as_string::<i32>();
    let wanted: Vec<bool> = known.iter().map(|code| code.is_some_and(|code| code.ends_with('1'))).collect();
    let some = ordinals.iter().zip(codes.keys().values()).filter(|(_, code)| wanted[**code as usize]);
    some.for_each(|(ordinal, _)| set(bits, *ordinal));
}

/// Whose address is on a domain.
fn of_addresses(batch: &RecordBatch, bits: &mut Vec<u8>) {
    let addresses = batch.column(0).as_string::<i32>();
    let places: Vec<usize> = (0..addresses.len()).collect();
    let on = packed(&places, |place| addresses.value(*place).as_bytes().ends_with(b"1@example.test"));
    bits.extend_from_slice(on.inner().as_slice());
}

fn sets(scale: Scale) -> Vec<Set> {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let rows = scale.rows;
    let births = (0..rows).map(|_| rng.random_range(-16_000..20_000) * 4).collect::<Vec<i32>>();
    let deaths: Int32Array = (0..rows).map(|_| rng.random_bool(0.015).then_some(80_000)).collect();
    let required = Int32Array::from_iter_values(deaths.iter().map(|death| death.unwrap_or(i32::MIN)));
    let people = vec![
        Column::plain("gender", bytes(&mut rng, rows, 4)),
        Column::plain("state", bytes(&mut rng, rows, 56)),
        Column::plain("birth_date", Int32Array::from(births)),
        Column::plain("deceased_on", required),
    ];
    let mut optional = people.clone();
    optional[3] = Column::plain("deceased_on", deaths);
    let events = events(&mut rng, rows, 1 << 18);
    let ordinals = UInt32Array::from_iter_values(events.iter().map(|event| event.1));
    let at = Int64Array::from_iter_values(events.iter().map(|event| event.0));
    let codes = (0..rows).map(|row| format!("ICD10CM:E{:03}", row * 300 / rows));
    let codes = StringArray::from_iter_values(codes);
    let addresses = (0..rows).map(|row| format!("person.{}@example.test", row * 7919 % 1_000_003));
    let addresses = StringArray::from_iter_values(addresses);
    let opens = vec![Column::plain("ord", ordinals.clone()), Column::delta("at", at)];
    let coded = vec![Column::plain("ord", ordinals.clone()), Column::dictionary("code", codes)];
    let set = |name, columns, page_rows, test| Set { name, columns, page_rows, test };
    vec![
        set("sex, state, birth date, death of contacts", people, PAGE_ROWS, of_people),
        set("the same, death optional", optional, PAGE_ROWS, of_people),
        set("ordinals and times of events", opens, PAGE_ROWS, of_times),
        set("ordinals of events", vec![Column::plain("ord", ordinals)], PAGE_ROWS, |batch, bits| {
            bits.resize(1 << 15, 0);
            let ordinals = batch.column(0).as_primitive::<UInt32Type>().values();
            ordinals.iter().for_each(|ordinal| crate::records::set(bits, *ordinal));
        }),
        set("ordinals and codes of records", coded, PAGE_ROWS, of_codes),
        set("e-mail addresses", vec![Column::plain("email", addresses)], 1 << 11, of_addresses),
    ]
}

impl Set {
    fn answer(&self, file: &File) -> Vec<u8> {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let mut bits = Vec::new();
        file.read(&names, None).for_each(|batch| (self.test)(&batch.unwrap(), &mut bits));
        bits
    }
}

/// Every set with and without.
pub fn encryption(scale: Scale) {
    println!(
        "\n### Encryption on and off: {} rows\n\n| columns | kB | decode: off ms | on ms | ratio | decode and test: off ms | on ms | ratio | write: off ms | on ms | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|",
        scale.rows
    );
    for set in sets(scale) {
        let file = |encrypted| {
            let file = File::written(&set.columns, set.page_rows, encrypted);
            // As the product reads codes: they stay numbers into their dictionary.
            if set.columns.iter().any(|column| column.encoding.is_none()) { file.coded() } else { file }
        };
        let (off, on) = (file(false), file(true));
        let answer = set.answer(&on);
        assert!(answer == set.answer(&off) && ones(&answer) > 0, "{}", set.name);
        let mut works: Vec<Work<'_>> = Vec::new();
        for file in [&off, &on] {
            works.push(Box::new(|| assert_eq!(file.count(None), scale.rows)));
        }
        for file in [&off, &on] {
            works.push(Box::new(|| drop(set.answer(file))));
        }
        for encrypted in [false, true] {
            let set = &set;
            works.push(Box::new(move || drop(write(&set.columns, set.page_rows, encrypted))));
        }
        let times = medians(scale.rounds * 2 + 1, &mut works);
        let cells = times
            .chunks(2)
            .map(|pair| format!("{} | {} | {:.2} |", ms(pair[0]), ms(pair[1]), pair[1] / pair[0]));
        println!("| {} | {} | {}", set.name, kb(on.bytes.len()), cells.collect::<Vec<_>>().join(" "));
    }
}
