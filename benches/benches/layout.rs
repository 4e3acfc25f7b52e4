//! The layout experiment: bytes and nanoseconds per row of encodings, compressions and page sizes, each on encrypted
//! Parquet in memory, one thread. Prints a Markdown table; `benches/README.md` has one and says what follows from it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray, Float64Array, Int16Array, Int32Array, Int64Array};
use arrow::array::{BooleanArray, RecordBatch, StringArray, UInt32Array};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 1 << 20;
const ROUNDS: usize = 7;
const KEY: [u8; 32] = [7; 32];

/// A way to store a column.
#[derive(Clone, Copy)]
struct Form {
    name: &'static str,
    /// `None`: dictionary.
    encoding: Option<Encoding>,
    compression: Compression,
    page_rows: usize,
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap())
}

fn forms(encodings: &[(&'static str, Option<Encoding>)]) -> Vec<Form> {
    let compressions = [
        ("none", Compression::UNCOMPRESSED),
        ("lz4", Compression::LZ4_RAW),
        ("zstd 1", zstd(1)),
        ("zstd 3", zstd(3)),
    ];
    let mut forms = Vec::new();
    for &(encoding_name, encoding) in encodings {
        for (compression_name, compression) in compressions {
            let name = format!("{encoding_name}, {compression_name}").leak();
            forms.push(Form { name, encoding, compression, page_rows: 1 << 14 });
        }
    }
    forms
}

fn write(column: &ArrayRef, form: Form, encrypted: bool) -> Bytes {
    let batch =
        RecordBatch::try_from_iter_with_nullable([("c", Arc::clone(column), column.null_count() > 0)])
            .unwrap();
    let path = ColumnPath::from("c");
    let mut builder = WriterProperties::builder()
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_row_count_limit(form.page_rows)
        .set_write_batch_size(form.page_rows.min(1024))
        .set_data_page_size_limit(1 << 26)
        .set_compression(form.compression)
        .set_dictionary_enabled(form.encoding.is_none());
    if let Some(encoding) = form.encoding {
        builder = builder.set_column_encoding(path, encoding);
    }
    if encrypted {
        let keys = FileEncryptionProperties::builder(KEY.to_vec())
            .with_column_key("c", KEY.to_vec())
            .build()
            .unwrap();
        builder = builder.with_file_encryption_properties(keys);
    }
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(builder.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file.into()
}

fn open(file: &Bytes, encrypted: bool) -> ArrowReaderMetadata {
    let mut options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    if encrypted {
        let keys = FileDecryptionProperties::builder(KEY.to_vec())
            .with_column_key("c", KEY.to_vec())
            .build()
            .unwrap();
        options = options.with_file_decryption_properties(keys);
    }
    ArrowReaderMetadata::load(file, options).unwrap()
}

fn read(file: &Bytes, metadata: &ArrowReaderMetadata, selection: Option<RowSelection>) -> usize {
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone())
        .with_batch_size(1 << 14);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    builder.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum()
}

/// Median of several rounds, in nanoseconds.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e9
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn encodings(name: &str, column: &ArrayRef, candidates: &[(&'static str, Option<Encoding>)]) {
    println!(
        "\n### {name}\n\n| form | bytes a row | encode ns | decode ns | decode plaintext ns |\n|---|---|---|---|---|"
    );
    for form in forms(candidates) {
        let file = write(column, form, true);
        let plain = write(column, form, false);
        let encode = median(|| drop(write(column, form, true)));
        let (metadata, plain_metadata) = (open(&file, true), open(&plain, false));
        // Interleaved, so that both see the same noise.
        let decode = median(|| assert_eq!(read(&file, &metadata, None), ROWS));
        let decode_plain = median(|| assert_eq!(read(&plain, &plain_metadata, None), ROWS));
        let rows = ROWS as f64;
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} |",
            form.name,
            file.len() as f64 / rows,
            encode / rows,
            decode / rows,
            decode_plain / rows
        );
    }
}

fn pages(name: &str, column: &ArrayRef, encoding: Option<Encoding>, compression: Compression) {
    println!(
        "\n### Rows of a page: {name}\n\n| rows | bytes a row | all rows ms | one block of rows in 64 ms | 100 scattered rows ms |\n|---|---|---|---|---|"
    );
    for bits in [10, 11, 12, 13, 14, 15, 16] {
        let form = Form { name: "", encoding, compression, page_rows: 1 << bits };
        let file = write(column, form, true);
        let metadata = open(&file, true);
        let block = ROWS / 64;
        let one = || RowSelection::from_consecutive_ranges(std::iter::once(5 * block..6 * block), ROWS);
        let scattered = || {
            RowSelection::from_consecutive_ranges(
                (0..100).map(|n| n * (ROWS / 100)..n * (ROWS / 100) + 1),
                ROWS,
            )
        };
        let all = median(|| assert_eq!(read(&file, &metadata, None), ROWS));
        let some = median(|| assert_eq!(read(&file, &metadata, Some(one())), block));
        let few = median(|| assert_eq!(read(&file, &metadata, Some(scattered())), 100));
        println!(
            "| {} | {:.2} | {:.2} | {:.3} | {:.3} |",
            1 << bits,
            file.len() as f64 / ROWS as f64,
            all / 1e6,
            some / 1e6,
            few / 1e6
        );
    }
}

/// "Opened three mails in 90 days" over the same events in two orders: by time, and by contact as sources have them.
fn clustering(rng: &mut ChaCha8Rng) {
    const DAY: i64 = 86_400_000_000 * 4;
    let mut events: Vec<(i64, u32)> =
        (0..ROWS).map(|_| (rng.random_range(0..1095 * DAY) & !3, skewed(rng))).collect();
    println!(
        "\n### Order of events: opened ≥ 3 mails in the last 90 days, {ROWS} events\n\n| order | ms | members |\n|---|---|---|"
    );
    for order in ["by time", "by contact"] {
        if order == "by time" {
            events.sort_unstable()
        } else {
            events.sort_unstable_by_key(|&(at, ord)| (ord, at))
        }
        let at: ArrayRef = Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.0)));
        let ord: ArrayRef = Arc::new(UInt32Array::from_iter_values(events.iter().map(|event| event.1)));
        let form = Form {
            name: "",
            encoding: Some(Encoding::PLAIN),
            compression: Compression::UNCOMPRESSED,
            page_rows: 1 << 14,
        };
        let (at_file, ord_file) = (write(&at, form, true), write(&ord, form, true));
        let (at_metadata, ord_metadata) = (open(&at_file, true), open(&ord_file, true));
        let since = 1005 * DAY;
        let mut members = 0;
        let time = median(|| {
            let mut counts = vec![0_u8; 1 << 18];
            // Blocks that the bounds rule out are skipped, and times are read only where a block is in doubt.
            let blocks = events.chunks(1 << 14).enumerate().filter_map(|(number, block)| {
                let low = block.iter().map(|event| event.0).min()?;
                let high = block.iter().map(|event| event.0).max()?;
                (high >= since).then_some((number << 14..(number << 14) + block.len(), low < since))
            });
            let (doubtful, known): (Vec<_>, Vec<_>) = blocks.partition(|(_, doubt)| *doubt);
            let select = |blocks: &[(std::ops::Range<usize>, bool)]| {
                Some(RowSelection::from_consecutive_ranges(blocks.iter().map(|(rows, _)| rows.clone()), ROWS))
            };
            for (blocks, test) in [(&known, false), (&doubtful, true)] {
                let ords = batches(&ord_file, &ord_metadata, select(blocks));
                let times = if test { batches(&at_file, &at_metadata, select(blocks)) } else { Vec::new() };
                for (place, ords) in ords.iter().enumerate() {
                    let ords = ords.as_any().downcast_ref::<UInt32Array>().unwrap();
                    let times =
                        times.get(place).map(|times| times.as_any().downcast_ref::<Int64Array>().unwrap());
                    for (row, ord) in ords.values().iter().enumerate() {
                        if times.is_none_or(|times| times.value(row) >= since) {
                            counts[*ord as usize] = counts[*ord as usize].saturating_add(1);
                        }
                    }
                }
            }
            members = counts.iter().filter(|count| **count >= 3).count();
        });
        println!("| {order} | {:.2} | {members} |", time / 1e6);
    }
}

