//! The work of a scan in one shard: judge blocks, fetch what is left, evaluate what is not yet known.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{and_kleene, concat, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::{DataType, FieldRef, Int32Type, Schema};
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use hyperseg_storage::layout::ORDINAL;
use hyperseg_storage::scope::{Batches, OpenFile};

use super::lookup::Lookup;
use super::outcomes::Outcomes;
use super::scan::{Order, Output, in_order};
use super::source::{SealedFile, storage};

/// Conditions that a block leaves open, as bits; with more of them than bits, the last bit stands for all the rest.
type Mask = u64;

/// Known answers are put out in pieces of this many rows.
const PIECE_ROWS: u64 = 1 << 16;
/// With more changes than this between known and open answers, a file is read as a whole: opening costs more.
const STRETCHES_MAX: usize = 16;

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

/// Rows of one file that are dealt with in the same way.
#[derive(Debug)]
enum Stretch {
    /// The answer is known for so many rows.
    Known { answer: Option<bool>, rows: u64 },
    /// Conditions of the mask are open.
    Open { mask: Mask, rows: Vec<Range<u64>> },
}

/// What is read and evaluated for one mask.
#[derive(Debug)]
struct Reading {
    columns: Vec<String>,
    /// Tests of bytes, by their column.
    lookups: Vec<(String, Lookup)>,
    tests: Vec<OpenTest>,
    /// Columns of the tests and of the output.
    evaluated: Vec<String>,
}

/// A condition that is open.
#[derive(Debug)]
struct OpenTest {
    /// Over the columns `evaluated`.
    expr: Arc<dyn PhysicalExpr>,
    /// Its column and the expression over that alone, when it has only one.
    alone: Option<(FieldRef, Arc<dyn PhysicalExpr>)>,
    /// Its columns.
    columns: Vec<String>,
    /// UNKNOWN is tallied.
    tallied: bool,
}

