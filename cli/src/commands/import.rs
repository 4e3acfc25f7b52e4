//! `import`: plain files into the encrypted dataset, whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::CodeSystem;
use hyperseg_storage::dataset::{Dataset, DocumentKind};
use hyperseg_storage::import::{
    LookupReport, import_hierarchy, import_population, import_synthea, import_valueset, import_zip,
};
use hyperseg_storage::ingest::{ImportOptions, ImportReport, Progress, Stage};

use crate::context::{Context, now_micros};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Align, Format, Table, counted, grouped};

const EXAMPLE: &str = "\
Examples:
  hyperseg import population pop -d data
  hyperseg import synthea output/csv -d data
  hyperseg import population crm -d data --max-rejects 100 --rejects refused.csv
  hyperseg import population crm -d data --ignore-column loyalty_tier
  hyperseg import population crm-2026-01-05 -d data --changed-at 2026-01-05
  hyperseg import valueset statins.csv --name statins -d data
  hyperseg import hierarchy snomed.csv --system SNOMED -d data
  hyperseg import zip gazetteer.txt -d data

Columns are found by their header, in any order; an unknown column is an error unless it is
ignored by name. Every row read is stored, an update of a record with its id, a duplicate, a
deletion (deleted=true), or rejected with file, line and reason; with more rejected rows than
--max-rejects nothing is stored at all. The same files again change nothing. Rows are encrypted
before they touch the disk. --format table, json, ndjson or csv.

What a contact field said before is kept with the moment of the import, which segments ask for
with `changed` and `was`. Files that are imported late say with --changed-at of which moment they
are; they are imported in the order of these moments.

A value set is CSV (system, code, and perhaps under, exclude, display), a FHIR R4 ValueSet in JSON
or an OMOP concept set in CSV; segments refer to it by @name. A hierarchy is CSV (ancestor,
descendant, or parent, child) or OMOP's concept_ancestor; it says what `under` means in a system
without prefixes. Places of ZIP codes are CSV (zip, lat, lon) or a Census gazetteer of ZCTAs. The
file takes the place of the one before; a row that is not understood stops the import.";

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
    /// Codes that segments refer to by name.
    Valueset {
        /// CSV, FHIR ValueSet or OMOP concept set.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What segments call it, without the `@`.
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Which codes of a system lie under which.
    Hierarchy {
        /// CSV of pairs, or concept_ancestor.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Code system, e.g. SNOMED.
        #[arg(long, value_name = "SYSTEM")]
        system: String,
    },
    /// Where ZIP codes lie.
    Zip {
        /// CSV, or a Census gazetteer.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
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
    /// Day or moment of the files, when they are imported late: 2026-01-05 or 2026-01-05T09:00. The history of contact
    /// fields says that they changed then; without it, now.
    #[arg(long, value_name = "TIME")]
    changed_at: Option<String>,
}

impl Import {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.report_format()?;
        let actor = context.actor();
        let (from, import): (_, fn(&Dataset, &Path, ImportOptions) -> _) = match &self.source {
            Source::Population(from) => (from, import_population),
            Source::Synthea(from) => (from, import_synthea),
            Source::Valueset { file, name } => {
                return lookup(context, format, &import_valueset(&context.open()?, file, name, actor)?);
            }
            Source::Hierarchy { file, system } => {
                let system = code_system(system)?;
                return lookup(context, format, &import_hierarchy(&context.open()?, file, system, actor)?);
            }
            Source::Zip { file } => {
                return lookup(context, format, &import_zip(&context.open()?, file, actor)?);
            }
        };
        if !from.dir.is_dir() {
            return Err(Failure::usage(format!("{} is not a directory", from.dir.display())));
        }
        let dataset = context.open()?;
        let changed_at = from.changed_at.as_deref().map(|text| changed_at(&dataset, text)).transpose()?;
        let spinner = context.terminal.spinner("reading");
        let options = ImportOptions {
            changed_at_micros: changed_at,
            max_rejects: from.max_rejects,
            rejects_file: from.rejects.clone(),
            ignore_columns: from.ignore_columns.clone(),
            ..options(context, &spinner)
        };
        let imported = import(&dataset, &from.dir, options);
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

/// The moment of files, in the zone of the dataset; of today it is now.
fn changed_at(dataset: &Dataset, text: &str) -> Outcome<i64> {
    let now = now_micros();
    let zone = dataset.snapshot()?.zone();
    let clock = Clock::parse(text, zone).map_err(|what| Failure::usage(format!("--changed-at: {what}")))?;
    let today = Clock { as_of_micros: now, ..clock }.today();
    // A day alone means its end, which is not there yet.
    let is_today = text.split('[').next().is_some_and(|day| day.len() == 10) && clock.today() == today;
    Ok(if is_today { now } else { clock.as_of_micros })
}

fn code_system(name: &str) -> Outcome<CodeSystem> {
    CodeSystem::parse(name).ok_or_else(|| {
        let names: Vec<&str> = CodeSystem::ALL.iter().map(|system| system.name()).collect();
        Failure::usage(format!("unknown code system `{name}`"))
            .hint(format!("code systems: {}", names.join(", ")))
    })
}

fn lookup(context: &Context, format: Format, report: &LookupReport) -> Outcome<Exit> {
    let what = match report.kind {
        DocumentKind::Valueset => "row",
        DocumentKind::Hierarchy => "code",
        DocumentKind::Zip => "ZIP code",
        DocumentKind::Stages => "stage",
    };
    let text = || {
        let end = if report.changed { "generation" } else { "nothing new; still generation" };
        format!(
            "{} {}: {}, SHA-256 {}\n{end} {}\n",
            report.kind,
            report.name,
            counted(report.entries, what),
            report.sha256,
            report.generation
        )
    };
    let table = || {
        let columns = ["kind", "name", "entries", "changed", "generation", "sha256"];
        let mut table = Table::new(&columns.map(|name| (name, Align::Left)));
        table.row([
            report.kind.to_string(),
            report.name.clone(),
            report.entries.to_string(),
            report.changed.to_string(),
            report.generation.to_string(),
            report.sha256.to_string(),
        ]);
        table
    };
    context.report(format, report, text, table)?;
    Ok(Exit::Done)
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
        // What was asked again is known to be fresh again, which is a generation of its own.
        format!("nothing new; generation {}", report.generation)
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
