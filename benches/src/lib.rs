//! The population, the segments and the requests that the benches measure.
//!
//! The population is generated and imported once into a cache folder outside the checkout: `HYPERSEG_BENCH_CACHE`, or
//! `.cache/hyperseg/benches` in the home directory. `HYPERSEG_BENCH_CONTACTS` sets its size, 20,000 by default.

mod workload;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, Utc};
use hyperseg_dsl::clock::Clock;
use hyperseg_engine::{ConsentAge, Engine, Limits, Request};
use hyperseg_storage::import::import_population;
use hyperseg_storage::ingest::ImportOptions;
use hyperseg_storage::{Dataset, InitOptions, Keyring};
use hyperseg_testdata::population::{Format, Options, generate};

pub use workload::{Asked, LEAVES, Named, SEGMENTS, WORKLOAD, saved};

/// Result of preparing a bench.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Day from which every bench looks at the population.
const AS_OF: (i32, u32, u32) = (2026, 1, 1);

/// Contacts of the population.
#[must_use]
pub fn contacts() -> u64 {
    let given = std::env::var("HYPERSEG_BENCH_CONTACTS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// An engine over the cached population, which is made when it is not there. It keeps so many bytes of answers
/// between queries; with 0 every query reads what it needs.
///
/// # Errors
/// The cache cannot be written, or what is in it cannot be opened.
pub fn engine(contacts: u64, kept_bytes_max: usize) -> Result<Engine> {
    let cache = match std::env::var_os("HYPERSEG_BENCH_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => {
            PathBuf::from(std::env::var_os("HOME").ok_or("HOME is not set")?).join(".cache/hyperseg/benches")
        }
    };
    engine_in(&cache, contacts, kept_bytes_max)
}

/// [`engine`] over a cache in this folder.
///
/// # Errors
/// As [`engine`].
pub fn engine_in(cache: &Path, contacts: u64, kept_bytes_max: usize) -> Result<Engine> {
    let home = cache.join(contacts.to_string());
    let (dataset, keyring) = (home.join("dataset"), home.join("keys/keyring"));
    // Written last, so that a population that was interrupted is made anew.
    let ready = home.join("ready");
    if !ready.exists() {
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(&home)?;
        populate(&home, &dataset, &keyring, contacts)?;
        fs::write(&ready, b"")?;
    }
    let keyring_open = Keyring::open(&keyring, &dataset, &Keyring::default_unlock(&keyring))?;
    let limits = Limits { kept_bytes_max, ..Limits::default() };
    Ok(Engine::new(Dataset::open(&dataset, keyring_open)?, limits))
}

fn populate(home: &Path, dataset: &Path, keyring: &Path, contacts: u64) -> Result<()> {
    let files = home.join("population");
    let options = Options {
        contacts,
        seed: 1,
        as_of: as_of().ok_or("no such day")?,
        format: Format::Parquet,
        density: 1.0,
        progress: None,
    };
    generate(&files, &options)?;
    let (dataset, _recovery) = Dataset::init(dataset, keyring, InitOptions::default())?;
    import_population(&dataset, &files, ImportOptions::new(Utc::now().timestamp_micros()))?;
    fs::remove_dir_all(&files)?;
    Ok(())
}

fn as_of() -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(AS_OF.0, AS_OF.1, AS_OF.2)
}

/// The request for a segment's text, seen from the population's as_of.
///
/// # Errors
/// The text does not compile, or a parameter has no value.
pub fn request(engine: &Engine, source: &str) -> Result<Request> {
    let (year, month, day) = AS_OF;
    request_at(engine, source, &format!("{year:04}-{month:02}-{day:02}"))
}

/// [`request`] seen from another day or moment, which is also the present of the gates.
///
/// # Errors
/// As [`request`], or the moment is none.
pub fn request_at(engine: &Engine, source: &str, as_of: &str) -> Result<Request> {
    let snapshot = engine.dataset().snapshot()?;
    let checked = hyperseg_dsl::check(source, snapshot.schema());
    if checked.has_errors() {
        return Err(hyperseg_dsl::render(source, "bench", &checked.diagnostics, false).into());
    }
    let segment = checked.segments.first().ok_or("no segment")?.bind(&BTreeMap::new())?;
    let clock = Clock::parse(as_of, snapshot.zone())?;
    Ok(Request {
        source: source.to_owned(),
        segment,
        now_micros: clock.as_of_micros,
        clock,
        actor: None,
        consent_age_max: ConsentAge::Unlimited,
    })
}
