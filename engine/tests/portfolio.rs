//! Portfolios over encrypted files: what the records say of each list, what releases nothing, what is planned and read, and
//! `why`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

#[allow(dead_code)]
#[path = "support/clientele.rs"]
mod clientele;

use std::collections::BTreeMap;

use clientele::{clientele, lists, log, reopened};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::ParamValues;
use hyperseg_dsl::semantics::{Blocked, Truth};
use hyperseg_engine::{ConsentAge, Error, ErrorKind, Guards, PortfolioRequest, Reason, Receipt};
use hyperseg_storage::audit::{EntryKind, Grade};
use hyperseg_testdata::worlds::{World, portfolio, world};
use sha2::{Digest, Sha256};
use support::portfolios::{portfolio_request, solved};
use support::{Fixture, Layout, ids};

const RECALL: &str = "\
param oldest: int = 200
segment urgent \"Seen by a nurse\" purpose treatment channel push
  where has condition(code under ICD10CM:\"E11\") and state = MA limit 30 holdout 20% seed \"x\"
segment offer purpose marketing channel email
  where state = MA and age <= $oldest
segment rest purpose treatment channel push where everyone
portfolio recall \"Recall\" = urgent > offer > rest
";

fn ask(source: &str, world: &World) -> PortfolioRequest {
    let checked = hyperseg_dsl::check(source, &Schema::built_in());
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    PortfolioRequest {
        source: source.to_owned(),
        portfolio: checked.portfolio("recall").unwrap().bind(&ParamValues::new()).unwrap(),
        clock: world.clock,
        now_micros: world.now_micros,
        actor: Some("the campaign desk".to_owned()),
        consent_age_max: ConsentAge::default(),
    }
}

fn filled(contacts: usize) -> (World, Fixture) {
    let world = clientele(contacts);
    let layout = Layout { shard_contacts: 64, page_rows: 32, imports: 2, ..Layout::default() };
    let fixture = Fixture::new(&world, layout);
    (world, fixture)
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn receipts(fixture: &Fixture, request: &PortfolioRequest) -> Vec<Receipt> {
    let lists = fixture.engine.run_portfolio_blocking(request, Guards::default()).unwrap();
    lists.iter().map(|list| list.receipt().clone()).collect()
}

#[test]
fn one_record_says_why_somebody_is_not_on_its_list() {
    let (world, fixture) = filled(300);
    let request = ask(RECALL, &world);
    let before = log(&fixture).len();
    let released = fixture.engine.run_portfolio_blocking(&request, Guards::default()).unwrap();
    let receipts: Vec<Receipt> = released.iter().map(|list| list.receipt().clone()).collect();
    let reference = solved(&request.portfolio, &world);
    for (list, verdicts) in released.into_iter().zip(&reference.verdicts) {
        let on_it = world.contacts.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_recipient());
        let mut expected: Vec<String> = on_it.map(|(contact, _)| contact.id().to_owned()).collect();
        expected.sort();
        assert_eq!(ids(list), expected);
    }
    // Every run is on the record before the first list is released, and the lists in their order.
    let entries = &log(&fixture)[before..];
    let kinds: Vec<EntryKind> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [[EntryKind::Intent; 3], [EntryKind::Release; 3]].concat());
    let runs: Vec<String> = receipts.iter().map(|receipt| receipt.run_id.clone()).collect();
    for half in [&entries[..3], &entries[3..]] {
        let own: Vec<String> = half.iter().map(|entry| entry.run.unwrap().to_string()).collect();
        assert_eq!(own, runs);
    }
    let portfolio = request.portfolio.portfolio();
    for (place, receipt) in receipts.iter().enumerate() {
        let of = receipt.portfolio.as_ref().unwrap();
        assert_eq!((of.name.as_str(), of.title.as_deref()), ("recall", Some("Recall")));
        assert_eq!((of.place, of.sha256.as_str()), (place as u64 + 1, sha256(&portfolio.canonical).as_str()));
        let order: Vec<&str> = of.segments.iter().map(|segment| segment.segment.as_str()).collect();
        assert_eq!(order, ["urgent", "offer", "rest"]);
        for (segment, own) in of.segments.iter().zip(&portfolio.segments) {
            assert_eq!(segment.sha256, sha256(&own.canonical));
            assert_eq!((segment.purpose, segment.channel), (own.purpose, own.channel));
        }
        assert_eq!(of.segments[1].params, BTreeMap::from([("oldest".to_owned(), "200".to_owned())]));
        // Winners with their runs, whose records hold who was on their lists.
        let winners: Vec<(&str, &str)> =
            receipt.taken.iter().map(|by| (by.segment.as_str(), by.run_id.as_str())).collect();
        let higher: Vec<(&str, &str)> =
            order.iter().copied().zip(runs.iter().map(String::as_str)).take(place).collect();
        assert_eq!(winners, higher);
        let removed: u64 = receipt.removed.iter().map(|removed| removed.contacts).sum();
        assert_eq!(receipt.matched, removed + receipt.released);
        let taken = receipt.removed.iter().find(|removed| removed.reason == Reason::Taken);
        let sum: u64 = receipt.taken.iter().map(|by| by.contacts).sum();
        assert_eq!(taken.map(|removed| removed.contacts), (place > 0).then_some(sum));
        assert!(place == 0 || sum > 0, "{:?}", receipt.taken);
        // The record itself says all of it, and so does the intent of the order.
        let (intent, release) = (&entries[place].body, &entries[3 + place].body);
        assert_eq!(release["details"]["portfolio"], serde_json::to_value(of).unwrap());
        assert_eq!(release["details"]["taken"].as_array().map_or(0, Vec::len), place);
        assert_eq!(intent["details"]["portfolio"], serde_json::to_value(of).unwrap());
        assert_eq!(
            (&intent["segment_text"], &intent["canonical_hash"]),
            (&RECALL.into(), &receipt.segment_sha256.clone().into())
        );
        assert_eq!(receipt.segment_sha256, sha256(&format!("{} {}", of.sha256, receipt.segment)));
        assert!(receipt.description.contains("first of these that takes it: urgent, offer, rest."));
    }
    assert!(receipts[0].removed.iter().any(|it| it.reason == Reason::Holdout && it.contacts > 0));
    let verification = reopened(&fixture).audit().unwrap().verify().unwrap();
    assert_eq!((verification.grade, verification.open_runs), (Grade::Ok, 0), "{:?}", verification.findings);
}

