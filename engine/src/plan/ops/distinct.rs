//! The number of different days or values of the selected records.
//!
//! ```text
//! in:   ord 4 provider a     ord 4 provider b     ord 4 provider a     ord 7 provider missing
//! out:  4 → 2, everyone else 0
//! ```
//!
//! What was seen is kept as pairs of ordinal and key and sorted at the end; nothing is hashed but texts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int16Array, Int32Array, Int64Array,
    StringArray, UInt32Array,
};
use arrow::datatypes::{DataType, Int32Type};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_dsl::schema::FieldType;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

use super::days::LocalDays;
use super::record_set::CountTest;
use super::single;
use crate::plan::exec::{SetOperator, ShardContext, column};
use crate::sets::ShardSet;

/// What makes two values the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sameness {
    /// They are equal.
    Value,
    /// They are moments on one local day of this zone.
    Day(Tz),
    /// They are dates known to the day, and equal. One that is not is the same as nothing, as if it were missing.
    Date,
}

impl Sameness {
    /// Of values of a field of this type.
    pub(crate) fn of(ty: FieldType, zone: Tz) -> Self {
        match ty {
            FieldType::Time => Self::Day(zone),
            FieldType::Date => Self::Date,
            FieldType::Text
            | FieldType::Category
            | FieldType::Int
            | FieldType::Number
            | FieldType::Money
            | FieldType::Bool
            | FieldType::Code
            | FieldType::Categories
            | FieldType::Point => Self::Value,
        }
    }
}

/// Contacts by the number of different values.
#[derive(Debug)]
pub(crate) struct CountDistinct {
    /// The value of a row.
    pub(crate) value: Arc<dyn PhysicalExpr>,
    /// What makes two of them the same.
    pub(crate) same: Sameness,
    /// Which numbers are TRUE.
    pub(crate) test: CountTest,
}

#[async_trait]
impl SetOperator for CountDistinct {
    fn name(&self) -> &'static str {
        "CountDistinctExec"
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        vec![Arc::clone(&self.value)]
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let counts = distinct_counts(&self.value, self.same, single(inputs)?, shard).await?;
        Ok(ShardSet::two_valued(packed(&counts, |count| self.test.holds(*count))))
    }
}

/// How many different values or days each contact has.
pub(crate) async fn distinct_counts(
    value: &Arc<dyn PhysicalExpr>,
    same: Sameness,
    mut input: SendableRecordBatchStream,
    shard: &ShardContext,
) -> Result<Vec<u32>> {
    let mut keys = Keys::new(same);
    let mut seen: Vec<(u32, u64)> = Vec::new();
    let rows = shard.counter("rows");
    while let Some(batch) = input.try_next().await? {
        let values = value.evaluate(&batch)?.into_array(batch.num_rows())?;
        let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
        rows.add(batch.num_rows());
        shard.reservation.try_grow(batch.num_rows() * size_of::<(u32, u64)>())?;
        keys.each(&values, |row, key| {
            seen.extend(ordinals.values().get(row).map(|&ordinal| (ordinal, key)));
        })?;
    }
    seen.sort_unstable();
    seen.dedup();
    shard.reservation.try_grow(shard.contacts * size_of::<u32>())?;
    let mut counts = vec![0_u32; shard.contacts];
    for (ordinal, _) in seen {
        let count = counts.get_mut(ordinal as usize);
        *count.ok_or_else(|| internal_datafusion_err!("an ordinal beyond its shard"))? += 1;
    }
    Ok(counts)
}

/// Numbers that are equal for equal values and different for different ones.
pub(super) struct Keys {
    days: Option<LocalDays>,
    /// Numbers are packed dates.
    dates: bool,
    texts: HashMap<String, u64>,
    /// The dictionary of texts that was seen last, and their numbers: that of one file serves many batches.
    coded: Option<(ArrayRef, Vec<Option<u64>>)>,
}

impl Keys {
    pub(super) fn new(same: Sameness) -> Self {
        let days = match same {
            Sameness::Value | Sameness::Date => None,
            Sameness::Day(zone) => Some(LocalDays::new(zone)),
        };
        Self { days, dates: same == Sameness::Date, texts: HashMap::new(), coded: None }
    }

    /// Calls `take` with row and key of every value that is there and can be the same as another.
    pub(super) fn each(&mut self, values: &ArrayRef, mut take: impl FnMut(usize, u64)) -> Result<()> {
        let known = (0..values.len()).filter(|&row| values.is_valid(row));
        match values.data_type() {
            DataType::Int64 => {
                let values: &Int64Array = typed(values)?;
                for row in known {
                    let value = values.value(row);
                    take(
                        row,
                        match &mut self.days {
                            Some(days) => i64::from(days.of(value)?.0).cast_unsigned(),
                            None => value.cast_unsigned(),
                        },
                    );
                }
            }
            DataType::Int32 => {
                let values: &Int32Array = typed(values)?;
                known
                    .filter(|&row| !self.dates || values.value(row) & 3 == 0)
                    .for_each(|row| take(row, i64::from(values.value(row)).cast_unsigned()));
            }
            DataType::Int16 => {
                let values: &Int16Array = typed(values)?;
                known.for_each(|row| take(row, i64::from(values.value(row)).cast_unsigned()));
            }
            DataType::Boolean => {
                let values: &BooleanArray = typed(values)?;
                known.for_each(|row| take(row, values.value(row).into()));
            }
            DataType::Float64 => {
                let values: &Float64Array = typed(values)?;
                // Zero has two forms.
                known.for_each(|row| take(row, (values.value(row) + 0.0).to_bits()));
            }
            DataType::Utf8 => {
                let values: &StringArray = typed(values)?;
                for row in known {
                    take(row, self.text(values.value(row)));
                }
            }
            DataType::Dictionary(_, _) => {
                let codes: &DictionaryArray<Int32Type> = typed(values)?;
                let numbers = self.numbers(codes.values())?;
                for (row, code) in codes.keys().iter().enumerate() {
                    let number = code.and_then(|code| usize::try_from(code).ok());
                    if let Some(number) = number.and_then(|code| *numbers.get(code)?) {
                        take(row, number);
                    }
                }
            }
            _ => return internal_err!("values of a type that cannot be counted"),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> u64 {
        let next = self.texts.len() as u64;
        match self.texts.get(text) {
            Some(key) => *key,
            None => *self.texts.entry(text.to_owned()).or_insert(next),
        }
    }

    /// The numbers of the texts of a dictionary; none for a missing one.
    fn numbers(&mut self, dictionary: &ArrayRef) -> Result<&[Option<u64>]> {
        if !matches!(&self.coded, Some((known, _)) if Arc::ptr_eq(known, dictionary)) {
            let texts: &StringArray = typed(dictionary)?;
            let numbers = texts.iter().map(|text| text.map(|text| self.text(text))).collect();
            self.coded = Some((Arc::clone(dictionary), numbers));
        }
        Ok(self.coded.as_ref().map(|(_, numbers)| numbers.as_slice()).unwrap_or_default())
    }
}

fn typed<A: 'static>(values: &ArrayRef) -> Result<&A> {
    values.as_any().downcast_ref().ok_or_else(|| internal_datafusion_err!("values of another type"))
}
