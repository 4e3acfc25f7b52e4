//! From logical nodes over sets to their physical operators.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::exec::SetExec;
use super::node::SetNode;
use super::recipients::{RecipientsExec, RecipientsNode};

/// DataFusion's planner with ours for the extension nodes.
#[derive(Debug)]
pub(crate) struct SegmentPlanner {
    /// Contacts of each shard.
    pub(crate) shards: Arc<[u32]>,
}

#[async_trait]
impl QueryPlanner for SegmentPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let extension = SetPlanner { shards: Arc::clone(&self.shards) };
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(extension)])
            .create_physical_plan(logical_plan, session)
            .await
    }
}

struct SetPlanner {
    shards: Arc<[u32]>,
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
                RecipientsExec::try_new(recipients, physical_inputs.to_vec(), Arc::clone(&self.shards))?;
            return Ok(Some(Arc::new(plan)));
        }
        let Some(node) = node.as_any().downcast_ref::<SetNode>() else { return Ok(None) };
        let mut exprs = Vec::with_capacity(node.exprs.len());
        if let Some(input) = logical_inputs.first() {
            for expr in &node.exprs {
                exprs.push(planner.create_physical_expr(expr, input.schema(), session, context)?);
            }
        }
        let operator = node.operation.operator(exprs)?;
        let plan = SetExec::try_new(
            operator,
            node.label.clone(),
            physical_inputs.to_vec(),
            Arc::clone(&self.shards),
        )?;
        Ok(Some(Arc::new(plan)))
    }
}
