//! Population tables as Parquet: whole columns are re-encoded, no value per cell.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::Field;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Encoding;
use parquet::file::metadata::ParquetMetaData;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{Pool, TableFile};
use crate::error::{Error, Result};
use crate::import::source::SourceFile;
use crate::ingest::{ImportError, Ingest, Origin, Ranges, Reason};
use crate::rows::{self, CONTACT_ID, ForeignColumn, Refused, Rows, Unfit};

const ROWS_PER_BATCH: usize = 1 << 16;

/// An opened table.
struct Table {
    file: SourceFile,
    name: String,
    contacts: bool,
    number: u16,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    fields: Vec<Field>,
    schema: SchemaRef,
    /// For each flat field its place among the projected columns.
    places: Vec<Option<usize>>,
    /// For each flat field its column in the file.
    columns: Vec<Option<usize>>,
    pairs: Vec<(usize, usize)>,
    pool: Pool<Vec<ForeignColumn>>,
}

/// One row group of a record table.
pub(super) struct Task {
    table: Arc<Table>,
    group: usize,
    first_row: u64,
}

impl Task {
    /// Hands the rows over; several tasks may run at once.
    pub(super) fn run(self, ingest: &Ingest) -> Result<()> {
        self.table.group(self.group, self.first_row, |rows, refused| {
            ingest.refuse(&self.table.name, refused)?;
            ingest.record_rows(&self.table.name, rows)
        })
    }
}

/// The row groups of a record table in steps, each with the shards of which no rows come after it.
///
/// Row groups tell the first and the last contact id in them, and the contacts of a shard lie between a first and a
/// last one. Where both follow one order, a shard is complete long before the file is. A file whose statistics do not
/// cover its rows fails; one without statistics is one step.
pub(super) fn tasks(ingest: &Ingest, file: &TableFile) -> Result<Vec<(Vec<Task>, Vec<u32>)>> {
    let table = Arc::new(Table::open(ingest, file)?);
    let groups: Vec<(usize, u64)> = table.groups().collect();
    let shards: Vec<Vec<u32>> =
        groups.iter().map(|(group, _)| table.shards(*group, ingest.ranges())).collect();
    let mut last: BTreeMap<u32, usize> = BTreeMap::new();
    for (group, shards) in shards.iter().enumerate() {
        last.extend(shards.iter().map(|shard| (*shard, group)));
    }
    let mut steps = vec![(Vec::new(), Vec::new())];
    for (group, first_row) in groups {
        let Some((tasks, complete)) = steps.last_mut() else { break };
        tasks.push(Task { table: Arc::clone(&table), group, first_row });
        complete.extend(last.iter().filter(|(_, last)| **last == group).map(|(shard, _)| *shard));
        if !complete.is_empty() {
            steps.push((Vec::new(), Vec::new()));
        }
    }
    steps.retain(|(tasks, _)| !tasks.is_empty());
    Ok(steps)
}

/// Hands over the contacts in the file's order.
pub(super) fn import_contacts(ingest: &mut Ingest, file: &TableFile) -> Result<()> {
    let table = Table::open(ingest, file)?;
    ingest.contacts_say(super::said(&table.fields, &table.columns));
    let groups: Vec<(usize, u64)> = table.groups().collect();
    for (group, first_row) in groups {
        table.group(group, first_row, |rows, refused| {
            ingest.refuse(&table.name, refused)?;
            ingest.contact_rows(rows)
        })?;
    }
    Ok(())
}

