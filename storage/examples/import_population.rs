//! Embedding an import: makes a dataset and stores a folder of population files in it.
//!
//! ```text
//! hyperseg generate --contacts 100000 --as-of 2026-01-01 --out FILES
//! cargo run --release -p hyperseg-storage --example import_population -- FILES DIR [BUDGET_MIB]
//! ```
//!
//! `DIR` must not exist; the dataset becomes `DIR/dataset`, its keyring `DIR/keys/keyring`. Prints rows, seconds, rows
//! per second, the peak of resident memory, what waited and what was sealed for want of memory, and the bytes of the
//! dataset by column.
#![allow(clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::dataset::{Dataset, FileEntry, InitOptions, TableId};
use hyperseg_storage::import::{ImportOptions, import_population};
use hyperseg_storage::scope::KeyScope;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(files), Some(dir)) = (arguments.next(), arguments.next()) else {
        return Err("usage: import_population FILES DIR [BUDGET_MIB]".into());
    };
    let (files, dir) = (PathBuf::from(files), PathBuf::from(dir));
    hyperseg_storage::process::harden()?;

    fs::create_dir(&dir)?;
    let keys = dir.join("keys");
    fs::create_dir(&keys)?;
    let dataset_dir = dir.join("dataset");
    // The recovery kit would be printed and locked away; this dataset is thrown away.
    let (dataset, _recovery) = Dataset::init(&dataset_dir, &keys.join("keyring"), InitOptions::default())?;

    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut options = ImportOptions::new(i64::try_from(now.as_micros())?);
    if let Some(mebibytes) = arguments.next() {
        let mebibytes: u64 = mebibytes.to_str().ok_or("BUDGET_MIB")?.parse()?;
        options.memory_budget = mebibytes << 20;
    }
    let start = Instant::now();
    let report = import_population(&dataset, &files, options)?;
    let seconds = start.elapsed().as_secs_f64();

    let total = report.total();
    println!("rows        {} read, {} stored", total.read, total.stored);
    println!("seconds     {seconds:.1}");
    println!("rows/s      {:.0}", total.read as f64 / seconds);
    println!("processor   {:.1} s", processor_seconds().unwrap_or_default());
    println!("peak memory {} MiB", peak_kibibytes().unwrap_or_default() >> 10);
    println!("spilled     {} MiB", report.spilled_bytes >> 20);
    println!("waiting     {} MiB at most", report.peak_waiting_bytes >> 20);
    println!("dataset     {} MiB", bytes_below(&dataset_dir)? >> 20);
    for (column, bytes) in bytes_by_column(&dataset)?.into_iter().take(COLUMNS_SHOWN) {
        println!("            {:6.1} MiB {column}", bytes as f64 / f64::from(1 << 20));
    }
    Ok(())
}

const COLUMNS_SHOWN: usize = 16;

/// Encrypted bytes of each column, over all tables, the largest first; contacts are one family.
///
/// Sizes stand in the column metadata, which is sealed like the columns: reading them is a look into the dataset, and
/// is on record as one.
fn bytes_by_column(dataset: &Dataset) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let snapshot = dataset.snapshot()?;
    let intent = dataset.audit()?.intent(IntentBody::new("sizes"))?;
    let leaves = |entry: &FileEntry| entry.columns.iter().map(|leaf| leaf.top_level().to_owned()).collect();
    let wants = snapshot.files()?.into_iter().map(|entry| (entry.id, leaves(entry))).collect();
    let scope = KeyScope::arm(dataset, &snapshot, &intent, wants)?;
    let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
    for entry in snapshot.files()? {
        for group in scope.open(dataset, entry)?.metadata().row_groups() {
            for column in group.columns() {
                let name = match entry.table {
                    TableId::Contact | TableId::History => "(contacts)".to_owned(),
                    TableId::Record(_) => column.column_path().string(),
                };
                *bytes.entry(name).or_default() += u64::try_from(column.compressed_size())?;
            }
        }
    }
    intent.complete(serde_json::Value::Null)?;
    let mut bytes: Vec<(String, u64)> = bytes.into_iter().collect();
    bytes.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(bytes)
}

/// Seconds of both processors, user and system, from `/proc/self/stat`; there are 100 ticks a second on Linux.
fn processor_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

/// The most memory that was resident at once.
fn peak_kibibytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

fn bytes_below(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        bytes += if path.is_dir() { bytes_below(&path)? } else { fs::metadata(&path)?.len() };
    }
    Ok(bytes)
}
