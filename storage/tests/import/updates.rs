//! Corrections and deletions of records: the last row wins, old generations see what they saw.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray};
use arrow::record_batch::RecordBatch;
use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::{Keep, TableId};
use hyperseg_storage::import::{ImportOptions, ImportReport, import_population};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::population::write;
use crate::support::{World, all_counts, options};

const CONTACTS: &str = "contact_id\nc1\nc2\nc3\n";
const BOOKED: &str = "record_id,contact_id,at,status,specialty,source
a1,c1,2025-03-01T10:00:00Z,booked,,ehr
a2,c2,2025-03-02T10:00:00Z,booked,,ehr
a2,c3,2025-03-03T10:00:00Z,booked,,crm
";

fn import(world: &World, name: &str, files: &[(&str, &str)]) -> ImportReport {
    import_population(&world.dataset, &world.folder(name, files), options()).unwrap()
}

fn appointments(rows: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut of_kind = rows.iter().filter(|(table, _)| table.starts_with("appointment "));
    of_kind.next().map(|(_, rows)| rows.clone()).unwrap_or_default()
}

fn world() -> World {
    let world = World::new(2);
    import(&world, "first", &[("contacts.csv", CONTACTS), ("appointment.csv", BOOKED)]);
    world
}

#[test]
fn a_booked_appointment_becomes_kept() {
    let world = world();
    let (before, generation) = (world.rows(), world.generation());
    let kept = [(
        "appointment.csv",
        "record_id,contact_id,at,status,specialty,source\na1,c1,2025-03-01T10:00:00Z,kept,,ehr\n",
    )];
    let report = import(&world, "kept", &kept);
    assert_eq!(all_counts(&report, "appointment"), [1, 0, 1, 0, 0, 0]);
    assert!(report.changed);
    let after = world.rows();
    assert_eq!(appointments(&after).len(), 3);
    assert_ne!(appointments(&after)[0], appointments(&before)[0]);
    assert_eq!(appointments(&after)[1..], appointments(&before)[1..]);
    assert_eq!(world.rows_at(generation), before, "the generation before sees what it saw");
    assert_eq!(world.dataset.snapshot().unwrap().records("appointment"), 3);

    let again = import(&world, "kept", &kept);
    assert_eq!(all_counts(&again, "appointment"), [1, 0, 0, 1, 0, 0]);
    assert_eq!((again.changed, again.generation), (false, report.generation));
    // And back: what was written first is news again.
    let back = import(&world, "first", &[("contacts.csv", CONTACTS), ("appointment.csv", BOOKED)]);
    assert_eq!(all_counts(&back, "appointment"), [3, 0, 1, 2, 0, 0]);
    assert_eq!(world.rows(), before);
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn rows_are_deleted_by_their_identity() {
    let world = world();
    let before = world.rows();
    let delete = "record_id,contact_id,source,deleted\na2,c2,ehr,true\na2,c2,crm,true\na9,c1,ehr,true\n";
    let report = import(&world, "delete", &[("appointment.csv", delete)]);
    // The record of another source, and one that was never there, are not deleted.
    assert_eq!(all_counts(&report, "appointment"), [3, 0, 0, 2, 1, 0]);
    let left = appointments(&world.rows());
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|row| appointments(&before).contains(row) && !row.starts_with("c2")));
    let again = import(&world, "delete", &[("appointment.csv", delete)]);
    assert_eq!(all_counts(&again, "appointment"), [3, 0, 0, 3, 0, 0]);
    assert!(!again.changed);
    // Deleted rows may come back.
    let back = import(&world, "first", &[("contacts.csv", CONTACTS), ("appointment.csv", BOOKED)]);
    assert_eq!(all_counts(&back, "appointment"), [3, 1, 0, 2, 0, 0]);
    assert_eq!(world.rows(), before);
}

#[test]
fn within_one_import_the_last_row_wins() {
    let world = world();
    let rows = "record_id,contact_id,at,status,source,deleted
a1,c1,2025-03-01T10:00:00Z,kept,ehr,
n1,c1,2025-04-01,booked,ehr,false
n1,c1,2025-04-02,booked,ehr,
n2,c1,2025-04-02,booked,ehr,
n2,c1,,,ehr,true
a2,c2,,,ehr,true
a2,c2,2025-03-09,no_show,ehr,
a1,c1,2025-03-01T10:00:00Z,no_show,ehr,
";
    let report = import(&world, "many", &[("appointment.csv", rows)]);
    assert_eq!(all_counts(&report, "appointment"), [8, 1, 2, 5, 0, 0]);
    let found = appointments(&world.rows());
    assert_eq!(found.len(), 4);
    assert_eq!(found.iter().filter(|row| row.contains("record_id=n1")).count(), 1);
    let again = import(&world, "many", &[("appointment.csv", rows)]);
    assert_eq!(all_counts(&again, "appointment"), [8, 0, 0, 8, 0, 0]);
    assert!(!again.changed, "the same rows again change nothing, whatever they say of one record");
}

