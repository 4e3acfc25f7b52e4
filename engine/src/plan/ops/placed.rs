//! The record of a place in the order of time, or the one with the lowest or highest value of those at the same time.
//!
//! ```text
//! in:   ord 4 at 2 Jan, 5 Jan, 5 Jan      ord 7 at 1 Feb                test on the 2nd
//! out:  either record of 5 Jan decides for 4; UNKNOWN for 7
//! ```
//!
//! The order is that of [`super::extreme`], which answers `latest` and `earliest` without keeping records.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, Int8Array, Int64Array, RecordBatch};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use hyperseg_dsl::segment::Aggregate;

use super::days::LocalDays;
use super::interval::Kind;
use super::measure::{Bounds, Made, State, Values, end, real};
use super::per_contact::PerContact;
use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// Which record is meant, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Placed {
    pub(crate) place: Place,
    /// Zone of local days.
    pub(crate) zone: Tz,
    /// A test of the value instead of the test of the record.
    pub(crate) value: Option<ValueTest>,
}

/// A place in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Latest,
    /// Counted from the earliest, which is the first.
    From(u32),
}

/// A test of the lowest or the highest value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ValueTest {
    pub(crate) highest: bool,
    pub(crate) bounds: Bounds,
    pub(crate) negated: bool,
}

/// Contacts by the record of a place.
#[derive(Debug)]
pub(crate) struct PlacedRecord {
    pub(crate) placed: Placed,
    /// The test of a record; or its value, and what that says of the number where it does not always say it.
    pub(crate) asked: Vec<Arc<dyn PhysicalExpr>>,
}

/// What is kept of a record.
#[derive(Clone, Copy, Debug)]
struct Row {
    day: i32,
    instant: Option<i64>,
    /// First instant of when it was recorded.
    recorded: Option<i64>,
    seen: Seen,
}

#[derive(Clone, Copy, Debug)]
enum Seen {
    Test(Option<bool>),
    Value(Option<(Made, Kind)>),
}

#[async_trait]
impl SetOperator for PlacedRecord {
    fn name(&self) -> &'static str {
        "PlacedRecordExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.asked.clone()
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let mut days = LocalDays::new(self.placed.zone);
        let records = PerContact::gather(single(inputs)?, shard, |batch| self.rows(batch, &mut days)).await?;
        let (mut certain, mut possible) =
            (BooleanBufferBuilder::new(shard.contacts), BooleanBufferBuilder::new(shard.contacts));
        certain.append_n(shard.contacts, false);
        possible.append_n(shard.contacts, true);
        let mut own = Vec::new();
        for (ordinal, rows) in records.contacts() {
            own.clear();
            own.extend(rows.iter().map(|(_, row)| *row));
            let (is_certain, is_possible) = self.answer(&chosen(self.placed.place, &mut own));
            certain.set_bit(ordinal as usize, is_certain);
            possible.set_bit(ordinal as usize, is_possible);
        }
        Ok(ShardSet::new(certain.finish(), possible.finish()))
    }
}

impl PlacedRecord {
    fn rows(&self, batch: &RecordBatch, days: &mut LocalDays) -> Result<Vec<Option<Row>>> {
        let at: &Int64Array = column(batch, "at")?;
        let recorded: &Int64Array = column(batch, "recorded_at")?;
        let seen = self.seen(batch)?;
        let mut rows = Vec::with_capacity(batch.num_rows());
        for (row, seen) in seen.into_iter().enumerate() {
            let (day, instant) = days.of(at.value(row))?;
            let recorded = recorded.is_valid(row).then(|| days.start(recorded.value(row))).transpose()?;
            rows.push(Some(Row { day, instant, recorded, seen }));
        }
        Ok(rows)
    }