#[test]
fn what_pins_a_list_is_the_whole_portfolio() {
    let (world, fixture) = filled(40);
    let hashes = |source: &str| -> Vec<String> {
        receipts(&fixture, &ask(source, &world)).into_iter().map(|it| it.segment_sha256).collect()
    };
    let own = hashes(RECALL);
    assert!(own[0] != own[1] && own[1] != own[2]);
    assert_eq!(hashes(&RECALL.replace("limit 30", "limit /* so many */ 30")), own);
    // A change below is a change of the portfolio that the first list was a part of.
    let changed = hashes(&RECALL.replace("channel push where everyone", "channel push where state = NH"));
    assert!(changed.iter().zip(&own).all(|(one, other)| one != other));
}

#[test]
fn one_list_that_is_held_back_holds_all_back() {
    let (world, fixture) = filled(200);
    let request = ask(RECALL, &world);
    let count = fixture.engine.count_portfolio_blocking(&request).unwrap();
    let sizes: Vec<u64> = count.segments.iter().map(|it| it.releasable.unwrap()).collect();
    assert_eq!(count.releasable, sizes.iter().sum::<u64>());
    assert!(count.held_back > 0 && sizes[2] > sizes[1] && sizes[1] > sizes[0]);
    let before = log(&fixture).len();
    let guards = Guards { recipients_min: None, recipients_max: Some(sizes[2] - 1) };
    let error = fixture.engine.run_portfolio_blocking(&request, guards).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Guard);
    assert!(error.to_string().contains("on the list of `rest`"), "{error}");
    let kinds: Vec<EntryKind> = log(&fixture)[before..].iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [[EntryKind::Intent; 3], [EntryKind::Aborted; 3]].concat());
    assert!(lists(&fixture).is_empty());
    let guards = Guards { recipients_min: Some(sizes[0]), recipients_max: Some(sizes[2]) };
    assert_eq!(fixture.engine.run_portfolio_blocking(&request, guards).unwrap().len(), 3);
}

#[test]
fn what_may_not_be_released_is_refused_before_anything_is_read() {
    let (world, fixture) = filled(60);
    let kinds = |before: usize| -> Vec<EntryKind> {
        log(&fixture)[before..].iter().map(|entry| entry.kind).collect()
    };
    // A segment without a list could take nobody: nothing is asked at all.
    let before = log(&fixture).len();
    let listless =
        ask(&RECALL.replace("purpose treatment channel push where", "purpose treatment where"), &world);
    for error in [
        fixture.engine.count_portfolio_blocking(&listless).unwrap_err(),
        fixture.engine.funnel_portfolio_blocking(&listless, None).unwrap_err(),
        fixture.engine.plan_portfolio_blocking(&listless, false).unwrap_err(),
        fixture.engine.why_portfolio_blocking(&listless, world.contacts[0].id()).unwrap_err(),
        fixture.engine.run_portfolio_blocking(&listless, Guards::default()).unwrap_err(),
    ] {
        assert!(matches!(&error, Error::NotReleasable { segment, what: "channel" } if segment == "rest"));
        assert_eq!(error.kind(), ErrorKind::Unauthorised);
    }
    assert_eq!(kinds(before), []);
    // Stale consent is recorded once, under the first segment.
    let mut late = ask(RECALL, &world);
    late.now_micros += 25 * 3_600_000_000;
    let error = fixture.engine.run_portfolio_blocking(&late, Guards::default()).unwrap_err();
    assert!(matches!(error, Error::ConsentStale { .. }), "{error:?}");
    assert_eq!(kinds(before), [EntryKind::Intent, EntryKind::Aborted]);
    assert!(lists(&fixture).is_empty());
    late.consent_age_max = ConsentAge::Unlimited;
    assert_eq!(fixture.engine.run_portfolio_blocking(&late, Guards::default()).unwrap().len(), 3);
    let nobody = fixture.engine.why_portfolio_blocking(&late, "nobody of this name").unwrap_err();
    assert!(matches!(nobody, Error::UnknownContact));
    assert_eq!(log(&fixture).last().unwrap().kind, EntryKind::Aborted);
}

