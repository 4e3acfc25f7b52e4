//! What a dataset holds, how fresh it is, and what somebody has left unfinished.
//!
//! In: a dataset. Out: figures from the newest manifest, the names of files, the log and the slots of the keyring. No
//! data key is unwrapped for it, so it leaves no audit record.

use std::collections::BTreeMap;

use hyperseg_dsl::schema::Class;
use serde::Serialize;

use crate::audit::{Grade, Verification};
use crate::dataset::{Dataset, DatasetId, DocumentKind, leftovers, manifest};
use crate::error::Result;
use crate::keyring::{Keyring, SlotInfo};

/// What a dataset holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Identity.
    pub dataset: DatasetId,
    /// Newest generation.
    pub generation: u64,
    /// When it was committed, in microseconds since the epoch.
    pub created_micros: i64,
    /// Oldest generation that is kept.
    pub oldest: u64,
    /// Contacts.
    pub contacts: u64,
    /// Shards of contacts.
    pub shards: u64,
    /// Data files of the generation.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// By table, in the order of their names.
    pub tables: Vec<TableStatus>,
    /// By sensitivity class.
    pub classes: Vec<ClassStatus>,
    /// Sealed documents, by kind and name.
    pub documents: Vec<DocumentStatus>,
    /// When consent was last imported, in microseconds since the epoch.
    pub consent_imported_micros: Option<i64>,
    /// How long ago that was.
    pub consent_age_seconds: Option<i64>,
    /// What is proven of the audit log.
    pub log: LogStatus,
    /// Ways to open the keyring.
    pub slots: Vec<SlotInfo>,
    /// What is at work or was left.
    pub unfinished: Unfinished,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableStatus {
    /// `contact`, or the name of a record kind.
    pub table: String,
    /// Contacts or records.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// One sensitivity class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassStatus {
    /// Class.
    pub class: Class,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// One sealed document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DocumentStatus {
    /// What it holds.
    pub kind: DocumentKind,
    /// What it is called among its kind.
    pub name: String,
    /// Bytes of its contents.
    pub bytes: u64,
    /// Generation that wrote it.
    pub generation: u64,
}

/// The audit log in short; `audit verify` has it all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogStatus {
    /// What is proven.
    pub grade: Grade,
    /// The same in a sentence.
    pub summary: String,
    /// Records.
    pub records: u64,
    /// Released lists.
    pub lists: u64,
}

/// What is at work, or was left by a process that died. The next writer and the next record clean up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// Somebody writes now.
    pub writer_at_work: bool,
    /// Runs without an end in the log.
    pub open_runs: u64,
    /// Half-written files.
    pub temporary_files: u64,
    /// Data files, parts of manifests and documents that no generation names.
    pub unnamed_files: u64,
}

impl Dataset {
    /// Figures of the newest generation, and what is unfinished.
    ///
    /// # Errors
    /// The newest manifest does not open, the dataset was rolled back, or a directory cannot be read.
    pub fn status(&self, now_micros: i64) -> Result<Status> {
        let snapshot = self.snapshot()?;
        let verification = self.audit()?.verify()?;
        let imported = snapshot.consent_imported_micros();
        let leftovers = leftovers::all(self, &snapshot)?;
        let (mut tables, mut classes) = (BTreeMap::new(), BTreeMap::new());
        let files = snapshot.files()?;
        for file in &files {
            let (files, bytes): &mut (u64, u64) = tables.entry(file.table.name()).or_default();
            (*files, *bytes) = (*files + 1, *bytes + file.bytes);
            let (files, bytes): &mut (u64, u64) = classes.entry(file.class).or_default();
            (*files, *bytes) = (*files + 1, *bytes + file.bytes);
        }
        let rows = |table: &str| match table {
            "contact" => snapshot.contacts(),
            "contact history" => snapshot.changes(),
            kind => snapshot.records(kind),
        };
        let table = |(table, (files, bytes)): (&str, _)| TableStatus {
            table: table.to_owned(),
            rows: rows(table),
            files,
            bytes,
        };
        let generations = manifest::generations(self.store())?;
        Ok(Status {
            dataset: *self.id(),
            generation: snapshot.generation(),
            created_micros: snapshot.created_micros(),
            oldest: generations.first().copied().unwrap_or_default(),
            contacts: snapshot.contacts(),
            shards: snapshot.shards().len() as u64,
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            tables: tables.into_iter().map(table).collect(),
            classes: classes
                .into_iter()
                .map(|(class, (files, bytes))| ClassStatus { class, files, bytes })
                .collect(),
            documents: snapshot
                .documents()
                .iter()
                .map(|entry| DocumentStatus {
                    kind: entry.kind,
                    name: entry.name.clone(),
                    bytes: entry.contents_bytes(),
                    generation: entry.generation,
                })
                .collect(),
            consent_imported_micros: imported,
            consent_age_seconds: imported.map(|imported| now_micros.saturating_sub(imported) / 1_000_000),
            slots: Keyring::slots(self.keyring().path())?,
            unfinished: Unfinished {
                writer_at_work: leftovers::is_locked(self)?,
                open_runs: verification.open_runs,
                temporary_files: leftovers.iter().filter(|left| left.is_temporary()).count() as u64,
                unnamed_files: leftovers.iter().filter(|left| !left.is_temporary()).count() as u64,
            },
            log: LogStatus::of(&verification),
        })
    }
}

impl LogStatus {
    fn of(verification: &Verification) -> Self {
        Self {
            grade: verification.grade,
            summary: verification.summary(),
            records: verification.records,
            lists: verification.lists,
        }
    }
}