#[test]
fn a_record_moves_to_another_class_and_another_contact() {
    let world = World::new(3);
    let first =
        "record_id,contact_id,at,code\nr1,c1,2024-01-02,ICD10CM:E11.9\nr2,c2,2024-01-02,ICD10CM:E11.9\n";
    import(&world, "first", &[("contacts.csv", CONTACTS), ("condition.csv", first)]);
    let second =
        "record_id,contact_id,at,code\nr1,c1,2024-01-02,ICD10CM:F32.9\nr2,c3,2024-01-02,ICD10CM:E11.9\n";
    let report = import(&world, "second", &[("condition.csv", second)]);
    assert_eq!(all_counts(&report, "condition"), [2, 0, 2, 0, 0, 0]);
    let rows = world.rows();
    assert_eq!(rows["condition clinical.sensitive.mental_health"].len(), 1);
    assert_eq!(rows["condition clinical"].len(), 1);
    assert!(rows["condition clinical"][0].starts_with("c3 | record_id=r2"));
    // No row of the first file is left: it is no longer named, and goes with the generations that name it.
    let snapshot = world.dataset.snapshot().unwrap();
    let table = TableId::Record("condition".to_owned());
    assert_eq!(snapshot.files().unwrap().into_iter().filter(|file| file.table == table).count(), 2);
    assert!(
        snapshot.files().unwrap().into_iter().all(|file| file.class != Class::Clinical || file.rows == 1)
    );
    let gone = world.dataset.collect(Keep { newest: 1, since_micros: i64::MAX }, false, None).unwrap();
    assert_eq!(gone.files, 1);
}

#[test]
fn rows_without_an_id_are_deleted_by_all_that_they_say() {
    let world = World::new(2);
    let rows = "contact_id,at,campaign\nc1,2025-01-01,spring\nc1,2025-01-01,autumn\n";
    import(&world, "first", &[("contacts.csv", CONTACTS), ("email_open.csv", rows)]);
    let delete = "contact_id,at,campaign,deleted\nc1,2025-01-01,spring,true\nc1,2025-01-02,autumn,true\n";
    let report = import(&world, "delete", &[("email_open.csv", delete)]);
    assert_eq!(all_counts(&report, "email_open"), [2, 0, 0, 1, 1, 0]);
    let left = &world.rows()["email_open behavioural"];
    assert!(left.len() == 1 && left[0].contains("autumn"));
}

#[test]
fn parquet_files_delete_too() {
    let world = world();
    let folder = world.folder("parquet", &[]);
    let text = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    write(
        &folder.join("appointment.parquet"),
        vec![
            ("contact_id", text(&["c1", "c2"])),
            ("record_id", text(&["a1", "a2"])),
            ("source", text(&["ehr", "ehr"])),
            ("deleted", Arc::new(BooleanArray::from(vec![true, true]))),
        ],
    );
    let report = import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!(all_counts(&report, "appointment"), [2, 0, 0, 0, 2, 0]);
    assert_eq!(appointments(&world.rows()).len(), 1);
}

#[test]
fn a_deletion_vector_is_proven_bit_by_bit() {
    // All in one shard, so that a file is left with a vector.
    let world = World::new(8);
    import(&world, "first", &[("contacts.csv", CONTACTS), ("appointment.csv", BOOKED)]);
    import(&world, "delete", &[("appointment.csv", "record_id,contact_id,source,deleted\na1,c1,ehr,true\n")]);
    let verify = || world.dataset.verify(None, None, &|_| {}).unwrap();
    let proven = verify();
    assert!(proven.is_sound());
    assert_eq!(proven.deletion_vectors, 1);
    let data = world.dataset.location().path().unwrap().join("data");
    let vector = std::fs::read_dir(&data).unwrap().map(|item| item.unwrap().path());
    let vector =
        vector.into_iter().find(|path| path.extension().is_some_and(|end| end == "deleted")).unwrap();
    let whole = std::fs::read(&vector).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&vector, &bytes).unwrap();
        let told = verify();
        assert!(!told.is_sound() && told.defects[0].file.ends_with(".deleted"), "byte {at}");
    }
    for bytes in [&whole[..whole.len() - 1], &[whole.as_slice(), &[0]].concat()] {
        std::fs::write(&vector, bytes).unwrap();
        assert!(!verify().is_sound());
    }
    std::fs::remove_file(&vector).unwrap();
    assert_eq!(verify().defects[0].kind.name(), "missing");
    std::fs::write(&vector, &whole).unwrap();
    assert!(verify().is_sound());
}

#[test]
fn an_id_is_of_one_contact_at_a_time() {
    // Whether these are of one shard or of three.
    [8, 2, 1].into_iter().for_each(an_id_is_of_one_contact);
}

