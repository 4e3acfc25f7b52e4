//! Of what fields said before the columns are read that the question needs, in the class of the field, and once.

use std::collections::BTreeSet;

use hyperseg_dsl::schema::Class;
use hyperseg_dsl::semantics::Change;
use hyperseg_engine::CountReport;
use hyperseg_testdata::worlds::World;

use crate::clientele::{ask, category, clientele, text};
use crate::support::{Fixture, Layout};

const DAY: i64 = 86_400_000_000;

/// Every third contact has moved here a week ago, every fourth has married two days later.
fn movers() -> World {
    let mut world = clientele(120);
    let now = world.now_micros;
    for (number, contact) in world.contacts.iter_mut().enumerate() {
        let mut change = |days: i64, field: &str, old| {
            let new = contact.fields.get(field).cloned();
            contact.changes.push(Change { field: field.to_owned(), at_micros: now - days * DAY, old, new });
        };
        if number % 3 == 0 {
            change(7, "state", Some(category("ME")));
        }
        if number % 4 == 0 {
            change(5, "last_name", Some(text("Tremblay")));
        }
    }
    world
}

fn count(fixture: &Fixture, world: &World, criterion: &str) -> CountReport {
    fixture.engine.count_blocking(&ask(&format!("segment s where {criterion}"), world)).unwrap()
}

fn columns(report: &CountReport) -> BTreeSet<String> {
    let name = |class: Class, table: &str, column: &str| format!("{} {table} {column}", class.name());
    report.scope.columns.iter().map(|it| name(it.class, &it.table, &it.column)).collect()
}

#[test]
fn only_the_columns_are_read_that_the_question_needs() {
    let world = movers();
    let fixture = Fixture::new(&world, Layout { page_rows: 8, ..Layout::default() });
    let history = |class: &str, more: &[&str]| -> BTreeSet<String> {
        let columns = ["ord", "field", "changed_at"].iter().chain(more);
        columns.map(|column| format!("{class} contact history {column}")).collect()
    };
    for (criterion, matched, expected) in [
        ("state changed in last 30 days", 40, history("demographic", &[])),
        ("state changed from ME in last 30 days", 40, history("demographic", &["old"])),
        ("state changed to ME in last 30 days", 0, history("demographic", &["new"])),
        ("last_name changed from \"Tremblay\" in last 30 days", 30, history("identity", &["old"])),
        ("state changed from ME to MA in last 30 days", 32, history("demographic", &["old", "new"])),
    ] {
        let report = count(&fixture, &world, criterion);
        assert_eq!((report.matched, columns(&report)), (matched, expected), "{criterion}");
    }
    let report = count(&fixture, &world, "state was ME more than 7 days ago");
    assert_eq!(report.matched, 40);
    let mut expected = history("demographic", &["old", "new"]);
    // What those who never moved say.
    expected.insert("demographic contact state".to_owned());
    assert!(
        columns(&report)
            .is_subset(&expected.iter().cloned().chain(["demographic contact ord".to_owned()]).collect())
    );
    assert!(expected.is_subset(&columns(&report)), "{:?}", columns(&report));
}

#[test]
fn changes_outside_of_the_window_are_not_read_and_those_inside_once() {
    let world = movers();
    let layout = Layout { page_rows: 8, kept_bytes_max: 1 << 20, ..Layout::default() };
    let fixture = Fixture::new(&world, layout);
    let none = count(&fixture, &world, "state changed before 2020-01-01").scope.counters;
    assert_eq!((none.rows_decoded, none.bytes_read), (0, 0), "{none:?}");
    assert!(none.blocks_pruned >= 5, "{none:?}");
    let first = count(&fixture, &world, "state changed in last 30 days");
    let again = count(&fixture, &world, "state changed in last 30 days");
    assert!(first.scope.counters.rows_decoded >= 40, "{first:?}");
    assert_eq!((again.matched, again.scope.counters.rows_decoded), (first.matched, 0));
    assert_eq!(again.scope.columns, first.scope.columns);
    // Another field and another window are another question.
    assert_eq!(count(&fixture, &world, "last_name changed in last 30 days").matched, 30);
    assert_eq!(count(&fixture, &world, "state changed in last 3 days").matched, 0);
    assert_eq!(count(&fixture, &world, "state was ME in last 30 days").matched, 40);
    assert_eq!(count(&fixture, &world, "state was ME in last 3 days").matched, 0);
}

#[test]
fn without_any_history_nothing_of_it_is_read() {
    let world = clientele(40);
    let fixture = Fixture::new(&world, Layout::default());
    let changed = count(&fixture, &world, "state changed in last 30 days");
    assert_eq!((changed.matched, changed.scope.columns.len()), (0, 0));
    let (was, says) =
        (count(&fixture, &world, "state was MA last year"), count(&fixture, &world, "state = MA"));
    assert_eq!((was.matched, columns(&was)), (says.matched, columns(&says)));
    assert!(was.matched > 0);
}
