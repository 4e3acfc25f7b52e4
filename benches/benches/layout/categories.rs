//! Categories of contacts: a byte for each contact, a bitmap for each value, or the ordinals of each value.

use std::ops::Range;

use arrow::array::{AsArray, BinaryArray, FixedSizeBinaryArray, UInt32Array};
use arrow::buffer::Buffer;
use arrow::datatypes::UInt32Type;
use hyperseg_storage::bits::{packed, packed_by};
use hyperseg_storage::file::MISSING_BYTE;
use parquet::basic::Compression;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, kb, medians, ms};
use crate::files::{Column, File, PAGE_ROWS, zstd};
use crate::records::set;

/// Contacts of a container of a compressed bitmap; places in it take two bytes.
const CONTAINER: usize = 1 << 16;

/// Finds who has one of some values.
trait Layout {
    fn file(&self) -> &File;
    /// Rows of the file that have to be read for some values.
    fn rows(&self, values: &[u8]) -> Vec<Range<usize>>;
    fn bits(&self, values: &[u8]) -> Vec<u8>;
    /// Rows whose pages another value of one contact of the first shard changes.
    fn changed(&self, from: u8, to: u8) -> Vec<Range<usize>>;
}

/// A byte for each contact.
struct Codes {
    file: File,
    contacts: usize,
    /// Adds to the bits of who has one of some values.
    test: fn(codes: &[u8], values: &[u8], bits: &mut Vec<u8>),
}

impl Codes {
    fn new(codes: &[u8], test: fn(&[u8], &[u8], &mut Vec<u8>)) -> Self {
        let values = FixedSizeBinaryArray::try_new(1, Buffer::from(codes), None).unwrap();
        let file = File::write(&[Column::plain("c", values)], PAGE_ROWS);
        Self { file, contacts: codes.len(), test }
    }
}

/// As the engine does it with many values: an answer for each byte, and whether it is known.
fn by_table(codes: &[u8], values: &[u8], bits: &mut Vec<u8>) {
    let mut answers = [0b10; 256];
    answers[255] = 0;
    values.iter().for_each(|value| answers[usize::from(*value)] = 0b11);
    let certain = packed(codes, |code| answers[usize::from(*code)] & 1 == 1);
    bits.extend_from_slice(certain.inner().as_slice());
    let known = packed(codes, |code| answers[usize::from(*code)] >> 1 == 1);
    assert_eq!(known.count_set_bits(), codes.len());
}

/// As the engine does it with few: nothing is decided in between.
fn by_comparing(codes: &[u8], values: &[u8], bits: &mut Vec<u8>) {
    let one_of = |values: &[u8]| {
        packed_by(codes, |codes, flags| {
            for value in values {
                flags.iter_mut().zip(codes).for_each(|(flag, code)| *flag |= u8::from(code == value));
            }
        })
    };
    bits.extend_from_slice(one_of(values).inner().as_slice());
    assert_eq!(one_of(&[MISSING_BYTE]).count_set_bits(), 0);
}

impl Layout for Codes {
    fn file(&self) -> &File {
        &self.file
    }

    fn rows(&self, _: &[u8]) -> Vec<Range<usize>> {
        std::iter::once(0..self.contacts).collect()
    }

    fn bits(&self, values: &[u8]) -> Vec<u8> {
        let mut bits = Vec::with_capacity(self.contacts.div_ceil(8));
        for batch in self.file.read(&["c"], None) {
            (self.test)(batch.unwrap().column(0).as_fixed_size_binary().value_data(), values, &mut bits);
        }
        bits
    }

    fn changed(&self, _: u8, _: u8) -> Vec<Range<usize>> {
        std::iter::once(0..1).collect()
    }
}

/// How the contacts of a shard that have a value are written and read; ordinals ascend.
#[derive(Clone, Copy)]
struct Coding {
    name: &'static str,
    compression: Compression,
    encode: fn(ordinals: &[u32], shard: usize) -> Vec<u8>,
    /// Into the bits of the shard.
    decode: fn(part: &[u8], bits: &mut [u8]),
}

