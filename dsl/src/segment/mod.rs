//! What a segment means: names resolved against the schema, types checked, defaults made explicit.
//!
//! The resolver makes these trees, the reference semantics and the engine read them; nothing else is shared between
//! those two. A [`Segment`] may still hold parameters; [`Segment::bind`] replaces them and yields a
//! [`BoundSegment`], the only form that can run.

mod adherence;
mod amount;
mod anchor;
mod bind;
mod codes;
mod history;
mod household;
mod near;
mod rank;
mod reference;
mod sequence;
mod tails;
mod window;

use serde::{Deserialize, Serialize};

pub use adherence::Observation;
pub use amount::{Amount, Direction};
pub use anchor::{Anchor, Shift, Start};
pub(crate) use anchor::{moved, shifted};
pub use bind::{BindError, BoundSegment, ParamValues};
pub use codes::{CodePattern, CodeSet};
pub use history::{History, Past};
pub use household::{HOUSEHOLD_ID, Household};
pub use near::{LengthUnit, Near};
pub use rank::{End, Rank, Size};
pub use reference::{Asks, Reference, Stage};
pub use sequence::{Event, Link, RECORDS_MAX, Relation, SameField, Sequence};
pub use tails::{ARMS_MAX, Arm, Cap, Holdout, LIMIT_MAX, Limit, OnePer, Order, Sample, Split};
pub use window::{DurationUnit, Period, Span as Duration, Turn, Window};

use crate::lookups::Pin;
use crate::schema::{Channel, FieldType, Purpose};
use crate::value::Value;

/// Kleene logic over leaves of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logic<L> {
    /// `everyone`: always TRUE.
    True,
    /// `nobody`: always FALSE.
    False,
    /// TRUE when all are, FALSE when one is, else UNKNOWN.
    And(Vec<Logic<L>>),
    /// TRUE when one is, FALSE when all are, else UNKNOWN.
    Or(Vec<Logic<L>>),
    /// So many of the parts are TRUE. With t TRUE and u UNKNOWN parts between t and t + u of them can turn out to be:
    /// TRUE when every number of these is one that is asked for, FALSE when none is, else UNKNOWN.
    Of {
        /// Whether fewer or more will do.
        quantity: Quantity,
        /// How many.
        number: u32,
        /// At least one.
        parts: Vec<Logic<L>>,
    },
    /// Swaps TRUE and FALSE, keeps UNKNOWN.
    Not(Box<Logic<L>>),
    /// A test.
    Leaf(L),
}

/// What is asked of the number of parts that are TRUE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// This many or more; the number is from 1 to that of the parts.
    AtLeast,
    /// This many or fewer; the number is below that of the parts.
    AtMost,
    /// This many; the number is at most that of the parts.
    Exactly,
}

impl Quantity {
    /// Every quantity.
    pub const ALL: [Self; 3] = [Self::AtLeast, Self::AtMost, Self::Exactly];

    /// Words in the language.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::AtLeast => "at least",
            Self::AtMost => "at most",
            Self::Exactly => "exactly",
        }
    }
}

/// Criteria over a contact.
pub type Criteria = Logic<ContactTest>;
/// Criteria over the fields of one record.
pub type Filter = Logic<FieldTest>;

/// A segment whose names and types have been checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Identifier, unique in its file.
    pub name: String,
    /// Free text behind the name.
    pub title: Option<String>,
    /// Why contacts are approached; without it nothing can be released.
    pub purpose: Option<Purpose>,
    /// How contacts are approached; without it nothing can be released.
    pub channel: Option<Channel>,
    /// The top-level conjuncts of `where`, in the author's order; all must be TRUE.
    pub criteria: Vec<Criterion>,
    /// Contacts for whom this is TRUE are removed.
    pub exclude: Option<Criterion>,
    /// Contact fields written beside the id and the address, in order, without duplicates.
    pub output: Vec<String>,
    /// How often a contact may have been approached lately.
    pub cap: Option<Cap>,
    /// A field of which each value stands once in the list.
    pub one_per: Option<OnePer>,
    /// Share of those who are left that the list is made of.
    pub sample: Option<Sample>,
    /// Most contacts of the list, and who comes first.
    pub limit: Option<Limit>,
    /// The list in parts. With a `holdout` the arms share what that leaves.
    pub split: Option<Split>,
    /// Share of the list that is kept back.
    pub holdout: Option<Holdout>,
    /// Parameters that occur in this segment.
    pub params: Vec<Param>,
    /// What its sets were closed against, ascending.
    pub pins: Vec<Pin>,
    /// The text to hash: the segment with every declaration it uses, also through others, spelled canonically and
    /// without comments, and its pins. Layout, comments, the order of declarations and declarations it does not use make no
    /// difference. Empty when it was not compiled from a text.
    pub canonical: String,
}

