//! What a scan reads for the conditions that a block leaves open, and how it evaluates them.
//!
//! ```text
//! in:   batch as it is written: bytes, numbers, texts as numbers into a dictionary
//! 1.    bytes of contacts        answered by lookup
//! 2.    tests of one text,       each text of the dictionary, and each category, is tested once;
//!       or category of records   the rest sees a Boolean column
//! 3.    everything else          DataFusion's expressions over columns as they are read
//! ```
//!
//! The second step also takes parts of a condition: of `decision <> 0 OR scope = 'all'` the latter. Texts are made only
//! for conditions over several of them, and for the output.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef, Int16Type, Int32Type, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;
use hyperseg_storage::scope::OpenFile;

use super::compared::compared;
use super::dates::{Dates, is_beside};
use super::judged::{Asked, Left, Mask};
use super::lookup::Lookup;
use super::scan::{Condition, Order, Output, asked};
use super::source::{Source, storage};

/// Where columns come from, beside the batch itself.
pub(super) struct Beside<'w> {
    pub(super) open: &'w OpenFile,
    pub(super) dates: &'w Dates,
}

/// What is read and evaluated for one mask.
#[derive(Debug)]
pub(super) struct Reading {
    /// Columns to fetch.
    pub(super) columns: Vec<String>,
    /// Tests of bytes, by their column.
    pub(super) lookups: Vec<(String, Lookup<u8>)>,
    /// Tests of one text each.
    codes: Vec<CodeTest>,
    /// The other conditions; those that only ask for codes come first.
    pub(super) tests: Vec<OpenTest>,
    /// What is put out beside the columns.
    questions: Vec<Question>,
    /// Columns of the tests and of the output, then an answer for each of the codes.
    evaluated: SchemaRef,
}

/// What is put out beside the columns, in order.
#[derive(Debug)]
enum Question {
    Known(Option<bool>),
    Open(OpenTest),
}

/// A condition that is open.
#[derive(Debug)]
pub(super) struct OpenTest {
    /// Over the columns `evaluated`.
    expr: Arc<dyn PhysicalExpr>,
    /// Columns that it still reads.
    columns: Vec<String>,
    /// Places of the codes that it asks for.
    codes: Vec<usize>,
    /// UNKNOWN is tallied.
    pub(super) tallied: bool,
}

impl OpenTest {
    /// Needs no columns beside codes.
    pub(super) fn is_coded(&self) -> bool {
        self.columns.is_empty() && !self.codes.is_empty()
    }

    fn reads(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }
}

/// A Boolean expression over one column of texts, or of categories or flags of records.
#[derive(Debug)]
struct CodeTest {
    field: FieldRef,
    /// Over that column alone.
    expr: Arc<dyn PhysicalExpr>,
    /// Its answers for categories and flags.
    places: Option<Lookup<i16>>,
}

impl CodeTest {
    fn answers(&self, batch: &RecordBatch, open: &OpenFile) -> Result<BooleanArray> {
        let Some(found) = batch.column_by_name(self.field.name()) else {
            return internal_err!("column {} was not read", self.field.name());
        };
        let places = found.as_primitive_opt::<Int16Type>().filter(|places| places.null_count() == 0);
        if let (Some(lookup), Some(places)) = (&self.places, places)
            && let Some(answers) = lookup.answers_known(places.values())
        {
            return Ok(answers);
        }
        let schema = Arc::new(Schema::new(vec![Arc::clone(&self.field)]));
        let Some(codes) = found.as_dictionary_opt::<Int32Type>() else {
            let texts = as_read(batch, &[self.field.name()], open)?;
            return truths(&self.expr, &RecordBatch::try_new(schema, texts.columns().to_vec())?);
        };
        // Behind the texts, what the test says of a missing one.
        let texts = concat(&[codes.values().as_ref(), new_null_array(self.field.data_type(), 1).as_ref()])?;
        let missing = texts.len() - 1;
        let answers = truths(&self.expr, &RecordBatch::try_new(schema, vec![texts])?)?;
        let is_true = |text: usize| answers.is_valid(text) && answers.value(text);
        let by_code: Vec<(bool, bool)> =
            (0..missing).map(|text| (is_true(text), answers.is_valid(text))).collect();
        let of_code = |code: &i32| {
            let text = usize::try_from(*code).ok().and_then(|code| by_code.get(code));
            text.copied().unwrap_or_default()
        };
        let keys = codes.keys();
        let certain = packed(keys.values(), |code| of_code(code).0);
        let known = packed(keys.values(), |code| of_code(code).1);
        // What stands in the places of missing texts means nothing.
        let (certain, known) = match keys.nulls() {
            None => (certain, known),
            Some(there) => {
                let all = |answer: bool| {
                    if answer { !there.inner() } else { BooleanBuffer::new_unset(there.len()) }
                };
                let (if_missing, is_known) = (all(is_true(missing)), all(answers.is_valid(missing)));
                (&(&certain & there.inner()) | &if_missing, &(&known & there.inner()) | &is_known)
            }
        };
        let nulls = Some(NullBuffer::new(known)).filter(|known| known.null_count() > 0);
        Ok(BooleanArray::new(certain, nulls))
    }
}

