//! The records of one kind in one shard, from arrival order to files.
//!
//! In: the waiting rows of a partition, and what the dataset holds of it. Out: one file per sensitivity class,
//! clustered as the kind says, then by time, without duplicates. The order does not depend on the order of arrival.
//!
//! ```text
//! ord code           at   hash            class     ord code           at
//!   7 ICD10CM:F329   30   …               clinical    2 ICD10CM:E119   10
//!   2 ICD10CM:E119   20   …        →                  2 ICD10CM:E119   20
//!   2 ICD10CM:E119   10   …               mental      7 ICD10CM:F329   30
//!   2 ICD10CM:E119   10   … (the same)              (one duplicate)
//! ```

use std::ops::Range;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Int16Type, Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::{Class, Cluster, FieldType, RecordKind, Schema};
use hyperseg_dsl::value::Code;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::Ingest;
use super::across::Claim;
use super::arrive::{long_hashes, origin};
use super::compare::{Digester, Digests};
use super::distinct::{self, Member};
use super::existing::Stored;
use super::fate::{Fate, Known};
use super::gather::{Order, gather};
use super::hash::Hasher;
use super::order::{self, Column, Keys, ROWS_MAX, Sorted};
use super::reject::{Origin, Reason};
use super::table::{ORIGIN, Table};
use super::taken::Taken;
use super::texts::{Coded, MISSING};
use super::write::ROWS_PER_GROUP;
use crate::dataset::{TableId, Transaction};
use crate::error::{Error, Result};
use crate::layout::{self, AT, ORDINAL, RECORD_HASH};
use crate::rows::DELETED;

/// One partition on its way to files.
pub(super) struct Partition<'a> {
    pub(super) schema: &'a Schema,
    pub(super) hasher: &'a Hasher,
    pub(super) transaction: &'a Transaction,
    pub(super) table: &'a Table,
    pub(super) kind: &'a RecordKind,
    pub(super) shard: u32,
    pub(super) taken: Taken<'a>,
}

/// What rows are clustered by.
pub(super) enum Clusters {
    /// Nothing.
    One,
    /// Ranks.
    Numbers(Vec<u32>),
    /// Texts, by their bytes.
    Texts(Coded),
}

impl Ingest {
    pub(super) fn write_records(
        &self,
        table: &Table,
        kind: &RecordKind,
        shard: u32,
        taken: Taken<'_>,
    ) -> Result<()> {
        let (schema, hasher, transaction) = (self.base.schema(), &self.hasher, &self.transaction);
        Partition { schema, hasher, transaction, table, kind, shard, taken }.write(self)
    }
}

