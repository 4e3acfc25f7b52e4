//! `audit`: what was done with the dataset, and whether the log still says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand};
use hyperseg_storage::audit::{Entry, EntryKind, RunId, Verification};
use hyperseg_storage::dataset::Dataset;
use serde_json::Value;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Align, Format, Table, json, json_line};

const EXAMPLE: &str = "\
Examples:
  hyperseg audit log -d data
  hyperseg audit show 1f3a -d data                 the beginning of a run's id is enough
  hyperseg audit verify -d data --format json

Every count and every list has an entry that was durable before a key was unwrapped. `verify`
proves the log against its anchor beside the keyring, and every released list against its
record: exit code 0 when all is proven, 5 when anything was changed or is missing.";

/// Show and verify the trail of everything that was done.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One line per run, oldest first.
    Log,
    /// Everything that is recorded of one run.
    Show {
        /// Id of the run, or its beginning.
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// Prove log, anchor and lists; exit code 5 when anything is wrong.
    Verify,
}

impl Audit {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let dataset = context.open()?;
        match self.what {
            What::Log => log(context, &dataset),
            What::Show { run } => show(context, &dataset, &run),
            What::Verify => {
                let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
                verify(context, &dataset, format)
            }
        }
    }
}

/// Proves what can be proven and says so.
pub fn verify(context: &Context, dataset: &Dataset, format: Format) -> Outcome<Exit> {
    let found = dataset.audit()?.verify()?;
    let rendered = match format {
        Format::Json => json(&found)?,
        Format::Ndjson => json_line(&found)?,
        Format::Table | Format::Csv | Format::Parquet | Format::Sarif => words(&found),
    };
    context.terminal.out(&rendered)?;
    Ok(if found.grade.is_wrong() { Exit::Integrity } else { Exit::Done })
}

fn words(found: &Verification) -> String {
    let grade = serde_json::to_value(found.grade).ok();
    let grade = grade.as_ref().and_then(Value::as_str).unwrap_or("unknown");
    let mut text = format!("audit     {grade}: {}\n", found.summary());
    for finding in &found.findings {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}", finding.what);
    }
    text
}

fn log(context: &Context, dataset: &Dataset) -> Outcome<Exit> {
    let format = context.format(&[Format::Table, Format::Ndjson, Format::Json, Format::Csv])?;
    let entries = dataset.audit()?.entries()?;
    let text = match format {
        Format::Json => json(&entries)?,
        Format::Ndjson => entries.iter().map(json_line).collect::<Outcome<String>>()?,
        Format::Table => runs(&entries).text(),
        Format::Csv | Format::Parquet | Format::Sarif => runs(&entries).csv(),
    };
    context.terminal.out(&text)?;
    Ok(Exit::Done)
}

/// One row per run: when it began, what it was, and how it ended.
fn runs(entries: &[Entry]) -> Table {
    let mut ends: BTreeMap<RunId, &Entry> = BTreeMap::new();
    for entry in entries {
        if let Some(run) = entry.run
            && entry.kind != EntryKind::Intent
        {
            ends.insert(run, entry);
        }
    }
    let columns =
        ["time", "run", "action", "who", "for", "purpose", "outcome"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for entry in entries {
        let body = |name: &str| entry.body.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let outcome = match entry.kind {
            EntryKind::Intent => match entry.run.and_then(|run| ends.get(&run)) {
                Some(end) => outcome(end),
                None => "open".to_owned(),
            },
            EntryKind::Recovered => "log repaired after a crash".to_owned(),
            EntryKind::Release | EntryKind::Complete | EntryKind::Aborted => continue,
        };
        table.row([
            entry.time.clone(),
            entry.run.map(|run| run.to_string()).unwrap_or_default(),
            entry.action.clone(),
            entry.who.clone(),
            body("on_behalf_of"),
            body("purpose"),
            outcome,
        ]);
    }
    table
}

fn outcome(end: &Entry) -> String {
    match end.kind {
        EntryKind::Release => match end.body.get("rows").and_then(Value::as_u64) {
            Some(rows) => format!("released {rows}"),
            None => "released".to_owned(),
        },
        EntryKind::Complete => "done".to_owned(),
        EntryKind::Aborted => "aborted".to_owned(),
        EntryKind::Intent | EntryKind::Recovered => String::new(),
    }
}

fn show(context: &Context, dataset: &Dataset, run: &str) -> Outcome<Exit> {
    let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
    let entries = dataset.audit()?.show(run)?;
    let text = match format {
        Format::Json => json(&entries)?,
        Format::Ndjson => entries.iter().map(json_line).collect::<Outcome<String>>()?,
        Format::Table | Format::Csv | Format::Parquet | Format::Sarif => {
            let mut text = String::new();
            for entry in &entries {
                text.push_str(&head(entry));
                outline(&mut text, &entry.body, 1);
                text.push('\n');
            }
            text
        }
    };
    context.terminal.out(&text)?;
    Ok(Exit::Done)
}

/// When, what and who, on one line; two blanks between.
fn head(entry: &Entry) -> String {
    let kind = serde_json::to_value(entry.kind).ok();
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or("unknown").to_owned();
    let run = entry.run.map(|run| run.to_string()).unwrap_or_default();
    let line = [entry.time.clone(), kind, entry.action.clone(), entry.who.clone(), run].join("  ");
    line.trim_end().to_owned() + "\n"
}

/// A moment as people read it, from a member that holds microseconds.
fn moment(name: &str, member: &Value) -> Option<String> {
    let micros = member.as_i64().filter(|_| name.ends_with("_micros"))?;
    Some(DateTime::from_timestamp_micros(micros)?.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// JSON as indented lines; what is not there is left out.
fn outline(text: &mut String, value: &Value, depth: usize) {
    let Value::Object(members) = value else { return };
    let indent = "  ".repeat(depth);
    for (name, member) in members {
        if let Some(moment) = moment(name, member) {
            text.push_str(&format!("{indent}{name}: {moment}\n"));
            continue;
        }
        match member {
            Value::Null => {}
            Value::Object(inner) if inner.is_empty() => {}
            Value::Object(_) => {
                text.push_str(&format!("{indent}{name}:\n"));
                outline(text, member, depth + 1);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                text.push_str(&format!("{indent}{name}:\n"));
                for item in items {
                    text.push_str(&format!("{indent}  - {item}\n"));
                }
            }
            Value::String(words) if words.contains('\n') => {
                text.push_str(&format!("{indent}{name}:\n"));
                for line in words.trim_end().lines() {
                    text.push_str(&format!("{indent}  | {line}\n"));
                }
            }
            Value::String(words) => text.push_str(&format!("{indent}{name}: {words}\n")),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                text.push_str(&format!("{indent}{name}: {member}\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_words() {
        let body = serde_json::json!({ "clock": { "as_of_micros": 1_767_225_600_000_000_i64, "zone": "UTC" }, "n": 5 });
        let mut text = String::new();
        outline(&mut text, &body, 1);
        assert_eq!(text, "  clock:\n    as_of_micros: 2026-01-01T00:00:00Z\n    zone: UTC\n  n: 5\n");
    }
}
