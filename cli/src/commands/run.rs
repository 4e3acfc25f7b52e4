//! `run`: the list of recipients and its receipt; for a portfolio all of its lists.

mod portfolio;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use hyperseg_engine::{ConsentAge, Engine, Error as EngineError, Guards, Receipt, Recipients, Request};
use serde::Serialize;

use crate::context::{Context, Question};
use crate::failure::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::list::{Draft, ListWriter, Written, refuse_existing};
use crate::output::{Format, counted, json};

const EXAMPLE: &str = "\
Examples:
  hyperseg run overdue.seg -d data --out list.csv
  hyperseg run overdue.seg:reminder -d data --out list.ndjson --format ndjson --max 50000
  hyperseg run overdue.seg -d data --dry-run
  hyperseg run campaign.seg:spring -d data --out spring      a portfolio: one list per segment

The list has contact_id, the address of the segment's channel, the fields of `output` and, when the
segment splits its list, `arm`, in the order of contact_id. It appears whole beside its receipt, list.csv.receipt.json, after its audit
record is durable; neither is ever overwritten. Formats: csv (default), ndjson, parquet; the
name's ending decides unless --format is given.

CSV follows RFC 4180. A cell that a spreadsheet would take for a formula (first character = + -
@ tab or carriage return) gets an apostrophe in front, numbers and telephone numbers apart;
ndjson and parquet hold every value as it is.

FILE:name of a portfolio releases the lists of all its segments, each contact on one of them at most.
--out names a new directory, which appears whole: spring/SEGMENT.csv (or the ending of --format) with its
receipt for each segment. Every list has an audit record of its own, which names the portfolio and says how
many contacts each segment above has taken. The guards hold for each list; when one is held back, none is
released.

Exit code 4 when purpose, consent or keys do not allow the list, 6 when --min or --max holds it
back, 7 when it is empty and --fail-empty is given; in each case nothing is released.";

/// Release the list of recipients, with consent and suppression applied and an audit record.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Run {
    /// Segment file, FILE:name for one of several segments or a portfolio; `-` is standard input.
    #[arg(value_name = "FILE[:NAME]")]
    segment: String,
    /// New file for the list; for a portfolio a new directory for its lists.
    #[arg(long, value_name = "LIST", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Count and check the guards; release and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Release nothing when there are fewer recipients.
    #[arg(long, value_name = "N")]
    min: Option<u64>,
    /// Release nothing when there are more recipients.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Exit code 7, and no list, when nobody is left.
    #[arg(long)]
    fail_empty: bool,
    /// Age that consent data may have since its last import: hours (24h), days (7d), or none for any [default: 24h].
    #[arg(long, value_name = "AGE")]
    consent_max_age: Option<String>,
}

/// The engine's receipt and what is known of the file.
#[derive(Serialize)]
struct FileReceipt<'a> {
    file: String,
    format: &'static str,
    file_sha256: &'a str,
    #[serde(flatten)]
    receipt: &'a Receipt,
}

