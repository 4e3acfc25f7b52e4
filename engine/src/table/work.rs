//! The work of a scan in one shard: judge blocks, fetch what is left, evaluate what is not yet known.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{and_kleene, cast, filter_record_batch, prep_null_mask_filter};
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use hyperseg_storage::layout::ORDINAL;
use hyperseg_storage::scope::{Batches, OpenFile};

use super::candidates;
use super::dates::Dates;
use super::judged::{Judged, Left, Mask, Stretch, extend};
use super::outcomes::Outcomes;
use super::reading::{Beside, OpenTest, Reading};
use super::scan::{Order, Output};
use super::source::{SealedFile, storage};
use crate::plan::exec::column;

/// Known answers are put out in pieces of this many rows.
const PIECE_ROWS: u64 = 1 << 16;

/// Figures of a scan in one shard.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    files: Count,
    blocks: Count,
    pruned: Count,
    known: Count,
    pub(super) rows: Count,
    pages: Count,
    bytes: Count,
    unknown: Count,
}

impl Figures {
    pub(super) fn new(metrics: &ExecutionPlanMetricsSet, shard: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, shard);
        Self {
            files: counter("files"),
            blocks: counter("blocks"),
            pruned: counter("blocks_pruned"),
            known: counter("blocks_known"),
            rows: counter("rows_decoded"),
            pages: counter("pages"),
            bytes: counter("bytes"),
            unknown: counter("unknown_rows"),
        }
    }

    /// Counts what was fetched from one file.
    pub(super) fn fetched(&self, batches: &Batches) {
        self.pages.add(usize::try_from(batches.pages()).unwrap_or(usize::MAX));
        self.bytes.add(usize::try_from(batches.bytes()).unwrap_or(usize::MAX));
        self.files.add(usize::from(batches.bytes() > 0));
    }
}

/// The batches of a scan in one shard.
pub(crate) struct Work {
    order: Arc<Order>,
    shard: usize,
    figures: Figures,
    files: VecDeque<SealedFile>,
    open: Option<Arc<OpenFile>>,
    stretches: VecDeque<Stretch>,
    reading: Option<(Batches, Arc<Reading>)>,
    readings: BTreeMap<Left, Arc<Reading>>,
    dates: Dates,
}

impl Work {
    pub(super) fn new(order: Arc<Order>, shard: usize, figures: Figures) -> Self {
        let files = order.source.files(shard).iter().cloned().collect();
        Self {
            order,
            shard,
            figures,
            files,
            open: None,
            stretches: VecDeque::new(),
            reading: None,
            readings: BTreeMap::new(),
            dates: Dates::default(),
        }
    }

    /// Rows of its files.
    pub(super) fn rows(&self) -> u64 {
        self.order.source.files(self.shard).iter().map(|file| file.entry.rows).sum()
    }

