//! Criteria as written.

use super::{Duration, Ident, Number, Reference, Span, Text, Value};
use crate::segment::{
    AgeUnit, Aggregate, Cmp, End, LengthUnit, ListTest, Period, Quantity, TextOp, Tie, Turn, Which,
};

/// Criteria over a contact or over the fields of a record; the resolver tells them apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
}

/// What criteria consist of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    /// At least two, joined by `or`.
    Or(Vec<Expr>),
    /// At least two, joined by `and`.
    And(Vec<Expr>),
    /// `at least 2 of (criteria, criteria)`; the opening parenthesis ends at `open`.
    Of {
        quantity: Quantity,
        number: Number,
        open: usize,
        parts: Vec<Expr>,
    },
    Not(Box<Expr>),
    /// Parentheses.
    Group(Box<Expr>),
    Everyone,
    Nobody,
    /// A name that stands alone.
    Name(String),
    Attribute {
        field: Ident,
        test: AttributeTest,
    },
    /// `age [in months] [on date]`, and what it is tested for.
    Age {
        unit: AgeUnit,
        on: Option<Value>,
        test: NumberSet,
    },
    /// `in list "file" by field`.
    InList {
        file: Text,
        by: Ident,
    },
    /// `location within 25 miles of centre`.
    Near {
        distance: Number,
        unit: LengthUnit,
        centre: Centre,
    },
    /// `turns 65 window`.
    Turns {
        age: Number,
        window: Window,
    },
    Anniversary {
        field: Ident,
        window: Window,
    },
    /// `field changed …`, `field was value window`.
    History(Box<History>),
    /// `has`, or `no` when negated.
    Has {
        negated: bool,
        selector: Selector,
        /// `while observed`.
        observed: bool,
    },
    /// `days covered(selector) window > 80%`.
    DaysCovered {
        selector: Selector,
        window: Window,
        cmp: Cmp,
        percent: Number,
    },
    /// `continuous selector gap D for D`.
    Continuous {
        selector: Selector,
        gap: Duration,
        length: Duration,
    },
    /// `count(selector) windows test`, `sum(record.field …) windows test` and their like.
    Measure {
        measure: Measure,
        selector: Selector,
        windows: Vec<Window>,
        test: NumberSet,
    },
    /// `latest selector.field test` or `latest selector has (criteria)`.
    One {
        which: Which,
        selector: Selector,
        tie: Option<Tie>,
        test: OneTest,
    },
    /// `selector then selector within D …`, or `selector within D before selector`.
    Sequence {
        first: Event,
        steps: Vec<Step>,
    },
    /// `share(criteria of selector) > 30% with at least 3`; the parenthesis ends at `open`.
    Share {
        open: usize,
        test: Box<Expr>,
        selector: Selector,
        cmp: Cmp,
        percent: Number,
        at_least: Option<Number>,
    },
    /// `top 5% by amount among (criteria)`.
    Rank {
        end: End,
        size: Size,
        by: OrderBy,
        among: Option<Filter>,
    },
    /// `sample 10% seed "text"`.
    Sample {
        percent: Number,
        seed: Text,
    },
    /// `in segment name` and its like.
    Reference(Reference),
    /// `any member of household (criteria)`; the opening parenthesis ends at `open`.
    Household {
        which: Members,
        open: usize,
        test: Box<Expr>,
    },
    /// Could not be read.
    Bad,
}

/// What is asked of the history of a contact field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct History {
    pub(crate) field: Ident,
    pub(crate) past: Past,
    pub(crate) window: Window,
}

/// How a test of a field's history is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Past {
    /// `changed [from value] [to value]`.
    Changed { from: Option<Value>, to: Option<Value> },
    /// `was value`.
    Was(Value),
}

impl Past {
    /// The values, in the order in which they are written.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let (first, second) = match self {
            Self::Changed { from, to } => (from.as_mut(), to.as_mut()),
            Self::Was(value) => (Some(value), None),
        };
        first.into_iter().chain(second)
    }
}

/// How many a rank takes, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// So many contacts.
    Number(Number),
    /// A percentage of the contacts.
    Percent(Number),
}

/// Of which members of a household something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    Any,
    All,
    No,
}

impl Members {
    /// Every one.
    pub(crate) const ALL: [Self; 3] = [Self::Any, Self::All, Self::No];

    /// Word in the language.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
            Self::No => "no",
        }
    }
}

/// A number that contacts are ordered by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderBy {
    pub(crate) kind: OrderKind,
    /// The unit in quotes behind it.
    pub(crate) unit: Option<Text>,
    pub(crate) span: Span,
}

/// How a number that contacts are ordered by is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OrderKind {
    /// `income`.
    Field(Ident),
    /// `age`, `age in months`.
    Age(AgeUnit),
    /// `count(selector) windows` and its like.
    Measure { measure: Measure, selector: Selector, windows: Vec<Window> },
    /// `latest selector.field`.
    One { which: Which, selector: Selector, field: Ident },
}