const fn codings(zstd: Compression) -> [Coding; 4] {
    let plain = Compression::UNCOMPRESSED;
    [
        Coding { name: "bitmap for each value", compression: plain, encode: bitmap, decode: or },
        Coding { name: "the same, zstd 1", compression: zstd, encode: bitmap, decode: or },
        Coding {
            name: "bitmap, or a list where sparse",
            compression: plain,
            encode: containers,
            decode: or_containers,
        },
        Coding {
            name: "postings, bytes of deltas",
            compression: plain,
            encode: varints,
            decode: set_varints,
        },
    ]
}

fn bitmap(ordinals: &[u32], shard: usize) -> Vec<u8> {
    let mut bits = vec![0; shard / 8];
    ordinals.iter().for_each(|ordinal| set(&mut bits, *ordinal));
    bits
}

fn or(part: &[u8], bits: &mut [u8]) {
    bits.iter_mut().zip(part).for_each(|(bits, part)| *bits |= part);
}

/// Each container: how many places there are, and these; or `u16::MAX` and a bitmap where that is shorter.
fn containers(ordinals: &[u32], shard: usize) -> Vec<u8> {
    let container = CONTAINER.min(shard);
    let mut bytes = Vec::new();
    for first in (0..shard).step_by(container) {
        let of = |ordinal: &&u32| (first..first + container).contains(&(**ordinal as usize));
        let places: Vec<u32> = ordinals.iter().filter(of).map(|ordinal| ordinal - first as u32).collect();
        if places.len() < container / 16 {
            bytes.extend((places.len() as u16).to_le_bytes());
            bytes.extend(places.iter().flat_map(|place| (*place as u16).to_le_bytes()));
        } else {
            bytes.extend(u16::MAX.to_le_bytes());
            bytes.extend(bitmap(&places, container));
        }
    }
    bytes
}

