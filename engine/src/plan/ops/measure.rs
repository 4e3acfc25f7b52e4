//! A number made of the values of the selected records: sum, average, least, greatest, median.
//!
//! ```text
//! in:   ord 4 amount 10.00     ord 4 amount 2.50     ord 7 amount missing       sum > 12
//! out:  TRUE for 4, UNKNOWN for 7 and for everyone without a value
//! ```
//!
//! Sums do not depend on the order of rows: whole numbers are added exactly, others as multiples of 2^-40. A value that
//! says only between which ends the number lies (`<5.7`) is kept by itself: the function never falls where a value rises, so that what
//! comes out lies between what it makes of all lower and of all upper ends.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBufferBuilder, Float64Array, Int8Array, Int32Array, Int64Array, UInt32Array,
};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_dsl::segment::Aggregate;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

use super::interval::{End, Kind, order};
use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// Steps of the grid to one.
const GRID: f64 = (1_u64 << 40) as f64;
/// Numbers beyond this count as this in sums.
const LARGEST: f64 = (1_u64 << 63) as f64;

/// What the number must satisfy: inclusive bounds of which one suffices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds(pub(crate) Vec<Bound>);

/// Comparisons that all have to hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bound(pub(crate) Vec<(Relation, Constant)>);

/// How a number stands to a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Relation {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

/// A literal of the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    /// A whole number, or hundredths.
    Whole(i64),
    /// The bits of a double.
    Real(u64),
}

/// A number made of values, exactly or as a double.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Made {
    Whole(i128),
    Real(f64),
}

impl Made {
    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            (Self::Whole(a), Self::Real(b)) => (a as f64).partial_cmp(&b),
            (Self::Real(a), Self::Whole(b)) => a.partial_cmp(&(b as f64)),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(&b),
        }
    }
}

impl Constant {
    /// In the unit of what it is compared with.
    fn made(self, on_grid: bool) -> Made {
        match self {
            Self::Whole(whole) if on_grid => Made::Whole(steps(whole as f64)),
            Self::Whole(whole) => Made::Whole(whole.into()),
            Self::Real(bits) if on_grid => Made::Whole(steps(f64::from_bits(bits))),
            Self::Real(bits) => Made::Real(f64::from_bits(bits)),
        }
    }
}

/// A number as multiples of 2^-40, halves away from zero.
fn steps(number: f64) -> i128 {
    (number * GRID).round() as i128
}

impl Bounds {
    fn hold(&self, made: Made, on_grid: bool) -> bool {
        self.0.iter().any(|Bound(parts)| {
            parts.iter().all(|(relation, constant)| {
                made.compare(constant.made(on_grid)).is_some_and(|order| relation.holds(order))
            })
        })
    }
}

/// Contacts by a number made of values.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) function: Aggregate,
    /// The value of a row.
    pub(crate) value: Arc<dyn PhysicalExpr>,
    /// What the value says of the number, as [`Kind::number`]; nothing where it always is the number.
    pub(crate) kind: Option<Arc<dyn PhysicalExpr>>,
    pub(crate) bounds: Bounds,
}

/// What is known of one contact.
#[derive(Clone, Copy, Debug)]
struct State {
    /// Sum, least or greatest; whole.
    whole: i128,
    /// Least or greatest number that is not whole.
    real: f64,
    values: u32,
}

impl State {
    const NOTHING: Self = Self { whole: 0, real: 0.0, values: 0 };

    fn add(&mut self, function: Aggregate, value: Made) {
        let first = self.values == 0;
        self.values = self.values.saturating_add(1);
        match (function, value) {
            (Aggregate::Sum | Aggregate::Avg, Made::Whole(whole)) => {
                self.whole = self.whole.saturating_add(whole);
            }
            (Aggregate::Sum | Aggregate::Avg, Made::Real(real)) => {
                self.whole = self.whole.saturating_add(steps(real.clamp(-LARGEST, LARGEST)));
            }
            (Aggregate::Min, Made::Whole(whole)) if first || whole < self.whole => self.whole = whole,
            (Aggregate::Max, Made::Whole(whole)) if first || whole > self.whole => self.whole = whole,
            (Aggregate::Min, Made::Real(real)) if first || real < self.real => self.real = real,
            (Aggregate::Max, Made::Real(real)) if first || real > self.real => self.real = real,
            (Aggregate::Min | Aggregate::Max | Aggregate::Median, _) => {}
        }
    }