impl Table {
    fn open(ingest: &Ingest, table: &TableFile) -> Result<Self> {
        let file = table.file.clone();
        let unreadable = |_| unreadable(&file.name);
        let input = file.open()?;
        let plain = ArrowReaderMetadata::load(&input, ArrowReaderOptions::new()).map_err(unreadable)?;
        let header: Vec<String> =
            plain.schema().fields().iter().map(|column| column.name().to_owned()).collect();
        let fields = table.fields(ingest.schema());
        let columns = table.map(&fields, &header, ingest.options())?;
        let hinted = hinted(&plain, &fields, &columns);
        let options = ArrowReaderOptions::new().with_schema(hinted);
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options).unwrap_or(plain);
        let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().flatten().copied());
        // Projected columns keep the file's order.
        let mut read: Vec<usize> = columns.iter().flatten().copied().collect();
        read.sort_unstable();
        let place = |column: &Option<usize>| column.and_then(|column| read.binary_search(&column).ok());
        Ok(Self {
            name: table.table().to_owned(),
            contacts: table.kind.is_none(),
            number: ingest.rejects().file(&file.name),
            places: columns.iter().map(place).collect(),
            pairs: rows::pairs(&fields),
            schema: rows::batch_schema(&fields),
            pool: Pool::new(),
            file,
            metadata,
            mask,
            fields,
            columns,
        })
    }

    /// Row groups with the number of rows before each.
    fn groups(&self) -> impl Iterator<Item = (usize, u64)> {
        let mut before = 0_u64;
        self.metadata.metadata().row_groups().iter().enumerate().map(move |(group, metadata)| {
            let first = before;
            before += u64::try_from(metadata.num_rows()).unwrap_or(0);
            (group, first)
        })
    }

    /// Shards that may have rows in a row group.
    fn shards(&self, group: usize, ranges: &Ranges) -> Vec<u32> {
        let column = self.fields.iter().position(|field| field.name == CONTACT_ID);
        let statistics = || {
            let root = self.columns.get(column?).copied().flatten()?;
            let schema = self.metadata.parquet_schema();
            let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root)?;
            let statistics = self.metadata.metadata().row_groups().get(group)?.column(leaf).statistics()?;
            (!statistics.is_min_max_deprecated()).then_some(statistics)
        };
        ranges.between(statistics().and_then(|ends| Some((ends.min_bytes_opt()?, ends.max_bytes_opt()?))))
    }

    fn group(
        &self,
        group: usize,
        first_row: u64,
        mut each: impl FnMut(Rows, Vec<Refused>) -> Result<()>,
    ) -> Result<()> {
        let mut row = first_row;
        for batch in self.reader(group)? {
            let batch = batch.map_err(|_| unreadable(&self.file.name))?;
            let make = || {
                self.fields
                    .iter()
                    .map(if self.contacts { ForeignColumn::new } else { ForeignColumn::repeating })
                    .collect()
            };
            let (rows, refused) = self.pool.with(make, |columns| self.encode(columns, &batch, row))?;
            row += batch.num_rows() as u64;
            each(rows, refused)?;
        }
        Ok(())
    }

    /// A reader of its own: two readers of one open file would move each other's position.
    fn reader(&self, group: usize) -> Result<ParquetRecordBatchReader> {
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.open()?, self.metadata.clone())
            .with_projection(self.mask.clone())
            .with_row_groups(vec![group])
            .with_batch_size(ROWS_PER_BATCH)
            .build()
            .map_err(|_| unreadable(&self.file.name))
    }

    fn encode(
        &self,
        columns: &mut [ForeignColumn],
        batch: &RecordBatch,
        first_row: u64,
    ) -> Result<(Rows, Vec<Refused>)> {
        let one = |(column, place): (&mut ForeignColumn, &Option<usize>)| {
            encode(column, place.and_then(|place| batch.columns().get(place)))
        };
        let columns = columns.iter_mut().zip(&self.places);
        // Row groups of records run at once, those of contacts one after the other.
        let encoded: Vec<Encoded> = if self.contacts {
            columns.collect::<Vec<_>>().into_par_iter().map(one).collect()
        } else {
            columns.map(one).collect()
        };
        let mut arrays = Vec::with_capacity(encoded.len());
        let mut wrong: Vec<(usize, Option<Arc<str>>, Reason)> = Vec::new();
        for (encoded, field) in encoded.into_iter().zip(&self.fields) {
            let (array, reasons) = encoded.map_err(|unfit| ImportError::ColumnType {
                file: self.file.name.clone(),
                column: field.name.clone(),
                found: unfit.found,
                expected: crate::rows::expected(field.ty).to_owned(),
            })?;
            let name: Option<Arc<str>> = (!reasons.is_empty()).then(|| field.name.as_str().into());
            wrong.extend(reasons.into_iter().map(|(row, reason)| (row, name.clone(), reason)));
            arrays.push(array);
        }
        self.half_points(&arrays, batch.num_rows(), &mut wrong);
        // One reason a row: that of its first wrong column.
        wrong.sort_by_key(|(row, ..)| *row);
        wrong.dedup_by_key(|(row, ..)| *row);
        let origin = |row: u64| Origin::new(self.number, first_row + row + 1);
        let origins: UInt64Array =
            (0..batch.num_rows() as u64).map(|row| origin(row).0).collect::<Vec<_>>().into();
        let keep = (!wrong.is_empty()).then(|| {
            let mut keep = vec![true; batch.num_rows()];
            for (row, ..) in &wrong {
                if let Some(kept) = keep.get_mut(*row) {
                    *kept = false;
                }
            }
            BooleanArray::from(keep)
        });
        let refused = wrong
            .into_iter()
            .map(|(row, column, reason)| Refused { origin: origin(row as u64), column, reason })
            .collect();
        let misfit = |_| unreadable(&self.file.name);
        Ok((rows::assemble(&self.schema, arrays, origins, keep).map_err(misfit)?, refused))
    }

    fn half_points(
        &self,
        arrays: &[Option<ArrayRef>],
        rows: usize,
        wrong: &mut Vec<(usize, Option<Arc<str>>, Reason)>,
    ) {
        for &(lat, lon) in &self.pairs {
            let known = |column: usize, row| {
                arrays
                    .get(column)
                    .and_then(Option::as_ref)
                    .is_some_and(|array: &ArrayRef| array.is_valid(row))
            };
            let name: Option<Arc<str>> = self.fields.get(lat).map(|field| field.name.as_str().into());
            let halves = (0..rows).filter(|row| known(lat, *row) != known(lon, *row));
            wrong.extend(halves.map(|row| (row, name.clone(), Reason::HalfPoint)));
        }
    }
}

