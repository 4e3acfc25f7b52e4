//! payer_transitions.csv with payers.csv → coverage.

use std::borrow::Cow;
use std::collections::HashMap;

use super::line::{Line, Lookups, Row, SOURCE, Spec, Wrong};
use crate::error::{Error, Result};
use crate::import::csv_file::CsvFile;
use crate::import::source::{SourceFile, map_header};

const PAYERS_MAX: usize = 1 << 20;

pub(super) const PAYER_TRANSITIONS: Spec = Spec {
    file: "payer_transitions.csv",
    tables: &["coverage"],
    used: &["PATIENT", "MEMBERID", "START_YEAR", "START_DATE", "END_YEAR", "END_DATE", "PAYER"],
    left_out: &["SECONDARY_PAYER", "OWNERSHIP", "PLAN_OWNERSHIP", "OWNERNAME", "OWNER_NAME"],
    needed: &[&["PATIENT"], &["START_DATE", "START_YEAR"], &["PAYER"]],
    map: coverage,
};

fn coverage<'l>(line: &Line<'l>, lookups: &Lookups) -> Result<Row<'l>, Wrong> {
    let id = line.get("PAYER");
    let name = lookups.payers.get(id).map(String::as_str);
    let payer: Cow<'l, str> = match name {
        Some(NO_INSURANCE) => Cow::Borrowed(""),
        Some(name) => Cow::Owned(name.to_owned()),
        None => Cow::Borrowed(id),
    };
    Ok(Row::new("coverage")
        .with("contact_id", line.get("PATIENT"))
        .with("record_id", line.id())
        .with("source", SOURCE)
        .with("at", year(line.any(&["START_DATE", "START_YEAR"]), "-01-01"))
        .with("end", year(line.any(&["END_DATE", "END_YEAR"]), "-12-31"))
        .with("payer", payer)
        .with("type", name.map_or("", kind))
        .with("member_id", line.get("MEMBERID"))
        .with("status", "active"))
}

/// Older exports give years: coverage from their first day to their last.
fn year<'l>(text: &'l str, day: &str) -> Cow<'l, str> {
    let year = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if year { Cow::Owned(format!("{text}{day}")) } else { Cow::Borrowed(text) }
}

const NO_INSURANCE: &str = "NO_INSURANCE";

/// Type of insurance by the payer's name. Medicare pays first for people with both programmes.
fn kind(name: &str) -> &'static str {
    match name {
        "Medicare" | "Dual Eligible" => "medicare",
        "Medicaid" => "medicaid",
        NO_INSURANCE => "uninsured",
        _ => "commercial",
    }
}

/// Names of the payers by id.
pub(super) fn payers(
    source: &SourceFile,
    number: u16,
    ignored: &[String],
) -> Result<HashMap<String, String>> {
    const USED: &[&str] = &["Id", "NAME"];
    const LEFT_OUT: &[&str] = &[
        "OWNERSHIP",
        "ADDRESS",
        "CITY",
        "STATE_HEADQUARTERED",
        "ZIP",
        "PHONE",
        "AMOUNT_COVERED",
        "AMOUNT_UNCOVERED",
        "REVENUE",
        "COVERED_ENCOUNTERS",
        "UNCOVERED_ENCOUNTERS",
        "COVERED_MEDICATIONS",
        "UNCOVERED_MEDICATIONS",
        "COVERED_PROCEDURES",
        "UNCOVERED_PROCEDURES",
        "COVERED_IMMUNIZATIONS",
        "UNCOVERED_IMMUNIZATIONS",
        "UNIQUE_CUSTOMERS",
        "QOLS_AVG",
        "MEMBER_MONTHS",
    ];
    let mut file = CsvFile::open(source, number)?;
    let left_out =
        |column: &str| LEFT_OUT.contains(&column) || ignored.iter().any(|ignored| ignored == column);
    let places = map_header(&source.name, file.header(), USED, USED, left_out)?;
    let mut payers = HashMap::new();
    while let Some(chunk) = file.next_chunk()? {
        let refused = chunk.each(&[], |_, cells| {
            let [id, name] = [0, 1].map(|target: usize| cells.get(places.get(target).copied().flatten()));
            payers.insert(id.to_owned(), name.to_owned());
        });
        // A list of ten names has no use for a tolerance: coverage would silently lose its payer.
        if let Some(row) = refused.first() {
            return Err(crate::ingest::ImportError::Unreadable {
                file: format!("{}:{}", source.name, row.origin.line()),
                what: row.reason.explain().to_owned(),
            }
            .into());
        }
        if payers.len() > PAYERS_MAX {
            return Err(Error::Limit { what: "payers".to_owned(), max: PAYERS_MAX as u64 });
        }
    }
    Ok(payers)
}
