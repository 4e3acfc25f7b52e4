//! Consent and suppression once more, recipient by recipient, before anything is released.
//!
//! The plan's gate works on bitmaps; this check reads the same columns again without DataFusion and has the reference
//! semantics judge each recipient. The two share no code. One disagreement, and nothing is released.

use std::ops::Range;

use arrow::array::{Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use hyperseg_dsl::schema::{Channel, Class, Purpose, RecordKind};
use hyperseg_dsl::semantics::{Consent, Facts, Suppression, judge};
use hyperseg_dsl::value::{Day, When, unpack_date, unpack_time};
use hyperseg_storage::file::Bounds;
use hyperseg_storage::layout::ORDINAL;
use hyperseg_storage::scope::OpenFile;
use hyperseg_storage::{Dataset, KeyScope, Snapshot};

use crate::error::{Error, Result};
use crate::request::Request;

/// What the check reads with.
pub(super) struct Recheck<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) snapshot: &'a Snapshot,
    pub(super) scope: &'a KeyScope,
    pub(super) request: &'a Request,
    pub(super) purpose: Purpose,
    pub(super) channel: Channel,
}

/// The recipients of a shard, and where in the shard they are.
struct Recipients<'a> {
    /// Ascending.
    ordinals: &'a [u32],
    facts: Vec<Facts<'a>>,
}

impl<'a> Recipients<'a> {
    fn of(&mut self, ordinal: u32) -> Option<&mut Facts<'a>> {
        self.facts.get_mut(self.ordinals.binary_search(&ordinal).ok()?)
    }
}

impl<'a> Recheck<'a> {
    /// Judges every recipient of a shard; `rows` are the list's rows of that shard, still as stored.
    pub(super) fn shard(&self, shard: u32, rows: &RecordBatch) -> Result<()> {
        let ordinals: &UInt32Array = column(rows, ORDINAL)?;
        let addresses: &StringArray = column(rows, self.channel.address_field())?;
        let facts = (0..rows.num_rows())
            .map(|row| Facts { has_address: addresses.is_valid(row), ..Facts::default() })
            .collect();
        let contacts = self.snapshot.shards().get(shard as usize).map_or(0, |shard| shard.contacts);
        let mut is_recipient = vec![false; contacts as usize];
        for &ordinal in ordinals.values() {
            *is_recipient.get_mut(ordinal as usize).ok_or_else(unreadable)? = true;
        }
        let mut recipients = Recipients { ordinals: ordinals.values(), facts };
        self.dates(shard, &mut recipients)?;
        self.consents(shard, &is_recipient, &mut recipients)?;
        if self.channel == Channel::Email {
            for kind in ["email_bounce", "email_complaint", "email_unsubscribe"] {
                self.suppressions(shard, kind, &is_recipient, &mut recipients)?;
            }
        }
        let blocked = |facts: &&Facts<'_>| {
            let request = self.request;
            judge(facts, Some(self.purpose), Some(self.channel), &request.clock, request.now_micros).is_some()
        };
        let blocked = recipients.facts.iter().filter(blocked).count();
        if blocked > 0 { Err(Error::Recheck { contacts: blocked as u64 }) } else { Ok(()) }
    }

    /// Dates of the recipients. The files of a shard hold its contacts in order, one row each.
    fn dates(&self, shard: u32, recipients: &mut Recipients<'a>) -> Result<()> {
        let names: &[&str] =
            if self.purpose.adults_only() { &["deceased_on", "birth_date"] } else { &["deceased_on"] };
        let mut first = 0_u64;
        let mut done = 0;
        for entry in self.snapshot.contact_files(Class::Demographic, shard) {
            let end = first.saturating_add(entry.rows);
            let here = recipients.ordinals.partition_point(|&ordinal| u64::from(ordinal) < end);
            let rows = ranges(recipients.ordinals.get(done..here).unwrap_or_default(), first);
            for batch in self.scope.read(self.dataset, entry, names, Some(rows))? {
                let batch = batch?;
                for row in 0..batch.num_rows() {
                    let facts = recipients.facts.get_mut(done).ok_or_else(unreadable)?;
                    facts.deceased_on = date(&batch, "deceased_on", row)?;
                    if self.purpose.adults_only() {
                        facts.birth_date = date(&batch, "birth_date", row)?;
                    }
                    done += 1;
                }
            }
            if done != here {
                return Err(unreadable());
            }
            first = end;
        }
        if done == recipients.facts.len() { Ok(()) } else { Err(unreadable()) }
    }

    fn consents(&self, shard: u32, wanted: &[bool], recipients: &mut Recipients<'a>) -> Result<()> {
        let kind = self.kind("consent")?;
        let columns = [ORDINAL, "at", "status", "channel", "purpose", "decision", "scope", "end"];
        let own = place(kind, "channel", self.channel.name())?;
        self.records(shard, kind, &columns, Some(("channel", own)), |batch| {
            let at: &Int64Array = column(batch, "at")?;
            let end: &Int64Array = column(batch, "end")?;
            let scope: &StringArray = column(batch, "scope")?;
            let status = Categories::of(kind, batch, "status")?;
            let channel = Categories::of(kind, batch, "channel")?;
            let purpose = Categories::of(kind, batch, "purpose")?;
            let decision = Categories::of(kind, batch, "decision")?;
            each(batch, wanted, |row, ordinal| {
                let consent = Consent {
                    at: when(at, row)?.ok_or_else(unreadable)?,
                    end: when(end, row)?,
                    status: status.get(row)?,
                    channel: channel.get(row)?,
                    purpose: purpose.get(row)?,
                    decision: decision.get(row)?,
                    // What a scope is limited to does not matter, only whether it is.
                    scope: scope
                        .is_valid(row)
                        .then(|| if scope.value(row) == "all" { "all" } else { "limited" }),
                };
                recipients.of(ordinal).ok_or_else(unreadable)?.consents.push(consent);
                Ok(())
            })
        })
    }

    fn suppressions(
        &self,
        shard: u32,
        kind: &'static str,
        wanted: &[bool],
        recipients: &mut Recipients<'a>,
    ) -> Result<()> {
        let record = self.kind(kind)?;
        let bounces = kind == "email_bounce";
        let columns: &[&str] =
            if bounces { &[ORDINAL, "at", "status", "bounce"] } else { &[ORDINAL, "at", "status"] };
        self.records(shard, record, columns, None, |batch| {
            let at: &Int64Array = column(batch, "at")?;
            let status = Categories::of(record, batch, "status")?;
            let bounce = if bounces { Some(Categories::of(record, batch, "bounce")?) } else { None };
            each(batch, wanted, |row, ordinal| {
                let suppression = Suppression {
                    kind,
                    at: when(at, row)?.ok_or_else(unreadable)?,
                    status: status.get(row)?,
                    bounce: bounce.as_ref().map(|bounce| bounce.get(row)).transpose()?.flatten(),
                };
                recipients.of(ordinal).ok_or_else(unreadable)?.suppressions.push(suppression);
                Ok(())
            })
        })
    }

    fn kind(&self, name: &str) -> Result<&'a RecordKind> {
        self.snapshot.schema().record(name).ok_or_else(unreadable)
    }

    /// Calls `take` with the records of a kind: all, or at least all that have this category, or none at all, in a field.
    fn records(
        &self,
        shard: u32,
        kind: &RecordKind,
        columns: &[&str],
        only: Option<(&str, i64)>,
        mut take: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        for entry in self.snapshot.record_files(&kind.name, shard, &[kind.class]) {
            let open = self.scope.open(self.dataset, entry)?;
            let rows = only.and_then(|(field, place)| blocks(&open, field, place));
            for batch in open.read(columns, rows.as_deref())? {
                take(&batch?)?;
            }
        }
        Ok(())
    }
}

