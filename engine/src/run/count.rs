//! Numbers: count, funnel, plan.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use hyperseg_dsl::Stages;
use hyperseg_dsl::segment::Stage;

use super::Engine;
use super::query::{self, Executed, Planned, Wanted, releasable};
use crate::error::{Error, Result};
use crate::plan::exec::{SetExec, SetOperator};
use crate::plan::explain;
use crate::plan::ops::criteria::{PLACED_BY_ZIP, cumulative};
use crate::plan::ops::gate::MATCHED;
use crate::plan::ops::stages::{NO_STAGE, in_stage};
use crate::plan::ops::taken::taken_counter;
use crate::plan::recipients::{RecipientsExec, arm_counter};
use crate::report::{
    ArmCount, CountReport, CriterionReport, FunnelReport, PlanReport, Reason, Removed, ScopeReport,
    StageReport, StagesReport, TakenBy,
};
use crate::request::Request;

pub(super) async fn count(engine: &Engine, request: &Request) -> Result<CountReport> {
    let executed =
        query::plan(engine, request, Wanted::Number).await?.execute(engine, request, "count").await?;
    let report = count_report(&executed, request)?;
    complete(executed, &report)?;
    Ok(report)
}

pub(super) async fn funnel(engine: &Engine, request: &Request, by: Option<&Stages>) -> Result<FunnelReport> {
    let stages = by.map(Stages::list).unwrap_or_default();
    let mut planned = query::plan_by_stage(engine, request, Wanted::Numbers, stages).await?;
    planned.names(by);
    let executed = planned.execute(engine, request, "funnel").await?;
    let mut report = funnel_report(&executed, request)?;
    report.stages = stages_report(&executed, stages, report.count.matched)?;
    complete(executed, &report.count)?;
    Ok(report)
}

pub(super) async fn plan(engine: &Engine, request: &Request, analyze: bool) -> Result<PlanReport> {
    let planned = query::plan(engine, request, Wanted::List).await?;
    plan_report(engine, request, planned, analyze).await
}

/// The plan as text; with `analyze` it is carried out.
pub(super) async fn plan_report(
    engine: &Engine,
    request: &Request,
    planned: Planned,
    analyze: bool,
) -> Result<PlanReport> {
    let logical = planned.logical.display_indent().to_string();
    let columns = planned.columns_to_unlock()?;
    let times = planned.times;
    if !analyze {
        let physical = explain::text(&planned.physical, false);
        return Ok(PlanReport {
            logical: without_literals(&logical),
            physical,
            columns,
            times,
            analyzed: None,
        });
    }
    let executed = planned.execute(engine, request, "plan").await?;
    executed.planned.hand_over()?;
    let physical = explain::text(&executed.planned.physical, true);
    let report = funnel_report(&executed, request)?;
    complete(executed, &report.count)?;
    Ok(PlanReport { logical: without_literals(&logical), physical, columns, times, analyzed: Some(report) })
}

/// Filters and scans print the constants they compare with; names of nodes and tables are enough.
fn without_literals(logical: &str) -> String {
    let mut out = String::new();
    for line in logical.lines() {
        let kept = match (line.find("Filter:"), line.find(", full_filters="), line.find(", partial_filters="))
        {
            (Some(at), _, _) => line.get(..at + "Filter".len()),
            (_, Some(at), _) | (_, _, Some(at)) => line.get(..at),
            _ => Some(line),
        };
        out.push_str(kept.unwrap_or_default());
        out.push('\n');
    }
    out
}

pub(super) fn complete(executed: Executed, report: &CountReport) -> Result<()> {
    let body = serde_json::to_value(report).map_err(|_| Error::Query { doing: "reporting", kind: "json" })?;
    executed.intent.complete(body)?;
    Ok(())
}

fn node(plan: &Arc<dyn ExecutionPlan>, name: &str) -> Option<Arc<dyn ExecutionPlan>> {
    explain::find(plan, &|node| node.is::<SetExec>() && node.name() == name)
}

/// Numbers of an executed plan, read from the counters of its nodes.
pub(super) fn count_report(executed: &Executed, request: &Request) -> Result<CountReport> {
    let run_id = executed.intent.id().to_string();
    report_of(&executed.planned, run_id, executed.scope_report(request), request)
}

