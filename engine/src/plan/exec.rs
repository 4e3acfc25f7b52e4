//! The physical node of every operator over sets of contacts: partition *i* answers for shard *i* with one row.

use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, MetricBuilder, MetricValue, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::TryStreamExt;
use tokio::sync::OnceCell;

use super::leaf_cache::Slot;
use crate::sets::{ShardSet, Shards};
use crate::table::{Candidates, EncryptedScan};

/// What an operator does with the inputs of one shard.
#[async_trait]
pub(crate) trait SetOperator: Debug + Send + Sync {
    /// Name in EXPLAIN, as of the logical node with `Exec` behind it.
    fn name(&self) -> &'static str;

    /// The expressions it evaluates over its first input.
    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    /// Works off the inputs of one shard.
    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet>;

    /// Its first input says about whom the second is asked; what both say of others means nothing.
    fn narrows(&self) -> bool {
        false
    }

    /// What it says of a contact depends on what its inputs say of that contact alone.
    fn is_pointwise(&self) -> bool {
        false
    }

    /// How many contacts of a shard it is likely to be TRUE for, from how many its inputs are, or from the rows that the scan of a
    /// leaf may select; a guess, by which nothing but the order of work is decided.
    fn likely(&self, inputs: &[u64], contacts: u64) -> u64 {
        inputs.iter().copied().max().map_or(contacts, |most| most.min(contacts))
    }

    /// It counts who was placed by the ZIP.
    fn places_by_zip(&self) -> bool {
        false
    }

    /// It looks at the inputs of all shards before it answers for one: it gets no streams but [`ShardContext::whole`].
    fn gathers(&self) -> bool {
        false
    }

    /// This operator as a rank, when it is one.
    fn as_rank(&self) -> Option<&super::ops::rank::Rank> {
        None
    }

    /// This operator as what cuts the list, when it is that.
    fn as_tails(&self) -> Option<&super::ops::tails::Tails> {
        None
    }

    /// This operator as the gate, when it is one.
    fn as_gate(&self) -> Option<&super::ops::gate::Gate> {
        None
    }
}

/// What an operator knows of the shard it works on.
pub(crate) struct ShardContext {
    /// Number of the shard.
    pub(crate) shard: u32,
    /// Contacts in it.
    pub(crate) contacts: usize,
    shards: Arc<Shards>,
    /// Memory of this operator and shard, from the query's pool.
    pub(crate) reservation: MemoryReservation,
    /// The inputs of all shards, for an operator that [gathers](SetOperator::gathers).
    pub(crate) whole: Option<Whole>,
    metrics: ExecutionPlanMetricsSet,
}

/// The inputs of an operator in every shard.
#[derive(Clone)]
pub(crate) struct Whole {
    /// The operator's inputs; partition *i* is shard *i*.
    pub(crate) inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// What they are executed with.
    pub(crate) context: Arc<TaskContext>,
    /// Contacts of each shard.
    pub(crate) shards: Arc<Shards>,
}

impl ShardContext {
    /// The context of a node that puts out one row for a shard.
    pub(crate) fn of(
        name: &'static str,
        partition: usize,
        shards: &Arc<Shards>,
        context: &TaskContext,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Self> {
        let contacts = shards.contacts(partition);
        let contacts = contacts.ok_or_else(|| internal_datafusion_err!("no shard {partition}"))?;
        Ok(Self {
            shard: u32::try_from(partition).map_err(|_| internal_datafusion_err!("too many shards"))?,
            contacts,
            shards: Arc::clone(shards),
            reservation: MemoryConsumer::new(name).register(context.memory_pool()),
            whole: None,
            metrics: metrics.clone(),
        })
    }

    /// A set without contacts that were forgotten.
    pub(crate) fn present(&self, set: ShardSet) -> ShardSet {
        self.shards.present(self.shard as usize, set)
    }

    /// A new counter of this operator, shown by `plan --analyze` and read by the reports. Made once, not per batch:
    /// every call adds one to the plan's metrics.
    pub(crate) fn counter(&self, name: impl Into<Cow<'static, str>>) -> Count {
        MetricBuilder::new(&self.metrics).counter(name, self.shard as usize)
    }

    /// A counter that is known at once.
    pub(crate) fn count(&self, name: impl Into<Cow<'static, str>>, number: usize) {
        self.counter(name).add(number);
    }
}

/// Answers of a leaf: worked out once in a query, however often the leaf stands in it, and kept for later ones.
#[derive(Debug)]
pub(crate) struct Answers {
    /// By shard.
    here: Vec<OnceCell<ShardSet>>,
    kept: Option<Arc<Slot>>,
}

impl Answers {
    /// For a leaf over so many shards.
    pub(crate) fn new(shards: usize, kept: Option<Arc<Slot>>) -> Arc<Self> {
        Arc::new(Self { here: (0..shards).map(|_| OnceCell::new()).collect(), kept })
    }
}

/// Physical plan of an operator.
#[derive(Debug)]
pub(crate) struct SetExec {
    operator: Arc<dyn SetOperator>,
    label: String,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// Contacts of each shard.
    shards: Arc<Shards>,
    /// Of a leaf.
    answers: Option<Arc<Answers>>,
    /// Inputs are worked off at the same time, each in a task of its own.
    at_once: bool,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SetExec {
    /// An operator over inputs that all have one partition per shard.
    pub(crate) fn try_new(
        operator: Arc<dyn SetOperator>,
        label: String,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        shards: Arc<Shards>,
        answers: Option<Arc<Answers>>,
        at_once: bool,
    ) -> Result<Self> {
        for input in &inputs {
            if input.properties().partitioning.partition_count() != shards.len() {
                return internal_err!("{} expects one partition per shard", operator.name());
            }
        }
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(ShardSet::schema()),
            Partitioning::UnknownPartitioning(shards.len()),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { operator, label, inputs, shards, answers, at_once, properties, metrics })
    }

