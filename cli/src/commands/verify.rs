//! `verify`: every byte of a generation against its manifest, its keys and the audit log.

use clap::Args;
use hyperseg_storage::audit::Verification;
use hyperseg_storage::dataset::DatasetVerification;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Format, bytes, counted, grouped, json, json_line};

const EXAMPLE: &str = "\
Examples:
  hyperseg verify -d data
  hyperseg verify -d data --generation 12
  hyperseg verify -d data --format json

Compares length and SHA-256 of every file with the manifest, opens every wrapped key, footer and
page directory, decrypts and decodes every page, follows the manifests back to the oldest, and
compares the newest generation with the one that the audit log has seen. The log is proven too.
Exit code 0 when all is as written, 5 when anything is not; one bad file does not hide the next.
The verification is an entry of the audit log itself.";

/// Prove every byte of the dataset.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Verify {}

/// What was proven of data and log.
#[derive(Serialize)]
struct Report {
    sound: bool,
    dataset: DatasetVerification,
    log: Verification,
}

impl Verify {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Ndjson])?;
        // Not at the named generation: what is newest matters to the proof of an older one too.
        let (dataset, _) = context.open_unlocked()?;
        let spinner = context.terminal.spinner("proving");
        let proven = std::sync::atomic::AtomicU64::new(0);
        let progress = |length: u64| {
            let so_far = proven.fetch_add(length, std::sync::atomic::Ordering::Relaxed) + length;
            spinner.set_message(format!("proven {}", bytes(so_far)));
        };
        let found = dataset.verify(context.globals.generation, context.actor(), &progress);
        spinner.finish_and_clear();
        let (found, log) = (found?, dataset.audit()?.verify()?);
        let sound = found.is_sound() && !log.grade.is_wrong();
        let report = Report { sound, dataset: found, log };
        context.terminal.out(&match format {
            Format::Json => json(&report)?,
            Format::Ndjson => json_line(&report)?,
            Format::Table | Format::Csv | Format::Parquet | Format::Sarif => text(&report),
        })?;
        Ok(if sound { Exit::Done } else { Exit::Integrity })
    }
}

fn text(report: &Report) -> String {
    let found = &report.dataset;
    let mut lines = Vec::new();
    match found.generation {
        Some(generation) => lines.push(format!(
            "generation {generation}: {} of {} as written, {}",
            grouped(found.sound),
            counted(found.files, "file"),
            bytes(found.bytes)
        )),
        None => lines.push("no generation opens".to_owned()),
    }
    lines.push(format!(
        "decrypted  {} of {}, {}, {}",
        grouped(found.rows_read),
        counted(found.rows, "row"),
        counted(found.pages, "page"),
        counted(found.column_chunks, "column chunk"),
    ));
    lines.push(format!(
        "opened     {} with those of footers, {}, {}",
        counted(found.keys, "wrapped key"),
        counted(found.page_directories, "page directory").replace("directorys", "directories"),
        counted(found.manifests, "manifest"),
    ));
    if found.documents > 0 {
        lines.push(format!(
            "lookups    {} of {} as written",
            grouped(found.documents_sound),
            counted(found.documents, "sealed document")
        ));
    }
    for closed in &found.unopened {
        let files = counted(closed.files, "file");
        lines.push(format!(
            "closed     {}: {files} compared by digest only; {}",
            closed.class.name(),
            closed.why
        ));
    }
    lines.push(format!("audit      {}", report.log.summary()));
    lines.extend(report.log.findings.iter().map(|finding| format!("  {}", finding.what)));
    for (kind, count) in &found.found {
        lines.push(format!("{} × {}", grouped(*count), kind.name()));
        let told: Vec<_> = found.defects.iter().filter(|defect| defect.kind == *kind).collect();
        lines.extend(told.iter().map(|defect| format!("  {}: {}", defect.file, defect.what)));
        let more = count.saturating_sub(told.len() as u64);
        if more > 0 {
            lines.push(format!("  and {} more", grouped(more)));
        }
    }
    lines.push(if report.sound { "all is as written" } else { "not all is as written" }.to_owned());
    lines.join("\n") + "\n"
}