impl Run {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err(Failure::usage(format!("--min {min} is more than --max {max}")));
        }
        let age = self.consent_max_age.clone().or_else(|| context.settings.consent_max_age.clone());
        let age = age.as_deref().map_or(Ok(ConsentAge::default()), consent_age)?;
        // What is wrong with the names of files is said before the work is done.
        self.out.as_deref().map_or(Ok(()), refuse_existing)?;
        let format = self.out.as_deref().map(|path| list_format(path, context)).transpose()?;
        let (engine, question) = context.question(&self.segment, age)?;
        match (question, self.out.as_deref().zip(format).filter(|_| !self.dry_run)) {
            (Question::Segment(request), Some((out, format))) => {
                let format = format.unwrap_or_else(|| format_of_name(out));
                self.release(context, &engine, &request, &Target::named(out, format)?)
            }
            (Question::Segment(request), None) => self.rehearse(context, &engine, &request),
            (Question::Portfolio(request), Some((out, format))) => {
                let format = format.unwrap_or(Format::Csv);
                self.release_portfolio(context, &engine, &request, out, format)
            }
            (Question::Portfolio(request), None) => self.rehearse_portfolio(context, &engine, &request),
        }
    }

    /// Counts, and says what a run would do.
    fn rehearse(&self, context: &Context, engine: &Engine, request: &Request) -> Outcome<Exit> {
        let report = interrupt::block_on(async { Ok(engine.count(request).await?) })?;
        let Some(recipients) = report.releasable else {
            return Err(Failure::new(
                Exit::Unauthorised,
                format!("segment `{}` lacks purpose or channel; a list needs both", report.segment),
            ));
        };
        context.terminal.out(&format!("{} would be released\n", counted(recipients, "recipient")))?;
        if self.fail_empty && recipients == 0 {
            return Ok(Exit::Empty);
        }
        self.crossed(recipients, "").map_or(Ok(Exit::Done), Err)
    }

    /// The guard that would hold a list of so many recipients back; `which` list it is, if there are several.
    fn crossed(&self, recipients: u64, which: &str) -> Option<Failure> {
        let below = self.min.filter(|&min| recipients < min).map(|min| format!("at least {min}"));
        let above = self.max.filter(|&max| recipients > max).map(|max| format!("at most {max}"));
        let bound = below.or(above)?;
        let message = format!(
            "{recipients} recipients, but the guard allows {bound}{which}; a run would release nothing"
        );
        Some(Failure::new(Exit::Guard, message))
    }

    /// The guards of a release.
    fn guards(&self) -> Guards {
        // An empty list under --fail-empty is held back before its release, like one below --min.
        let least = if self.fail_empty { Some(self.min.unwrap_or(0).max(1)) } else { self.min };
        Guards { recipients_min: least, recipients_max: self.max }
    }

    fn release(
        &self,
        context: &Context,
        engine: &Engine,
        request: &Request,
        target: &Target,
    ) -> Outcome<Exit> {
        let released = release(context, engine, request, self.guards(), target);
        let receipt = match released {
            Ok(receipt) => receipt,
            Err(Refusal::Engine(EngineError::Guard { recipients: 0, .. })) if self.fail_empty => {
                return Err(Failure::new(Exit::Empty, "nobody is left; nothing was released"));
            }
            Err(Refusal::Engine(error)) => return Err(error.into()),
            Err(Refusal::Other(failure)) => return Err(failure),
        };
        let terminal = &context.terminal;
        terminal.say(&format!("{} in {}", counted(receipt.released, "recipient"), target.list.display()));
        for arm in &receipt.arms {
            terminal.say(&format!("arm     {}: {}", arm.arm, counted(arm.contacts, "recipient")));
        }
        terminal.say(&format!("receipt {}", target.receipt.display()));
        terminal.say(&format!("audit   run {}", receipt.run_id));
        Ok(Exit::Done)
    }
}

