//! The rows of the list: output columns read for those that the gate lets through, and for nobody else.
//!
//! ```text
//! in:   gate TRUE for 2 5      scan of identity      scan of demographic
//! out:  two rows: contact_id, email, gender … of 2 and 5
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
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
use hmac::{Hmac, KeyInit, Mac};
use hyperseg_dsl::segment::Holdout;
use hyperseg_storage::layout::ORDINAL;
use sha2::Sha256;

use super::exec::column;
use crate::report::Reason;
use crate::sets::ShardSet;
use crate::table::EncryptedScan;

/// Logical node of the list. Inputs: the gate, then one scan per class that has an output column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RecipientsNode {
    inputs: Vec<LogicalPlan>,
    columns: Vec<String>,
    holdout: Option<Share>,
    schema: DFSchemaRef,
}

/// The share of contacts that a holdout keeps back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Share {
    percent_millis: u32,
    seed: String,
}

impl From<&Holdout> for Share {
    fn from(holdout: &Holdout) -> Self {
        Self { percent_millis: holdout.percent_millis, seed: holdout.seed.clone() }
    }
}

impl Share {
    /// Held back: the first 8 bytes of HMAC-SHA-256(seed, contact id), big-endian, lie below the share of 2^64.
    pub(crate) fn keeps_back(&self, contact_id: &str) -> Result<bool> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.seed.as_bytes())
            .map_err(|_| internal_datafusion_err!("a seed that is no key"))?;
        mac.update(contact_id.as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut first = [0_u8; 8];
        first.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        let threshold = (u128::from(self.percent_millis) << 64).saturating_add(50_000) / 100_000;
        Ok(u128::from(u64::from_be_bytes(first)) < threshold)
    }
}

impl RecipientsNode {
    /// The list of `columns`, the first of which is the contact id, over the gate and scans that hold them.
    pub(crate) fn plan(
        gate: LogicalPlan,
        scans: Vec<LogicalPlan>,
        columns: Vec<String>,
        holdout: Option<Share>,
    ) -> Result<LogicalPlan> {
        let mut fields = Vec::with_capacity(columns.len());
        for name in &columns {
            let field = scans.iter().find_map(|scan| scan.schema().field_with_unqualified_name(name).ok());
            fields.push(field.cloned().ok_or_else(|| internal_datafusion_err!("no scan has column {name}"))?);
        }
        let schema = Arc::new(DFSchema::try_from(Schema::new(fields))?);
        let inputs = std::iter::once(gate).chain(scans).collect();
        let node = Self { inputs, columns, holdout, schema };
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
    holdout: Option<Share>,
    shards: Arc<[u32]>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RecipientsExec {
    /// The physical node over its planned inputs.
    pub(crate) fn try_new(
        node: &RecipientsNode,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        shards: Arc<[u32]>,
    ) -> Result<Self> {
        Self::over(inputs, Arc::clone(node.schema.inner()), node.holdout.clone(), shards)
    }

    fn over(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
        holdout: Option<Share>,
        shards: Arc<[u32]>,
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
        Ok(Self { inputs, schema, holdout, shards, properties, metrics: ExecutionPlanMetricsSet::new() })
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
            Self::over(children, Arc::clone(&self.schema), self.holdout.clone(), Arc::clone(&self.shards))?;
        Ok(Arc::new(plan))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan =
            Self::over(children, Arc::clone(&self.schema), self.holdout.clone(), Arc::clone(&self.shards))?;
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
        let holdout = self.holdout.clone();
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
            let columns = schema
                .fields()
                .iter()
                .map(|field| {
                    let found = tables.iter().find_map(|table| table.column_by_name(field.name()));
                    found.cloned().ok_or_else(|| internal_datafusion_err!("an output column was not read"))
                })
                .collect::<Result<Vec<ArrayRef>>>()?;
            let mut rows = RecordBatch::try_new(Arc::clone(&schema), columns)?;
            if let Some(share) = &holdout {
                let kept = released(share, &rows)?;
                let count = MetricBuilder::new(&metrics).counter(Reason::Holdout.name(), partition);
                count.add(kept.len() - kept.true_count());
                rows = filter_record_batch(&rows, &kept)?;
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

/// Who is not held back.
fn released(share: &Share, rows: &RecordBatch) -> Result<BooleanArray> {
    let ids: &StringArray = column(rows, "contact_id")?;
    let mut kept = Vec::with_capacity(ids.len());
    for id in ids {
        let id = id.ok_or_else(|| internal_datafusion_err!("a contact without id"))?;
        kept.push(!share.keeps_back(id)?);
    }
    Ok(BooleanArray::from(kept))
}