    /// The number; `reals` says that the values are not whole.
    fn made(&self, function: Aggregate, reals: bool) -> Made {
        match function {
            Aggregate::Sum => Made::Whole(self.whole),
            Aggregate::Avg => {
                let average = self.whole as f64 / f64::from(self.values);
                Made::Real(if reals { average.round() } else { average })
            }
            Aggregate::Min | Aggregate::Max if reals => Made::Real(self.real),
            Aggregate::Min | Aggregate::Max | Aggregate::Median => Made::Whole(self.whole),
        }
    }
}

#[async_trait]
impl SetOperator for Measure {
    fn name(&self) -> &'static str {
        "MeasureExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        std::iter::once(&self.value).chain(&self.kind).cloned().collect()
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let (value, kind) = (&self.value, self.kind.as_ref());
        let found = measured(self.function, value, kind, single(inputs)?, shard).await?;
        let on_grid = found.reals && matches!(self.function, Aggregate::Sum | Aggregate::Avg);
        let known = packed(&found.states, |state| state.values > 0);
        let certain = match &found.medians {
            Some(medians) => packed(medians, |median: &Option<f64>| {
                median.is_some_and(|median| self.bounds.hold(Made::Real(median), false))
            }),
            None => packed(&found.states, |state: &State| {
                state.values > 0 && self.bounds.hold(state.made(self.function, found.reals), on_grid)
            }),
        };
        let possible = &certain | &!&known;
        if found.between.is_empty() {
            return Ok(ShardSet::new(certain, possible));
        }
        let (mut sure, mut perhaps) =
            (BooleanBufferBuilder::new(shard.contacts), BooleanBufferBuilder::new(shard.contacts));
        sure.append_buffer(&certain);
        perhaps.append_buffer(&possible);
        for own in found.between.chunk_by(|a, b| a.ordinal == b.ordinal) {
            let Some(ordinal) = own.first().map(|value| value.ordinal) else { continue };
            let (low, high) = found.ends(ordinal, own);
            let (is_sure, is_possible) = self.bounds.judge(|constant| {
                let constant = constant.made(on_grid);
                (low.order(constant, Ordering::Greater), high.order(constant, Ordering::Less))
            });
            sure.set_bit(ordinal as usize, is_sure);
            perhaps.set_bit(ordinal as usize, is_possible);
        }
        Ok(ShardSet::new(sure.finish(), perhaps.finish()))
    }
}

/// What was found of the contacts of a shard.
pub(crate) struct Measured {
    function: Aggregate,
    states: Vec<State>,
    /// Values of a median by contact, in order.
    middle: Vec<(u32, f64)>,
    /// Of a median.
    medians: Option<Vec<Option<f64>>>,
    /// Values that say between which ends the number lies, by contact.
    between: Vec<Between>,
    /// The values are not whole.
    reals: bool,
}

impl Measured {
    /// The number of a contact; `None` without one, and where it is not one number.
    pub(crate) fn made(&self, ordinal: u32) -> Option<Made> {
        let first = self.between.partition_point(|value| value.ordinal < ordinal);
        let own = self.between.get(first..).unwrap_or_default();
        let own = own.get(..own.partition_point(|value| value.ordinal == ordinal)).unwrap_or_default();
        if !own.is_empty() {
            let (low, high) = self.ends(ordinal, own);
            let one = low.at.compare(high.at) == Some(Ordering::Equal) && !low.open && !high.open;
            return one.then_some(low.at);
        }
        let state = self.states.get(ordinal as usize).filter(|state| state.values > 0)?;
        match &self.medians {
            Some(medians) => medians.get(ordinal as usize).copied().flatten().map(Made::Real),
            None => Some(state.made(self.function, self.reals)),
        }
    }

