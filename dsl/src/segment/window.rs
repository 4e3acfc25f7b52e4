//! Windows in time, as written; the reference and the engine each resolve them against a clock.

use serde::{Deserialize, Serialize};

use super::Anchor;

/// Unit of a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DurationUnit {
    /// 60 seconds, exact.
    Minute,
    /// 3,600 seconds, exact.
    Hour,
    /// A calendar day.
    Day,
    /// 7 days.
    Week,
    /// A calendar month, clamped to the month's end.
    Month,
    /// 3 months.
    Quarter,
    /// 12 months.
    Year,
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// How many units, at most 1,000,000.
    pub count: u32,
    /// Of what.
    pub unit: DurationUnit,
}

/// A window in time. Days are local days, both ends included; `hours` and `minutes` are exact and half-open on the
/// old side: `in last 24 hours` is (as_of − 24 h, as_of]. In the table `today` is the local day of as_of and `−` is
/// calendar arithmetic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// `in last D`: [today − D, today].
    InLast(Span),
    /// `in next D`: [today, today + D]; sees what lies after as_of.
    InNext(Span),
    /// `more than D ago`: before today − D.
    MoreThanAgo(Span),
    /// `between D1 and D2 ago`, the shorter first: [today − D2, today − D1].
    BetweenAgo(Span, Span),
    /// `since day`: from the day on.
    Since(Anchor),
    /// `before day`: excludes the day.
    Before(Anchor),
    /// `after day`: excludes the day; sees what lies after as_of.
    After(Anchor),
    /// `on day`.
    On(Anchor),
    /// `between day and day`, or `from day to day`: both included; no day where the second lies before the first.
    Between(Anchor, Anchor),
    /// `this month`, `last week`, `next year`: the whole calendar period in which today lies, the one before or the one
    /// after it. The next one sees what lies after as_of.
    Calendar(Turn, Period),
}

/// A calendar period against that of today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// The one in which today lies.
    This,
    /// The one before.
    Last,
    /// The one after.
    Next,
}

impl Turn {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::This, Self::Last, Self::Next];

    /// Word in the language.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::This => "this",
            Self::Last => "last",
            Self::Next => "next",
        }
    }
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Monday to Sunday.
    Week,
    /// From the first of a month to its last day.
    Month,
    /// Three months, the first from January on.
    Quarter,
    /// January to December.
    Year,
}

impl Period {
    /// Every period.
    pub const ALL: [Self; 4] = [Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// Word in the language.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}
