//! Files of records of one kind, class and shard, merged into one order.
//!
//! In: files, each in the order of its kind ([`super::order`]). Out: batches of all their rows that count, in this order.
//! Of each file one batch is held at a time, and what of earlier ones waits to be put out: never more rows than asked for,
//! however many there are.
//!
//! ```text
//! E119 10 | E119 30 | I10 5        E119 10 | E119 20 | E119 30 | I10 5 | I10 7
//! E119 20 | I10 7             →
//! ```

use std::cell::Cell;
use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringBuilder};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use hyperseg_dsl::schema::Within;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::compare::Digests;
use super::order::Column;
use super::records::{Clusters, Partition};
use super::texts::{Coded, MISSING, Texts};
use crate::error::{Error, Result};
use crate::layout;
use crate::scope::Batches;

/// Rows of batches are a multiple of these, so that pages end where blocks do.
const ALIGNED: usize = 1 << 10;
/// Most rows of a batch that is read.
const READ_MAX: usize = 1 << 14;
/// Most rows of a batch that is put out.
const WRITE_MAX: usize = 1 << 16;

/// How many rows are in memory, and how many were at most.
pub(super) struct Held {
    /// Rows that may be.
    pub(super) max: usize,
    most: Cell<usize>,
}

impl Held {
    pub(super) fn new(max: usize) -> Self {
        Self { max, most: Cell::new(0) }
    }

    pub(super) fn note(&self, rows: usize) {
        self.most.set(self.most.get().max(rows));
    }

    pub(super) fn most(&self) -> usize {
        self.most.get()
    }

    /// Rows of a batch to read, of so many files at once: two of each, and what they are put together to, fit.
    pub(super) fn read_rows(&self, files: usize) -> usize {
        aligned(self.max / (2 * files + 2)).min(READ_MAX)
    }

    /// Rows of a batch to put out.
    pub(super) fn write_rows(&self) -> usize {
        aligned(self.max / 4).min(WRITE_MAX)
    }
}

fn aligned(rows: usize) -> usize {
    if rows >= ALIGNED { rows - rows % ALIGNED } else { rows.max(1) }
}

/// A batch of a file, and what decides where its rows go.
pub(super) struct Run<'a> {
    partition: Partition<'a>,
    columns: Vec<ArrayRef>,
    hidden: Column<bool>,
    clusters: Clusters,
    times: Vec<i64>,
    ordinals: Vec<u32>,
    hashes: Vec<u64>,
    within: Within,
}

impl<'a> Run<'a> {
    fn of(partition: Partition<'a>, columns: Vec<ArrayRef>) -> Result<Self> {
        Ok(Self {
            columns,
            hidden: partition.hidden()?,
            clusters: partition.clusters(None)?,
            times: partition.times()?,
            ordinals: partition.ordinals()?,
            hashes: partition.hashes()?,
            within: partition.kind.within,
            partition,
        })
    }

    fn rows(&self) -> usize {
        self.times.len()
    }

    /// The order of two rows; those that agree in all that it is made of are told apart by what they say.
    fn compare(&self, row: usize, other: &Self, at: usize) -> Result<Ordering> {
        let (one, two) =
            ((self.times.get(row), self.ordinals.get(row)), (other.times.get(at), other.ordinals.get(at)));
        let order = self
            .hidden
            .get(row)
            .cmp(&other.hidden.get(at))
            .then_with(|| self.clusters.compare(row, &other.clusters, at))
            .then_with(|| match self.within {
                Within::Time => one.cmp(&two),
                Within::Contact => (one.1, one.0).cmp(&(two.1, two.0)),
            })
            .then_with(|| self.hashes.get(row).cmp(&other.hashes.get(at)));
        if order.is_ne() {
            return Ok(order);
        }
        Ok(self.digests(row)?.cmp(&other.digests(at)?))
    }

    fn digests(&self, row: usize) -> Result<Vec<Digests>> {
        self.partition.digests(&[row as u32])
    }
}

