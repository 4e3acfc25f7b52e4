//! Numbers that are known only to lie between two ends, and what a test says of all that they can be.

use std::cmp::Ordering;

use super::measure::{Bound, Bounds, Constant, Relation};

/// What a reported value says of the number, as it is put out for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is the value.
    Exact,
    /// It is below the value.
    Below,
    /// It is at most the value.
    AtMost,
    /// It is above the value.
    Above,
    /// It is at least the value.
    AtLeast,
    /// Nothing.
    Anything,
}

impl Kind {
    pub(crate) fn number(self) -> i8 {
        match self {
            Self::Exact => 0,
            Self::Below => 1,
            Self::AtMost => 2,
            Self::Above => 3,
            Self::AtLeast => 4,
            Self::Anything => 5,
        }
    }

    pub(crate) fn of_number(number: i8) -> Self {
        match number {
            0 => Self::Exact,
            1 => Self::Below,
            2 => Self::AtMost,
            3 => Self::Above,
            4 => Self::AtLeast,
            _ => Self::Anything,
        }
    }

    /// The lower end of what the number can be.
    pub(crate) fn low(self, value: f64) -> End {
        match self {
            Self::Exact | Self::AtLeast => End { at: value, open: false },
            Self::Above => End { at: value, open: true },
            Self::Below | Self::AtMost | Self::Anything => End { at: f64::NEG_INFINITY, open: true },
        }
    }

    /// The upper end.
    pub(crate) fn high(self, value: f64) -> End {
        match self {
            Self::Exact | Self::AtMost => End { at: value, open: false },
            Self::Below => End { at: value, open: true },
            Self::Above | Self::AtLeast | Self::Anything => End { at: f64::INFINITY, open: true },
        }
    }
}

/// An end; open when it is outside itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) at: f64,
    pub(crate) open: bool,
}

impl End {
    /// How it stands as a lower end: an open one lies above its number.
    pub(crate) fn order_low(self, to: f64) -> Ordering {
        order(self.at.total_cmp(&(to + 0.0)), self.open, Ordering::Greater)
    }

    /// How it stands as an upper end: an open one lies below its number.
    pub(crate) fn order_high(self, to: f64) -> Ordering {
        order(self.at.total_cmp(&(to + 0.0)), self.open, Ordering::Less)
    }
}

/// The order of an end, given that of its number.
pub(crate) fn order(order: Ordering, open: bool, beyond: Ordering) -> Ordering {
    if open && order.is_eq() { beyond } else { order }
}

impl Relation {
    /// Whether it holds certainly, and possibly, of what lies between two ends that stand so to a constant.
    pub(crate) fn judge(self, low: Ordering, high: Ordering) -> (bool, bool) {
        match self {
            Self::Greater => (low.is_gt(), high.is_gt()),
            Self::AtLeast => (low.is_ge(), high.is_ge()),
            Self::Less => (high.is_lt(), low.is_lt()),
            Self::AtMost => (high.is_le(), low.is_le()),
            Self::Equal => (low.is_eq() && high.is_eq(), low.is_le() && high.is_ge()),
            Self::Unequal => {
                let (certain, possible) = Self::Equal.judge(low, high);
                (!possible, !certain)
            }
        }
    }
}

impl Bounds {
    /// Whether they hold certainly, and possibly, of what lies between two ends, given how those stand to a constant.
    pub(crate) fn judge(&self, ends: impl Fn(Constant) -> (Ordering, Ordering)) -> (bool, bool) {
        let mut some = (false, false);
        for Bound(parts) in &self.0 {
            let mut all = (true, true);
            for (relation, constant) in parts {
                let (low, high) = ends(*constant);
                let one = relation.judge(low, high);
                all = (all.0 && one.0, all.1 && one.1);
            }
            some = (some.0 || all.0, some.1 || all.1);
        }
        some
    }
}

/// A truth value from whether something is certain, and possible.
pub(crate) fn truth((certain, possible): (bool, bool)) -> Option<bool> {
    match (certain, possible) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_number_is_everything_below_it() {
        let judge = |kind: Kind, relation: Relation, to: f64| {
            let bounds = Bounds(vec![Bound(vec![(relation, Constant::Real(to.to_bits()))])]);
            truth(bounds.judge(|_| (kind.low(5.7).order_low(to), kind.high(5.7).order_high(to))))
        };
        assert_eq!(judge(Kind::Below, Relation::Less, 5.7), Some(true));
        assert_eq!(judge(Kind::Below, Relation::Less, 5.6), None);
        assert_eq!(judge(Kind::Below, Relation::Equal, 5.7), Some(false));
        assert_eq!(judge(Kind::AtMost, Relation::Equal, 5.7), None);
        assert_eq!(judge(Kind::AtMost, Relation::Greater, 5.7), Some(false));
        assert_eq!(judge(Kind::Above, Relation::Unequal, 5.7), Some(true));
        assert_eq!(judge(Kind::AtLeast, Relation::AtLeast, 5.7), Some(true));
        assert_eq!(judge(Kind::Exact, Relation::Equal, 5.7), Some(true));
        for relation in [Relation::Equal, Relation::Unequal, Relation::Less, Relation::AtLeast] {
            assert_eq!(judge(Kind::Anything, relation, 1.0), None);
        }
        for number in 0..6 {
            assert_eq!(Kind::of_number(number).number(), number);
        }
    }
}
