//! The layout experiment: bytes and times of ways to lay out what a dataset holds, each on encrypted Parquet in memory,
//! one thread. Prints Markdown tables; `benches/README.md` has them in short and says what follows.
//!
//! ```sh
//! cargo bench -p hyperseg-benches --bench layout -- categories sparse
//! ```
//!
//! measures these experiments only; without names all of them. As a test everything runs once over few rows: answers
//! of all layouts are compared, times say nothing.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod categories;
mod clock;
mod contacts;
mod encodings;
mod encryption;
mod files;
mod latest;
mod opening;
mod order;
mod records;
mod seen;
mod sparse;

use clock::Scale;

type Experiment = fn(Scale);

const EXPERIMENTS: [(&str, Experiment); 9] = [
    ("encodings", encodings::columns),
    ("order", order::orders),
    ("contacts", contacts::contacts),
    ("categories", categories::categories),
    ("seen", seen::last_seen),
    ("latest", latest::latest),
    ("sparse", sparse::sparse),
    ("opening", opening::opening),
    ("encryption", encryption::encryption),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") {
        return;
    }
    // As criterion has it: `cargo bench` says so, `cargo test` says nothing.
    let scale = if has("--bench") && !has("--test") { Scale::FULL } else { Scale::TEST };
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    println!(
        "Layout experiment: {} rows, medians of {} rounds in which the alternatives take turns, one thread, AES-256-GCM unless said otherwise.",
        scale.rows, scale.rounds
    );
    for (name, experiment) in EXPERIMENTS {
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            experiment(scale);
        }
    }
}
