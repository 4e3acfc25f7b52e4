//! Dates of which a source knows only the month or the year: kept as such, by every way in and out.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use hyperseg_dsl::value::{PartialDate, pack_date, pack_partial, parse_day};
use hyperseg_storage::import::{import_population, import_synthea};

use crate::population::write;
use crate::support::{World, all_counts, everything, options};

const CONTACTS: &str = "\
contact_id,birth_date,deceased_on,enrolled_on
c1,1950,,2024-03
c2,1950-06,2026,2024
c3,1950-01-01,,2024-03-01
c4,,,
";
const BILLS: &str = "\
record_id,contact_id,at,due_on,amount
b1,c1,2026-01-01,2026,1
b2,c1,2026-01-01,2026-01,1
b3,c1,2026-01-01,2026-01-01,1
";

fn packed(text: &str) -> i32 {
    PartialDate::parse(text).map_or_else(|| pack_date(parse_day(text).unwrap()), pack_partial)
}

/// The rows of a table, whatever its class, as contact and value of a field.
fn dates(world: &World, table: &str, field: &str) -> Vec<(String, Option<i32>)> {
    let cell = |row: &String| {
        let (id, cells) = row.split_once(" | ").unwrap();
        let value = cells.split(' ').find_map(|cell| cell.strip_prefix(&format!("{field}=")));
        (id.to_owned(), value.map(|value| value.parse().unwrap()))
    };
    world.rows()[table].iter().map(cell).collect()
}

#[test]
fn months_and_years_are_stored_as_such() {
    let world = World::new(2);
    let folder = world.folder("in", &[("contacts.csv", CONTACTS), ("bill.csv", BILLS)]);
    let report = import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!(all_counts(&report, "contact"), [4, 4, 0, 0, 0, 0]);
    assert_eq!(all_counts(&report, "bill"), [3, 3, 0, 0, 0, 0]);
    let of = |values: [Option<&str>; 4]| -> Vec<(String, Option<i32>)> {
        let ids = ["c1", "c2", "c3", "c4"].map(str::to_owned);
        ids.into_iter().zip(values.map(|value| value.map(packed))).collect()
    };
    let births = of([Some("1950"), Some("1950-06"), Some("1950-01-01"), None]);
    assert_eq!(dates(&world, "contact demographic", "birth_date"), births);
    assert_eq!(dates(&world, "contact demographic", "deceased_on"), of([None, Some("2026"), None, None]));
    let enrolments = of([Some("2024-03"), Some("2024"), Some("2024-03-01"), None]);
    assert_eq!(dates(&world, "contact journey", "enrolled_on"), enrolments);
    // Rows that differ in nothing but how well a date is known are three records.
    let due: Vec<i32> =
        dates(&world, "bill journey", "due_on").into_iter().filter_map(|(_, due)| due).collect();
    assert_eq!(due.len(), 3);
    assert!(["2026", "2026-01", "2026-01-01"].iter().all(|text| due.contains(&packed(text))), "{due:?}");
    let again = import_population(&world.dataset, &folder, options()).unwrap();
    assert!(!again.changed);
    assert_eq!(all_counts(&again, "bill"), [3, 0, 0, 3, 0, 0]);
}

#[test]
fn what_becomes_better_known_is_an_update_and_its_history_says_so() {
    let world = World::new(2);
    let import = |name: &str, text: &str| {
        import_population(&world.dataset, &world.folder(name, &[("contacts.csv", text)]), options()).unwrap()
    };
    import("first", CONTACTS);
    let before = world.rows();
    let second = CONTACTS.replace("c1,1950,", "c1,1950-06,").replace("c3,1950-01-01,", "c3,1950-01,");
    let report = import("second", &second);
    assert_eq!(all_counts(&report, "contact"), [4, 0, 2, 2, 0, 0]);
    let changes: Vec<String> = world.history().into_iter().map(|change| change.join(" ")).collect();
    assert_eq!(changes, ["c1 birth_date 1950 1950-06", "c3 birth_date 1950-01-01 1950-01"]);
    let rows = world.rows();
    assert_ne!(rows, before);
    world.dataset.compact(&everything(), None, &|_| {}).unwrap();
    assert_eq!(world.rows(), rows, "laid out anew it says the same");
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
    import("first", CONTACTS);
    assert_eq!(world.rows(), before);
}

#[test]
fn a_column_of_texts_in_parquet_may_hold_them() {
    let from_csv = World::new(2);
    import_population(&from_csv.dataset, &from_csv.folder("in", &[("contacts.csv", CONTACTS)]), options())
        .unwrap();
    let world = World::new(2);
    let folder = world.folder("in", &[]);
    let text = |values: [Option<&str>; 4]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    write(
        &folder.join("contacts.parquet"),
        vec![
            ("contact_id", text([Some("c1"), Some("c2"), Some("c3"), Some("c4")])),
            ("birth_date", text([Some("1950"), Some("1950-06"), Some("1950-01-01"), None])),
            ("deceased_on", text([None, Some("2026"), Some(""), None])),
            ("enrolled_on", text([Some("2024-03"), Some("2024"), Some("2024-03-01"), None])),
        ],
    );
    import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!(world.rows(), from_csv.rows());
}

#[test]
fn synthea_may_know_less_than_the_day() {
    let world = World::new(10);
    let text = "Id,BIRTHDATE,DEATHDATE,GENDER\nc1,1950,2026-01,F\nc2,1950-06-15,,M\n";
    import_synthea(&world.dataset, &world.folder("in", &[("patients.csv", text)]), options()).unwrap();
    let births = [("c1", "1950"), ("c2", "1950-06-15")].map(|(id, date)| (id.to_owned(), Some(packed(date))));
    assert_eq!(dates(&world, "contact demographic", "birth_date"), births);
    let deaths = [("c1".to_owned(), Some(packed("2026-01"))), ("c2".to_owned(), None)];
    assert_eq!(dates(&world, "contact demographic", "deceased_on"), deaths);
}

#[test]
fn what_is_neither_day_nor_month_nor_year_is_refused() {
    let refused = |files: &[(&str, &str)]| {
        let world = World::new(10);
        let error = import_population(&world.dataset, &world.folder("in", files), options()).unwrap_err();
        assert_eq!(world.dataset.snapshot().unwrap().contacts(), 0);
        error.to_string()
    };
    for wrong in [
        "1950-13",
        "1950-00",
        "1950-6",
        "1950-",
        "50",
        "19500",
        "0000",
        "1950-06-",
        "1950-06-31",
        "06/1950",
        "June 1950",
        "1950?",
    ] {
        let text = format!("contact_id,birth_date\nc1,{wrong}\n");
        let message = refused(&[("contacts.csv", &text)]);
        let expected = "contacts.csv:2 birth_date: bad_date (not a date YYYY-MM-DD, YYYY-MM or YYYY)";
        assert!(message.contains(expected), "{wrong}: {message}");
    }
    // A time is an instant or a full date: a record has its place among the others.
    for (column, wrong) in
        [("at", "2026-01"), ("at", "2026"), ("recorded_at", "2026-01"), ("recorded_at", "2026")]
    {
        let at = if column == "at" { "" } else { "2026-01-01" };
        let text =
            format!("contact_id,{column},{}\nc1,{wrong},{at}\n", if column == "at" { "code" } else { "at" });
        let message = refused(&[("contacts.csv", "contact_id\nc1\n"), ("condition.csv", &text)]);
        let expected = format!("condition.csv:2 {column}: bad_time (neither a full date YYYY-MM-DD nor");
        assert!(message.contains(&expected), "{wrong}: {message}");
    }
}
