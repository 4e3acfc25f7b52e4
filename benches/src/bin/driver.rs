//! hyperseg as a resident process that other programs drive: one JSON request per line in, one JSON answer per line out.
//!
//! ```text
//! hyperseg-driver --dataset DIR [--keyring FILE] [--as-of 2026-01-01] [--threads N] [--keep BYTES]
//!
//! {"id": 1, "op": "count", "segment": "segment s where age >= 40"}
//! {"id": 2, "op": "run", "segment": "segment s purpose operations channel email where age >= 40"}
//! {"id": 3, "op": "members", "segment": "…"}     as run, and the contact ids in their order
//! {"id": 4, "op": "workload"}                     the texts that the benches measure
//! {"id": 5, "op": "fsync", "folder": "DIR"}       what a small durable append costs in a folder
//! {"id": 6, "op": "batch", "together": true}      saved segments counted together, else one by one
//! ```
//!
//! The dataset is opened and the keyring unlocked once. `ms` is the whole path of a query: text compiled, planned,
//! intent durable, executed, for a list checked again, spooled, recorded and read to its last row. as_of is also the
//! present of the gates, so that answers do not change from day to day. Nothing is kept between queries unless `--keep`
//! says so. What a request does wrong comes back as
//! `error`; the process goes on.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow::array::{Array, StringArray};
use hyperseg_benches::{Result, WORKLOAD, request_at, saved};
use hyperseg_engine::{Engine, Guards, Limits};
use hyperseg_storage::{Dataset, Keyring};
use serde_json::{Value, json};

/// Appends that the price of one is the median of, and their size: about that of an audit record.
const APPENDS: usize = 21;
const APPEND_BYTES: usize = 2048;

fn main() -> Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let engine = options.open()?;
    let mut out = std::io::stdout().lock();
    answer(&mut out, &options.greeting(&engine)?)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let reply =
            serve(&engine, &options, &line).unwrap_or_else(|error| json!({"error": error.to_string()}));
        answer(&mut out, &with_id(&line, reply))?;
    }
    Ok(())
}

fn answer(out: &mut impl Write, reply: &Value) -> Result<()> {
    writeln!(out, "{reply}")?;
    Ok(out.flush()?)
}

fn with_id(line: &str, mut reply: Value) -> Value {
    let id = serde_json::from_str::<Value>(line).ok().and_then(|asked| asked.get("id").cloned());
    if let (Some(fields), Some(id)) = (reply.as_object_mut(), id) {
        fields.insert("id".to_owned(), id);
    }
    reply
}

struct Options {
    dataset: PathBuf,
    keyring: Option<PathBuf>,
    as_of: String,
    threads: usize,
    keep: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let (mut dataset, mut keyring, mut as_of) = (None, None, "2026-01-01".to_owned());
        let (mut threads, mut keep) = (0, 0);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--dataset" => dataset = Some(PathBuf::from(value)),
                "--keyring" => keyring = Some(PathBuf::from(value)),
                "--as-of" => as_of = value,
                "--threads" => threads = value.parse()?,
                "--keep" => keep = value.parse()?,
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(Self { dataset: dataset.ok_or("--dataset DIR is needed")?, keyring, as_of, threads, keep })
    }

    fn open(&self) -> Result<Engine> {
        let path = match &self.keyring {
            Some(path) => path.clone(),
            None => keyring_default(&Dataset::id_of(&self.dataset)?.to_string())?,
        };
        let keyring = Keyring::open(&path, &self.dataset, &Keyring::default_unlock(&path))?;
        let limits = Limits { threads: self.threads, kept_bytes_max: self.keep, ..Limits::default() };
        Ok(Engine::new(Dataset::open(&self.dataset, keyring)?, limits))
    }

    fn greeting(&self, engine: &Engine) -> Result<Value> {
        let snapshot = engine.dataset().snapshot()?;
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "optimised": !cfg!(debug_assertions),
            "as_of": self.as_of,
            "zone": snapshot.zone().name(),
            "contacts": snapshot.contacts(),
            "generation": snapshot.generation(),
            "dataset_bytes": folder_bytes(&self.dataset)?,
        }))
    }
}

/// Where the command line keeps keyrings.
fn keyring_default(id: &str) -> Result<PathBuf> {
    let config = match std::env::var_os("XDG_CONFIG_HOME") {
        Some(config) => PathBuf::from(config),
        None => PathBuf::from(std::env::var_os("HOME").ok_or("HOME is not set")?).join(".config"),
    };
    Ok(config.join("hyperseg/keyrings").join(format!("{id}.keyring")))
}