    fn seen(&self, batch: &RecordBatch) -> Result<Vec<Seen>> {
        let mut arrays = Vec::with_capacity(self.asked.len());
        for expr in &self.asked {
            arrays.push(expr.evaluate(batch)?.into_array(batch.num_rows())?);
        }
        let Some(first) = arrays.first() else { return internal_err!("a record of which nothing is asked") };
        if self.placed.value.is_none() {
            let tests = first.as_any().downcast_ref::<BooleanArray>();
            let tests = tests.ok_or_else(|| internal_datafusion_err!("a test that is not Boolean"))?;
            return Ok(tests.iter().map(Seen::Test).collect());
        }
        let values = Values::of(Arc::clone(first))?;
        let kinds = match arrays.get(1) {
            None => None,
            Some(kinds) => match kinds.as_any().downcast_ref::<Int8Array>() {
                Some(kinds) => Some(kinds),
                None => return internal_err!("a kind of value that is no number"),
            },
        };
        let one = |row: usize| match kinds {
            None => values.get(row).map(|value| (value, Kind::Exact)),
            Some(kinds) => kinds
                .is_valid(row)
                .then(|| (values.get(row).unwrap_or(Made::Real(0.0)), Kind::of_number(kinds.value(row)))),
        };
        Ok((0..batch.num_rows()).map(|row| Seen::Value(one(row))).collect())
    }

    /// Whether what is asked of these records holds certainly, and possibly.
    fn answer(&self, chosen: &[Row]) -> (bool, bool) {
        let Some(test) = &self.placed.value else {
            let tests = || chosen.iter().map(|row| if let Seen::Test(test) = row.seen { test } else { None });
            let certain = tests().any(|test| test == Some(true));
            return (certain, chosen.is_empty() || tests().any(|test| test != Some(false)));
        };
        let value = |row: &Row| if let Seen::Value(value) = row.seen { value } else { None };
        let values: Vec<(Made, Kind)> = chosen.iter().filter_map(value).collect();
        if values.is_empty() {
            return (false, true);
        }
        let (certain, possible) = test.judge(&values);
        if test.negated { (!possible, !certain) } else { (certain, possible) }
    }
}

impl ValueTest {
    fn judge(&self, values: &[(Made, Kind)]) -> (bool, bool) {
        let whole = values.iter().map(|(made, _)| match made {
            Made::Whole(whole) => Some(*whole),
            Made::Real(_) => None,
        });
        if let Some(whole) = whole.collect::<Option<Vec<i128>>>() {
            let one = if self.highest { whole.into_iter().max() } else { whole.into_iter().min() };
            let holds = one.is_some_and(|whole| self.bounds.hold(Made::Whole(whole), false));
            return (holds, holds);
        }
        let function = if self.highest { Aggregate::Max } else { Aggregate::Min };
        let low = values.iter().map(|(made, kind)| kind.low(real(*made)));
        let low = end(function, &State::NOTHING, &[], low, false);
        let high = values.iter().map(|(made, kind)| kind.high(real(*made)));
        let high = end(function, &State::NOTHING, &[], high, true);
        self.bounds.judge(|constant| {
            let constant = constant.made(false);
            (low.order(constant, Ordering::Greater), high.order(constant, Ordering::Less))
        })
    }
}

/// The records that share a place; what stands in front of them is taken out.
fn chosen(place: Place, rows: &mut Vec<Row>) -> Vec<Row> {
    match place {
        Place::Latest => {
            for row in rows.iter_mut() {
                row.day = -row.day;
                row.instant = row.instant.map(|instant| -instant);
                row.recorded = row.recorded.map(|recorded| -recorded);
            }
            first(rows)
        }
        Place::From(place) => {
            let mut counted = 0;
            loop {
                let next = first(rows);
                counted += next.len();
                if next.is_empty() || counted >= place as usize {
                    return next;
                }
            }
        }
    }
}

/// Takes out the records in front of all others.
fn first(rows: &mut Vec<Row>) -> Vec<Row> {
    let Some(day) = rows.iter().map(|row| row.day).min() else { return Vec::new() };
    let of_day = |row: &&Row| row.day == day;
    let instant = rows.iter().filter(of_day).filter_map(|row| row.instant).min();
    let at_first = |row: &Row| row.day == day && (row.instant.is_none() || row.instant == instant);
    let recorded = rows.iter().filter(|row| at_first(row)).filter_map(|row| row.recorded).min();
    // A record that does not say when it was recorded stands behind those that do.
    let is_first = |row: &Row| at_first(row) && (recorded.is_none() || row.recorded == recorded);
    let taken = rows.iter().filter(|row| is_first(row)).copied().collect();
    rows.retain(|row| !is_first(row));
    taken
}
