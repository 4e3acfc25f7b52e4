//! Numbers that contacts are ordered by.

use serde::{Deserialize, Serialize};

use super::{AgeUnit, Aggregate, Counted, Selector, Which};
use crate::schema::FieldType;

/// A number of a contact. UNKNOWN where the text says so, and for a contact without a date that it counts from: then
/// the contact has no amount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// A contact field; UNKNOWN when it is missing. Dates and times count as their local day.
    Field {
        /// Of type int, number, money, date or time.
        field: String,
        /// Its type in the schema.
        ty: FieldType,
    },
    /// The completed age at the local day of as_of, or at death; UNKNOWN without a birth date and before it.
    Age(AgeUnit),
    /// A number of records, of their days or of different values, as [`super::ContactTest::Count`] makes it. Never
    /// UNKNOWN: nothing is 0.
    Count {
        /// What is counted.
        counted: Counted,
        /// Among which records.
        selector: Selector,
    },
    /// A number made of values, as [`super::ContactTest::Aggregate`] makes it, and UNKNOWN where that is.
    Aggregate {
        /// What is made of the values.
        function: Aggregate,
        /// From which records.
        selector: Selector,
        /// A field of the record of type int, number or money.
        field: String,
        /// Its type in the schema.
        ty: FieldType,
        /// UCUM unit into which values are converted before anything is made of them.
        unit: Option<String>,
    },
    /// The value that the latest or earliest selected record has. Of several records at the same effective and recorded
    /// time that value which comes first in the order that is asked for. UNKNOWN when none of them has a value that is
    /// a number: `<5.7` is none.
    One {
        /// Which end of the order.
        which: Which,
        /// From which records.
        selector: Selector,
        /// A field of the record of type int, number, money, date or time; dates and times count as their local day.
        field: String,
        /// Its type in the schema.
        ty: FieldType,
        /// UCUM unit into which the value is converted; one that cannot be is no number.
        unit: Option<String>,
    },
}

/// Which amounts come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The least.
    Asc,
    /// The greatest.
    Desc,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Asc, Self::Desc];

    /// Word in the language.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}
