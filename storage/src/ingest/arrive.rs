//! Rows that arrive: each gets its place, or is refused, and waits for its table to be written.
//!
//! In: batches in the storage encoding, with the origin of every row. Out: waiting batches per table and shard. What is
//! told here row by row: a contact is new or says what it said; a record lacks its contact or its time. What is different
//! about a contact, and whether a record is new, is found out when the partition is written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Int64Array, StringArray, UInt32Array,
    UInt64Array,
};
use arrow::buffer::Buffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, UInt64Type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::contacts::{Offered, Place, sort_keys};
use super::reject::{Origin, Reason};
use super::spill::{Batch, PartitionId};
use super::table::Table;
use super::texts::Texts;
use super::{CONTACTS, ImportError, Ingest};
use crate::error::{Error, Result};
use crate::layout::{AT, RECORD_HASH_BYTES};
use crate::rows::{CONTACT_ID, Rows};

const WRITTEN: &str = "rows came after those of their table and shard were written";

impl Ingest {
    pub(crate) fn contact_rows(&mut self, rows: Rows) -> Result<()> {
        let table = self
            .tables
            .first()
            .ok_or_else(|| ImportError::UnknownKind { kind: CONTACTS.to_owned(), suggestion: None })?;
        let Rows { batch, origins } = rows;
        let columns = self.open(table, &batch)?;
        let Some(ids) = columns.first().and_then(Option::as_ref) else {
            return self.refuse_all(CONTACTS, &origins, Reason::MissingContactId);
        };
        let ids: &StringArray = ids.as_string_opt().ok_or_else(|| table.misfit("no contact_id"))?;
        let said: Vec<&str> =
            table.present(&columns).filter(|name| !self.contacts_said.contains(*name)).collect();
        self.contacts_said.extend(said.into_iter().map(str::to_owned));
        let contents = self.hasher.rows(&batch, &[]);
        let (mut keep, mut places, mut hashes) = (Vec::with_capacity(ids.len()), Vec::new(), Vec::new());
        let keys = sort_keys(&batch);
        for (row, ((id, [content, _]), key)) in (0_u32..).zip(ids.iter().zip(&contents).zip(keys)) {
            let origin = Origin(origins.values().get(row as usize).copied().unwrap_or_default());
            let Some(id) = id else {
                self.rejects.push(CONTACTS, origin, None, Reason::MissingContactId)?;
                continue;
            };
            let limit =
                || Error::Limit { what: "contacts of a dataset".to_owned(), max: u64::from(u32::MAX) };
            let offered = self.map.offer(self.hasher.identity(id.as_bytes()), *content as i64, key);
            match offered.ok_or_else(limit)? {
                Offered::Same => {
                    table.rows.duplicate.fetch_add(1, Ordering::Relaxed);
                }
                Offered::New(place) | Offered::Changed(place) => {
                    self.ranges.add(place.shard, id.as_bytes());
                    keep.push(row);
                    places.push(place);
                    hashes.push(*content as i64);
                }
            }
        }
        let hashes: ArrayRef = Arc::new(Int64Array::from(hashes));
        let whole = keep.len() == ids.len();
        for (shard, picked) in by_shard(&places) {
            let rows =
                UInt32Array::from_iter_values(picked.iter().filter_map(|place| keep.get(*place)).copied());
            let ordinals = picked.iter().filter_map(|place| places.get(*place)).map(|place| place.ordinal);
            let ordinals: ArrayRef = Arc::new(UInt32Array::from_iter_values(ordinals));
            let all = whole && picked.len() == ids.len();
            let mut part = vec![Some(ordinals)];
            part.extend(if all { columns.clone() } else { pick(table, &columns, &rows)? });
            let picked = UInt32Array::from_iter_values(picked.iter().map(|place| *place as u32));
            part.extend(pick(table, &[Some(Arc::clone(&hashes))], &picked)?);
            let batch = Batch { rows: rows.len(), first_origin: None, columns: part };
            if !self.waiting.push(PartitionId { table: 0, shard }, batch, &self.dataset.store().scratch())? {
                return Err(table.misfit(WRITTEN));
            }
        }
        Ok(())
    }