    fn over(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let (operator, shards) = (Arc::clone(&self.operator), Arc::clone(&self.shards));
        let plan =
            Self::try_new(operator, self.label.clone(), inputs, shards, self.answers.clone(), self.at_once)?;
        Ok(Arc::new(plan))
    }

    /// [`Self::limited_to`], where UNKNOWN is as good as FALSE.
    pub(crate) fn members_among(
        &self,
        candidates: &Arc<Candidates>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let limited = self.limited_to(candidates)?;
        let Some(set) = limited.as_ref().and_then(|plan| plan.downcast_ref::<Self>()) else {
            return Ok(limited);
        };
        let inputs = set.inputs.iter().map(|input| match input.downcast_ref::<EncryptedScan>() {
            Some(scan) => Arc::new(scan.answering_true()),
            None => Arc::clone(input),
        });
        set.over(inputs.collect()).map(Some)
    }

    /// A leaf, or leaves under operators that look at one contact at a time, which read what concerns some contacts, and whose
    /// answers are not kept; `None` when it is something else.
    pub(crate) fn limited_to(&self, candidates: &Arc<Candidates>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let limited = |input: &Arc<dyn ExecutionPlan>| -> Result<Option<Arc<dyn ExecutionPlan>>> {
            match (input.downcast_ref::<EncryptedScan>(), input.downcast_ref::<Self>()) {
                (Some(scan), _) => Ok(Some(Arc::new(scan.limited_to(candidates)))),
                (None, Some(set)) => set.limited_to(candidates),
                (None, None) => Ok(None),
            }
        };
        let mut inputs = self.inputs.clone();
        let number = match inputs.as_slice() {
            [scan] if scan.is::<EncryptedScan>() && self.answers.is_some() => 1,
            // The second input of one that narrows has its own candidates.
            _ if self.operator.narrows() => 1,
            _ if self.operator.is_pointwise() => inputs.len(),
            _ => 0,
        };
        let mut any = false;
        for input in inputs.iter_mut().take(number) {
            if let Some(plan) = limited(input)? {
                *input = plan;
                any = true;
            }
        }
        if !any {
            return Ok(None);
        }
        let (operator, shards) = (Arc::clone(&self.operator), Arc::clone(&self.shards));
        Ok(Some(Arc::new(Self::try_new(operator, self.label.clone(), inputs, shards, None, false)?)))
    }

    /// The operator.
    pub(crate) fn operator(&self) -> &Arc<dyn SetOperator> {
        &self.operator
    }
}

impl DisplayAs for SetExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operator.name())?;
        if !self.label.is_empty() {
            write!(f, ": {}", self.label)?;
        }
        Ok(())
    }
}

