//! What a test can be for the rows of a block, judged by the page directory alone.
//!
//! ```text
//! block: at 5 … 9, none missing        at >= 3  → TRUE          rows are taken without reading `at`
//!                                      at >= 12 → FALSE         the block is ruled out
//!                                      at >= 7  → TRUE, FALSE   the block has to be read
//! ```
//!
//! Outcomes are never too few: a test that cannot be judged has all three. Parts are judged one by one, so that
//! together they may seem possible where they are not; that costs a read and nothing else.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use hyperseg_dsl::value::{day_from_epoch, days_since_epoch};
use hyperseg_storage::file::{Block, Bounds};

pub(crate) use super::truths::Outcomes;
use crate::functions::{DateTest, DayRanges, Degrees, Texts, as_among, as_box};

/// A test in a form that can be judged quickly.
#[derive(Debug)]
pub(crate) enum Test {
    And(Box<[Test; 2]>),
    Or(Box<[Test; 2]>),
    Not(Box<Test>),
    Compare {
        column: String,
        operator: Operator,
        constant: Constant,
    },
    /// One of these, which ascend.
    In {
        column: String,
        constants: Vec<Constant>,
        negated: bool,
    },
    /// One of these texts.
    Among {
        column: String,
        texts: Texts,
    },
    IsNull {
        column: String,
    },
    /// The column is missing, or a test of nothing but this column holds. By themselves, the two would seem to allow
    /// that a missing value is tested.
    IsNullOr {
        column: String,
        test: Box<Test>,
    },
    /// The two lowest bits are this number.
    Precision {
        column: String,
        number: u8,
    },
    /// A date lies in some ranges of days.
    Date {
        column: String,
        ranges: DayRanges,
    },
    /// Each column lies between two degrees, or the test is not TRUE; it is UNKNOWN where one is missing.
    Inside {
        sides: Vec<(String, (f64, f64))>,
    },
    /// A Boolean column.
    Flag {
        column: String,
    },
    Constant(Outcomes),
    /// Cannot be judged.
    Opaque,
}

/// What columns are compared with.
#[derive(Clone, Debug)]
pub(crate) enum Constant {
    Int(i64),
    Float(f64),
    Text(String),
}

impl Constant {
    fn of(value: &ScalarValue) -> Option<Self> {
        Some(match value {
            ScalarValue::Boolean(Some(flag)) => Self::Int((*flag).into()),
            ScalarValue::Int16(Some(int)) => Self::Int((*int).into()),
            ScalarValue::Int32(Some(int)) => Self::Int((*int).into()),
            ScalarValue::UInt32(Some(int)) => Self::Int((*int).into()),
            ScalarValue::Int64(Some(int)) => Self::Int(*int),
            ScalarValue::Float64(Some(float)) if float.is_finite() => Self::Float(*float),
            ScalarValue::Utf8(Some(text)) => Self::Text(text.clone()),
            _ => return None,
        })
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        // Whole numbers beyond 2^53 are rounded when they meet a fraction, as the cast of a column is.
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Float(b)) => (*a as f64).partial_cmp(b),
            (Self::Float(a), Self::Int(b)) => a.partial_cmp(&(*b as f64)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Text(_), Self::Int(_) | Self::Float(_))
            | (Self::Int(_) | Self::Float(_), Self::Text(_)) => None,
        }
    }
}

impl Test {
    /// The form of an expression.
    pub(crate) fn of(expr: &Arc<dyn PhysicalExpr>) -> Self {
        Self::try_of(expr).unwrap_or(Self::Opaque)
    }

    fn or(left: Self, right: Self) -> Self {
        match (left, right) {
            (Self::IsNull { column }, test) | (test, Self::IsNull { column }) if test.is_only_of(&column) => {
                Self::IsNullOr { column, test: Box::new(test) }
            }
            (left, right) => Self::Or(Box::new([left, right])),
        }
    }

