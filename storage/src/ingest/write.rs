//! The end of an import: waiting rows become files, and all of them one commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::across::HASHES;
use super::spill::PartitionId;
use super::taken::Taken;
use super::{ImportError, ImportReport, Ingest, Progress, Stage, TableReport};
use crate::dataset::ShardInfo;
use crate::error::{Error, Result};

/// Rows of a row group: large enough to scan fast, small enough that statistics prune.
pub(super) const ROWS_PER_GROUP: usize = 1 << 20;

/// Part of the memory budget that the partitions being written share.
const WAVE: u64 = 4;
/// Between two looks whether there is something to help with.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(1);

/// Tables that can forbid to approach a contact.
const SUPPRESSING: [&str; 5] = ["contact", "consent", "email_bounce", "email_complaint", "email_unsubscribe"];

/// Partitions that are being written while their reader goes on.
pub(crate) struct Writing<'s, 'scope> {
    ingest: &'scope Ingest,
    scope: &'s rayon::Scope<'scope>,
    /// Bytes of partitions that were started and are not written.
    backlog: &'scope AtomicU64,
    failed: &'scope Mutex<Option<Error>>,
}

impl<'scope> Writing<'_, 'scope> {
    /// Writes what waits of a table, in all shards or some; it takes no more rows there. Comes back at once, unless too
    /// much is being written already: then it helps first.
    ///
    /// # Errors
    /// Something that was started before could not be written.
    pub(crate) fn start(&self, table: &str, shards: Option<Vec<u32>>) -> Result<()> {
        let Self { ingest, backlog, failed, .. } = *self;
        for (id, bytes) in ingest.close(table, shards.as_deref())? {
            // As much as a wave of the end may be, or one partition alone.
            let most = (ingest.options.memory_budget / WAVE).saturating_sub(bytes);
            while backlog.load(Ordering::Acquire) > most {
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    std::thread::sleep(PAUSE);
                }
            }
            if let Some(error) = lock(failed).take() {
                return Err(error);
            }
            backlog.fetch_add(bytes, Ordering::AcqRel);
            // Taken out now: from here on it is no part of what waits, and is not sealed any more.
            let taken = ingest.waiting.take(id)?;
            self.scope.spawn(move |_| {
                if let Err(error) = ingest.write_taken(id, taken) {
                    lock(failed).get_or_insert(error);
                }
                backlog.fetch_sub(bytes, Ordering::AcqRel);
            });
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ingest {
    /// Writes what waits, commits it, and closes the audit intent with the report. When there is nothing new, nothing
    /// is written; consent that was read without a refused row still makes a generation, which says when.
    ///
    /// # Errors
    /// More rows were refused than allowed, or something failed; in both cases nothing is stored, the intent is closed
    /// as aborted, and the file of refused rows is written if one was asked for.
    pub fn finish(self) -> Result<ImportReport> {
        let written = self.write_all().and_then(|()| {
            self.settle_across()?;
            self.rejects_file()?;
            self.allowed()?;
            self.balance()
        });
        match written {
            Ok(tables) => self.commit(tables),
            Err(error) => {
                // That the log could not say so is less than what went wrong; the next process closes the run.
                let _ = self.abort(&error.to_string());
                Err(error)
            }
        }
    }

    /// Closes the audit intent as aborted; nothing is stored.
    ///
    /// # Errors
    /// The audit log cannot be written.
    pub fn abort(self, reason: &str) -> Result<()> {
        self.intent.abort(reason)
    }

    /// Runs a reader beside the writing of what it is done with ([`Writing::start`]), and waits for both.
    pub(crate) fn while_writing(
        &self,
        read: impl FnOnce(&Writing<'_, '_>) -> Result<()> + Send,
    ) -> Result<()> {
        let (backlog, failed) = (AtomicU64::new(0), Mutex::new(None));
        let done =
            rayon::scope(|scope| read(&Writing { ingest: self, scope, backlog: &backlog, failed: &failed }));
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(done, Err)
    }

    /// Takes no more rows of a table, in all shards or some, and gives the partitions that wait of it.
    fn close(&self, name: &str, shards: Option<&[u32]>) -> Result<Vec<(PartitionId, u64)>> {
        let (number, table) = self.table(name)?;
        for shard in shards.unwrap_or_default() {
            self.waiting.close(PartitionId { table: number, shard: *shard });
        }
        if shards.is_none() {
            table.closed.store(true, Ordering::Release);
        }
        if self.in_vain() {
            return Ok(Vec::new());
        }
        let mut partitions = self.waiting.partitions(Some(number));
        partitions.retain(|(id, _)| shards.is_none_or(|shards| shards.contains(&id.shard)));
        Ok(partitions)
    }

    fn write_all(&self) -> Result<()> {
        if self.in_vain() {
            self.rejects_file()?;
            return self.allowed();
        }
        let mut partitions = self.waiting.partitions(None);
        partitions.retain(|(id, _)| id.table & HASHES == 0);
        let rows = self.read_total.load(Ordering::Relaxed);
        let before = self.written.load(Ordering::Relaxed);
        self.progress(Progress { stage: Stage::Writing, rows: before, of: Some(rows) });
        self.write_partitions(partitions, |done| {
            self.progress(Progress { stage: Stage::Writing, rows: done, of: Some(rows) });
        })
    }

    /// Too many refused rows already: sorting and writing would be in vain.
    fn in_vain(&self) -> bool {
        self.rejects.total() > self.options.max_rejects
    }

    fn write_partitions(&self, partitions: Vec<(PartitionId, u64)>, done: impl Fn(u64) + Sync) -> Result<()> {
        // A column is put in order while those before it are there in both orders: twice the rows at most.
        for wave in waves(partitions, self.options.memory_budget / WAVE) {
            wave.into_par_iter().try_for_each(|id| {
                self.write_partition(id)?;
                done(self.written.load(Ordering::Relaxed));
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }

    fn write_partition(&self, id: PartitionId) -> Result<()> {
        self.write_taken(id, self.waiting.take(id)?)
    }

    fn write_taken(&self, id: PartitionId, taken: Taken<'_>) -> Result<()> {
        let table = self.tables.get(usize::from(id.table));
        let table = table.ok_or_else(|| Error::Mismatch {
            table: "import".to_owned(),
            what: "rows of no table".to_owned(),
        })?;
        let rows = taken.rows().iter().sum::<usize>() as u64;
        match &table.kind {
            None => self.write_contacts(table, id.shard, &taken)?,
            Some(kind) => self.write_records(table, kind, id.shard, taken)?,
        }
        self.written.fetch_add(rows, Ordering::Relaxed);
        Ok(())
    }

    fn rejects_file(&self) -> Result<()> {
        self.options.rejects_file.as_ref().map_or(Ok(()), |path| self.rejects.write(path))
    }

    fn allowed(&self) -> Result<()> {
        let rejected = self.rejects.total();
        if rejected <= self.options.max_rejects {
            return Ok(());
        }
        Err(ImportError::Rejected {
            rejected,
            allowed: self.options.max_rejects,
            tables: self.rejects.by_table(),
            places: self.rejects.first(),
            rejects_file: self.options.rejects_file.clone(),
        }
        .into())
    }

    /// Reports of the tables with rows; in each of them every row is accounted for.
    fn balance(&self) -> Result<Vec<TableReport>> {
        let mut reports = Vec::new();
        for table in &self.tables {
            let report = TableReport {
                table: table.name.clone(),
                read: table.rows.read.load(Ordering::Relaxed),
                stored: table.rows.stored.load(Ordering::Relaxed),
                updated: table.rows.updated.load(Ordering::Relaxed),
                duplicate: table.rows.duplicate.load(Ordering::Relaxed),
                deleted: table.rows.deleted.load(Ordering::Relaxed),
                rejected: self.rejects.count(&table.name),
            };
            let accounted =
                report.stored + report.updated + report.duplicate + report.deleted + report.rejected;
            if report.read != accounted {
                let (table, read) = (report.table, report.read);
                return Err(ImportError::Unbalanced { table, read, accounted }.into());
            }
            if report.read > 0 {
                reports.push(report);
            }
        }
        Ok(reports)
    }

    fn commit(self, tables: Vec<TableReport>) -> Result<ImportReport> {
        let mut report = ImportReport {
            tables,
            generation: self.base.generation(),
            changed: false,
            left_out_files: Vec::new(),
            rejects: self.rejects.first(),
            spilled_bytes: self.waiting.spilled_bytes(),
            peak_waiting_bytes: self.waiting.peak_bytes(),
        };
        let stored = report.is_news();
        // Consent that was read in full is fresh, also when it said nothing new. A refused row may be a revocation, a
        // death or a complaint: then it is not.
        let whole = |name: &&str| report.table(name).is_none_or(|table| table.rejected == 0);
        let consent_read = report.table("consent").is_some() && SUPPRESSING.iter().all(whole);
        if stored || consent_read {
            let shards = self.map.shards().map(|contacts| ShardInfo { contacts });
            self.transaction.set_shards(shards.collect());
            if consent_read {
                self.transaction.set_consent_imported(self.options.now_micros);
            }
            match self.transaction.commit(&self.intent) {
                Ok(snapshot) => {
                    report.generation = snapshot.generation();
                    report.changed = stored;
                }
                Err(error) => {
                    // The manifest may have its name although an error came after it: then the rows are there, and
                    // the log must not say otherwise.
                    let mine = self.intent.id().to_string();
                    let there = self.dataset.snapshot().ok().filter(|snapshot| snapshot.run() == mine);
                    let _ = match there {
                        Some(snapshot) => {
                            report.generation = snapshot.generation();
                            report.changed = stored;
                            let mut body = serde_json::to_value(&report).unwrap_or_default();
                            if let Some(members) = body.as_object_mut() {
                                members.insert("failed_after_commit".to_owned(), error.to_string().into());
                            }
                            self.intent.complete(body)
                        }
                        None => self.intent.abort(&error.to_string()),
                    };
                    return Err(error);
                }
            }
        }
        let body = serde_json::to_value(&report).unwrap_or_default();
        self.intent.complete(body)?;
        Ok(report)
    }
}

/// Groups partitions so that the rows of a group fit the budget together; the largest first, alone if they must.
fn waves(mut partitions: Vec<(PartitionId, u64)>, budget: u64) -> Vec<Vec<PartitionId>> {
    partitions.sort_by_key(|(id, bytes)| (std::cmp::Reverse(*bytes), *id));
    let mut waves: Vec<(u64, Vec<PartitionId>)> = Vec::new();
    for (id, bytes) in partitions {
        match waves.iter_mut().find(|(used, _)| used.saturating_add(bytes) <= budget) {
            Some((used, wave)) => {
                *used += bytes;
                wave.push(id);
            }
            None => waves.push((bytes, vec![id])),
        }
    }
    waves.into_iter().map(|(_, wave)| wave).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_fit_the_budget_and_lose_nothing() {
        let partitions: Vec<_> =
            (0..20).map(|n| (PartitionId { table: 1, shard: n }, u64::from(n) * 10)).collect();
        let waves = waves(partitions.clone(), 150);
        let bytes = |wave: &Vec<PartitionId>| wave.iter().map(|id| u64::from(id.shard) * 10).sum::<u64>();
        assert!(waves.iter().all(|wave| wave.len() == 1 || bytes(wave) <= 150));
        assert_eq!(waves.iter().map(Vec::len).sum::<usize>(), partitions.len());
    }
}
