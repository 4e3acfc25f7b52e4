//! A plan whose gate was taken out by hand does not run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use hyperseg_dsl::schema::{Channel, Purpose};
use hyperseg_storage::{Dataset, InitOptions};

use super::Engine;
use super::query::{self, Wanted, query_error};
use crate::error::{Error, ErrorKind};
use crate::lower::required_reasons;
use crate::plan::exec::SetExec;
use crate::plan::explain;
use crate::plan::gate_rule::GateRule;
use crate::plan::recipients::RecipientsExec;
use crate::report::Reason;
use crate::request::{ConsentAge, Limits, Request};

const OFFER: &str = "segment s purpose marketing channel email where state = MA and has condition \
                     exclude gender = other output first_name";

const ANEW: ReplaceChildrenOptions = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);

/// The physical plan of a text over an empty dataset, and what to judge errors with.
fn plan(source: &str) -> (Arc<dyn ExecutionPlan>, Engine) {
    let dir = tempfile::tempdir().unwrap();
    let keyring = dir.path().join("keys/keyring");
    let (dataset, _) = Dataset::init(dir.path().join("data"), &keyring, InitOptions::default()).unwrap();
    let snapshot = dataset.snapshot().unwrap();
    let checked = hyperseg_dsl::check(source, snapshot.schema());
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let clock = hyperseg_dsl::clock::Clock { as_of_micros: 0, zone: snapshot.zone() };
    let request = Request {
        source: source.to_owned(),
        segment: checked.segments[0].bind(&BTreeMap::new()).unwrap(),
        clock,
        now_micros: 0,
        actor: None,
        consent_age_max: ConsentAge::Unlimited,
    };
    let engine = Engine::new(dataset, Limits::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let planned = runtime.block_on(query::plan(&engine, &request, Wanted::List)).unwrap();
    (planned.physical, engine)
}

fn rule() -> GateRule {
    GateRule::Required(required_reasons(Purpose::Marketing, Channel::Email))
}

fn refused(rule: &GateRule, plan: &Arc<dyn ExecutionPlan>, engine: &Engine) -> bool {
    match rule.optimize(Arc::clone(plan), &ConfigOptions::default()) {
        Ok(_) => false,
        Err(error) => {
            let error = query_error("planning", error, engine);
            assert!(matches!(error, Error::GateMissing), "{error:?}");
            assert_eq!(error.kind(), ErrorKind::Integrity);
            true
        }
    }
}

fn is_gate(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<SetExec>().is_some_and(|set| set.operator().as_gate().is_some())
}

/// The plan with every gate replaced by something else made of it.
fn replace_gate(
    plan: &Arc<dyn ExecutionPlan>,
    by: &impl Fn(&Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan>,
) -> Arc<dyn ExecutionPlan> {
    if is_gate(plan) {
        return by(plan);
    }
    let children: Vec<_> = plan.children().into_iter().map(|child| replace_gate(child, by)).collect();
    if children.is_empty() {
        Arc::clone(plan)
    } else {
        Arc::clone(plan).replace_children(children, ANEW).unwrap()
    }
}

#[test]
fn the_plan_of_a_list_has_one_gate_above_its_scans() {
    let (plan, engine) = plan(OFFER);
    assert!(!refused(&rule(), &plan, &engine));
    assert!(refused(&GateRule::CountsOnly, &plan, &engine), "a list is no count");
    assert!(explain::scans(&plan).len() >= 8);
}

#[test]
fn a_plan_without_its_gate_is_refused() {
    let (plan, engine) = plan(OFFER);
    // What the gate lets through replaced by whoever matches.
    let bare = replace_gate(&plan, &|gate| Arc::clone(gate.children()[0]));
    assert!(explain::find(&bare, &is_gate).is_none() && bare.is::<RecipientsExec>());
    assert!(refused(&rule(), &bare, &engine));
    // The gate below the list, but not between it and the criteria: the first child is what counts.
    let mut children: Vec<_> = plan.children().into_iter().cloned().collect();
    let gate = std::mem::replace(&mut children[0], Arc::clone(bare.children()[0]));
    children.push(gate);
    let aside = Arc::clone(&plan).replace_children(children, ANEW).unwrap();
    assert!(explain::find(&aside, &is_gate).is_some());
    assert!(refused(&rule(), &aside, &engine));
    // Two gates are as suspicious as none.
    let twice = replace_gate(&plan, &|gate| {
        let mut children: Vec<_> = gate.children().into_iter().cloned().collect();
        children[0] = Arc::clone(gate);
        Arc::clone(gate).replace_children(children, ANEW).unwrap()
    });
    assert!(refused(&rule(), &twice, &engine));
}

#[test]
fn a_gate_that_lacks_a_reason_is_refused() {
    let (push, engine) = plan("segment s purpose treatment channel push where state = MA");
    let reasons = |purpose, channel| GateRule::Required(required_reasons(purpose, channel));
    assert!(!refused(&reasons(Purpose::Treatment, Channel::Push), &push, &engine));
    // A gate for treatment by push knows nothing of bounces, nor of minors.
    assert!(refused(&reasons(Purpose::Treatment, Channel::Email), &push, &engine));
    assert!(refused(&reasons(Purpose::Marketing, Channel::Push), &push, &engine));
    let (offer, engine) = plan(OFFER);
    for reason in required_reasons(Purpose::Marketing, Channel::Email) {
        assert!(!refused(&GateRule::Required(vec![reason]), &offer, &engine));
    }
    assert!(refused(&GateRule::Required(vec![Reason::Holdout]), &offer, &engine));
    // A segment of a portfolio asks of each one in front of it whom it has taken.
    assert!(refused(&GateRule::Required(vec![Reason::Taken]), &offer, &engine));
}

#[test]
fn the_plan_of_a_count_does_not_pass_for_that_of_a_list() {
    let (count, engine) = plan("segment s where state = MA");
    assert!(!refused(&GateRule::CountsOnly, &count, &engine));
    assert!(refused(&rule(), &count, &engine));
}