    /// The ends of what the number of a contact can be, some of whose values are ends themselves.
    fn ends(&self, ordinal: u32, own: &[Between]) -> (MadeEnd, MadeEnd) {
        let state = self.states.get(ordinal as usize).copied().unwrap_or(State::NOTHING);
        let first = self.middle.partition_point(|(of, _)| *of < ordinal);
        let values = self.middle.get(first..).unwrap_or_default();
        let values: Vec<f64> =
            values.iter().take_while(|(of, _)| *of == ordinal).map(|(_, value)| *value).collect();
        let low = own.iter().map(|value| value.kind.low(value.value));
        let high = own.iter().map(|value| value.kind.high(value.value));
        (end(self.function, &state, &values, low, false), end(self.function, &state, &values, high, true))
    }
}

/// Works the rows of a shard off.
pub(crate) async fn measured(
    function: Aggregate,
    value: &Arc<dyn PhysicalExpr>,
    kind: Option<&Arc<dyn PhysicalExpr>>,
    mut input: SendableRecordBatchStream,
    shard: &ShardContext,
) -> Result<Measured> {
    shard.reservation.try_grow(shard.contacts * size_of::<State>())?;
    let mut states = vec![State::NOTHING; shard.contacts];
    let mut middle: Vec<(u32, f64)> = Vec::new();
    let mut between: Vec<Between> = Vec::new();
    let mut reals = false;
    let rows = shard.counter("rows");
    while let Some(batch) = input.try_next().await? {
        let values = Values::of(value.evaluate(&batch)?.into_array(batch.num_rows())?)?;
        reals |= matches!(values, Values::Real(_));
        let kinds = kind.map(|expr| expr.evaluate(&batch)?.into_array(batch.num_rows()));
        let kinds = kinds.transpose()?;
        let kinds = match &kinds {
            None => None,
            Some(kinds) => match kinds.as_any().downcast_ref::<Int8Array>() {
                Some(kinds) => Some(kinds),
                None => return internal_err!("a kind of value that is no number"),
            },
        };
        let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
        rows.add(batch.num_rows());
        if function == Aggregate::Median {
            shard.reservation.try_grow(batch.num_rows() * size_of::<(u32, f64)>())?;
        }
        let kept = between.len();
        for (row, &ordinal) in ordinals.values().iter().enumerate() {
            let kind = match kinds {
                None => Kind::Exact,
                Some(kinds) if kinds.is_valid(row) => Kind::of_number(kinds.value(row)),
                Some(_) => continue,
            };
            let value = values.get(row);
            let state = states
                .get_mut(ordinal as usize)
                .ok_or_else(|| internal_datafusion_err!("an ordinal beyond its shard"))?;
            if kind != Kind::Exact {
                between.push(Between { ordinal, kind, value: value.map_or(0.0, real) });
                continue;
            }
            let Some(value) = value else { continue };
            state.add(function, value);
            if function == Aggregate::Median {
                middle.push((ordinal, real(value)));
            }
        }
        shard.reservation.try_grow((between.len() - kept) * size_of::<Between>())?;
    }
    middle.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    // Values of one contact in the order of the files: none of the functions depends on it.
    between.sort_by_key(|value| value.ordinal);
    let medians = (function == Aggregate::Median).then(|| medians(&middle, shard.contacts));
    Ok(Measured { function, states, middle, medians, between, reals })
}

/// A value that says between which ends the number lies.
#[derive(Clone, Copy, Debug)]
struct Between {
    ordinal: u32,
    kind: Kind,
    value: f64,
}

/// An end of what a number made of values can be.
struct MadeEnd {
    /// Infinite, or the number.
    at: Made,
    open: bool,
}

impl MadeEnd {
    fn order(&self, constant: Made, beyond: Ordering) -> Ordering {
        // Literals are finite, so that there is an order.
        order(self.at.compare(constant).unwrap_or(beyond), self.open, beyond)
    }
}