/// A top-level conjunct, reported by itself in the waterfall.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// Canonical text, as `fmt` writes it, on one line.
    pub label: String,
    /// What is tested.
    pub test: Criteria,
}

/// A declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Name without the `$`.
    pub name: String,
    /// Declared type: text, int, number, money, bool or date.
    pub ty: FieldType,
    /// Value used when none is given.
    pub default: Option<Value>,
}

/// A value written in the text, or a parameter that stands for one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// A value of the type its place asks for.
    Literal(Value),
    /// A parameter by name.
    Param(String),
}

/// A test of one contact. One that counts from a date that the contact does not have is UNKNOWN ([`Anchor`]), also where
/// it is said to be never UNKNOWN otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactTest {
    /// A contact field.
    Field(FieldTest),
    /// Completed age on a day, or at death when that was earlier; UNKNOWN without a birth date and before it, and
    /// without the day.
    Age {
        /// In years or months.
        unit: AgeUnit,
        /// A day; that of as_of when there is none.
        on: Option<Anchor>,
        /// What the age must satisfy.
        test: NumberTest,
    },
    /// `turns 65 in next 90 days`: the day on which so many years are completed falls into the window, and is not behind
    /// the day of death. UNKNOWN without a birth date.
    Turns {
        /// Completed years, at most 150.
        age: u32,
        /// Where the day must fall; not in hours or minutes.
        window: Window,
    },
    /// The contact lives within a distance of a place; UNKNOWN when it is not known where.
    Near(Near),
    /// The yearly return of a date falls into the window; UNKNOWN when the date is missing.
    Anniversary {
        /// A contact field of type date.
        field: String,
        /// Where the yearly return must fall.
        window: Window,
    },
    /// `has`: some record is selected. `no` is `Not` of it. Never UNKNOWN.
    Has(Selector),
    /// Number of selected records, of their days or of the different values of a field; 0 without any. Never UNKNOWN.
    Count {
        /// What is counted.
        counted: Counted,
        /// Among which records.
        selector: Selector,
        /// What the number must satisfy.
        test: NumberTest,
    },
    /// A number made of the values that a field has in the selected records; a record without the value contributes
    /// nothing. UNKNOWN when no selected record has a value. A value with a comparator (`<5.7`) can be any in its interval, and
    /// one whose unit cannot be converted any at all: then the number lies in an interval, and the test is UNKNOWN unless it is the
    /// same for all of it.
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
        /// What the number must satisfy: `Money` for a money field, else `Int` or `Number`.
        test: NumberTest,
    },
    /// Like `Has`, but UNKNOWN where no record is selected and the contact was not under observation in all of the windows.
    Observed {
        /// Which records; at least one window has a beginning, all are in days, and none sees what lies ahead.
        selector: Selector,
        /// What shows that a contact was under observation.
        by: Observation,
    },
    /// The share of the local days of a window, up to today, on which some selected record lasts: from the day of `at` for
    /// `days_supply` days, else up to the day of `end`. A day counts once, and what is left over of one record is not carried to
    /// another. Without `days_supply` and `end` a record lasts until today, or, when its status says that it is over, nobody knows for how long: then UNKNOWN
    /// unless that makes no difference. UNKNOWN for a window without a day up to today; 0 without a record.
    DaysCovered {
        /// Which records.
        selector: Selector,
        /// In days, with a beginning, not ahead.
        window: Window,
        /// How the share compares with the percentage.
        cmp: Cmp,
        /// Thousandths of a percent, 0 to 100,000.
        percent_millis: u32,
    },
    /// The selected records last, as for `DaysCovered`, from today − `length` to today, where those are taken together
    /// between which no more than `gap` lies. UNKNOWN where it depends on how long a record lasts.
    Continuous {
        /// Which records.
        selector: Selector,
        /// Longest stretch without a record between two, in days or longer.
        gap: Duration,
        /// How long, in days or longer.
        length: Duration,
    },
    /// The latest or earliest of the selected records, or the one of a place, satisfies the filter; UNKNOWN when there is none. Among
    /// records at the same effective and recorded time one that satisfies it suffices.
    One {
        /// Which end of the order.
        which: Which,
        /// The one of those with the lowest or highest value of the tested field instead; UNKNOWN when none has a value. The filter is
        /// a test of a field of numbers, or `Not` of one.
        tie: Option<Tie>,
        /// From which records.
        selector: Selector,
        /// What the record must satisfy.
        test: Filter,
    },
    /// Records that follow each other in time. Never UNKNOWN.
    Sequence(Sequence),
    /// Where the contact stands among others by an amount.
    Rank(Box<Rank>),
    /// The contact is in a share of all contacts that chance takes. Never UNKNOWN.
    Sample(Sample),
    /// The share of the selected records that satisfy a test. Records for which the test is UNKNOWN can turn out either
    /// way: UNKNOWN unless that makes no difference. Without a record UNKNOWN, but see `at_least`.
    Share {
        /// Which records.
        selector: Selector,
        /// What is asked of each.
        test: Filter,
        /// How the share compares with the percentage.
        cmp: Cmp,
        /// Thousandths of a percent, 0 to 100,000.
        percent_millis: u32,
        /// FALSE for fewer records than this.
        at_least: Option<u32>,
    },
    /// Criteria under a name.
    Reference(Box<Reference>),
    /// Criteria over all who live with the contact.
    Household(Box<Household>),
    /// What a field of the contact said before.
    History(Box<History>),
}

