//! The operators over sets of contacts, one file each.

pub(crate) mod consent;
pub(crate) mod cover;
pub(crate) mod criteria;
mod days;
pub(crate) mod distinct;
pub(crate) mod extreme;
pub(crate) mod extreme_day;
pub(crate) mod field_set;
pub(crate) mod gate;
pub(crate) mod held;
pub(crate) mod household;
pub(crate) mod interval;
pub(crate) mod logic;
pub(crate) mod measure;
pub(crate) mod narrow;
mod number_of;
mod per_contact;
pub(crate) mod placed;
pub(crate) mod rank;
pub(crate) mod record_set;
pub(crate) mod sequence;
pub(crate) mod share;
pub(crate) mod stages;
pub(crate) mod tails;
pub(crate) mod taken;
pub(crate) mod unobserved;
mod where_known;
mod without;

use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;

use hyperseg_dsl::segment::Aggregate;

use self::consent::Consent;
use self::cover::{Cover, Covered};
use self::distinct::Sameness;
use self::extreme::Extreme;
use self::measure::Bounds;
use self::placed::Placed;
use self::record_set::CountTest;
use self::sequence::Chain;
use self::share::ShareTest;
use self::unobserved::Unobserved;
use super::exec::SetOperator;
use crate::functions::NumberOf;
use crate::report::Reason;

/// What a logical node does; the physical operator is made from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// A predicate over contact columns. Expressions: the predicate.
    FieldSet,
    /// Some selected record exists. Expressions: the filter.
    HasRecord,
    /// The number of selected records. Expressions: the filter.
    CountRecords(CountTest),
    /// The number of different values or days. Expressions: the filter, the value.
    CountDistinct(Sameness, CountTest),
    /// A number made of values. Expressions: the filter, the value, what it says of the number.
    Measure(Aggregate, Bounds),
    /// The latest or earliest selected record. Expressions: the filter, the test.
    ExtremeRecord(Extreme),
    /// The day of the latest (else of the earliest) selected record is in a window. Expressions: the filter, whether a
    /// record is beyond the window, whether it is inside.
    ExtremeDay {
        /// The latest.
        latest: bool,
    },
    /// The share of selected records that satisfy a test. Expressions: the filter, the test.
    ShareOfRecords(ShareTest),
    /// The record of a place. Expressions: the filter, the test; or the value, and what it says of the number.
    PlacedRecord(Placed),
    /// The days on which selected records last. Inputs: the scan, and the days of each contact where they depend on it. Expressions: the filter, the end, the days of supply, whether it is over.
    DaysCovered(Cover),
    /// Some selected change of a contact field exists. Expressions: the filter.
    HasChange,
    /// What a contact field that has changed held in a stretch of time. Expressions: the filter, whether the old value is the one
    /// asked for, whether the new one is.
    Held(held::Span),
    /// Who was not under observation. Inputs: rows of coverage, rows of each kind that shows that a contact was seen, and the
    /// days of each contact where they depend on it.
    NotObserved(Unobserved),
    /// Where contacts stand among others. Inputs: amounts, and who competes.
    Rank(rank::Place),
    /// Records that follow each other. Inputs: rows, for each record of the chain.
    RecordChain(Chain),
    /// Consent forbids. Expressions: the filter.
    ConsentBlocks(Consent),
    /// Kleene's and of two inputs, the second of which is asked about those that the first leaves.
    Narrow,
    /// The first input, UNKNOWN where the second is not TRUE.
    WhereKnown,
    /// Kleene's and of the inputs.
    And,
    /// Kleene's or of the inputs.
    Or,
    /// So many of the inputs.
    NumberOf(NumberOf),
    /// Kleene's not of the input.
    Not,
    /// The first input without those for whom one of the others is TRUE.
    Without,
    /// The first input, counted by the others, which are stages in their order.
    ByStage,
    /// The answers of all members of a household, joined. Inputs: the criteria, rows.
    Household {
        /// They hold for all of them, rather than for any.
        all: bool,
    },
    /// Whom the segment at this place of the portfolio has taken. Without inputs.
    Taken(usize),
    /// Everyone or nobody.
    Constant(bool),
    /// The top-level criteria: and, with a count after each.
    Criteria {
        /// Nothing more is read once nobody is left.
        stops: bool,
        /// Each is asked about those whom the others leave, in the order that reads least.
        narrows: bool,
        /// The last input is no criterion: it says who is placed by the ZIP, to be counted among those who are left.
        placed: bool,
    },
    /// The first input without the others, which are the gates in order.
    Gate(Vec<Reason>),
    /// The first input as far as the list takes it. Inputs: the gate, amounts, scans.
    Tails(tails::Asked),
}

