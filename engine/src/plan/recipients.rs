//! The rows of the list: output columns read for those that the gate lets through, and for nobody else.
//!
//! ```text
//! in:   gate TRUE for 2 5      scan of identity      scan of demographic
//! out:  two rows: contact_id, email, gender … of 2 and 5
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::TryStreamExt;
use hyperseg_storage::layout::ORDINAL;

use super::chance::{Arms, Chance};
use super::exec::column;
use crate::report::Reason;
use crate::sets::{ShardSet, Shards};
use crate::table::EncryptedScan;

/// Column of the list with the arm of a split.
pub(crate) const ARM: &str = "arm";

/// Name of the counter of recipients in the arm at this place.
pub(crate) fn arm_counter(place: usize) -> String {
    format!("arm_{place}")
}

/// Logical node of the list. Inputs: the gate, then one scan per class that has an output column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RecipientsNode {
    inputs: Vec<LogicalPlan>,
    columns: Vec<String>,
    chance: Chance,
    schema: DFSchemaRef,
}

impl RecipientsNode {
    /// The list of `columns`, the first of which is the contact id, over the gate and scans that hold them.
    pub(crate) fn plan(
        gate: LogicalPlan,
        scans: Vec<LogicalPlan>,
        columns: Vec<String>,
        chance: Chance,
    ) -> Result<LogicalPlan> {
        let mut fields = Vec::with_capacity(columns.len());
        for name in &columns {
            let field = scans.iter().find_map(|scan| scan.schema().field_with_unqualified_name(name).ok());
            fields.push(field.cloned().ok_or_else(|| internal_datafusion_err!("no scan has column {name}"))?);
        }
        if chance.arms.is_some() {
            fields.push(Arc::new(Field::new(ARM, DataType::Utf8, false)));
        }
        let schema = Arc::new(DFSchema::try_from(Schema::new(fields))?);
        let inputs = std::iter::once(gate).chain(scans).collect();
        let node = Self { inputs, columns, chance, schema };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }
}

impl PartialOrd for RecipientsNode {
    /// Plans have no order; equal ones are equal.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for RecipientsNode {
    fn name(&self) -> &str {
        "Recipients"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipients: {}", self.columns.join(", "))
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self { inputs, ..self.clone() })
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let needed = |(place, input): (usize, &LogicalPlan)| -> Vec<usize> {
            let schema = input.schema();
            if place == 0 {
                return (0..schema.fields().len()).collect();
            }
            let wanted = |name: &String| name == ORDINAL || self.columns.contains(name);
            (0..schema.fields().len()).filter(|&index| wanted(schema.field(index).name())).collect()
        };
        Some(self.inputs.iter().enumerate().map(needed).collect())
    }
}

/// Physical node of the list.
#[derive(Debug)]
pub(crate) struct RecipientsExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    chance: Chance,
    shards: Arc<Shards>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RecipientsExec {
    /// The physical node over its planned inputs.
    pub(crate) fn try_new(
        node: &RecipientsNode,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        shards: Arc<Shards>,
    ) -> Result<Self> {
        Self::over(inputs, Arc::clone(node.schema.inner()), node.chance.clone(), shards)
    }

    fn over(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
        chance: Chance,
        shards: Arc<Shards>,
    ) -> Result<Self> {
        for input in &inputs {
            if input.properties().partitioning.partition_count() != shards.len() {
                return internal_err!("the list expects one partition per shard");
            }
        }
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(shards.len()),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        Ok(Self { inputs, schema, chance, shards, properties, metrics: ExecutionPlanMetricsSet::new() })
    }
}

impl DisplayAs for RecipientsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "RecipientsExec: {}", names.join(", "))
    }
}

