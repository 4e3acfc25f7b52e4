//! `turns(birth_date, deceased_on, first, last)`: the day on which an age is completed falls into a range of days, and into
//! life.

use std::sync::Arc;

use arrow::array::{BooleanArray, Int32Array};
use arrow::datatypes::DataType;
use chrono::{Months, NaiveDate};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hyperseg_dsl::value::{DateRange, days_since_epoch, unpack_date_range};

use super::dates::{agreed, bounds_of, ints};

/// The test as a Boolean expression. The ends of the range are both included and days since 1970-01-01. Null when the birth
/// date or an end is missing, and when the days that birth and death can be differ in it.
pub(crate) fn turns(age: u32, dates: [Expr; 2], first: Option<Expr>, last: Option<Expr>) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    let (has_first, has_last) = (first.is_some(), last.is_some());
    let arguments = dates.into_iter().chain(first).chain(last).collect();
    ScalarUDF::from(Turns { signature, age, has_first, has_last }).call(arguments)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Turns {
    signature: Signature,
    age: u32,
    has_first: bool,
    has_last: bool,
}

impl Turns {
    fn holds(&self, born: i32, died: Option<i32>, (first, last): (i32, i32)) -> Option<bool> {
        let months = Months::new(self.age.saturating_mul(12));
        let died = match died {
            Some(died) => Some(unpack_date_range(died)?),
            None => None,
        };
        let of = |born: NaiveDate| {
            // Years of months are clamped as birthdays are: only 29 February can be.
            let day = born.checked_add_months(months)?;
            let number = days_since_epoch(day);
            alive(died, day, first <= number && number <= last)
        };
        let born = unpack_date_range(born)?;
        agreed(born.days().map(of)).flatten()
    }
}

/// What is said of a day if it lies in life, and FALSE if not; `None` where that is open and matters.
fn alive(died: Option<DateRange>, day: NaiveDate, then: bool) -> Option<bool> {
    match died {
        None => Some(then),
        Some(died) if died.first >= day => Some(then),
        Some(died) if died.last < day => Some(false),
        Some(_) => (!then).then_some(false),
    }
}

impl ScalarUDFImpl for Turns {
    fn name(&self) -> &str {
        "turns"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let columns: Option<Vec<&Int32Array>> = arrays.iter().map(ints).collect();
        let Some([birth, death, ends @ ..]) = columns.as_deref() else {
            return internal_err!("turns takes two dates and days");
        };
        let (first, last) = bounds_of(ends, self.has_first, self.has_last);
        let answers = birth
            .iter()
            .zip(death.iter())
            .enumerate()
            .map(|(row, (born, died))| self.holds(born?, died, (first.at(row)?, last.at(row)?)));
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    }
}