    pub(crate) fn record_rows(&self, kind: &str, rows: Rows) -> Result<()> {
        let (number, table) = self.table(kind)?;
        if table.kind.is_none() {
            return Err(ImportError::UnknownKind { kind: kind.to_owned(), suggestion: None }.into());
        }
        let Rows { batch, origins } = rows;
        let mut columns = self.open(table, &batch)?;
        // Incoming columns end with it, waiting ones too, but there the hash and origin stand before it.
        let deleted = columns.pop().flatten();
        let (keep, places) = self.places(table, &columns, deleted.as_ref(), &origins)?;
        if keep.is_empty() {
            return Ok(());
        }
        let ordinals: Vec<u32> = places.iter().map(|place| place.ordinal).collect();
        let (hashes, named) = self.finders(table, &columns, &keep, &ordinals)?;
        let whole = keep.len() == batch.num_rows();
        let kept = |columns: Vec<Option<ArrayRef>>| {
            if whole { Ok(columns) } else { pick(table, &columns, &UInt32Array::from(keep.clone())) }
        };
        let deleted = kept(vec![deleted])?.pop().flatten();
        let mut rows = kept(columns)?;
        if let Some(at) = rows.get_mut(table.place(AT)?)
            && at.is_none()
        {
            // Rows that all delete need no time.
            *at = Some(Arc::new(Int64Array::from(vec![0; keep.len()])));
        }
        // Records hold the contact's ordinal instead of its id, then their hash and origin.
        if let Some(id) = rows.first_mut() {
            *id = Some(Arc::new(UInt32Array::from(ordinals)));
        }
        rows.push(Some(short_hashes(&hashes)?));
        let origins: Vec<u64> =
            keep.iter().filter_map(|row| origins.values().get(*row as usize)).copied().collect();
        rows.push(deleted);
        rows.push(named);
        let push = |shard, mut rows: Vec<Option<ArrayRef>>, origins: Vec<u64>| {
            let length = origins.len();
            let (first_origin, origins) = in_a_row(origins);
            let named = rows.pop().flatten();
            rows.insert(rows.len().saturating_sub(1), origins);
            let batch = Batch { rows: length, first_origin, columns: rows };
            self.note_hashes(number, shard, &batch, named)?;
            let id = PartitionId { table: number, shard };
            if self.waiting.push(id, batch, &self.dataset.store().scratch())? {
                Ok(())
            } else {
                Err(table.misfit(WRITTEN))
            }
        };
        match places.first() {
            Some(first) if places.iter().all(|place| place.shard == first.shard) => {
                push(first.shard, rows, origins)
            }
            _ => by_shard(&places).into_iter().try_for_each(|(shard, picked)| {
                let numbers = UInt32Array::from_iter_values(picked.iter().map(|place| *place as u32));
                let origins = picked.iter().filter_map(|place| origins.get(*place)).copied().collect();
                push(shard, pick(table, &rows, &numbers)?, origins)
            }),
        }
    }

    /// The columns of a batch, after its rows were counted.
    fn open(&self, table: &Table, batch: &RecordBatch) -> Result<Vec<Option<ArrayRef>>> {
        if table.closed.load(Ordering::Acquire) {
            return Err(table.misfit(WRITTEN));
        }
        let columns = table.fit(batch)?;
        self.count_read(table, batch.num_rows() as u64);
        Ok(columns)
    }

    fn refuse_all(&self, table: &str, origins: &UInt64Array, reason: Reason) -> Result<()> {
        origins.values().iter().try_for_each(|origin| self.rejects.push(table, Origin(*origin), None, reason))
    }

    /// The rows that stay, and the places of their contacts; the others are refused.
    fn places(
        &self,
        table: &Table,
        columns: &[Option<ArrayRef>],
        deleted: Option<&ArrayRef>,
        origins: &UInt64Array,
    ) -> Result<(Vec<u32>, Vec<Place>)> {
        let ids = Texts::of(columns.first().and_then(Option::as_ref));
        let ids = ids.ok_or_else(|| table.misfit("no contact_id"))?;
        let found = ids.map(origins.len(), |id| match id {
            None => Err(Reason::MissingContactId),
            Some(id) => self.map.find(self.hasher.identity(id.as_bytes())).ok_or(Reason::UnknownContact),
        });
        let times = columns.get(table.place(AT)?).and_then(Option::as_ref);
        let no_time = |row| times.is_none_or(|times| times.is_null(row));
        let all_times = times.is_some_and(|times| times.null_count() == 0);
        let deletes = deleted.map(|deleted| deleted.as_boolean_opt().ok_or_else(|| table.misfit("no flags")));
        let deletes = deletes.transpose()?;
        let deletes = |row| deletes.is_some_and(|deletes| deletes.is_valid(row) && deletes.value(row));
        let (mut keep, mut places) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
        for (row, (found, origin)) in found.into_iter().zip(origins.values()).enumerate() {
            let reason = match found {
                Err(Reason::MissingContactId) => Reason::MissingContactId,
                _ if !all_times && no_time(row) && !deletes(row) => Reason::MissingAt,
                Err(reason) => reason,
                Ok(place) => {
                    keep.push(row as u32);
                    places.push(place);
                    continue;
                }
            };
            self.rejects.push(&table.name, Origin(*origin), None, reason)?;
        }
        Ok((keep, places))
    }

