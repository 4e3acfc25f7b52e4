//! `generate`: an invented population in plain files, for tours, tests and benches.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::Args;
use hyperseg_dsl::value::parse_day;
use hyperseg_testdata::population::{self, GenerateError, Options};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome, reason};
use crate::interrupt::Temporary;
use crate::list::refuse_existing;
use crate::output::{Format, bytes, grouped};

const EXAMPLE: &str = "\
Examples:
  hyperseg generate --contacts 20000 --out pop
  hyperseg generate --contacts 1000 --seed 7 --as-of 2026-01-01 --format csv --out pop-csv
  hyperseg import population pop -d data
  echo 'segment s where state = MA' | hyperseg count - -d data --as-of 2026-01-01

The people are invented (example.test addresses, 555 numbers), the codes are real; age, sex,
season and condition hang together, and three years of history end at --as-of, on 2026-01-01
unless it is given. OUT/lookups/zip.csv says where their ZIP codes lie (`import zip`). `count` and `run` look from now unless given the same --as-of. The same
options give the same bytes on any machine. --format parquet (default) or csv.";

/// Write an invented population that `import population` reads.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Generate {
    /// How many contacts.
    #[arg(long, value_name = "N")]
    contacts: u64,
    /// Another seed gives other people.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How busy contacts are by mail, web and shop; 1 is about 50 events each.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    density: f64,
    /// New or empty directory for the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Day that history ends at unless --as-of says otherwise; a fixed one, so that the bytes are the same every day.
const AS_OF: &str = "2026-01-01";

impl Generate {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = match context.globals.format {
            None | Some(Format::Parquet) => population::Format::Parquet,
            Some(Format::Csv) => population::Format::Csv,
            Some(other @ (Format::Table | Format::Json | Format::Ndjson | Format::Sarif)) => {
                return Err(Failure::usage(format!(
                    "--format {} is not known here; a population is written as parquet or csv",
                    other.name()
                )));
            }
        };
        let as_of_text = context.globals.as_of.as_deref().unwrap_or(AS_OF);
        let as_of = parse_day(as_of_text)
            .ok_or_else(|| Failure::usage("--as-of takes a day here, such as 2026-01-01"))?;
        let wanted =
            Wanted { contacts: self.contacts, seed: self.seed, as_of, density: self.density, format };
        let summary = write(context, &self.out, &wanted)?;
        context.terminal.say(&format!(
            "{} contacts, {} records, {} in {}",
            grouped(summary.contacts),
            grouped(summary.records_total()),
            bytes(summary.bytes),
            self.out.display()
        ));
        context.terminal.say(&format!("next: hyperseg import population {} -d DATASET", self.out.display()));
        Ok(Exit::Done)
    }
}

/// What to write.
pub struct Wanted {
    pub contacts: u64,
    pub seed: u64,
    pub as_of: NaiveDate,
    pub density: f64,
    pub format: population::Format,
}

/// Writes a population with a progress bar; the directory appears when it is complete.
pub fn write(context: &Context, dir: &Path, wanted: &Wanted) -> Outcome<population::Summary> {
    refuse_used(dir)?;
    let partial = partial_name(dir)?;
    refuse_existing(&partial)?;
    let partial = Temporary::new(partial);
    let bar = context.terminal.bar("generating", wanted.contacts);
    let shown = Cell::new(0_u64);
    let progress = |contacts: u64| {
        shown.set(contacts);
        bar.set_position(contacts);
    };
    let options = Options {
        contacts: wanted.contacts,
        seed: wanted.seed,
        as_of: wanted.as_of,
        format: wanted.format,
        density: wanted.density,
        progress: Some(&progress),
    };
    let made = population::generate(partial.path(), &options);
    bar.finish_and_clear();
    let summary = made.map_err(|error| failure(&error))?;
    std::fs::rename(partial.path(), dir).map_err(|error| Failure::file("create", dir, &error))?;
    partial.keep();
    Ok(summary)
}

/// A population is never mixed with other files.
fn refuse_used(dir: &Path) -> Outcome<()> {
    match std::fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(Failure::usage(format!("{} is not empty", dir.display()))
            .hint("name a directory that does not exist yet")),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file("use", dir, &error)),
    }
}

/// A directory beside the one that is wanted, on the same file system.
fn partial_name(dir: &Path) -> Outcome<PathBuf> {
    let name = dir
        .file_name()
        .ok_or_else(|| Failure::usage(format!("{} is no name for a new directory", dir.display())))?;
    let mut partial = std::ffi::OsString::from(".");
    partial.push(name);
    partial.push(format!(".{}.partial", std::process::id()));
    Ok(dir.with_file_name(partial))
}

fn failure(error: &GenerateError) -> Failure {
    match error {
        GenerateError::NotEmpty(_) | GenerateError::OutOfRange(_) => Failure::usage(error.to_string()),
        GenerateError::Io(cause) => {
            Failure::new(Exit::Runtime, format!("cannot write the population: {}", reason(cause)))
        }
        GenerateError::Parquet(_) | GenerateError::Csv(_) => {
            Failure::new(Exit::Runtime, "cannot write the population")
        }
        GenerateError::Schema(_) | GenerateError::Arrow(_) => Failure::new(Exit::Runtime, error.to_string()),
    }
}
