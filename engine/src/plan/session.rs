//! The one place that builds a DataFusion session.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::prelude::SessionConfig;

use super::gate_rule::GateRule;
use super::planner::SegmentPlanner;
use crate::request::Limits;

/// A session for one query. Nothing is ever spilled; the memory pool bounds every operator.
pub(crate) fn session(limits: &Limits, planner: SegmentPlanner, gate: GateRule) -> Result<SessionState> {
    let config = SessionConfig::new()
        .with_target_partitions(planner.shards.len())
        // A shard is a partition: nothing may deal rows out anew.
        .with_round_robin_repartition(false)
        .with_repartition_file_scans(false)
        .with_repartition_sorts(false)
        // File statistics could answer filters without reading what they speak of.
        .with_collect_statistics(false);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes_max)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    Ok(SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(physical_rules(gate))
        .with_query_planner(Arc::new(planner))
        .build())
}

/// Constants first, so that filters are as simple as can be; then filters to the scans; then only the columns that
/// are still asked for.
fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ]
}

/// The one that refuses a plan without its gate. DataFusion's own rules move, split and merge nodes that our plans do
/// not have; what is left to them is the check that a plan is sane.
fn physical_rules(gate: GateRule) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    vec![Arc::new(SanityCheckPlan::new()), Arc::new(gate)]
}