    /// Whether it reads this column and no other.
    fn is_only_of(&self, name: &str) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().all(|part| part.is_only_of(name)),
            Self::Not(inner) => inner.is_only_of(name),
            Self::IsNullOr { column, test } => column == name && test.is_only_of(name),
            Self::Compare { column, .. }
            | Self::In { column, .. }
            | Self::Among { column, .. }
            | Self::IsNull { column }
            | Self::Precision { column, .. }
            | Self::Date { column, .. }
            | Self::Flag { column } => column == name,
            Self::Constant(_) => true,
            Self::Inside { .. } | Self::Opaque => false,
        }
    }

    fn try_of(expr: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
            let pair = || Box::new([Self::of(binary.left()), Self::of(binary.right())]);
            return match binary.op() {
                Operator::And => Some(Self::And(pair())),
                Operator::Or => Some(Self::or(Self::of(binary.left()), Self::of(binary.right()))),
                operator => comparison(binary.left(), *operator, binary.right())
                    .or_else(|| comparison(binary.right(), operator.swap()?, binary.left())),
            };
        }
        if let Some(not) = expr.downcast_ref::<NotExpr>() {
            return Some(Self::Not(Box::new(Self::of(not.arg()))));
        }
        if let Some(null) = expr.downcast_ref::<IsNullExpr>() {
            return Some(Self::IsNull { column: column(null.arg())? });
        }
        if let Some(known) = expr.downcast_ref::<IsNotNullExpr>() {
            return Some(Self::Not(Box::new(Self::IsNull { column: column(known.arg())? })));
        }
        if let Some(list) = expr.downcast_ref::<InListExpr>() {
            let constants = list.list().iter().map(|item| literal(item).and_then(Constant::of));
            let mut constants = constants.collect::<Option<Vec<_>>>()?;
            constants.sort_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
            return Some(Self::In { column: number(list.expr())?, constants, negated: list.negated() });
        }
        if let Some((texts, tested)) = as_among(expr) {
            return Some(Self::Among { column: column(tested)?, texts: texts.clone() });
        }
        if let Some(sides) = as_box(expr) {
            let side = |(degrees, bounds): &Degrees<'_>| Some((column(degrees)?, *bounds));
            return Some(Self::Inside { sides: sides.iter().map(side).collect::<Option<_>>()? });
        }
        if let Some(function) = expr.downcast_ref::<ScalarFunctionExpr>() {
            let date_test = function.fun().inner().downcast_ref::<DateTest>()?;
            let column = column(function.args().first()?)?;
            return Some(Self::Date { column, ranges: date_test.ranges.clone() });
        }
        if let Some(value) = literal(expr) {
            return match value {
                ScalarValue::Boolean(Some(true)) => Some(Self::Constant(Outcomes::TRUE)),
                ScalarValue::Boolean(Some(false)) => Some(Self::Constant(Outcomes::FALSE)),
                value if value.is_null() => Some(Self::Constant(Outcomes::UNKNOWN)),
                _ => None,
            };
        }
        Some(Self::Flag { column: column(expr)? })
    }

    /// What the test can be for the rows of a block; `block` knows the block in each column.
    pub(crate) fn outcomes<'b>(&self, rows: u32, block: &dyn Fn(&str) -> Option<&'b Block>) -> Outcomes {
        match self {
            Self::And(parts) => {
                let [left, right] = parts.as_ref();
                left.outcomes(rows, block).and(right.outcomes(rows, block))
            }
            Self::Or(parts) => {
                let [left, right] = parts.as_ref();
                left.outcomes(rows, block).or(right.outcomes(rows, block))
            }
            Self::Not(inner) => inner.outcomes(rows, block).not(),
            Self::Constant(outcomes) => *outcomes,
            Self::Opaque => Outcomes::ALL,
            Self::IsNull { column } => match block(column) {
                Some(block) => Outcomes::of(block.missing > 0, block.missing < rows, false),
                None => Outcomes::ALL,
            },
            Self::IsNullOr { column, test } => match block(column) {
                Some(block) if block.missing == rows => Outcomes::TRUE,
                Some(block) => {
                    let present = Block { missing: 0, bounds: block.bounds.clone() };
                    let tested = test.outcomes(rows, &|_: &str| Some(&present));
                    if block.missing > 0 { tested.with_true() } else { tested }
                }
                None => Outcomes::ALL,
            },
            Self::Compare { column, operator, constant } => {
                values(block(column), rows, |low, high| compare(low, high, *operator, constant))
            }
            Self::In { column, constants, negated } => {
                let found = values(block(column), rows, |low, high| contained(low, high, constants));
                if *negated { found.not() } else { found }
            }
            Self::Among { column, texts } => values(block(column), rows, |low, high| match (low, high) {
                (Constant::Text(low), Constant::Text(high)) => Some(texts.contained(low, high)),
                _ => None,
            }),
            Self::Precision { column, number } => match block(column) {
                Some(Block { missing, bounds: Bounds::Int { precisions, .. } }) => {
                    let bit = 1 << number;
                    Outcomes::of(precisions & bit != 0, precisions & !bit != 0, *missing > 0)
                }
                Some(block) if block.missing == rows => Outcomes::UNKNOWN,
                Some(_) | None => Outcomes::ALL,
            },
            Self::Date { column, ranges } => dates(block(column), rows, ranges),
            Self::Inside { sides } => inside(sides, rows, block),
            Self::Flag { column } => {
                values(block(column), rows, |low, high| compare(low, high, Operator::Eq, &Constant::Int(1)))
            }
        }
    }
}

