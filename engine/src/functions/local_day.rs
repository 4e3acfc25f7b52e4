//! `local_day(time)`: the local day of a packed moment, as days since 1970-01-01.

use std::sync::Arc;

use arrow::array::{Int32Array, Int64Array};
use arrow::datatypes::DataType;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::value::{When, days_since_epoch, unpack_time};

/// The day as an expression, null when the moment is missing.
pub(crate) fn local_day(zone: Tz, time: Expr) -> Expr {
    ScalarUDF::from(LocalDay { signature: Signature::any(1, Volatility::Immutable), zone }).call(vec![time])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LocalDay {
    signature: Signature,
    zone: Tz,
}

impl ScalarUDFImpl for LocalDay {
    fn name(&self) -> &str {
        "local_day"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let times = arrays.first().and_then(|array| array.as_any().downcast_ref::<Int64Array>());
        let Some(times) = times else { return internal_err!("local_day takes a time") };
        let clock = Clock { as_of_micros: 0, zone: self.zone };
        // Instants of the local day looked up last: rows lie in time order, so that most are of the same day.
        let (mut from, mut until, mut known) = (0, 0, 0);
        let mut day = |packed: i64| {
            let when = unpack_time(packed);
            let when = when.ok_or_else(|| internal_datafusion_err!("a moment of unknown precision"))?;
            if let When::Instant(micros) = when {
                if micros < from || until <= micros {
                    let day = clock.local_day(micros);
                    (from, known) = (clock.start_of_day(day), days_since_epoch(day));
                    until = day.succ_opt().map_or(from, |next| clock.start_of_day(next));
                }
                return Ok(known);
            }
            Ok(days_since_epoch(clock.day_of(when)))
        };
        let days = times.iter().map(|time| time.map(&mut day).transpose());
        Ok(ColumnarValue::Array(Arc::new(days.collect::<Result<Int32Array>>()?)))
    }
}
