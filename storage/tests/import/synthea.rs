//! Synthea exports: the real one when it is there, and both kinds of headers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyperseg_storage::import::{ImportOptions, import_synthea};

use crate::support::{World, counts, options};

/// The folder of the real export, or a loud word.
fn real() -> Option<PathBuf> {
    match std::env::var_os("HYPERSEG_REAL_DATA") {
        Some(dir) => Some(PathBuf::from(dir).join("synthea_csv")),
        None => {
            eprintln!("SKIPPED: HYPERSEG_REAL_DATA is not set, the real Synthea export was not imported");
            None
        }
    }
}

/// Lines of a file but the header; no cell of the export spans lines.
fn lines(file: &std::path::Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn the_real_export_is_stored_whole() {
    let Some(dir) = real() else { return };
    let world = World::new(10);
    let report = import_synthea(&world.dataset, &dir, options()).unwrap();
    for (table, file) in [
        ("contact", "patients"),
        ("condition", "conditions"),
        ("encounter", "encounters"),
        ("procedure", "procedures"),
        ("medication", "medications"),
        ("immunization", "immunizations"),
        ("allergy", "allergies"),
        ("care_plan", "careplans"),
        ("coverage", "payer_transitions"),
    ] {
        let rows = lines(&dir.join(format!("{file}.csv"))).len() as u64;
        assert_eq!(counts(&report, table), (rows, rows, 0, 0), "{table}");
    }
    let observations = lines(&dir.join("observations.csv"));
    let vital =
        observations.iter().filter(|line| line.split(',').nth(3) == Some("vital-signs")).count() as u64;
    assert_eq!(counts(&report, "vital").1, vital);
    assert_eq!(counts(&report, "lab").1, observations.len() as u64 - vital);
    assert_eq!(report.left_out_files.len(), 5);

    let snapshot = world.dataset.snapshot().unwrap();
    assert_eq!((snapshot.contacts(), snapshot.shards().len()), (27, 3));
    let rows = world.rows();
    let all: Vec<&String> = rows.values().flatten().collect();
    for line in lines(&dir.join("patients.csv")) {
        let cells: Vec<&str> = line.split(',').collect();
        let identity = rows["contact identity"].iter().find(|row| row.starts_with(cells[0])).unwrap();
        assert!(identity.contains(&format!("first_name={}", cells[7])));
        assert!(!all.iter().any(|row| row.contains(cells[3])), "the SSN is dropped at the door");
        for secret in [cells[4], cells[5]].into_iter().filter(|secret| !secret.is_empty()) {
            assert!(
                !all.iter().any(|row| row.contains(secret)),
                "licence and passport are dropped at the door"
            );
        }
    }
    // Conditions per patient and code, counted apart from the importer.
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    for line in lines(&dir.join("conditions.csv")) {
        let cells: Vec<&str> = line.split(',').collect();
        *expected.entry((cells[2].to_owned(), format!("SNOMED:{}", cells[4]))).or_default() += 1;
    }
    let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in rows.iter().filter(|(table, _)| table.starts_with("condition ")).flat_map(|(_, rows)| rows) {
        let code = row.split(' ').find_map(|cell| cell.strip_prefix("code=")).unwrap();
        *found.entry((row.split(' ').next().unwrap().to_owned(), code.to_owned())).or_default() += 1;
    }
    assert_eq!(found, expected);

    let again = import_synthea(&world.dataset, &dir, options()).unwrap();
    assert!(!again.changed);
    assert_eq!(again.total().duplicate, report.total().stored);
}

#[test]
fn the_real_export_spills_to_the_same() {
    let Some(dir) = real() else { return };
    let (plain, spilled) = (World::new(10), World::new(10));
    import_synthea(&plain.dataset, &dir, options()).unwrap();
    let tight = ImportOptions { memory_budget: 64 << 10, ..options() };
    let report = import_synthea(&spilled.dataset, &dir, tight).unwrap();
    assert!(report.spilled_bytes > 0);
    assert_eq!(spilled.rows(), plain.rows());
}

const PATIENTS: &str = "\
Id,BIRTHDATE,DEATHDATE,SSN,DRIVERS,PASSPORT,PREFIX,FIRST,MIDDLE,LAST,SUFFIX,MAIDEN,MARITAL,RACE,ETHNICITY,GENDER,BIRTHPLACE,ADDRESS,CITY,STATE,COUNTY,FIPS,ZIP,LAT,LON,HEALTHCARE_EXPENSES,HEALTHCARE_COVERAGE,INCOME
p1,1950-01-02,2020-03-04,999-11-2222,S999,X99,Mr.,Al1,B,Cee2,,,W,native,hispanic,M,Boston,1 Way,Boston,Massachusetts,Suffolk County,25025,2138,42.1,-71.2,1.5,2.5,12345
p2,2001-01-02,,999-11-3333,,,,Di3,,Ee4,,,,hawaiian,nonhispanic,F,Boston,2 Way,Boston,District of Columbia,,,,,,1.5,2.5,
";
const CONDITIONS: &str = "\
START,STOP,PATIENT,ENCOUNTER,SYSTEM,CODE,DESCRIPTION
2020-01-01,2020-02-01,p1,e1,http://snomed.info/sct,44054006,Diabetes
2020-01-01,2020-02-01,p1,e1,http://snomed.info/sct,44054006,Diabetes
2021-01-01,,p2,e2,SNOMED-CT,44054006,Diabetes
2021-01-01,,p2,e2,http://hl7.org/fhir/sid/icd-10-cm,e11.9,Diabetes
";
const OBSERVATIONS: &str = "\
DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,DESCRIPTION,VALUE,UNITS,TYPE
2020-01-01T09:00:00Z,p1,e1,laboratory,4548-4,A1c,6.5,%,numeric
2020-01-01T09:00:00Z,p1,e1,vital-signs,8302-2,Height,170,cm,numeric
2020-01-01T09:00:00Z,p1,,,QALY,QALY,12.5,a,numeric
2020-01-01T09:00:00Z,p1,e1,survey,72166-2,Smoking,Never smoker,,text
";
const ENCOUNTERS: &str = "\
Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,PAYER,ENCOUNTERCLASS,CODE,DESCRIPTION,BASE_ENCOUNTER_COST,TOTAL_CLAIM_COST,PAYER_COVERAGE,REASONCODE,REASONDESCRIPTION
e1,2020-01-01T09:00:00Z,2020-01-01T09:15:00Z,p1,o1,d1,y1,hospice,185345009,X,1,2,3,44054006,Diabetes
e2,2021-01-01T09:00:00Z,,p2,o1,d1,y1,snf,185345009,X,1,2,3,,
";
const TRANSITIONS: &str = "\
PATIENT,MEMBERID,START_DATE,END_DATE,PAYER,SECONDARY_PAYER,PLAN_OWNERSHIP,OWNER_NAME
p1,m1,2014-10-14T04:17:47Z,2015-10-20T04:17:47Z,y1,,Self,Al1 Cee2
p2,m2,2014,2015,y2,,Self,Di3 Ee4
";
const PAYERS: &str = "Id,NAME,OWNERSHIP\ny1,Medicare,GOVERNMENT\ny2,NO_INSURANCE,NO_INSURANCE\n";

fn newer() -> Vec<(&'static str, &'static str)> {
    vec![
        ("patients.csv", PATIENTS),
        ("conditions.csv", CONDITIONS),
        ("observations.csv", OBSERVATIONS),
        ("encounters.csv", ENCOUNTERS),
        ("payer_transitions.csv", TRANSITIONS),
        ("payers.csv", PAYERS),
        (
            "immunizations.csv",
            "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,COST\n2020-01-01T09:00:00Z,p1,e1,08,Hep B,140.52\n",
        ),
        ("claims.csv", "anything\n"),
    ]
}

#[test]
fn newer_headers_and_every_mapping() {
    let world = World::new(10);
    let report = import_synthea(&world.dataset, &world.folder("in", &newer()), options()).unwrap();
    assert_eq!(counts(&report, "condition"), (4, 3, 1, 0));
    assert_eq!(counts(&report, "lab"), (3, 3, 0, 0));
    assert_eq!(counts(&report, "vital"), (1, 1, 0, 0));
    assert_eq!(report.left_out_files, ["claims.csv"]);
    let rows = world.rows();
    let has = |table: &str, row: usize, parts: &[&str]| {
        let row = &rows[table][row];
        for part in parts {
            assert!(row.contains(part), "{part} in {row}");
        }
    };
    has("contact identity", 0, &["contact_id=p1", "first_name=Al1", "last_name=Cee2", "address_line=1 Way"]);
    has(
        "contact demographic",
        0,
        &["gender=1", "state=21", "zip=02138", "marital_status=5", "income=1234500", "location_lat=42.1"],
    );
    has("contact demographic", 1, &["p2 | ", "gender=0", "state=8"]);
    has("contact demographic.sensitive", 0, &["race=3", "ethnicity=0"]);
    has("contact demographic.sensitive", 1, &["race=4", "ethnicity=1"]);
    has("condition clinical", 0, &["p1 | ", "code=SNOMED:44054006", "status=4", "end="]);
    assert!(
        rows["condition clinical"]
            .iter()
            .any(|row| row.contains("code=ICD10CM:E119") && row.contains("status=0"))
    );
    assert!(
        rows["lab clinical"].iter().any(|row| row.contains("code=LOINC:72166-2") && !row.contains(" value="))
    );
    assert!(
        rows["lab clinical"].iter().any(|row| row.contains("code=LOINC:QALY") && row.contains(" value=12.5"))
    );
    has(
        "encounter clinical",
        0,
        &[
            "p1 | record_id=e1",
            "encounter_id=e1",
            "class=4",
            "status=0",
            "reason=SNOMED:44054006",
            "type=SNOMED:185345009",
        ],
    );
    has("encounter clinical", 1, &["class=2", "status=1"]);
    has("coverage demographic", 0, &["payer=Medicare", "type=1", "member_id=m1"]);
    has("coverage demographic", 1, &["p2 | ", "type=6"]);
    has("immunization clinical", 0, &["code=CVX:08"]);
    let again = import_synthea(&world.dataset, &world.folder("in", &[]), options()).unwrap();
    assert!(!again.changed);
}

fn refused(files: &[(&str, &str)]) -> String {
    let world = World::new(10);
    let error = import_synthea(&world.dataset, &world.folder("in", files), options()).unwrap_err();
    assert_eq!(world.dataset.snapshot().unwrap().contacts(), 0);
    error.to_string()
}

#[test]
fn bad_exports_are_refused_by_place() {
    let patients = ("patients.csv", PATIENTS);
    assert!(refused(&[("conditions.csv", CONDITIONS)]).contains("expected patients.csv"));
    let message = refused(&[patients, ("condition.csv", CONDITIONS)]);
    assert!(
        message.contains("condition.csv belongs to no table; did you mean `conditions.csv`?"),
        "{message}"
    );
    let message = refused(&[("patients.csv", "Id,BIRTHDATE,GENDER,SSNN\n")]);
    assert!(
        message.contains("patients.csv:1: unknown column `SSNN`") && message.contains("--ignore-column SSNN"),
        "{message}"
    );
    let message = refused(&[patients, ("conditions.csv", "PATIENT,CODE\n")]);
    assert!(message.contains("conditions.csv:1: the header has no column `START` or `DATE`"), "{message}");
    for (text, expected) in [
        ("Id,BIRTHDATE,GENDER\np1,1950-02-30,F\n", "patients.csv:2 birth_date: bad_date"),
        ("Id,BIRTHDATE,GENDER\np1,1950-02-03,Q\n", "patients.csv:2 GENDER: unmapped"),
        ("Id,BIRTHDATE,GENDER,STATE\np1,1950-02-03,F,Atlantis\n", "patients.csv:2 STATE: unmapped"),
    ] {
        let message = refused(&[("patients.csv", text)]);
        assert!(message.contains(expected), "{message}");
    }
    let message =
        refused(&[patients, ("conditions.csv", "START,PATIENT,SYSTEM,CODE\n2020-01-01,p1,ICD9,1\n")]);
    assert!(message.contains("conditions.csv:2 SYSTEM: bad_code"), "{message}");
    let message = refused(&[patients, ("conditions.csv", "START,PATIENT,CODE\n2020-01-01,p9,1\n")]);
    assert!(message.contains("conditions.csv:2: unknown_contact"), "{message}");
}
