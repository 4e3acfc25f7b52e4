//! `compact`: one file where there are many, without what counts no more.

use clap::Args;
use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::{CompactOptions, Compaction};

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Format, bytes, counted, grouped, json, json_line};

const EXAMPLE: &str = "\
Examples:
  hyperseg compact -d data
  hyperseg compact -d data --all
  hyperseg compact -d data --percent 5 --format json

Every import adds files; corrections and deletions leave rows that count no more. This writes files
of a table, sensitivity class and shard into one file again, of the rows that count. No answer
changes. Small files are put together; a large one is written anew when rows that count no more and
rows of smaller files beside it are 20 in a hundred of its own (--percent), so that one deleted row
does not cost a partition. Memory does not grow with the dataset.

Each table is a generation of its own: stopped at any moment, it has done some tables and goes on
with the others the next time. Others read meanwhile; old files go with `gc`.

Of forgotten contacts nothing is written any more, however few they are, and the owner's key rotates
the keys of the classes in which there was something of them, so that `keys shred --rotated-out`
takes it out of backups too.";

/// Write small files into large ones, and leave out what counts no more.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Compact {
    /// Write everything anew that is not one file of rows that count.
    #[arg(long, conflicts_with = "percent")]
    all: bool,
    /// Write a file anew when so many in a hundred of its rows count no more or lie in smaller files.
    #[arg(long, value_name = "N", default_value_t = CompactOptions::default().worth_percent)]
    percent: u8,
}

impl Compact {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
        let (dataset, unlock) = context.open_unlocked()?;
        let unlock = dataset.keyring().principal().owner.then_some(&unlock);
        let spinner = context.terminal.spinner("compacting");
        let progress = |_| spinner.tick();
        let options = CompactOptions {
            worth_percent: if self.all { 0 } else { self.percent },
            on_behalf_of: context.actor(),
            ..CompactOptions::default()
        };
        let done = dataset.compact(&options, unlock, &progress);
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
    let left = match done.rows_left {
        0 => String::new(),
        rows => format!("{} that count no more stay; --all leaves them out\n", counted(rows, "row")),
    };
    if done.tables.is_empty() {
        return format!("nothing to compact; still generation {}\n{left}", done.generation);
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
    text.push_str(&left);
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
