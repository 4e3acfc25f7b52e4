//! A number made of the values of the selected records: sum, average, least, greatest, median.
//!
//! ```text
//! in:   ord 4 amount 10.00     ord 4 amount 2.50     ord 7 amount missing       sum > 12
//! out:  TRUE for 4, UNKNOWN for 7 and for everyone without a value
//! ```
//!
//! Sums do not depend on the order of rows: whole numbers are added exactly, others as multiples of 2^-40. A value that
//! is no number yet (`<5.7`) leaves its contact UNKNOWN.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, UInt32Array};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_dsl::segment::Aggregate;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

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
    /// TRUE when the value is no number yet.
    pub(crate) inexact: Option<Arc<dyn PhysicalExpr>>,
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
    inexact: bool,
}

impl State {
    const NOTHING: Self = Self { whole: 0, real: 0.0, values: 0, inexact: false };

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
        std::iter::once(&self.value).chain(&self.inexact).cloned().collect()
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let (value, inexact) = (&self.value, self.inexact.as_ref());
        let found = measured(self.function, value, inexact, single(inputs)?, shard).await?;
        let on_grid = found.reals && matches!(self.function, Aggregate::Sum | Aggregate::Avg);
        let known = packed(&found.states, |state| state.values > 0 && !state.inexact);
        let certain = match &found.medians {
            Some(medians) => packed(medians, |median| {
                median.is_some_and(|median| self.bounds.hold(Made::Real(median), false))
            }),
            None => packed(&found.states, |state| {
                state.values > 0 && self.bounds.hold(state.made(self.function, found.reals), on_grid)
            }),
        };
        let certain = &certain & &known;
        let possible = &certain | &!&known;
        Ok(ShardSet::new(certain, possible))
    }
}

/// What was found of each contact.
pub(crate) struct Measured {
    function: Aggregate,
    states: Vec<State>,
    /// Of a median.
    medians: Option<Vec<Option<f64>>>,
    /// The values are not whole.
    reals: bool,
}

impl Measured {
    /// The number of a contact; `None` when it is UNKNOWN.
    pub(crate) fn made(&self, ordinal: usize) -> Option<Made> {
        let state = self.states.get(ordinal).filter(|state| state.values > 0 && !state.inexact)?;
        match &self.medians {
            Some(medians) => medians.get(ordinal).copied().flatten().map(Made::Real),
            None => Some(state.made(self.function, self.reals)),
        }
    }
}

/// Works the rows of a shard off.
pub(crate) async fn measured(
    function: Aggregate,
    value: &Arc<dyn PhysicalExpr>,
    inexact: Option<&Arc<dyn PhysicalExpr>>,
    mut input: SendableRecordBatchStream,
    shard: &ShardContext,
) -> Result<Measured> {
    shard.reservation.try_grow(shard.contacts * size_of::<State>())?;
    let mut states = vec![State::NOTHING; shard.contacts];
    let mut middle: Vec<(u32, f64)> = Vec::new();
    let mut reals = false;
    let rows = shard.counter("rows");
    while let Some(batch) = input.try_next().await? {
        let values = Values::of(value.evaluate(&batch)?.into_array(batch.num_rows())?)?;
        reals |= matches!(values, Values::Real(_));
        let inexact = inexact.map(|expr| expr.evaluate(&batch)?.into_array(batch.num_rows()));
        let inexact = inexact.transpose()?;
        let inexact = inexact.as_ref().map(|flags| flags.as_any().downcast_ref::<BooleanArray>());
        let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
        rows.add(batch.num_rows());
        if function == Aggregate::Median {
            shard.reservation.try_grow(batch.num_rows() * size_of::<(u32, f64)>())?;
        }
        for (row, &ordinal) in ordinals.values().iter().enumerate() {
            let Some(value) = values.get(row) else { continue };
            let state = states
                .get_mut(ordinal as usize)
                .ok_or_else(|| internal_datafusion_err!("an ordinal beyond its shard"))?;
            let is_inexact = match inexact {
                None => false,
                Some(Some(flags)) => flags.is_valid(row) && flags.value(row),
                Some(None) => return internal_err!("a flag that is not Boolean"),
            };
            state.inexact |= is_inexact;
            state.add(function, value);
            if function == Aggregate::Median {
                let value = match value {
                    Made::Whole(whole) => whole as f64,
                    Made::Real(real) => real,
                };
                middle.push((ordinal, value));
            }
        }
    }
    let medians = (function == Aggregate::Median).then(|| medians(middle, shard.contacts));
    Ok(Measured { function, states, medians, reals })
}

/// The value in the middle of each contact's, or halfway between the two.
fn medians(mut values: Vec<(u32, f64)>, contacts: usize) -> Vec<Option<f64>> {
    values.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
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