impl Operation {
    /// Name in EXPLAIN.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::FieldSet => "FieldSet",
            Self::HasRecord => "HasRecord",
            Self::CountRecords(_) => "CountRecords",
            Self::CountDistinct(..) => "CountDistinct",
            Self::Measure(..) => "Measure",
            Self::ExtremeRecord(extreme) => extreme.name(),
            Self::ExtremeDay { latest: true } => "LatestDay",
            Self::ExtremeDay { latest: false } => "EarliestDay",
            Self::ShareOfRecords(_) => "ShareOfRecords",
            Self::PlacedRecord(_) => "PlacedRecord",
            Self::DaysCovered(_) => "DaysCovered",
            Self::HasChange => "HasChange",
            Self::Held(_) => "Held",
            Self::NotObserved(_) => "NotObserved",
            Self::RecordChain(_) => "RecordChain",
            Self::ConsentBlocks(_) => "ConsentBlocks",
            Self::Narrow => "Narrow",
            Self::WhereKnown => "WhereKnown",
            Self::And => "And",
            Self::Or => "Or",
            Self::NumberOf(_) => "NumberOf",
            Self::Not => "Not",
            Self::Without => "Without",
            Self::Household { all: true } => "AllOfHousehold",
            Self::Household { all: false } => "AnyOfHousehold",
            Self::ByStage => "ByStage",
            Self::Taken(_) => "Taken",
            Self::Constant(_) => "Constant",
            Self::Criteria { .. } => "Criteria",
            Self::Gate(_) => "Gate",
            Self::Tails(_) => "Tails",
            Self::Rank(_) => "Rank",
        }
    }

    /// Columns of selected rows that a leaf reads, beside those of its expressions; none for operators over sets, and for the
    /// leaf over contact fields, which gets answers instead of rows.
    pub(crate) fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::FieldSet => &[],
            Self::HasRecord
            | Self::CountRecords(_)
            | Self::CountDistinct(..)
            | Self::Measure(..)
            | Self::ExtremeDay { .. }
            | Self::HasChange
            | Self::ShareOfRecords(_) => &["ord"],
            Self::Held(_) => &["ord", "changed_at"],
            Self::ExtremeRecord(_) | Self::PlacedRecord(_) => &["ord", "at", "recorded_at"],
            Self::DaysCovered(_) => &["ord", "at"],
            Self::ConsentBlocks(_) => &["ord", "at", "decision", "end"],
            Self::RecordChain(_)
            | Self::NotObserved(_)
            | Self::Narrow
            | Self::WhereKnown
            | Self::And
            | Self::Or
            | Self::NumberOf(_)
            | Self::Not
            | Self::Without
            | Self::Household { .. }
            | Self::ByStage
            | Self::Taken(_)
            | Self::Constant(_)
            | Self::Criteria { .. }
            | Self::Gate(_)
            | Self::Rank(_)
            | Self::Tails(_) => &[],
        }
    }

    /// Whether it is a leaf with rows as inputs, rather than one scan.
    pub(crate) fn reads_rows(&self) -> bool {
        matches!(self, Self::RecordChain(_) | Self::NotObserved(_))
    }

    /// Whether days of each contact come in behind its scan.
    pub(crate) fn asks_for_ends(&self) -> bool {
        matches!(self, Self::DaysCovered(Cover { asked: Covered::ShareOfContact { .. }, .. }))
    }

    /// Whether it reads records or contacts, rather than sets.
    pub(crate) fn is_leaf(&self) -> bool {
        match self {
            Self::FieldSet
            | Self::HasRecord
            | Self::CountRecords(_)
            | Self::CountDistinct(..)
            | Self::Measure(..)
            | Self::ExtremeRecord(_)
            | Self::ExtremeDay { .. }
            | Self::ShareOfRecords(_)
            | Self::RecordChain(_)
            | Self::PlacedRecord(_)
            | Self::DaysCovered(_)
            | Self::HasChange
            | Self::Held(_)
            | Self::NotObserved(_)
            | Self::ConsentBlocks(_) => true,
            Self::Narrow
            | Self::WhereKnown
            | Self::And
            | Self::Or
            | Self::NumberOf(_)
            | Self::Not
            | Self::Without
            | Self::Household { .. }
            | Self::ByStage
            | Self::Taken(_)
            | Self::Constant(_)
            | Self::Criteria { .. }
            | Self::Gate(_)
            | Self::Rank(_)
            | Self::Tails(_) => false,
        }
    }

    /// Whether the scan answers the expressions behind the filter, rather than the leaf: Boolean ones, most of which are
    /// known for whole blocks.
    pub(crate) fn asks_the_scan(&self) -> bool {
        matches!(self, Self::ExtremeDay { .. })
    }

    /// The operator that does it; `asked` are the expressions that a leaf evaluates over the rows it gets.
    pub(crate) fn operator(&self, asked: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn SetOperator>> {
        if let Self::PlacedRecord(placed) = self {
            return Ok(Arc::new(placed::PlacedRecord { placed: placed.clone(), asked }));
        }
        if let Self::DaysCovered(cover) = self {
            return Ok(Arc::new(cover::DaysCovered { cover: cover.clone(), asked }));
        }
        if let Self::Held(span) = self {
            return Ok(Arc::new(held::Held { span: *span, asked }));
        }
        let mut asked = asked.into_iter();
        let first = asked.next();
        let second = asked.next();
        if let (Self::Measure(function, bounds), Some(value)) = (self, &first) {
            let (function, bounds, value) = (*function, bounds.clone(), Arc::clone(value));
            return Ok(Arc::new(measure::Measure { function, value, kind: second, bounds }));
        }
        let operator: Arc<dyn SetOperator> = match (self, first) {
            (Self::FieldSet, None) => Arc::new(field_set::FieldSet),
            (Self::HasRecord, None) => Arc::new(record_set::HasRecord),
            (Self::HasChange, None) => Arc::new(held::HasChange),
            (Self::CountRecords(test), None) => Arc::new(record_set::CountRecords { test: test.clone() }),
            (Self::CountDistinct(same, test), Some(value)) => {
                Arc::new(distinct::CountDistinct { value, same: *same, test: test.clone() })
            }
            (Self::ExtremeRecord(extreme), Some(test)) => {
                Arc::new(extreme::ExtremeRecord { test, extreme: *extreme })
            }
            (Self::ExtremeDay { latest }, None) => Arc::new(extreme_day::ExtremeDay { latest: *latest }),
            (Self::ShareOfRecords(asked), Some(test)) => {
                Arc::new(share::ShareOfRecords { test, asked: *asked })
            }
            (Self::NotObserved(days), None) => Arc::new(unobserved::NotObserved { days: *days }),
            (Self::ConsentBlocks(consent), None) => Arc::new(consent::ConsentBlocks { consent: *consent }),
            (Self::WhereKnown, None) => Arc::new(where_known::WhereKnown),
            (Self::And, None) => Arc::new(logic::Logic::And),
            (Self::Or, None) => Arc::new(logic::Logic::Or),
            (Self::NumberOf(number), None) => Arc::new(number_of::CountSets { number: *number }),
            (Self::Not, None) => Arc::new(logic::Logic::Not),
            (Self::ByStage, None) => Arc::new(stages::ByStage),
            (Self::Household { all }, None) => Arc::new(household::Household::new(*all)),
            (Self::Without, None) => Arc::new(without::Without),
            (Self::Constant(value), None) => Arc::new(logic::Logic::Constant(*value)),
            (Self::Rank(place), None) => Arc::new(rank::Rank::new(*place)),
            (Self::Tails(asked), None) => Arc::new(tails::Tails::new(asked.clone())),
            (Self::Criteria { stops, placed, narrows: false }, None) => {
                Arc::new(criteria::Criteria { stops: *stops, placed: *placed, narrowing: None })
            }
            (operation, _) => return internal_err!("{} with other expressions", operation.name()),
        };
        Ok(operator)
    }
}

/// The one input of a leaf.
fn single(inputs: Vec<SendableRecordBatchStream>) -> Result<SendableRecordBatchStream> {
    let mut inputs = inputs.into_iter();
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        _ => internal_err!("a leaf has one input"),
    }
}