impl Partition<'_> {
    fn write(self, ingest: &Ingest) -> Result<()> {
        self.check_rows()?;
        let hashes = self.hashes()?;
        let gone = self.gone(ingest, &hashes)?;
        self.write_but(&gone, hashes)
    }

    fn check_rows(&self) -> Result<usize> {
        let rows: usize = self.taken.rows().iter().sum();
        if rows > ROWS_MAX {
            return Err(Error::Limit { what: "rows of a kind in a shard".to_owned(), max: ROWS_MAX as u64 });
        }
        Ok(rows)
    }

    /// Writes all rows but those that are gone (sorted).
    fn write_but(self, gone: &[u32], hashes: Vec<u64>) -> Result<()> {
        if hashes.len() == gone.len() {
            return Ok(());
        }
        let keys = self.keys()?;
        let Sorted { mut rows, parts, classes, ties } = order::sort(&keys, gone);
        self.untie(&mut rows, &ties, &keys, &hashes)?;
        drop((keys, hashes));
        self.files(&Order { rows: rows.into(), parts }, &classes)
    }

    pub(super) fn misfit(&self) -> Error {
        self.table.misfit("a batch has not the columns of the layout")
    }

    /// A column of all rows as numbers; it stays.
    fn numbers<T>(&self, name: &str, of: impl Fn(&ArrayRef, &mut Vec<T>) -> Option<()>) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(self.taken.rows().iter().sum());
        for array in self.taken.look(self.table.place(name)?)? {
            array.and_then(|array| of(&array, &mut all)).ok_or_else(|| self.misfit())?;
        }
        Ok(all)
    }

    pub(super) fn hashes(&self) -> Result<Vec<u64>> {
        self.numbers(RECORD_HASH, |array, all| {
            all.extend(long_hashes(array)?);
            Some(())
        })
    }

    /// Waiting rows that are not written (sorted): what they say is stored, they delete, or a later row takes their
    /// place. Stored rows whose place is taken are deleted.
    fn gone(&self, ingest: &Ingest, hashes: &[u64]) -> Result<Vec<u32>> {
        let Ingest { dataset, base, intent, .. } = ingest;
        let stored = Stored::of(dataset, base, intent, &self.kind.name, self.shard)?;
        let groups = distinct::groups(&stored.hashes()?, hashes);
        let (mut there, mut incoming) = (Vec::new(), Vec::new());
        for member in groups.iter().flatten() {
            match member {
                Member::Stored(row) => there.push(*row),
                Member::Incoming(row) => incoming.push(*row),
            }
        }
        there.sort_unstable();
        incoming.sort_unstable();
        let fields: Vec<&str> = self.table.fields().map(|(_, field)| field.name().as_str()).collect();
        let there_digests = stored.digests(self.hasher, &fields, &there)?;
        let incoming_digests = self.digests(&incoming)?;
        let origins = self.origins(&incoming)?;
        let deletions = self.flags(DELETED, true)?;
        let deletes = |row: u32| deletions.get(row as usize).copied().unwrap_or(false);

        let mut fate = Fate::default();
        for group in &groups {
            let (mut known, mut arrived) = (Vec::new(), Vec::new());
            for member in group {
                match member {
                    Member::Stored(row) => {
                        let digests = of_row(&there, &there_digests, *row).ok_or_else(|| self.misfit())?;
                        known.push(Known { digests, stored: Some(*row), last: None });
                    }
                    Member::Incoming(row) => {
                        let digests = of_row(&incoming, &incoming_digests, *row);
                        let origin = of_row(&incoming, &origins, *row);
                        let (Some(digests), Some(origin)) = (digests, origin) else {
                            return Err(self.misfit());
                        };
                        arrived.push((origin, digests, *row));
                    }
                }
            }
            arrived.sort_unstable();
            for (origin, digests, row) in arrived {
                fate.arrives(&mut known, digests, (origin, row), deletes(row));
            }
            fate.settle(known);
        }
        self.claims(
            ingest,
            &groups,
            hashes,
            (&there, &there_digests),
            (&incoming, &incoming_digests, &origins),
            deletes,
        );
        // Rows that met no other: records that are new, or deletions of what is not there.
        let deleting = (0_u32..).zip(&deletions).filter(|(_, deletes)| **deletes).map(|(row, _)| row);
        let lone_deletions: Vec<u32> = deleting.filter(|row| incoming.binary_search(row).is_err()).collect();
        fate.stored += (hashes.len() - incoming.len() - lone_deletions.len()) as u64;
        fate.duplicate += lone_deletions.len() as u64;
        fate.gone.extend(lone_deletions);
        self.counted(ingest, fate, &stored)
    }

    /// Keeps what is known of rows that met others, for when shards are compared. A row that met the stored one of its record
    /// alone needs none of that: what becomes of it follows from what was written.
    fn claims(
        &self,
        ingest: &Ingest,
        groups: &[Vec<Member>],
        hashes: &[u64],
        (there, there_digests): (&[u32], &[Digests]),
        (incoming, incoming_digests, origins): (&[u32], &[Digests], &[Origin]),
        deletes: impl Fn(u32) -> bool,
    ) {
        if !ingest.has_shards() {
            return;
        }
        let mut claims = Vec::new();
        for group in groups {
            let mut hash = 0;
            let rows = group.iter().filter_map(|member| match member {
                Member::Stored(row) => Some((of_row(there, there_digests, *row)?, None)),
                Member::Incoming(row) => {
                    hash = hashes.get(*row as usize).copied().unwrap_or_default();
                    let origin = of_row(incoming, origins, *row)?;
                    Some((of_row(incoming, incoming_digests, *row)?, Some((origin, deletes(*row)))))
                }
            });
            let rows: Vec<(Digests, Option<(Origin, bool)>)> = rows.collect();
            if let [(stored, None), (row, Some((_, deletes)))] = rows.as_slice()
                && stored.same_record(row)
                && (!deletes || stored.contact == row.contact)
            {
                continue;
            }
            let named = rows.into_iter().filter(|(digests, _)| digests.id.is_some());
            let shard = self.shard;
            claims.extend(named.map(|(digests, arrived)| Claim { hash, shard, digests, arrived }));
        }
        let mut all = self.table.claims.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(claims);
    }

    /// Counts what became of the rows, and deletes those that were stored and whose place is taken.
    fn counted(&self, ingest: &Ingest, mut fate: Fate, stored: &Stored<'_>) -> Result<Vec<u32>> {
        let rows = &self.table.rows;
        for (counter, number) in [
            (&rows.stored, fate.stored),
            (&rows.updated, fate.updated),
            (&rows.duplicate, fate.duplicate),
            (&rows.deleted, fate.deleted),
        ] {
            counter.fetch_add(number, Ordering::Relaxed);
        }
        for origin in fate.shared {
            ingest.rejects.push(&self.kind.name, origin, None, Reason::SharedId)?;
        }
        fate.replaced.sort_unstable();
        for (file, places) in stored.files_of(&fate.replaced)? {
            self.transaction.delete_rows(file, &places)?;
        }
        fate.gone.sort_unstable();
        Ok(fate.gone)
    }

    /// Rows by batch: for each batch the place of a row in the list, and the row within the batch.
    fn by_batch(&self, rows: &[u32]) -> Vec<Vec<(usize, usize)>> {
        let mut places = rows.iter().map(|row| *row as usize).enumerate().peekable();
        let mut start = 0;
        let batch = |length: &usize| {
            let end = start + length;
            let mut mine = Vec::new();
            while let Some((slot, row)) = places.next_if(|(_, row)| *row < end) {
                mine.push((slot, row - start));
            }
            start = end;
            mine
        };
        self.taken.rows().iter().map(batch).collect()
    }

    /// Digests of some rows (sorted).
    pub(super) fn digests(&self, rows: &[u32]) -> Result<Vec<Digests>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let by_batch = self.by_batch(rows);
        let mut ordinals = Vec::with_capacity(rows.len());
        for (array, rows) in self.taken.look(self.table.place(ORDINAL)?)?.iter().zip(&by_batch) {
            let values = array.as_ref().and_then(|array| array.as_primitive_opt::<UInt32Type>());
            let values = values.ok_or_else(|| self.misfit())?.values();
            ordinals.extend(rows.iter().filter_map(|(_, row)| values.get(*row)));
        }
        let mut digester = Digester::new(self.hasher, ordinals.into_iter());
        for (place, field) in self.table.fields() {
            for (array, rows) in self.taken.look(place)?.iter().zip(&by_batch) {
                if let Some(array) = array
                    && !rows.is_empty()
                {
                    digester.column(field.name(), array, rows).ok_or_else(|| self.misfit())?;
                }
            }
        }
        Ok(digester.finish())
    }

    /// Origins of some rows (sorted).
    fn origins(&self, rows: &[u32]) -> Result<Vec<Origin>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let columns = self.taken.look(self.table.place(ORIGIN)?)?;
        let mut found = Vec::with_capacity(rows.len());
        for ((column, first), rows) in columns.iter().zip(self.taken.origins()).zip(self.by_batch(rows)) {
            found.extend(rows.into_iter().map(|(_, row)| origin(*first, column.as_ref(), row)));
        }
        found.into_iter().collect::<Option<_>>().ok_or_else(|| self.misfit())
    }

    fn keys(&self) -> Result<Keys> {
        let codes = match self.kind.field("code") {
            Some(_) => Some(self.coded("code")?),
            None => None,
        };
        Ok(Keys {
            classes: classes(self.schema, self.kind, codes.as_ref()),
            hidden: self.hidden()?,
            clusters: match self.clusters(codes)? {
                Clusters::One => Column::One(0),
                Clusters::Numbers(numbers) => Column::Each(numbers),
                Clusters::Texts(coded) => {
                    let ranks = coded.ranks();
                    let rank = |code: &u32| ranks.get(*code as usize).copied().unwrap_or(MISSING);
                    Column::Each(coded.codes.iter().map(rank).collect())
                }
            },
            times: self.times()?,
            ordinals: self.ordinals()?,
            within: self.kind.within,
        })
    }

    /// What the kind is clustered by; the codes of the rows, where somebody has them already.
    pub(super) fn clusters(&self, codes: Option<Coded>) -> Result<Clusters> {
        Ok(match &self.kind.cluster {
            Cluster::Time => Clusters::One,
            Cluster::Fields(first, second) => {
                let kinds = self.kind.field(second).map_or(0, |field| field.categories.len());
                let kinds = u32::try_from(kinds).map_err(|_| self.misfit())?;
                let last = self.kind.field(first).map_or(0, |field| field.categories.len());
                let last = u32::try_from(last).map_err(|_| self.misfit())?;
                // What is missing comes behind the categories.
                let (firsts, seconds) = (self.categories(first)?, self.categories(second)?);
                let rank =
                    |(first, second): (&u32, &u32)| (*first).min(last) * (kinds + 1) + (*second).min(kinds);
                Clusters::Numbers(firsts.iter().zip(&seconds).map(rank).collect())
            }
            Cluster::Field(name) => match self.kind.field(name).map(|field| field.ty) {
                Some(FieldType::Text | FieldType::Code) => match codes {
                    Some(codes) if name == "code" => Clusters::Texts(codes),
                    _ => Clusters::Texts(self.coded(name)?),
                },
                Some(FieldType::Category) => Clusters::Numbers(self.categories(name)?),
                Some(
                    FieldType::Int
                    | FieldType::Number
                    | FieldType::Money
                    | FieldType::Bool
                    | FieldType::Date
                    | FieldType::Time
                    | FieldType::Categories
                    | FieldType::Point,
                )
                | None => Clusters::One,
            },
        })
    }

    pub(super) fn times(&self) -> Result<Vec<i64>> {
        self.numbers(AT, |array, all| {
            all.extend_from_slice(array.as_primitive_opt::<Int64Type>()?.values());
            Some(())
        })
    }

    pub(super) fn ordinals(&self) -> Result<Vec<u32>> {
        self.numbers(ORDINAL, |array, all| {
            all.extend_from_slice(array.as_primitive_opt::<UInt32Type>()?.values());
            Some(())
        })
    }

    /// Which rows the kind hides unless they are asked for by name.
    pub(super) fn hidden(&self) -> Result<Column<bool>> {
        let mut hidden: Option<Vec<bool>> = None;
        for (name, values) in &self.kind.hidden {
            let field = self.kind.field(name).ok_or_else(|| self.misfit())?;
            let own: Vec<bool> = match field.ty {
                FieldType::Bool => {
                    let mut flags = self.flags(name, values.iter().any(|value| value == "true"))?;
                    flags.resize(self.taken.rows().iter().sum(), false);
                    flags
                }
                _ => {
                    let is_hidden: Vec<bool> =
                        field.categories.iter().map(|own| values.contains(own)).collect();
                    let hides = |place: u32| is_hidden.get(place as usize).copied().unwrap_or(false);
                    self.categories(name)?.into_iter().map(hides).collect()
                }
            };
            hidden = Some(match hidden {
                None => own,
                Some(before) => before.iter().zip(&own).map(|(a, b)| a | b).collect(),
            });
        }
        Ok(hidden.filter(|hidden| hidden.contains(&true)).map_or(Column::One(false), Column::Each))
    }

    /// Whether a flag has a value; not where it is missing. Empty when it is missing everywhere.
    fn flags(&self, name: &str, wanted: bool) -> Result<Vec<bool>> {
        let mut all = Vec::new();
        let arrays = self.taken.look(self.table.place(name)?)?;
        if arrays.iter().all(Option::is_none) {
            return Ok(all);
        }
        for (array, rows) in arrays.iter().zip(self.taken.rows()) {
            match array {
                None => all.extend(std::iter::repeat_n(false, *rows)),
                Some(array) => {
                    let values = array.as_boolean_opt().ok_or_else(|| self.misfit())?;
                    all.extend(values.iter().map(|flag| flag == Some(wanted)));
                }
            }
        }
        Ok(all)
    }

    fn coded(&self, name: &str) -> Result<Coded> {
        let arrays = self.taken.look(self.table.place(name)?)?;
        Coded::of(&arrays, self.taken.rows()).ok_or_else(|| self.misfit())
    }

    /// Numbers of a category field.
    fn categories(&self, name: &str) -> Result<Vec<u32>> {
        let mut all = Vec::new();
        let number =
            |number: Option<i16>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(MISSING);
        for (array, rows) in self.taken.look(self.table.place(name)?)?.iter().zip(self.taken.rows()) {
            match array {
                None => all.extend(std::iter::repeat_n(MISSING, *rows)),
                Some(array) => {
                    let values = array.as_primitive_opt::<Int16Type>().ok_or_else(|| self.misfit())?;
                    all.extend(values.iter().map(number));
                }
            }
        }
        Ok(all)
    }

    /// Puts rows in order that agree in class, cluster and time.
    fn untie(&self, order: &mut [u32], ties: &[Range<usize>], keys: &Keys, hashes: &[u64]) -> Result<()> {
        let key = |row: &u32| {
            let row = *row as usize;
            // Time, where keys had no room for it.
            (keys.ordinals.get(row).copied(), keys.times.get(row).copied(), hashes.get(row).copied())
        };
        for tie in ties {
            let rows = order.get_mut(tie.clone()).unwrap_or_default();
            rows.sort_unstable_by_key(key);
            if rows.windows(2).all(|pair| matches!(pair, [a, b] if key(a) != key(b))) {
                continue;
            }
            let mut sorted = rows.to_vec();
            sorted.sort_unstable();
            let digests = self.digests(&sorted)?;
            rows.sort_by_cached_key(|row| (key(row), of_row(&sorted, &digests, *row)));
        }
        Ok(())
    }

    /// Gathers the columns and writes a file for each class.
    fn files(self, order: &Order, classes: &[u8]) -> Result<()> {
        let schema = layout::record_schema(self.kind);
        let columns: Vec<Vec<Vec<ArrayRef>>> = schema
            .fields()
            .iter()
            .enumerate()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|(place, field)| {
                let arrays = self.taken.column(place)?;
                gather(arrays, self.taken.rows(), field.data_type(), order).ok_or_else(|| self.misfit())
            })
            .collect::<Result<_>>()?;
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let mut files = Vec::with_capacity(classes.len());
        for class in classes {
            let class = *Class::ALL.get(usize::from(*class)).ok_or_else(|| self.misfit())?;
            let mut part: Vec<_> =
                columns.iter_mut().map(|column| column.next().unwrap_or_default().into_iter()).collect();
            let mut batches = Vec::new();
            loop {
                let arrays: Vec<ArrayRef> = part.iter_mut().filter_map(Iterator::next).collect();
                if arrays.is_empty() {
                    break;
                }
                let batch = RecordBatch::try_new(std::sync::Arc::clone(&schema), arrays);
                batches.push(batch.map_err(|_| self.misfit())?);
            }
            files.push((class, batches));
        }
        drop(columns);
        files.into_par_iter().try_for_each(|(class, batches)| {
            let table = TableId::Record(self.kind.name.clone());
            self.transaction.write_file(table, class, self.shard, &batches, ROWS_PER_GROUP)
        })
    }
}

/// What belongs to a row, out of a list beside the sorted rows.
fn of_row<T: Copy>(rows: &[u32], values: &[T], row: u32) -> Option<T> {
    values.get(rows.binary_search(&row).ok()?).copied()
}

fn class_number(class: Class) -> u8 {
    let place = Class::ALL.iter().position(|known| *known == class);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// Class of every row by its code.
fn classes(schema: &Schema, kind: &RecordKind, codes: Option<&Coded>) -> Column<u8> {
    let Some(codes) = codes else { return Column::One(class_number(kind.class)) };
    let of_code = |text: Option<&str>| {
        let code = text.and_then(|text| text.split_once(':'));
        let code = code.map(|(system, code)| Code { system: system.to_owned(), code: code.to_owned() });
        class_number(schema.class_of(kind, code.as_ref()))
    };
    let missing = of_code(None);
    let known: Vec<u8> = codes.texts.iter().map(|text| of_code(Some(text))).collect();
    let class = |code: &u32| known.get(*code as usize).copied().unwrap_or(missing);
    Column::Each(codes.codes.iter().map(class).collect())
}
