//! What shows that a contact was under observation.

use serde::{Deserialize, Serialize};

use super::{Hidden, Logic, Selector};
use crate::schema::{RecordKind, Schema, hidden_value};

/// Kinds whose records show that a contact was seen, or will be.
const CONTACTS: [&str; 3] = ["encounter", "visit", "appointment"];

/// Records by which a contact is under observation on the days of a window up to today: coverage lasts on every one of them. Without any
/// coverage, the first and the last day on which the contact was seen, or will be, have all of them between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What lasts from `at` to `end`, or until today.
    pub coverage: Selector,
    /// What shows that the contact was seen on the day of `at`.
    pub contacts: Vec<Selector>,
}

impl Observation {
    /// By the records of the built-in kinds that count.
    #[must_use]
    pub fn built_in(schema: &Schema) -> Option<Self> {
        let coverage = schema.record("coverage").map(all)?;
        Some(Self {
            coverage,
            contacts: CONTACTS.iter().filter_map(|kind| schema.record(kind)).map(all).collect(),
        })
    }

    /// Every selector.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.coverage).chain(&self.contacts)
    }
}

/// All records of a kind that count.
fn all(kind: &RecordKind) -> Selector {
    let hidden = kind.hidden.iter().filter_map(|(name, values)| {
        let field = kind.field(name)?;
        let values = values.iter().map(|value| hidden_value(field, value)).collect();
        Some(Hidden { field: name.clone(), values })
    });
    Selector {
        record: kind.name.clone(),
        filter: Logic::True,
        windows: Vec::new(),
        active: false,
        hidden: hidden.collect(),
    }
}