impl OpenTest {
    fn reads(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    /// The answers for a column of numbers into a dictionary, each text of which is tested once; `None` when it is not one.
    fn coded(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
        let Some((field, expr)) = &self.alone else { return Ok(None) };
        let Some(codes) =
            batch.column_by_name(field.name()).and_then(|codes| codes.as_dictionary_opt::<Int32Type>())
        else {
            return Ok(None);
        };
        let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
        // Behind the texts, what the test says of a missing one.
        let texts = concat(&[codes.values().as_ref(), new_null_array(field.data_type(), 1).as_ref()])?;
        let missing = texts.len() - 1;
        let answers = truths(expr, &RecordBatch::try_new(schema, vec![texts])?)?;
        let answer = |code: Option<i32>| {
            let place = code.and_then(|code| usize::try_from(code).ok()).unwrap_or(missing);
            (place < answers.len() && answers.is_valid(place)).then(|| answers.value(place))
        };
        Ok(Some(codes.keys().iter().map(answer).collect()))
    }
}

/// The batches of a scan in one shard.
pub(crate) struct Work {
    order: Arc<Order>,
    figures: Figures,
    files: VecDeque<SealedFile>,
    open: Option<Arc<OpenFile>>,
    stretches: VecDeque<Stretch>,
    reading: Option<(Batches, Arc<Reading>)>,
    readings: BTreeMap<Mask, Arc<Reading>>,
}

impl Work {
    pub(super) fn new(order: Arc<Order>, shard: usize, figures: Figures) -> Self {
        let files = order.source.files(shard).iter().cloned().collect();
        Self {
            order,
            figures,
            files,
            open: None,
            stretches: VecDeque::new(),
            reading: None,
            readings: BTreeMap::new(),
        }
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
                Some(Stretch::Open { mask, rows }) => self.begin(mask, &rows)?,
                None => {
                    let Some(file) = self.files.pop_front() else { return Ok(None) };
                    let open = self.order.source.open(&file)?;
                    self.stretches = self.judge(&open).into();
                    self.open = Some(open);
                }
            }
        }
    }

    /// Sorts the blocks of a file by what is left to do.
    fn judge(&self, file: &OpenFile) -> Vec<Stretch> {
        let block_rows = u64::from(file.page_rows().max(1));
        let directories: Vec<_> = self
            .order
            .conditions
            .iter()
            .flat_map(|condition| &condition.columns)
            .filter_map(|name| Some((name.as_str(), file.directory(name)?)))
            .collect();
        let blocks = file.rows().div_ceil(block_rows);
        let mut judged = Judged::new(matches!(self.order.output, Output::Truth));
        for number in 0..blocks {
            let start = number * block_rows;
            let rows = start..file.rows().min(start + block_rows);
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            let length = u32::try_from(rows.end - rows.start).unwrap_or(u32::MAX);
            let block = |name: &str| {
                let (_, directory) = directories.iter().find(|(known, _)| *known == name)?;
                directory.blocks.get(place)
            };
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
            judged.push(rows, all, mask, possible);
        }
        self.figures.blocks.add(usize::try_from(blocks).unwrap_or(usize::MAX));
        self.figures.pruned.add(judged.pruned);
        self.figures.known.add(judged.known);
        judged.stretches(file.rows(), self.all())
    }

    /// Every condition.
    fn all(&self) -> Mask {
        let bits = u32::try_from(self.order.conditions.len()).unwrap_or(u32::MAX);
        Mask::MAX.checked_shr(Mask::BITS.saturating_sub(bits)).unwrap_or(0)
    }

    fn begin(&mut self, mask: Mask, rows: &[Range<u64>]) -> Result<()> {
        let Some(open) = &self.open else { return internal_err!("rows of no file") };
        let reading = match self.readings.get(&mask) {
            Some(reading) => Arc::clone(reading),
            None => {
                let reading = Arc::new(self.reading_of(mask)?);
                self.readings.insert(mask, Arc::clone(&reading));
                reading
            }
        };
        let columns: Vec<&str> = reading.columns.iter().map(String::as_str).collect();
        let batches = open.read_written(&columns, Some(rows));
        self.reading = Some((batches.map_err(storage)?, reading));
        Ok(())
    }

    fn reading_of(&self, mask: Mask) -> Result<Reading> {
        let conditions = self.order.conditions.iter().zip(0_u32..);
        let open: Vec<_> = conditions
            .filter(|(_, bit)| mask & 1 << (*bit).min(Mask::BITS - 1) != 0)
            .map(|(condition, _)| condition)
            .collect();
        let wanted = |name: &String| {
            let output = match &self.order.output {
                Output::Columns(columns) => columns.contains(name),
                Output::Truth => false,
            };
            output || open.iter().any(|condition| condition.columns.contains(name))
        };
        let schema = &self.order.source.schema;
        let mut places: Vec<usize> =
            (0..schema.fields().len()).filter(|&place| wanted(schema.field(place).name())).collect();
        if places.is_empty() {
            // Rows without columns cannot be counted.
            places.push(schema.index_of(ORDINAL)?);
        }
        let read = schema.project(&places)?;
        let names = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect();
        let (mut lookups, mut left) = (Vec::new(), Vec::new());
        for condition in open {
            let lookup = match (&self.order.output, condition.columns.as_slice()) {
                (Output::Truth, [column]) if self.order.source.bytes => {
                    Lookup::of(&condition.expr, &read, column)?.map(|lookup| (column.clone(), lookup))
                }
                _ => None,
            };
            match lookup {
                Some(lookup) => lookups.push(lookup),
                None => left.push(condition),
            }
        }
        let output = |name: &String| match &self.order.output {
            Output::Columns(columns) => columns.contains(name),
            Output::Truth => false,
        };
        let asked = |name: &String| left.iter().any(|condition| condition.columns.contains(name));
        let places: Vec<usize> = (0..read.fields().len())
            .filter(|&place| asked(read.field(place).name()) || output(read.field(place).name()))
            .collect();
        let evaluated = read.project(&places)?;
        let tests = left
            .iter()
            .map(|condition| {
                let over = |schema: &Schema| reassign_expr_columns(Arc::clone(&condition.expr), schema);
                let alone = match condition.columns.as_slice() {
                    [column] => {
                        let field = Arc::new(read.field_with_name(column)?.clone());
                        let expr = over(&Schema::new(vec![Arc::clone(&field)]))?;
                        Some((field, expr))
                    }
                    _ => None,
                };
                let columns = condition.columns.clone();
                Ok(OpenTest { expr: over(&evaluated)?, alone, columns, tallied: condition.tallied })
            })
            .collect::<Result<_>>()?;
        Ok(Reading { columns: names(&read), lookups, tests, evaluated: names(&evaluated) })
    }

    fn evaluate(&self, batch: &RecordBatch, reading: &Reading) -> Result<Option<RecordBatch>> {
        match &self.order.output {
            Output::Truth => {
                let mut truth: Option<BooleanArray> = None;
                for (name, lookup) in &reading.lookups {
                    let bytes = batch.column_by_name(name).and_then(|bytes| bytes.as_fixed_size_binary_opt());
                    let Some(bytes) = bytes else { return internal_err!("a column that is no bytes") };
                    let answers = lookup.answers(bytes.value_data());
                    truth = Some(match truth {
                        None => answers,
                        Some(before) => and_kleene(&before, &answers)?,
                    });
                }
                let batch = &self.converted(batch, &reading.evaluated, |_| true)?;
                for OpenTest { expr, .. } in &reading.tests {
                    let answers = truths(expr, batch)?;
                    truth = Some(match truth {
                        None => answers,
                        Some(before) => and_kleene(&before, &answers)?,
                    });
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
                let mut left = Vec::with_capacity(reading.tests.len());
                for test in &reading.tests {
                    match test.coded(batch)? {
                        Some(answers) => {
                            if !add(answers, test.tallied)? {
                                return Ok(None);
                            }
                        }
                        None => left.push(test),
                    }
                }
                let is_needed = |name: &str| {
                    output.iter().any(|own| own == name) || left.iter().any(|test| test.reads(name))
                };
                let batch = &self.converted(batch, &reading.evaluated, is_needed)?;
                for OpenTest { expr, tallied, .. } in left {
                    if !add(truths(expr, batch)?, *tallied)? {
                        return Ok(None);
                    }
                }
                if let Some(tallied) = tallied {
                    let tallied = match &selected {
                        // FALSE where a filter already is: what it may be there is nobody's concern.
                        Some(selected) => and_kleene(selected, &tallied)?,
                        None => tallied,
                    };
                    self.figures.unknown.add(tallied.null_count());
                    selected = Some(without_nulls(tallied));
                }
                let kept = match selected {
                    None => in_order(batch, &self.order.schema)?,
                    Some(selected) => match selected.true_count() {
                        0 => return Ok(None),
                        all if all == batch.num_rows() => in_order(batch, &self.order.schema)?,
                        _ => filter_record_batch(&in_order(batch, &self.order.schema)?, &selected)?,
                    },
                };
                Ok(Some(kept))
            }
        }
    }

    /// These columns as they are read, of a batch as it is written; those that nobody needs any more are missing.
    fn converted(
        &self,
        batch: &RecordBatch,
        columns: &[String],
        is_needed: impl Fn(&str) -> bool,
    ) -> Result<RecordBatch> {
        let Some(open) = &self.open else { return internal_err!("rows of no file") };
        let names: Vec<&str> = columns.iter().map(String::as_str).filter(|name| is_needed(name)).collect();
        let written = batch.schema();
        let places = names.iter().map(|name| written.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let found = if places.is_empty() {
            None
        } else {
            let batch = batch.project(&places)?;
            Some(open.reader(&names).and_then(|reader| reader.read(&batch)).map_err(storage)?)
        };
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for name in columns {
            let field = self.order.source.schema.field_with_name(name)?.clone().with_nullable(true);
            arrays.push(match found.as_ref().and_then(|found| found.column_by_name(name)) {
                Some(array) => Arc::clone(array),
                None => new_null_array(field.data_type(), batch.num_rows()),
            });
            fields.push(field);
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &rows)?)
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

/// The blocks of a file, as they are judged.
struct Judged {
    /// Every row is answered, rather than some selected.
    answers: bool,
    pruned: usize,
    known: usize,
    /// For answers: in order. For selections: one for each mask.
    found: Vec<Stretch>,
}

impl Judged {
    fn new(answers: bool) -> Self {
        Self { answers, pruned: 0, known: 0, found: Vec::new() }
    }

    fn push(&mut self, rows: Range<u64>, all: Outcomes, mask: Mask, possible: bool) {
        let length = rows.end - rows.start;
        if self.answers {
            let answer = match all {
                Outcomes::TRUE => Some(Some(true)),
                Outcomes::FALSE => Some(Some(false)),
                Outcomes::UNKNOWN => Some(None),
                _ => None,
            };
            if let Some(answer) = answer {
                self.known += 1;
                match self.found.last_mut() {
                    Some(Stretch::Known { answer: before, rows }) if *before == answer => *rows += length,
                    _ => self.found.push(Stretch::Known { answer, rows: length }),
                }
                return;
            }
            match self.found.last_mut() {
                Some(Stretch::Open { mask: before, rows: ranges }) => {
                    *before |= mask;
                    extend(ranges, rows);
                }
                _ => self.found.push(Stretch::Open { mask, rows: vec![rows] }),
            }
            return;
        }
        if !possible {
            self.pruned += 1;
            return;
        }
        self.known += usize::from(mask == 0);
        let same = self.found.iter_mut().find_map(|stretch| match stretch {
            Stretch::Open { mask: known, rows } if *known == mask => Some(rows),
            Stretch::Open { .. } | Stretch::Known { .. } => None,
        });
        match same {
            Some(ranges) => extend(ranges, rows),
            None => self.found.push(Stretch::Open { mask, rows: vec![rows] }),
        }
    }

    fn stretches(self, rows: u64, all: Mask) -> Vec<Stretch> {
        if self.answers && self.found.len() > STRETCHES_MAX {
            return vec![Stretch::Open { mask: all, rows: std::iter::once(0..rows).collect() }];
        }
        self.found
    }
}

/// Adds rows behind the others.
fn extend(ranges: &mut Vec<Range<u64>>, rows: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == rows.start => last.end = rows.end,
        _ => ranges.push(rows),
    }
}

/// Evaluates a Boolean expression; null is UNKNOWN.
pub(super) fn truths(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let array = expr.evaluate(batch)?.into_array(batch.num_rows())?;
    if let Some(answers) = array.as_any().downcast_ref::<BooleanArray>() {
        return Ok(answers.clone());
    }
    // An expression that is UNKNOWN for every row simplifies to the null literal.
    if array.null_count() == array.len() || *array.data_type() == DataType::Null {
        return Ok(BooleanArray::new_null(array.len()));
    }
    internal_err!("a test that is not Boolean")
}

/// UNKNOWN counts as FALSE.
fn without_nulls(answers: BooleanArray) -> BooleanArray {
    if answers.null_count() > 0 { prep_null_mask_filter(&answers) } else { answers }
}