fn an_id_is_of_one_contact(shard_contacts: u32) {
    let world = World::new(shard_contacts);
    import(&world, "first", &[("contacts.csv", CONTACTS), ("appointment.csv", BOOKED)]);
    let before = world.rows();
    // Ids that are unique for each contact only: nobody's record disappears.
    let shared =
        "record_id,contact_id,at,source\n1,c1,2025-01-01,ehr\n1,c2,2025-01-02,ehr\n1,c3,2025-01-03,crm\n";
    let folder = world.folder("shared", &[("appointment.csv", shared)]);
    let error = import_population(&world.dataset, &folder, options()).unwrap_err().to_string();
    assert!(error.contains("appointment.csv:3: shared_id"), "{error}");
    assert_eq!(world.rows(), before);
    // A record moves, and where it was it may be deleted too, before or after.
    for (from, to, delete_first) in [("c1", "c2", true), ("c2", "c3", false), ("c3", "c1", true)] {
        let moved = format!("a1,{to},2025-03-01T10:00:00Z,booked,ehr,\n");
        let deleted = format!("a1,{from},,,ehr,true\n");
        let rows = if delete_first { deleted + &moved } else { moved + &deleted };
        let text = format!("record_id,contact_id,at,status,source,deleted\n{rows}");
        let report = import(&world, "move", &[("appointment.csv", &text)]);
        assert_eq!(all_counts(&report, "appointment"), [2, 0, 1, 1, 0, 0], "{from} to {to}");
        let found = appointments(&world.rows());
        let row = found.iter().find(|row| row.contains("record_id=a1")).unwrap();
        assert!(found.len() == 3 && row.starts_with(to), "{row}");
        assert!(!import(&world, "move", &[("appointment.csv", &text)]).changed);
    }
}

#[test]
fn a_record_moves_to_a_contact_of_another_shard_that_was_written_before() {
    // Parquet in the order of the contacts: a shard is written while the next one is read.
    const PEOPLE: usize = 300;
    let id = |contact: usize| format!("P{contact:06}");
    let folder = |world: &World, name: &str, rows: &[(usize, String)]| {
        let folder = world.folder(name, &[]);
        let text = |texts: Vec<String>| Arc::new(StringArray::from(texts)) as ArrayRef;
        write(&folder.join("contacts.parquet"), vec![("contact_id", text((0..PEOPLE).map(id).collect()))]);
        let columns = vec![
            ("contact_id", text(rows.iter().map(|(contact, _)| id(*contact)).collect())),
            ("record_id", text(rows.iter().map(|(_, record)| record.clone()).collect())),
            ("at", text(rows.iter().map(|_| "2025-01-01".to_owned()).collect())),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(50)).build();
        let file = std::fs::File::create(folder.join("email_open.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        folder
    };
    let import = |world: &World, folder: &std::path::Path, max_rejects: u64, memory_budget: u64| {
        let options = ImportOptions { max_rejects, memory_budget, ..options() };
        import_population(&world.dataset, folder, options)
    };
    for budget in [ImportOptions::new(0).memory_budget, 0] {
        let world = World::new(100);
        let first: Vec<(usize, String)> = (0..600).map(|row| (row / 2, format!("r{row}"))).collect();
        let first_folder = folder(&world, "first", &first);
        let report = import(&world, &first_folder, 0, budget).unwrap();
        assert_eq!(all_counts(&report, "email_open"), [600, 600, 0, 0, 0, 0]);
        let (before, generation) = (world.rows(), world.generation());

        // From the first shard to the last, and back.
        let moves =
            [(1, "r599".to_owned()), (1, "r2".to_owned()), (150, "r300".to_owned()), (299, "r1".to_owned())];
        let moves = folder(&world, "moves", &moves);
        let report = import(&world, &moves, 0, budget).unwrap();
        assert_eq!(all_counts(&report, "email_open"), [4, 0, 2, 2, 0, 0]);
        let opens = |world: &World| world.rows()["email_open behavioural"].clone();
        let of = |contact: usize, record: &str| {
            let start = format!("{} | record_id={record} ", id(contact));
            opens(&world).iter().filter(|row| row.starts_with(&start)).count()
        };
        assert_eq!(opens(&world).len(), 600);
        assert_eq!((of(1, "r599"), of(299, "r599"), of(299, "r1"), of(0, "r1")), (1, 0, 1, 0));
        assert_eq!(world.rows_at(generation), before, "the generation before sees what it saw");
        assert!(!import(&world, &moves, 0, budget).unwrap().changed);
        let report = import(&world, &first_folder, 0, budget).unwrap();
        assert_eq!(all_counts(&report, "email_open"), [600, 0, 2, 598, 0, 0]);
        assert_eq!(world.rows(), before);

        // An id of two contacts, whose shards were written apart: the later row is refused, and nothing of it stays.
        let mut shared: Vec<(usize, String)> = (600..900).map(|row| (row - 600, format!("r{row}"))).collect();
        shared[290].1 = "r610".to_owned();
        let shared = folder(&world, "shared", &shared);
        let error = import(&world, &shared, 0, budget).unwrap_err().to_string();
        assert!(error.contains("email_open.parquet:291: shared_id"), "{error}");
        assert_eq!(world.rows(), before);
        let report = import(&world, &shared, 1, budget).unwrap();
        assert_eq!(all_counts(&report, "email_open"), [300, 299, 0, 0, 0, 1]);
        assert_eq!((opens(&world).len(), of(10, "r610"), of(290, "r610")), (899, 1, 0));
        assert_eq!(world.dataset.snapshot().unwrap().records("email_open"), 899);
        assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
    }
}
