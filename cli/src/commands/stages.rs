//! `stages`: the stages of a journey that hold in a dataset, where a segment file declares none.

use clap::{Args, Subcommand};
use hyperseg_dsl::lookups::{Known, Lookups as _};
use hyperseg_dsl::{BUILT_IN_STAGES, JOURNEY, Stages as Typed};
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::{Dataset, DocumentKind, StoredLookups};
use serde::Serialize;
use serde_json::json;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::lookups::refused;
use crate::output::{self, Align, Format, Table, counted};
use crate::segment_file::Source;

const EXAMPLE: &str = "\
Examples:
  hyperseg stages show -d data > journey.seg        the stages in force, to be edited
  hyperseg stages set journey.seg -d data           the dataset's own from now on
  hyperseg stages show -d data --generation 4       those of an older generation
  hyperseg stages reset -d data                     back to the ones that are built in

A file of stages declares `stage` after `stage`, with the value sets and defines that they use, as text or in the JSON
form; no segments, parameters or CSV files. It is checked whole against the dataset, and nothing is stored while it has
an error (exit code 3). `in stage` and `funnel --by-stage` look at the stages of the segment file first; where it
declares none, at the dataset's own; where that has none, at the ones that are built in. Each change is a generation
with an audit record, and every run names the SHA-256 of the stages it used. --format table or json.";

/// Show or change the stages of a journey that segments of this dataset use.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Stages {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the stages in force: the dataset's own, or those that are built in.
    Show,
    /// Make the stages of a file the dataset's own.
    Set {
        /// File of stages; `-` is standard input.
        #[arg(value_name = "FILE")]
        file: String,
    },
    /// Return to the stages that are built in.
    Reset,
}

/// The stages in force.
#[derive(Serialize)]
struct Shown {
    /// `dataset` or `built_in`.
    source: &'static str,
    /// Generation that was looked at.
    generation: u64,
    /// Generation that wrote them; none for those that are built in.
    written: Option<u64>,
    sha256: String,
    stages: Vec<Named>,
    text: String,
}

#[derive(Serialize)]
struct Named {
    name: String,
    title: Option<String>,
}

/// What a change did.
#[derive(Serialize)]
struct Changed {
    source: &'static str,
    changed: bool,
    generation: u64,
    sha256: String,
    stages: Vec<Named>,
}

impl Stages {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json])?;
        match self.what {
            What::Show => show(context, format),
            What::Set { file } => set(context, format, &file),
            What::Reset => reset(context, format),
        }
    }
}

fn show(context: &Context, format: Format) -> Outcome<Exit> {
    let dataset = context.open()?;
    let snapshot = dataset.snapshot()?;
    let lookups = StoredLookups::new(&dataset, std::collections::BTreeMap::new())?;
    let stored = lookups.stages().map_err(|refusal| refused(&refusal))?;
    let written = snapshot.document(DocumentKind::Stages, JOURNEY).map(|entry| entry.generation);
    let (source, text) = match &stored {
        Some(stored) => ("dataset", stored.text()),
        None => ("built_in", BUILT_IN_STAGES),
    };
    // Those whose value sets are gone are shown all the same: they are what is to be corrected.
    let known = Known::new(snapshot.schema(), &lookups);
    let stages = Typed::outside(known).map(|stages| named(&stages));
    let shown = Shown {
        source,
        generation: snapshot.generation(),
        written,
        sha256: hyperseg_dsl::lookups::StoredStages::new(text).sha256().to_owned(),
        stages: stages.as_ref().map_or_else(|_| Vec::new(), |stages| stages.iter().map(Named::of).collect()),
        text: text.to_owned(),
    };
    match format {
        Format::Json => context.terminal.out(&output::json(&shown)?)?,
        Format::Table | Format::Ndjson | Format::Csv | Format::Parquet | Format::Sarif => {
            context.terminal.out(text)?;
        }
    }
    let whose = match written {
        Some(written) => format!("the dataset's own, written by generation {written}"),
        None => "those that are built in".to_owned(),
    };
    context
        .terminal
        .say(&format!("{whose}, in force in generation {}; SHA-256 {}", shown.generation, shown.sha256));
    if let Err(refusal) = stages {
        context.terminal.insist(&format!("warning: {}", refusal.what));
    }
    Ok(Exit::Done)
}