fn serve(engine: &Engine, options: &Options, line: &str) -> Result<Value> {
    let asked: Value = serde_json::from_str(line)?;
    let text =
        |name: &str| asked.get(name).and_then(Value::as_str).ok_or_else(|| format!("`{name}` is missing"));
    match text("op")? {
        "count" => count(engine, text("segment")?, &options.as_of),
        "run" => run(engine, text("segment")?, &options.as_of, false),
        "members" => run(engine, text("segment")?, &options.as_of, true),
        "workload" => Ok(workload()),
        "batch" => batch(engine, asked.get("together") == Some(&Value::Bool(true)), &options.as_of),
        "fsync" => fsync(Path::new(text("folder")?)),
        other => Err(format!("unknown op `{other}`").into()),
    }
}

fn count(engine: &Engine, segment: &str, as_of: &str) -> Result<Value> {
    let started = Instant::now();
    let request = request_at(engine, segment, as_of)?;
    let compiled = started.elapsed();
    let report = engine.count_blocking(&request)?;
    let ms = millis(started.elapsed());
    Ok(json!({
        "ms": ms,
        "compile_ms": millis(compiled),
        "matched": report.matched,
        "releasable": report.releasable,
        "counters": report.scope.counters,
        "peak_rss_bytes": peak_rss_bytes()?,
    }))
}

fn batch(engine: &Engine, together: bool, as_of: &str) -> Result<Value> {
    let started = Instant::now();
    let requests = saved().iter().map(|text| request_at(engine, text, as_of)).collect::<Result<Vec<_>>>()?;
    let compiled = started.elapsed();
    let reports = if together {
        engine.count_all_blocking(&requests)?
    } else {
        let one_by_one = requests.iter().map(|request| engine.count_blocking(request));
        one_by_one.collect::<std::result::Result<Vec<_>, _>>()?
    };
    let ms = millis(started.elapsed());
    let counts: Vec<_> = reports.iter().map(|report| (report.matched, report.releasable)).collect();
    Ok(
        json!({"ms": ms, "compile_ms": millis(compiled), "counts": counts, "peak_rss_bytes": peak_rss_bytes()?}),
    )
}

fn run(engine: &Engine, segment: &str, as_of: &str, with_members: bool) -> Result<Value> {
    let started = Instant::now();
    let request = request_at(engine, segment, as_of)?;
    let compiled = started.elapsed();
    let recipients = engine.run_blocking(&request, Guards::default())?;
    let released = millis(started.elapsed());
    let receipt = recipients.receipt().clone();
    let mut rows = 0;
    let mut batches = Vec::new();
    for batch in recipients {
        let batch = batch?;
        rows += batch.num_rows();
        if with_members {
            batches.push(batch);
        }
    }
    let ms = millis(started.elapsed());
    let mut reply = json!({
        "ms": ms,
        "compile_ms": millis(compiled),
        "released_ms": released,
        "matched": receipt.matched,
        "rows": rows,
        "removed": receipt.removed,
        "counters": receipt.scope.counters,
        "peak_rss_bytes": peak_rss_bytes()?,
    });
    if with_members {
        let mut members: Vec<&str> = Vec::with_capacity(rows);
        for batch in &batches {
            let ids = batch.column_by_name("contact_id").ok_or("a list without ids")?;
            let ids = ids.as_any().downcast_ref::<StringArray>().ok_or("ids that are no text")?;
            members.extend(ids.iter().flatten());
        }
        if let Some(fields) = reply.as_object_mut() {
            fields.insert("members".to_owned(), json!(members));
        }
    }
    Ok(reply)
}

fn workload() -> Value {
    let segments: Vec<Value> = WORKLOAD
        .iter()
        .map(|asked| {
            json!({
                "name": asked.name,
                "title": asked.title,
                "count": asked.count_text(),
                "list": asked.list_text("operations", "email"),
                // Needs no address, so that nearly every member is on it: for checking members, not for timing.
                "everyone": asked.list_text("treatment", "push"),
            })
        })
        .collect();
    json!({"segments": segments})
}

/// The median of small appends, each made durable as the audit log makes its records.
fn fsync(folder: &Path) -> Result<Value> {
    let path = folder.join(format!(".fsync-{}", std::process::id()));
    let measured = append(&path);
    fs::remove_file(&path)?;
    let mut times = measured?;
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().ok_or("nothing measured")?;
    Ok(json!({"ms": median, "bytes": APPEND_BYTES}))
}

fn append(path: &Path) -> Result<Vec<f64>> {
    let mut file = OpenOptions::new().create_new(true).append(true).open(path)?;
    let mut times = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let started = Instant::now();
        file.write_all(&[0; APPEND_BYTES])?;
        file.sync_data()?;
        times.push(millis(started.elapsed()));
    }
    Ok(times)
}

fn millis(elapsed: std::time::Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}

/// The most memory this process ever held, as the kernel counts it; absent where it does not say.
fn peak_rss_bytes() -> Result<Option<u64>> {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return Ok(None) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).map(str::parse::<u64>).transpose()?;
    Ok(kib.map(|kib| kib * 1024))
}

fn folder_bytes(folder: &Path) -> std::result::Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let facts = entry.metadata()?;
        bytes += if facts.is_dir() { folder_bytes(&entry.path())? } else { facts.len() };
    }
    Ok(bytes)
}