    /// Looks up these dates of contacts.
    pub(super) fn look_up(&mut self, dates: Dates) {
        self.dates = dates;
    }

    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some((batches, reading)) = &mut self.reading {
                match batches.next() {
                    Some(batch) => {
                        let batch = batch.map_err(storage)?;
                        self.figures.rows.add(batch.num_rows());
                        let reading = Arc::clone(reading);
                        if let Some(batch) = self.evaluate(&batch, &reading)? {
                            return Ok(Some(batch));
                        }
                    }
                    None => {
                        self.figures.fetched(batches);
                        self.reading = None;
                    }
                }
                continue;
            }
            match self.stretches.pop_front() {
                Some(Stretch::Known { answer, rows }) => {
                    let piece = rows.min(PIECE_ROWS);
                    if rows > piece {
                        self.stretches.push_front(Stretch::Known { answer, rows: rows - piece });
                    }
                    return self.known(answer, piece).map(Some);
                }
                Some(Stretch::Open { left, rows }) => self.begin(left, &rows)?,
                None => {
                    let Some(file) = self.files.pop_front() else { return Ok(None) };
                    let open = self.order.source.open(&file)?;
                    self.stretches = self.judge(&open, &file).into();
                    self.open = Some(open);
                }
            }
        }
    }

    /// Rows in blocks that may hold some that are selected.
    pub(super) fn rows_possible(&self) -> Result<u64> {
        let mut rows = 0;
        for file in &self.files {
            let open = self.order.source.open(file)?;
            rows += self.judged(&open, file).open_rows();
        }
        Ok(rows)
    }

    /// Sorts the blocks of a file by what is left to do, and counts them.
    fn judge(&self, file: &OpenFile, sealed: &SealedFile) -> Vec<Stretch> {
        let judged = self.judged(file, sealed);
        let blocks = file.rows().div_ceil(u64::from(file.page_rows().max(1)));
        self.figures.blocks.add(usize::try_from(blocks).unwrap_or(usize::MAX));
        self.figures.pruned.add(judged.pruned);
        self.figures.known.add(judged.known);
        judged.stretches(file.rows(), self.all())
    }

    fn judged(&self, file: &OpenFile, sealed: &SealedFile) -> Judged {
        let candidates = self.order.candidates.as_ref().and_then(|candidates| candidates.of(self.shard));
        let ordinals = file.directory(ORDINAL);
        let block_rows = u64::from(file.page_rows().max(1));
        let directories: Vec<_> = self
            .order
            .conditions
            .iter()
            .chain(&self.order.asked)
            .flat_map(|condition| &condition.columns)
            .filter_map(|name| Some((name.as_str(), file.directory(name)?)))
            .collect();
        let blocks = file.rows().div_ceil(block_rows);
        let answers = matches!(self.order.output, Output::Truth { .. });
        let certain = matches!(self.order.output, Output::Truth { certain: true });
        let mut judged = Judged::new(answers);
        for number in 0..blocks {
            let start = number * block_rows;
            let rows = start..file.rows().min(start + block_rows);
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            let length = u32::try_from(rows.end - rows.start).unwrap_or(u32::MAX);
            // Of contacts that were changed since, the file's directories know nothing.
            let patched = file.is_patched(&rows);
            let block = |name: &str| {
                if patched {
                    return None;
                }
                let (_, directory) = directories.iter().find(|(known, _)| *known == name)?;
                directory.blocks.get(place)
            };
            let matters = candidates.is_none_or(|candidates| {
                if self.order.source.bytes {
                    let first = u64::from(sealed.first_ordinal);
                    candidates::any(candidates, first + rows.start, first + rows.end - 1)
                } else {
                    let block = ordinals.and_then(|directory| directory.blocks.get(place));
                    candidates::possible(candidates, block)
                }
            });
            if !matters {
                judged.push(rows, Outcomes::FALSE, Left::default(), false);
                continue;
            }
            let mut all = Outcomes::TRUE;
            let mut mask = 0;
            let mut possible = true;
            for (condition, bit) in self.order.conditions.iter().zip(0_u32..) {
                let outcomes = condition.test.outcomes(length, &block);
                all = all.and(outcomes);
                possible &= outcomes.can_be_true() || condition.tallied && outcomes.can_be_unknown();
                if outcomes != Outcomes::TRUE {
                    mask |= 1 << bit.min(Mask::BITS - 1);
                }
            }
            if certain && !all.can_be_true() {
                all = Outcomes::FALSE;
            }
            let asked = self.order.asked.iter().map(|asked| asked.test.outcomes(length, &block).into());
            judged.push(rows, all, Left { mask, asked: asked.collect() }, possible);
        }
        judged
    }

    /// Every condition.
    fn all(&self) -> Mask {
        let bits = u32::try_from(self.order.conditions.len()).unwrap_or(u32::MAX);
        Mask::MAX.checked_shr(Mask::BITS.saturating_sub(bits)).unwrap_or(0)
    }

    fn begin(&mut self, left: Left, rows: &[Range<u64>]) -> Result<()> {
        self.dates.load()?;
        let Some(open) = &self.open else { return internal_err!("rows of no file") };
        // Places of rows are told by those that are read: the ones that count.
        let live = open.live(Some(rows));
        let rows = live.as_slice();
        let of_candidates;
        let one_by_one =
            self.order.candidates.as_ref().and_then(|candidates| candidates.one_by_one(self.shard));
        let rows = match one_by_one {
            Some(candidates) if !self.order.source.bytes => {
                of_candidates = self.rows_of(open, rows, candidates)?;
                of_candidates.as_slice()
            }
            Some(_) | None => rows,
        };
        let reading = match self.readings.get(&left) {
            Some(reading) => Arc::clone(reading),
            None => {
                let reading = Arc::new(Reading::of(&self.order, &left)?);
                self.readings.insert(left, Arc::clone(&reading));
                reading
            }
        };
        let columns: Vec<&str> = reading.columns.iter().map(String::as_str).collect();
        let batches = open.read_written(&columns, Some(rows));
        self.reading = Some((batches.map_err(storage)?, reading));
        Ok(())
    }

    /// Those of the rows whose contacts are candidates.
    fn rows_of(
        &self,
        open: &OpenFile,
        rows: &[Range<u64>],
        candidates: &BooleanBuffer,
    ) -> Result<Vec<Range<u64>>> {
        let mut found: Vec<Range<u64>> = Vec::new();
        let mut numbers = rows.iter().cloned().flatten();
        let mut batches = open.read_written(&[ORDINAL], Some(rows)).map_err(storage)?;
        for batch in &mut batches {
            let batch = batch.map_err(storage)?;
            self.figures.rows.add(batch.num_rows());
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            for (&ordinal, row) in ordinals.values().iter().zip(&mut numbers) {
                let contact = ordinal as usize;
                // An ordinal beyond the shard is read, to be refused.
                if contact >= candidates.len() || candidates.value(contact) {
                    extend(&mut found, row..row + 1);
                }
            }
        }
        self.figures.fetched(&batches);
        Ok(found)
    }

    fn evaluate(&self, batch: &RecordBatch, reading: &Reading) -> Result<Option<RecordBatch>> {
        let Some(open) = &self.open else { return internal_err!("rows of no file") };
        match &self.order.output {
            Output::Truth { certain: true } => {
                let truth = BooleanArray::new(self.certain(batch, reading, open)?, None);
                Ok(Some(RecordBatch::try_new(Arc::clone(&self.order.schema), vec![Arc::new(truth)])?))
            }
            Output::Truth { certain: false } => {
                let mut truth: Option<BooleanArray> = None;
                for (name, lookup) in &reading.lookups {
                    let answers = lookup.answers(bytes_of(batch, name)?);
                    truth = Some(match truth {
                        None => answers,
                        Some(before) => and_kleene(&before, &answers)?,
                    });
                }
                if !reading.tests.is_empty() {
                    let tests: Vec<&OpenTest> = reading.tests.iter().collect();
                    let batch =
                        reading
                            .columns_for(&tests, batch, &Beside { open, dates: &self.dates }, |_| false)?;
                    for test in tests {
                        let answers = test.answers(&batch)?;
                        truth = Some(match truth {
                            None => answers,
                            Some(before) => and_kleene(&before, &answers)?,
                        });
                    }
                }
                let truth = truth.unwrap_or_else(|| BooleanArray::from(vec![true; batch.num_rows()]));
                Ok(Some(RecordBatch::try_new(Arc::clone(&self.order.schema), vec![Arc::new(truth)])?))
            }
            Output::Columns(output) => {
                let mut selected: Option<BooleanArray> = None;
                let mut tallied: Option<BooleanArray> = None;
                let mut add = |answers: BooleanArray, is_tallied: bool| -> Result<bool> {
                    let (place, answers) = if is_tallied {
                        (&mut tallied, answers)
                    } else {
                        (&mut selected, without_nulls(answers))
                    };
                    let joined = match place.take() {
                        None => answers,
                        Some(before) => and_kleene(&before, &answers)?,
                    };
                    let possible = joined.null_count() > 0 || joined.has_true();
                    *place = Some(joined);
                    Ok(possible)
                };
                // Codes first: they need no texts, and often leave nothing to do.
                let coded = reading.tests.iter().take_while(|test| test.is_coded());
                for test in coded.clone() {
                    if !add(
                        reading.coded_answers(test, batch, &Beside { open, dates: &self.dates })?,
                        test.tallied,
                    )? {
                        return Ok(None);
                    }
                }
                let left: Vec<&OpenTest> = reading.tests.iter().skip(coded.count()).collect();
                let evaluated: Vec<&OpenTest> =
                    left.iter().copied().chain(reading.open_questions()).collect();
                let is_output =
                    |name: &str| output.iter().any(|own| own == name) && !self.order.is_coded(name);
                let written = batch;
                let batch = &reading.columns_for(
                    &evaluated,
                    batch,
                    &Beside { open, dates: &self.dates },
                    is_output,
                )?;
                for test in left {
                    if !add(test.answers(batch)?, test.tallied)? {
                        return Ok(None);
                    }
                }
                let batch = &reading.with_answers(batch)?;
                if let Some(tallied) = tallied {
                    let tallied = match &selected {
                        // FALSE where a filter already is: what it may be there is nobody's concern.
                        Some(selected) => and_kleene(selected, &tallied)?,
                        None => tallied,
                    };
                    self.figures.unknown.add(tallied.null_count());
                    selected = Some(without_nulls(tallied));
                }
                let kept = match selected.as_ref().map_or(batch.num_rows(), BooleanArray::true_count) {
                    0 => return Ok(None),
                    all if all == batch.num_rows() => None,
                    _ => selected,
                };
                let columns = self.put_out(written, batch)?;
                Ok(Some(match kept {
                    None => columns,
                    Some(kept) => filter_record_batch(&columns, &kept)?,
                }))
            }
        }
    }

    /// For which rows all tests are TRUE; none is evaluated any more once it is for no row.
    fn certain(&self, batch: &RecordBatch, reading: &Reading, open: &OpenFile) -> Result<BooleanBuffer> {
        let mut left = BooleanBuffer::new_set(batch.num_rows());
        for (name, lookup) in &reading.lookups {
            left = &left & &lookup.certain(bytes_of(batch, name)?);
            if !left.has_true() {
                return Ok(left);
            }
        }
        let from = Beside { open, dates: &self.dates };
        for test in &reading.tests {
            let columns = reading.columns_for(&[test], batch, &from, |_| false)?;
            left = &left & without_nulls(test.answers(&columns)?).values();
            if !left.has_true() {
                return Ok(left);
            }
        }
        Ok(left)
    }

    /// The columns that come out: texts that stay coded from the batch as it is written, the others as they were evaluated.
    fn put_out(&self, written: &RecordBatch, evaluated: &RecordBatch) -> Result<RecordBatch> {
        let schema = &self.order.schema;
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let is_coded = self.order.is_coded(field.name());
            let found = if is_coded { written } else { evaluated }.column_by_name(field.name());
            let Some(found) = found else { return internal_err!("column {} was not read", field.name()) };
            // Where a file holds the texts themselves, they are numbered here.
            columns.push(if is_coded { cast(found, field.data_type())? } else { Arc::clone(found) });
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(evaluated.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)?)
    }

    /// Rows whose answer is known.
    fn known(&self, answer: Option<bool>, rows: u64) -> Result<RecordBatch> {
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let truth = match answer {
            Some(answer) => {
                let bits = if answer {
                    arrow::buffer::BooleanBuffer::new_set(rows)
                } else {
                    arrow::buffer::BooleanBuffer::new_unset(rows)
                };
                BooleanArray::new(bits, None)
            }
            None => BooleanArray::new_null(rows),
        };
        Ok(RecordBatch::try_new(Arc::clone(&self.order.schema), vec![Arc::new(truth)])?)
    }
}

impl Iterator for Work {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.files.clear();
            self.stretches.clear();
            self.reading = None;
        }
        step.transpose()
    }
}

/// The bytes of a column that is written so.
fn bytes_of<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b [u8]> {
    let bytes = batch.column_by_name(name).and_then(|bytes| bytes.as_fixed_size_binary_opt());
    match bytes {
        Some(bytes) => Ok(bytes.value_data()),
        None => internal_err!("a column that is no bytes"),
    }
}

/// UNKNOWN counts as FALSE.
fn without_nulls(answers: BooleanArray) -> BooleanArray {
    if answers.null_count() > 0 { prep_null_mask_filter(&answers) } else { answers }
}
