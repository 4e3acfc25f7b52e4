//! Who gets no list: guards, stale or missing consent data, no purpose, no channel, no audit log.

use hyperseg_dsl::value::Value;
use hyperseg_engine::{ConsentAge, Error, ErrorKind, Guards, Request};
use hyperseg_storage::audit::EntryKind;
use hyperseg_testdata::worlds::World;

use crate::clientele::{DIABETICS, ask, clientele, expected, instant, lists, log};
use crate::support::{Fixture, Layout, ids};
use crate::{SHARDS, verified};

const HOUR: i64 = 3_600_000_000;

#[test]
fn a_guard_releases_nothing() {
    let world = clientele(200);
    let fixture = Fixture::new(&world, SHARDS);
    let request = ask(DIABETICS, &world);
    let size = expected(&world, &request).len() as u64;
    for (min, max, bound) in [
        (Some(size + 1), None, format!("at least {}", size + 1)),
        (None, Some(size - 1), format!("at most {}", size - 1)),
    ] {
        let guards = Guards { recipients_min: min, recipients_max: max };
        let error = fixture.engine.run_blocking(&request, guards).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Guard);
        match error {
            Error::Guard { recipients, bound: found } => assert_eq!((recipients, found), (size, bound)),
            other => panic!("{other:?}"),
        }
        assert_eq!(log(&fixture).last().unwrap().kind, EntryKind::Aborted);
        assert!(lists(&fixture).is_empty());
    }
    let guards = Guards { recipients_min: Some(size), recipients_max: Some(size) };
    assert_eq!(fixture.engine.run_blocking(&request, guards).unwrap().receipt().released, size);
    verified(&fixture);
}

/// The log has grown by an attempt and its refusal, and no list lies there.
fn refused(fixture: &Fixture, before: usize) {
    let log = log(fixture);
    let kinds: Vec<EntryKind> = log[before..].iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Intent, EntryKind::Aborted]);
    assert!(lists(fixture).is_empty());
}

