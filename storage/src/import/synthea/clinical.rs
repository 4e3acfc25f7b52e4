//! Clinical files → clinical records.

use std::borrow::Cow;

use hyperseg_dsl::schema::CodeSystem;

use super::codes::code;
use super::line::{Line, Lookups, Row, Spec, Wrong};
use super::patients::one_of;

const START: &[&str] = &["START", "DATE"];

pub(super) const CONDITIONS: Spec = Spec {
    file: "conditions.csv",
    tables: &["condition"],
    used: &["START", "DATE", "STOP", "PATIENT", "ENCOUNTER", "SYSTEM", "CODE"],
    left_out: &["DESCRIPTION"],
    needed: &[&["PATIENT"], START, &["CODE"]],
    map: |line, _| {
        let row = lasting("condition", line)?;
        Ok(row.with("status", until(line, "active", "resolved")))
    },
};

pub(super) const MEDICATIONS: Spec = Spec {
    file: "medications.csv",
    tables: &["medication"],
    used: &["START", "DATE", "STOP", "PATIENT", "ENCOUNTER", "SYSTEM", "CODE"],
    left_out: &[
        "PAYER",
        "DESCRIPTION",
        "BASE_COST",
        "PAYER_COVERAGE",
        "DISPENSES",
        "TOTALCOST",
        "REASONCODE",
        "REASONDESCRIPTION",
    ],
    needed: &[&["PATIENT"], START, &["CODE"]],
    map: |line, _| {
        let code = code(line.get("SYSTEM"), CodeSystem::RxNorm, line.get("CODE"))?;
        let row = Row::record("medication", line, line.id(), line.any(START)).with("code", code);
        Ok(row.with("end", line.get("STOP")).with("status", until(line, "active", "completed")))
    },
};

pub(super) const PROCEDURES: Spec = Spec {
    file: "procedures.csv",
    tables: &["procedure"],
    used: &["START", "DATE", "STOP", "PATIENT", "ENCOUNTER", "SYSTEM", "CODE"],
    left_out: &["DESCRIPTION", "BASE_COST", "REASONCODE", "REASONDESCRIPTION"],
    needed: &[&["PATIENT"], START, &["CODE"]],
    map: |line, _| Ok(lasting("procedure", line)?.with("status", "completed")),
};

pub(super) const IMMUNIZATIONS: Spec = Spec {
    file: "immunizations.csv",
    tables: &["immunization"],
    used: &["DATE", "START", "PATIENT", "ENCOUNTER", "SYSTEM", "CODE"],
    left_out: &["DESCRIPTION", "BASE_COST", "COST"],
    needed: &[&["PATIENT"], START, &["CODE"]],
    map: |line, _| {
        let code = code(line.get("SYSTEM"), CodeSystem::Cvx, line.get("CODE"))?;
        let row = Row::record("immunization", line, line.id(), line.any(START));
        Ok(row.with("code", code).with("status", "completed"))
    },
};

pub(super) const ALLERGIES: Spec = Spec {
    file: "allergies.csv",
    tables: &["allergy"],
    used: &["START", "DATE", "STOP", "PATIENT", "ENCOUNTER", "SYSTEM", "CODE"],
    left_out: &[
        "DESCRIPTION",
        "TYPE",
        "CATEGORY",
        "REACTION1",
        "DESCRIPTION1",
        "SEVERITY1",
        "REACTION2",
        "DESCRIPTION2",
        "SEVERITY2",
    ],
    needed: &[&["PATIENT"], START, &["CODE"]],
    map: |line, _| Ok(lasting("allergy", line)?.with("status", until(line, "active", "resolved"))),
};

pub(super) const CAREPLANS: Spec = Spec {
    file: "careplans.csv",
    tables: &["care_plan"],
    used: &["Id", "START", "DATE", "STOP", "PATIENT", "ENCOUNTER", "SYSTEM", "CODE"],
    left_out: &["DESCRIPTION", "REASONCODE", "REASONDESCRIPTION"],
    needed: &[&["PATIENT"], START, &["CODE"]],
    map: |line, _| Ok(lasting("care_plan", line)?.with("status", until(line, "active", "completed"))),
};

