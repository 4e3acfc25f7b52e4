//! The physical node that reads encrypted files, with what was pushed into it.
//!
//! Partition *i* holds the files of shard *i*, in the order of their ordinals, and nothing else; the set operators
//! above rely on it. Conditions are judged block by block from the page directories first: what cannot match is never
//! fetched, and a condition that holds for all rows of a block is not evaluated there, nor its columns read.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns, split_conjunction};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use hyperseg_storage::layout::ORDINAL;

use super::candidates::Candidates;
use super::dates::{DateOfContact, Dates, is_beside};
use super::outcomes::Test;
use super::source::{SealedFile, Source, storage};
use super::work::{Figures, Work};

/// Name of the one column of a scan that answers rather than selects.
pub(crate) const TRUTH: &str = "truth";

/// A condition on the rows of a scan.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// Boolean over the columns of the files; null is UNKNOWN.
    pub(crate) expr: Arc<dyn PhysicalExpr>,
    /// The same, for judging blocks.
    pub(crate) test: Arc<Test>,
    /// Columns it reads.
    pub(crate) columns: Vec<String>,
    /// Rows for which it is UNKNOWN are counted.
    pub(crate) tallied: bool,
}

/// What comes out of a scan.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// These columns of the rows for which every condition is TRUE.
    Columns(Vec<String>),
    /// For each row, in order, whether all conditions are TRUE.
    Truth {
        /// Only that matters: UNKNOWN is put out as FALSE.
        certain: bool,
    },
}

/// What a scan is to do.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) source: Arc<Source>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) output: Output,
    /// Conditions whose answers are put out behind the columns, for each selected row ([`asked`]).
    pub(crate) asked: Vec<Condition>,
    pub(crate) schema: SchemaRef,
    /// Contacts for whom the answer matters, when it does not for all.
    pub(crate) candidates: Option<Arc<Candidates>>,
}

impl Order {
    /// Everything the scan may read, in the order of the files.
    pub(crate) fn columns(&self) -> Vec<String> {
        let mut wanted = self.wanted();
        if wanted.iter().any(|name| is_beside(name)) {
            wanted.insert(ORDINAL);
        }
        let fields = self.source.schema.fields().iter().map(|field| field.name());
        fields.filter(|name| !is_beside(name) && wanted.contains(name.as_str())).cloned().collect()
    }

    /// Whether a column of texts comes out as numbers into a dictionary.
    pub(super) fn is_coded(&self, name: &str) -> bool {
        let field = self.schema.field_with_name(name);
        field.is_ok_and(|field| matches!(field.data_type(), DataType::Dictionary(..)))
    }

    /// The dates of contacts that it looks up.
    fn dates(&self) -> impl Iterator<Item = &DateOfContact> {
        let wanted = self.wanted();
        self.source.dates.iter().filter(move |date| wanted.contains(date.column.as_str()))
    }

    fn wanted(&self) -> BTreeSet<&str> {
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        for condition in self.conditions.iter().chain(&self.asked) {
            wanted.extend(condition.columns.iter().map(String::as_str));
        }
        match &self.output {
            Output::Columns(columns) => wanted.extend(columns.iter().map(String::as_str)),
            Output::Truth { .. } => {}
        }
        wanted
    }
}

/// Physical plan of a scan.
#[derive(Debug)]
pub(crate) struct EncryptedScan {
    order: Arc<Order>,
    /// Scans of the dates of contacts that it looks up, by the column beside its own.
    dates: Vec<(String, Arc<dyn ExecutionPlan>)>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl EncryptedScan {
    /// A scan of these columns, or of all, of the rows for which the filters are TRUE.
    pub(crate) fn new(
        source: Arc<Source>,
        projection: Option<&Vec<usize>>,
        filters: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Self> {
        let schema = match projection {
            Some(projection) => Arc::new(source.schema.project(projection)?),
            None => Arc::clone(&source.schema),
        };
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        let conditions = filters.iter().flat_map(|filter| conditions(filter, false)).collect();
        Ok(Self::over(Order {
            source,
            conditions,
            output: Output::Columns(columns),
            asked: Vec::new(),
            schema,
            candidates: None,
        }))
    }

    fn over(order: Order) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&order.schema)),
            Partitioning::UnknownPartitioning(order.source.shards.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let scan = |date: &DateOfContact| -> (String, Arc<dyn ExecutionPlan>) {
            (date.column.clone(), Arc::new(Self::over(date.order())))
        };
        let dates = order.dates().map(scan).collect();
        Self { order: Arc::new(order), dates, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// What it does.
    pub(crate) fn order(&self) -> &Order {
        &self.order
    }

    /// The same scan that also selects by an expression over its output, counts the rows for which that is UNKNOWN,
    /// and puts out these columns only, and behind them the answers of `questions`.
    pub(crate) fn selecting(
        &self,
        selection: &Arc<dyn PhysicalExpr>,
        output: &[&str],
        questions: &[Arc<dyn PhysicalExpr>],
    ) -> Result<Self> {
        let selection = self.over_files(selection)?;
        let mut added = self.order.conditions.clone();
        added.extend(conditions(&selection, true));
        let questions = questions.iter().map(|question| Ok(condition(&self.over_files(question)?, false)));
        let questions = questions.collect::<Result<Vec<_>>>()?;
        let answers = (0..questions.len()).map(|place| Ok(Field::new(asked(place), DataType::Boolean, true)));
        let fields = output.iter().map(|name| self.order.schema.field_with_name(name).cloned());
        let fields = fields.chain(answers);
        Ok(Self::over(Order {
            source: Arc::clone(&self.order.source),
            conditions: added,
            output: Output::Columns(output.iter().map(|name| (*name).to_owned()).collect()),
            asked: questions,
            schema: Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?)),
            candidates: self.order.candidates.clone(),
        }))
    }

