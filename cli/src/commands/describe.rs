//! `describe`: a segment in plain English.

use clap::Args;
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{BindError, ParamValues, Segment};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::lookups::FileLookups;
use crate::output::{self, Format};
use crate::segment_file::{Place, Source};

const EXAMPLE: &str = "\
Examples:
  hyperseg describe overdue.seg
  hyperseg describe overdue.seg:reminder --format json

The same sentences go into the audit record of every count and every list. Needs a dataset (-d)
only for segments that refer to stored value sets, hierarchies, places or the dataset's own stages.
Parameters stand with their values when all have one (--param or default), else as $name.
--format table or json.";

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
        let lookups = FileLookups::lazy(&place.file, context);
        let mut segments = source.compile(Known::new(&schema, &lookups), &context.terminal)?;
        // All segments of a file are described unless one is named.
        if place.segment.is_some() || segments.is_empty() {
            segments = vec![source.select(segments, place.segment.as_deref())?];
        }
        let given = context.globals.param_values()?;
        refuse_unknown(&given, &segments)?;
        let mut described = Vec::with_capacity(segments.len());
        for segment in segments {
            let segment = with_values(segment, &given)?;
            described.push(Description {
                description: hyperseg_dsl::describe(&segment, &schema),
                title: segment.title,
                segment: segment.name,
            });
        }
        let text = match format {
            Format::Json => output::json(&described)?,
            Format::Table | Format::Ndjson | Format::Csv | Format::Parquet | Format::Sarif => {
                let texts: Vec<&str> = described.iter().map(|one| one.description.trim_end()).collect();
                texts.join("\n\n") + "\n"
            }
        };
        context.terminal.out(&text)?;
        Ok(Exit::Done)
    }
}

/// A parameter that none of the segments has is a mistake; of several segments each takes its own.
fn refuse_unknown(given: &ParamValues, segments: &[Segment]) -> Outcome<()> {
    let mut known: Vec<String> =
        segments.iter().flat_map(|segment| &segment.params).map(|param| param.name.clone()).collect();
    known.sort();
    known.dedup();
    match given.keys().find(|name| !known.contains(name)) {
        Some(name) => Err(Failure::usage(BindError::Unknown { name: name.clone(), known }.to_string())),
        None => Ok(()),
    }
}

/// The segment with the values of its parameters when all of them have one, else as it is written.
fn with_values(segment: Segment, given: &ParamValues) -> Outcome<Segment> {
    let own: ParamValues = given
        .iter()
        .filter(|(name, _)| segment.params.iter().any(|param| param.name == **name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    match segment.bind(&own) {
        Ok(bound) => Ok(bound.segment().clone()),
        Err(BindError::Missing { .. }) => Ok(segment),
        Err(
            problem @ (BindError::Unknown { .. } | BindError::Invalid { .. } | BindError::Reversed { .. }),
        ) => Err(Failure::usage(format!("{}: {problem}", segment.name))),
    }
}
