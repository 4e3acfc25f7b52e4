//! Segments over a real Synthea export take the patients that a few plain lines over its CSV files take. Needs the
//! export in the folder that `HYPERSEG_REAL_DATA` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[allow(dead_code)]
mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use common::World;

type Row = HashMap<String, String>;
type Ids = BTreeSet<String>;

const AS_OF: &str = "2024-01-01";

fn table(folder: &Path, name: &str) -> Vec<Row> {
    csv::Reader::from_path(folder.join(name)).unwrap().deserialize().map(Result::unwrap).collect()
}

fn ids<'a>(rows: impl Iterator<Item = &'a Row>) -> Ids {
    rows.map(|row| row["PATIENT"].clone()).collect()
}

/// Days of ISO dates and instants compare as texts; the dataset counts its days in UTC.
fn day(text: &str) -> &str {
    &text[..10]
}

fn active(row: &Row) -> bool {
    day(&row["START"]) <= AS_OF && (row["STOP"].is_empty() || day(&row["STOP"]) >= AS_OF)
}

/// Criterion and the patients it must take, dead ones included.
fn expected(folder: &Path) -> Vec<(&'static str, Ids)> {
    let patients = table(folder, "patients.csv");
    let all = |takes: &dyn Fn(&Row) -> bool| -> Ids {
        patients.iter().filter(|row| takes(row)).map(|row| row["Id"].clone()).collect()
    };
    let conditions = table(folder, "conditions.csv");
    let medications = table(folder, "medications.csv");
    let last_year = |row: &&Row, at: &str| ("2023-01-01"..=AS_OF).contains(&day(&row[at]));
    let mut heights: BTreeMap<String, (String, f64)> = BTreeMap::new();
    for row in table(folder, "observations.csv") {
        if row["CODE"] == "8302-2" && day(&row["DATE"]) <= AS_OF {
            let height = (row["DATE"].clone(), row["VALUE"].parse().unwrap());
            let known = heights.entry(row["PATIENT"].clone()).or_insert_with(|| height.clone());
            if height.0 > known.0 {
                *known = height;
            }
        }
    }
    let mut visits: BTreeMap<String, u32> = BTreeMap::new();
    for row in table(folder, "encounters.csv") {
        let ambulatory = ["ambulatory", "wellness", "outpatient"].contains(&row["ENCOUNTERCLASS"].as_str());
        if ambulatory && day(&row["START"]) <= AS_OF {
            *visits.entry(row["PATIENT"].clone()).or_default() += 1;
        }
    }
    let medicated = ids(medications.iter().filter(|row| active(row)));
    let immunizations = table(folder, "immunizations.csv");
    let procedures = table(folder, "procedures.csv");
    vec![
        ("gender = female", all(&|row| row["GENDER"] == "F")),
        // Born from 2 January 1959 to 1 January 1984: 40 to 64 years old on 1 January 2024.
        ("age in 40..64", all(&|row| ("1959-01-02"..="1984-01-01").contains(&row["BIRTHDATE"].as_str()))),
        (
            "has condition(code = SNOMED:\"59621000\")",
            ids(conditions.iter().filter(|row| row["CODE"] == "59621000" && day(&row["START"]) <= AS_OF)),
        ),
        ("has condition active", ids(conditions.iter().filter(|row| active(row)))),
        (
            "latest vital(code = LOINC:\"8302-2\") has (value > 165)",
            heights.into_iter().filter(|(_, (_, height))| *height > 165.0).map(|(id, _)| id).collect(),
        ),
        (
            "count(encounter(class = ambulatory)) >= 10",
            visits.into_iter().filter(|(_, visits)| *visits >= 10).map(|(id, _)| id).collect(),
        ),
        (
            "has immunization(code = CVX:\"140\") in last 12 months",
            ids(immunizations.iter().filter(|row| row["CODE"] == "140" && last_year(row, "DATE"))),
        ),
        (
            "has procedure(code = SNOMED:\"430193006\") in last 12 months",
            ids(procedures.iter().filter(|row| row["CODE"] == "430193006" && last_year(row, "START"))),
        ),
        ("no medication active", all(&|row| !medicated.contains(&row["Id"]))),
    ]
}

#[test]
fn segments_over_a_real_export_take_the_patients_its_files_say() {
    let Some(real) = std::env::var_os("HYPERSEG_REAL_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: HYPERSEG_REAL_DATA names no folder with a Synthea export; nothing was compared");
        return;
    };
    let folder = real.join("synthea_csv");
    let dead: Ids = table(&folder, "patients.csv")
        .into_iter()
        .filter(|row| !row["DEATHDATE"].is_empty())
        .map(|row| row["Id"].clone())
        .collect();
    let world = World::new();
    world.run(&["init", "-d", "data"]).expect(0);
    world.run(&["import", "synthea", folder.to_str().unwrap(), "-d", "data"]).expect(0);
    for (number, (criterion, patients)) in expected(&folder).into_iter().enumerate() {
        let text = format!("segment s\n  purpose treatment\n  channel push\n  where {criterion}\n");
        let segment = format!("{number}.seg");
        let list = format!("{number}.csv");
        world.write(&segment, &text);
        // Synthea has no consent; treatment needs none, and the release record says that none was imported.
        let ran =
            ["run", &segment, "-d", "data", "--as-of", AS_OF, "--consent-max-age", "none", "--out", &list];
        world.run(&ran).expect(0);
        let released: Ids = csv::Reader::from_path(world.path(&list))
            .unwrap()
            .records()
            .map(|row| row.unwrap()[0].to_owned())
            .collect();
        let living: Ids = patients.difference(&dead).cloned().collect();
        assert_eq!(released, living, "{criterion}");
        assert!(!living.is_empty() && living.len() < 27, "{criterion} tells nobody apart");
    }
}