    /// The same scan, in which only the rows of some contacts matter.
    pub(crate) fn limited_to(&self, candidates: &Arc<Candidates>) -> Self {
        Self::over(Order { candidates: Some(Arc::clone(candidates)), ..self.order.as_ref().clone() })
    }

    /// The same scan, of whose answers only TRUE matters.
    pub(crate) fn answering_true(&self) -> Self {
        let mut order = self.order.as_ref().clone();
        if let Output::Truth { certain } = &mut order.output {
            *certain = true;
        }
        Self::over(order)
    }

    /// The same scan, whose texts come out as numbers into a dictionary.
    pub(crate) fn with_coded_texts(&self) -> Self {
        let fields = self.order.schema.fields().iter().map(coded_text).collect::<Vec<_>>();
        Self::over(Order { schema: Arc::new(Schema::new(fields)), ..self.order.as_ref().clone() })
    }

    /// Rows of a shard in blocks that may hold some that it selects, as the page directories say.
    pub(crate) fn rows_possible(&self, shard: usize) -> Result<u64> {
        self.work(shard).rows_possible()
    }

    /// The same scan, which says of every row whether a predicate is TRUE.
    pub(crate) fn answering(&self, predicate: &Arc<dyn PhysicalExpr>) -> Result<Self> {
        if !self.order.conditions.is_empty() {
            return internal_err!("a scan that filters cannot answer for every row");
        }
        let predicate = self.over_files(predicate)?;
        Ok(Self::over(Order {
            source: Arc::clone(&self.order.source),
            conditions: conditions(&predicate, false),
            output: Output::Truth { certain: false },
            asked: Vec::new(),
            schema: Arc::new(Schema::new(vec![Field::new(TRUTH, DataType::Boolean, true)])),
            candidates: self.order.candidates.clone(),
        }))
    }