type Encoded = Result<(Option<ArrayRef>, Vec<(usize, Reason)>), Unfit>;

fn encode(column: &mut ForeignColumn, array: Option<&ArrayRef>) -> Encoded {
    let Some(array) = array else { return Ok((None, Vec::new())) };
    let mut wrong = Vec::new();
    let encoded = column.encode(array, |row, reason| wrong.push((row, reason)))?;
    Ok((Some(encoded), wrong))
}

/// The file's schema with dictionaries where values repeat.
fn hinted(file: &ArrowReaderMetadata, fields: &[Field], columns: &[Option<usize>]) -> SchemaRef {
    let schema = file.schema();
    let hinted = schema.fields().iter().enumerate().map(|(place, column)| {
        let target = columns.iter().position(|known| *known == Some(place));
        match target.and_then(|target| fields.get(target)) {
            Some(field) => {
                let dictionary = is_dictionary(file.metadata(), column.name());
                let hint = ForeignColumn::hint(field, column.data_type(), dictionary);
                ArrowField::new(column.name(), hint, column.is_nullable())
                    .with_metadata(column.metadata().clone())
            }
            None => column.as_ref().clone(),
        }
    });
    Arc::new(ArrowSchema::new_with_metadata(hinted.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// Whether a column lies in the file as a dictionary, as far as its first row group tells.
fn is_dictionary(file: &ParquetMetaData, name: &str) -> bool {
    let group = file.row_groups().first();
    let chunk =
        group.and_then(|group| group.columns().iter().find(|chunk| chunk.column_path().string() == name));
    chunk.is_some_and(|chunk| match chunk.page_encoding_stats_mask() {
        Some(pages) => pages.is_only(Encoding::RLE_DICTIONARY) || pages.is_only(Encoding::PLAIN_DICTIONARY),
        None => chunk.encodings().any(|encoding| encoding == Encoding::RLE_DICTIONARY),
    })
}

fn unreadable(file: &str) -> Error {
    ImportError::Unreadable {
        file: file.to_owned(),
        what: "it is not a Parquet file that can be read".to_owned(),
    }
    .into()
}
