//! Packed dates that can be several days: `date_test(date)` against fixed days, `date_between(date, low, high)` against days
//! of each contact's own, `date_order(left, right)` against each other, `known_day(date)`.
//!
//! ```text
//! in:   1950-06-15           1950-06              1950
//!       before 1950-06-10    before 1950-07-01    before 1950-07-01
//! out:  FALSE                TRUE                 UNKNOWN
//! ```
//!
//! A test is TRUE or FALSE when it is so for every day that the date can be. Batches in which every date is fully known, as
//! most are, are compared as a whole.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, Int32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::{eq, gt, gt_eq, lt, lt_eq, neq};
use arrow::datatypes::{DataType, Int32Type};
use chrono::NaiveDate;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    binary_expr, lit,
};
use hyperseg_dsl::value::{days_since_epoch, unpack_date_range};
use hyperseg_storage::bits::{packed, packed_by};

use crate::plan::ops::measure::Relation;

/// With more ranges than this, looking up the one that matters is quicker than comparing with each.
const COMPARED_MAX: usize = 8;

/// First and last day that a packed date can be, as days since 1970-01-01; `None` for what is no date.
pub(crate) fn days_of(packed: i32) -> Option<(i32, i32)> {
    if packed & 3 == 0 {
        return Some((packed >> 2, packed >> 2));
    }
    let range = unpack_date_range(packed)?;
    Some((days_since_epoch(range.first), days_since_epoch(range.last)))
}

/// Some of the dates may be known only to the month or year. What lies under a null counts, too.
pub(super) fn any_partial(dates: &Int32Array) -> bool {
    dates.values().iter().fold(0, |seen, packed| seen | packed) & 3 != 0
}

/// Bits to change some of.
pub(super) fn builder(bits: &BooleanBuffer) -> BooleanBufferBuilder {
    let mut builder = BooleanBufferBuilder::new(bits.len());
    builder.append_buffer(bits);
    builder
}

/// What all of some answers say; `None` where they differ.
pub(super) fn agreed<T: PartialEq>(mut answers: impl Iterator<Item = T>) -> Option<T> {
    let first = answers.next()?;
    answers.all(|other| other == first).then_some(first)
}

/// Whether a date is known to the day, as an expression; null when it is missing.
pub(crate) fn is_full(date: Expr) -> Expr {
    binary_expr(date, Operator::BitwiseAnd, lit(3_i32)).eq(lit(0_i32))
}

/// Days since 1970-01-01 as ranges, both ends included; they ascend and do not touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DayRanges(Vec<(i32, i32)>);

impl DayRanges {
    /// From one day to another; without end where none is given, empty where the second lies before the first.
    pub(crate) fn between(low: Option<NaiveDate>, high: Option<NaiveDate>) -> Self {
        let (low, high) = (low.map_or(i32::MIN, days_since_epoch), high.map_or(i32::MAX, days_since_epoch));
        Self(if low <= high { vec![(low, high)] } else { Vec::new() })
    }

    /// These days.
    pub(crate) fn of(days: impl Iterator<Item = NaiveDate>) -> Self {
        let mut days: Vec<i32> = days.map(days_since_epoch).collect();
        days.sort_unstable();
        let mut ranges: Vec<(i32, i32)> = Vec::new();
        for day in days {
            match ranges.last_mut() {
                Some((_, last)) if day <= last.saturating_add(1) => *last = day,
                _ => ranges.push((day, day)),
            }
        }
        Self(ranges)
    }

    /// Whether all days between two (included), or none of them, are in a range; `None` where only some are.
    pub(crate) fn judge(&self, first: i32, last: i32) -> Option<bool> {
        let next = self.0.partition_point(|(_, high)| *high < first);
        match self.0.get(next) {
            Some((low, high)) if *low <= first && last <= *high => Some(true),
            Some((low, _)) if *low <= last => None,
            Some(_) | None => Some(false),
        }
    }