#[test]
fn plans_ask_whom_others_have_taken_and_shared_criteria_are_answered_once() {
    let world = clientele(120);
    let fixture = Fixture::new(&world, Layout { kept_bytes_max: 1 << 20, ..Layout::default() });
    let request = ask(RECALL, &world);
    let before = log(&fixture).len();
    let plans = fixture.engine.plan_portfolio_blocking(&request, false).unwrap();
    assert_eq!(log(&fixture).len(), before, "a plan that is not carried out reads nothing");
    let names: Vec<&str> = plans.iter().map(|plan| plan.segment.as_str()).collect();
    assert_eq!(names, ["urgent", "offer", "rest"]);
    let asked = |place: usize| plans[place].plan.physical.matches("TakenExec: taken by ").count();
    assert_eq!([asked(0), asked(1), asked(2)], [0, 1, 2], "{}", plans[2].plan.physical);
    assert!(plans[2].plan.physical.contains("TakenExec: taken by urgent"));
    let plans = fixture.engine.plan_portfolio_blocking(&request, true).unwrap();
    let offer = &plans[1].plan;
    assert!(offer.physical.contains("kept=1"), "{}", offer.physical);
    assert!(offer.physical.contains("taken_0="), "{}", offer.physical);
    assert_eq!(offer.analyzed.as_ref().unwrap().count.taken[0].segment, "urgent");
}

#[test]
fn why_names_the_taker() {
    let (mut takers, mut held, mut none, mut lost) = (0, 0, 0, 0);
    for seed in 1..=5_u64 {
        let world = world(seed);
        let layout = Layout { shard_contacts: 7, page_rows: 4, imports: 2, ..Layout::default() };
        let fixture = Fixture::new(&world, layout);
        for number in 0..3 {
            let portfolio = portfolio(seed * 1_000 + number, &world);
            let request = portfolio_request(portfolio.bind(&ParamValues::new()).unwrap(), &world);
            let reference = solved(&request.portfolio, &world);
            let names: Vec<&str> = portfolio.segments.iter().map(|it| it.name.as_str()).collect();
            for (place, contact) in world.contacts.iter().enumerate().take(6) {
                let report = fixture.engine.why_portfolio_blocking(&request, contact.id()).unwrap();
                let taker = reference.takers[place];
                let name = taker.map(|taker| names[taker].to_owned());
                assert_eq!(report.taken_by, name, "seed {seed}, portfolio {number}");
                let blocked = taker.and_then(|taker| reference.verdicts[taker][place].blocked);
                assert_eq!(report.held_back, blocked == Some(Blocked::Holdout));
                for (number, found) in report.segments.iter().enumerate() {
                    let verdict = &reference.verdicts[number][place];
                    assert_eq!(found.segment, names[number]);
                    assert_eq!(
                        (found.trace.matched, found.trace.blocked),
                        (verdict.matched, verdict.blocked)
                    );
                    assert_eq!(found.trace.listed, Some(verdict.is_recipient()));
                    let truths: Vec<Truth> =
                        found.trace.criteria.iter().map(|criterion| criterion.step.truth).collect();
                    assert_eq!(truths, verdict.criteria);
                    let above = taker.filter(|taker| *taker < number).map(|taker| names[taker].to_owned());
                    assert_eq!(found.taken_by, above);
                    let gate = found.trace.gates.iter().find(|gate| gate.reason == Reason::Taken).unwrap();
                    assert_eq!(gate.closed, above.is_some());
                    assert_eq!(gate.removes, verdict.blocked == Some(Blocked::Taken));
                    let said = gate.evidence.facts.first().and_then(|fact| fact.value.clone());
                    assert_eq!(said, above);
                    let removing = found.trace.gates.iter().filter(|gate| gate.removes).count();
                    let by_gate = verdict.blocked.is_some_and(|reason| reason != Blocked::Excluded);
                    assert_eq!(removing, usize::from(by_gate));
                    lost += usize::from(gate.removes);
                }
                takers += usize::from(taker.is_some());
                none += usize::from(taker.is_none());
                held += usize::from(report.held_back);
            }
        }
        let entries = log(&fixture);
        let last = entries.iter().rev().find(|entry| entry.kind == EntryKind::Intent).unwrap();
        assert_eq!(last.action, "why");
        assert!(last.body["details"]["portfolio"]["segments"].as_array().unwrap().len() >= 2);
        assert_eq!(last.body["details"]["contact_id"], world.contacts[world.contacts.len().min(6) - 1].id());
        assert_eq!(entries.last().unwrap().kind, EntryKind::Complete);
    }
    println!("{takers} taken, {held} of them held back, {none} by nobody, {lost} lost to a higher segment");
    assert!(takers > 10 && none > 10 && lost > 3, "{takers} {held} {none} {lost}");
}
