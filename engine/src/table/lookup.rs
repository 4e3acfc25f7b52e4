//! Tests of a column of categories or flags: each value's answer is worked out once.
//!
//! In: a Boolean expression over a category or flag, of contacts (written as a byte) or of records (as a number). Out: an
//! answer for each value that is written, and from then on a lookup per row, without making what is read of what is
//! written, or evaluating anything.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int16Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::reassign_expr_columns;
use hyperseg_storage::bits::{packed, packed_by};
use hyperseg_storage::file::{MISSING_BYTE, MISSING_PLACE};

use super::reading::truths;

/// With more values than this to look for, a table is quicker than comparing with each.
const COMPARED_MAX: usize = 8;
/// Numbers of categories of records that are answered; a field with more of them is evaluated.
const PLACES: i16 = 128;

/// A category or flag as it is written.
pub(super) trait Written: Copy + PartialEq {
    /// All that is answered, what stands for missing at the end.
    fn all() -> impl Iterator<Item = Self>;

    /// What it stands for; `None` is missing.
    fn place(self) -> Option<i16>;

    /// Its place among all.
    fn index(self) -> usize;
}

impl Written for u8 {
    fn all() -> impl Iterator<Item = Self> {
        // What stands for missing is the last.
        0..=MISSING_BYTE
    }

    fn place(self) -> Option<i16> {
        (self != MISSING_BYTE).then_some(i16::from(self))
    }

    fn index(self) -> usize {
        usize::from(self)
    }
}

impl Written for i16 {
    fn all() -> impl Iterator<Item = Self> {
        (0..PLACES).chain([MISSING_PLACE])
    }

    fn place(self) -> Option<i16> {
        (self != MISSING_PLACE).then_some(self)
    }

    fn index(self) -> usize {
        self.place().and_then(|place| usize::try_from(place).ok()).unwrap_or(PLACES as usize)
    }
}

/// Answers by value.
#[derive(Debug)]
pub(super) struct Lookup<V> {
    certain: Members<V>,
    known: Members<V>,
}

/// A set of values, in the form in which members are found fastest.
#[derive(Debug)]
enum Members<V> {
    /// These.
    Some(Vec<V>),
    /// All but these.
    AllBut(Vec<V>),
    /// By place among all.
    Table(Vec<bool>),
}

impl<V: Written> Members<V> {
    fn of(table: Vec<bool>) -> Self {
        let those = |member: bool| {
            let values = V::all().zip(&table).filter(|(_, is_member)| **is_member == member);
            values.map(|(value, _)| value).collect::<Vec<V>>()
        };
        let (members, others) = (those(true), those(false));
        if members.len() <= COMPARED_MAX {
            Self::Some(members)
        } else if others.len() <= COMPARED_MAX {
            Self::AllBut(others)
        } else {
            Self::Table(table)
        }
    }

    /// Which of these values are in it.
    fn among(&self, values: &[V]) -> BooleanBuffer {
        let one_of = |members: &[V]| {
            packed_by(values, |values, flags| {
                for member in members {
                    flags.iter_mut().zip(values).for_each(|(flag, value)| *flag |= u8::from(value == member));
                }
            })
        };
        match self {
            Self::Some(members) => one_of(members),
            Self::AllBut(others) if others.is_empty() => BooleanBuffer::new_set(values.len()),
            Self::AllBut(others) => !&one_of(others),
            Self::Table(table) => {
                packed(values, |value| table.get(value.index()).copied().unwrap_or_default())
            }
        }
    }
}

impl<V: Written> Lookup<V> {
    /// The answers of an expression over this one column; `None` when it is neither a category nor a flag.
    pub(super) fn of(expr: &Arc<dyn PhysicalExpr>, field: &Field) -> Result<Option<Self>> {
        let places = V::all().map(V::place);
        let values: ArrayRef = match field.data_type() {
            DataType::Int16 => Arc::new(places.collect::<Int16Array>()),
            DataType::Boolean => {
                Arc::new(places.map(|place| place.map(|place| place == 1)).collect::<BooleanArray>())
            }
            _ => return Ok(None),
        };
        let schema: SchemaRef = Arc::new(Schema::new(vec![field.clone().with_nullable(true)]));
        let expr = reassign_expr_columns(Arc::clone(expr), &schema)?;
        let found = truths(&expr, &RecordBatch::try_new(schema, vec![values])?)?;
        let by_value = |holds: &dyn Fn(usize) -> bool| Members::of((0..found.len()).map(holds).collect());
        let certain = by_value(&|place| found.is_valid(place) && found.value(place));
        let known = by_value(&|place| found.is_valid(place));
        Ok(Some(Self { certain, known }))
    }

