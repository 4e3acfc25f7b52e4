//! Tests of a column that is written as one byte: each byte's answer is worked out once.
//!
//! In: a Boolean expression over a category or flag of contacts. Out: an answer for each of the 256 bytes, and from then
//! on a lookup per row, without making numbers of the bytes or evaluating anything.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int16Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::reassign_expr_columns;
use hyperseg_storage::bits::{packed, packed_by};
use hyperseg_storage::file::MISSING_BYTE;

use super::reading::truths;

/// With more bytes than this to look for, a table is quicker than comparing with each.
const COMPARED_MAX: usize = 8;

/// Answers by byte.
#[derive(Debug)]
pub(super) struct Lookup {
    certain: Bytes,
    known: Bytes,
}

/// A set of bytes, in the form in which members are found fastest.
#[derive(Debug)]
enum Bytes {
    /// These.
    Some(Vec<u8>),
    /// All but these.
    AllBut(Vec<u8>),
    /// By byte.
    Table(Box<[bool; 256]>),
}

impl Bytes {
    fn of(table: [bool; 256]) -> Self {
        let those = |member: bool| {
            let bytes = (0..=u8::MAX).zip(table).filter(|(_, is_member)| *is_member == member);
            bytes.map(|(byte, _)| byte).collect::<Vec<u8>>()
        };
        let (members, others) = (those(true), those(false));
        if members.len() <= COMPARED_MAX {
            Self::Some(members)
        } else if others.len() <= COMPARED_MAX {
            Self::AllBut(others)
        } else {
            Self::Table(Box::new(table))
        }
    }

    /// Which of these bytes are in it.
    fn among(&self, bytes: &[u8]) -> BooleanBuffer {
        let one_of = |members: &[u8]| {
            packed_by(bytes, |bytes, flags| {
                for member in members {
                    flags.iter_mut().zip(bytes).for_each(|(flag, byte)| *flag |= u8::from(byte == member));
                }
            })
        };
        match self {
            Self::Some(members) => one_of(members),
            Self::AllBut(others) if others.is_empty() => BooleanBuffer::new_set(bytes.len()),
            Self::AllBut(others) => !&one_of(others),
            // A byte is always a place of the table.
            Self::Table(table) => {
                packed(bytes, |byte| table.get(usize::from(*byte)).copied().unwrap_or_default())
            }
        }
    }
}

impl Lookup {
    /// The answers of an expression over this one column; `None` when the column is not of a kind that is written as bytes.
    pub(super) fn of(expr: &Arc<dyn PhysicalExpr>, schema: &Schema, column: &str) -> Result<Option<Self>> {
        let field = schema.field_with_name(column)?;
        let is_there = |byte: u8| byte != MISSING_BYTE;
        let values: ArrayRef = match field.data_type() {
            DataType::Int16 => Arc::new(
                (0..=u8::MAX).map(|byte| is_there(byte).then(|| i16::from(byte))).collect::<Int16Array>(),
            ),
            DataType::Boolean => Arc::new(
                (0..=u8::MAX).map(|byte| is_there(byte).then_some(byte == 1)).collect::<BooleanArray>(),
            ),
            _ => return Ok(None),
        };
        let schema: SchemaRef = Arc::new(Schema::new(vec![field.clone().with_nullable(true)]));
        let expr = reassign_expr_columns(Arc::clone(expr), &schema)?;
        let found = truths(&expr, &RecordBatch::try_new(schema, vec![values])?)?;
        let by_byte = |holds: &dyn Fn(usize) -> bool| Bytes::of(std::array::from_fn(holds));
        let certain = by_byte(&|byte| found.is_valid(byte) && found.value(byte));
        let known = by_byte(&|byte| found.is_valid(byte));
        Ok(Some(Self { certain, known }))
    }

    /// The answers for a column.
    pub(super) fn answers(&self, bytes: &[u8]) -> BooleanArray {
        let known = NullBuffer::new(self.known.among(bytes));
        BooleanArray::new(self.certain.among(bytes), (known.null_count() > 0).then_some(known))
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
            Lookup::of(&expr, &schema, column).unwrap()
        };
        let bytes: Vec<u8> = (0..200).map(|row| [3, 7, MISSING_BYTE, 254][row % 4]).collect();
        let found = lookup(col("state").in_list(vec![lit(3_i16), lit(254_i16)], true), "state").unwrap();
        let found = found.answers(&bytes);
        let expected: BooleanArray =
            bytes.iter().map(|byte| (*byte != MISSING_BYTE).then_some(*byte == 7)).collect();
        assert_eq!(found, expected);
        let found = lookup(!col("known"), "known").unwrap().answers(&[0, 1, MISSING_BYTE]);
        assert_eq!(found, BooleanArray::from(vec![Some(true), Some(false), None]));
        let found = lookup(col("state").is_null(), "state").unwrap().answers(&bytes);
        assert_eq!((found.null_count(), found.true_count()), (0, 50));
        assert!(lookup(col("born").is_null(), "born").is_none());
    }
}
