//! Segments counted together must say what the reference semantics say of each.

use std::collections::BTreeMap;

use hyperseg_dsl::segment::Segment;
use hyperseg_dsl::semantics::select_all;
use hyperseg_testdata::worlds::World;

use super::{Fixture, request};

/// Where a batch and the reference differ, in words.
pub fn compare_batch(fixture: &Fixture, world: &World, segments: &[Segment]) -> Result<(), String> {
    let schema = hyperseg_dsl::schema::Schema::built_in();
    let requests: Vec<_> = segments
        .iter()
        .map(|segment| request(segment.bind(&BTreeMap::new()).unwrap(), world.clock, world.now_micros))
        .collect();
    let reports = fixture.engine.count_all_blocking(&requests);
    let reports = reports.map_err(|error| format!("the batch failed: {error}"))?;
    if reports.len() != requests.len() {
        return Err(format!("{} answers to {} questions", reports.len(), requests.len()));
    }
    for (request, report) in requests.iter().zip(reports) {
        let name = &request.segment.segment().name;
        let found = select_all(&request.segment, &fixture.contacts, &schema, &world.clock, world.now_micros);
        let matched = found.iter().filter(|verdict| verdict.matched).count() as u64;
        if report.matched != matched {
            return Err(format!("{name} in a batch: engine {}, reference {matched}", report.matched));
        }
        for removed in &report.removed {
            let blocked = found.iter().filter(|verdict| verdict.blocked == Some(removed.reason)).count();
            if removed.contacts != blocked as u64 {
                let (reason, engine) = (removed.reason, removed.contacts);
                return Err(format!("{name} in a batch, {reason}: engine {engine}, reference {blocked}"));
            }
        }
        let recipients = found.iter().filter(|verdict| verdict.is_recipient()).count() as u64;
        if report.releasable.is_some_and(|releasable| releasable != recipients) {
            let releasable = report.releasable;
            return Err(format!("{name} in a batch: engine {releasable:?}, reference {recipients}"));
        }
    }
    Ok(())
}
