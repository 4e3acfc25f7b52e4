//! The last optimizer rule: no plan that can release anything runs without its gate.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::repartition::RepartitionExec;

use super::exec::SetExec;
use super::recipients::RecipientsExec;
use crate::error::Error;
use crate::report::Reason;
use crate::table::EncryptedScan;

/// What the gate of a plan must hold.
#[derive(Clone, Debug)]
pub(crate) enum GateRule {
    /// Exactly one gate with at least these reasons, each as often as it stands here, above every scan but those of the list node, which the gate
    /// restricts.
    Required(Vec<Reason>),
    /// The plan only counts whom the criteria match; it must have no list node.
    CountsOnly,
}

impl PhysicalOptimizerRule for GateRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut found = Found::default();
        visit(&plan, false, &mut found);
        let fine = match self {
            Self::CountsOnly => found.gates.is_empty() && found.lists == 0,
            Self::Required(reasons) => match found.gates.as_slice() {
                [gate] => {
                    found.scans_outside == 0
                        && found.lists <= 1
                        && reasons.iter().all(|reason| often(reason, gate) >= often(reason, reasons))
                }
                _ => false,
            },
        };
        // Rows dealt out anew would leave their shard.
        if !fine || found.repartitions > 0 {
            return Err(DataFusionError::External(Box::new(Error::GateMissing)));
        }
        Ok(plan)
    }

    fn name(&self) -> &str {
        "hyperseg_gate"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// How often a reason stands among others.
fn often(reason: &Reason, among: &[Reason]) -> usize {
    among.iter().filter(|other| *other == reason).count()
}

#[derive(Default)]
struct Found {
    gates: Vec<Vec<Reason>>,
    lists: usize,
    scans_outside: usize,
    repartitions: usize,
}

fn visit(plan: &Arc<dyn ExecutionPlan>, below_gate: bool, found: &mut Found) {
    if plan.is::<RepartitionExec>() {
        found.repartitions += 1;
    }
    if plan.is::<EncryptedScan>() && !below_gate {
        found.scans_outside += 1;
    }
    let gate = plan.downcast_ref::<SetExec>().and_then(|set| set.operator().as_gate());
    if let Some(gate) = gate {
        found.gates.push(gate.reasons.clone());
    }
    let list = plan.is::<RecipientsExec>();
    found.lists += usize::from(list);
    let cuts = plan.downcast_ref::<SetExec>().is_some_and(|set| set.operator().as_tails().is_some());
    for (place, child) in plan.children().into_iter().enumerate() {
        // The list node reads its scans under the gate's answer alone; its first child is the gate, or what takes some of
        // those whom the gate lets through. That one only takes away: what it reads beside the gate adds nobody.
        let restricted = place > 0 && (list && child.is::<EncryptedScan>() || cuts);
        visit(child, below_gate || gate.is_some() || restricted, found);
    }
}
