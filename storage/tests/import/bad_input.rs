//! Bad input: named by place, nothing stored, no value in the message.

use hyperseg_storage::import::{ImportOptions, import_population};

use crate::support::{World, counts, files_below, options};

const CONTACTS: &str = "contact_id,birth_date,gender\nc1,1980-01-01,female\nc2,,\n";

/// Imports the files and gives the message; checks that nothing was stored.
fn refused(files: &[(&str, &str)], options: ImportOptions) -> String {
    let world = World::new(10);
    let folder = world.folder("in", files);
    let (generation, data) = (world.generation(), world.dataset.location().path().unwrap().join("data"));
    let error = import_population(&world.dataset, &folder, options).unwrap_err();
    assert_eq!(world.generation(), generation);
    assert!(!data.exists() || files_below(&data).is_empty(), "nothing is left");
    let entries = world.dataset.audit().unwrap().entries().unwrap();
    assert!(
        !entries.iter().any(|entry| entry.action == "import" && format!("{:?}", entry.kind) == "Complete")
    );
    error.to_string()
}

fn contacts(text: &str) -> String {
    refused(&[("contacts.csv", text)], options())
}

fn conditions(text: &str) -> String {
    refused(&[("contacts.csv", CONTACTS), ("condition.csv", text)], options())
}

#[test]
fn a_header_must_be_known() {
    let message = contacts("contact_id,gendre\nc1,female\n");
    assert!(message.contains("contacts.csv:1: unknown column `gendre`; did you mean `gender`?"), "{message}");
    assert!(message.contains("--ignore-column gendre"), "{message}");
    assert!(contacts("contact_id,gender,gender\n").contains("`gender` stands there twice"));
    assert!(contacts("").contains("contacts.csv:1: the file is empty"));
    let message = contacts("Secret Person,1980-01-01\n");
    assert!(message.contains("has no column `contact_id`") && !message.contains("Secret"), "{message}");
    assert!(conditions("contact_id,code\n").contains("condition.csv:1: the header has no column `at`"));
    let ignored = ImportOptions { ignore_columns: vec!["shoe_size".to_owned()], ..options() };
    let world = World::new(10);
    let folder = world.folder("in", &[("contacts.csv", "contact_id,shoe_size\nc1,7\n")]);
    assert!(import_population(&world.dataset, &folder, ignored).unwrap().changed);
}

#[test]
fn rows_name_file_line_column_and_reason() {
    for (text, expected) in [
        ("contact_id,gender\nc1,female\nc2\n", "contacts.csv:3: ragged_row"),
        ("contact_id,gender\nc1,female,x\n", "contacts.csv:2: ragged_row"),
        ("contact_id,birth_date\nc1,2023-02-29\n", "contacts.csv:2 birth_date: bad_date"),
        ("contact_id,gender\nc1,Secret\n", "contacts.csv:2 gender: unknown_category"),
        ("contact_id,gender\n\"c\n1\",female\n,male\n", "contacts.csv:4: missing_contact_id"),
        ("contact_id,income\nc1,1.234\n", "contacts.csv:2 income: bad_money"),
        ("contact_id,household_size\nc1,two\n", "contacts.csv:2 household_size: bad_int"),
        ("contact_id,risk_score\nc1,NaN\n", "contacts.csv:2 risk_score: bad_number"),
        ("contact_id,zip\nc1,2138\n", "contacts.csv:2 zip: bad_text"),
        ("contact_id,location_lat,location_lon\nc1,1,\n", "contacts.csv:2 location_lat: half_point"),
        ("contact_id,location_lat,location_lon\nc1,91,0\n", "contacts.csv:2 location_lat: bad_number"),
    ] {
        let message = contacts(text);
        assert!(message.contains(expected), "{text}: {message}");
        assert!(!message.contains("Secret"), "{message}");
        assert!(message.contains("1 row was rejected and 0 are allowed"), "{message}");
    }
    for (text, expected) in [
        ("contact_id,at,code\nc1,,ICD10CM:A\n", "condition.csv:2: missing_at"),
        ("contact_id,at,code\nc9,2024-01-01,ICD10CM:A\n", "condition.csv:2: unknown_contact"),
        ("contact_id,at,code\nc1,2024-01-01,ICD9:250\n", "condition.csv:2 code: bad_code"),
        ("contact_id,at,code\nc1,2024-01-01T09:00:00,\n", "condition.csv:2 at: bad_time"),
        ("contact_id,record_id,at,deleted\nc1,r1,2024-01-01,maybe\n", "condition.csv:2 deleted: bad_bool"),
    ] {
        let message = conditions(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
    let world = World::new(10);
    let folder = world.folder("in", &[]);
    std::fs::write(folder.join("contacts.csv"), b"contact_id,first_name\nc1,Jos\xe9\n").unwrap();
    let message = import_population(&world.dataset, &folder, options()).unwrap_err().to_string();
    assert!(message.contains("contacts.csv:2 first_name: not_utf8"), "{message}");
}

#[test]
fn files_must_be_known() {
    let message = refused(&[("contacts.csv", CONTACTS), ("conditions.csv", "")], options());
    assert!(message.contains("conditions.csv belongs to no table; did you mean `condition`?"), "{message}");
    assert!(refused(&[("notes.txt", "")], options()).contains("none of the files"));
    let message = refused(&[("contacts.csv", CONTACTS), ("contacts.parquet", "")], options());
    assert!(message.contains("contacts.parquet and another file are both of table contacts"), "{message}");
    let message = refused(&[("contacts.parquet", "contact_id\nc1\n")], options());
    assert!(message.contains("contacts.parquet: it is not a Parquet file"), "{message}");
}

#[test]
fn an_open_quote_does_not_fill_the_memory() {
    let text = format!("contact_id,first_name\nc1,\"{}", "x\n".repeat(9 << 20));
    let message = contacts(&text);
    assert!(message.contains("longer than 16 MiB"), "{message}");
}

#[test]
fn allowed_rejects_are_left_out_and_listed() {
    let world = World::new(10);
    let text = "contact_id,birth_date\nc1,1980-01-01\nc2,1980-13-01\nc3\nc1,1980-01-01\n";
    let folder = world.folder("in", &[("contacts.csv", text)]);
    let rejects = world.dir.path().join("rejects.csv");
    let with = |max| ImportOptions { max_rejects: max, rejects_file: Some(rejects.clone()), ..options() };
    let message = import_population(&world.dataset, &folder, with(1)).unwrap_err().to_string();
    assert!(
        message.contains("2 rows were rejected and 1 is allowed") && message.contains("contact: 2"),
        "{message}"
    );
    let listed = "file,line,column,reason\ncontacts.csv,3,birth_date,bad_date\ncontacts.csv,4,,ragged_row\n";
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), listed);
    let report = import_population(&world.dataset, &folder, with(2)).unwrap();
    assert_eq!(counts(&report, "contact"), (4, 1, 1, 2));
    assert_eq!(report.rejects.len(), 2);
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), listed);
}