fn or_containers(mut part: &[u8], bits: &mut [u8]) {
    let container = CONTAINER.min(bits.len() * 8);
    for bits in bits.chunks_mut(container / 8) {
        let (count, rest) = part.split_first_chunk().unwrap();
        let count = u16::from_le_bytes(*count);
        let bytes = if count == u16::MAX { bits.len() } else { usize::from(count) * 2 };
        let (now, rest) = rest.split_at(bytes);
        if count == u16::MAX {
            or(now, bits);
        } else {
            let places = now.chunks_exact(2).map(|place| u16::from_le_bytes([place[0], place[1]]));
            places.for_each(|place| set(bits, u32::from(place)));
        }
        part = rest;
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn varints(ordinals: &[u32], _: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ordinals.len());
    let mut last = 0;
    for ordinal in ordinals {
        let mut delta = ordinal - last;
        while delta > 127 {
            bytes.push(delta as u8 | 128);
            delta >>= 7;
        }
        bytes.push(delta as u8);
        last = *ordinal;
    }
    bytes
}

fn set_varints(part: &[u8], bits: &mut [u8]) {
    let (mut ordinal, mut delta, mut shift) = (0, 0, 0);
    for byte in part {
        delta |= u32::from(byte & 127) << shift;
        shift += 7;
        if *byte < 128 {
            ordinal += delta;
            set(bits, ordinal);
            (delta, shift) = (0, 0);
        }
    }
}

/// A page for each shard and value, sealed by itself.
struct Parts {
    file: File,
    coding: Coding,
    shards: usize,
    shard: usize,
    cardinality: usize,
}

impl Parts {
    fn new(coding: Coding, postings: &[Vec<Vec<u32>>], shard: usize) -> Self {
        let parts = postings.iter().flatten().map(|ordinals| (coding.encode)(ordinals, shard));
        let values = BinaryArray::from_iter_values(parts.collect::<Vec<_>>());
        let file = File::write(&[Column::plain("c", values).compressed(coding.compression)], 1);
        Self { file, coding, shards: postings.len(), shard, cardinality: postings[0].len() }
    }
}

impl Layout for Parts {
    fn file(&self) -> &File {
        &self.file
    }

    fn rows(&self, values: &[u8]) -> Vec<Range<usize>> {
        let shards = (0..self.shards).map(|shard| shard * self.cardinality);
        let parts = shards.flat_map(|first| values.iter().map(move |value| first + usize::from(*value)));
        parts.map(|part| part..part + 1).collect()
    }

    fn bits(&self, values: &[u8]) -> Vec<u8> {
        let mut bits = vec![0; self.shards * self.shard / 8];
        let mut part = 0;
        for batch in self.file.read(&["c"], Some(&self.rows(values))) {
            for bytes in batch.unwrap().column(0).as_binary::<i32>() {
                let first = part / values.len() * self.shard / 8;
                (self.coding.decode)(bytes.unwrap(), &mut bits[first..first + self.shard / 8]);
                part += 1;
            }
        }
        bits
    }

    fn changed(&self, from: u8, to: u8) -> Vec<Range<usize>> {
        [from, to].map(|value| usize::from(value)..usize::from(value) + 1).into()
    }
}

/// A row for each contact, by value and then by ordinal; where the values of a shard begin is known.
struct Postings {
    file: File,
    /// Of each shard and value.
    ranges: Vec<Vec<Range<usize>>>,
    shard: usize,
}

impl Postings {
    fn new(postings: &[Vec<Vec<u32>>], shard: usize) -> Self {
        let mut end = 0;
        let mut range = |ordinals: &Vec<u32>| {
            end += ordinals.len();
            end - ordinals.len()..end
        };
        let ranges = postings.iter().map(|values| values.iter().map(&mut range).collect()).collect();
        let ordinals = UInt32Array::from_iter_values(postings.iter().flatten().flatten().copied());
        Self { file: File::write(&[Column::delta("c", ordinals)], PAGE_ROWS), ranges, shard }
    }
}

impl Layout for Postings {
    fn file(&self) -> &File {
        &self.file
    }

    fn rows(&self, values: &[u8]) -> Vec<Range<usize>> {
        let ranges = self.ranges.iter();
        let ranges = ranges.flat_map(|shard| values.iter().map(|value| shard[usize::from(*value)].clone()));
        ranges.filter(|range| !range.is_empty()).collect()
    }

    fn bits(&self, values: &[u8]) -> Vec<u8> {
        let mut bits = vec![0; self.ranges.len() * self.shard / 8];
        let mut rows = self.rows(values).into_iter();
        let (mut left, mut first) = (0, 0);
        for batch in self.file.read(&["c"], Some(&self.rows(values))) {
            let batch = batch.unwrap();
            let mut ordinals: &[u32] = batch.column(0).as_primitive::<UInt32Type>().values();
            while !ordinals.is_empty() {
                if left == 0 {
                    let range = rows.next().unwrap();
                    left = range.len();
                    let shard = self.ranges.partition_point(|values| values[0].start <= range.start) - 1;
                    first = shard * self.shard;
                }
                let (now, rest) = ordinals.split_at(left.min(ordinals.len()));
                now.iter().for_each(|ordinal| set(&mut bits[first / 8..], *ordinal));
                left -= now.len();
                ordinals = rest;
            }
        }
        bits
    }

    fn changed(&self, from: u8, to: u8) -> Vec<Range<usize>> {
        // A row goes and another comes, so that all rows between them move.
        let [from, to] = [from, to].map(|value| self.ranges[0][usize::from(value)].clone());
        std::iter::once(from.start.min(to.start)..from.end.max(to.end)).collect()
    }
}

/// Values of contacts, numbered by how many have them, and the contacts of each shard and value.
fn population(scale: Scale, weights: &[f64]) -> (Vec<u8>, Vec<Vec<Vec<u32>>>) {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut end = 0.0;
    let add = |weight: &f64| {
        end += weight;
        end
    };
    let ends: Vec<f64> = weights.iter().map(add).collect();
    let mut draw = || {
        let place = rng.random::<f64>() * end;
        ends.partition_point(|end| *end <= place).min(ends.len() - 1) as u8
    };
    let codes: Vec<u8> = (0..scale.rows).map(|_| draw()).collect();
    let of_shard = |codes: &[u8]| {
        let mut values = vec![Vec::new(); weights.len()];
        codes.iter().zip(0..).for_each(|(code, ordinal)| values[usize::from(*code)].push(ordinal));
        values
    };
    let postings = codes.chunks(scale.shard).map(of_shard).collect();
    (codes, postings)
}

type Make<'m> = Box<dyn Fn() -> Box<dyn Layout> + 'm>;

fn layouts<'m>(
    codes: &'m [u8],
    postings: &'m [Vec<Vec<u32>>],
    shard: usize,
) -> Vec<(&'static str, Make<'m>)> {
    let mut layouts: Vec<(&str, Make<'m>)> = vec![
        ("byte for each contact", Box::new(|| Box::new(Codes::new(codes, by_table)))),
        ("the same, compared", Box::new(|| Box::new(Codes::new(codes, by_comparing)))),
    ];
    for coding in codings(zstd(1)) {
        layouts.push((coding.name, Box::new(move || Box::new(Parts::new(coding, postings, shard)))));
    }
    layouts.push(("postings, Parquet's deltas", Box::new(move || Box::new(Postings::new(postings, shard)))));
    layouts
}