/// In what an age is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeUnit {
    /// Calendar years; who was born on 29 February completes one on 28 February where the year has no 29th.
    Years,
    /// Calendar months, completed on the day of birth or, in a shorter month, on its last day.
    Months,
}

/// What a count counts among the selected records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// The records themselves.
    Records,
    /// The different local days of `at`; a moment known only to the day is that day.
    Days,
    /// The different known values of a field. Values are the same when `=` says so: moments on one local day are.
    Distinct {
        /// A field of the record.
        field: String,
        /// Its type in the schema; not a list of categories and not a point.
        ty: FieldType,
    },
}

/// What is made of several numbers. None of them depends on the order of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// All added up: whole numbers and money exactly, other numbers each rounded to a multiple of 2^-40 before.
    Sum,
    /// The sum divided by how many there are.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The one in the middle; the mean of the two in the middle of an even number.
    Median,
}

impl Aggregate {
    /// Every function.
    pub const ALL: [Self; 5] = [Self::Sum, Self::Avg, Self::Min, Self::Max, Self::Median];

    /// Name in the language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Median => "median",
        }
    }
}

/// Which record of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Greatest effective time, then greatest recorded time.
    Latest,
    /// Least effective time, then least recorded time.
    Earliest,
    /// The one at this place, from 2 to [`Which::PLACE_MAX`], counted from the earliest. Records at the same effective and recorded time share their
    /// places: the earliest are taken away until so many have been counted, and the last ones taken away are meant.
    Nth(u32),
}

impl Which {
    /// Greatest place that can be asked for.
    pub const PLACE_MAX: u32 = 100;

    /// Word in the language.
    #[must_use]
    pub fn word(self) -> String {
        match self {
            Self::Latest => "latest".to_owned(),
            Self::Earliest => "earliest".to_owned(),
            Self::Nth(place) => {
                let ending = match (place % 10, place % 100) {
                    (_, 11..=13) => "th",
                    (1, _) => "st",
                    (2, _) => "nd",
                    (3, _) => "rd",
                    _ => "th",
                };
                format!("{place}{ending}")
            }
        }
    }
}

/// Which record of those at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// The one with the least value.
    Lowest,
    /// The one with the greatest value.
    Highest,
}

