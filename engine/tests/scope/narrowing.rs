//! Criteria of a count and of a run narrow each other: what reads least comes first, and the next one reads what concerns those
//! who are left. A funnel says what each criterion says of everybody, and reads it.

use hyperseg_dsl::value::Value;
use hyperseg_engine::{CountReport, Engine, Guards, Limits};
use hyperseg_testdata::worlds::World;

use crate::clientele::{ask, clientele};
use crate::support::{Fixture, Layout};

fn fixture(world: &World, kept_bytes_max: usize) -> Fixture {
    Fixture::new(world, Layout { shard_contacts: 100, page_rows: 8, kept_bytes_max, ..Layout::default() })
}

/// One thread: with more threads than shards, criteria are worked off at the same time, and none waits for another.
fn one_thread(fixture: &Fixture) -> Engine {
    let limits = Limits { threads: 1, kept_bytes_max: 0, ..Limits::default() };
    Engine::new(fixture.engine.dataset().clone(), limits)
}

fn rows(report: &CountReport) -> u64 {
    report.scope.counters.rows_decoded
}

#[test]
fn records_are_read_of_those_who_are_left() {
    let world = clientele(400);
    let fixture = fixture(&world, 0);
    let engine = one_thread(&fixture);
    let one = format!("contact_id = \"{}\"", world.contacts[7].id());
    let count =
        |criteria: &str| engine.count_blocking(&ask(&format!("segment s where {criteria}"), &world)).unwrap();
    let all = format!("has condition and {one} and not has lab(value > 6)");
    let (alone, narrowed) = (count(&one), count(&all));
    let funnel = engine.funnel_blocking(&ask(&format!("segment s where {all}"), &world)).unwrap();
    assert_eq!(narrowed.matched, funnel.count.matched);
    // A block of each class of conditions and one of laboratory values at most, in one of the shards.
    assert!(rows(&narrowed) <= rows(&alone) + 6 * 8, "{alone:?} {narrowed:?}");
    assert!(rows(&funnel.count) > rows(&alone) + 160, "{funnel:?}");
    // What the keys would open is the same, whatever is read.
    assert_eq!(narrowed.scope.columns, funnel.count.scope.columns);
}

#[test]
fn what_reads_least_comes_first_however_the_criteria_stand() {
    let world = clientele(400);
    let fixture = fixture(&world, 0);
    let engine = one_thread(&fixture);
    let count =
        |criteria: &str| engine.count_blocking(&ask(&format!("segment s where {criteria}"), &world)).unwrap();
    let (many, few) = ("has condition", "has email_complaint");
    let (one_way, other_way) = (count(&format!("{many} and {few}")), count(&format!("{few} and {many}")));
    assert_eq!((one_way.matched, rows(&one_way)), (other_way.matched, rows(&other_way)));
    let (many, few) = (count(many), count(few));
    assert!(few.matched > 0 && few.matched * 8 < many.matched, "{few:?} {many:?}");
    assert!(rows(&one_way) < rows(&many), "{one_way:?} {many:?}");
}

#[test]
fn fields_of_one_class_are_judged_together() {
    let world = clientele(400);
    let fixture = fixture(&world, 0);
    let engine = one_thread(&fixture);
    let request = ask("segment s where gender = female and state = MA and age >= 18", &world);
    let (count, funnel) =
        (engine.count_blocking(&request).unwrap(), engine.funnel_blocking(&request).unwrap());
    assert_eq!(count.matched, funnel.count.matched);
    // A row is decoded once, with all its columns, instead of once for each criterion.
    assert!(rows(&count) <= 400 && rows(&count) < rows(&funnel.count), "{count:?} {funnel:?}");
}

#[test]
fn a_run_reads_what_a_count_reads_and_the_rows_of_its_list() {
    let world = clientele(400);
    let fixture = fixture(&world, 0);
    let engine = one_thread(&fixture);
    let one = world.contacts[7].id();
    let source =
        format!("segment s purpose treatment channel email where has condition and contact_id = \"{one}\"");
    let request = ask(&source, &world);
    let count = engine.count_blocking(&request).unwrap();
    let recipients = engine.run_blocking(&request, Guards::default()).unwrap();
    let receipt = recipients.receipt();
    assert_eq!(Some(receipt.released), count.releasable);
    assert_eq!(receipt.scope.counters.rows_decoded, rows(&count) + receipt.released);
}

#[test]
fn an_engine_that_keeps_answers_works_them_out_for_everybody() {
    let world = clientele(400);
    let (keeping, forgetful) = (fixture(&world, 1 << 20), fixture(&world, 0));
    let both = ask("segment s where has condition and gender = other", &world);
    let first = keeping.engine.count_blocking(&both).unwrap();
    let narrowed = forgetful.engine.count_blocking(&both).unwrap();
    assert_eq!(first.matched, narrowed.matched);
    assert!(rows(&first) > rows(&narrowed), "{first:?} {narrowed:?}");
    let again = keeping.engine.count_blocking(&ask("segment s where has condition", &world)).unwrap();
    assert_eq!(rows(&again), 0, "{again:?}");
}

#[test]
fn contacts_of_a_state_lie_together_and_others_are_not_read() {
    let mut world = clientele(400);
    for (number, contact) in world.contacts.iter_mut().enumerate() {
        let (north, east) = if number % 5 == 4 { (43.2, -71.5) } else { (42.36, -71.06) };
        contact.fields.insert("location".to_owned(), Value::Point(north, east));
    }
    let fixture = fixture(&world, 0);
    let engine = one_thread(&fixture);
    let count =
        |criteria: &str| engine.count_blocking(&ask(&format!("segment s where {criteria}"), &world)).unwrap();
    // In each of four shards twenty contacts of New Hampshire, in three blocks of eight or four.
    let state = count("state = NH");
    assert_eq!(state.matched, 80);
    assert!(rows(&state) <= 4 * 4 * 8, "{state:?}");
    let near = count("location within 10 miles of point(43.2, -71.5)");
    assert_eq!(near.matched, 80);
    assert!(rows(&near) <= 4 * 4 * 8, "{near:?}");
    let one_state = count("state = NH and gender = female and age >= 18 and location is known");
    assert!(one_state.matched > 0 && rows(&one_state) <= 4 * 4 * 8, "{one_state:?}");
}
