//! Population files: what is stored, twice the same, spilled or not, in any order.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::record_batch::RecordBatch;
use hyperseg_storage::import::{ImportOptions, import_population};
use parquet::arrow::ArrowWriter;

use crate::support::{World, counts, files_below, options};

const CONTACTS: &str = "\
contact_id,email,birth_date,gender,income,location_lat,location_lon,spoken_languages,zip
c1,Ann@example.test,1980-02-29,female,12.50,42.5,-71.25,en|es,02138
c2,,,,,,,,
c3,\"Q, \"\"x\"\"\",1800-01-01,nonbinary,-0.05,,,,02139-1234
";
const CONDITIONS: &str = "\
record_id,contact_id,at,code,status,verification,end
r1,c1,2024-01-02,ICD10CM:E11.9,active,confirmed,
r2,c1,2023-01-02T10:00:00Z,icd10:e11.9,active,,
r3,c3,2024-01-02T03:04:05.678+02:00,ICD10CM:F32.9,resolved,,2024-02-01
,c2,2024-05-05,SNOMED:44054006,,,
r4,c3,2020-01-01,ICD10CM:A00,,,
";
const OPENS: &str = "\
contact_id,record_id,at,source,campaign,machine
c3,m1,2025-01-01T00:00:00Z,esp,spring,true
c1,m1,2025-01-02T00:00:00Z,crm,spring,false
c1,m2,2025-01-01T00:00:00Z,esp,spring,
";

fn files() -> Vec<(&'static str, &'static str)> {
    vec![("contacts.csv", CONTACTS), ("condition.csv", CONDITIONS), ("email_open.csv", OPENS)]
}

#[test]
fn rows_are_stored_by_class_and_twice_changes_nothing() {
    let world = World::new(2);
    let folder = world.folder("in", &files());
    let before = world.generation();
    let report = import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!(counts(&report, "contact"), (3, 3, 0, 0));
    assert_eq!(counts(&report, "condition"), (5, 5, 0, 0));
    assert_eq!(counts(&report, "email_open"), (3, 3, 0, 0));
    assert_eq!((report.generation, report.changed), (before + 1, true));
    let snapshot = world.dataset.snapshot().unwrap();
    let shards: Vec<u32> = snapshot.shards().iter().map(|shard| shard.contacts).collect();
    assert_eq!(shards, [2, 1]);
    assert_eq!(snapshot.consent_imported_micros(), None);

    let rows = world.rows();
    assert_eq!(
        rows["contact identity"][0],
        "c1 | contact_id=c1 email=Ann@example.test has_email=true has_phone=false has_first_name=false has_last_name=false has_address_line=false"
    );
    assert_eq!(
        rows["contact demographic"][0],
        format!(
            "c1 | birth_date={} gender=0 zip=02138 location_lat=42.5 location_lon=-71.25 income=1250 spoken_languages=[36, 38]",
            3711 * 4
        )
    );
    assert_eq!(rows["contact demographic"][1], "c2 | ");
    assert!(rows["contact demographic"][2].contains("zip=02139"));
    assert!(rows["contact demographic"][2].contains("income=-5"));
    let clinical = &rows["condition clinical"];
    assert_eq!(clinical.len(), 4);
    assert!(
        clinical[0].starts_with("c1 | record_id=r1 ")
            && clinical[0].contains("code=ICD10CM:E119 verification=0")
    );
    assert_eq!(rows["condition clinical.sensitive.mental_health"].len(), 1);
    for entry in snapshot.files().unwrap().into_iter().filter(|entry| entry.table.name() == "condition") {
        let keys: Vec<(String, i64)> = world
            .file(entry)
            .into_iter()
            .map(|(_, row)| {
                let get = |name: &str| row.iter().find(|(column, _)| column == name).unwrap().1.clone();
                (get("code"), get("at").parse().unwrap())
            })
            .collect();
        assert!(keys.is_sorted(), "clustered by code, then time");
    }

    let files = files_below(world.dataset.location().path().unwrap());
    let again = import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!(counts(&again, "contact"), (3, 0, 3, 0));
    assert_eq!(counts(&again, "condition"), (5, 0, 5, 0));
    assert_eq!(counts(&again, "email_open"), (3, 0, 3, 0));
    assert_eq!((again.generation, again.changed), (report.generation, false));
    let data = |files: Vec<std::path::PathBuf>| -> Vec<_> {
        files.into_iter().filter(|path| !path.to_string_lossy().contains("audit")).collect()
    };
    assert_eq!(data(files_below(world.dataset.location().path().unwrap())), data(files));
    assert_eq!(world.rows(), rows);
}

