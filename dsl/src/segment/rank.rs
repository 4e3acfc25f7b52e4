//! Where a contact stands among others: the one test whose answer depends on other contacts.

use serde::{Deserialize, Serialize};

use super::{Amount, Criteria, Direction};

/// `top 5% by count(email_click) in last 90 days among (criteria)`.
///
/// The pool are the contacts of the dataset for whom `among` is TRUE, all of them without it. Of those, the ones whose
/// amount is known compete: `size` is so many of them, or the percentage of their number, rounded up, and at least one.
/// A contact of the pool belongs when fewer than that many of the pool have a strictly better amount: greater for the top,
/// less for the bottom. So all who tie at the edge belong, and everyone does where fewer compete.
///
/// | `among` | amount | |
/// |---|---|---|
/// | FALSE | | FALSE |
/// | UNKNOWN | | UNKNOWN |
/// | TRUE | UNKNOWN | UNKNOWN |
/// | TRUE | known | TRUE when it belongs, else FALSE |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    /// Which end of the order.
    pub end: End,
    /// How many.
    pub size: Size,
    /// What contacts are ordered by.
    pub amount: Amount,
    /// Who competes; everyone when there is none.
    pub among: Option<Criteria>,
}

/// An end of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The greatest amounts.
    Top,
    /// The least amounts.
    Bottom,
}

impl End {
    /// Both ends.
    pub const ALL: [Self; 2] = [Self::Top, Self::Bottom];

    /// Word in the language.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Top => "top",
            Self::Bottom => "bottom",
        }
    }

    /// The direction in which this end comes first.
    #[must_use]
    pub const fn first(self) -> Direction {
        match self {
            Self::Top => Direction::Desc,
            Self::Bottom => Direction::Asc,
        }
    }
}

/// How many contacts a rank takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// 1 to [`super::LIMIT_MAX`].
    Number(u32),
    /// Thousandths of a percent, 1 to 100,000.
    PercentMillis(u32),
}

impl Size {
    /// How many of so many that compete.
    #[must_use]
    pub fn of(self, competing: u64) -> u64 {
        match self {
            Self::Number(number) => number.into(),
            Self::PercentMillis(millis) => {
                let part = u128::from(competing) * u128::from(millis);
                u64::try_from(part.div_ceil(100_000)).unwrap_or(u64::MAX)
            }
        }
    }
}
