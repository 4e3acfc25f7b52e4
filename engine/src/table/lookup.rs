//! Tests of a column that is written as one byte: each byte's answer is worked out once.
//!
//! In: a Boolean expression over a category or flag of contacts. Out: an answer for each of the 256 bytes, and from then
//! on a lookup per row, without making numbers of the bytes or evaluating anything.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int16Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::reassign_expr_columns;
use hyperseg_storage::bits::byte_of;
use hyperseg_storage::file::MISSING_BYTE;

use super::reading::truths;

/// Answers by byte: bit 0 says TRUE, bit 1 known.
#[derive(Debug)]
pub(super) struct Lookup {
    answers: [u8; 256],
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
        let mut answers = [0; 256];
        for (answer, truth) in answers.iter_mut().zip(&found) {
            *answer = match truth {
                Some(true) => 0b11,
                Some(false) => 0b10,
                None => 0,
            };
        }
        Ok(Some(Self { answers }))
    }

    /// The answers for a column.
    pub(super) fn answers(&self, bytes: &[u8]) -> BooleanArray {
        let length = bytes.len().div_ceil(8);
        let (mut certain, mut known) = (Vec::with_capacity(length), Vec::with_capacity(length));
        let mut add = |answers: [u8; 8]| {
            certain.push(byte_of(answers.map(|answer| answer & 1)));
            known.push(byte_of(answers.map(|answer| answer >> 1)));
        };
        // Eight at a time, with nothing to decide in between; a byte is always a place of the table.
        let answer = |byte: u8| self.answers.get(usize::from(byte)).copied().unwrap_or_default();
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            add(chunk.map(answer));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            for (to, byte) in last.iter_mut().zip(rest) {
                *to = answer(*byte);
            }
            add(last);
        }
        let bits =
            |bytes_of_bits: Vec<u8>| BooleanBuffer::new(Buffer::from_vec(bytes_of_bits), 0, bytes.len());
        let known = NullBuffer::new(bits(known));
        BooleanArray::new(bits(certain), (known.null_count() > 0).then_some(known))
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