/// Outcomes over the values of a block, and UNKNOWN for those that are missing.
fn values(
    block: Option<&Block>,
    rows: u32,
    judge: impl Fn(&Constant, &Constant) -> Option<(bool, bool)>,
) -> Outcomes {
    let Some(block) = block else { return Outcomes::ALL };
    if block.missing == rows {
        return Outcomes::UNKNOWN;
    }
    let bounds = match &block.bounds {
        Bounds::Unknown => None,
        Bounds::Int { min, max, .. } => Some((Constant::Int(*min), Constant::Int(*max))),
        Bounds::Float { min, max } => Some((Constant::Float(*min), Constant::Float(*max))),
        Bounds::Text { min, max } => Some((Constant::Text(min.clone()), Constant::Text(max.clone()))),
    };
    let judged = bounds.and_then(|(low, high)| judge(&low, &high));
    let (can_be_true, can_be_false) = judged.unwrap_or((true, true));
    Outcomes::of(can_be_true, can_be_false, block.missing > 0)
}

/// Outcomes of a test that is TRUE only where each column lies between its bounds, and UNKNOWN where one is missing.
fn inside<'b>(
    sides: &[(String, (f64, f64))],
    rows: u32,
    block: &dyn Fn(&str) -> Option<&'b Block>,
) -> Outcomes {
    let (mut can_be_true, mut can_be_known, mut can_be_unknown) = (true, true, false);
    for (column, (low, high)) in sides {
        let overlaps = |least: &Constant, most: &Constant| {
            let reaches = least.compare(&Constant::Float(*high))?.is_le();
            Some((reaches && most.compare(&Constant::Float(*low))?.is_ge(), true))
        };
        let side = values(block(column), rows, overlaps);
        can_be_true &= side.can_be_true();
        can_be_known &= side != Outcomes::UNKNOWN;
        can_be_unknown |= side.can_be_unknown();
    }
    Outcomes::of(can_be_true, can_be_known, can_be_unknown)
}