impl Clusters {
    fn compare(&self, row: usize, other: &Self, at: usize) -> Ordering {
        match (self, other) {
            (Self::Numbers(one), Self::Numbers(two)) => one.get(row).cmp(&two.get(at)),
            (Self::Texts(one), Self::Texts(two)) => text(one, row).cmp(&text(two, at)),
            (_, _) => Ordering::Equal,
        }
    }
}

/// The text of a row; what is missing comes last.
fn text(coded: &Coded, row: usize) -> (bool, Option<&str>) {
    let code = coded.codes.get(row).copied().unwrap_or(MISSING);
    (code == MISSING, coded.texts.get(code as usize).map(AsRef::as_ref))
}

/// A file that is being merged.
struct Input {
    batches: Batches,
    /// Its run among those that are held, and the next row of it; `None` when the next batch must be read.
    at: Option<(usize, usize)>,
    is_read: bool,
}

/// The merge of some files.
pub(super) struct Merge<'a, F> {
    inputs: Vec<Input>,
    /// Makes a partition of a batch.
    partition: F,
    runs: Vec<Run<'a>>,
    /// Rows that are to be put out next: run and row.
    places: Vec<(usize, usize)>,
    held: &'a Held,
    read_rows: usize,
    failed: bool,
}

impl<'a, F: Fn(&RecordBatch) -> Partition<'a>> Merge<'a, F> {
    /// Of readers whose batches have [`Held::read_rows`] rows at most.
    pub(super) fn new(inputs: Vec<Batches>, partition: F, held: &'a Held) -> Self {
        let read_rows = held.read_rows(inputs.len());
        let inputs = inputs.into_iter().map(|batches| Input { batches, at: None, is_read: false }).collect();
        Self { inputs, partition, runs: Vec::new(), places: Vec::new(), held, read_rows, failed: false }
    }

    fn in_memory(&self) -> usize {
        self.runs.iter().map(Run::rows).sum::<usize>() + self.places.len()
    }

    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            for input in 0..self.inputs.len() {
                if self.is_waiting(input) {
                    let read = self.runs.iter().map(Run::rows).sum::<usize>() + self.read_rows;
                    if !self.places.is_empty() && read + self.held.write_rows() > self.held.max {
                        return self.put_out();
                    }
                    self.read(input)?;
                }
            }
            let Some((first, second)) = self.smallest()? else { return self.put_out() };
            self.take(first, second)?;
            if self.places.len() >= self.held.write_rows() {
                return self.put_out();
            }
        }
    }

    fn is_waiting(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(|input| input.at.is_none() && !input.is_read)
    }

    fn read(&mut self, number: usize) -> Result<()> {
        let Some(input) = self.inputs.get_mut(number) else { return Ok(()) };
        let batch = loop {
            match input.batches.next().transpose()? {
                Some(batch) if batch.num_rows() == 0 => {}
                next => break next,
            }
        };
        match batch {
            None => input.is_read = true,
            Some(batch) => {
                input.at = Some((self.runs.len(), 0));
                self.runs.push(Run::of((self.partition)(&batch), batch.columns().to_vec())?);
                self.held.note(self.in_memory());
            }
        }
        Ok(())
    }

    fn run(&self, number: usize) -> Option<(&Run<'a>, usize)> {
        let (run, row) = self.inputs.get(number)?.at?;
        Some((self.runs.get(run)?, row))
    }

    /// Numbers of the files with the smallest row and with the one after it.
    fn smallest(&self) -> Result<Option<(usize, Option<usize>)>> {
        let mut found: Option<(usize, Option<usize>)> = None;
        for number in 0..self.inputs.len() {
            let Some(next) = self.run(number) else { continue };
            let before = |than: Option<usize>| match than.and_then(|than| self.run(than)) {
                Some((run, row)) => Ok::<bool, Error>(next.0.compare(next.1, run, row)?.is_lt()),
                None => Ok(true),
            };
            found = match found {
                None => Some((number, None)),
                Some((first, _)) if before(Some(first))? => Some((number, Some(first))),
                Some((first, second)) if before(second)? => Some((first, Some(number))),
                found => found,
            };
        }
        Ok(found)
    }

    /// Takes the rows of a file that come before the next one of another.
    fn take(&mut self, first: usize, second: Option<usize>) -> Result<()> {
        let Some((run, start)) = self.run(first) else { return Ok(()) };
        let room = self.held.write_rows().saturating_sub(self.places.len()).max(1);
        let most = run.rows().min(start + room);
        let end = match second.and_then(|second| self.run(second)) {
            None => most,
            Some((other, at)) => {
                // Rows of a file mostly come one after the other, or alone: steps that double, then halves.
                let comes_first = |row: usize| Ok::<bool, Error>(!run.compare(row, other, at)?.is_gt());
                let (mut low, mut step) = (start + 1, 1);
                while low < most && comes_first((low + step - 1).min(most - 1))? {
                    low = (low + step).min(most);
                    step *= 2;
                }
                let mut high = (low + step - 1).min(most);
                while low < high {
                    let middle = low + (high - low) / 2;
                    if comes_first(middle)? { low = middle + 1 } else { high = middle }
                }
                low
            }
        };
        let rows = run.rows();
        if let Some(input) = self.inputs.get_mut(first)
            && let Some((run, _)) = input.at
        {
            self.places.extend((start..end).map(|row| (run, row)));
            input.at = (end < rows).then_some((run, end));
        }
        Ok(())
    }

    /// The rows that were taken, as a batch; batches of which all rows were taken are held no more.
    fn put_out(&mut self) -> Result<Option<RecordBatch>> {
        if self.places.is_empty() {
            return Ok(None);
        }
        self.held.note(self.in_memory());
        let places = std::mem::take(&mut self.places);
        let Some(first) = self.runs.first() else { return Ok(None) };
        let misfit = || first.partition.misfit();
        let schema = layout::record_schema(first.partition.kind);
        let of = |place: usize| -> Option<Vec<&ArrayRef>> {
            self.runs.iter().map(|run| run.columns.get(place)).collect()
        };
        let arrays = (0..schema.fields().len()).map(of).collect::<Option<Vec<_>>>().ok_or_else(misfit)?;
        let columns = schema.fields().iter().collect::<Vec<_>>().into_par_iter().zip(arrays);
        let columns: Option<Vec<ArrayRef>> =
            columns.map(|(field, arrays)| column(&arrays, field.data_type(), &places)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.ok_or_else(misfit)?);
        let batch = batch.map_err(|_| misfit())?;
        self.let_go();
        Ok(Some(batch))
    }

    fn let_go(&mut self) {
        let mut next = 0;
        let mut moved = vec![None; self.runs.len()];
        for (run, _) in self.inputs.iter().filter_map(|input| input.at) {
            if let Some(slot) = moved.get_mut(run) {
                *slot = Some(0);
            }
        }
        for slot in moved.iter_mut().flatten() {
            *slot = next;
            next += 1;
        }
        let mut kept = moved.iter();
        self.runs.retain(|_| kept.next().is_some_and(Option::is_some));
        for input in &mut self.inputs {
            input.at = input.at.and_then(|(run, row)| Some((moved.get(run).copied().flatten()?, row)));
        }
    }
}

/// A column of rows out of several batches. `None` when it is not of the type.
fn column(arrays: &[&ArrayRef], data_type: &DataType, places: &[(usize, usize)]) -> Option<ArrayRef> {
    if *data_type != DataType::Utf8 {
        let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
        return interleave(&arrays, places).ok();
    }
    // Texts that are numbers of a dictionary become texts here.
    let texts: Vec<Texts<'_>> = arrays.iter().map(|array| Texts::of(Some(array))).collect::<Option<_>>()?;
    let of = |(run, row): &(usize, usize)| texts.get(*run).and_then(|texts| texts.get(*row));
    let bytes = places.iter().filter_map(of).map(str::len).sum();
    let mut builder = StringBuilder::with_capacity(places.len(), bytes);
    places.iter().for_each(|place| builder.append_option(of(place)));
    Some(Arc::new(builder.finish()))
}

impl<'a, F: Fn(&RecordBatch) -> Partition<'a>> Iterator for Merge<'a, F> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.step();
        self.failed = next.is_err();
        next.transpose()
    }
}
