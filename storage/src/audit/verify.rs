//! What can be proven of a log, its anchor and its lists.
//!
//! In: the dataset's `audit` directory and the anchor. Out: a [`Verification`] whose grade is the worst of what was
//! found. It reads only; nothing is repaired, and a log that no longer opens for writing can still be verified.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::{Entry, EntryKind, SealedFile};
use super::frame::Tail;
use super::intent::release_record;
use super::log::{Log, Reading};
use super::runs::{RunState, list_name, members_name, note_run, run_of_list};
use super::{AuditError, RunId, spool};
use crate::error::{Error, Result};

/// What was proven, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Every record and list, and the anchor stands at the end of the log.
    Ok,
    /// As `Ok`, and a crash once cut a record short, or has just now.
    TornTailRecovered,
    /// Records behind the anchor rely on the local key alone: a process died between writing and anchoring.
    Unanchored,
    /// Something needed for a proof is not there.
    CannotVerify,
    /// Records that the anchor has seen are gone.
    Truncated,
    /// A record, the anchor or a list is not what was written.
    Tampered,
}

impl Grade {
    /// Whether the log must not be relied on.
    #[must_use]
    pub const fn is_wrong(self) -> bool {
        match self {
            Self::Ok | Self::TornTailRecovered | Self::Unanchored => false,
            Self::CannotVerify | Self::Truncated | Self::Tampered => true,
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What it is, in one sentence.
    pub what: String,
}

/// What was proven of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The worst of what was found.
    pub grade: Grade,
    /// Records whose chain and seal hold, from the first on.
    pub records: u64,
    /// How many of them the anchor vouches for; none without an anchor.
    pub anchored: Option<u64>,
    /// Highest generation of the dataset that the anchor has seen.
    pub generation: Option<u64>,
    /// Released lists whose sealed files are what their records say.
    pub lists: u64,
    /// Runs without an end: at work now, or left by a crash and closed at the next writing.
    pub open_runs: u64,
    /// Repairs that the log tells of.
    pub recoveries: u64,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// One sentence on what is proven.
    #[must_use]
    pub fn summary(&self) -> String {
        let records = self.records;
        let (all, lists) = (counted(records, "record"), counted(self.lists, "list"));
        match self.anchored {
            Some(anchored) if anchored >= records => {
                format!("{all} verified, all of them anchored; {lists} verified")
            }
            Some(anchored) => format!(
                "{all} verified; {anchored} anchored, {}; {lists} verified",
                match records - anchored {
                    1 => "1 later one relies on the local key".to_owned(),
                    later => format!("{later} later ones rely on the local key"),
                }
            ),
            None => format!("{all} verified, none anchored; {lists} verified"),
        }
    }

    fn find(&mut self, grade: Grade, what: impl Into<String>) {
        self.grade = self.grade.max(grade);
        self.findings.push(Finding { grade, what: what.into() });
    }
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub(super) fn verify(log: &Log) -> Result<Verification> {
    let mut report = Verification {
        grade: Grade::Ok,
        records: 0,
        anchored: None,
        generation: None,
        lists: 0,
        open_runs: 0,
        recoveries: 0,
        findings: Vec::new(),
    };
    match log.read() {
        Ok(reading) => {
            report.records = reading.entries.len() as u64;
            check_end(&mut report, &reading);
            check_runs(&mut report, log, &reading)?;
        }
        Err(Error::Audit(AuditError::LogMissing)) => match log.anchor() {
            Ok(anchor) => {
                report
                    .find(Grade::Truncated, format!("the log is missing; it had {} records", anchor.records));
            }
            Err(_) => report.find(Grade::CannotVerify, "neither the log nor its anchor is there"),
        },
        Err(Error::Audit(error @ AuditError::Tampered { .. })) => {
            report.find(Grade::Tampered, error.to_string())
        }
        Err(error) => return Err(error),
    }
    Ok(report)
}

/// Tail of the log against the anchor.
fn check_end(report: &mut Verification, reading: &Reading) {
    let records = report.records;
    let seen = match &reading.anchor {
        Ok(anchor) => {
            report.anchored = Some(anchor.records.min(records));
            report.generation = Some(anchor.generation);
            anchor.records
        }
        Err(error @ Error::Audit(AuditError::AnchorDamaged { .. })) => {
            report.find(Grade::Tampered, error.to_string());
            0
        }
        Err(error) => {
            report.find(Grade::CannotVerify, error.to_string());
            0
        }
    };
    let lost = records < seen;
    if reading.anchor_fits == Some(false) {
        let what = format!("record {} is not the one that the anchor has seen", seen.saturating_sub(1));
        report.find(Grade::Tampered, what);
    }
    match reading.tail {
        Tail::Broken { what, last } if lost || !last => {
            report.find(Grade::Tampered, format!("record {records}: {what}"));
        }
        Tail::Whole | Tail::Torn if lost => {
            report.find(
                Grade::Truncated,
                format!("the anchor has seen {seen} records, the log holds {records}"),
            );
        }
        Tail::Torn | Tail::Broken { .. } => {
            let what = "the last record was not written to its end; it is cut off at the next writing";
            report.find(Grade::TornTailRecovered, what);
        }
        Tail::Whole => {}
    }
    if reading.anchor.is_ok() && records > seen {
        let what = match records - seen {
            1 => "1 record behind the anchor relies on the local key".to_owned(),
            later => format!("{later} records behind the anchor rely on the local key"),
        };
        report.find(Grade::Unanchored, what);
    }
}

/// Every release has its list, every list its release.
fn check_runs(report: &mut Verification, log: &Log, reading: &Reading) -> Result<()> {
    let mut runs: BTreeMap<RunId, RunState> = BTreeMap::new();
    for entry in &reading.entries {
        note_run(&mut runs, entry.run, entry.kind, &entry.action);
        match entry.kind {
            EntryKind::Release => check_release(report, log, entry)?,
            EntryKind::Recovered => {
                report.recoveries += 1;
                let what = format!("record {} tells of a repair after a crash", entry.seq);
                report.find(Grade::TornTailRecovered, what);
            }
            EntryKind::Intent | EntryKind::Complete | EntryKind::Aborted => {}
        }
    }
    report.open_runs = runs.values().filter(|state| matches!(state, RunState::Open { .. })).count() as u64;
    for name in &reading.lists {
        match run_of_list(name).and_then(|run| runs.get(&run)) {
            // An open run's list is at work or left by a crash; an ended run's is removed at the next writing.
            Some(RunState::Open { .. } | RunState::Released | RunState::Ended) => {}
            None => report.find(Grade::Tampered, format!("audit/lists/{name}: no record tells of this list")),
        }
    }
    Ok(())
}

fn check_release(report: &mut Verification, log: &Log, entry: &Entry) -> Result<()> {
    let (Some(run), Ok(record)) = (entry.run, release_record(entry)) else {
        report.find(Grade::Tampered, format!("record {} has a form not known here", entry.seq));
        return Ok(());
    };
    let mut whole = check_file(report, log, &list_name(&run), &record.list)?;
    if let Some(members) = &record.members {
        whole &= check_file(report, log, &members_name(&run), members)?;
    }
    report.lists += u64::from(whole);
    Ok(())
}

fn check_file(report: &mut Verification, log: &Log, name: &str, expected: &SealedFile) -> Result<bool> {
    let found = spool::measure(log, name)?;
    let what = match found {
        Some(found) if found == *expected => return Ok(true),
        Some(_) => "the file is not the one that was recorded",
        None => "the file is missing",
    };
    report.find(Grade::Tampered, format!("{name}: {what}"));
    Ok(false)
}
