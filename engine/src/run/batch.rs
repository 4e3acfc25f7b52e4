//! Many segments counted at once: one generation, one audit record, and what they have in common is read once.
//!
//! ```text
//! in:   women over 50 in MA      women over 50 with diabetes      …      everybody for marketing by e-mail
//! once: women over 50            diabetes                                who may be approached by e-mail for marketing
//! ```
//!
//! All plans are made first. Their keys are unwrapped together, files are opened once, and a leaf that stands in several plans
//! is one node of all of them. Its answer goes when the last plan that has it has run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use hyperseg_storage::audit::{Intent, IntentBody};
use hyperseg_storage::{KeyScope, Unlocked};
use serde_json::{Value, json};

use super::Engine;
use super::count::report_of;
use super::query::{self, Planned, Shared, Wanted, aborted, as_of_text};
use crate::error::{Error, Result};
use crate::report::CountReport;
use crate::request::Request;

/// From so many segments on gates are answered for everybody and once, rather than for those who match each of them.
const WHOLE_GATES_MIN: usize = 5;

impl Engine {
    /// [`Engine::count`] of each of these segments, all against one generation and under one audit record that names
    /// them all. Faster than one by one: what several of them ask is read once, and so are the gates.
    ///
    /// # Errors
    /// As [`Engine::count`]; when one of them fails, none is answered.
    pub async fn count_all(&self, requests: &[Request]) -> Result<Vec<CountReport>> {
        count_all(self, requests).await
    }

    /// [`Engine::count_all`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::count_all`].
    pub fn count_all_blocking(&self, requests: &[Request]) -> Result<Vec<CountReport>> {
        self.block_on(self.count_all(requests))
    }
}

async fn count_all(engine: &Engine, requests: &[Request]) -> Result<Vec<CountReport>> {
    let snapshot = engine.dataset.snapshot()?;
    let mut shared = Shared::default();
    shared.leaves.in_common = requests.len() > 1;
    shared.leaves.whole_gates = requests.len() >= WHOLE_GATES_MIN;
    let mut plans = VecDeque::with_capacity(requests.len());
    for request in requests {
        let snapshot = Arc::clone(&snapshot);
        let planned = query::plan_sharing(engine, request, Wanted::Number, &[], snapshot, None, &shared);
        plans.push_back(planned.await?);
    }
    shared.leaves.forget();
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    let intent = engine.dataset.audit()?.intent(intent_body(requests, &plans))?;
    let counted = counted(engine, requests, plans, &intent).await.and_then(|reports| {
        let body = serde_json::to_value(&reports);
        Ok((body.map_err(|_| Error::Query { doing: "reporting", kind: "json" })?, reports))
    });
    match counted {
        Ok((body, reports)) => {
            intent.complete(json!({ "segments": body }))?;
            Ok(reports)
        }
        Err(error) => Err(aborted(intent, error)),
    }
}

/// Runs the plans in their order.
async fn counted(
    engine: &Engine,
    requests: &[Request],
    mut plans: VecDeque<Planned>,
    intent: &Intent,
) -> Result<Vec<CountReport>> {
    let Some(first) = plans.front() else { return Ok(Vec::new()) };
    let wants = plans.iter().flat_map(Planned::wants).collect();
    let scope = first.arm(engine, intent, wants)?;
    let mut reports = Vec::with_capacity(requests.len());
    for request in requests {
        let Some(planned) = plans.pop_front() else { break };
        let started = Instant::now();
        planned.ran(engine, &scope).await?;
        let looked_at = planned.scope_report(own(&planned, &scope)?, started, request);
        reports.push(report_of(&planned, intent.id().to_string(), looked_at, request)?);
    }
    Ok(reports)
}

/// Those of the columns that were unlocked which a plan reads.
fn own(planned: &Planned, scope: &KeyScope) -> Result<Vec<Unlocked>> {
    let needed = KeyScope::needed(&planned.snapshot, planned.wants())?;
    let mut unlocked = scope.unlocked();
    for column in &mut unlocked {
        column.files.retain(|file| needed.get(file).is_some_and(|columns| columns.contains(&column.column)));
    }
    unlocked.retain(|column| !column.files.is_empty());
    Ok(unlocked)
}

fn intent_body(requests: &[Request], plans: &VecDeque<Planned>) -> IntentBody {
    let segments = requests.iter().zip(plans).map(|(request, planned)| {
        let segment = request.segment.segment();
        json!({
            "segment": segment.name,
            "segment_text": request.source,
            "canonical_hash": planned.segment_sha256,
            "description": planned.description,
            "purpose": segment.purpose.map(|purpose| purpose.name()),
            "channel": segment.channel.map(|channel| channel.name()),
            "params": serde_json::to_value(request.segment.params()).unwrap_or_default(),
            "on_behalf_of": request.actor,
            "as_of": as_of_text(request),
            "zone": request.clock.zone.name(),
            "now_micros": request.now_micros,
            "plan_sha256": query::plan_sha256(planned),
            "lookups": planned.lookups,
        })
    });
    let segments: Vec<Value> = segments.collect();
    IntentBody {
        generation: plans.front().map(|planned| planned.snapshot.generation()),
        on_behalf_of: same(requests.iter().map(|request| request.actor.clone())).flatten(),
        as_of: same(requests.iter().map(as_of_text)),
        details: json!({ "segments": segments }),
        ..IntentBody::new("count")
    }
}

/// What all of them say, when it is the same.
fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
