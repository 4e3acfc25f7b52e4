//! The operators over sets of contacts, one file each.

pub(crate) mod consent;
pub(crate) mod criteria;
pub(crate) mod extreme;
pub(crate) mod field_set;
pub(crate) mod gate;
pub(crate) mod logic;
pub(crate) mod record_set;

use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;

use self::consent::Consent;
use self::extreme::Extreme;
use self::record_set::CountTest;
use super::exec::SetOperator;
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
    /// The latest or earliest selected record. Expressions: the filter, the test.
    ExtremeRecord(Extreme),
    /// Consent forbids. Expressions: the filter.
    ConsentBlocks(Consent),
    /// Kleene's and of the inputs.
    And,
    /// Kleene's or of the inputs.
    Or,
    /// Kleene's not of the input.
    Not,
    /// Everyone or nobody.
    Constant(bool),
    /// The top-level criteria: and, with a count after each.
    Criteria,
    /// The first input without the others, which are the gates in order.
    Gate(Vec<Reason>),
}

impl Operation {
    /// Name in EXPLAIN.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::FieldSet => "FieldSet",
            Self::HasRecord => "HasRecord",
            Self::CountRecords(_) => "CountRecords",
            Self::ExtremeRecord(extreme) => extreme.name(),
            Self::ConsentBlocks(_) => "ConsentBlocks",
            Self::And => "And",
            Self::Or => "Or",
            Self::Not => "Not",
            Self::Constant(_) => "Constant",
            Self::Criteria => "Criteria",
            Self::Gate(_) => "Gate",
        }
    }

    /// Columns of the input that the operator reads beside those of its expressions; none for operators over sets.
    pub(crate) fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::FieldSet | Self::HasRecord | Self::CountRecords(_) => &["ord"],
            Self::ExtremeRecord(_) => &["ord", "at", "recorded_at"],
            Self::ConsentBlocks(_) => &["ord", "at", "decision", "scope", "end"],
            Self::And | Self::Or | Self::Not | Self::Constant(_) | Self::Criteria | Self::Gate(_) => &[],
        }
    }

    /// The operator that does it.
    pub(crate) fn operator(&self, exprs: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn SetOperator>> {
        let mut exprs = exprs.into_iter();
        let operator: Arc<dyn SetOperator> = match (self, exprs.next(), exprs.next()) {
            (Self::FieldSet, Some(predicate), None) => Arc::new(field_set::FieldSet { predicate }),
            (Self::HasRecord, Some(filter), None) => Arc::new(record_set::HasRecord { filter }),
            (Self::CountRecords(test), Some(filter), None) => {
                Arc::new(record_set::CountRecords { filter, test: test.clone() })
            }
            (Self::ExtremeRecord(extreme), Some(filter), Some(test)) => {
                Arc::new(extreme::ExtremeRecord { filter, test, extreme: *extreme })
            }
            (Self::ConsentBlocks(consent), Some(filter), None) => {
                Arc::new(consent::ConsentBlocks { filter, consent: *consent })
            }
            (Self::And, None, None) => Arc::new(logic::Logic::And),
            (Self::Or, None, None) => Arc::new(logic::Logic::Or),
            (Self::Not, None, None) => Arc::new(logic::Logic::Not),
            (Self::Constant(value), None, None) => Arc::new(logic::Logic::Constant(*value)),
            (Self::Criteria, None, None) => Arc::new(criteria::Criteria),
            (Self::Gate(reasons), None, None) => Arc::new(gate::Gate { reasons: reasons.clone() }),
            (operation, _, _) => return internal_err!("{} with other expressions", operation.name()),
        };
        Ok(operator)
    }
}
