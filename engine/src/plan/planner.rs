//! From logical nodes over sets to their physical operators.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Result, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::amounts::{AmountsExec, AmountsNode};
use super::exec::{Answers, SetExec, SetOperator};
use super::leaf_cache::{LeafCache, LeafKey};
use super::node::SetNode;
use super::ops::Operation;
use super::ops::criteria::{Criteria, Narrowing};
use super::ops::gate::Gate;
use super::ops::narrow::Narrow;
use super::ops::sequence::{Chain, RecordChain};
use super::ops::taken::{Taken, TakenCell};
use super::recipients::{RecipientsExec, RecipientsNode};
use super::rows::RowsNode;
use crate::report::Reason;
use crate::sets::Shards;
use crate::table::{Candidates, EncryptedScan, OneByOne};

/// DataFusion's planner with ours for the extension nodes.
#[derive(Clone, Debug)]
pub(crate) struct SegmentPlanner {
    /// Contacts of each shard.
    pub(crate) shards: Arc<Shards>,
    /// Generation of the dataset.
    pub(crate) generation: u64,
    /// Answers of earlier queries.
    pub(crate) cache: Arc<LeafCache>,
    /// There are fewer shards than threads: what does not depend on each other is worked off at the same time.
    pub(crate) at_once: bool,
    /// Leaves planned so far.
    pub(crate) leaves: Leaves,
    /// Whom the higher segments of the portfolio take, in their order.
    pub(crate) taken: Vec<Arc<TakenCell>>,
}

/// Leaves by what they are: one that stands twice is the same node, in one plan or in several under the same keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaves {
    known: Arc<Mutex<HashMap<LeafKey, Arc<dyn ExecutionPlan>>>>,
    /// Several plans have them in common.
    pub(crate) in_common: bool,
    /// Gates answer for everybody, so that plans have them in common, rather than for those who match one of them.
    pub(crate) whole_gates: bool,
}

impl Leaves {
    fn get(&self, key: &LeafKey) -> Option<Arc<dyn ExecutionPlan>> {
        self.known().get(key).map(Arc::clone)
    }

    fn put(&self, key: LeafKey, leaf: &Arc<dyn ExecutionPlan>) {
        self.known().insert(key, Arc::clone(leaf));
    }

    /// Lets go of them: from now on plans alone hold them.
    pub(crate) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, HashMap<LeafKey, Arc<dyn ExecutionPlan>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl QueryPlanner for SegmentPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let extension = SetPlanner { of: self.clone() };
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(extension)])
            .create_physical_plan(logical_plan, session)
            .await
    }
}

struct SetPlanner {
    of: SegmentPlanner,
}

#[async_trait]
impl ExtensionPlanner for SetPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(recipients) = node.as_any().downcast_ref::<RecipientsNode>() {
            let plan =
                RecipientsExec::try_new(recipients, physical_inputs.to_vec(), Arc::clone(&self.of.shards))?;
            return Ok(Some(Arc::new(plan)));
        }
        if let (Some(rows), [scan], [logical]) =
            (node.as_any().downcast_ref::<RowsNode>(), physical_inputs, logical_inputs)
        {
            let filter = planner.create_physical_expr(rows.filter(), logical.schema(), session, context)?;
            let Some(scan) = scan.downcast_ref::<EncryptedScan>() else {
                return internal_err!("rows of something that is no scan");
            };
            let scan = scan.selecting(&filter, &rows.columns(), &[])?;
            return Ok(Some(Arc::new(if rows.is_coded() { scan.with_coded_texts() } else { scan })));
        }
        if let (Some(amounts), [scan, known @ ..], [logical, ..]) =
            (node.as_any().downcast_ref::<AmountsNode>(), physical_inputs, logical_inputs)
        {
            let mut exprs = Vec::with_capacity(amounts.exprs.len());
            for expr in &amounts.exprs {
                exprs.push(planner.create_physical_expr(expr, logical.schema(), session, context)?);
            }
            let (scan, asked) = selecting(amounts.making.columns(), scan, &exprs)?;
            let shards = Arc::clone(&self.of.shards);
            let plan =
                AmountsExec::try_new(amounts.making.clone(), asked, scan, known.first().cloned(), shards)?;
            return Ok(Some(Arc::new(plan)));
        }
        let Some(node) = node.as_any().downcast_ref::<SetNode>() else { return Ok(None) };
        let mut exprs = Vec::with_capacity(node.exprs.len());
        if let Some(input) = logical_inputs.first() {
            for expr in &node.exprs {
                exprs.push(planner.create_physical_expr(expr, input.schema(), session, context)?);
            }
        }
        if let Operation::Gate(reasons) = &node.operation {
            return self.gate(node, reasons, physical_inputs).map(Some);
        }
        if node.operation == Operation::Narrow {
            return self.narrow(node, logical_inputs, physical_inputs).map(Some);
        }
        if let Operation::Criteria { stops, narrows: true, placed } = node.operation {
            return self.criteria(node, (stops, placed), physical_inputs).map(Some);
        }
        let shards = Arc::clone(&self.of.shards);
        if let Operation::Taken(place) = &node.operation {
            let Some(by) = self.of.taken.get(*place) else {
                return internal_err!("a segment that is not in the portfolio");
            };
            let operator = Arc::new(Taken { by: Arc::clone(by) });
            let plan = SetExec::try_new(operator, node.label.clone(), Vec::new(), shards, None, false)?;
            return Ok(Some(Arc::new(plan)));
        }
        if !node.operation.is_leaf() {
            let operator = node.operation.operator(Vec::new())?;
            let inputs = physical_inputs.to_vec();
            let at_once = self.of.at_once && inputs.len() > 1;
            let plan = SetExec::try_new(operator, node.label.clone(), inputs, shards, None, at_once)?;
            return Ok(Some(Arc::new(plan)));
        }
        let key = LeafKey::of(&node.operation, &node.exprs, logical_inputs)?;
        if let Some(known) = self.of.leaves.get(&key) {
            return Ok(Some(known));
        }
        let (inputs, operator) = match (&node.operation, physical_inputs) {
            (Operation::RecordChain(chain), rows) => self.chained(chain, rows)?,
            (operation, rows) if operation.reads_rows() => (rows.to_vec(), operation.operator(Vec::new())?),
            (operation, [scan, ends @ ..]) if ends.is_empty() || operation.asks_for_ends() => {
                let (scan, asked) = push_down(operation, scan, &exprs)?;
                let inputs = std::iter::once(scan).chain(ends.iter().cloned()).collect();
                (inputs, operation.operator(asked)?)
            }
            (operation, _) => return internal_err!("{} over other than one scan", operation.name()),
        };
        let slot = self.of.cache.slot(key.clone(), self.of.generation, shards.len());
        let answers = Answers::new(shards.len(), slot);
        let leaf = SetExec::try_new(operator, node.label.clone(), inputs, shards, Some(answers), false)?;
        let leaf: Arc<dyn ExecutionPlan> = Arc::new(leaf);
        self.of.leaves.put(key, &leaf);
        Ok(Some(leaf))
    }
}

