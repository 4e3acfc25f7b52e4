//! Kleene's three truth values.

use serde::{Deserialize, Serialize};

use crate::segment::{Cmp, Logic, Quantity};

/// What a test says of a contact or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// What is known does not decide it.
    Unknown,
}

impl Truth {
    /// TRUE or FALSE.
    #[must_use]
    pub fn of(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }

    /// TRUE, FALSE, or UNKNOWN for what could not be decided.
    #[must_use]
    pub fn known(truth: Option<bool>) -> Self {
        truth.map_or(Self::Unknown, Self::of)
    }

    /// Only TRUE selects.
    #[must_use]
    pub fn is_true(self) -> bool {
        self == Self::True
    }

    /// FALSE when one is, TRUE when both are.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
        }
    }

    /// TRUE when one is, FALSE when both are.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
        }
    }

    /// What is left of it when those are taken out for whom the other is TRUE: FALSE for them, else as it was.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        if other.is_true() { Self::False } else { self }
    }

    /// Swaps TRUE and FALSE.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// The value of a tree whose leaves have values. Every leaf is asked, also where the answer is already clear.
pub(super) fn logic<L>(tree: &Logic<L>, leaf: &impl Fn(&L) -> Truth) -> Truth {
    match tree {
        Logic::True => Truth::True,
        Logic::False => Truth::False,
        Logic::And(parts) => parts.iter().fold(Truth::True, |sofar, part| sofar.and(logic(part, leaf))),
        Logic::Or(parts) => parts.iter().fold(Truth::False, |sofar, part| sofar.or(logic(part, leaf))),
        Logic::Of { quantity, number, parts } => {
            let parts: Vec<Truth> = parts.iter().map(|part| logic(part, leaf)).collect();
            number_of(*quantity, *number, &parts)
        }
        Logic::Not(inner) => logic(inner, leaf).negate(),
        Logic::Leaf(test) => leaf(test),
    }
}

/// Whether as many parts are TRUE as are asked for, whatever the UNKNOWN ones turn out to be.
pub(super) fn number_of(quantity: Quantity, number: u32, parts: &[Truth]) -> Truth {
    let how_many = |truth| parts.iter().filter(|part| **part == truth).count();
    let (least, most) = (how_many(Truth::True), how_many(Truth::True) + how_many(Truth::Unknown));
    let wanted = usize::try_from(number).unwrap_or(usize::MAX);
    let (always, never) = match quantity {
        Quantity::AtLeast => (least >= wanted, most < wanted),
        Quantity::AtMost => (most <= wanted, least > wanted),
        Quantity::Exactly => (least == wanted && most == wanted, most < wanted || least > wanted),
    };
    if always { Truth::True } else { Truth::known(never.then_some(false)) }
}

/// A comparison of two values that have an order.
pub(super) fn compare<T: PartialOrd>(left: T, cmp: Cmp, right: T) -> Truth {
    Truth::of(match cmp {
        Cmp::Eq => left == right,
        Cmp::Ne => left != right,
        Cmp::Lt => left < right,
        Cmp::Le => left <= right,
        Cmp::Gt => left > right,
        Cmp::Ge => left >= right,
    })
}
