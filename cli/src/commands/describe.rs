//! `describe`: a segment in plain English.

use clap::Args;
use hyperseg_dsl::schema::Schema;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{self, Format};
use crate::segment_file::{Place, Source};

const EXAMPLE: &str = "\
Examples:
  hyperseg describe overdue.seg
  hyperseg describe overdue.seg:reminder --format json

The same sentences go into the audit record of every count and every list. Needs no dataset.
--format text or json.";

/// Say in plain English whom a segment takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Describe {
    /// Segment file, FILE:segment for one of several; `-` is standard input.
    #[arg(value_name = "FILE[:SEGMENT]")]
    segment: String,
}

#[derive(Serialize)]
struct Description {
    segment: String,
    title: Option<String>,
    description: String,
}

impl Describe {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json])?;
        let place = Place::parse(&self.segment);
        let schema = Schema::built_in();
        let source = Source::read(&place.file)?;
        let mut segments = source.compile(&schema, &context.terminal)?;
        // All segments of a file are described unless one is named.
        if place.segment.is_some() || segments.is_empty() {
            segments = vec![source.select(segments, place.segment.as_deref())?];
        }
        let described: Vec<Description> = segments
            .into_iter()
            .map(|segment| Description {
                description: hyperseg_dsl::describe(&segment, &schema),
                title: segment.title,
                segment: segment.name,
            })
            .collect();
        let text = match format {
            Format::Json => output::json(&described)?,
            Format::Table | Format::Ndjson | Format::Csv | Format::Parquet => {
                let texts: Vec<&str> = described.iter().map(|one| one.description.trim_end()).collect();
                texts.join("\n\n") + "\n"
            }
        };
        context.terminal.out(&text)?;
        Ok(Exit::Done)
    }
}
