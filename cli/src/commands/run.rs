//! `run`: the list of recipients and its receipt.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use hyperseg_engine::{ConsentAge, Engine, Error as EngineError, Guards, Receipt, Request};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::list::{Draft, ListWriter, Written, refuse_existing};
use crate::output::{Format, counted, json};

const EXAMPLE: &str = "\
Examples:
  hyperseg run overdue.seg -d data --out list.csv
  hyperseg run overdue.seg:reminder -d data --out list.ndjson --format ndjson --max 50000
  hyperseg run overdue.seg -d data --dry-run

The list has contact_id, the address of the segment's channel, the fields of `output` and, when the
segment splits its list, `arm`, in the order of contact_id. It appears whole beside its receipt, list.csv.receipt.json, after its audit
record is durable; neither is ever overwritten. Formats: csv (default), ndjson, parquet; the
name's ending decides unless --format is given.

CSV follows RFC 4180. A cell that a spreadsheet would take for a formula (first character = + -
@ tab or carriage return) gets an apostrophe in front, numbers and telephone numbers apart;
ndjson and parquet hold every value as it is.

Exit code 4 when purpose, consent or keys do not allow the list, 6 when --min or --max holds it
back, 7 when it is empty and --fail-empty is given; in each case nothing is released.";

/// Release the list of recipients, with consent and suppression applied and an audit record.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Run {
    /// Segment file, FILE:segment for one of several; `-` is standard input.
    #[arg(value_name = "FILE[:SEGMENT]")]
    segment: String,
    /// New file for the list.
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
        let target = self.out.as_deref().map(|path| Target::new(path, context)).transpose()?;
        let (engine, request) = context.request(&self.segment, age)?;
        match target {
            Some(target) if !self.dry_run => self.release(context, &engine, &request, &target),
            Some(_) | None => self.rehearse(context, &engine, &request),
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
        let below = self.min.filter(|&min| recipients < min).map(|min| format!("at least {min}"));
        let above = self.max.filter(|&max| recipients > max).map(|max| format!("at most {max}"));
        match below.or(above) {
            Some(bound) => Err(Failure::new(
                Exit::Guard,
                format!("{recipients} recipients, but the guard allows {bound}; a run would release nothing"),
            )),
            None => Ok(Exit::Done),
        }
    }

    fn release(
        &self,
        context: &Context,
        engine: &Engine,
        request: &Request,
        target: &Target,
    ) -> Outcome<Exit> {
        // An empty list under --fail-empty is held back before its release, like one below --min.
        let least = if self.fail_empty { Some(self.min.unwrap_or(0).max(1)) } else { self.min };
        let guards = Guards { recipients_min: least, recipients_max: self.max };
        let released = release(context, engine, request, guards, target);
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
    fn new(list: &Path, context: &Context) -> Outcome<Self> {
        if list == Path::new("-") {
            return Err(Failure::usage(
                "a list is not written to standard output: it belongs beside its receipt",
            )
            .hint("give --out FILE, e.g. --out list.csv"));
        }
        let format = match context.globals.format {
            Some(format @ (Format::Csv | Format::Ndjson | Format::Parquet)) => format,
            Some(other @ (Format::Table | Format::Json | Format::Sarif)) => {
                return Err(Failure::usage(format!(
                    "a list cannot be written as {}; --format takes csv, ndjson or parquet",
                    other.name()
                )));
            }
            None => match list.extension().and_then(|ending| ending.to_str()) {
                Some("ndjson" | "jsonl") => Format::Ndjson,
                Some("parquet") => Format::Parquet,
                Some(_) | None => Format::Csv,
            },
        };
        Self::named(list, format)
    }

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
    let mut writer = ListWriter::new(target.format, &recipients.schema(), BufWriter::new(list.file()))?;
    for batch in recipients.by_ref() {
        writer.write(&batch.map_err(Refusal::Engine)?)?;
    }
    let (_, written) = writer.finish()?;
    let receipt = recipients.receipt().clone();
    check_rows(&receipt, &written)?;
    let file = target.list.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let document =
        FileReceipt { file, format: target.format.name(), file_sha256: &written.sha256, receipt: &receipt };
    receipt_file
        .file()
        .write_all(json(&document)?.as_bytes())
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
