//! Opens a dataset, compiles and binds a segment, and streams its recipients.
//!
//! ```text
//! cargo run -p hyperseg-engine --example release_a_list -- DATASET KEYRING segment.seg
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use chrono::Utc;
use hyperseg_dsl::clock::Clock;
use hyperseg_engine::{ConsentAge, Engine, Guards, Limits, Request};
use hyperseg_storage::{Dataset, Keyring};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dataset, keyring, segment] = arguments.as_slice() else {
        return Err("usage: release_a_list DATASET KEYRING SEGMENT".into());
    };
    let released = release(Path::new(dataset), Path::new(keyring), &std::fs::read_to_string(segment)?)?;
    println!("{released} recipients");
    Ok(())
}

/// Releases the first segment of a text and counts its rows as they stream.
pub fn release(dataset: &Path, keyring: &Path, source: &str) -> Result<u64, Box<dyn Error>> {
    // Open: the key file beside the keyring unlocks it.
    let keyring = Keyring::open(keyring, dataset, &Keyring::default_unlock(keyring))?;
    let dataset = Dataset::open(dataset, keyring)?;
    let snapshot = dataset.snapshot()?;

    // Compile: everything that is wrong with the text comes at once.
    let checked = hyperseg_dsl::check(source, snapshot.schema());
    if checked.has_errors() {
        return Err(hyperseg_dsl::render(source, "segment", &checked.diagnostics, false).into());
    }
    let segment = checked.segments.first().ok_or("the text has no segment")?;

    // Bind: parameters, the moment from which the world is seen, the present for consent.
    let now_micros = Utc::now().timestamp_micros();
    let request = Request {
        source: source.to_owned(),
        segment: segment.bind(&BTreeMap::new())?,
        clock: Clock { as_of_micros: now_micros, zone: snapshot.zone() },
        now_micros,
        actor: Some("campaign tool".to_owned()),
        consent_age_max: ConsentAge::Hours(24),
    };

    // Stream: the release record is durable before the first row can be read.
    let engine = Engine::new(dataset, Limits::default());
    let recipients = engine.run_blocking(&request, Guards::default())?;
    println!("run {} released {}", recipients.receipt().run_id, recipients.receipt().columns.join(", "));
    let mut rows = 0;
    for batch in recipients {
        rows += batch?.num_rows() as u64;
    }
    Ok(rows)
}
