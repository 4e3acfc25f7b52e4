//! `demo`: the whole way once, on invented contacts in a temporary place.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::Utc;
use chrono_tz::Tz;
use clap::Args;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::segment::{BoundSegment, ParamValues};
use hyperseg_engine::{ConsentAge, Engine, Guards, Limits, Request};
use hyperseg_storage::dataset::{Dataset, InitOptions};
use hyperseg_testdata::population;

use crate::commands::audit;
use crate::commands::funnel::waterfall;
use crate::commands::generate::{self, Wanted};
use crate::commands::import;
use crate::commands::run::{Refusal, Target, release};
use crate::context::{Context, now_micros};
use crate::failure::{Exit, Failure, Outcome};
use crate::interrupt::{self, Temporary};
use crate::output::{Format, bytes, grouped};
use crate::segment_file::Source;

const EXAMPLE: &str = "\
Examples:
  hyperseg demo
  hyperseg demo --keep tour      leaves dataset, keys, segments and list in ./tour to go on with

Generates contacts, encrypts them, shows the waterfall of three segments, releases one list and
verifies the audit log. Nothing stays unless --keep is given.";

/// The segments of the tour.
const SEGMENTS: [(&str, &str); 3] = [
    ("overdue_mammogram.seg", include_str!("../../../testdata/segments/overdue_mammogram.seg")),
    ("diabetes_recall.seg", include_str!("../../../testdata/segments/diabetes_recall.seg")),
    ("birthday_offer.seg", include_str!("../../../testdata/segments/birthday_offer.seg")),
];

/// A tour on invented contacts: encrypt, segment, release a list, verify the log.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Demo {
    /// How many contacts to invent.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    contacts: u64,
    /// Leave everything in this new directory.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl Demo {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let started = Instant::now();
        let root = match &self.keep {
            Some(dir) => dir.clone(),
            None => std::env::temp_dir().join(format!("hyperseg-demo-{}", std::process::id())),
        };
        // Only what this command made is ever removed by it.
        private_directory(&root)?;
        let temporary = Temporary::new(root.clone());
        let engine = self.prepare(context, &root)?;
        let requests = requests(context, &root)?;
        for request in &requests {
            let report = interrupt::block_on(async { Ok(engine.funnel(request).await?) })?;
            context.terminal.out(&format!("{}\n\n{}\n", request.source.trim_end(), waterfall(&report)))?;
        }
        if let Some(request) = requests.first() {
            release_list(context, &engine, request, &root)?;
        }
        let dataset = engine.dataset().clone();
        let exit = audit::verify(context, &dataset, Format::Table)?;
        context.terminal.say(&format!("\nThe tour took {:.1} s.", started.elapsed().as_secs_f64()));
        match &self.keep {
            Some(dir) => {
                temporary.keep();
                kept(context, dir);
            }
            None => context.terminal.say(
                "Its files are gone again. `hyperseg demo --keep tour` leaves them to go on with;\n\
                 `hyperseg init -d data` starts a dataset of your own; `hyperseg --help` shows the rest.",
            ),
        }
        Ok(exit)
    }

    /// Population, dataset, import.
    fn prepare(&self, context: &Context, root: &Path) -> Outcome<Engine> {
        let terminal = &context.terminal;
        let wanted = Wanted {
            contacts: self.contacts,
            seed: 1,
            as_of: Utc::now().date_naive(),
            density: 0.5,
            format: population::Format::Parquet,
        };
        let files = root.join("population");
        let summary = generate::write(context, &files, &wanted)?;
        terminal.say(&format!(
            "1. Invented {} contacts with {} records ({} of plain files).",
            grouped(summary.contacts),
            grouped(summary.records_total()),
            bytes(summary.bytes)
        ));
        let keyring = root.join("keys").join("demo.keyring");
        let (dataset, kit) = Dataset::init(root.join("data"), &keyring, InitOptions::default())?;
        // The tour's key file opens the dataset; a recovery kit for invented people is of no use.
        drop(kit);
        terminal.say("2. Made a dataset; its keyring lies outside it.");
        let report = import::population(context, &dataset, &files)?;
        // Plain files have no place beside their encrypted form.
        std::fs::remove_dir_all(&files).map_err(|error| Failure::file("remove", &files, &error))?;
        terminal.say(&format!(
            "3. Encrypted {} rows column by column; {} on disk.\n",
            grouped(report.total().stored),
            bytes(size_of(&root.join("data")))
        ));
        Ok(Engine::new(dataset, Limits::default()))
    }
}

fn requests(context: &Context, root: &Path) -> Outcome<Vec<Request>> {
    let folder = root.join("segments");
    private_directory(&folder)?;
    let clock = Clock { as_of_micros: now_micros(), zone: Tz::UTC };
    let mut requests = Vec::new();
    for (name, text) in SEGMENTS {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
        let source = Source { name: name.to_owned(), text: text.to_owned() };
        requests.push(Request {
            segment: bind(&source, context)?,
            source: source.text,
            clock,
            now_micros: now_micros(),
            actor: context.actor(),
            consent_age_max: ConsentAge::default(),
        });
    }
    Ok(requests)
}

fn bind(source: &Source, context: &Context) -> Outcome<BoundSegment> {
    let checked = source.compile(&hyperseg_dsl::schema::Schema::built_in(), &context.terminal)?;
    let Some(segment) = checked.segments.first() else {
        return Err(Failure::new(Exit::Compile, format!("{} declares no segment", source.name)));
    };
    segment.bind(&ParamValues::new()).map_err(|problem| Failure::new(Exit::Compile, problem.to_string()))
}

fn release_list(context: &Context, engine: &Engine, request: &Request, root: &Path) -> Outcome<()> {
    let lists = root.join("lists");
    private_directory(&lists)?;
    let target = Target::named(&lists.join("overdue_mammogram.csv"), Format::Csv)?;
    let receipt =
        release(context, engine, request, Guards::default(), &target).map_err(|refusal| match refusal {
            Refusal::Engine(error) => error.into(),
            Refusal::Other(failure) => failure,
        })?;
    context.terminal.out(&format!(
        "list      {} rows of {}\nreceipt   run {}, sha256 {}\n",
        grouped(receipt.released),
        receipt.columns.join(", "),
        receipt.run_id,
        receipt.list_sha256
    ))
}

fn kept(context: &Context, dir: &Path) {
    let dir = dir.display();
    let options = format!("-d {dir}/data --keyring {dir}/keys/demo.keyring");
    context.terminal.say(&format!(
        "Everything is in {dir}. Next, for example:\n  \
         hyperseg funnel {dir}/segments/diabetes_recall.seg {options}\n  \
         hyperseg plan --analyze {dir}/segments/birthday_offer.seg {options}\n  \
         hyperseg audit log {options}"
    ));
}

fn private_directory(path: &Path) -> Outcome<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("{} exists already; name a new directory", path.display()))
        }
        _ => Failure::file("create", path, &error),
    })
}

/// Bytes of all files below a directory.
fn size_of(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => size_of(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
