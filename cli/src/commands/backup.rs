//! `backup` and `restore`: a copy of the dataset, and the proof that it opens.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use hyperseg_storage::Location;
use hyperseg_storage::dataset::{Dataset, Rehearsal, RestoreOptions};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Format, bytes, counted, grouped, json, json_line};

const BACKUP_EXAMPLE: &str = "\
Examples:
  hyperseg backup /media/disk/data-2026-01-05 -d data
  hyperseg backup /media/disk/data-2026-01-05 -d data --no-rehearsal

Copies every kept generation and the audit log with its lists to a new place, comparing each
file with its digest, and then proves that the copy opens: every page of its newest generation is
decrypted where it lies. KEYS ARE NOT IN IT: back up the keyring, its key file or passphrase and
the recovery kit apart, or the copy is worth nothing. Others may read and write meanwhile.";

const RESTORE_EXAMPLE: &str = "\
Examples:
  hyperseg restore /media/disk/data-2026-01-05 --rehearse -d data
  hyperseg restore /media/disk/data-2026-01-05 -d data.new --keyring ~/keys/data.keyring

With --rehearse only proves that a backup of the dataset DIR opens. Without, makes the new dataset
DIR from it and proves every byte; it takes the place of the one that was copied, so never use both.
Records and generations that were made after the backup are lost; where the anchor beside the
keyring has seen any, that is refused unless --accept-loss is given, and the audit log says it.";

/// Copy the dataset, without keys, and prove that the copy opens.
#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLE)]
pub struct Backup {
    /// New directory or s3://BUCKET/PREFIX for the copy.
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Do not read the copy back.
    #[arg(long)]
    no_rehearsal: bool,
}

/// Make a dataset from a backup, or prove that one opens.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLE)]
pub struct Restore {
    /// What `backup` made: a directory or s3://BUCKET/PREFIX.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Only prove that it opens, with the keys and under the audit log of the dataset.
    #[arg(long)]
    rehearse: bool,
    /// Give up what was recorded and committed after the backup.
    #[arg(long, conflicts_with = "rehearse")]
    accept_loss: bool,
}

impl Backup {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
        let (dataset, _) = context.open_unlocked()?;
        let spinner = context.terminal.spinner("copying");
        let copied = AtomicU64::new(0);
        let out = context.place(&self.out)?;
        let made = dataset.backup(&out, context.actor(), &|length| {
            let so_far = copied.fetch_add(length, Ordering::Relaxed) + length;
            spinner.set_message(format!("copied {}", bytes(so_far)));
        });
        spinner.finish_and_clear();
        let made = made?;
        context.terminal.say(&format!(
            "copied generations {} to {}: {}, {}, {}; no keys, back them up apart",
            made.oldest,
            made.generation,
            counted(made.files, "file"),
            bytes(made.bytes),
            counted(made.records, "audit record"),
        ));
        if self.no_rehearsal {
            context.terminal.out(&match format {
                Format::Json => json(&made)?,
                Format::Ndjson => json_line(&made)?,
                Format::Table | Format::Csv | Format::Parquet | Format::Sarif => {
                    format!("{out}\n")
                }
            })?;
            return Ok(Exit::Done);
        }
        rehearse(context, &dataset, &out, format)
    }
}

impl Restore {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
        let backup = context.place(&self.backup)?;
        if self.rehearse {
            return rehearse(context, &context.open_unlocked()?.0, &backup, format);
        }
        let location = context.location()?;
        let keyring = context.keyring_of(&backup, &location)?;
        let spinner = context.terminal.spinner("restoring");
        let options = RestoreOptions { accept_loss: self.accept_loss, on_behalf_of: context.actor() };
        let restored = Dataset::restore(&backup, &location, keyring, options, &|_| {});
        spinner.finish_and_clear();
        let (_, done) = restored?;
        let sound = done.dataset.is_sound();
        context.terminal.out(&match format {
            Format::Json => json(&done)?,
            Format::Ndjson => json_line(&done)?,
            Format::Table | Format::Csv | Format::Parquet | Format::Sarif => format!(
                "restored generation {} into {location}: {} of {} as written\n",
                done.backup.generation,
                grouped(done.dataset.sound),
                counted(done.dataset.files, "file"),
            ),
        })?;
        if done.lost_records > 0 || done.lost_generations > 0 {
            context.terminal.insist(&format!(
                "lost: {} and {}",
                counted(done.lost_records, "audit record"),
                counted(done.lost_generations, "generation")
            ));
        }
        if sound { Ok(Exit::Done) } else { Err(unsound()) }
    }
}

fn rehearse(context: &Context, dataset: &Dataset, backup: &Location, format: Format) -> Outcome<Exit> {
    let spinner = context.terminal.spinner("proving the copy");
    let found = dataset.rehearse(backup, context.actor(), &|_| {});
    spinner.finish_and_clear();
    let found = found?;
    context.terminal.out(&match format {
        Format::Json => json(&found)?,
        Format::Ndjson => json_line(&found)?,
        Format::Table | Format::Csv | Format::Parquet | Format::Sarif => text(&found),
    })?;
    if found.is_sound() { Ok(Exit::Done) } else { Err(unsound()) }
}

fn unsound() -> Failure {
    Failure::new(Exit::Integrity, "the copy is not what was written")
        .hint("do not rely on it; make another one")
}

fn text(found: &Rehearsal) -> String {
    let mut text = format!(
        "the copy opens: generation {}, {} of {} as written, {} decrypted\naudit  {}\n",
        found.backup.generation,
        grouped(found.dataset.sound),
        counted(found.dataset.files, "file"),
        counted(found.dataset.rows_read, "row"),
        found.log.summary(),
    );
    if !found.is_sound() {
        text = text.replacen("the copy opens", "the copy is damaged", 1);
        for defect in &found.dataset.defects {
            text.push_str(&format!("{} {}: {}\n", defect.kind.name(), defect.file, defect.what));
        }
        for finding in &found.log.findings {
            text.push_str(&format!("log: {}\n", finding.what));
        }
    }
    text
}
