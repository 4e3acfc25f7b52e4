//! Which rows of which files concern the recipients of a shard.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, Int16Array, RecordBatch, UInt32Array};
use hyperseg_dsl::schema::{Purpose, RecordKind};
use hyperseg_storage::file::Bounds;
use hyperseg_storage::layout::ORDINAL;
use hyperseg_storage::scope::OpenFile;

use super::{column, place, unreadable};
use crate::error::Result;

/// The recipients of a shard, or some of them.
pub(super) struct Recipients<'a> {
    /// Ascending.
    pub(super) ordinals: Cow<'a, [u32]>,
    /// By contact of the shard: place among all recipients, for those who matter.
    places: Vec<u32>,
    /// Few matter: their rows are looked for one by one.
    few: bool,
}

const NOBODY: u32 = u32::MAX;

impl<'a> Recipients<'a> {
    pub(super) fn new(ordinals: &'a [u32], contacts: u32) -> Result<Self> {
        let mut places = vec![NOBODY; contacts as usize];
        for (place, &ordinal) in (0..).zip(ordinals) {
            *places.get_mut(ordinal as usize).ok_or_else(unreadable)? = place;
        }
        let few = ordinals.len() <= places.len() / 4;
        Ok(Self { ordinals: Cow::Borrowed(ordinals), places, few })
    }

    /// Rows of recipients among these of a file, or all of these when nearly everybody is one.
    pub(super) fn rows(&self, open: &OpenFile, among: Vec<Range<u64>>) -> Result<Vec<Range<u64>>> {
        if !self.few {
            return Ok(among);
        }
        let mut rows = among.iter().flat_map(Range::clone);
        let mut own: Vec<Range<u64>> = Vec::new();
        for batch in open.read(&[ORDINAL], Some(&among))? {
            let batch = batch?;
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            for ordinal in ordinals.values() {
                let row = rows.next().ok_or_else(unreadable)?;
                if *self.places.get(*ordinal as usize).ok_or_else(unreadable)? != NOBODY {
                    match own.last_mut() {
                        Some(last) if last.end == row => last.end += 1,
                        _ => own.push(row..row + 1),
                    }
                }
            }
        }
        if rows.next().is_some() { Err(unreadable()) } else { Ok(own) }
    }

    /// Calls `take` with row and place for each row of a recipient.
    pub(super) fn each(
        &self,
        batch: &RecordBatch,
        mut take: impl FnMut(usize, u32) -> Result<()>,
    ) -> Result<()> {
        let ordinals: &UInt32Array = column(batch, ORDINAL)?;
        for (row, &ordinal) in ordinals.values().iter().enumerate() {
            let place = *self.places.get(ordinal as usize).ok_or_else(unreadable)?;
            if place != NOBODY {
                take(row, place)?;
            }
        }
        Ok(())
    }
}

/// Rows of recipients, those of each together.
pub(super) struct Gathered<T> {
    /// Place of the recipient and row; sorted.
    rows: Vec<(u32, T)>,
    next: usize,
}

impl<T> Gathered<T> {
    pub(super) fn new(mut rows: Vec<(u32, T)>) -> Self {
        // Files that lie by contact leave nothing to do.
        rows.sort_by_key(|(place, _)| *place);
        Self { rows, next: 0 }
    }

    /// The rows of the recipient at this place; places are asked for in order.
    pub(super) fn of(&mut self, place: u32) -> impl Iterator<Item = &T> {
        let rest = self.rows.get(self.next..).unwrap_or_default();
        let own = rest.iter().take_while(|(other, _)| *other == place).count();
        self.next += own;
        rest.iter().take(own).map(|(_, row)| row)
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.next == self.rows.len()
    }
}

/// Rows of a file that may matter.
pub(super) struct Part {
    pub(super) open: Arc<OpenFile>,
    /// Of those that count.
    pub(super) rows: Vec<Range<u64>>,
}

impl Part {
    /// The rows in blocks that may hold a recipient's records with this category, or none at all, in a field.
    pub(super) fn of(open: Arc<OpenFile>, category: (&str, i64), recipients: &Recipients<'_>) -> Self {
        let rows = open.live(Some(&blocks(&open, category, recipients)));
        Self { open, rows }
    }
}

