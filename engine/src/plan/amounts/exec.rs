//! The physical node: partition *i* puts out one row with the amounts of shard *i*.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};

use super::Amounts;
use super::fold::fold;
use super::node::Making;
use crate::plan::exec::{ShardContext, read_set};
use crate::sets::Shards;

/// Physical plan of amounts.
#[derive(Debug)]
pub(crate) struct AmountsExec {
    making: Making,
    /// Over the rows of the input, whose filter is in the scan.
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    input: Arc<dyn ExecutionPlan>,
    /// Who has an amount at all.
    known: Option<Arc<dyn ExecutionPlan>>,
    shards: Arc<Shards>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl AmountsExec {
    /// Amounts over a scan that selects the rows, of the contacts of a set when there is one.
    pub(crate) fn try_new(
        making: Making,
        exprs: Vec<Arc<dyn PhysicalExpr>>,
        input: Arc<dyn ExecutionPlan>,
        known: Option<Arc<dyn ExecutionPlan>>,
        shards: Arc<Shards>,
    ) -> Result<Self> {
        for input in std::iter::once(&input).chain(&known) {
            if input.properties().partitioning.partition_count() != shards.len() {
                return internal_err!("amounts expect one partition per shard");
            }
        }
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Amounts::schema()),
            Partitioning::UnknownPartitioning(shards.len()),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { making, exprs, input, known, shards, properties, metrics })
    }

    fn over(&self, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let mut children = children.into_iter();
        let Some(input) = children.next() else { return internal_err!("amounts without a scan") };
        let (making, exprs) = (self.making.clone(), self.exprs.clone());
        Ok(Arc::new(Self::try_new(making, exprs, input, children.next(), Arc::clone(&self.shards))?))
    }
}

impl DisplayAs for AmountsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AmountsExec")
    }
}

impl ExecutionPlan for AmountsExec {
    fn name(&self) -> &str {
        "AmountsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; 1 + usize::from(self.known.is_some())]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        std::iter::once(&self.input).chain(&self.known).collect()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.over(children)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.over(children)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for expr in &self.exprs {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let shard = ShardContext::of("AmountsExec", partition, &self.shards, &context, &self.metrics)?;
        let known = self.known.as_ref().map(|known| known.execute(partition, Arc::clone(&context)));
        let known = known.transpose()?;
        let input = self.input.execute(partition, context)?;
        let (making, exprs) = (self.making.clone(), self.exprs.clone());
        let answer = async move {
            // The keys twice: as they are, and as the row that carries them.
            shard.reservation.try_grow(shard.contacts * 2 * size_of::<i128>())?;
            let mut amounts = fold(&making, &exprs, input, &shard).await?.present(&shard);
            if let Some(known) = known {
                amounts = amounts.of(&read_set(known, &shard).await?);
            }
            amounts.to_batch(shard.shard)
        };
        let stream = futures::stream::once(answer);
        Ok(Box::pin(RecordBatchStreamAdapter::new(Amounts::schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