impl Tie {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Lowest, Self::Highest];

    /// Word in the language.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lowest => "lowest",
            Self::Highest => "highest",
        }
    }
}

/// The records of one kind that a test looks at: visible, not hidden, TRUE under the filter, inside all windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Selector {
    /// Name of the record kind.
    pub record: String,
    /// Must be TRUE; a record for which it is UNKNOWN is not selected, and tallied.
    pub filter: Filter,
    /// Each tests `at`, or with `active` the interval from `at` to `end`.
    pub windows: Vec<Window>,
    /// The interval must overlap every window, or contain as_of when there is none. A record without `end` is
    /// ongoing unless its status says that it is over ([`crate::schema::RecordKind::ended`]).
    pub active: bool,
    /// Records with one of these values are not selected: the schema's hidden values of the fields that the
    /// filter does not name. A missing value hides nothing.
    pub hidden: Vec<Hidden>,
}

/// Values of a field that keep a record from counting unless the author names the field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hidden {
    /// A field of the record.
    pub field: String,
    /// Values that hide the record.
    pub values: Vec<Value>,
}

/// A test of one field; UNKNOWN when the field is missing, `Known` and `Missing` apart.
///
/// The number `value` of a record with a `comparator` is an interval: `<5.7` is everything below 5.7. A test of it is TRUE or FALSE
/// when it is so for the whole interval, else UNKNOWN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldTest {
    /// Name of the field.
    pub field: String,
    /// Its type in the schema.
    pub ty: FieldType,
    /// What is tested.
    pub test: Test,
}

/// What is tested of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Ordered comparison; text, category, bool only `=` and `!=`; dates and times compare local days.
    Compare(Cmp, Operand),
    /// Like `Compare`, with the value of another field of the same contact or record; UNKNOWN when either is missing.
    CompareField(Cmp, OtherField),
    /// Equal to one of these.
    In(Vec<Operand>),
    /// At least the first and at most the second, both ends included; local days for dates and times.
    Between(Operand, Operand),
    /// A number with a unit beside it (`unit` of the same record), converted to this unit. UNKNOWN when the record's unit is missing,
    /// not one that is known ([`crate::units`]), or cannot be converted.
    Measured {
        /// UCUM unit of the operands.
        unit: String,
        /// What the converted number must satisfy.
        test: NumberTest,
    },
    /// Text that contains, starts, ends with or matches another; case matters.
    Text(TextOp, Operand),
    /// Code in a set.
    Codes(CodeSet),
    /// How the categories of a list lie to these.
    List(ListTest, Vec<Operand>),
    /// Date or time inside a window.
    Window(Window),
    /// A value is there. Never UNKNOWN.
    Known,
    /// No value is there. Never UNKNOWN.
    Missing,
}

/// A field with which another one is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherField {
    /// Its name.
    pub field: String,
    /// Its type in the schema, which can be compared with that of the first.
    pub ty: FieldType,
}

/// How the categories of a list lie to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListTest {
    /// One of the others, or more, is in the list.
    Any,
    /// Each of the others is in the list.
    All,
    /// None of the others is in the list.
    None,
}

impl ListTest {
    /// Every test.
    pub const ALL: [Self; 3] = [Self::Any, Self::All, Self::None];

    /// Word in the language.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// Comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cmp {
    /// `=`
    #[serde(rename = "=")]
    Eq,
    /// `!=`
    #[serde(rename = "!=")]
    Ne,
    /// `<`
    #[serde(rename = "<")]
    Lt,
    /// `<=`
    #[serde(rename = "<=")]
    Le,
    /// `>`
    #[serde(rename = ">")]
    Gt,
    /// `>=`
    #[serde(rename = ">=")]
    Ge,
}

/// Test on text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextOp {
    /// Occurs somewhere.
    Contains,
    /// Occurs at the start.
    StartsWith,
    /// Occurs at the end.
    EndsWith,
    /// A regular expression of the `regex` crate (linear time) matches somewhere.
    Matches,
}

/// A number against bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberTest {
    /// Against one number.
    Compare(Cmp, Operand),
    /// Both ends included.
    Range(Operand, Operand),
    /// Equal to one of these.
    In(Vec<Operand>),
}
