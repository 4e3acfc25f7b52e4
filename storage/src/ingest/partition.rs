//! The records of one kind in one shard, from arrival order to files.
//!
//! In: batches of the kind's storage columns with [`ORIGIN`]. Out: one batch list per sensitivity class, clustered as
//! the kind says, then by time, without duplicates. The order does not depend on the order of arrival.
//!
//! ```text
//! ord code           at   hash            class     ord code           at
//!   7 ICD10CM:F329   30   …               clinical    2 ICD10CM:E119   10
//!   2 ICD10CM:E119   20   …        →                  2 ICD10CM:E119   20
//!   2 ICD10CM:E119   10   …               mental      7 ICD10CM:F329   30
//!   2 ICD10CM:E119   10   … (the same)              (one duplicate)
//! ```

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Int16Type, Int64Type, SchemaRef, UInt64Type};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::{Class, Cluster, FieldType, RecordKind, Schema};
use hyperseg_dsl::value::Code;
use rayon::slice::ParallelSliceMut;

use super::reject::Origin;
use crate::error::{Error, Result};
use crate::layout::{CONTENT_HASH, RECORD_HASH};

/// `UInt64`, not null: where a waiting row came from; not stored.
pub(crate) const ORIGIN: &str = "origin";
/// Rows put together at once.
const ROWS_PER_BATCH: usize = 1 << 16;

/// Identity and content of a stored or waiting record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hashes {
    pub(crate) record: [u8; 16],
    pub(crate) content: i64,
}

/// What became of the rows.
#[derive(Default)]
pub(crate) struct Sorted {
    /// Batches per class, in the layout's columns.
    pub(crate) classes: Vec<(Class, Vec<RecordBatch>)>,
    pub(crate) stored: u64,
    pub(crate) duplicate: u64,
    /// Rows with the id of another and other content.
    pub(crate) changed: Vec<Origin>,
}

#[derive(Clone, Copy)]
struct Row {
    hashes: Hashes,
    origin: u64,
    batch: u32,
    row: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    class: u8,
    cluster: u32,
    at: i64,
    record: [u8; 16],
    batch: u32,
    row: u32,
}

/// Removes duplicates and sorts. `existing` are the hashes of what the dataset holds of this kind in this shard.
pub(crate) fn sort(
    schema: &Schema,
    kind: &RecordKind,
    stored_schema: &SchemaRef,
    batches: &[RecordBatch],
    existing: Vec<Hashes>,
) -> Result<Sorted> {
    let mut sorted = Sorted::default();
    let mut rows = rows(kind, batches)?;
    distinct(&mut rows, existing, &mut sorted);
    let mut keys = keys(schema, kind, batches, &rows)?;
    drop(rows);
    keys.par_sort_unstable();
    sorted.stored = keys.len() as u64;

    let projected: Vec<RecordBatch> =
        batches.iter().map(|batch| project(batch, stored_schema)).collect::<Result<_>>()?;
    let sources: Vec<&RecordBatch> = projected.iter().collect();
    for group in keys.chunk_by(|a, b| a.class == b.class) {
        let Some(class) = group.first().and_then(|key| Class::ALL.get(usize::from(key.class))) else {
            continue;
        };
        let mut out = Vec::with_capacity(group.len() / ROWS_PER_BATCH + 1);
        for part in group.chunks(ROWS_PER_BATCH) {
            let places: Vec<(usize, usize)> =
                part.iter().map(|key| (key.batch as usize, key.row as usize)).collect();
            out.push(interleave_record_batch(&sources, &places).map_err(|_| misfit(kind))?);
        }
        sorted.classes.push((*class, out));
    }
    Ok(sorted)
}

fn misfit(kind: &RecordKind) -> Error {
    Error::Mismatch { table: kind.name.clone(), what: "a batch has not the columns of the layout".to_owned() }
}

fn rows(kind: &RecordKind, batches: &[RecordBatch]) -> Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in batches.iter().enumerate() {
        let hashes = hashes(batch).ok_or_else(|| misfit(kind))?;
        let origins = batch.column_by_name(ORIGIN).and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let origins = origins.ok_or_else(|| misfit(kind))?;
        let number = u32::try_from(number).map_err(|_| misfit(kind))?;
        for (row, (hashes, origin)) in hashes.into_iter().zip(origins.values()).enumerate() {
            let row = u32::try_from(row).map_err(|_| misfit(kind))?;
            rows.push(Row { hashes, origin: *origin, batch: number, row });
        }
    }
    Ok(rows)
}

/// The hash columns of a batch.
pub(crate) fn hashes(batch: &RecordBatch) -> Option<Vec<Hashes>> {
    let records = batch.column_by_name(RECORD_HASH)?.as_fixed_size_binary_opt()?;
    let contents = batch.column_by_name(CONTENT_HASH)?.as_primitive_opt::<Int64Type>()?;
    records
        .iter()
        .zip(contents.values())
        .map(|(record, content)| Some(Hashes { record: record?.try_into().ok()?, content: *content }))
        .collect()
}

/// Keeps of each identity the row that came first, unless the dataset has it already.
fn distinct(rows: &mut Vec<Row>, mut existing: Vec<Hashes>, sorted: &mut Sorted) {
    rows.par_sort_unstable_by_key(|row| (row.hashes.record, row.origin));
    existing.par_sort_unstable();
    let mut known = existing.into_iter().peekable();
    let mut before: Option<Hashes> = None;
    rows.retain(|row| {
        while known.next_if(|stored| stored.record < row.hashes.record).is_some() {}
        let stored = known.peek().filter(|stored| stored.record == row.hashes.record);
        let first = stored.copied().or(before.filter(|before| before.record == row.hashes.record));
        match first {
            None => {
                before = Some(row.hashes);
                true
            }
            Some(first) => {
                if first.content == row.hashes.content {
                    sorted.duplicate += 1;
                } else {
                    sorted.changed.push(Origin(row.origin));
                }
                false
            }
        }
    });
}