    /// The answers for dates that are all fully known.
    fn whole(&self, dates: &Int32Array) -> BooleanArray {
        let answers = if self.0.len() <= COMPARED_MAX {
            let packed_day = |day: &i32| day.saturating_mul(4);
            packed_by(dates.values(), |dates, flags| {
                for (low, high) in &self.0 {
                    let (low, high) = (packed_day(low), packed_day(high));
                    for (flag, date) in flags.iter_mut().zip(dates) {
                        *flag |= u8::from((low <= *date) & (*date <= high));
                    }
                }
            })
        } else {
            packed(dates.values(), |date| self.judge(date >> 2, date >> 2) == Some(true))
        };
        BooleanArray::new(answers, dates.nulls().cloned())
    }
}

/// Whether a date lies in the ranges, as a Boolean expression; null when it is missing, or may lie in them or not.
pub(crate) fn date_test(ranges: DayRanges, date: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(DateTest { signature, ranges }).call(vec![date])
}

/// The function behind [`date_test`], for judging blocks.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct DateTest {
    signature: Signature,
    pub(crate) ranges: DayRanges,
}

impl ScalarUDFImpl for DateTest {
    fn name(&self) -> &str {
        "date_test"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(dates) = arrays.first().and_then(ints) else {
            return internal_err!("date_test takes a date");
        };
        let answers = if any_partial(dates) {
            let judge =
                |packed: i32| days_of(packed).and_then(|(first, last)| self.ranges.judge(first, last));
            dates.iter().map(|date| date.and_then(judge)).collect()
        } else {
            self.ranges.whole(dates)
        };
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

/// Whether a date lies between two days, both included and given as days since 1970-01-01, as a Boolean expression; null when
/// one of the three is missing, or the date may lie between them or not.
pub(crate) fn date_between(date: Expr, low: Option<Expr>, high: Option<Expr>) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    let (has_low, has_high) = (low.is_some(), high.is_some());
    let arguments = std::iter::once(date).chain(low).chain(high).collect();
    ScalarUDF::from(DateBetween { signature, has_low, has_high }).call(arguments)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateBetween {
    signature: Signature,
    has_low: bool,
    has_high: bool,
}

impl ScalarUDFImpl for DateBetween {
    fn name(&self) -> &str {
        "date_between"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let columns: Option<Vec<&Int32Array>> = arrays.iter().map(ints).collect();
        let Some((dates, ends)) = columns.as_deref().and_then(<[_]>::split_first) else {
            return internal_err!("date_between takes a date and days");
        };
        let (low, high) = bounds_of(ends, self.has_low, self.has_high);
        let answers = dates.iter().enumerate().map(|(row, date)| {
            let (low, high) = (low.at(row)?, high.at(row)?);
            let (first, last) = days_of(date?)?;
            within((first, last), (low, high))
        });
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}

/// One end of a range of days for each row.
pub(super) enum Bound<'a> {
    /// None, whatever the row.
    Open(i32),
    /// A day for each row.
    Days(&'a Int32Array),
}

impl Bound<'_> {
    /// The end in a row; `None` when it is missing.
    pub(super) fn at(&self, row: usize) -> Option<i32> {
        match self {
            Self::Open(day) => Some(*day),
            Self::Days(days) => days.is_valid(row).then(|| days.value(row)),
        }
    }
}

/// The ends among the arguments that are there.
pub(super) fn bounds_of<'a>(
    ends: &[&'a Int32Array],
    has_low: bool,
    has_high: bool,
) -> (Bound<'a>, Bound<'a>) {
    let mut ends = ends.iter();
    let mut next = |there: bool, open: i32| match there.then(|| ends.next()).flatten() {
        Some(days) => Bound::Days(days),
        None => Bound::Open(open),
    };
    (next(has_low, i32::MIN), next(has_high, i32::MAX))
}

/// Whether all days of one range, or none of them, lie in another; `None` where only some do.
pub(super) fn within((first, last): (i32, i32), (low, high): (i32, i32)) -> Option<bool> {
    if low <= first && last <= high {
        Some(true)
    } else if high < low || last < low || high < first {
        Some(false)
    } else {
        None
    }
}

/// One side of a comparison of dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// A packed date.
    Date,
    /// Days since 1970-01-01.
    Day,
}

/// A date against another one, or against a day, as a Boolean expression; null when one is missing, or it depends on what
/// days they are.
pub(crate) fn date_order(relation: Relation, left: (Side, Expr), right: (Side, Expr)) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    let sides = (left.0, right.0);
    ScalarUDF::from(DateOrder { signature, relation, sides }).call(vec![left.1, right.1])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateOrder {
    signature: Signature,
    relation: Relation,
    sides: (Side, Side),
}

impl DateOrder {
    /// Where every day is known.
    fn whole(&self, left: &Int32Array, right: &Int32Array) -> Result<BooleanArray> {
        let days = |side, values: &Int32Array| match side {
            Side::Date => values.unary::<_, Int32Type>(|packed| packed >> 2),
            Side::Day => values.clone(),
        };
        let (left, right) = match self.sides {
            (one, other) if one == other => (left.clone(), right.clone()),
            (one, other) => (days(one, left), days(other, right)),
        };
        Ok(match self.relation {
            Relation::Equal => eq(&left, &right)?,
            Relation::Unequal => neq(&left, &right)?,
            Relation::Less => lt(&left, &right)?,
            Relation::AtMost => lt_eq(&left, &right)?,
            Relation::Greater => gt(&left, &right)?,
            Relation::AtLeast => gt_eq(&left, &right)?,
        })
    }
}

impl ScalarUDFImpl for DateOrder {
    fn name(&self) -> &str {
        "date_order"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = arrays.as_slice() else { return internal_err!("date_order takes two dates") };
        let (Some(left), Some(right)) = (ints(left), ints(right)) else {
            return internal_err!("date_order takes two dates");
        };
        let partial = |side, dates| side == Side::Date && any_partial(dates);
        if !partial(self.sides.0, left) && !partial(self.sides.1, right) {
            return Ok(ColumnarValue::Array(Arc::new(self.whole(left, right)?)));
        }
        let days = |side, value: i32| match side {
            Side::Date => days_of(value),
            Side::Day => Some((value, value)),
        };
        let answers = left.iter().zip(right).map(|(left, right)| {
            ordered(self.relation, days(self.sides.0, left?)?, days(self.sides.1, right?)?)
        });
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}

/// The comparison of every day of one range with every day of another; `None` where they differ.
fn ordered(relation: Relation, left: (i32, i32), right: (i32, i32)) -> Option<bool> {
    let known = |truth: bool, falsehood: bool| if truth { Some(true) } else { falsehood.then_some(false) };
    match relation {
        Relation::Less => known(left.1 < right.0, left.0 >= right.1),
        Relation::AtMost => known(left.1 <= right.0, left.0 > right.1),
        Relation::Greater => ordered(Relation::Less, right, left),
        Relation::AtLeast => ordered(Relation::AtMost, right, left),
        Relation::Equal => {
            known(left.0 == right.1 && left.1 == right.0, left.1 < right.0 || right.1 < left.0)
        }
        Relation::Unequal => ordered(Relation::Equal, left, right).map(|same| !same),
    }
}

/// The day of a packed date as days since 1970-01-01; null when it is missing, or not known to the day.
pub(crate) fn known_day(date: Expr) -> Expr {
    ScalarUDF::from(KnownDay { signature: Signature::any(1, Volatility::Immutable) }).call(vec![date])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct KnownDay {
    signature: Signature,
}

impl ScalarUDFImpl for KnownDay {
    fn name(&self) -> &str {
        "known_day"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(dates) = arrays.first().and_then(ints) else {
            return internal_err!("known_day takes a date");
        };
        let days = if any_partial(dates) {
            let known = |packed: &i32| packed & 3 == 0;
            dates.iter().map(|date| date.filter(known).map(|packed| packed >> 2)).collect()
        } else {
            dates.unary::<_, Int32Type>(|packed| packed >> 2)
        };
        Ok(ColumnarValue::Array(Arc::new(days)))
    }
}

/// An array of dates or days.
pub(super) fn ints(array: &ArrayRef) -> Option<&Int32Array> {
    array.as_any().downcast_ref()
}