/// Rows of the blocks in which a field may have a category or be missing.
fn blocks(open: &OpenFile, field: &str, place: i64) -> Option<Vec<Range<u64>>> {
    let blocks = &open.directory(field)?.blocks;
    let size = u64::from(open.page_rows());
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (number, block) in (0..).zip(blocks) {
        let possible = match &block.bounds {
            Bounds::Int { min, max, .. } => (*min..=*max).contains(&place),
            Bounds::Unknown | Bounds::Float { .. } | Bounds::Text { .. } => true,
        };
        if possible || block.missing > 0 {
            let rows = number * size..open.rows().min((number + 1) * size);
            match ranges.last_mut() {
                Some(last) if last.end == rows.start => last.end = rows.end,
                _ => ranges.push(rows),
            }
        }
    }
    Some(ranges)
}

/// Number of a category.
fn place(kind: &RecordKind, field: &str, category: &str) -> Result<i64> {
    let categories = &kind.field(field).ok_or_else(unreadable)?.categories;
    let place = categories.iter().position(|known| known == category).ok_or_else(unreadable)?;
    i64::try_from(place).map_err(|_| unreadable())
}

/// Calls `take` with row and ordinal for each row of a recipient.
fn each(batch: &RecordBatch, wanted: &[bool], mut take: impl FnMut(usize, u32) -> Result<()>) -> Result<()> {
    let ordinals: &UInt32Array = column(batch, ORDINAL)?;
    for (row, &ordinal) in ordinals.values().iter().enumerate() {
        if *wanted.get(ordinal as usize).ok_or_else(unreadable)? {
            take(row, ordinal)?;
        }
    }
    Ok(())
}

/// Rows of a file that starts with this contact of the shard.
fn ranges(ordinals: &[u32], first: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for &ordinal in ordinals {
        let row = u64::from(ordinal).saturating_sub(first);
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

/// A column of categories by name.
struct Categories<'a, 'b> {
    places: &'b Int16Array,
    names: &'a [String],
}

impl<'a, 'b> Categories<'a, 'b> {
    fn of(kind: &'a RecordKind, batch: &'b RecordBatch, name: &str) -> Result<Self> {
        let field = kind.field(name).ok_or_else(unreadable)?;
        Ok(Self { places: column(batch, name)?, names: &field.categories })
    }

    fn get(&self, row: usize) -> Result<Option<&'a str>> {
        if self.places.is_null(row) {
            return Ok(None);
        }
        let name = usize::try_from(self.places.value(row)).ok().and_then(|place| self.names.get(place));
        name.map(|name| Some(name.as_str())).ok_or_else(unreadable)
    }
}

fn when(column: &Int64Array, row: usize) -> Result<Option<When>> {
    column.is_valid(row).then(|| unpack_time(column.value(row)).ok_or_else(unreadable)).transpose()
}

fn date(batch: &RecordBatch, name: &str, row: usize) -> Result<Option<Day>> {
    let dates: &Int32Array = column(batch, name)?;
    dates.is_valid(row).then(|| unpack_date(dates.value(row)).ok_or_else(unreadable)).transpose()
}

fn column<'b, A: 'static>(batch: &'b RecordBatch, name: &str) -> Result<&'b A> {
    batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref()).ok_or_else(unreadable)
}

fn unreadable() -> Error {
    Error::Query { doing: "checking consent row by row", kind: "a column of another type" }
}