pub(super) const ENCOUNTERS: Spec = Spec {
    file: "encounters.csv",
    tables: &["encounter"],
    used: &[
        "Id",
        "START",
        "STOP",
        "PATIENT",
        "ORGANIZATION",
        "PROVIDER",
        "ENCOUNTERCLASS",
        "SYSTEM",
        "CODE",
        "REASONCODE",
    ],
    left_out: &[
        "PAYER",
        "DESCRIPTION",
        "BASE_ENCOUNTER_COST",
        "COST",
        "TOTAL_CLAIM_COST",
        "PAYER_COVERAGE",
        "REASONDESCRIPTION",
    ],
    needed: &[&["Id"], &["PATIENT"], &["START"], &["ENCOUNTERCLASS"]],
    map: |line, _| {
        let system = line.get("SYSTEM");
        let row = Row::record("encounter", line, Cow::Borrowed(line.get("Id")), line.get("START"));
        Ok(row
            .with("encounter_id", line.get("Id"))
            .with("class", one_of("ENCOUNTERCLASS", line.get("ENCOUNTERCLASS"), CLASSES)?)
            .with("type", code(system, CodeSystem::Snomed, line.get("CODE"))?)
            .with("reason", code("", CodeSystem::Snomed, line.get("REASONCODE"))?)
            .with("end", line.get("STOP"))
            .with("provider", line.get("PROVIDER"))
            .with("site", line.get("ORGANIZATION"))
            .with("status", until(line, "in_progress", "finished")))
    },
};

/// Synthea's encounter classes in ours.
const CLASSES: &[(&str, &str)] = &[
    ("ambulatory", "ambulatory"),
    ("outpatient", "ambulatory"),
    ("wellness", "ambulatory"),
    ("urgentcare", "ambulatory"),
    ("emergency", "emergency"),
    ("inpatient", "inpatient"),
    ("snf", "inpatient"),
    ("hospice", "home"),
    ("home", "home"),
    ("virtual", "virtual"),
];

pub(super) const OBSERVATIONS: Spec = Spec {
    file: "observations.csv",
    tables: &["lab", "vital"],
    used: &["DATE", "PATIENT", "ENCOUNTER", "CATEGORY", "SYSTEM", "CODE", "VALUE", "UNITS", "TYPE"],
    left_out: &["DESCRIPTION"],
    needed: &[&["PATIENT"], &["DATE"], &["CODE"], &["VALUE"]],
    map: observation,
};

/// Vital signs by category; in exports without categories by code. Everything else is a lab.
fn observation<'l>(line: &Line<'l>, _: &Lookups) -> Result<Row<'l>, Wrong> {
    let (category, written) = (line.get("CATEGORY"), line.get("CODE"));
    let vital = if category.is_empty() { VITAL_SIGNS.contains(&written) } else { category == "vital-signs" };
    let code = code(line.get("SYSTEM"), CodeSystem::Loinc, written)?;
    // What is written in words has no field to go to: the record says that it was observed, not what.
    let value = if line.get("TYPE") == "text" { "" } else { line.get("VALUE") };
    let table = if vital { "vital" } else { "lab" };
    Ok(Row::record(table, line, line.id(), line.get("DATE"))
        .with("code", code)
        .with("value", value)
        .with("unit", line.get("UNITS"))
        .with("status", "final"))
}

/// Height, weight, BMI, heart rate, respiration, blood pressure, temperature, oxygen saturation, pain, head size.
const VITAL_SIGNS: &[&str] = &[
    "8302-2", "29463-7", "39156-5", "59576-9", "8867-4", "9279-1", "8480-6", "8462-4", "55284-4", "8310-5",
    "8331-1", "2708-6", "59408-5", "72514-3", "9843-4", "8289-1", "77606-2",
];

/// A record from START to STOP with a code, SNOMED unless SYSTEM says otherwise.
fn lasting<'l>(table: &'static str, line: &Line<'l>) -> Result<Row<'l>, Wrong> {
    let id = match line.get("Id") {
        "" => line.id(),
        id => Cow::Borrowed(id),
    };
    let code = code(line.get("SYSTEM"), CodeSystem::Snomed, line.get("CODE"))?;
    Ok(Row::record(table, line, id, line.any(START)).with("code", code).with("end", line.get("STOP")))
}

fn until(line: &Line<'_>, open: &'static str, ended: &'static str) -> &'static str {
    if line.get("STOP").is_empty() { open } else { ended }
}
