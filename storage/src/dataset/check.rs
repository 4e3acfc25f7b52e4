//! Looking at every byte of a snapshot.
//!
//! In: a snapshot. Out: a report that names every file that is missing, changed, plaintext or unreadable; one bad file
//! does not hide the next. Digests of files and of the chain of manifests are compared, and every column of every file
//! is opened with its key.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::manifest;
use super::{Dataset, FileEntry, Snapshot};
use crate::audit::Intent;
use crate::crypto::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::scope::KeyScope;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Generation that was checked.
    pub generation: u64,
    /// Generations whose manifests were checked, this one among them.
    pub generations: u64,
    /// Data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// What is wrong, by file.
    pub problems: Vec<Problem>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Name relative to the dataset.
    pub file: String,
    /// The error's message.
    pub message: String,
}

impl Dataset {
    /// Checks the manifests and every file of a snapshot. `progress` is told the length of each file when it is done.
    ///
    /// # Errors
    /// The check itself failed: the operating system refused, or a key is missing. What is wrong with the dataset is
    /// in the report.
    pub fn check(
        &self,
        snapshot: &Arc<Snapshot>,
        intent: &Intent,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<CheckReport> {
        let mut problems = Vec::new();
        let generations = self.check_chain(snapshot, &mut problems)?;
        let found = snapshot
            .files()
            .par_iter()
            .map(|entry| {
                let result = self.check_file(snapshot, intent, entry);
                progress(entry.bytes);
                problem(&entry.file_name(), result)
            })
            .collect::<Result<Vec<_>>>()?;
        problems.extend(found.into_iter().flatten());
        problems.sort();
        let files = snapshot.files();
        Ok(CheckReport {
            generation: snapshot.generation(),
            generations,
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            rows: files.iter().map(|file| file.rows).sum(),
            problems,
        })
    }

    /// Follows the chain of manifests back to the first.
    fn check_chain(&self, snapshot: &Snapshot, problems: &mut Vec<Problem>) -> Result<u64> {
        let mut checked = 1;
        let mut previous = snapshot.manifest().previous;
        let mut generation = snapshot.generation();
        while let Some(expected) = previous {
            generation = generation.saturating_sub(1);
            match self.check_manifest(generation, expected) {
                Ok(next) => previous = next,
                Err(error) => {
                    problems.extend(problem(&manifest::file_name(generation), Err(error))?);
                    return Ok(checked);
                }
            }
            checked += 1;
        }
        if generation != 1 {
            let error =
                Error::corrupt(manifest::file_name(generation), "the manifest before it is not named");
            problems.extend(problem(&manifest::file_name(generation), Err(error))?);
        }
        Ok(checked)
    }

    fn check_manifest(&self, generation: u64, expected: Digest) -> Result<Option<Digest>> {
        let (older, hash) = self.read_manifest(generation)?;
        if hash != expected {
            return Err(Error::corrupt(
                manifest::file_name(generation),
                "it is not the one its successor names",
            ));
        }
        Ok(older.previous)
    }

    fn check_file(&self, snapshot: &Arc<Snapshot>, intent: &Intent, entry: &FileEntry) -> Result<()> {
        let file = self.open_file(entry)?;
        if file.digest()? != entry.sha256.0 {
            return Err(Error::corrupt(file.name(), "its digest is not that of the manifest"));
        }
        let columns: Vec<String> = entry.columns.iter().map(|column| column.top_level().to_owned()).collect();
        let scope = KeyScope::arm(self, snapshot, intent, vec![(entry.id, columns)])?;
        let open = scope.open(self, entry)?;
        if scope.sealed().is_empty() && open.metadata().num_row_groups() > 0 {
            Ok(())
        } else {
            Err(Error::corrupt(file.name(), "a column did not open with its key"))
        }
    }
}

/// What is wrong with the dataset goes into the report; what is wrong with the check stops it.
fn problem(file: &str, result: Result<()>) -> Result<Option<Problem>> {
    match result {
        Ok(()) => Ok(None),
        Err(error) => match (error.kind(), &error) {
            (ErrorKind::Integrity, _) | (_, Error::WrongKey { .. } | Error::Unsupported { .. }) => {
                Ok(Some(Problem { file: file.to_owned(), message: error.to_string() }))
            }
            (ErrorKind::Runtime | ErrorKind::Usage | ErrorKind::Unauthorised, _) => Err(error),
        },
    }
}