/// The same of a plan that was executed in this run and has looked at this.
pub(super) fn report_of(
    planned: &Planned,
    run_id: String,
    scope: ScopeReport,
    request: &Request,
) -> Result<CountReport> {
    let plan = &planned.physical;
    let missing = || Error::Query { doing: "reporting", kind: "a node is missing" };
    let criteria = node(plan, "CriteriaExec").ok_or_else(missing)?;
    let placed = operator(&criteria).is_some_and(|operator| operator.places_by_zip());
    let mut removed = Vec::new();
    let mut arms = Vec::new();
    let mut taken = Vec::new();
    let mut releasable_contacts = None;
    let mut matched = explain::counter(&criteria, "true");
    if releasable(request).is_some() {
        let gate = node(plan, "GateExec").ok_or_else(missing)?;
        matched = explain::counter(&gate, MATCHED);
        let gates = gate_reasons(&gate);
        if let Some(within) = &planned.within {
            for (place, segment) in within.higher().into_iter().enumerate() {
                let contacts = explain::counter(&gate, &taken_counter(place));
                let run_id = within.run_of(place);
                taken.push(TakenBy { segment: segment.to_owned(), run_id, contacts });
            }
        }
        for reason in Reason::ALL.into_iter().filter(|reason| gates.contains(reason)) {
            if reason == Reason::Taken {
                let contacts = taken.iter().map(|taken| taken.contacts).sum();
                removed.push(Removed { reason, contacts });
                continue;
            }
            removed.push(Removed { reason, contacts: explain::counter(&gate, reason.name()) });
        }
        let mut left = explain::counter(&gate, "true");
        let segment = request.segment.segment();
        let tails = node(plan, "TailsExec");
        if let Some(tails) = &tails {
            let operator = tails.downcast_ref::<SetExec>().map(|set| Arc::clone(set.operator()));
            let reasons = operator.and_then(|operator| Some(operator.as_tails()?.asked.reasons()));
            for reason in reasons.unwrap_or_default() {
                removed.push(Removed { reason, contacts: explain::counter(tails, reason.name()) });
            }
            left = explain::counter(tails, "true");
        }
        if let Some(list) = explain::find(plan, &|node| node.is::<RecipientsExec>()) {
            left = explain::counter(&list, "recipients");
            let thinned = [
                (Reason::NotSampled, segment.sample.is_some() && tails.is_none()),
                (Reason::Holdout, segment.holdout.is_some()),
            ];
            for (reason, _) in thinned.into_iter().filter(|(_, asked)| *asked) {
                removed.push(Removed { reason, contacts: explain::counter(&list, reason.name()) });
            }
            for (place, arm) in segment.split.iter().flat_map(|split| &split.arms).enumerate() {
                let contacts = explain::counter(&list, &arm_counter(place));
                arms.push(ArmCount { arm: arm.name.clone(), contacts });
            }
            if !arms.is_empty() && left != arms.iter().map(|arm| arm.contacts).sum::<u64>() {
                return Err(Error::Query { doing: "reporting", kind: "arms that do not make the list" });
            }
        }
        releasable_contacts = Some(left);
        // The waterfall adds up, or something is wrong.
        if matched != left + removed.iter().map(|removed| removed.contacts).sum::<u64>() {
            return Err(Error::Query { doing: "reporting", kind: "a waterfall that does not add up" });
        }
    }
    Ok(CountReport {
        run_id,
        segment: request.segment.segment().name.clone(),
        contacts: planned.snapshot.contacts(),
        matched,
        placed_by_zip: placed.then(|| explain::counter(&criteria, PLACED_BY_ZIP)),
        removed,
        taken,
        releasable: releasable_contacts,
        arms,
        scope,
    })
}

fn operator(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn SetOperator>> {
    node.downcast_ref::<SetExec>().map(|set| Arc::clone(set.operator()))
}

fn gate_reasons(gate: &Arc<dyn ExecutionPlan>) -> Vec<Reason> {
    operator(gate)
        .and_then(|operator| operator.as_gate().map(|gate| gate.reasons.clone()))
        .unwrap_or_default()
}

pub(super) fn funnel_report(executed: &Executed, request: &Request) -> Result<FunnelReport> {
    let count = count_report(executed, request)?;
    let plan = &executed.planned.physical;
    let criteria = node(plan, "CriteriaExec");
    let mut reports = Vec::new();
    if let Some(criteria) = criteria {
        for (place, (child, criterion)) in
            criteria.children().into_iter().zip(&request.segment.segment().criteria).enumerate()
        {
            // DataFusion may put a node of its own above ours.
            let set = explain::find(child, &|node| node.is::<SetExec>());
            let figure = |name| set.as_ref().map_or(0, |set| explain::counter(set, name));
            let (is_true, is_unknown) = (figure("true"), figure("unknown"));
            reports.push(CriterionReport {
                label: criterion.label.clone(),
                is_true,
                is_unknown,
                is_false: count.contacts.saturating_sub(is_true + is_unknown),
                cumulative: explain::counter(&criteria, &cumulative(place)),
                unknown_rows: explain::counter_below(child, "unknown_rows"),
            });
        }
    }
    Ok(FunnelReport { count, criteria: reports, stages: None })
}

/// Those who match by stage; `None` when nobody asked.
pub(super) fn stages_report(
    executed: &Executed,
    stages: &[Stage],
    matched: u64,
) -> Result<Option<StagesReport>> {
    if stages.is_empty() {
        return Ok(None);
    }
    let failed = |kind| Error::Query { doing: "reporting", kind };
    let node = node(&executed.planned.physical, "ByStageExec").ok_or_else(|| failed("a node is missing"))?;
    let of = |(place, stage): (usize, &Stage)| StageReport {
        name: stage.name.clone(),
        title: stage.title.clone(),
        contacts: explain::counter(&node, &in_stage(place)),
    };
    let report = StagesReport {
        stages: stages.iter().enumerate().map(of).collect(),
        in_none: explain::counter(&node, NO_STAGE),
    };
    // Every contact is in one stage or in none, or something is wrong.
    let sum = report.stages.iter().map(|stage| stage.contacts).sum::<u64>() + report.in_none;
    if sum == matched { Ok(Some(report)) } else { Err(failed("stages that do not add up")) }
}