impl ExecutionPlan for RecipientsExec {
    fn name(&self) -> &str {
        "RecipientsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan =
            Self::over(children, Arc::clone(&self.schema), self.chance.clone(), Arc::clone(&self.shards))?;
        Ok(Arc::new(plan))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan =
            Self::over(children, Arc::clone(&self.schema), self.chance.clone(), Arc::clone(&self.shards))?;
        Ok(Arc::new(plan))
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let [gate, scans @ ..] = self.inputs.as_slice() else {
            return internal_err!("a list without its gate");
        };
        let mut gate = gate.execute(partition, Arc::clone(&context))?;
        let scans = scans.to_vec();
        let schema = Arc::clone(&self.schema);
        let chance = self.chance.clone();
        let metrics = self.metrics.clone();
        let reservation = MemoryConsumer::new("RecipientsExec").register(context.memory_pool());
        let rows = async move {
            let mut members: Option<ShardSet> = None;
            while let Some(batch) = gate.try_next().await? {
                let (shard, set) = ShardSet::from_batch(&batch)?;
                if shard as usize != partition || members.replace(set).is_some() {
                    return internal_err!("the gate answered for another shard");
                }
            }
            let members = members.ok_or_else(|| internal_datafusion_err!("the gate did not answer"))?;
            let ordinals: Vec<u32> = members.certain().set_indices_u32().collect();
            let mut tables = Vec::with_capacity(scans.len());
            for scan in &scans {
                let scan = scan.downcast_ref::<EncryptedScan>();
                let scan = scan.ok_or_else(|| internal_datafusion_err!("the list's input is not a scan"))?;
                let table = scan.rows_of(partition, &ordinals)?;
                reservation.try_grow(table.get_array_memory_size())?;
                tables.push(table);
            }
            let read = |field: &&FieldRef| chance.arms.is_none() || field.name() != ARM;
            let stored: Vec<FieldRef> = schema.fields().iter().filter(read).cloned().collect();
            let columns = stored
                .iter()
                .map(|field| {
                    let found = tables.iter().find_map(|table| table.column_by_name(field.name()));
                    found.cloned().ok_or_else(|| internal_datafusion_err!("an output column was not read"))
                })
                .collect::<Result<Vec<ArrayRef>>>()?;
            let mut rows = RecordBatch::try_new(Arc::new(Schema::new(stored)), columns)?;
            let count = |name: &str, number| {
                MetricBuilder::new(&metrics).counter(name.to_owned(), partition).add(number);
            };
            if let Some(sample) = &chance.sample {
                let kept = those(&rows, sample.test()?)?;
                count(Reason::NotSampled.name(), kept.len() - kept.true_count());
                rows = filter_record_batch(&rows, &kept)?;
            }
            if let Some(holdout) = &chance.holdout {
                let held = holdout.test()?;
                let kept = those(&rows, |id| !held(id))?;
                count(Reason::Holdout.name(), kept.len() - kept.true_count());
                rows = filter_record_batch(&rows, &kept)?;
            }
            if let Some(arms) = &chance.arms {
                rows = with_arms(&rows, arms, &schema, count)?;
            }
            MetricBuilder::new(&metrics).counter("recipients", partition).add(rows.num_rows());
            Ok(rows)
        };
        let stream = futures::stream::once(rows);
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Rows whose id passes a test.
fn those(rows: &RecordBatch, passes: impl Fn(&str) -> bool) -> Result<BooleanArray> {
    Ok(BooleanArray::from(ids(rows)?.into_iter().map(passes).collect::<Vec<_>>()))
}

/// The rows with the name of their arm, and a count of each arm.
fn with_arms(
    rows: &RecordBatch,
    arms: &Arms,
    schema: &SchemaRef,
    count: impl Fn(&str, usize),
) -> Result<RecordBatch> {
    let names: Vec<&str> = arms.names().collect();
    let place = arms.place()?;
    let mut counts = vec![0_usize; names.len()];
    let mut column = Vec::with_capacity(rows.num_rows());
    for id in ids(rows)? {
        let found = place(id).and_then(|place| Some((names.get(place)?, counts.get_mut(place)?)));
        let (name, number) = found.ok_or_else(|| internal_datafusion_err!("a contact in no arm"))?;
        *number += 1;
        column.push(*name);
    }
    for (place, number) in counts.into_iter().enumerate() {
        count(&arm_counter(place), number);
    }
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(StringArray::from(column)));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

fn ids(rows: &RecordBatch) -> Result<Vec<&str>> {
    let ids: &StringArray = column(rows, "contact_id")?;
    let there = |id: Option<_>| id.ok_or_else(|| internal_datafusion_err!("a contact without id"));
    ids.iter().map(there).collect()
}