impl SetPlanner {
    /// The gate, whose own leaves read what concerns those who match. Their answers mean nothing to anybody else: a leaf
    /// that is a criterion, too, stays as it is, and none of them is kept.
    fn gate(
        &self,
        node: &SetNode,
        reasons: &[Reason],
        inputs: &[Arc<dyn ExecutionPlan>],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [matched, blocked @ ..] = inputs else { return internal_err!("a gate without criteria") };
        let candidates = Arc::new(Candidates::new(self.of.shards.len(), OneByOne::Eighth));
        let mut planned = vec![Arc::clone(matched)];
        for (input, reason) in blocked.iter().zip(reasons) {
            let own = !self.of.leaves.whole_gates && *reason != Reason::Excluded && !is_part(input, matched);
            let limited = match input.downcast_ref::<SetExec>() {
                Some(leaf) if own => leaf.limited_to(&candidates)?,
                Some(_) | None => None,
            };
            planned.push(limited.unwrap_or_else(|| Arc::clone(input)));
        }
        let passed = Candidates::new(self.of.shards.len(), OneByOne::Eighth);
        let operator = Arc::new(Gate { reasons: reasons.to_vec(), candidates, passed });
        let shards = Arc::clone(&self.of.shards);
        // Never at once: the gates ask about those who match, who have to be known.
        Ok(Arc::new(SetExec::try_new(operator, node.label.clone(), planned, shards, None, false)?))
    }

    /// A leaf that reads what concerns those whom another leaf leaves.
    /// Where plans have their gates in common, it is worked out once like a leaf.
    fn narrow(
        &self,
        node: &SetNode,
        logical_inputs: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [first, second] = inputs else { return internal_err!("other than two inputs") };
        let key = self.of.leaves.whole_gates;
        let key = key.then(|| LeafKey::of(&node.operation, &node.exprs, logical_inputs)).transpose()?;
        if let Some(known) = key.as_ref().and_then(|key| self.of.leaves.get(key)) {
            return Ok(known);
        }
        let candidates = Arc::new(Candidates::new(self.of.shards.len(), OneByOne::Eighth));
        let limited = match second.downcast_ref::<SetExec>() {
            Some(leaf) => leaf.limited_to(&candidates)?,
            None => None,
        };
        let inputs = vec![Arc::clone(first), limited.unwrap_or_else(|| Arc::clone(second))];
        let operator = Arc::new(Narrow { candidates });
        let shards = Arc::clone(&self.of.shards);
        let answers = key.as_ref().map(|_| Answers::new(shards.len(), None));
        let plan = SetExec::try_new(operator, node.label.clone(), inputs, shards, answers, false)?;
        let plan: Arc<dyn ExecutionPlan> = Arc::new(plan);
        if let Some(key) = key {
            self.of.leaves.put(key, &plan);
        }
        Ok(plan)
    }

