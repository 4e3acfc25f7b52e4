//! `import`: plain files into the encrypted dataset, whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use hyperseg_storage::dataset::Dataset;
use hyperseg_storage::import::{import_population, import_synthea};
use hyperseg_storage::ingest::{ImportOptions, ImportReport, Progress, Stage};

use crate::context::{Context, now_micros};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Align, Table, counted, grouped};

const EXAMPLE: &str = "\
Examples:
  hyperseg import population pop -d data
  hyperseg import synthea output/csv -d data
  hyperseg import population crm -d data --max-rejects 100 --rejects refused.csv
  hyperseg import population crm -d data --ignore-column loyalty_tier

Columns are found by their header, in any order; an unknown column is an error unless it is
ignored by name. Every row read is stored, an update of a record with its id, a duplicate, a
deletion (deleted=true), or rejected with file, line and reason; with more rejected rows than
--max-rejects nothing is stored at all. The same files again change nothing. Rows are encrypted
before they touch the disk. --format table, json, ndjson or csv.";

/// Most memory that the tour's import takes for waiting rows.
const SMALL_BUDGET: u64 = 96 << 20;

/// Encrypt files into the dataset.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Import {
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    /// A directory as `generate` writes it: contacts.{parquet,csv} and one file per record kind.
    Population(From),
    /// A directory of Synthea CSV files, old or new headers.
    Synthea(From),
}

#[derive(Debug, Args)]
struct From {
    /// Directory with the files.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Rows that may be rejected; with one more, nothing is stored.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_rejects: u64,
    /// Write file, line, column and reason of every rejected row into this CSV file.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Leave out this column, in whichever file it stands; repeat for several.
    #[arg(long = "ignore-column", value_name = "NAME")]
    ignore_columns: Vec<String>,
}

impl Import {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.report_format()?;
        let (Source::Population(from) | Source::Synthea(from)) = &self.source;
        if !from.dir.is_dir() {
            return Err(Failure::usage(format!("{} is not a directory", from.dir.display())));
        }
        let dataset = context.open()?;
        let spinner = context.terminal.spinner("reading");
        let options = ImportOptions {
            max_rejects: from.max_rejects,
            rejects_file: from.rejects.clone(),
            ignore_columns: from.ignore_columns.clone(),
            ..options(context, &spinner)
        };
        let imported = match &self.source {
            Source::Population(from) => import_population(&dataset, &from.dir, options),
            Source::Synthea(from) => import_synthea(&dataset, &from.dir, options),
        };
        spinner.finish_and_clear();
        let report = imported?;
        context.report(format, &report, || text(&report), || table(&report))?;
        for place in &report.rejects {
            context.terminal.say(&format!("rejected {place}"));
        }
        let rejected = report.total().rejected;
        if rejected > report.rejects.len() as u64 && from.rejects.is_none() {
            context
                .terminal
                .say(&format!("{} in all; --rejects FILE lists them", counted(rejected, "rejected row")));
        }
        Ok(Exit::Done)
    }
}

/// Imports a generated population with little memory, for the tour.
pub fn population(context: &Context, dataset: &Dataset, dir: &Path) -> Outcome<ImportReport> {
    let spinner = context.terminal.spinner("reading");
    let options = ImportOptions { memory_budget: SMALL_BUDGET, ..options(context, &spinner) };
    let imported = import_population(dataset, dir, options);
    spinner.finish_and_clear();
    Ok(imported?)
}

fn options(context: &Context, spinner: &indicatif::ProgressBar) -> ImportOptions {
    let spinner = spinner.clone();
    let progress = move |progress: Progress| {
        let doing = match progress.stage {
            Stage::Reading => "read",
            Stage::Writing => "encrypted",
        };
        spinner.set_message(match progress.of {
            Some(of) => format!("{doing} {} of {} rows", grouped(progress.rows), grouped(of)),
            None => format!("{doing} {} rows", grouped(progress.rows)),
        });
    };
    ImportOptions {
        progress: Some(Arc::new(progress)),
        on_behalf_of: context.actor(),
        ..ImportOptions::new(now_micros())
    }
}

fn text(report: &ImportReport) -> String {
    let end = if report.changed {
        format!("generation {}", report.generation)
    } else {
        format!("nothing new; still generation {}", report.generation)
    };
    format!("{}\n{end}\n", rows(report, grouped).text())
}

fn table(report: &ImportReport) -> Table {
    rows(report, |number| number.to_string())
}

fn rows(report: &ImportReport, number: impl Fn(u64) -> String) -> Table {
    let mut table = Table::new(&[
        ("table", Align::Left),
        ("read", Align::Right),
        ("stored", Align::Right),
        ("updated", Align::Right),
        ("duplicate", Align::Right),
        ("deleted", Align::Right),
        ("rejected", Align::Right),
    ]);
    for one in report.tables.iter().chain([&report.total()]) {
        table.row([
            one.table.clone(),
            number(one.read),
            number(one.stored),
            number(one.updated),
            number(one.duplicate),
            number(one.deleted),
            number(one.rejected),
        ]);
    }
    table
}