fn batches(file: &Bytes, metadata: &ArrowReaderMetadata, selection: Option<RowSelection>) -> Vec<ArrayRef> {
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone())
        .with_batch_size(1 << 14);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    builder.build().unwrap().map(|batch| Arc::clone(batch.unwrap().column(0))).collect()
}

/// An ordinal of a shard; some contacts are much busier than others.
fn skewed(rng: &mut ChaCha8Rng) -> u32 {
    let uniform: f64 = rng.random();
    (uniform * uniform * f64::from(1 << 18)) as u32
}

fn main() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let int = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    println!(
        "Layout experiment: {ROWS} rows, medians of {ROUNDS} rounds, one thread, AES-256-GCM unless said otherwise."
    );

    let plain = ("plain", Some(Encoding::PLAIN));
    let delta = ("delta", Some(Encoding::DELTA_BINARY_PACKED));
    let split = ("byte stream split", Some(Encoding::BYTE_STREAM_SPLIT));
    let dictionary = ("dictionary", None);

    let ordinals: ArrayRef = Arc::new(UInt32Array::from_iter_values((0..ROWS).map(|_| skewed(&mut rng))));
    encodings("Ordinals of records, in the order of time (u32)", &ordinals, &[plain, delta, split]);
    let mut at: Vec<i64> = (0..ROWS).map(|_| rng.random_range(0..94_608_000_i64) * 4_000_000).collect();
    at.sort_unstable();
    encodings("Times of records, whole seconds in order (i64)", &int(at.clone()), &[plain, delta, split]);
    let recorded = at.iter().map(|at| at + rng.random_range(0..90_000_i64) * 4_000_000).collect();
    encodings("Times of recording, hours later (i64)", &int(recorded), &[plain, delta, split]);
    let status: ArrayRef =
        Arc::new(Int16Array::from_iter_values((0..ROWS).map(|_| i16::from(rng.random_bool(0.02)))));
    encodings("Status, nearly always the same (i16)", &status, &[plain, dictionary]);
    let state: ArrayRef =
        Arc::new(Int16Array::from_iter_values((0..ROWS).map(|_| rng.random_range(0..51_i16))));
    encodings("Category of contacts, 51 values (i16)", &state, &[plain, dictionary, split]);
    let bytes = (0..ROWS).map(|_| [rng.random_range(0..51_u8)]).collect::<Vec<_>>();
    let bytes: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter(bytes.into_iter()).unwrap());
    encodings("The same as one byte (fixed binary)", &bytes, &[plain]);
    let flags: ArrayRef = Arc::new(BooleanArray::from_iter((0..ROWS).map(|_| Some(rng.random_bool(0.5)))));
    encodings("One bit of it (boolean)", &flags, &[plain]);
    let births: ArrayRef =
        Arc::new(Int32Array::from_iter_values((0..ROWS).map(|_| rng.random_range(-16_000..20_000) * 4)));
    encodings("Birth dates (i32)", &births, &[plain, delta, split, dictionary]);
    let codes: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..ROWS).map(|row| format!("ICD10CM:E{:03}", row * 300 / ROWS)),
    ));
    encodings("Codes, clustered (text)", &codes, &[plain, dictionary]);
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(
        (0..ROWS).map(|_| f64::from(rng.random_range(40..140)) / 10.0),
    ));
    encodings("Laboratory values with one decimal (f64)", &values, &[plain, split, dictionary]);
    let emails: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..ROWS).map(|row| format!("person.{}@example.test", row * 7919 % 1_000_003)),
    ));
    let delta_text = ("delta length", Some(Encoding::DELTA_LENGTH_BYTE_ARRAY));
    let delta_prefix = ("delta prefix", Some(Encoding::DELTA_BYTE_ARRAY));
    encodings("E-mail addresses (text)", &emails, &[plain, delta_text, delta_prefix]);

    pages("ordinals, plain", &ordinals, Some(Encoding::PLAIN), Compression::UNCOMPRESSED);
    pages("e-mail addresses, plain, lz4", &emails, Some(Encoding::PLAIN), Compression::LZ4_RAW);
    clustering(&mut rng);
}