/// Outcomes over the dates of a block. Bounds are those of first days: a month or year reaches beyond the greatest, at most
/// as far as one that starts there, since months and years that start later end later.
fn dates(block: Option<&Block>, rows: u32, ranges: &DayRanges) -> Outcomes {
    let Some(block) = block else { return Outcomes::ALL };
    if block.missing == rows {
        return Outcomes::UNKNOWN;
    }
    let Bounds::Int { min, max, precisions } = block.bounds else { return Outcomes::ALL };
    let (Ok(min), Ok(max)) = (i32::try_from(min), i32::try_from(max)) else { return Outcomes::ALL };
    let partial = precisions & !1 != 0;
    let Some(last) = (if partial { end_of_year(max >> 2) } else { Some(max >> 2) }) else {
        return Outcomes::ALL;
    };
    let judged = ranges.judge(min >> 2, last);
    Outcomes::of(
        judged != Some(false),
        judged != Some(true),
        block.missing > 0 || partial && judged.is_none(),
    )
}

/// The last day of the year in which a day lies.
fn end_of_year(day: i32) -> Option<i32> {
    let year = day_from_epoch(day)?.year();
    NaiveDate::from_ymd_opt(year, 12, 31).map(days_since_epoch)
}

/// Whether a comparison can be TRUE, and FALSE, for values between these.
fn compare(low: &Constant, high: &Constant, operator: Operator, constant: &Constant) -> Option<(bool, bool)> {
    let (low, high) = (low.compare(constant)?, high.compare(constant)?);
    let inside = low.is_le() && high.is_ge();
    let only = low.is_eq() && high.is_eq();
    Some(match operator {
        Operator::Eq => (inside, !only),
        Operator::NotEq => (!only, inside),
        Operator::Lt => (low.is_lt(), high.is_ge()),
        Operator::LtEq => (low.is_le(), high.is_gt()),
        Operator::Gt => (high.is_gt(), low.is_le()),
        Operator::GtEq => (high.is_ge(), low.is_lt()),
        _ => return None,
    })
}

/// Whether values between these can be in a list, and out of it.
fn contained(low: &Constant, high: &Constant, constants: &[Constant]) -> Option<(bool, bool)> {
    let mut comparable = true;
    let first = constants.partition_point(|constant| match constant.compare(low) {
        Some(order) => order.is_lt(),
        None => {
            comparable = false;
            false
        }
    });
    if !comparable {
        return None;
    }
    let Some(found) = constants.get(first) else { return Some((false, true)) };
    let any = found.compare(high)?.is_le();
    let only = low.compare(high)?.is_eq() && any;
    Some((any, !only))
}

fn comparison(
    left: &Arc<dyn PhysicalExpr>,
    operator: Operator,
    right: &Arc<dyn PhysicalExpr>,
) -> Option<Test> {
    let constant = Constant::of(literal(right)?)?;
    if let (Some(masked), Operator::Eq, Constant::Int(wanted)) = (precision(left), operator, &constant) {
        let number = u8::try_from(*wanted).ok().filter(|number| *number < 4)?;
        return Some(Test::Precision { column: masked, number });
    }
    match operator {
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            Some(Test::Compare { column: number(left)?, operator, constant })
        }
        _ => None,
    }
}

/// The column of `column & 3`.
fn precision(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    let masked = expr.downcast_ref::<BinaryExpr>().filter(|masked| *masked.op() == Operator::BitwiseAnd)?;
    match Constant::of(literal(masked.right())?)? {
        Constant::Int(3) => column(masked.left()),
        Constant::Int(_) | Constant::Float(_) | Constant::Text(_) => None,
    }
}

/// A column, by itself or as a wider number.
fn number(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    match expr.downcast_ref::<CastExpr>() {
        Some(cast) if matches!(cast.cast_type(), DataType::Int64 | DataType::Float64) => column(cast.expr()),
        Some(_) => None,
        None => column(expr),
    }
}

fn column(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    expr.downcast_ref::<Column>().map(|column| column.name().to_owned())
}

fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expr.downcast_ref::<Literal>().map(Literal::value)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::array::{
        Array, ArrayRef, BooleanArray, Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch,
        StringArray,
    };
    use arrow::datatypes::{Field, Schema};
    use datafusion::common::DFSchema;
    use datafusion::execution::context::ExecutionProps;
    use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
    use datafusion::logical_expr::{Expr, binary_expr, cast, col, lit};
    use datafusion::physical_expr::create_physical_expr;
    use hyperseg_dsl::segment::{LengthUnit, Near};
    use hyperseg_dsl::value::{PartialDate, pack_date, pack_partial};
    use hyperseg_storage::file::PageDirectory;

    use super::*;
    use crate::functions::{among, date_test, near};

    /// Numbers that look random.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }

    fn batch(dice: &mut Dice) -> RecordBatch {
        let rows = 1 + dice.roll(4);
        let missing = dice.roll(3);
        let mut value = |sides: u64| -> Vec<Option<u64>> {
            let low = dice.roll(sides);
            let there = |dice: &mut Dice| missing == 0 || dice.roll(3) >= missing;
            (0..rows).map(|_| there(dice).then(|| low + dice.roll(3))).collect()
        };
        let places: ArrayRef = Arc::new(value(6).iter().map(|v| v.map(|v| v as i16)).collect::<Int16Array>());
        let times: ArrayRef = Arc::new(value(24).iter().map(|v| v.map(|v| v as i64)).collect::<Int64Array>());
        let reals: ArrayRef =
            Arc::new(value(6).iter().map(|v| v.map(|v| v as f64 / 2.0)).collect::<Float64Array>());
        let codes: ArrayRef =
            Arc::new(value(5).iter().map(|v| v.map(|v| format!("E1{v}"))).collect::<StringArray>());
        let dates: ArrayRef = Arc::new(value(40).iter().map(|v| v.map(date)).collect::<Int32Array>());
        let flags: ArrayRef = Arc::new(value(2).iter().map(|v| v.map(|v| v > 1)).collect::<BooleanArray>());
        let east: ArrayRef =
            Arc::new(value(6).iter().map(|v| v.map(|v| v as f64 / 2.0)).collect::<Float64Array>());
        let columns = [
            ("east", east),
            ("place", places),
            ("time", times),
            ("real", reals),
            ("code", codes),
            ("flag", flags),
            ("date", dates),
        ];
        let fields = columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        RecordBatch::try_new(schema, columns.into_iter().map(|(_, values)| values).collect()).unwrap()
    }

    /// The days around a new year, and the months and years that start among them; a value is turned into the same date always.
    fn date(number: u64) -> i32 {
        let partial = |text: &str| pack_partial(PartialDate::parse(text).unwrap());
        match number % 14 {
            3 => partial("1999-12"),
            5 => partial("2000-01"),
            7 => partial("2000"),
            9 => partial("2000-02"),
            11 => partial("1999"),
            _ => pack_date(day(number)),
        }
    }

    fn day(number: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(1999, 12, 1).unwrap() + chrono::Days::new(number * 2)
    }

    fn ranges(dice: &mut Dice) -> DayRanges {
        let (one, other) = (dice.roll(240), dice.roll(240));
        match dice.roll(5) {
            0 => DayRanges::between(None, Some(day(one))),
            1 => DayRanges::between(Some(day(one)), None),
            2 => DayRanges::of((0..dice.roll(40)).map(|step| day(one) + chrono::Days::new(step))),
            3 => DayRanges::of([day(one), day(other), day(one) + chrono::Days::new(1)].into_iter()),
            _ => DayRanges::between(Some(day(one.min(other))), Some(day(one.max(other)))),
        }
    }

    fn expr(dice: &mut Dice, depth: u64) -> Expr {
        let compare = |dice: &mut Dice, left: Expr, right: Expr| {
            use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
            let operator = [Eq, NotEq, Lt, LtEq, Gt, GtEq][dice.roll(6) as usize];
            if dice.roll(5) == 0 {
                binary_expr(right, operator, left)
            } else {
                binary_expr(left, operator, right)
            }
        };
        if depth > 0 && dice.roll(3) > 0 {
            let left = expr(dice, depth - 1);
            return match dice.roll(4) {
                0 => !left,
                1 => left.or(expr(dice, depth - 1)),
                2 => col("place").is_null().or(col("place").in_list(vec![lit(2_i16), lit(5_i16)], true)),
                _ => left.and(expr(dice, depth - 1)),
            };
        }
        let number = dice.roll(9) as i16;
        match dice.roll(13) {
            11 => {
                let (north, east) = (f64::from(number), [0.0, 2.0, 179.9][dice.roll(3) as usize]);
                let distance = dice.roll(300) as f64;
                let of = Near { north, east, zip: None, distance, unit: LengthUnit::Km, places: None };
                near(&of, col("real"), col("east"), None)
            }
            9 | 10 => date_test(ranges(dice), col("date")),
            0 => compare(dice, col("place"), lit(number)),
            1 => col("place").in_list(vec![lit(number), lit(3_i16), lit(4_i16)], dice.roll(2) == 0),
            2 => compare(dice, col("time"), lit(i64::from(number) * 3)),
            3 => binary_expr(col("time"), Operator::BitwiseAnd, lit(3_i64)).eq(lit(i64::from(number % 4))),
            4 => compare(dice, col("real"), lit(f64::from(number) / 2.0)),
            5 => {
                let wide = cast(col("place"), DataType::Float64);
                compare(dice, wide, lit(f64::from(number) / 2.0))
            }
            6 => compare(dice, col("code"), lit(format!("E1{number}"))),
            8 => {
                let texts = [number, number + 2].map(|number| format!("E1{number}"));
                among(Texts::new(texts.into_iter()), col("code"))
            }
            7 => [col("flag"), col("code").is_not_null(), col("flag").is_null()][number as usize % 3].clone(),
            _ => lit(ScalarValue::Boolean([None, Some(true), Some(false)][number as usize % 3])),
        }
    }

    #[test]
    fn no_outcome_is_overlooked_and_most_are_told() {
        let mut dice = Dice(1);
        let (mut told, mut rounds) = (0, 0);
        for _ in 0..20_000 {
            let batch = batch(&mut dice);
            let expr = expr(&mut dice, 3);
            let schema = DFSchema::try_from(batch.schema()).unwrap();
            let physical = create_physical_expr(
                &expr,
                &schema,
                &ExecutionProps::new(),
                &PhysicalPlanningContext::default(),
            )
            .unwrap();
            let rows = u32::try_from(batch.num_rows()).unwrap();
            let names = batch.schema();
            let blocks: HashMap<&str, PageDirectory> = names
                .fields()
                .iter()
                .zip(batch.columns())
                .map(|(field, values)| (field.name().as_str(), PageDirectory::of_values(values, 1 << 14)))
                .collect();
            let block = |name: &str| blocks.get(name).and_then(|directory| directory.blocks.first());
            let judged = Test::of(&physical).outcomes(rows, &block);
            let found = physical.evaluate(&batch).unwrap().into_array(batch.num_rows()).unwrap();
            let found = arrow::compute::cast(&found, &DataType::Boolean).unwrap();
            let found = found.as_any().downcast_ref::<BooleanArray>().unwrap();
            let mut seen = 0;
            for answer in found {
                let (allowed, bit) = match answer {
                    Some(true) => (judged.can_be_true(), 1),
                    Some(false) => (judged.can_be_false(), 2),
                    None => (judged.can_be_unknown(), 4),
                };
                assert!(allowed, "{expr} over {batch:?}: {judged:?} but {answer:?}");
                seen |= bit;
            }
            rounds += 1;
            told += u32::from(judged == Outcomes::of(seen & 1 != 0, seen & 2 != 0, seen & 4 != 0));
        }
        assert!(told * 10 > rounds * 6, "only {told} of {rounds} exactly");
    }
}
