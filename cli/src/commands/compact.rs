//! `compact`: one file where there are many, without what counts no more.

use clap::Args;
use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::Compaction;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Format, bytes, counted, grouped, json, json_line};

const EXAMPLE: &str = "\
Examples:
  hyperseg compact -d data
  hyperseg compact -d data --format json

Every import adds files; corrections and deletions leave rows that count no more. This writes each
table, sensitivity class and shard into one file again, of the rows that count. No answer changes.
Each table is a generation of its own: stopped at any moment, it has done some tables and goes on
with the others the next time. Others read meanwhile; old files go with `gc`.

Of forgotten contacts nothing is written any more, and the owner's key rotates the keys of the
classes in which there was something of them, so that `keys shred --rotated-out` takes it out of
backups too.";

/// Write small files into large ones, and leave out what counts no more.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Compact {}

impl Compact {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
        let (dataset, unlock) = context.open_unlocked()?;
        let unlock = dataset.keyring().principal().owner.then_some(&unlock);
        let spinner = context.terminal.spinner("compacting");
        let progress = |_| spinner.tick();
        let done = dataset.compact(unlock, context.actor(), &progress);
        spinner.finish_and_clear();
        let done = done?;
        context.terminal.out(&match format {
            Format::Json => json(&done)?,
            Format::Ndjson => json_line(&done)?,
            Format::Table | Format::Csv | Format::Parquet | Format::Sarif => text(&done),
        })?;
        Ok(Exit::Done)
    }
}

fn text(done: &Compaction) -> String {
    if done.tables.is_empty() {
        return format!("nothing to compact; still generation {}\n", done.generation);
    }
    let mut text = format!(
        "{} of {} ({}) became {} ({}), without {} that counted no more; generation {}\n",
        counted(done.files_before, "file"),
        counted(done.tables.len() as u64, "table"),
        bytes(done.bytes_before),
        grouped(done.files_after),
        bytes(done.bytes_after),
        counted(done.rows_dropped, "row"),
        done.generation
    );
    if !done.forgotten_in.is_empty() {
        let names: Vec<&str> = done.forgotten_in.iter().map(|class| Class::name(*class)).collect();
        let rotated = if done.rotation.is_some() { "keys were rotated" } else { "rotate the keys" };
        text.push_str(&format!(
            "forgotten contacts were left out; {rotated}: {}\n\
             then: gc --keep 1 --keep-days 0, and keys shred CLASS --rotated-out --yes for each\n",
            names.join(" ")
        ));
    }
    text
}