fn set(context: &Context, format: Format, file: &str) -> Outcome<Exit> {
    let dataset = newest(context)?;
    let snapshot = dataset.snapshot()?;
    let lookups = StoredLookups::new(&dataset, std::collections::BTreeMap::new())?;
    let source = Source::read(file)?;
    let checked = hyperseg_dsl::check_stages(&source.text, Known::new(snapshot.schema(), &lookups));
    source.tell(&checked.diagnostics, &context.terminal)?;
    let stages = named(&checked.stages);
    let names: Vec<&str> = stages.iter().map(|(name, _)| name.as_str()).collect();
    let before = snapshot.document(DocumentKind::Stages, JOURNEY).map(|entry| entry.contents);
    let intent = IntentBody {
        on_behalf_of: context.actor(),
        description: Some(format!("stages of the dataset: {}", names.join(", "))),
        generation: Some(snapshot.generation()),
        details: json!({
            "kind": DocumentKind::Stages.name(),
            "name": JOURNEY,
            "file": source.name,
            "stages": names,
            "before": before,
            "lookups": checked.stages.pins(),
        }),
        ..IntentBody::new("stages set")
    };
    let stored = dataset.store_document(DocumentKind::Stages, JOURNEY, source.text.as_bytes(), intent)?;
    let changed = Changed {
        source: "dataset",
        changed: stored.changed,
        generation: stored.generation,
        sha256: stored.contents.to_string(),
        stages: stages.iter().map(Named::of).collect(),
    };
    report(context, format, &changed)
}

fn reset(context: &Context, format: Format) -> Outcome<Exit> {
    let dataset = newest(context)?;
    let snapshot = dataset.snapshot()?;
    let before = snapshot.document(DocumentKind::Stages, JOURNEY).map(|entry| entry.contents);
    let intent = IntentBody {
        on_behalf_of: context.actor(),
        description: Some("stages of the dataset: those that are built in".to_owned()),
        generation: Some(snapshot.generation()),
        details: json!({ "kind": DocumentKind::Stages.name(), "name": JOURNEY, "before": before }),
        ..IntentBody::new("stages reset")
    };
    let removed = dataset.remove_document(DocumentKind::Stages, JOURNEY, intent)?;
    let stages = Typed::built_in(snapshot.schema()).map(|stages| named(&stages)).unwrap_or_default();
    let changed = Changed {
        source: "built_in",
        changed: removed.changed,
        generation: removed.generation,
        sha256: hyperseg_dsl::lookups::StoredStages::new(BUILT_IN_STAGES).sha256().to_owned(),
        stages: stages.iter().map(Named::of).collect(),
    };
    report(context, format, &changed)
}

/// The dataset at its newest generation: an older one can only be looked at.
fn newest(context: &Context) -> Outcome<Dataset> {
    if context.globals.generation.is_some() {
        return Err(Failure::usage("--generation looks at an older generation, which cannot be changed")
            .hint("leave it out; `hyperseg stages show --generation N` prints what held then"));
    }
    context.open()
}

fn report(context: &Context, format: Format, changed: &Changed) -> Outcome<Exit> {
    let whose = match changed.source {
        "dataset" => "the dataset's own",
        _ => "those that are built in",
    };
    let end = if changed.changed { "generation" } else { "nothing new; still generation" };
    let text = || {
        format!(
            "{whose}: {}, SHA-256 {}\n{end} {}\n",
            counted(changed.stages.len() as u64, "stage"),
            changed.sha256,
            changed.generation
        )
    };
    let table = || {
        let mut table = Table::new(&["name", "title"].map(|name| (name, Align::Left)));
        for stage in &changed.stages {
            table.row([stage.name.clone(), stage.title.clone().unwrap_or_default()]);
        }
        table
    };
    context.report(format, changed, text, table)?;
    Ok(Exit::Done)
}

fn named(stages: &Typed) -> Vec<(String, Option<String>)> {
    stages.list().iter().map(|stage| (stage.name.clone(), stage.title.clone())).collect()
}

impl Named {
    fn of((name, title): &(String, Option<String>)) -> Self {
        Self { name: name.clone(), title: title.clone() }
    }
}
