//! Concept sets as ATLAS exports them: a row for each concept, with `Exclude` and `Descendants`.
//!
//! Codes are taken with their vocabulary, not the ids of concepts, because records hold codes. `Mapped` would need a
//! table that is not imported, and is refused.

use csv::{ReaderBuilder, StringRecord, Trim};
use hyperseg_dsl::lookups::{CodeRow, FILE_ROWS_MAX, StoredCodes};

use crate::import::systems::code_system;

const CODE: [&str; 2] = ["concept_code", "code"];
const VOCABULARY: [&str; 3] = ["vocabulary", "vocabulary_id", "vocabularyid"];
const EXCLUDE: [&str; 3] = ["exclude", "excluded", "is_excluded"];
const BELOW: [&str; 2] = ["descendants", "include_descendants"];
const MAPPED: [&str; 2] = ["mapped", "include_mapped"];
const NAME: [&str; 1] = ["concept_name"];
/// Columns that say nothing about which codes are meant.
const IDLE: [&str; 7] = [
    "concept_id",
    "concept_set_id",
    "domain",
    "domain_id",
    "standard_concept",
    "standard_concept_caption",
    "invalid_reason",
];

fn header(row: &StringRecord) -> Vec<String> {
    row.iter().map(|cell| cell.to_ascii_lowercase().replace(' ', "_")).collect()
}

fn place(header: &[String], names: &[&str]) -> Option<usize> {
    header.iter().position(|cell| names.contains(&cell.as_str()))
}

/// Whether the first line is the header of a concept set.
pub(super) fn is_concept_set(text: &str) -> bool {
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(text.as_bytes());
    let mut row = StringRecord::new();
    if !reader.read_record(&mut row).unwrap_or(false) {
        return false;
    }
    let header = header(&row);
    place(&header, &["concept_code"]).is_some() && place(&header, &VOCABULARY).is_some()
}

/// Reads a concept set; an error has its line.
pub(super) fn read(text: &str) -> Result<StoredCodes, (Option<u64>, String)> {
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
    let mut row = StringRecord::new();
    let mut names: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    while reader
        .read_record(&mut row)
        .map_err(|error| (error.position().map(csv::Position::line), "it is not CSV".to_owned()))?
    {
        let line = row.position().map(csv::Position::line);
        let Some(header) = &names else {
            let header = header(&row);
            let known = [&CODE[..], &VOCABULARY, &EXCLUDE, &BELOW, &MAPPED, &NAME, &IDLE];
            if let Some(at) =
                header.iter().position(|cell| !known.iter().any(|names| names.contains(&cell.as_str())))
            {
                return Err((line, format!("column {} is none of a concept set; remove it", at + 1)));
            }
            names = Some(header);
            continue;
        };
        if rows.len() >= FILE_ROWS_MAX {
            return Err((None, format!("it has more than {FILE_ROWS_MAX} rows")));
        }
        let cell = |names: &[&str]| place(header, names).and_then(|at| row.get(at)).unwrap_or_default();
        let flag = |names: &[&str]| match cell(names).to_ascii_lowercase().as_str() {
            "" | "no" | "false" | "0" => Ok(false),
            "yes" | "true" | "1" => Ok(true),
            _ => Err((line, format!("`{}` is neither yes nor no", names.first().unwrap_or(&"")))),
        };
        if flag(&MAPPED)? {
            return Err((line, "mapped concepts are not taken along; list them".to_owned()));
        }
        let system =
            code_system(cell(&VOCABULARY)).ok_or((line, "the vocabulary is not known".to_owned()))?;
        let code = system.normal(cell(&CODE)).filter(|code| !code.contains(char::is_control));
        let code = code.ok_or((line, "the code is empty".to_owned()))?;
        let of = CodeRow { exclude: flag(&EXCLUDE)?, system, under: flag(&BELOW)?, code };
        rows.push((of, cell(&NAME).to_owned()));
    }
    Ok(StoredCodes::new(rows))
}