    /// Numbers by which the kept rows are found: of source and record id, or of the whole row and its contact. And which
    /// of them have a record id, unless all have.
    fn finders(
        &self,
        table: &Table,
        columns: &[Option<ArrayRef>],
        keep: &[u32],
        ordinals: &[u32],
    ) -> Result<(Vec<u64>, Option<ArrayRef>)> {
        let texts = |name| {
            Texts::of(columns.get(table.place(name)?).and_then(Option::as_ref))
                .ok_or_else(|| table.misfit("a text is none"))
        };
        let (ids, sources) = (texts("record_id")?, texts("source")?);
        let rows = columns.iter().flatten().map(|column| column.len()).next().unwrap_or_default();
        let sources = sources.map(rows, |source| self.hasher.source(source));
        let mut named = Vec::with_capacity(keep.len());
        let mut hashes = Vec::with_capacity(keep.len());
        for row in keep.iter().map(|row| *row as usize) {
            let source = sources.get(row).copied().unwrap_or_default();
            let id = ids.get(row);
            named.push(id.is_some());
            hashes.push(id.map_or(0, |id| self.hasher.record(source, id.as_bytes())));
        }
        let without_id = named.contains(&false);
        if without_id {
            let folds = self.hasher.rows(&plain(table, columns)?, &[CONTACT_ID]);
            for ((hash, row), ordinal) in hashes.iter_mut().zip(keep).zip(ordinals) {
                if ids.get(*row as usize).is_none() {
                    let fold = folds.get(*row as usize).copied().unwrap_or_default();
                    *hash = self.hasher.row(fold, *ordinal);
                }
            }
        }
        let named = without_id.then(|| Arc::new(BooleanArray::from(named)) as ArrayRef);
        Ok((hashes, named))
    }
}

/// The columns as a batch in which no text is a dictionary.
fn plain(table: &Table, columns: &[Option<ArrayRef>]) -> Result<RecordBatch> {
    let misfit = || table.misfit("a column has not the type of the layout");
    let rows = columns.iter().flatten().map(|column| column.len()).next().unwrap_or_default();
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (field, column) in table.waiting.fields().iter().zip(columns) {
        let Some(column) = column else { continue };
        let column = match column.data_type() {
            DataType::Dictionary(..) => cast(column, field.data_type()).map_err(|_| misfit())?,
            _ => Arc::clone(column),
        };
        // The first waiting column is the ordinal; of what arrives it is the contact id.
        let name = if arrays.is_empty() && fields.is_empty() && field.name() == crate::layout::ORDINAL {
            CONTACT_ID
        } else {
            field.name()
        };
        fields.push(arrow::datatypes::Field::new(name, column.data_type().clone(), true));
        arrays.push(column);
    }
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, arrays, &options).map_err(|_| misfit())
}

fn pick(table: &Table, columns: &[Option<ArrayRef>], rows: &UInt32Array) -> Result<Vec<Option<ArrayRef>>> {
    let misfit = |_| table.misfit("rows cannot be taken");
    let one = |column: &Option<ArrayRef>| {
        column.as_ref().map(|column| take(column, rows, None)).transpose().map_err(misfit)
    };
    columns.iter().map(one).collect()
}

/// The first origin when the others follow it, else all of them.
fn in_a_row(origins: Vec<u64>) -> (Option<u64>, Option<ArrayRef>) {
    match (origins.first(), origins.last()) {
        // Rows come in order, so that there is no gap when the ends fit.
        (Some(first), Some(last)) if last.checked_sub(*first) == Some(origins.len() as u64 - 1) => {
            (Some(*first), None)
        }
        _ => (None, Some(Arc::new(UInt64Array::from(origins)))),
    }
}

/// Origins of the rows of a waiting batch.
pub(super) fn origin(first: Option<u64>, column: Option<&ArrayRef>, row: usize) -> Option<Origin> {
    if let Some(first) = first {
        return Some(Origin(first + row as u64));
    }
    column?.as_primitive_opt::<UInt64Type>()?.values().get(row).copied().map(Origin)
}

fn short_hashes(hashes: &[u64]) -> Result<ArrayRef> {
    let mut bytes = Vec::with_capacity(hashes.len() * RECORD_HASH_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(hash.to_le_bytes().get(..RECORD_HASH_BYTES).unwrap_or_default());
    }
    let array = FixedSizeBinaryArray::try_new(RECORD_HASH_BYTES as i32, Buffer::from_vec(bytes), None);
    let misfit = |_| Error::Mismatch { table: "import".to_owned(), what: "hashes".to_owned() };
    Ok(Arc::new(array.map_err(misfit)?))
}

/// The numbers of a column of hashes.
pub(super) fn long_hashes(array: &ArrayRef) -> Option<Vec<u64>> {
    let array = array.as_fixed_size_binary_opt()?;
    let long = |row| {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(array.value(row)).for_each(|(to, from)| *to = *from);
        u64::from_le_bytes(bytes)
    };
    Some((0..array.len()).map(long).collect())
}

/// Groups places by shard, each group in order.
fn by_shard(places: &[Place]) -> BTreeMap<u32, Vec<usize>> {
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut row = 0;
    for run in places.chunk_by(|a, b| a.shard == b.shard) {
        if let Some(first) = run.first() {
            groups.entry(first.shard).or_default().extend(row..row + run.len());
        }
        row += run.len();
    }
    groups
}