/// Rows of the blocks that may hold a recipient's records with this category, or none at all, in a field.
fn blocks(open: &OpenFile, (field, category): (&str, i64), recipients: &Recipients<'_>) -> Vec<Range<u64>> {
    let (Some(categories), Some(contacts)) = (open.directory(field), open.directory(ORDINAL)) else {
        return std::iter::once(0..open.rows()).collect();
    };
    let size = u64::from(open.page_rows());
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (number, (categories, contacts)) in (0..).zip(categories.blocks.iter().zip(&contacts.blocks)) {
        let own = match &categories.bounds {
            Bounds::Int { min, max, .. } => (*min..=*max).contains(&category),
            Bounds::Unknown | Bounds::Float { .. } | Bounds::Text { .. } => true,
        };
        let somebody = match &contacts.bounds {
            Bounds::Int { min, max, .. } => {
                let ordinals = recipients.ordinals.as_ref();
                ordinals.partition_point(|ordinal| i64::from(*ordinal) < *min)
                    < ordinals.partition_point(|ordinal| i64::from(*ordinal) <= *max)
            }
            Bounds::Unknown | Bounds::Float { .. } | Bounds::Text { .. } => true,
        };
        if (own || categories.missing > 0) && somebody {
            let rows = number * size..open.rows().min((number + 1) * size);
            match ranges.last_mut() {
                Some(last) if last.end == rows.start => last.end = rows.end,
                _ => ranges.push(rows),
            }
        }
    }
    ranges
}

/// The recipients of whom these rows of some files hold something that is not a grant, for this purpose or for all.
pub(super) fn refused_by(
    kind: &RecordKind,
    files: &[Part],
    recipients: &Recipients<'_>,
    purpose: Purpose,
) -> Result<Recipients<'static>> {
    let grant = place(kind, "decision", "grant")?;
    let own = place(kind, "purpose", purpose.name())?;
    let mut places = vec![NOBODY; recipients.places.len()];
    for Part { open, rows } in files {
        let rows = not_only(open, "decision", grant, rows);
        for batch in open.read(&[ORDINAL, "decision", "purpose"], Some(&rows))? {
            let batch = batch?;
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            let decisions: &Int16Array = column(&batch, "decision")?;
            let purposes: &Int16Array = column(&batch, "purpose")?;
            let is = |column: &Int16Array, row, category| i64::from(column.value(row)) == category;
            recipients.each(&batch, |row, place| {
                let is_grant = decisions.is_valid(row) && is(decisions, row, grant);
                let concerns = purposes.is_null(row) || is(purposes, row, own);
                if !is_grant && concerns {
                    let ordinal = ordinals.value(row) as usize;
                    *places.get_mut(ordinal).ok_or_else(unreadable)? = place;
                }
                Ok(())
            })?;
        }
    }
    let those = (0_u32..).zip(&places).filter(|(_, place)| **place != NOBODY);
    let ordinals = Cow::Owned(those.map(|(ordinal, _)| ordinal).collect());
    Ok(Recipients { ordinals, places, few: true })
}

/// Those of the rows whose blocks hold something else than this category in a field.
fn not_only(open: &OpenFile, field: &str, category: i64, among: &[Range<u64>]) -> Vec<Range<u64>> {
    let size = u64::from(open.page_rows()).max(1);
    let Some(directory) = open.directory(field) else { return among.to_vec() };
    let mut kept: Vec<Range<u64>> = Vec::new();
    for range in among {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min((start / size + 1) * size);
            let block = usize::try_from(start / size).ok().and_then(|place| directory.blocks.get(place));
            let only = block.is_some_and(|block| {
                let bounds = &block.bounds;
                block.missing == 0
                    && matches!(bounds, Bounds::Int { min, max, .. } if (*min, *max) == (category, category))
            });
            if !only {
                match kept.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => kept.push(start..end),
                }
            }
            start = end;
        }
    }
    kept
}

/// Rows of a file that starts with this contact of the shard.
pub(super) fn ranges(ordinals: &[u32], first: u64) -> Vec<Range<u64>> {
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
