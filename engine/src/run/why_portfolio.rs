//! Which segment of a portfolio takes one contact, and why the others do not.
//!
//! The reference semantics say what each segment finds of the contact by itself. Whether others come first on a list, and so
//! whom a higher segment leaves to the lower ones, only the plans say: those of all segments up to the last one whose list
//! depends on others are carried out in their order, all under the one record that says who looked at whom.

use std::sync::Arc;

use hyperseg_dsl::describe_portfolio;
use hyperseg_storage::Snapshot;
use hyperseg_storage::audit::{Intent, IntentBody};

use super::Engine;
use super::list::not_releasable;
use super::query::{self, Wanted, aborted, as_of_text, releasable};
use super::why::{Reading, depends_on_others};
use super::within::Within;
use crate::error::{Error, Result};
use crate::report::{PortfolioWhyReport, Reason, SegmentTrace};
use crate::request::{PortfolioRequest, Request};

pub(super) async fn why(
    engine: &Engine,
    request: &PortfolioRequest,
    contact_id: &str,
) -> Result<PortfolioWhyReport> {
    let requests = request.each();
    if let Some(lacking) = requests.iter().find(|request| releasable(request).is_none()) {
        return Err(not_releasable(lacking));
    }
    let snapshot = engine.dataset.snapshot()?;
    let places = Within::all(request);
    let body = intent_body(request, &requests, &places, &snapshot, contact_id);
    let intent = engine.dataset.audit()?.intent(body)?;
    match told(engine, request, requests, places, &snapshot, &intent, contact_id).await {
        Ok(report) => {
            // As for a segment: who looked at whom, with which keys, and not what was found of the contact's data.
            let body = serde_json::json!({
                "taken_by": report.taken_by,
                "held_back": report.held_back,
                "columns": report.columns,
                "key_ids": report.key_ids,
            });
            intent.complete(body)?;
            Ok(report)
        }
        Err(error) => Err(aborted(intent, error)),
    }
}

fn intent_body(
    request: &PortfolioRequest,
    requests: &[Request],
    places: &[Within],
    snapshot: &Snapshot,
    contact_id: &str,
) -> IntentBody {
    let portfolio = request.portfolio.portfolio();
    let report = places.first().map(Within::report);
    let lookups: Vec<_> = portfolio.segments.iter().flat_map(|segment| &segment.pins).collect();
    IntentBody {
        on_behalf_of: request.actor.clone(),
        segment_text: Some(request.source.clone()),
        canonical_hash: report.as_ref().map(|report| report.sha256.clone()),
        description: Some(describe_portfolio(portfolio, snapshot.schema())),
        as_of: requests.first().map(as_of_text),
        zone: Some(request.clock.zone.name().to_owned()),
        generation: Some(snapshot.generation()),
        details: serde_json::json!({
            "portfolio": report.map(|report| serde_json::json!({
                "name": report.name,
                "sha256": report.sha256,
                "segments": report.segments,
            })),
            "contact_id": contact_id,
            "now_micros": request.now_micros,
            "lookups": lookups,
        }),
        ..IntentBody::new("why")
    }
}

async fn told(
    engine: &Engine,
    request: &PortfolioRequest,
    requests: Vec<Request>,
    places: Vec<Within>,
    snapshot: &Arc<Snapshot>,
    intent: &Intent,
    contact_id: &str,
) -> Result<PortfolioWhyReport> {
    let mut found = Reading::new(engine, snapshot, intent);
    let place = found.place(contact_id)?.ok_or(Error::UnknownContact)?;
    let last = requests.iter().rposition(|request| depends_on_others(request.segment.segment()));
    let mut segments: Vec<SegmentTrace> = Vec::with_capacity(requests.len());
    let mut taken_by: Option<String> = None;
    let mut held_back = false;
    for (number, (one, within)) in requests.iter().zip(places).enumerate() {
        let segment = one.segment.segment();
        let mut trace = found.trace(one, contact_id, place).await?;
        trace.taken(taken_by.as_deref());
        if last.is_some_and(|last| number <= last) {
            let snapshot = Arc::clone(snapshot);
            let planned =
                query::plan_within(engine, one, Wanted::Numbers, &[], snapshot, Some(within)).await?;
            let reason = found.left_out(&planned, place).await?;
            planned.hand_over()?;
            // Whom the sample leaves out is known without the plan.
            trace.among_others(segment, reason.filter(|reason| *reason != Reason::NotSampled));
        }
        let higher = taken_by.clone();
        if taken_by.is_none() && trace.takes() {
            taken_by = Some(segment.name.clone());
            held_back = trace.blocked == Some(Reason::Holdout);
        }
        segments.push(SegmentTrace { segment: segment.name.clone(), taken_by: higher, trace });
    }
    Ok(PortfolioWhyReport {
        run_id: intent.id().to_string(),
        portfolio: request.portfolio.portfolio().name.clone(),
        contact_id: contact_id.to_owned(),
        clock: request.clock,
        taken_by,
        held_back,
        segments,
        columns: found.columns.into_values().collect(),
        key_ids: found.key_ids.into_iter().collect(),
    })
}
