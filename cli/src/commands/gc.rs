//! `gc`: generations that nobody needs any more.

use clap::Args;
use hyperseg_storage::dataset::{Collection, Keep};

use crate::context::{Context, now_micros};
use crate::failure::{Exit, Outcome};
use crate::output::{Format, bytes, counted, json, json_line};

const EXAMPLE: &str = "\
Examples:
  hyperseg gc -d data --dry-run
  hyperseg gc -d data --keep 5 --keep-days 90

Removes the generations that are older than both bounds allow, and the files that only they name.
The newest always stays, and so does whatever somebody reads now, with all generations after it.
What a removed generation held can no longer be looked at with --generation, nor replayed. The
collection is an entry of the audit log before the first file goes.";

const DAY_MICROS: i64 = 86_400_000_000;

/// Remove old generations and the files that only they need.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Gc {
    /// Newest generations to keep.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    keep: u64,
    /// Keep every generation that was the newest within so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    keep_days: u32,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
        let since_micros = now_micros().saturating_sub(i64::from(self.keep_days).saturating_mul(DAY_MICROS));
        let keep = Keep { newest: self.keep, since_micros };
        let found = context.open_unlocked()?.0.collect(keep, self.dry_run, context.actor())?;
        context.terminal.out(&match format {
            Format::Json => json(&found)?,
            Format::Ndjson => json_line(&found)?,
            Format::Table | Format::Csv | Format::Parquet | Format::Sarif => text(&found),
        })?;
        Ok(Exit::Done)
    }
}

fn text(found: &Collection) -> String {
    let verb = if found.dry_run { "would remove" } else { "removed" };
    let mut text = format!(
        "{verb} {} and {}, {}; generations {} to {} stay\n",
        counted(found.generations.len() as u64, "generation"),
        counted(found.files, "file"),
        bytes(found.bytes),
        found.oldest,
        found.newest
    );
    if let Some(held) = found.held {
        text.push_str(&format!("generation {held} and those after it are being read\n"));
    }
    text
}
