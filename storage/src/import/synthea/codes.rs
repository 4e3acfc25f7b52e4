//! Code systems and states as Synthea writes them.

use std::borrow::Cow;

use hyperseg_dsl::schema::CodeSystem;

use super::line::Wrong;
use crate::import::systems::code_system;
use crate::ingest::Reason;

/// A code with its system: that of the SYSTEM cell when there is one, else the one this file always uses.
pub(super) fn code<'l>(system: &str, default: CodeSystem, code: &str) -> Result<Cow<'l, str>, Wrong> {
    if code.is_empty() {
        return Ok(Cow::Borrowed(""));
    }
    let system = if system.is_empty() {
        default
    } else {
        code_system(system).ok_or(Wrong { column: "SYSTEM", reason: Reason::BadCode })?
    };
    Ok(Cow::Owned(format!("{}:{code}", system.name())))
}

/// Two letters of a state written in full; two letters stay as they are.
pub(super) fn state(text: &str) -> Result<&str, Wrong> {
    if text.len() <= 2 {
        return Ok(text);
    }
    STATES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, letters)| *letters)
        .ok_or(Wrong { column: "STATE", reason: Reason::Unmapped })
}

const STATES: &[(&str, &str)] = &[
    ("Alabama", "AL"),
    ("Alaska", "AK"),
    ("Arizona", "AZ"),
    ("Arkansas", "AR"),
    ("California", "CA"),
    ("Colorado", "CO"),
    ("Connecticut", "CT"),
    ("Delaware", "DE"),
    ("District of Columbia", "DC"),
    ("Florida", "FL"),
    ("Georgia", "GA"),
    ("Hawaii", "HI"),
    ("Idaho", "ID"),
    ("Illinois", "IL"),
    ("Indiana", "IN"),
    ("Iowa", "IA"),
    ("Kansas", "KS"),
    ("Kentucky", "KY"),
    ("Louisiana", "LA"),
    ("Maine", "ME"),
    ("Maryland", "MD"),
    ("Massachusetts", "MA"),
    ("Michigan", "MI"),
    ("Minnesota", "MN"),
    ("Mississippi", "MS"),
    ("Missouri", "MO"),
    ("Montana", "MT"),
    ("Nebraska", "NE"),
    ("Nevada", "NV"),
    ("New Hampshire", "NH"),
    ("New Jersey", "NJ"),
    ("New Mexico", "NM"),
    ("New York", "NY"),
    ("North Carolina", "NC"),
    ("North Dakota", "ND"),
    ("Ohio", "OH"),
    ("Oklahoma", "OK"),
    ("Oregon", "OR"),
    ("Pennsylvania", "PA"),
    ("Rhode Island", "RI"),
    ("South Carolina", "SC"),
    ("South Dakota", "SD"),
    ("Tennessee", "TN"),
    ("Texas", "TX"),
    ("Utah", "UT"),
    ("Vermont", "VT"),
    ("Virginia", "VA"),
    ("Washington", "WA"),
    ("West Virginia", "WV"),
    ("Wisconsin", "WI"),
    ("Wyoming", "WY"),
    ("American Samoa", "AS"),
    ("Guam", "GU"),
    ("Northern Mariana Islands", "MP"),
    ("Puerto Rico", "PR"),
    ("Virgin Islands", "VI"),
];

#[cfg(test)]
mod tests {
    use hyperseg_dsl::schema::Schema;

    use super::*;

    #[test]
    fn every_state_of_the_schema_has_a_name() {
        let schema = Schema::built_in();
        let mut known: Vec<&str> = STATES.iter().map(|(_, letters)| *letters).collect();
        let mut states: Vec<&str> = schema
            .contact_field("state")
            .into_iter()
            .flat_map(|field| &field.categories)
            .map(String::as_str)
            .collect();
        known.sort_unstable();
        states.sort_unstable();
        assert_eq!(known, states);
    }
}
