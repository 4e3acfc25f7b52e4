//! Rows of a shard folded into one number for each contact.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::buffer::BooleanBuffer;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::bits::packed;
use hyperseg_storage::layout::ORDINAL;

use super::extreme::last_values;
use super::node::Making;
use super::{Amounts, key_of};
use crate::plan::exec::{ShardContext, column};
use crate::plan::ops::distinct::distinct_counts;
use crate::plan::ops::measure::{Made, Values, measured};
use crate::plan::ops::record_set::row_counts;

/// The amounts of a shard.
pub(super) async fn fold(
    making: &Making,
    exprs: &[Arc<dyn PhysicalExpr>],
    input: SendableRecordBatchStream,
    shard: &ShardContext,
) -> Result<Amounts> {
    match (making, exprs) {
        (Making::Value, [value]) => values(value, input, shard).await,
        (Making::Count, []) => Ok(Amounts::of_counts(row_counts(input, shard).await?)),
        (Making::CountDistinct(same), [value]) => {
            Ok(Amounts::of_counts(distinct_counts(value, *same, input, shard).await?))
        }
        (Making::Measure(function), [value, kind @ ..]) => {
            let found = measured(*function, value, kind.first(), input, shard).await?;
            let ordinals = (0_u32..).take(shard.contacts);
            let (keys, known) = ordinals.map(|ordinal| key(found.made(ordinal))).unzip();
            Ok(Amounts::new(keys, known_of(known)))
        }
        (Making::Extreme { extreme, greatest }, [value]) => {
            last_values(*extreme, *greatest, value, input, shard).await
        }
        _ => internal_err!("amounts with other expressions"),
    }
}

/// The value of the one row that every contact has.
async fn values(
    value: &Arc<dyn PhysicalExpr>,
    mut input: SendableRecordBatchStream,
    shard: &ShardContext,
) -> Result<Amounts> {
    let mut found: Vec<Option<i128>> = vec![None; shard.contacts];
    shard.reservation.try_grow(shard.contacts * size_of::<Option<i128>>())?;
    let rows = shard.counter("rows");
    while let Some(batch) = input.try_next().await? {
        let values = Values::of(value.evaluate(&batch)?.into_array(batch.num_rows())?)?;
        let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
        rows.add(batch.num_rows());
        for (row, &ordinal) in ordinals.values().iter().enumerate() {
            let place = found.get_mut(ordinal as usize);
            *place.ok_or_else(|| internal_datafusion_err!("an ordinal beyond its shard"))? =
                values.get(row).map(Made::key);
        }
    }
    let known = packed(&found, Option::is_some);
    Ok(Amounts::new(found.into_iter().map(Option::unwrap_or_default).collect(), known))
}

fn key(made: Option<Made>) -> (i128, bool) {
    made.map_or((0, false), |made| (made.key(), true))
}

fn known_of(known: Vec<bool>) -> BooleanBuffer {
    known.into()
}

impl Made {
    /// As a whole number that is ordered as it is.
    pub(super) fn key(self) -> i128 {
        match self {
            Self::Whole(whole) => whole,
            Self::Real(real) => key_of(real),
        }
    }
}
