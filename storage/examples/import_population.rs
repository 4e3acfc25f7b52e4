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

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hyperseg_storage::dataset::{Dataset, InitOptions};
use hyperseg_storage::import::{ImportOptions, import_population};

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
    println!("dataset     {} MiB", bytes_below(&dataset_dir)? >> 20);
    Ok(())
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