/// `selector`, or `selector.field` where the clock starts at that field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) selector: Selector,
    pub(crate) clock: Option<Ident>,
    pub(crate) span: Span,
}

/// What stands behind the first event of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) event: Event,
    pub(crate) within: Duration,
    pub(crate) span: Span,
}

/// How a step is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StepKind {
    /// `then event [after D] within D`.
    Then { after: Option<Duration> },
    /// `not followed by event within D [or still open]`.
    NotFollowed { or_open: bool },
    /// `within D before event` and its like.
    Near(Side),
}

/// On which side of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
    Around,
}

impl Side {
    /// Every side.
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::After, Self::Around];

    /// Word in the language.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Around => "around",
        }
    }
}

/// From where a distance is measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Centre {
    /// `zip "02139"`.
    Zip(Text),
    /// `point(42.36, -71.1)`.
    Point { north: Number, east: Number },
}

/// What a field is tested for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AttributeTest {
    Compare(Cmp, Value),
    In {
        negated: bool,
        set: Set,
    },
    Between {
        negated: bool,
        low: Value,
        high: Value,
    },
    Text(TextTest),
    /// `code under SYSTEM:"E11"`.
    Under(Value),
    Known,
    Missing,
    Window(Window),
    /// `has any of (category, …)`.
    List {
        test: ListTest,
        values: Vec<Value>,
    },
}

impl AttributeTest {
    /// It is TRUE for what is not the value.
    pub(crate) fn is_negated(&self) -> bool {
        match self {
            Self::Compare(cmp, _) => *cmp == Cmp::Ne,
            Self::In { negated, .. } | Self::Between { negated, .. } => *negated,
            Self::List { test, .. } => *test == ListTest::None,
            Self::Text(_) | Self::Under(_) | Self::Window(_) | Self::Known | Self::Missing => false,
        }
    }
}

/// `contains "text"` and its like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TextTest {
    pub(crate) op: TextOp,
    pub(crate) value: Value,
}

/// What stands behind `in`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Set {
    /// `( value, … )`; the opening parenthesis ends at `open`.
    List { open: usize, values: Vec<Value> },
    /// `low..high`.
    Range(Value, Value),
    /// `@name`.
    Ref(Ident),
    /// `@"file"`.
    File(Text),
}

/// What an age, a count or another measure is tested for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NumberSet {
    Compare(Cmp, Value),
    In(Set),
}

/// The number that is made of records. A field stands behind the kind of record: `record.field (filter)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Measure {
    /// `count(selector)`.
    Records,
    /// `count(days of selector)`.
    Days,
    /// `count(distinct record.field …)`.
    Distinct(Ident),
    /// `sum(record.field …)`.
    Values(Aggregate, Ident),
}

impl Measure {
    /// The field, where there is one.
    pub(crate) fn field(&self) -> Option<&Ident> {
        match self {
            Self::Records | Self::Days => None,
            Self::Distinct(field) | Self::Values(_, field) => Some(field),
        }
    }

    /// The word in front of the parentheses.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Records | Self::Days | Self::Distinct(_) => "count",
            Self::Values(function, _) => function.name(),
        }
    }
}

/// `record (filter) windows active`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selector {
    pub(crate) record: Ident,
    pub(crate) filter: Option<Filter>,
    pub(crate) modifiers: Vec<Modifier>,
    pub(crate) span: Span,
}

/// Criteria in parentheses behind a kind of record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    /// Where the opening parenthesis ends.
    pub(crate) open: usize,
    pub(crate) expr: Box<Expr>,
}

/// What follows the filter of a selector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Modifier {
    Window(Window),
    Active(Span),
    /// `recorded`, and a window of the time of recording.
    Recorded(Window),
    /// `with field`: only records that have the value.
    With(Ident),
    /// `same field as record`.
    Same {
        field: Ident,
        of: Ident,
    },
}

/// What the latest or earliest record is tested for.
#[expect(clippy::large_enum_variant, reason = "a handful per text, never moved in bulk")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OneTest {
    /// `.field test`.
    Field { field: Ident, test: AttributeTest },
    /// `has (criteria)`.
    Has(Filter),
}

/// A window and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) kind: WindowKind,
    pub(crate) span: Span,
}

/// The windows of [`crate::segment::Window`], with values not yet looked up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WindowKind {
    InLast(Duration),
    InNext(Duration),
    MoreThanAgo(Duration),
    BetweenAgo(Duration, Duration),
    Since(Value),
    Before(Value),
    After(Value),
    On(Value),
    Between(Value, Value),
    /// `from day to day`.
    FromTo(Value, Value),
    Calendar(Turn, Period),
}