fn column(scale: Scale, name: &str, weights: &[f64], questions: &[&[u8]]) {
    let (codes, postings) = population(scale, weights);
    let makes = layouts(&codes, &postings, scale.shard);
    let layouts: Vec<Box<dyn Layout>> = makes.iter().map(|(_, make)| make()).collect();
    let mut works: Vec<Work<'_>> = Vec::new();
    for (_, make) in &makes {
        works.push(Box::new(|| drop(make())));
    }
    let times = medians(scale.rounds, &mut works);
    println!(
        "\n### {name}: {} contacts\n\n| layout | kB at rest | write ms | one contact changes: kB sealed anew | kB of a shard |\n|---|---|---|---|---|",
        codes.len()
    );
    let other = weights.len() as u8 / 2;
    for (((name, _), layout), time) in makes.iter().zip(&layouts).zip(times) {
        let file = layout.file();
        println!(
            "| {name} | {} | {} | {} | {} |",
            kb(file.bytes.len()),
            ms(time),
            kb(file.sealed("c", &layout.changed(0, other))),
            kb(file.bytes.len() / postings.len())
        );
    }
    println!("\n| values | members | layout | kB decrypted | bitmap ms |\n|---|---|---|---|---|");
    for values in questions {
        let expected = packed(&codes, |code| values.contains(code));
        let mut works: Vec<Work<'_>> = Vec::new();
        for ((name, _), layout) in makes.iter().zip(&layouts) {
            assert_eq!(layout.bits(values), expected.inner().as_slice(), "{name}");
            works.push(Box::new(|| assert!(!layout.bits(values).is_empty())));
        }
        let times = medians(scale.rounds, &mut works);
        let members = expected.count_set_bits();
        for (((name, _), layout), time) in makes.iter().zip(&layouts).zip(times) {
            let decrypted = kb(layout.file().sealed("c", &layout.rows(values)));
            println!("| {values:?} | {members} | {name} | {decrypted} | {} |", ms(time));
        }
    }
}

/// Three columns.
pub fn categories(scale: Scale) {
    let zipf = |values: i32, exponent: i32| (1..=values).map(move |rank| f64::from(rank).powi(-exponent));
    let states: Vec<f64> = zipf(56, 1).collect();
    let languages: Vec<f64> = zipf(30, 2).collect();
    column(scale, "Sex, 4 values", &[0.495, 0.495, 0.008, 0.002], &[&[0], &[2], &[0, 1, 2]]);
    column(scale, "State, 56 values", &states, &[&[0], &[40], &[0, 10, 40]]);
    column(scale, "Language, 30 values", &languages, &[&[0], &[20], &[0, 5, 20]]);
}
