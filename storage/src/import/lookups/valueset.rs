//! Value sets in whichever of the forms the file has.

use hyperseg_dsl::lookups::StoredCodes;

use super::{fhir, omop, unreadable};
use crate::error::Result;

/// Name of the form, and the codes.
pub(super) fn read(file: &str, text: &str) -> Result<(&'static str, StoredCodes)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (form, codes) = if text.trim_start().starts_with('{') {
        ("fhir valueset", fhir::read(text).map_err(|what| unreadable(file, None, what))?)
    } else if omop::is_concept_set(text) {
        ("omop concept set", omop::read(text).map_err(|(line, what)| unreadable(file, line, what))?)
    } else {
        ("csv", StoredCodes::from_csv(text).map_err(|what| unreadable(file, None, what))?)
    };
    if codes.rows().all(|(row, _)| row.exclude) {
        return Err(unreadable(file, None, "there is no code in it"));
    }
    Ok((form, codes))
}