fn keys(schema: &Schema, kind: &RecordKind, batches: &[RecordBatch], rows: &[Row]) -> Result<Vec<Key>> {
    let clusters = Clusters::of(kind, batches).ok_or_else(|| misfit(kind))?;
    let classes = code_classes(schema, kind, batches).ok_or_else(|| misfit(kind))?;
    let times: Option<Vec<_>> = batches
        .iter()
        .map(|batch| Some(batch.column_by_name("at")?.as_primitive_opt::<Int64Type>()?.values()))
        .collect();
    let times = times.ok_or_else(|| misfit(kind))?;
    rows.iter()
        .map(|row| {
            let (batch, place) = (row.batch as usize, row.row as usize);
            let at = *times.get(batch)?.get(place)?;
            let cluster = clusters.rank(batch, place)?;
            let class = match &classes {
                None => class_number(kind.class),
                Some(classes) => classes.get(batch)?.get(place).copied()?,
            };
            Some(Key { class, cluster, at, record: row.hashes.record, batch: row.batch, row: row.row })
        })
        .collect::<Option<_>>()
        .ok_or_else(|| misfit(kind))
}

fn class_number(class: Class) -> u8 {
    let place = Class::ALL.iter().position(|known| *known == class);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// Class of every row by its code; `None` when the kind has no code.
fn code_classes(schema: &Schema, kind: &RecordKind, batches: &[RecordBatch]) -> Option<Option<Vec<Vec<u8>>>> {
    if kind.field("code").is_none() {
        return Some(None);
    }
    let mut known: HashMap<&str, u8> = HashMap::new();
    let mut classes = Vec::with_capacity(batches.len());
    for batch in batches {
        let codes = batch.column_by_name("code")?.as_string_opt::<i32>()?;
        let of_code = |code: Option<&'_ str>| {
            let code = code.and_then(|code| code.split_once(':'));
            let code = code.map(|(system, code)| Code { system: system.to_owned(), code: code.to_owned() });
            class_number(schema.class_of(kind, code.as_ref()))
        };
        let missing = of_code(None);
        classes.push(
            codes
                .iter()
                .map(|code| match code {
                    None => missing,
                    Some(text) => *known.entry(text).or_insert_with(|| of_code(Some(text))),
                })
                .collect(),
        );
    }
    Some(Some(classes))
}

/// Ranks of the field that a kind is clustered by; missing values come last.
enum Clusters {
    None,
    Ranks(Vec<Vec<u32>>),
}

impl Clusters {
    fn of(kind: &RecordKind, batches: &[RecordBatch]) -> Option<Self> {
        let name = match &kind.cluster {
            Cluster::Time => return Some(Self::None),
            Cluster::Field(name) => name,
        };
        match kind.field(name)?.ty {
            FieldType::Text | FieldType::Code => Self::texts(name, batches),
            FieldType::Category => batches
                .iter()
                .map(|batch| {
                    let numbers = batch.column_by_name(name)?.as_primitive_opt::<Int16Type>()?;
                    let rank = |n: Option<i16>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
                    Some(numbers.iter().map(rank).collect())
                })
                .collect::<Option<_>>()
                .map(Self::Ranks),
            FieldType::Int
            | FieldType::Number
            | FieldType::Money
            | FieldType::Bool
            | FieldType::Date
            | FieldType::Time
            | FieldType::Categories
            | FieldType::Point => Some(Self::None),
        }
    }

    fn texts(name: &str, batches: &[RecordBatch]) -> Option<Self> {
        let columns: Vec<_> = batches
            .iter()
            .map(|batch| batch.column_by_name(name)?.as_string_opt::<i32>())
            .collect::<Option<_>>()?;
        // First numbers in order of appearance, then the rank of each number.
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut ranks: Vec<Vec<u32>> = Vec::with_capacity(columns.len());
        for column in &columns {
            let mut of_rows = Vec::with_capacity(column.len());
            for text in column.iter() {
                of_rows.push(match text {
                    None => u32::MAX,
                    Some(text) => {
                        let next = u32::try_from(numbers.len()).ok()?;
                        *numbers.entry(text).or_insert(next)
                    }
                });
            }
            ranks.push(of_rows);
        }
        let mut texts: Vec<(&str, u32)> = numbers.into_iter().collect();
        texts.sort_unstable();
        let mut rank_of = vec![u32::MAX; texts.len()];
        for (rank, (_, number)) in texts.iter().enumerate() {
            *rank_of.get_mut(*number as usize)? = u32::try_from(rank).ok()?;
        }
        for rank in ranks.iter_mut().flatten() {
            *rank = rank_of.get(*rank as usize).copied().unwrap_or(u32::MAX);
        }
        Some(Self::Ranks(ranks))
    }

    fn rank(&self, batch: usize, row: usize) -> Option<u32> {
        match self {
            Self::None => Some(0),
            Self::Ranks(ranks) => ranks.get(batch)?.get(row).copied(),
        }
    }
}

/// The columns of the layout, in its order.
pub(crate) fn project(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let misfit = || Error::Mismatch {
        table: "import".to_owned(),
        what: "a batch has not the columns of the layout".to_owned(),
    };
    let columns: Option<Vec<_>> =
        schema.fields().iter().map(|field| batch.column_by_name(field.name()).cloned()).collect();
    RecordBatch::try_new(std::sync::Arc::clone(schema), columns.ok_or_else(misfit)?).map_err(|_| misfit())
}