    /// Where the answer for a column is TRUE.
    pub(super) fn certain(&self, values: &[V]) -> BooleanBuffer {
        self.certain.among(values)
    }

    /// The answers for a column.
    pub(super) fn answers(&self, values: &[V]) -> BooleanArray {
        let known = NullBuffer::new(self.known.among(values));
        BooleanArray::new(self.certain.among(values), (known.null_count() > 0).then_some(known))
    }
}

impl Lookup<i16> {
    /// The answers for a column; `None` when it has numbers that were not looked up.
    pub(super) fn answers_known(&self, places: &[i16]) -> Option<BooleanArray> {
        let beyond = places.iter().fold(false, |beyond, place| beyond | (*place >= PLACES));
        (!beyond).then(|| self.answers(places))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;
    use arrow::datatypes::Field;
    use datafusion::common::DFSchema;
    use datafusion::execution::context::ExecutionProps;
    use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
    use datafusion::logical_expr::{col, lit};
    use datafusion::physical_expr::create_physical_expr;

    use super::*;

    #[test]
    fn bytes_are_answered_as_their_values_are() {
        let schema = Schema::new(vec![
            Field::new("state", DataType::Int16, true),
            Field::new("known", DataType::Boolean, true),
            Field::new("born", DataType::Int32, true),
        ]);
        let plan = DFSchema::try_from(schema.clone()).unwrap();
        let lookup = |expr, column| {
            let expr = create_physical_expr(
                &expr,
                &plan,
                &ExecutionProps::new(),
                &PhysicalPlanningContext::default(),
            )
            .unwrap();
            let field = schema.field_with_name(column).unwrap();
            (Lookup::<u8>::of(&expr, field).unwrap(), Lookup::<i16>::of(&expr, field).unwrap())
        };
        let bytes: Vec<u8> = (0..200).map(|row| [3, 7, MISSING_BYTE, 104][row % 4]).collect();
        let places: Vec<i16> = bytes.iter().map(|byte| byte.place().unwrap_or(MISSING_PLACE)).collect();
        let answers = |expr, column| {
            let (of_bytes, of_places) = lookup(expr, column);
            let found = of_bytes.unwrap().answers(&bytes);
            assert_eq!(of_places.unwrap().answers_known(&places), Some(found.clone()));
            found
        };
        let found = answers(col("state").in_list(vec![lit(3_i16), lit(104_i16)], true), "state");
        let expected: BooleanArray =
            bytes.iter().map(|byte| (*byte != MISSING_BYTE).then_some(*byte == 7)).collect();
        assert_eq!(found, expected);
        let found = answers(col("state").is_null(), "state");
        assert_eq!((found.null_count(), found.true_count()), (0, 50));
        let found = answers(col("state").gt(lit(100_i16)), "state");
        assert_eq!((found.null_count(), found.true_count()), (50, 50));
        let (of_bytes, of_places) = lookup(!col("known"), "known");
        let expected = BooleanArray::from(vec![Some(true), Some(false), None]);
        assert_eq!(of_bytes.unwrap().answers(&[0, 1, MISSING_BYTE]), expected);
        assert_eq!(of_places.unwrap().answers_known(&[0, 1, MISSING_PLACE]), Some(expected));
        let (_, of_places) = lookup(col("state").is_not_null(), "state");
        assert_eq!(of_places.unwrap().answers_known(&[0, 128]), None, "it was not looked up");
        let (of_bytes, of_places) = lookup(col("born").is_null(), "born");
        assert!(of_bytes.is_none() && of_places.is_none());
    }
}
