//! `describe`: a segment or portfolio in plain English.

use clap::Args;
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{BindError, ParamValues, Segment};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::lookups::FileLookups;
use crate::output::{self, Format};
use crate::segment_file::{Chosen, Place, Source};

const EXAMPLE: &str = "\
Examples:
  hyperseg describe overdue.seg
  hyperseg describe overdue.seg:reminder --format json
  hyperseg describe campaign.seg:spring          a portfolio: its order, then each of its segments

Without a name all segments of the file are described, and of its portfolios the order. The same sentences go into the audit record of every count and every list. Needs a dataset (-d)
only for segments that refer to stored value sets, hierarchies, places or the dataset's own stages.
Parameters stand with their values when all have one (--param or default), else as $name.
--format table or json.";

/// Say in plain English whom a segment takes, or how a portfolio shares contacts out.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Describe {
    /// Segment file, FILE:name for one of several segments or a portfolio; `-` is standard input.
    #[arg(value_name = "FILE[:NAME]")]
    segment: String,
}

#[derive(Serialize)]
struct Description {
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portfolio: Option<String>,
    title: Option<String>,
    description: String,
}

impl Description {
    fn of_segment(segment: Segment, schema: &Schema) -> Self {
        let description = hyperseg_dsl::describe(&segment, schema);
        Self { segment: Some(segment.name), portfolio: None, title: segment.title, description }
    }

    fn of_portfolio(name: &str, title: Option<&str>, description: String) -> Self {
        let (name, title) = (Some(name.to_owned()), title.map(str::to_owned));
        Self { segment: None, portfolio: name, title, description }
    }
}

impl Describe {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json])?;
        let place = Place::parse(&self.segment);
        let schema = Schema::built_in();
        let source = Source::read(&place.file)?;
        let lookups = FileLookups::lazy(&place.file, context);
        let checked = source.compile(Known::new(&schema, &lookups), &context.terminal)?;
        let given = context.globals.param_values()?;
        // All segments of a file are described unless one is named, and of its portfolios the order.
        let described = if place.segment.is_some() || checked.segments.is_empty() {
            match source.select(checked, place.segment.as_deref())? {
                Chosen::Segment(segment) => {
                    refuse_unknown(&given, std::slice::from_ref(&*segment))?;
                    vec![Description::of_segment(with_values(*segment, &given)?, &schema)]
                }
                Chosen::Portfolio(mut portfolio) => {
                    refuse_unknown(&given, &portfolio.segments)?;
                    let segments = std::mem::take(&mut portfolio.segments).into_iter();
                    portfolio.segments =
                        segments.map(|segment| with_values(segment, &given)).collect::<Outcome<_>>()?;
                    let description = hyperseg_dsl::describe_portfolio(&portfolio, &schema);
                    let (name, title) = (&portfolio.name, portfolio.title.as_deref());
                    vec![Description::of_portfolio(name, title, description)]
                }
            }
        } else {
            refuse_unknown(&given, &checked.segments)?;
            let of_segment = |segment| Ok(Description::of_segment(with_values(segment, &given)?, &schema));
            let mut all = checked.segments.into_iter().map(of_segment).collect::<Outcome<Vec<_>>>()?;
            all.extend(checked.portfolios.iter().map(|portfolio| {
                let (name, title) = (&portfolio.name, portfolio.title.as_deref());
                Description::of_portfolio(name, title, hyperseg_dsl::describe_order(portfolio))
            }));
            all
        };
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
