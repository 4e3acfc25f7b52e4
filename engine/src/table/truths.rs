//! Sets of truth values: what a test can be for the rows of a block.

/// A set of truth values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcomes(u8);

impl Outcomes {
    /// TRUE for every row.
    pub(crate) const TRUE: Self = Self(1);
    /// FALSE for every row.
    pub(crate) const FALSE: Self = Self(2);
    /// UNKNOWN for every row.
    pub(crate) const UNKNOWN: Self = Self(4);
    pub(super) const ALL: Self = Self(7);

    pub(super) fn of(can_be_true: bool, can_be_false: bool, can_be_unknown: bool) -> Self {
        Self(u8::from(can_be_true) | u8::from(can_be_false) << 1 | u8::from(can_be_unknown) << 2)
    }

    /// And TRUE.
    pub(super) fn with_true(self) -> Self {
        Self(self.0 | 1)
    }

    /// Some row may be TRUE.
    pub(crate) fn can_be_true(self) -> bool {
        self.0 & 1 != 0
    }

    /// Some row may be FALSE.
    pub(crate) fn can_be_false(self) -> bool {
        self.0 & 2 != 0
    }

    /// Some row may be UNKNOWN.
    pub(crate) fn can_be_unknown(self) -> bool {
        self.0 & 4 != 0
    }

    /// Of Kleene's and.
    pub(crate) fn and(self, other: Self) -> Self {
        let unknown = self.can_be_unknown() && (other.can_be_unknown() || other.can_be_true())
            || other.can_be_unknown() && self.can_be_true();
        Self::of(
            self.can_be_true() && other.can_be_true(),
            self.can_be_false() || other.can_be_false(),
            unknown,
        )
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    pub(super) fn not(self) -> Self {
        Self::of(self.can_be_false(), self.can_be_true(), self.can_be_unknown())
    }
}
