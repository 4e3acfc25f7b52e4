//! What is asked of the values that a contact field had; the reference and the engine each follow its changes.

use serde::{Deserialize, Serialize};

use super::{Operand, Window};
use crate::schema::{Field, FieldType};

/// A test of the history of a contact field.
///
/// History is what imports changed: at an instant a field went from an old value to a new one, either of which may be
/// missing. The first import of a contact changes nothing. Changes after as_of are not seen, but what they replaced is: it held
/// until then. Values are the same when `=` says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// A contact field; see [`History::kept_of`].
    pub field: String,
    /// Its type in the schema.
    pub ty: FieldType,
    /// What is asked.
    pub past: Past,
    /// When; not ahead, and without a day that the contact tells.
    pub window: Window,
}

/// What is asked of the values that a field had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Past {
    /// Some change lies in the window, with these values where they are given; a missing value is none of them. Never
    /// UNKNOWN.
    Changed {
        /// The old value.
        from: Option<Operand>,
        /// The new value.
        to: Option<Operand>,
    },
    /// The field had the value at some instant of the window up to as_of. Before its first change it had that one's old value,
    /// without changes its present one, for as long as one looks back. UNKNOWN when it did not, but was missing at some
    /// instant of it.
    Was(Operand),
}

impl Past {
    /// The values that are asked for.
    pub fn operands(&self) -> impl Iterator<Item = &Operand> {
        let (first, second) = match self {
            Self::Changed { from, to } => (from.as_ref(), to.as_ref()),
            Self::Was(value) => (Some(value), None),
        };
        first.into_iter().chain(second)
    }

    /// The values that are asked for.
    pub fn operands_mut(&mut self) -> impl Iterator<Item = &mut Operand> {
        let (first, second) = match self {
            Self::Changed { from, to } => (from.as_mut(), to.as_mut()),
            Self::Was(value) => (Some(value), None),
        };
        first.into_iter().chain(second)
    }
}

impl History {
    /// Whether the history of a field can be asked for. The id is what a contact is known by and never changes; a place is kept
    /// as two numbers that change each by itself.
    #[must_use]
    pub fn kept_of(field: &Field) -> bool {
        field.name != "contact_id" && field.ty != FieldType::Point
    }

    /// Whether values of a type can be asked for: those that `=` compares.
    #[must_use]
    pub const fn has_values(ty: FieldType) -> bool {
        match ty {
            FieldType::Text
            | FieldType::Category
            | FieldType::Int
            | FieldType::Number
            | FieldType::Money
            | FieldType::Bool
            | FieldType::Date => true,
            // No contact field is a code or a time; lists and places are not compared with `=`.
            FieldType::Code | FieldType::Time | FieldType::Categories | FieldType::Point => false,
        }
    }
}