impl Reading {
    /// For what is left of the conditions and questions.
    pub(super) fn of(order: &Order, left: &Left) -> Result<Self> {
        let conditions = order.conditions.iter().zip(0_u32..);
        let open: Vec<&Condition> = conditions
            .filter(|(_, bit)| left.mask & 1 << (*bit).min(Mask::BITS - 1) != 0)
            .map(|(condition, _)| condition)
            .collect();
        let questions: Vec<_> = order.asked.iter().zip(&left.asked).collect();
        let open_questions = questions.iter().filter(|(_, asked)| **asked == Asked::Open);
        let output = |name: &String| match &order.output {
            Output::Columns(columns) => columns.contains(name),
            Output::Truth { .. } => false,
        };
        let evaluated = open.iter().copied().chain(open_questions.map(|(condition, _)| *condition));
        let evaluated: Vec<&Condition> = evaluated.collect();
        let is_tested = |name: &String| evaluated.iter().any(|condition| condition.columns.contains(name));
        let schema = &order.source.schema;
        let mut read = projected(schema, |name| output(name) || is_tested(name))?;
        if read.fields().is_empty() {
            // Rows without columns cannot be counted.
            read = schema.project(&[schema.index_of(ORDINAL)?])?;
        }
        let (beside, mut columns): (Vec<String>, Vec<String>) =
            read.fields().iter().map(|field| field.name().clone()).partition(|name| is_beside(name));
        if !beside.is_empty() && !columns.iter().any(|name| name == ORDINAL) {
            // It stands before all others.
            columns.insert(0, ORDINAL.to_owned());
        }
        let mut this = Self {
            columns,
            lookups: Vec::new(),
            codes: Vec::new(),
            tests: Vec::new(),
            questions: Vec::new(),
            evaluated: Arc::new(Schema::empty()),
        };
        for condition in open {
            let lookup = match (&order.output, condition.columns.as_slice()) {
                (Output::Truth { .. }, [column]) if order.source.bytes => {
                    let field = read.field_with_name(column)?;
                    Lookup::of(&condition.expr, field)?.map(|lookup| (column.clone(), lookup))
                }
                _ => None,
            };
            match lookup {
                Some(lookup) => this.lookups.push(lookup),
                None => {
                    let test = this.coded(condition, &order.source)?;
                    this.tests.push(test);
                }
            }
        }
        this.tests.sort_by_key(|test| !test.is_coded());
        for (condition, asked) in questions {
            let question = match asked {
                Asked::Known(answer) => Question::Known(*answer),
                Asked::Open => Question::Open(this.coded(condition, &order.source)?),
            };
            this.questions.push(question);
        }
        let is_put_out = |name: &String| output(name) && !order.is_coded(name);
        let mut fields: Vec<FieldRef> =
            projected(&read, |name| is_put_out(name) || this.open_tests().any(|test| test.reads(name)))?
                .fields()
                .iter()
                .map(|field| Arc::new(field.as_ref().clone().with_nullable(true)))
                .collect();
        fields.extend((0..this.codes.len()).map(|code| Arc::new(code_field(code))));
        this.evaluated = Arc::new(Schema::new(fields));
        let open = this.questions.iter_mut().filter_map(|question| match question {
            Question::Known(_) => None,
            Question::Open(test) => Some(test),
        });
        for test in this.tests.iter_mut().chain(open) {
            test.expr = reassign_expr_columns(Arc::clone(&test.expr), &this.evaluated)?;
        }
        Ok(this)
    }

    fn open_tests(&self) -> impl Iterator<Item = &OpenTest> {
        self.tests.iter().chain(self.open_questions())
    }

    /// The questions that have to be evaluated.
    pub(super) fn open_questions(&self) -> impl Iterator<Item = &OpenTest> {
        self.questions.iter().filter_map(|question| match question {
            Question::Known(_) => None,
            Question::Open(test) => Some(test),
        })
    }

    /// The batch with the answers of the questions behind its columns.
    pub(super) fn with_answers(&self, evaluated: &RecordBatch) -> Result<RecordBatch> {
        if self.questions.is_empty() {
            return Ok(evaluated.clone());
        }
        let mut fields = evaluated.schema().fields().to_vec();
        let mut columns = evaluated.columns().to_vec();
        for (place, question) in self.questions.iter().enumerate() {
            let rows = evaluated.num_rows();
            let answers = match question {
                Question::Open(test) => test.answers(evaluated)?,
                Question::Known(None) => BooleanArray::new_null(rows),
                Question::Known(Some(true)) => BooleanArray::new(BooleanBuffer::new_set(rows), None),
                Question::Known(Some(false)) => BooleanArray::new(BooleanBuffer::new_unset(rows), None),
            };
            fields.push(Arc::new(Field::new(asked(place), DataType::Boolean, true)));
            columns.push(Arc::new(answers));
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(evaluated.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows)?)
    }

