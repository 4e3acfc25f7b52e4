//! A date that few contacts have: who has one? And the two plain forms by how many have one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, UInt32Array};
use arrow::datatypes::{Int32Type, UInt32Type};
use hyperseg_storage::bits::packed;
use parquet::basic::Compression;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, kb, medians, ms};
use crate::files::{Column, File, PAGE_ROWS, zstd};
use crate::records::{ones, set};

const MISSING: i32 = i32::MIN;

/// How a column says that a value is missing.
#[derive(Clone, Copy)]
enum Missing {
    Value,
    Null,
    /// Only those that have one are in the file, with their ordinals.
    Absent,
}

struct Stored {
    name: String,
    file: File,
    missing: Missing,
}

impl Stored {
    /// Who has a value.
    fn known(&self, rows: usize) -> Vec<u8> {
        let mut bits = Vec::with_capacity(rows.div_ceil(8));
        if matches!(self.missing, Missing::Absent) {
            bits.resize(rows.div_ceil(8), 0);
            // The dates are what the column is read for; that they are not needed for this question is no merit.
            for batch in self.file.read(&["ord", "c"], None) {
                let batch = batch.unwrap();
                let ords = batch.column(0).as_primitive::<UInt32Type>().values();
                ords.iter().for_each(|ord| set(&mut bits, *ord));
            }
            return bits;
        }
        for batch in self.file.read(&["c"], None) {
            self.known_of(&batch.unwrap(), &mut bits);
        }
        bits
    }

    fn known_of(&self, batch: &RecordBatch, bits: &mut Vec<u8>) {
        let column = batch.column(0).as_primitive::<Int32Type>();
        match (self.missing, column.nulls()) {
            (Missing::Null, Some(nulls)) => {
                bits.extend(nulls.inner().sliced().as_slice());
            }
            _ => bits.extend(packed(column.values(), |value| *value != MISSING).into_inner().as_slice()),
        }
    }
}

fn forms(values: &Int32Array) -> Vec<Stored> {
    let required: ArrayRef =
        Arc::new(Int32Array::from_iter_values(values.iter().map(|value| value.unwrap_or(MISSING))));
    let optional: ArrayRef = Arc::new(values.clone());
    let compressions = [
        ("", Compression::UNCOMPRESSED),
        (", lz4", Compression::LZ4_RAW),
        (", zstd 1", zstd(1)),
        (", zstd 3", zstd(3)),
    ];
    let mut forms = Vec::new();
    for (kind, values, missing) in
        [("required", &required, Missing::Value), ("optional", &optional, Missing::Null)]
    {
        let columns = [
            ("plain", Column::plain("c", Arc::clone(values))),
            ("dictionary", Column::dictionary("c", Arc::clone(values))),
            ("delta", Column::delta("c", Arc::clone(values))),
        ];
        for (encoding, column) in columns {
            for (compression_name, compression) in compressions {
                let file = File::write(&[column.clone().compressed(compression)], PAGE_ROWS);
                forms.push(Stored { name: format!("{kind}, {encoding}{compression_name}"), file, missing });
            }
        }
    }
    let known = || values.iter().zip(0..).filter_map(|(value, ord)| Some((ord, value?)));
    let listed = [
        Column::plain("ord", UInt32Array::from_iter_values(known().map(|(ord, _)| ord))),
        Column::plain("c", Int32Array::from_iter_values(known().map(|(_, value)| value))),
    ];
    let file = File::write(&listed, PAGE_ROWS);
    forms.push(Stored { name: "list of ordinals and values".to_owned(), file, missing: Missing::Absent });
    forms
}

fn dates(rng: &mut ChaCha8Rng, rows: usize, share: f64) -> Int32Array {
    (0..rows).map(|_| rng.random_bool(share).then(|| rng.random_range(16_000..20_000) * 4)).collect()
}

/// Milliseconds of each form, once all of them have the same answer.
fn times(scale: Scale, forms: &[Stored]) -> Vec<String> {
    let expected = forms[0].known(scale.rows);
    let mut works: Vec<Work<'_>> = Vec::new();
    for form in forms {
        assert_eq!(form.known(scale.rows), expected, "{}", form.name);
        works.push(Box::new(|| assert!(ones(&form.known(scale.rows)) > 0)));
    }
    medians(scale.rounds, &mut works).into_iter().map(ms).collect()
}

fn shares(scale: Scale, rng: &mut ChaCha8Rng) {
    println!(
        "\n### By how many have it: plain, without compression\n\n| have it | required: bytes a row | ms | optional: bytes a row | ms |\n|---|---|---|---|---|"
    );
    for percent in [1, 5, 10, 25, 50, 75, 95, 99] {
        let values = dates(rng, scale.rows, f64::from(percent) / 100.0);
        let forms: Vec<Stored> =
            forms(&values).into_iter().filter(|form| form.name.ends_with("plain")).collect();
        let cells = forms.iter().zip(times(scale, &forms)).map(|(form, time)| {
            format!("{:.2} | {time} |", form.file.bytes.len() as f64 / scale.rows as f64)
        });
        println!("| {percent} % | {}", cells.collect::<Vec<_>>().join(" "));
    }
}

/// `deceased_on`: 1.5 % have it.
pub fn sparse(scale: Scale) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let forms = forms(&dates(&mut rng, scale.rows, 0.015));
    println!(
        "\n### A date of contacts that 98.5 % lack: who has it?\n\n| form | kB | bytes a row | decode and bitmap ms |\n|---|---|---|---|"
    );
    for (form, time) in forms.iter().zip(times(scale, &forms)) {
        let bytes = form.file.bytes.len();
        println!("| {} | {} | {:.3} | {time} |", form.name, kb(bytes), bytes as f64 / scale.rows as f64);
    }
    shares(scale, &mut rng);
}
