//! Encodings, compressions and page sizes of columns.

use std::ops::Range;
use std::slice::from_ref;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, Float64Array, Int16Array, Int32Array, Int64Array,
    StringArray, UInt32Array,
};
use parquet::basic::{Compression, Encoding};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, medians};
use crate::files::{Column, File, write, zstd};
use crate::records::skewed;

const PAGE_ROWS: usize = 1 << 14;

type Named = (&'static str, Option<Encoding>);

const PLAIN: Named = ("plain", Some(Encoding::PLAIN));
const DELTA: Named = ("delta", Some(Encoding::DELTA_BINARY_PACKED));
const SPLIT: Named = ("byte stream split", Some(Encoding::BYTE_STREAM_SPLIT));
const DICTIONARY: Named = ("dictionary", None);
const DELTA_TEXT: Named = ("delta length", Some(Encoding::DELTA_LENGTH_BYTE_ARRAY));
const DELTA_PREFIX: Named = ("delta prefix", Some(Encoding::DELTA_BYTE_ARRAY));

fn forms(column: &ArrayRef, encodings: &[Named]) -> Vec<(String, Column)> {
    let compressions = [
        ("none", Compression::UNCOMPRESSED),
        ("lz4", Compression::LZ4_RAW),
        ("zstd 1", zstd(1)),
        ("zstd 3", zstd(3)),
    ];
    let mut forms = Vec::new();
    for &(encoding_name, encoding) in encodings {
        for (compression_name, compression) in compressions {
            let column = Column::new("c", encoding, Arc::clone(column)).compressed(compression);
            forms.push((format!("{encoding_name}, {compression_name}"), column));
        }
    }
    forms
}

fn encodings(scale: Scale, name: &str, column: &ArrayRef, candidates: &[Named]) {
    println!(
        "\n### {name}\n\n| form | bytes a row | encode ns | decode ns | decode plaintext ns |\n|---|---|---|---|---|"
    );
    for (name, column) in forms(column, candidates) {
        let column = [column];
        let file = File::write(&column, PAGE_ROWS);
        let plain = File::written(&column, PAGE_ROWS, false);
        let mut works: Vec<Work<'_>> = vec![
            Box::new(|| drop(write(&column, PAGE_ROWS, true))),
            Box::new(|| assert_eq!(file.count(None), scale.rows)),
            Box::new(|| assert_eq!(plain.count(None), scale.rows)),
        ];
        let rows = scale.rows as f64;
        let times = medians(scale.rounds, &mut works);
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} | {:.2} |",
            file.bytes.len() as f64 / rows,
            times[0] / rows,
            times[1] / rows,
            times[2] / rows
        );
    }
}

fn pages(scale: Scale, name: &str, column: Column) {
    println!(
        "\n### Rows of a page: {name}\n\n| rows | bytes a row | all rows ms | one block of rows in 64 ms | 100 scattered rows ms |\n|---|---|---|---|---|"
    );
    let column = [column];
    let block = scale.rows / 64;
    let one = 5 * block..6 * block;
    let apart = scale.rows / 100;
    let scattered: Vec<Range<usize>> = (0..100).map(|n| n * apart..n * apart + 1).collect();
    for bits in [10, 11, 12, 13, 14, 15, 16] {
        let file = File::write(&column, 1 << bits);
        let mut works: Vec<Work<'_>> = vec![
            Box::new(|| assert_eq!(file.count(None), scale.rows)),
            Box::new(|| assert_eq!(file.count(Some(from_ref(&one))), block)),
            Box::new(|| assert_eq!(file.count(Some(&scattered)), 100)),
        ];
        let times = medians(scale.rounds, &mut works);
        println!(
            "| {} | {:.2} | {:.2} | {:.3} | {:.3} |",
            1 << bits,
            file.bytes.len() as f64 / scale.rows as f64,
            times[0] / 1e6,
            times[1] / 1e6,
            times[2] / 1e6
        );
    }
}

/// All columns.
pub fn columns(scale: Scale) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let rows = scale.rows;
    let encodings = |name: &str, column: &ArrayRef, candidates: &[Named]| {
        encodings(scale, name, column, candidates);
    };
    let int = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let ordinals: ArrayRef =
        Arc::new(UInt32Array::from_iter_values((0..rows).map(|_| skewed(&mut rng, 1 << 18))));
    encodings("Ordinals of records, in the order of time (u32)", &ordinals, &[PLAIN, DELTA, SPLIT]);
    let mut at: Vec<i64> = (0..rows).map(|_| rng.random_range(0..94_608_000_i64) * 4_000_000).collect();
    at.sort_unstable();
    encodings("Times of records, whole seconds in order (i64)", &int(at.clone()), &[PLAIN, DELTA, SPLIT]);
    let recorded = at.iter().map(|at| at + rng.random_range(0..90_000_i64) * 4_000_000).collect();
    encodings("Times of recording, hours later (i64)", &int(recorded), &[PLAIN, DELTA, SPLIT]);
    let status: ArrayRef =
        Arc::new(Int16Array::from_iter_values((0..rows).map(|_| i16::from(rng.random_bool(0.02)))));
    encodings("Status, nearly always the same (i16)", &status, &[PLAIN, DICTIONARY]);
    let state: ArrayRef =
        Arc::new(Int16Array::from_iter_values((0..rows).map(|_| rng.random_range(0..51_i16))));
    encodings("Category of contacts, 51 values (i16)", &state, &[PLAIN, DICTIONARY, SPLIT]);
    let bytes = (0..rows).map(|_| [rng.random_range(0..51_u8)]).collect::<Vec<_>>();
    let bytes: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter(bytes.into_iter()).unwrap());
    encodings("The same as one byte (fixed binary)", &bytes, &[PLAIN]);
    let flags: ArrayRef = Arc::new(BooleanArray::from_iter((0..rows).map(|_| Some(rng.random_bool(0.5)))));
    encodings("One bit of it (boolean)", &flags, &[PLAIN]);
    let births: ArrayRef =
        Arc::new(Int32Array::from_iter_values((0..rows).map(|_| rng.random_range(-16_000..20_000) * 4)));
    encodings("Birth dates (i32)", &births, &[PLAIN, DELTA, SPLIT, DICTIONARY]);
    let codes: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..rows).map(|row| format!("ICD10CM:E{:03}", row * 300 / rows)),
    ));
    encodings("Codes, clustered (text)", &codes, &[PLAIN, DICTIONARY]);
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(
        (0..rows).map(|_| f64::from(rng.random_range(40..140)) / 10.0),
    ));
    encodings("Laboratory values with one decimal (f64)", &values, &[PLAIN, SPLIT, DICTIONARY]);
    let emails: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..rows).map(|row| format!("person.{}@example.test", row * 7919 % 1_000_003)),
    ));
    encodings("E-mail addresses (text)", &emails, &[PLAIN, DELTA_TEXT, DELTA_PREFIX]);

    pages(scale, "ordinals, plain", Column::plain("c", ordinals));
    let emails = Column::plain("c", emails).compressed(Compression::LZ4_RAW);
    pages(scale, "e-mail addresses, plain, lz4", emails);
}