    /// The criteria, each of which reads what concerns those whom the ones before it leave. A leaf that stands in several of
    /// them is worked out once, for everybody.
    fn criteria(
        &self,
        node: &SetNode,
        (stops, placed): (bool, bool),
        inputs: &[Arc<dyn ExecutionPlan>],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut planned = Vec::with_capacity(inputs.len());
        let mut candidates = Vec::with_capacity(inputs.len());
        for (place, input) in inputs.iter().enumerate() {
            let others = || inputs.iter().enumerate().filter(|(other, _)| *other != place);
            let is_own = !others().any(|(_, other)| shares_a_leaf(input, other));
            let who = Arc::new(Candidates::new(self.of.shards.len(), OneByOne::Hundredth));
            let limited = match input.downcast_ref::<SetExec>() {
                Some(set) if is_own => set.members_among(&who)?,
                Some(_) | None => None,
            };
            candidates.push(limited.is_some().then_some(who));
            planned.push(limited.unwrap_or_else(|| Arc::clone(input)));
        }
        let narrowing = Some(Narrowing { inputs: planned.clone(), candidates });
        let operator = Arc::new(Criteria { stops, placed, narrowing });
        let shards = Arc::clone(&self.of.shards);
        // Never at once: who is left has to be known.
        Ok(Arc::new(SetExec::try_new(operator, node.label.clone(), planned, shards, None, false)?))
    }

    /// A chain of records, whose scans read what concerns the contacts that one of them finds first.
    fn chained(&self, chain: &Chain, rows: &[Arc<dyn ExecutionPlan>]) -> Result<Chained> {
        let candidates = Arc::new(Candidates::new(self.of.shards.len(), OneByOne::Hundredth));
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(rows.len());
        for rows in rows {
            let Some(scan) = rows.downcast_ref::<EncryptedScan>() else {
                return internal_err!("a chain of records over something that is no scan");
            };
            inputs.push(Arc::new(scan.limited_to(&candidates)));
        }
        let scans = inputs.clone();
        Ok((inputs, Arc::new(RecordChain { chain: chain.clone(), candidates, scans })))
    }
}

/// Whether a plan is this one or has it somewhere below.
fn is_part(part: &Arc<dyn ExecutionPlan>, plan: &Arc<dyn ExecutionPlan>) -> bool {
    Arc::ptr_eq(part, plan) || plan.children().into_iter().any(|child| is_part(part, child))
}

/// Whether a leaf of one plan stands in another, too.
fn shares_a_leaf(one: &Arc<dyn ExecutionPlan>, other: &Arc<dyn ExecutionPlan>) -> bool {
    let children = one.children();
    if children.is_empty() {
        return is_part(one, other);
    }
    children.into_iter().any(|child| shares_a_leaf(child, other))
}

/// Scans, and the operator over them.
type Chained = (Vec<Arc<dyn ExecutionPlan>>, Arc<dyn SetOperator>);

/// A scan with what was moved into it, and the expressions that were not.
type PushedDown = (Arc<dyn ExecutionPlan>, Vec<Arc<dyn PhysicalExpr>>);

/// Moves the filter of a leaf into its scan, which can judge whole blocks; what is left are the expressions over the
/// rows that the leaf gets.
fn push_down(
    operation: &Operation,
    input: &Arc<dyn ExecutionPlan>,
    exprs: &[Arc<dyn PhysicalExpr>],
) -> Result<PushedDown> {
    let Some(scan) = input.downcast_ref::<EncryptedScan>() else {
        return internal_err!("{} over something that is no scan", operation.name());
    };
    match exprs {
        [predicate] if *operation == Operation::FieldSet => {
            Ok((Arc::new(scan.answering(predicate)?), vec![]))
        }
        [filter, questions @ ..] if operation.asks_the_scan() => {
            Ok((Arc::new(scan.selecting(filter, operation.columns(), questions)?), vec![]))
        }
        _ => selecting(operation.columns(), input, exprs),
    }
}

/// A scan that selects by the first expression, and the others over what it puts out: these columns and theirs.
fn selecting(
    columns: &[&str],
    input: &Arc<dyn ExecutionPlan>,
    exprs: &[Arc<dyn PhysicalExpr>],
) -> Result<PushedDown> {
    let (Some(scan), [filter, asked @ ..]) = (input.downcast_ref::<EncryptedScan>(), exprs) else {
        return internal_err!("rows without a scan or a filter");
    };
    let named: Vec<_> = asked.iter().flat_map(collect_columns).collect();
    let mut columns: Vec<&str> = columns.to_vec();
    columns.extend(named.iter().map(|column| column.name()));
    columns.sort_unstable();
    columns.dedup();
    let scan = scan.selecting(filter, &columns, &[])?;
    let schema = scan.schema();
    let asked = asked.iter().map(|expr| reassign_expr_columns(Arc::clone(expr), &schema));
    let asked = asked.collect::<Result<_>>()?;
    Ok((Arc::new(scan), asked))
}