    /// The condition with its tests of one text, and of one category or flag of records, made codes.
    fn coded(&mut self, condition: &Condition, source: &Source) -> Result<OpenTest> {
        let (schema, of_records) = (&source.schema, !source.bytes);
        let mut asked = Vec::new();
        let codes = &mut self.codes;
        let expr = Arc::clone(&condition.expr).transform_down(|part| {
            let columns = collect_columns(&part);
            let mut columns = columns.iter();
            let (Some(column), None) = (columns.next(), columns.next()) else {
                return Ok(Transformed::no(part));
            };
            let field = schema.field_with_name(column.name())?;
            let is_coded = match field.data_type() {
                DataType::Utf8 => true,
                DataType::Int16 | DataType::Boolean => of_records,
                _ => false,
            };
            if !is_coded || part.data_type(schema)? != DataType::Boolean {
                return Ok(Transformed::no(part));
            }
            let field: FieldRef = Arc::new(field.clone().with_nullable(true));
            let alone = Schema::new(vec![Arc::clone(&field)]);
            asked.push(codes.len());
            let code = code_field(codes.len());
            let places = Lookup::of(&part, &field)?;
            codes.push(CodeTest { field, expr: reassign_expr_columns(part, &alone)?, places });
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(code.name(), 0));
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        })?;
        let columns = collect_columns(&expr.data);
        let columns = columns.iter().map(|column| column.name().to_owned());
        let columns = columns.filter(|name| schema.index_of(name).is_ok()).collect();
        Ok(OpenTest { expr: expr.data, columns, codes: asked, tallied: condition.tallied })
    }

    /// The answers of a test that only asks for codes.
    pub(super) fn coded_answers(
        &self,
        test: &OpenTest,
        batch: &RecordBatch,
        from: &Beside<'_>,
    ) -> Result<BooleanArray> {
        if let ([code], true) = (test.codes.as_slice(), test.expr.downcast_ref::<Column>().is_some()) {
            let Some(code) = self.codes.get(*code) else { return internal_err!("a code that is none") };
            return code.answers(batch, from.open);
        }
        truths(&test.expr, &self.columns_for(&[test], batch, from, |_| false)?)
    }

    /// The columns that these tests are evaluated over, of a batch as it is written; those that neither they nor the
    /// output needs are missing.
    pub(super) fn columns_for(
        &self,
        tests: &[&OpenTest],
        batch: &RecordBatch,
        from: &Beside<'_>,
        is_output: impl Fn(&str) -> bool,
    ) -> Result<RecordBatch> {
        let fields = self.evaluated.fields();
        let raw = fields.get(..fields.len() - self.codes.len()).unwrap_or_default();
        let is_needed = |name: &str| is_output(name) || tests.iter().any(|test| test.reads(name));
        let names: Vec<&str> = raw
            .iter()
            .map(|field| field.name().as_str())
            .filter(|name| is_needed(name) && !is_beside(name))
            .collect();
        let found = if names.is_empty() { None } else { Some(as_read(batch, &names, from.open)?) };
        let mut arrays = Vec::with_capacity(fields.len());
        for field in raw {
            if is_beside(field.name()) && is_needed(field.name()) {
                arrays.push(from.dates.of_rows(field.name(), batch)?);
                continue;
            }
            let array = found.as_ref().and_then(|found| found.column_by_name(field.name()));
            arrays
                .push(array.map_or_else(|| new_null_array(field.data_type(), batch.num_rows()), Arc::clone));
        }
        for (place, code) in self.codes.iter().enumerate() {
            arrays.push(if tests.iter().any(|test| test.codes.contains(&place)) {
                Arc::new(code.answers(batch, from.open)?)
            } else {
                new_null_array(&DataType::Boolean, batch.num_rows())
            });
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.evaluated), arrays, &rows)?)
    }
}

impl OpenTest {
    /// Its answers; null is UNKNOWN.
    pub(super) fn answers(&self, evaluated: &RecordBatch) -> Result<BooleanArray> {
        truths(&self.expr, evaluated)
    }
}

/// The answer of a code as a column; no column of a table has such a name.
fn code_field(place: usize) -> Field {
    Field::new(format!("code {place}"), DataType::Boolean, true)
}

fn projected(schema: &Schema, is_wanted: impl Fn(&String) -> bool) -> Result<Schema> {
    let places: Vec<usize> =
        (0..schema.fields().len()).filter(|&place| is_wanted(schema.field(place).name())).collect();
    Ok(schema.project(&places)?)
}

/// These columns as they are read, of a batch as it is written.
fn as_read(batch: &RecordBatch, names: &[&str], open: &OpenFile) -> Result<RecordBatch> {
    let written = batch.schema();
    let mut places = names.iter().map(|name| written.index_of(name)).collect::<Result<Vec<_>, _>>()?;
    // The file's own order, which the reader expects.
    places.sort_unstable();
    let batch = batch.project(&places)?;
    open.reader(names).and_then(|reader| reader.read(&batch)).map_err(storage)
}

/// Evaluates a Boolean expression; null is UNKNOWN.
pub(super) fn truths(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    if let Some(answers) = compared(expr, batch) {
        return Ok(answers);
    }
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
