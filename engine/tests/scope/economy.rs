//! What was read is not read again, and what cannot change the answer is not read at all.

use hyperseg_engine::{CountReport, Engine, Guards, Limits};
use hyperseg_testdata::worlds::World;

use crate::clientele::{ask, clientele};
use crate::support::{Fixture, Layout};

const ALL: &str = "segment s where gender = female and age >= 18 and has condition";

fn fixture(world: &World, kept_bytes_max: usize) -> Fixture {
    Fixture::new(world, Layout { shard_contacts: 40, page_rows: 8, kept_bytes_max, ..Layout::default() })
}

fn count(fixture: &Fixture, world: &World, source: &str) -> CountReport {
    fixture.engine.count_blocking(&ask(source, world)).unwrap()
}

#[test]
fn a_recount_reads_what_was_edited_and_is_audited_as_if_it_had_read_all() {
    let world = clientele(120);
    let (keeping, forgetful) = (fixture(&world, 1 << 20), fixture(&world, 0));
    let first = count(&keeping, &world, ALL);
    assert!(first.scope.counters.rows_decoded > 0);
    let again = count(&keeping, &world, ALL);
    assert_eq!(again.matched, first.matched);
    assert_eq!((again.scope.counters.rows_decoded, again.scope.counters.bytes_read), (0, 0));
    assert_eq!(again.scope.columns, first.scope.columns);
    assert_eq!(again.scope.key_ids, first.scope.key_ids);
    let edited = ALL.replace("age >= 18", "age >= 40");
    let (kept, read) = (count(&keeping, &world, &edited), count(&forgetful, &world, &edited));
    assert_eq!(kept.matched, read.matched);
    let age_alone = count(&forgetful, &world, "segment s where age >= 40").scope.counters.rows_decoded;
    assert_eq!(kept.scope.counters.rows_decoded, age_alone);
    assert!(read.scope.counters.rows_decoded > age_alone);
}

#[test]
fn rows_that_were_unknown_are_told_again() {
    let world = clientele(120);
    let fixture = fixture(&world, 1 << 20);
    let request = ask("segment s where has lab(value > 6)", &world);
    let first = fixture.engine.funnel_blocking(&request).unwrap();
    let again = fixture.engine.funnel_blocking(&request).unwrap();
    assert_eq!(first.criteria, again.criteria);
    assert_eq!(again.count.scope.counters.rows_decoded, 0);
}

#[test]
fn a_leaf_that_stands_twice_is_read_once() {
    let world = clientele(120);
    let fixture = fixture(&world, 0);
    let once = count(&fixture, &world, "segment s where has condition");
    let twice = count(&fixture, &world, "segment s where has condition and (has condition or has condition)");
    assert_eq!(twice.matched, once.matched);
    assert_eq!(twice.scope.counters.rows_decoded, once.scope.counters.rows_decoded);
}

#[test]
fn a_count_stops_when_nobody_is_left_and_a_funnel_does_not() {
    let world = clientele(120);
    let fixture = fixture(&world, 0);
    // With more threads than shards, criteria are worked off at the same time, and none waits for another.
    let limits = Limits { threads: 1, kept_bytes_max: 0, ..Limits::default() };
    let one_by_one = Engine::new(fixture.engine.dataset().clone(), limits);
    let request = ask("segment s where has condition and age >= 18 and nobody", &world);
    let count = one_by_one.count_blocking(&request).unwrap();
    assert_eq!((count.matched, count.scope.counters.rows_decoded), (0, 0));
    let funnel = fixture.engine.funnel_blocking(&request).unwrap();
    assert!(funnel.count.scope.counters.rows_decoded > 0);
    assert!(funnel.criteria.iter().any(|criterion| criterion.is_true > 0));
}

#[test]
fn a_short_list_reads_few_pages_of_identity() {
    let world = clientele(400);
    let layout = Layout { shard_contacts: 400, page_rows: 8, ..Layout::default() };
    let fixture = Fixture::new(&world, layout);
    let run = |source: &str| {
        let recipients = fixture.engine.run_blocking(&ask(source, &world), Guards::default()).unwrap();
        let receipt = recipients.receipt().clone();
        (receipt.released, receipt.scope.counters)
    };
    let header = "segment s purpose treatment channel email where";
    let (everyone, all) = run(&format!("{header} everyone"));
    let id = world.contacts[7].id().to_owned();
    let (one, few) = run(&format!("{header} contact_id = \"{id}\""));
    assert!(everyone > 100 && one <= 1, "{everyone} and {one}");
    assert!(few.pages_read < all.pages_read, "{few:?} {all:?}");
}

#[test]
fn gates_read_what_concerns_those_who_match() {
    let world = clientele(400);
    let layout = Layout { shard_contacts: 400, page_rows: 8, ..Layout::default() };
    let fixture = Fixture::new(&world, layout);
    let funnel = |criteria: &str| {
        let source = format!("segment s purpose treatment channel email where {criteria}");
        fixture.engine.funnel_blocking(&ask(&source, &world)).unwrap().count
    };
    let everyone = funnel("everyone");
    let ids = format!("contact_id in (\"{}\", \"{}\")", world.contacts[7].id(), world.contacts[391].id());
    let (some, nobody) = (funnel(&ids), funnel(&format!("{ids} and nobody")));
    assert!(everyone.releasable.unwrap() > 100, "{everyone:?}");
    assert_eq!((some.matched, nobody.matched), (2, 0));
    let rows = |report: &CountReport| report.scope.counters.rows_decoded;
    // Contact ids are read in full by both; the gates read nothing for nobody, and a block or two of each table for some.
    assert!(rows(&nobody) < rows(&some), "{nobody:?} {some:?}");
    assert!(rows(&some) - rows(&nobody) < rows(&everyone) / 4, "{some:?} {everyone:?}");
}

#[test]
fn the_day_of_the_first_record_is_told_without_reading_times() {
    let world = clientele(400);
    let layout = Layout { shard_contacts: 400, page_rows: 8, ..Layout::default() };
    let fixture = Fixture::new(&world, layout);
    let whether = count(&fixture, &world, "segment s where has condition");
    let day = count(&fixture, &world, "segment s where earliest condition.at before 1900-01-01");
    let value = count(&fixture, &world, "segment s where earliest condition.at = 1899-12-31");
    assert_eq!((day.matched, value.matched), (0, 0));
    // Ordinals of every block, and nothing else; the other question has times read, and when they were recorded.
    let pages = |report: &CountReport| report.scope.counters.pages_read;
    assert_eq!(pages(&day), pages(&whether), "{day:?} {whether:?}");
    assert!(pages(&value) > 2 * pages(&day), "{value:?}");
}

#[test]
fn where_silence_is_consent_grants_are_read_of_those_who_refused() {
    let world = clientele(400);
    let layout = Layout { shard_contacts: 400, page_rows: 8, ..Layout::default() };
    let fixture = Fixture::new(&world, layout);
    let run = |purpose: &str| {
        let source = format!("segment s purpose {purpose} channel email where everyone");
        let recipients = fixture.engine.run_blocking(&ask(&source, &world), Guards::default()).unwrap();
        recipients.receipt().clone()
    };
    let (treatment, marketing) = (run("treatment"), run("marketing"));
    assert!(treatment.released > marketing.released && marketing.released > 0);
    // Consents of the clientele are about marketing; of treatment none is read beyond what they decide and about whom.
    let bytes = |receipt: &hyperseg_engine::Receipt| receipt.scope.counters.bytes_read;
    assert!(bytes(&treatment) < bytes(&marketing), "{treatment:?} {marketing:?}");
}
