//! FHIR R4 ValueSet: its expansion when it has one, else what it is composed of.
//!
//! Of a composition are taken: concepts that are listed, and one filter `concept is-a CODE`, which is `under` in the language.
//! Everything else (a whole code system, other filters, other value sets) is refused by name.

use hyperseg_dsl::lookups::{CodeRow, StoredCodes};
use hyperseg_dsl::schema::CodeSystem;
use serde::Deserialize;

use crate::import::systems::code_system;

/// Nested levels of an expansion.
const DEPTH_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValueSet {
    resource_type: String,
    expansion: Option<Expansion>,
    compose: Option<Compose>,
}

#[derive(Deserialize)]
struct Expansion {
    total: Option<u64>,
    #[serde(default)]
    contains: Vec<Contained>,
}

#[derive(Deserialize)]
struct Contained {
    system: Option<String>,
    code: Option<String>,
    #[serde(default)]
    display: String,
    #[serde(default, rename = "abstract")]
    is_abstract: bool,
    #[serde(default)]
    contains: Vec<Self>,
}

#[derive(Deserialize)]
struct Compose {
    #[serde(default)]
    include: Vec<Part>,
    #[serde(default)]
    exclude: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    system: Option<String>,
    #[serde(default)]
    concept: Vec<Concept>,
    #[serde(default)]
    filter: Vec<Filter>,
    #[serde(default)]
    value_set: Vec<String>,
}

#[derive(Deserialize)]
struct Concept {
    code: String,
    #[serde(default)]
    display: String,
}

#[derive(Deserialize)]
struct Filter {
    property: String,
    op: String,
    value: String,
}

type Row = (CodeRow, String);

/// Reads a ValueSet.
pub(super) fn read(text: &str) -> Result<StoredCodes, String> {
    let set: ValueSet = serde_json::from_str(text)
        .map_err(|error| format!("it is no FHIR ValueSet (line {})", error.line()))?;
    if set.resource_type != "ValueSet" {
        return Err("it is a FHIR resource, but no ValueSet".to_owned());
    }
    let mut rows = Vec::new();
    match (&set.expansion, &set.compose) {
        (Some(expansion), _) => {
            let count = contained(&expansion.contains, &mut rows, 0)?;
            if expansion.total.is_some_and(|total| total != count) {
                return Err("its expansion is not whole: it tells of more codes than it holds".to_owned());
            }
        }
        (None, Some(compose)) => {
            for (parts, exclude) in [(&compose.include, false), (&compose.exclude, true)] {
                for part in parts {
                    composed(part, exclude, &mut rows)?;
                }
            }
        }
        (None, None) => return Err("it has neither an expansion nor a composition".to_owned()),
    }
    Ok(StoredCodes::new(rows))
}

fn contained(items: &[Contained], rows: &mut Vec<Row>, depth: usize) -> Result<u64, String> {
    if depth > DEPTH_MAX {
        return Err(format!("its expansion is nested more than {DEPTH_MAX} levels deep"));
    }
    let mut count = 0;
    for item in items {
        count += 1;
        if let (Some(code), false) = (&item.code, item.is_abstract) {
            let system = system(item.system.as_deref())?;
            rows.push(row(system, code, false, false, &item.display)?);
        }
        count += contained(&item.contains, rows, depth + 1)?;
    }
    Ok(count)
}

fn composed(part: &Part, exclude: bool, rows: &mut Vec<Row>) -> Result<(), String> {
    if !part.value_set.is_empty() {
        return Err("it is composed of other value sets; expand it first".to_owned());
    }
    let system = system(part.system.as_deref())?;
    match (part.concept.as_slice(), part.filter.as_slice()) {
        ([], []) => return Err(format!("it takes all of {system}; expand it first")),
        (concepts, []) => {
            for concept in concepts {
                rows.push(row(system, &concept.code, false, exclude, &concept.display)?);
            }
        }
        ([], [filter]) if filter.property == "concept" && filter.op == "is-a" => {
            rows.push(row(system, &filter.value, true, exclude, "")?);
        }
        _ => return Err("it has a filter other than one `concept is-a`; expand it first".to_owned()),
    }
    Ok(())
}

fn system(uri: Option<&str>) -> Result<CodeSystem, String> {
    let uri = uri.ok_or("a part of it names no code system")?;
    code_system(uri).ok_or_else(|| "a code system of it is not known".to_owned())
}

fn row(system: CodeSystem, code: &str, under: bool, exclude: bool, display: &str) -> Result<Row, String> {
    let code = system.normal(code).filter(|code| !code.contains(char::is_control));
    let code = code.ok_or("a code of it is empty, or none")?;
    Ok((CodeRow { exclude, system, under, code }, display.to_owned()))
}