    fn over_dates(&self, scans: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if scans.len() != self.dates.len() {
            return internal_err!("a scan with other than its own scans of dates");
        }
        let names = self.dates.iter().map(|(name, _)| name.clone());
        Ok(Arc::new(Self {
            order: Arc::clone(&self.order),
            dates: names.zip(scans).collect(),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn work(&self, partition: usize) -> Work {
        Work::new(Arc::clone(&self.order), partition, Figures::new(&self.metrics, partition))
    }

    /// The expression over the columns of the files instead of those of the output.
    fn over_files(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        reassign_expr_columns(Arc::clone(expr), &self.order.source.schema)
    }

    /// The output columns of these contacts, whose ordinals ascend; exactly they are read, and their pages.
    pub(crate) fn rows_of(&self, shard: usize, ordinals: &[u32]) -> Result<RecordBatch> {
        let figures = Figures::new(&self.metrics, shard);
        let Output::Columns(columns) = &self.order.output else {
            return internal_err!("a scan without columns was asked for rows");
        };
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut batches = Vec::new();
        for file in self.order.source.files(shard) {
            let rows = ranges(file, ordinals);
            if rows.is_empty() {
                continue;
            }
            let open = self.order.source.open(file)?;
            let mut read = open.read(&names, Some(&rows)).map_err(storage)?;
            for batch in &mut read {
                let batch = batch.map_err(storage)?;
                figures.rows.add(batch.num_rows());
                batches.push(in_order(&batch, &self.order.schema)?);
            }
            figures.fetched(&read);
        }
        let table = concat_batches(&self.order.schema, &batches)?;
        let read =
            table.column_by_name(ORDINAL).and_then(|column| column.as_any().downcast_ref::<UInt32Array>());
        match read {
            Some(read) if read.values().as_ref() == ordinals => Ok(table),
            Some(_) => internal_err!("other rows were read than the gate lets through"),
            None => Err(internal_datafusion_err!("the list's scan has no ordinals")),
        }
    }
}

/// The parts that all have to be TRUE.
fn conditions(expr: &Arc<dyn PhysicalExpr>, tallied: bool) -> Vec<Condition> {
    split_conjunction(expr).into_iter().map(|part| condition(part, tallied)).collect()
}

fn condition(expr: &Arc<dyn PhysicalExpr>, tallied: bool) -> Condition {
    let mut columns: Vec<String> =
        collect_columns(expr).iter().map(|column| column.name().to_owned()).collect();
    columns.sort();
    Condition { expr: Arc::clone(expr), test: Arc::new(Test::of(expr)), columns, tallied }
}

/// Name of the column with the answers of the question at this place; no column of a table has such a name.
pub(crate) fn asked(place: usize) -> String {
    format!("asked {place}")
}

/// A column of texts as one of numbers into a dictionary; any other as it is.
pub(crate) fn coded_text(field: &FieldRef) -> FieldRef {
    if *field.data_type() != DataType::Utf8 {
        return Arc::clone(field);
    }
    let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(field.as_ref().clone().with_data_type(coded))
}

/// The batch's columns in the order of a schema.
pub(super) fn in_order(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name()).cloned();
        column.ok_or_else(|| internal_datafusion_err!("column {} was not read", field.name()))
    });
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>>>()?)?)
}

/// Rows of a file that hold these contacts.
fn ranges(file: &SealedFile, ordinals: &[u32]) -> Vec<std::ops::Range<u64>> {
    let first = u64::from(file.first_ordinal);
    let end = first + file.entry.rows;
    let from = ordinals.partition_point(|&ordinal| u64::from(ordinal) < first);
    let to = ordinals.partition_point(|&ordinal| u64::from(ordinal) < end);
    let mut ranges: Vec<std::ops::Range<u64>> = Vec::new();
    for &ordinal in ordinals.get(from..to).unwrap_or_default() {
        let row = u64::from(ordinal) - first;
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

impl DisplayAs for EncryptedScan {
    /// By table, columns and tests; never the constants of its conditions.
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&SealedFile> = self.order.source.shards.iter().flatten().collect();
        let rows: u64 = files.iter().map(|file| file.entry.live_rows()).sum();
        write!(f, "EncryptedScan: ")?;
        match files.first() {
            Some(file) => write!(f, "{} ({})", file.entry.table, file.entry.class)?,
            None => write!(f, "no files")?,
        }
        write!(f, ", files={}, rows={rows}", files.len())?;
        match &self.order.output {
            Output::Columns(columns) => write!(f, ", columns={}", columns.join(" "))?,
            Output::Truth { .. } => write!(f, ", answers")?,
        }
        let tested: BTreeSet<&str> = self
            .order
            .conditions
            .iter()
            .chain(&self.order.asked)
            .flat_map(|condition| &condition.columns)
            .map(String::as_str)
            .collect();
        if !tested.is_empty() {
            let tested: Vec<&str> = tested.into_iter().collect();
            write!(f, ", tests={}", tested.join(" "))?;
        }
        if self.order.candidates.is_some() {
            write!(f, ", of those who match")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for EncryptedScan {
    fn name(&self) -> &str {
        "EncryptedScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.dates.iter().map(|(_, scan)| scan).collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.dates.len()]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.over_dates(children)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.over_dates(children)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for condition in self.order.conditions.iter().chain(&self.order.asked) {
            if f(&condition.expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut work = self.work(partition);
        if !self.dates.is_empty() {
            let reservation = MemoryConsumer::new("DatesOfContacts").register(context.memory_pool());
            let mut dates = Vec::with_capacity(self.dates.len());
            for (name, scan) in &self.dates {
                let Some(scan) = scan.downcast_ref::<Self>() else {
                    return internal_err!("dates of something that is no scan");
                };
                dates.push((name.clone(), scan.work(partition)));
            }
            work.look_up(Dates::new(dates, reservation));
        }
        let stream =
            RecordBatchStreamAdapter::new(Arc::clone(&self.order.schema), futures::stream::iter(work));
        // Yields now and then, so that a query can be cancelled.
        Ok(make_cooperative(Box::pin(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