#[test]
fn later_imports_add_contacts_and_records() {
    let world = World::new(2);
    let folder = world.folder("in", &files());
    import_population(&world.dataset, &folder, options()).unwrap();
    let more = [
        ("contacts.csv", "contact_id,gender\nc4,male\nc5,\n"),
        (
            "condition.csv",
            "contact_id,record_id,at,code\nc1,r9,2024-01-02,ICD10CM:E11.9\nc5,r10,2024-01-02,ICD10CM:E11.9\n",
        ),
        ("consent.csv", "contact_id,at,decision\nc4,2025-01-01,grant\n"),
    ];
    let report = import_population(&world.dataset, &world.folder("more", &more), options()).unwrap();
    assert_eq!(counts(&report, "contact"), (2, 2, 0, 0));
    assert_eq!(counts(&report, "condition"), (2, 2, 0, 0));
    let snapshot = world.dataset.snapshot().unwrap();
    assert_eq!(snapshot.contacts(), 5);
    assert_eq!(snapshot.records("condition"), 7);
    assert_eq!(snapshot.shards().iter().map(|shard| shard.contacts).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(snapshot.consent_imported_micros(), Some(crate::support::NOW));
    assert!(world.rows()["condition clinical"].iter().any(|row| row.starts_with("c5 | record_id=r10")));
    // The audit log names the files, and both imports are complete.
    let entries = world.dataset.audit().unwrap().entries().unwrap();
    let imports: Vec<_> = entries.iter().filter(|entry| entry.action == "import").collect();
    assert_eq!(imports.len(), 4);
    let digest = imports[2].body.pointer("/details/files/0/sha256").unwrap().as_str().unwrap();
    assert_eq!(digest.len(), 64);
    assert_eq!(imports[3].body.pointer("/tables/0/stored").unwrap(), 2);
}

#[test]
fn a_forced_spill_and_another_order_store_the_same() {
    let plain = World::new(2);
    let folder = plain.folder("in", &files());
    import_population(&plain.dataset, &folder, options()).unwrap();

    let spilled = World::new(2);
    let folder = spilled.folder("in", &files());
    let tight = ImportOptions { memory_budget: 0, ..options() };
    let report = import_population(&spilled.dataset, &folder, tight).unwrap();
    assert!(report.spilled_bytes > 0);
    assert_eq!(spilled.rows(), plain.rows());
    let left = files_below(spilled.dataset.location().path().unwrap());
    assert!(left.iter().all(|path| !std::fs::read(path).unwrap().windows(4).any(|part| part == b"Ann@")));

    let shuffled = World::new(2);
    let turned: Vec<(&str, String)> =
        files().into_iter().map(|(name, text)| (name, reversed(text))).collect();
    let turned: Vec<(&str, &str)> = turned.iter().map(|(name, text)| (*name, text.as_str())).collect();
    import_population(&shuffled.dataset, &shuffled.folder("in", &turned), options()).unwrap();
    assert_eq!(shuffled.rows(), plain.rows());
}

fn reversed(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    lines.join("\r\n")
}

#[test]
fn parquet_and_csv_store_the_same() {
    let from_csv = World::new(2);
    let folder = from_csv.folder("in", &files());
    import_population(&from_csv.dataset, &folder, options()).unwrap();

    let world = World::new(2);
    let folder = world.folder("in", &[("condition.csv", CONDITIONS)]);
    let text = |values: &[Option<&str>]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let contacts: Vec<(&str, ArrayRef)> = vec![
        ("spoken_languages", text(&[Some("en|es"), None, Some("")])),
        ("contact_id", text(&[Some("c1"), Some("c2"), Some("c3")])),
        ("email", text(&[Some("Ann@example.test"), None, Some("Q, \"x\"")])),
        ("gender", text(&[Some("female"), None, Some("nonbinary")])),
        ("birth_date", Arc::new(Date32Array::from(vec![Some(3711), None, Some(-62_091)]))),
        (
            "income",
            Arc::new(
                Decimal128Array::from(vec![Some(1250), None, Some(-5)])
                    .with_precision_and_scale(18, 2)
                    .unwrap(),
            ),
        ),
        ("location_lat", Arc::new(Float64Array::from(vec![Some(42.5), None, None]))),
        ("location_lon", Arc::new(Float64Array::from(vec![Some(-71.25), None, None]))),
        ("zip", text(&[Some("02138"), None, Some("02139-1234")])),
        ("household_size", Arc::new(Int32Array::from(vec![None, None, None]))),
    ];
    write(&folder.join("contacts.parquet"), contacts);
    let day = |day: i64| day * 86_400_000_000;
    let opens: Vec<(&str, ArrayRef)> = vec![
        ("contact_id", text(&[Some("c3"), Some("c1"), Some("c1")])),
        ("record_id", text(&[Some("m1"), Some("m1"), Some("m2")])),
        (
            "at",
            Arc::new(
                TimestampMicrosecondArray::from(vec![day(20_089), day(20_090), day(20_089)])
                    .with_timezone("UTC"),
            ),
        ),
        ("source", text(&[Some("esp"), Some("crm"), Some("esp")])),
        ("campaign", text(&[Some("spring"), Some("spring"), Some("spring")])),
        ("machine", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
    ];
    write(&folder.join("email_open.parquet"), opens);
    import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!(world.rows(), from_csv.rows());
    // The CSV form of the same rows is the same rows.
    let again = import_population(&world.dataset, &world.folder("csv", &files()), options()).unwrap();
    assert!(!again.changed);
    assert_eq!(again.total().duplicate, 11);
}

pub fn write(path: &std::path::Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn consent_read_again_is_fresh_again_unless_a_row_was_refused() {
    let world = World::new(2);
    let good = world.folder(
        "good",
        &[
            ("contacts.csv", CONTACTS),
            ("consent.csv", "record_id,contact_id,at,decision\nk1,c1,2025-01-01,grant\n"),
        ],
    );
    let imported = |now: i64, folder: &std::path::Path, max_rejects: u64| {
        let options = ImportOptions { max_rejects, ..ImportOptions::new(now) };
        let report = import_population(&world.dataset, folder, options).unwrap();
        (report.changed, world.dataset.snapshot().unwrap().consent_imported_micros())
    };
    assert_eq!(imported(1_000, &good, 0), (true, Some(1_000)));
    assert_eq!(imported(2_000, &good, 0), (false, Some(2_000)));
    // A revocation of somebody who is not known: refused, so that nothing may look fresh.
    let refused = world
        .folder("refused", &[("consent.csv", "record_id,contact_id,at,decision\nk2,c9,2025-01-01,revoke\n")]);
    assert_eq!(imported(3_000, &refused, 1), (false, Some(2_000)));
    // The grant has become a revocation.
    let changed = world
        .folder("changed", &[("consent.csv", "record_id,contact_id,at,decision\nk1,c1,2025-01-01,revoke\n")]);
    assert_eq!(imported(4_000, &changed, 0), (true, Some(4_000)));
}
