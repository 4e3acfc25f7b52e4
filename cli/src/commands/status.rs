//! `status`: what the dataset holds, how fresh it is, what is unfinished.

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use hyperseg_storage::dataset::{DocumentStatus, Status as Report};

use crate::context::{Context, now_micros};
use crate::failure::{Exit, Outcome};
use crate::output::{Align, Format, Table, bytes, counted, grouped, json, json_line};

const EXAMPLE: &str = "\
Examples:
  hyperseg status -d data
  hyperseg status -d data --format json

Generation, tables and classes with their rows, files and bytes, the age of the last import of
consent, the state of the audit log, the slots of the keyring, and what somebody has left
unfinished. Nothing is decrypted but the manifest and the log.";

/// Show what the dataset holds and what is unfinished.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Status {}

impl Status {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
        let report = context.open_unlocked()?.0.status(now_micros())?;
        context.terminal.out(&match format {
            Format::Json => json(&report)?,
            Format::Ndjson => json_line(&report)?,
            Format::Table | Format::Csv | Format::Parquet | Format::Sarif => text(&report),
        })?;
        Ok(Exit::Done)
    }
}

fn text(report: &Report) -> String {
    let mut facts = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
    fact("dataset", report.dataset.to_string());
    let kept = match report.generation - report.oldest {
        0 => String::new(),
        older => format!(", {} kept", counted(older, "older one")),
    };
    fact("generation", format!("{} of {}{kept}", report.generation, moment(report.created_micros)));
    fact("contacts", format!("{} in {}", grouped(report.contacts), counted(report.shards, "shard")));
    fact("data", format!("{} in {}", bytes(report.bytes), counted(report.files, "file")));
    if !report.documents.is_empty() {
        let one = |document: &DocumentStatus| format!("{} {}", document.kind, document.name);
        fact("lookups", report.documents.iter().map(one).collect::<Vec<_>>().join(", "));
    }
    fact("consent", consent(report));
    fact("audit", report.log.summary.clone());
    let slots: Vec<String> = report.slots.iter().map(|slot| format!("{} {}", slot.kind, slot.id)).collect();
    fact("keyring", slots.join(", "));
    fact("unfinished", unfinished(report));
    let mut tables = columns("table", true);
    for one in &report.tables {
        tables.row([one.table.clone(), grouped(one.rows), grouped(one.files), bytes(one.bytes)]);
    }
    let mut classes = columns("class", false);
    for one in &report.classes {
        classes.row([one.class.name().to_owned(), grouped(one.files), bytes(one.bytes)]);
    }
    format!("{}\n{}\n{}", facts.text().trim_start_matches('\n'), tables.text(), classes.text())
}

fn columns(first: &str, rows: bool) -> Table {
    let rest = ["rows", "files", "bytes"].into_iter().skip(usize::from(!rows));
    let columns: Vec<(&str, Align)> =
        [(first, Align::Left)].into_iter().chain(rest.map(|name| (name, Align::Right))).collect();
    Table::new(&columns)
}

fn consent(report: &Report) -> String {
    match (report.consent_imported_micros, report.consent_age_seconds) {
        (Some(imported), Some(age)) => format!("imported {}, {} ago", moment(imported), duration(age)),
        _ => "never imported: no list can be released".to_owned(),
    }
}

fn unfinished(report: &Report) -> String {
    let left = report.unfinished;
    let mut parts = Vec::new();
    if left.writer_at_work {
        parts.push("a writer is at work".to_owned());
    }
    for (number, noun) in [
        (left.open_runs, "run without an end"),
        (left.temporary_files, "half-written file"),
        (left.unnamed_files, "file that no generation names"),
    ] {
        if number > 0 {
            parts.push(match number {
                1 => format!("1 {noun}"),
                several => format!("{} × {noun}", grouped(several)),
            });
        }
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn moment(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| "an unknown time".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0).unsigned_abs();
    match seconds {
        0..=119 => counted(seconds, "second"),
        120..=7_199 => counted(seconds / 60, "minute"),
        7_200..=172_799 => counted(seconds / 3_600, "hour"),
        _ => counted(seconds / 86_400, "day"),
    }
}
