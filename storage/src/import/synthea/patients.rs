//! patients.csv → contacts. SSN, driver's licence and passport are never read.

use std::borrow::Cow;

use super::codes::state;
use super::line::{Line, Lookups, Row, Spec, Wrong};
use crate::ingest::Reason;

pub(super) const PATIENTS: Spec = Spec {
    file: "patients.csv",
    tables: &["contact"],
    used: &[
        "Id",
        "BIRTHDATE",
        "DEATHDATE",
        "FIRST",
        "LAST",
        "MARITAL",
        "RACE",
        "ETHNICITY",
        "GENDER",
        "ADDRESS",
        "CITY",
        "STATE",
        "COUNTY",
        "ZIP",
        "LAT",
        "LON",
        "INCOME",
    ],
    left_out: &[
        "SSN",
        "DRIVERS",
        "PASSPORT",
        "PREFIX",
        "MIDDLE",
        "SUFFIX",
        "MAIDEN",
        "BIRTHPLACE",
        "FIPS",
        "HEALTHCARE_EXPENSES",
        "HEALTHCARE_COVERAGE",
    ],
    needed: &[&["Id"], &["BIRTHDATE"], &["GENDER"]],
    map,
};

/// Fields of contacts that come from patients.
pub(super) const FIELDS: [&str; 17] = [
    "contact_id",
    "birth_date",
    "deceased_on",
    "first_name",
    "last_name",
    "gender",
    "marital_status",
    "race",
    "ethnicity",
    "address_line",
    "city",
    "county",
    "state",
    "zip",
    "location_lat",
    "location_lon",
    "income",
];

fn map<'l>(line: &Line<'l>, _: &Lookups) -> Result<Row<'l>, Wrong> {
    Ok(Row::new("contact")
        .with("contact_id", line.get("Id"))
        .with("birth_date", line.get("BIRTHDATE"))
        .with("deceased_on", line.get("DEATHDATE"))
        .with("first_name", line.get("FIRST"))
        .with("last_name", line.get("LAST"))
        .with("gender", one_of("GENDER", line.get("GENDER"), &[("F", "female"), ("M", "male")])?)
        .with("marital_status", one_of("MARITAL", line.get("MARITAL"), MARITAL)?)
        .with("race", one_of("RACE", line.get("RACE"), RACE)?)
        .with("ethnicity", one_of("ETHNICITY", line.get("ETHNICITY"), ETHNICITY)?)
        .with("address_line", line.get("ADDRESS"))
        .with("city", line.get("CITY"))
        .with("county", line.get("COUNTY"))
        .with("state", state(line.get("STATE"))?)
        .with("zip", zip(line.get("ZIP")))
        .with("location_lat", line.get("LAT"))
        .with("location_lon", line.get("LON"))
        .with("income", line.get("INCOME")))
}

const MARITAL: &[(&str, &str)] = &[("M", "married"), ("S", "single"), ("D", "divorced"), ("W", "widowed")];
const RACE: &[(&str, &str)] = &[
    ("white", "white"),
    ("black", "black"),
    ("asian", "asian"),
    ("native", "american_indian"),
    ("hawaiian", "pacific_islander"),
    ("other", "other"),
];
const ETHNICITY: &[(&str, &str)] = &[("hispanic", "hispanic"), ("nonhispanic", "not_hispanic")];

/// Synthea's value in our spelling; empty stays empty, anything else is refused.
pub(super) fn one_of(
    column: &'static str,
    text: &str,
    values: &[(&str, &'static str)],
) -> Result<&'static str, Wrong> {
    if text.is_empty() {
        return Ok("");
    }
    let found = values.iter().find(|(theirs, _)| *theirs == text);
    found.map(|(_, ours)| *ours).ok_or(Wrong { column, reason: Reason::Unmapped })
}

/// A ZIP that lost its leading zero gets it back: Synthea's are always of five digits.
fn zip(text: &str) -> Cow<'_, str> {
    let lost = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if lost { Cow::Owned(format!("0{text}")) } else { Cow::Borrowed(text) }
}