/// Why there is no list.
pub enum Refusal {
    /// The engine's answer; guards are told apart by it.
    Engine(EngineError),
    /// Files, streams, signals.
    Other(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// Where list and receipt go.
pub struct Target {
    pub list: PathBuf,
    pub receipt: PathBuf,
    pub format: Format,
}

impl Target {
    /// A list of this name and its receipt beside it; both must be free.
    pub fn named(list: &Path, format: Format) -> Outcome<Self> {
        let mut receipt = list.as_os_str().to_owned();
        receipt.push(".receipt.json");
        let target = Self { list: list.to_owned(), receipt: receipt.into(), format };
        refuse_existing(&target.list)?;
        refuse_existing(&target.receipt)?;
        Ok(target)
    }
}

/// The format of a list that is asked for, if one is.
fn list_format(out: &Path, context: &Context) -> Outcome<Option<Format>> {
    if out == Path::new("-") {
        return Err(Failure::usage(
            "a list is not written to standard output: it belongs beside its receipt",
        )
        .hint("give --out FILE, e.g. --out list.csv"));
    }
    match context.globals.format {
        Some(Format::Csv | Format::Ndjson | Format::Parquet) | None => Ok(context.globals.format),
        Some(other @ (Format::Table | Format::Json | Format::Sarif)) => Err(Failure::usage(format!(
            "a list cannot be written as {}; --format takes csv, ndjson or parquet",
            other.name()
        ))),
    }
}

/// The format that a list's name asks for.
fn format_of_name(list: &Path) -> Format {
    match list.extension().and_then(|ending| ending.to_str()) {
        Some("ndjson" | "jsonl") => Format::Ndjson,
        Some("parquet") => Format::Parquet,
        Some(_) | None => Format::Csv,
    }
}

/// Runs a segment and writes its list and receipt, both or neither.
pub fn release(
    context: &Context,
    engine: &Engine,
    request: &Request,
    guards: Guards,
    target: &Target,
) -> Result<Receipt, Refusal> {
    // Both files are opened before the engine releases anything: a full or read-only directory shows up here.
    let list = Draft::create(&target.list)?;
    let receipt_file = Draft::create(&target.receipt)?;
    let spinner = context.terminal.spinner("running");
    let answer = interrupt::block_on(async { Ok(engine.run(request, guards).await) });
    spinner.finish_and_clear();
    let mut recipients = answer?.map_err(Refusal::Engine)?;
    let written = write_list(&mut recipients, target.format, list.file())?;
    let receipt = recipients.receipt().clone();
    let file = target.list.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    receipt_file
        .file()
        .write_all(receipt_text(file, target.format, &written, &receipt)?.as_bytes())
        .map_err(|error| Failure::file("write", &target.receipt, &error))?;
    // The receipt first, so that no list is ever without one; a signal waits until both are there.
    let _whole = interrupt::hold_off();
    receipt_file.publish()?;
    if let Err(failure) = list.publish() {
        // The receipt of a list that is not there; it was ours a moment ago.
        drop(std::fs::remove_file(&target.receipt));
        return Err(failure
            .hint(format!("the audit log holds the release as run {}", receipt.run_id))
            .into());
    }
    Ok(receipt)
}

/// Writes the rows of a released list, all of them.
fn write_list(recipients: &mut Recipients, format: Format, file: &File) -> Result<Written, Refusal> {
    let mut writer = ListWriter::new(format, &recipients.schema(), BufWriter::new(file))?;
    for batch in recipients.by_ref() {
        writer.write(&batch.map_err(Refusal::Engine)?)?;
    }
    let (_, written) = writer.finish()?;
    check_rows(recipients.receipt(), &written)?;
    Ok(written)
}

/// The receipt of a list in a file.
fn receipt_text(file: String, format: Format, written: &Written, receipt: &Receipt) -> Outcome<String> {
    json(&FileReceipt { file, format: format.name(), file_sha256: &written.sha256, receipt })
}

/// What was released and what was written must be the same list.
fn check_rows(receipt: &Receipt, written: &Written) -> Outcome<()> {
    if receipt.released == written.rows {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Integrity,
        format!(
            "{} recipients were released but {} rows read back; no list was written",
            receipt.released, written.rows
        ),
    ))
}

fn consent_age(text: &str) -> Outcome<ConsentAge> {
    let wrong = || Failure::usage("--consent-max-age takes hours (24h), days (7d) or none");
    if text == "none" {
        return Ok(ConsentAge::Unlimited);
    }
    let (number, hours_per_unit) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 24),
        (None, None) => return Err(wrong()),
    };
    let count: u32 = number.parse().map_err(|_| wrong())?;
    count.checked_mul(hours_per_unit).map(ConsentAge::Hours).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ages() {
        assert_eq!(consent_age("24h").unwrap(), ConsentAge::Hours(24));
        assert_eq!(consent_age("7d").unwrap(), ConsentAge::Hours(168));
        assert_eq!(consent_age("none").unwrap(), ConsentAge::Unlimited);
        for wrong in ["24", "h", "-1h", "5w", "", "99999999999d"] {
            assert!(consent_age(wrong).is_err(), "{wrong}");
        }
    }
}
