//! `forget`: contacts that nobody sees any more.

use clap::Args;
use hyperseg_storage::dataset::Forgetting;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Format, counted, json, json_line};

const EXAMPLE: &str = "\
Examples:
  hyperseg forget --contact c-102 --yes -d data
  hyperseg forget --contact c-102 --contact c-977 --yes -d data

From the next generation on nobody sees these contacts, their records and the history of their
fields; nor does who looks at an older generation. It cannot be undone. Then, to take the bytes away:

  hyperseg compact -d data                          files are written without them, keys rotated
  hyperseg gc --keep 1 --keep-days 0 -d data        the old files are removed
  hyperseg keys shred CLASS --rotated-out --yes -d data    copies of the old files open no more

The audit record says how many there were and in which places, not their ids. Lists that were
released before and the audit log keep what they say. Whoever imports the contact again makes a
new one.";

/// Let nobody see contacts any more, in no generation.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Forget {
    /// Id of a contact; repeat for several. All are forgotten, or none when one is not known.
    #[arg(long = "contact", value_name = "ID", required = true)]
    contacts: Vec<String>,
    /// Yes, forget them.
    #[arg(long)]
    yes: bool,
}

impl Forget {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
        if !self.yes {
            return Err(Failure::usage("this cannot be undone").hint("add --yes to forget them"));
        }
        let found = context.open_unlocked()?.0.forget(&self.contacts, context.actor())?;
        context.terminal.out(&match format {
            Format::Json => json(&found)?,
            Format::Ndjson => json_line(&found)?,
            Format::Table | Format::Csv | Format::Parquet | Format::Sarif => text(&found),
        })?;
        Ok(Exit::Done)
    }
}

fn text(found: &Forgetting) -> String {
    format!(
        "forgot {} with {} and {}; generation {}\nthe bytes go with compact, gc and keys shred: see --help\n",
        counted(found.contacts, "contact"),
        counted(found.records, "record"),
        counted(found.changes, "change"),
        found.generation
    )
}