/// What a function makes of values that are known and of ends. `values` are those of a median.
fn end(
    function: Aggregate,
    state: &State,
    values: &[f64],
    ends: impl Iterator<Item = End>,
    upper: bool,
) -> MadeEnd {
    let mut ends: Vec<End> = ends.collect();
    match function {
        Aggregate::Sum | Aggregate::Avg => {
            let open = ends.iter().any(|end| end.open);
            if let Some(end) = ends.iter().find(|end| end.at.is_infinite()) {
                return MadeEnd { at: Made::Real(end.at), open };
            }
            let mut all = *state;
            ends.iter().for_each(|end| all.add(function, Made::Real(end.at)));
            MadeEnd { at: all.made(function, true), open }
        }
        Aggregate::Min | Aggregate::Max | Aggregate::Median => {
            if function != Aggregate::Median && state.values > 0 {
                ends.push(End { at: state.real, open: false });
            }
            ends.extend(values.iter().map(|value| End { at: *value, open: false }));
            // An open lower end lies above its number, an open upper one below it.
            ends.sort_unstable_by(|a, b| {
                let beyond = if upper { b.open.cmp(&a.open) } else { a.open.cmp(&b.open) };
                a.at.total_cmp(&b.at).then(beyond)
            });
            let nothing = End { at: if upper { f64::INFINITY } else { f64::NEG_INFINITY }, open: true };
            let end = match function {
                Aggregate::Min => ends.first().copied(),
                Aggregate::Max => ends.last().copied(),
                Aggregate::Median | Aggregate::Sum | Aggregate::Avg => {
                    let half = ends.len() / 2;
                    match (ends.get(half.wrapping_sub(1)), ends.get(half)) {
                        (Some(one), Some(other)) if ends.len().is_multiple_of(2) => {
                            Some(End { at: one.at / 2.0 + other.at / 2.0, open: one.open || other.open })
                        }
                        (_, middle) => middle.copied(),
                    }
                }
            };
            let end = end.unwrap_or(nothing);
            MadeEnd { at: Made::Real(end.at), open: end.open }
        }
    }
}
fn real(made: Made) -> f64 {
    match made {
        Made::Whole(whole) => whole as f64,
        Made::Real(real) => real,
    }
}

/// The value in the middle of each contact's, which stand in order, or halfway between the two.
fn medians(values: &[(u32, f64)], contacts: usize) -> Vec<Option<f64>> {
    let mut medians = vec![None; contacts];
    for own in values.chunk_by(|a, b| a.0 == b.0) {
        let at = |place: usize| own.get(place).map(|(_, value)| *value);
        let upper = at(own.len() / 2);
        let median = match (own.len() % 2, at((own.len() / 2).wrapping_sub(1)), upper) {
            (0, Some(lower), Some(upper)) => Some(lower / 2.0 + upper / 2.0),
            _ => upper,
        };
        if let Some(place) = own.first().and_then(|(ordinal, _)| medians.get_mut(*ordinal as usize)) {
            *place = median;
        }
    }
    medians
}

/// Values of a batch.
pub(crate) enum Values {
    Int(Int32Array),
    Money(Int64Array),
    Real(Float64Array),
}

impl Values {
    pub(crate) fn of(values: ArrayRef) -> Result<Self> {
        let any = values.as_any();
        match values.data_type() {
            DataType::Int32 => any.downcast_ref().cloned().map(Self::Int),
            DataType::Int64 => any.downcast_ref().cloned().map(Self::Money),
            DataType::Float64 => any.downcast_ref().cloned().map(Self::Real),
            _ => None,
        }
        .ok_or_else(|| internal_datafusion_err!("values that are no numbers"))
    }

    pub(crate) fn get(&self, row: usize) -> Option<Made> {
        match self {
            Self::Int(values) => values.is_valid(row).then(|| Made::Whole(values.value(row).into())),
            Self::Money(values) => values.is_valid(row).then(|| Made::Whole(values.value(row).into())),
            Self::Real(values) => values.is_valid(row).then(|| Made::Real(values.value(row))),
        }
    }
}
