//! Which runs are at work, which have ended, and what the dead have left.
//!
//! A run's process holds a lock on `audit/runs/<run>.lock`, which the system gives back when the process goes, however
//! it goes. So a run whose lock can be taken is dead, and one whose lock is held is not, on this host and on others
//! that share the directory with working locks.

use std::collections::BTreeMap;

use serde_json::json;

use super::append::Locked;
use super::log::{LISTS, Log, RUNS};
use super::{EntryKind, RunId};
use crate::error::Result;
use crate::store::Guard;

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RunState {
    /// Intent without an end.
    Open {
        /// Its verb.
        action: String,
    },
    /// It has released a list.
    Released,
    /// It has ended without one.
    Ended,
}

impl Log {
    /// Whether the process of a run is still there.
    pub(super) fn is_alive(&self, run: &RunId) -> Result<bool> {
        self.store().is_claimed(&mark_name(run))
    }

    /// How many records there were at least before the intent of a run whose mark is there and whose process is not.
    pub(super) fn intent_of_dead(&self, mark: &str) -> Result<Option<u64>> {
        let Some(run) = run_of(mark, "lock") else { return Ok(None) };
        if self.is_alive(&run)? {
            return Ok(None);
        }
        // A mark that says nothing of it can be of any time.
        let note = self.store().note_of(&mark_name(&run))?;
        Ok(Some(note.and_then(|note| note.parse().ok()).unwrap_or(0)))
    }

    /// Marks a run, whose intent comes after so many records, as alive for as long as the guard lives.
    pub(super) fn claim_run(&self, run: &RunId, records: u64) -> Result<Box<dyn Guard>> {
        self.store().claim(&mark_name(run), &records.to_string())
    }

    /// Forgets the mark of a run. A mark left behind is removed by the next process.
    pub(super) fn disclaim_run(&self, run: &RunId) {
        let _ = self.store().remove(&mark_name(run));
    }

    /// Removes what a run without a release has spooled.
    pub(super) fn remove_spool(&self, run: &RunId) -> Result<()> {
        for name in [list_name(run), members_name(run)] {
            self.store().remove(&name)?;
        }
        Ok(())
    }
}

impl Locked<'_> {
    /// Closes the runs whose process is gone, and removes what they and their like have left.
    pub(super) fn close_runs(&mut self, mut runs: BTreeMap<RunId, RunState>) -> Result<()> {
        for (run, state) in &mut runs {
            if let RunState::Open { action } = state
                && !self.log.is_alive(run)?
            {
                let body = json!({ "reason": "the process of the run is gone" });
                self.append(Some(*run), EntryKind::Aborted, action, body)?;
                *state = RunState::Ended;
            }
        }
        for name in self.log.names(RUNS)? {
            if let Some(run) = run_of(&name, "lock")
                && !self.log.is_alive(&run)?
            {
                self.log.disclaim_run(&run);
            }
        }
        for name in self.log.names(LISTS)? {
            // A list without any intent is left for `verify` to find.
            if let Some(run) = run_of_list(&name)
                && runs.get(&run) == Some(&RunState::Ended)
            {
                self.log.remove_spool(&run)?;
            }
        }
        Ok(())
    }
}

/// Follows the state of runs from record to record: what one says of its run.
pub(super) fn note_run(
    runs: &mut BTreeMap<RunId, RunState>,
    run: Option<RunId>,
    kind: EntryKind,
    action: &str,
) {
    let Some(run) = run else { return };
    match kind {
        EntryKind::Intent => {
            runs.insert(run, RunState::Open { action: action.to_owned() });
        }
        EntryKind::Release => {
            runs.insert(run, RunState::Released);
        }
        EntryKind::Complete | EntryKind::Aborted => {
            // What is released stays released, whatever a crash made of the run afterwards.
            if runs.get(&run) != Some(&RunState::Released) {
                runs.insert(run, RunState::Ended);
            }
        }
        EntryKind::Recovered => {}
    }
}

/// Name of the mark that a run is alive.
fn mark_name(run: &RunId) -> String {
    format!("{RUNS}/{run}.lock")
}

/// Name of a run's sealed list.
pub(super) fn list_name(run: &RunId) -> String {
    format!("{LISTS}/{run}.list")
}

/// Name of the sealed bitmap of who was on it.
pub(super) fn members_name(run: &RunId) -> String {
    format!("{LISTS}/{run}.members")
}

/// The run that a name in the directory of lists belongs to.
pub(super) fn run_of_list(name: &str) -> Option<RunId> {
    run_of(name, "list").or_else(|| run_of(name, "members"))
}

fn run_of(name: &str, extension: &str) -> Option<RunId> {
    let (stem, found) = name.split_once('.')?;
    if found == extension { stem.parse().ok() } else { None }
}
