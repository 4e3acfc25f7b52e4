//! What was written: declarations with their spans, names not yet looked up.
//!
//! The parser makes it, `fmt` prints it, the resolver turns it into [`crate::segment::Segment`]s. Parts that could
//! not be read are `Bad`; a diagnostic exists for each of them, so whoever meets one stays silent.

mod expr;
mod reference;

use std::ops::Range;

use crate::segment::{Direction, DurationUnit};
use crate::value::Day;

pub(crate) use expr::{
    AttributeTest, Centre, Event, Expr, ExprKind, Filter, History, Measure, Members, Modifier, NumberSet,
    OneTest, OrderBy, OrderKind, Past, Selector, Set, Side, Size, Step, StepKind, TextTest, Window,
    WindowKind,
};
pub(crate) use reference::{Reference, Sent};

/// Bytes of the source, from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// From the start of one to the end of the other.
    pub(crate) fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ident {
    pub(crate) name: String,
    pub(crate) span: Span,
}

/// A text in quotes, escapes replaced, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A comment with its marks, `// …` or `/* … */`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) text: String,
    pub(crate) span: Span,
    /// Nothing but blanks before it on its line.
    pub(crate) own_line: bool,
    /// An empty line follows it.
    pub(crate) blank_after: bool,
}

/// A source file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct File {
    pub(crate) items: Vec<Item>,
    pub(crate) comments: Vec<Comment>,
}

/// A declaration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Valueset(Valueset),
    Param(Param),
    Define(Define),
    Stage(Stage),
    Segment(Segment),
    Portfolio(Portfolio),
}

impl Item {
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Valueset(item) => item.span,
            Self::Param(item) => item.span,
            Self::Define(item) => item.span,
            Self::Stage(item) => item.span,
            Self::Segment(item) => item.span,
            Self::Portfolio(item) => item.span,
        }
    }
}

/// `valueset name = part { ("+" | "-") part }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Valueset {
    pub(crate) name: Ident,
    pub(crate) parts: Vec<ValuesetPart>,
    pub(crate) span: Span,
}

/// A part of a value set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValuesetPart {
    /// After `-`.
    pub(crate) minus: bool,
    pub(crate) kind: ValuesetPartKind,
    pub(crate) span: Span,
}

/// What a part of a value set consists of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValuesetPartKind {
    /// `SYSTEM { [under] "code", … }`; the opening brace ends at `open`.
    Codes { system: Ident, open: usize, codes: Vec<ValuesetCode> },
    /// `@name`.
    Ref(Ident),
    /// `file "codes.csv"`.
    File(Text),
}

/// A code in a value set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValuesetCode {
    pub(crate) under: bool,
    pub(crate) code: Text,
    pub(crate) span: Span,
}

/// `param name: type [= value]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Param {
    pub(crate) name: Ident,
    pub(crate) ty: Ident,
    pub(crate) default: Option<Value>,
    pub(crate) span: Span,
}

/// `define name = criteria`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Define {
    pub(crate) name: Ident,
    pub(crate) body: Expr,
    pub(crate) span: Span,
}

/// `stage name [title] = criteria`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub(crate) name: Ident,
    pub(crate) title: Option<Text>,
    pub(crate) body: Expr,
    pub(crate) span: Span,
}

/// `segment name [title] clauses`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) name: Ident,
    pub(crate) title: Option<Text>,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) span: Span,
}

/// `portfolio name [title] = segment { ">" segment }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Portfolio {
    pub(crate) name: Ident,
    pub(crate) title: Option<Text>,
    /// The first that takes a contact has it.
    pub(crate) segments: Vec<Ident>,
    pub(crate) span: Span,
}

/// A clause and where it stands, its keyword included.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clause {
    pub(crate) kind: ClauseKind,
    /// The keyword.
    pub(crate) keyword: Span,
    pub(crate) span: Span,
}

/// What a clause says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClauseKind {
    Purpose(Ident),
    Channel(Ident),
    Where(Expr),
    Exclude(Expr),
    Output(Vec<Ident>),
    Holdout {
        percent: Number,
        seed: Option<Text>,
    },
    /// `limit 500`, `limit 500 by income desc`.
    Limit {
        count: Number,
        by: Option<(OrderBy, Direction)>,
    },
    OnePer(Ident),
    /// `cap 3 per 1 week`.
    Cap {
        count: Number,
        per: Duration,
    },
    Sample {
        percent: Number,
        seed: Text,
    },
    /// `split a 50%, b 50%, holdout 10% seed "text"`.
    Split {
        arms: Vec<Arm>,
        holdout: Option<Number>,
        seed: Text,
    },
    /// Could not be read.
    Bad,
}

/// `name percent%` of a split.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arm {
    pub(crate) name: Ident,
    pub(crate) percent: Number,
}

/// A number as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// An optional `-`, digits, at most one point between digits.
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) kind: ValueKind,
    pub(crate) span: Span,
}

/// What a value is as far as its spelling tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValueKind {
    Text(String),
    Number(String),
    Date(Day),
    /// A bare word: a category, a field, `as_of`, `true`, `false`.
    Word(String),
    /// A word that is a category and nothing else, as the JSON form says it.
    Category(String),
    /// A word that is a field or `as_of` and nothing else, as the JSON form says it.
    Name(String),
    /// `SYSTEM:"code"`, with `under` in front.
    Code {
        system: Ident,
        code: Text,
        under: bool,
    },
    /// `$name`.
    Param(String),
    /// `date + 42 days`: a date, `as_of` or a field, and lengths of time behind it.
    Shifted {
        from: Box<Value>,
        shifts: Vec<Shift>,
    },
    /// A number or parameter with its unit: `1.5 "mg/dL"`.
    Quantity {
        amount: Amount,
        unit: Text,
    },
    /// Could not be read.
    Bad,
}

/// `+ 42 days`, `- 1 month`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    /// After `-`.
    pub(crate) back: bool,
    pub(crate) length: Duration,
}

/// The number of a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    Number(String),
    /// `$name`.
    Param(String),
}

impl Amount {
    /// The number as a value without its unit.
    pub(crate) fn value(&self, span: Span) -> Value {
        let kind = match self {
            Self::Number(text) => ValueKind::Number(text.clone()),
            Self::Param(name) => ValueKind::Param(name.clone()),
        };
        Value { kind, span }
    }
}

/// A length of time as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duration {
    pub(crate) count: u32,
    pub(crate) unit: DurationUnit,
    pub(crate) span: Span,
}