fn stale(fixture: &Fixture, request: &Request) {
    let before = log(fixture).len();
    let error = fixture.engine.run_blocking(request, Guards::default()).unwrap_err();
    assert!(matches!(error, Error::ConsentStale { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
    refused(fixture, before);
}

#[test]
fn consent_that_is_too_old_or_was_never_imported_releases_nothing() {
    let mut world = clientele(80);
    let fixture = Fixture::new(&world, SHARDS);
    let imported = world.now_micros;
    world.now_micros += 25 * HOUR;
    let request = ask(DIABETICS, &world);
    stale(&fixture, &request);
    // A count releases nothing and is answered.
    assert!(fixture.engine.count_blocking(&request).unwrap().releasable > Some(0));
    for (allowed, hours) in [(ConsentAge::Hours(25), Some(25)), (ConsentAge::Unlimited, None)] {
        let request = Request { consent_age_max: allowed, ..request.clone() };
        let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
        let run = recipients.receipt().run_id.clone();
        assert_eq!(ids(recipients), expected(&world, &request));
        // The record says how old consent was and was allowed to be.
        let entries = fixture.engine.dataset().audit().unwrap().show(&run).unwrap();
        assert_eq!(entries[1].body["details"]["consent_imported_at_micros"], imported);
        assert_eq!(entries[1].body["details"]["consent_max_age_hours"], serde_json::json!(hours));
        assert_eq!(entries[0].body["details"]["now_micros"], imported + 25 * HOUR);
    }
    // A clock that stands before the import is wrong somewhere: nothing is fresh then.
    world.now_micros = imported - HOUR;
    world.clock.as_of_micros = world.clock.as_of_micros.min(world.now_micros);
    let before = log(&fixture).len();
    let error = fixture.engine.run_blocking(&ask(DIABETICS, &world), Guards::default()).unwrap_err();
    assert!(matches!(error, Error::ConsentStale { .. }), "{error:?}");
    assert_eq!(log(&fixture)[before..].len(), 2);
    world.now_micros = imported + 24 * HOUR;
    fixture.engine.run_blocking(&ask(DIABETICS, &world), Guards::default()).unwrap();

    let mut silent = clientele(80);
    for contact in &mut silent.contacts {
        contact.records.retain(|record| record.kind != "consent");
    }
    let fixture = Fixture::new(&silent, Layout::default());
    let request = ask("segment s purpose treatment channel email where state = MA", &silent);
    stale(&fixture, &request);
    let request = Request { consent_age_max: ConsentAge::Unlimited, ..request };
    let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
    assert_eq!(recipients.receipt().consent_imported_at_micros, None);
    assert_eq!(ids(recipients), expected(&silent, &request));
}

#[test]
fn a_list_needs_a_purpose_and_a_channel() {
    let world = clientele(80);
    let fixture = Fixture::new(&world, SHARDS);
    for (header, missing) in [("", "purpose"), ("channel email", "purpose"), ("purpose marketing", "channel")]
    {
        let request = ask(&format!("segment s {header} where state = MA"), &world);
        let before = log(&fixture).len();
        let error = fixture.engine.run_blocking(&request, Guards::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorised);
        assert!(matches!(error, Error::NotReleasable { what, .. } if what == missing), "{header}");
        refused(&fixture, before);
        assert_eq!(
            fixture.engine.plan_blocking(&request, false).unwrap().physical.matches("Gate").count(),
            0
        );
    }
    let request = ask("segment s channel email where state = MA", &world);
    let count = fixture.engine.count_blocking(&request).unwrap();
    assert!(count.matched > 0 && count.releasable.is_none() && count.removed.is_empty());
}

#[test]
fn a_run_that_looks_back_still_honours_what_was_revoked_since() {
    let mut world = clientele(120);
    let source = "segment s purpose marketing channel email where state = MA";
    // The whole world was asked for in spring 2025; consent of some was revoked on the first of June.
    let spring =
        hyperseg_dsl::clock::Clock::parse("2025-04-01[America/New_York]", chrono_tz::Tz::UTC).unwrap();
    let fixture = Fixture::new(&world, SHARDS);
    let now = world.now_micros;
    world.clock = spring;
    let request = Request { consent_age_max: ConsentAge::Unlimited, ..ask(source, &world) };
    let today = ids(fixture.engine.run_blocking(&request, Guards::default()).unwrap());
    assert_eq!(today, expected(&world, &request));
    let then = Request { now_micros: spring.as_of_micros, ..request.clone() };
    let then = ids(fixture.engine.run_blocking(&then, Guards::default()).unwrap());
    let revoked: Vec<&String> = then.iter().filter(|id| !today.contains(id)).collect();
    assert!(!revoked.is_empty() && today.iter().all(|id| then.contains(id)));

    // And a clock set forward sees what is revoked until then: the gate takes the later of the two.
    let victim = world.contacts.iter_mut().find(|contact| contact.id() == today[0]).unwrap();
    let mut record = victim.records.iter().find(|record| record.kind == "consent").unwrap().clone();
    record.fields.insert("at".to_owned(), instant(now + 48 * HOUR));
    record.fields.insert("decision".to_owned(), Value::Category("revoke".to_owned()));
    record.fields.insert("record_id".to_owned(), Value::Text("later".to_owned()));
    victim.records.push(record);
    world.now_micros = now;
    let fixture = Fixture::new(&world, Layout::default());
    world.clock.as_of_micros = now;
    let releasable =
        |world: &World| fixture.engine.count_blocking(&ask(source, world)).unwrap().releasable.unwrap();
    let recipients = fixture
        .engine
        .run_blocking(
            &Request { consent_age_max: ConsentAge::Unlimited, ..ask(source, &world) },
            Guards::default(),
        )
        .unwrap();
    let listed = ids(recipients);
    assert!(listed.contains(&today[0]));
    assert_eq!(releasable(&world), listed.len() as u64);
    world.clock.as_of_micros = now + 72 * HOUR;
    assert_eq!(releasable(&world), listed.len() as u64 - 1);
    // Only a count may look ahead: who consents on a day to come is not known.
    let before = log(&fixture).len();
    let error = fixture
        .engine
        .run_blocking(
            &Request { consent_age_max: ConsentAge::Unlimited, ..ask(source, &world) },
            Guards::default(),
        )
        .unwrap_err();
    assert!(matches!(error, Error::FutureAsOf), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(log(&fixture).len(), before + 2, "the attempt and its refusal");
    // The rest of today is not a day to come.
    world.clock.as_of_micros = now + 5 * HOUR;
    let recipients = fixture
        .engine
        .run_blocking(
            &Request { consent_age_max: ConsentAge::Unlimited, ..ask(source, &world) },
            Guards::default(),
        )
        .unwrap();
    assert_eq!(ids(recipients), listed);
}

#[test]
fn without_an_audit_log_there_is_no_list() {
    let world = clientele(60);
    let request = ask(DIABETICS, &world);
    for damage in ["missing", "cut", "changed"] {
        let fixture = Fixture::new(&world, Layout::default());
        let path = fixture.dir.path().join("data/audit/log");
        let mut bytes = std::fs::read(&path).unwrap();
        match damage {
            "missing" => std::fs::remove_file(&path).unwrap(),
            "cut" => std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
            _ => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 4;
                std::fs::write(&path, bytes).unwrap();
            }
        }
        // As the next process finds it.
        let engine =
            hyperseg_engine::Engine::new(crate::reopened(&fixture), hyperseg_engine::Limits::default());
        for error in [
            engine.run_blocking(&request, Guards::default()).unwrap_err(),
            engine.count_blocking(&request).unwrap_err(),
            engine.plan_blocking(&request, true).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Integrity, "{damage}: {error}");
        }
        assert!(lists(&fixture).is_empty(), "{damage}");
    }
}
