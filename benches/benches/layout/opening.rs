//! One file for each column, for each class, or for all columns of the contacts of a shard: opening them and reading
//! three columns of twenty.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{Int32Array, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, kb, medians};
use crate::files::{Column, PAGE_ROWS, options, write};

const COLUMNS: usize = 20;

/// A file to be opened, and the columns to be read of it.
struct Wanted {
    path: PathBuf,
    columns: Vec<String>,
}

impl Wanted {
    fn open(&self) -> (fs::File, ArrowReaderMetadata) {
        let file = fs::File::open(&self.path).unwrap();
        // Only the keys of what is read, as in the product; the rest stays sealed in the footer.
        let options: ArrowReaderOptions = options(self.columns.iter().map(String::as_str));
        let metadata = ArrowReaderMetadata::load(&file, options).unwrap();
        (file, metadata)
    }

    fn read(&self) -> usize {
        let (file, metadata) = self.open();
        let schema = metadata.metadata().file_metadata().schema_descr();
        let columns = ProjectionMask::columns(schema, self.columns.iter().map(String::as_str));
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let reader = builder.with_projection(columns).with_batch_size(1 << 14).build().unwrap();
        reader.map(|batch| batch.as_ref().map(RecordBatch::num_rows).unwrap()).sum()
    }
}

struct Layout {
    name: &'static str,
    wanted: Vec<Wanted>,
    bytes: usize,
}

/// Files of so many columns each, and which of them have to be opened for some columns.
fn layout(
    folder: &Path,
    name: &'static str,
    columns: &[Column],
    per_file: usize,
    wanted: &[usize],
) -> Layout {
    let mut layout = Layout { name, wanted: Vec::new(), bytes: 0 };
    for (number, columns) in columns.chunks(per_file).enumerate() {
        let file = write(columns, PAGE_ROWS, true);
        layout.bytes += file.len();
        let of_file = wanted.iter().filter(|column| **column / per_file == number);
        let names: Vec<String> = of_file.map(|column| columns[column % per_file].name.clone()).collect();
        if !names.is_empty() {
            let path = folder.join(format!("{per_file}_{number}"));
            fs::write(&path, file).unwrap();
            layout.wanted.push(Wanted { path, columns: names });
        }
    }
    layout
}

/// Files lie in a folder, so that opening one is what it is; they are in memory all the same.
pub fn opening(scale: Scale) {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let columns: Vec<Column> = (0..COLUMNS)
        .map(|number| {
            let values = (0..scale.shard).map(|_| rng.random_range(0..20_000));
            Column::plain(&format!("column_{number}"), Int32Array::from_iter_values(values))
        })
        .collect();
    let (together, apart) = ([1, 2, 4], [1, 7, 13]);
    let layouts = [
        layout(folder.path(), "one file of 20 columns", &columns, 20, &together),
        layout(folder.path(), "four of 5, all three in one of them", &columns, 5, &together),
        layout(folder.path(), "four of 5, each in another", &columns, 5, &apart),
        layout(folder.path(), "twenty of 1", &columns, 1, &together),
    ];
    let mut works: Vec<Work<'_>> = Vec::new();
    for layout in &layouts {
        works.push(Box::new(|| layout.wanted.iter().for_each(|wanted| drop(wanted.open()))));
        works.push(Box::new(|| {
            let rows = layout.wanted.iter().map(Wanted::read);
            assert!(rows.eq(layout.wanted.iter().map(|_| scale.shard)));
        }));
    }
    let times = medians(scale.rounds * 5, &mut works);
    println!(
        "\n### Files of {} contacts with {COLUMNS} columns of 4 bytes; three are read\n\n| layout | files opened | kB of all files | opening µs | opening and reading µs |\n|---|---|---|---|---|",
        scale.shard
    );
    for (layout, times) in layouts.iter().zip(times.chunks(2)) {
        println!(
            "| {} | {} | {} | {:.0} | {:.0} |",
            layout.name,
            layout.wanted.len(),
            kb(layout.bytes),
            times[0] / 1e3,
            times[1] / 1e3
        );
    }
}