impl ExecutionPlan for SetExec {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// Shards are the unit of work; more partitions would tear them apart.
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
        for expr in &self.operator.expressions() {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let start = |input: &Arc<dyn ExecutionPlan>| {
            let stream = input.execute(partition, Arc::clone(&context))?;
            Ok(if self.at_once { in_task(stream) } else { stream })
        };
        let inputs = self.inputs.clone();
        let streams = if self.operator.gathers() {
            Vec::new()
        } else if self.answers.is_some() {
            let own = inputs.iter().map(|input| input.execute(partition, Arc::clone(&context)));
            own.collect::<Result<Vec<_>>>()?
        } else {
            inputs.iter().map(start).collect::<Result<Vec<_>>>()?
        };
        let mut shard =
            ShardContext::of(self.operator.name(), partition, &self.shards, &context, &self.metrics)?;
        if self.operator.gathers() {
            let (inputs, shards) = (self.inputs.clone(), Arc::clone(&self.shards));
            shard.whole = Some(Whole { inputs, context: Arc::clone(&context), shards });
        }
        let operator = Arc::clone(&self.operator);
        let answers = self.answers.clone();
        let answer = async move {
            let set = match &answers {
                None => counted(operator.run(streams, &shard).await?, &shard),
                Some(answers) => {
                    let cell = answers.here.get(partition);
                    let cell = cell.ok_or_else(|| internal_datafusion_err!("no shard {partition}"))?;
                    let answer =
                        || leaf(operator.as_ref(), &inputs, streams, &shard, answers.kept.as_deref());
                    cell.get_or_try_init(answer).await?.clone()
                }
            };
            set.to_batch(shard.shard)
        };
        let stream = futures::stream::once(answer);
        Ok(Box::pin(RecordBatchStreamAdapter::new(ShardSet::schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The answer of a leaf: kept, or worked out and kept from now on.
async fn leaf(
    operator: &dyn SetOperator,
    inputs: &[Arc<dyn ExecutionPlan>],
    streams: Vec<SendableRecordBatchStream>,
    shard: &ShardContext,
    kept: Option<&Slot>,
) -> Result<ShardSet> {
    let place = shard.shard as usize;
    if let Some((set, unknown_rows)) = kept.and_then(|slot| slot.get(place)) {
        if set.contacts() != shard.contacts {
            return internal_err!("a kept answer of another shard");
        }
        shard.count("kept", 1);
        shard.count("unknown_rows", unknown_rows);
        return Ok(counted(set, shard));
    }
    let set = operator.run(streams, shard).await?;
    if let Some(slot) = kept {
        slot.put(place, &set, unknown_rows(inputs, place));
    }
    Ok(counted(set, shard))
}

/// The one place that every set comes through: without those that were forgotten, and counted.
fn counted(set: ShardSet, shard: &ShardContext) -> ShardSet {
    let set = shard.present(set);
    shard.count("true", set.count_true());
    shard.count("unknown", set.count_unknown());
    set
}

/// Rows that the scans of a leaf found UNKNOWN in a shard.
fn unknown_rows(inputs: &[Arc<dyn ExecutionPlan>], shard: usize) -> usize {
    let metrics = inputs.iter().filter_map(|input| input.metrics());
    let of_shard = metrics.map(|metrics| {
        metrics
            .iter()
            .filter(|metric| metric.partition() == Some(shard))
            .filter_map(|metric| match metric.value() {
                MetricValue::Count { name, count } if name == "unknown_rows" => Some(count.value()),
                _ => None,
            })
            .sum::<usize>()
    });
    of_shard.sum()
}

/// Works a stream off in a task of its own, which ends when nobody waits for it any more.
fn in_task(mut stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let task = SpawnedTask::spawn(async move {
        let mut batches = Vec::new();
        while let Some(batch) = stream.try_next().await? {
            batches.push(batch);
        }
        Ok::<_, DataFusionError>(batches)
    });
    let batches = async move {
        let joined =
            task.join_unwind().await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
        Ok::<_, DataFusionError>(futures::stream::iter(joined?.into_iter().map(Ok)))
    };
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(batches).try_flatten()))
}

/// Reads the single set that a stream of sets carries, and checks that it is of the shard that was asked for.
pub(crate) async fn read_set(input: SendableRecordBatchStream, shard: &ShardContext) -> Result<ShardSet> {
    set_of(input, shard.shard, shard.contacts).await
}

/// Reads the single set that a stream of sets carries, and checks that it is of this shard.
pub(crate) async fn set_of(
    mut input: SendableRecordBatchStream,
    shard: u32,
    contacts: usize,
) -> Result<ShardSet> {
    let mut found: Option<ShardSet> = None;
    while let Some(batch) = input.try_next().await? {
        let (number, set) = ShardSet::from_batch(&batch)?;
        if number != shard || set.contacts() != contacts || found.replace(set).is_some() {
            return internal_err!("a set of contacts arrived in another shard's partition");
        }
    }
    found.ok_or_else(|| internal_datafusion_err!("a set of contacts did not arrive"))
}

/// Reads the sets of all inputs, in their order.
pub(crate) async fn read_sets(
    inputs: Vec<SendableRecordBatchStream>,
    shard: &ShardContext,
) -> Result<Vec<ShardSet>> {
    let mut sets = Vec::with_capacity(inputs.len());
    for input in inputs {
        sets.push(read_set(input, shard).await?);
    }
    Ok(sets)
}

/// The batch's column of this name.
pub(crate) fn column<'a, A: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<A>())
        .ok_or_else(|| internal_datafusion_err!("column {name} is missing or of another type"))
}
