//! Numbers as they are reported: with a comparator, in a unit of their own.
//!
//! ```text
//! in:   value 7, unit mmol/L, code LOINC:2345-7       value 40, comparator <, unit mg/dL       asked for in mg/dL: > 120
//! out:  TRUE (126.1)                                  FALSE (everything below 40)
//! ```
//!
//! A unit is read once for every spelling in a batch, not for every row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int8Array, Int16Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, col,
};
use hyperseg_dsl::units::{Conversion, Unit};
use hyperseg_dsl::value::Code;

use crate::plan::ops::interval::{Kind, truth};
use crate::plan::ops::measure::{Bounds, Constant, Relation};

/// How a field of numbers is reported, and the unit in which it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reported {
    /// The stored numbers of `<`, `<=`, `>`, `>=` where the record has a comparator.
    pub(crate) comparators: Option<[Option<i16>; 4]>,
    /// UCUM unit; without one numbers are as they are stored.
    pub(crate) unit: Option<String>,
}

/// What the number is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Against {
    /// Constants.
    Constants(Bounds),
    /// Another column, the last argument.
    Column(Relation),
}

impl Reported {
    /// Always the stored number.
    pub(crate) fn is_exact(&self) -> bool {
        self.comparators.is_none() && self.unit.is_none()
    }

    /// A test of all that the number can be: null where they differ, and without a value.
    pub(crate) fn test(self, field: &str, against: Against, other: Option<Expr>) -> Expr {
        let mut args = self.args(field);
        args.extend(other);
        function(self, Asked::Test(against)).call(args)
    }

    /// The number in the unit; null without a value, and where it cannot be converted.
    pub(crate) fn number(&self, field: &str) -> Expr {
        if self.unit.is_none() {
            return col(field);
        }
        function(self.clone(), Asked::Number).call(self.args(field))
    }

    /// What the value says of the number, as [`Kind::number`]; null without a value.
    pub(crate) fn kind(&self, field: &str) -> Expr {
        function(self.clone(), Asked::Kind).call(self.args(field))
    }

    fn args(&self, field: &str) -> Vec<Expr> {
        let mut args = vec![col(field)];
        if self.comparators.is_some() {
            args.push(col("comparator"));
        }
        if self.unit.is_some() {
            args.extend([col("unit"), col("code")]);
        }
        args
    }

    fn kind_of(&self, comparator: Option<i16>) -> Kind {
        let (Some(comparator), Some(places)) = (comparator, self.comparators) else { return Kind::Exact };
        let kinds = [Kind::Below, Kind::AtMost, Kind::Above, Kind::AtLeast];
        let known = places.iter().zip(kinds).find(|(place, _)| **place == Some(comparator));
        known.map_or(Kind::Anything, |(_, kind)| kind)
    }
}

fn function(reported: Reported, asked: Asked) -> ScalarUDF {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ScalarUDF::from(ReportedFunction { signature, reported, asked })
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Asked {
    Test(Against),
    Number,
    Kind,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ReportedFunction {
    signature: Signature,
    reported: Reported,
    asked: Asked,
}

/// A unit and a code as they are spelled.
type Spelling<'b> = (&'b str, Option<&'b str>);

/// Conversions of one batch.
struct Conversions<'b> {
    to: Option<Unit>,
    units: &'b StringArray,
    codes: &'b StringArray,
    known: HashMap<Spelling<'b>, Option<Conversion>>,
    /// Rows lie by code, so that most are as the one before.
    last: Option<(Spelling<'b>, Option<Conversion>)>,
}

impl<'b> Conversions<'b> {
    fn of(&mut self, row: usize) -> Option<Conversion> {
        if self.units.is_null(row) {
            return None;
        }
        let key = (self.units.value(row), self.codes.is_valid(row).then(|| self.codes.value(row)));
        if let Some((last, conversion)) = self.last
            && last == key
        {
            return conversion;
        }
        let to = self.to;
        let conversion = *self.known.entry(key).or_insert_with(|| {
            let code = key.1.and_then(|code| code.split_once(':'));
            let code = code.map(|(system, code)| Code { system: system.to_owned(), code: code.to_owned() });
            Conversion::between(&Unit::parse(key.0)?, &to?, code.as_ref())
        });
        self.last = Some((key, conversion));
        conversion
    }
}

fn typed<A: 'static>(arrays: &[ArrayRef], place: usize) -> Result<&A> {
    arrays
        .get(place)
        .and_then(|array| array.as_any().downcast_ref())
        .ok_or_else(|| internal_datafusion_err!("a reported number of another type"))
}

impl ReportedFunction {
    /// Calls `take` for every row: the number and what it says, or `None` without a value.
    fn each(&self, arrays: &[ArrayRef], mut take: impl FnMut(usize, Option<(f64, Kind)>)) -> Result<()> {
        let values: &Float64Array = typed(arrays, 0)?;
        let mut place = 1;
        let comparators: Option<&Int16Array> = match self.reported.comparators {
            Some(_) => {
                place += 1;
                Some(typed(arrays, 1)?)
            }
            None => None,
        };
        let mut conversions = match &self.reported.unit {
            None => None,
            Some(unit) => Some(Conversions {
                to: Unit::parse(unit),
                units: typed(arrays, place)?,
                codes: typed(arrays, place + 1)?,
                known: HashMap::new(),
                last: None,
            }),
        };
        for row in 0..values.len() {
            if values.is_null(row) {
                take(row, None);
                continue;
            }
            let comparator = comparators.filter(|comparators| comparators.is_valid(row));
            let kind = self.reported.kind_of(comparator.map(|comparators| comparators.value(row)));
            let value = values.value(row);
            let number = match conversions.as_mut().map(|conversions| conversions.of(row)) {
                None => (value, kind),
                Some(Some(conversion)) => (conversion.apply(value) + 0.0, kind),
                Some(None) => (0.0, Kind::Anything),
            };
            take(row, Some(number));
        }
        Ok(())
    }

    fn test(&self, arrays: &[ArrayRef], against: &Against) -> Result<BooleanArray> {
        let others: Option<&Float64Array> = match against {
            Against::Constants(_) => None,
            Against::Column(_) => Some(typed(arrays, arrays.len().saturating_sub(1))?),
        };
        let mut answers = Vec::with_capacity(arrays.first().map_or(0, |array| array.len()));
        self.each(arrays, |row, number| {
            let answer = number.and_then(|(value, kind)| {
                let ends = |to: f64| (kind.low(value).order_low(to), kind.high(value).order_high(to));
                match against {
                    Against::Constants(bounds) => truth(bounds.judge(|constant| ends(real(constant)))),
                    Against::Column(relation) => {
                        let other = others.filter(|others| others.is_valid(row))?;
                        let (low, high) = ends(other.value(row));
                        truth(relation.judge(low, high))
                    }
                }
            });
            answers.push(answer);
        })?;
        Ok(answers.into_iter().collect())
    }
}

fn real(constant: Constant) -> f64 {
    match constant {
        Constant::Whole(whole) => whole as f64,
        Constant::Real(bits) => f64::from_bits(bits),
    }
}

impl ScalarUDFImpl for ReportedFunction {
    fn name(&self) -> &str {
        match self.asked {
            Asked::Test(_) => "reported_test",
            Asked::Number => "reported_number",
            Asked::Kind => "reported_kind",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(match self.asked {
            Asked::Test(_) => DataType::Boolean,
            Asked::Number => DataType::Float64,
            Asked::Kind => DataType::Int8,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let answer: ArrayRef = match &self.asked {
            Asked::Test(against) => Arc::new(self.test(&arrays, against)?),
            Asked::Number => {
                let mut numbers = Vec::new();
                self.each(&arrays, |_, number| {
                    let known = number.filter(|(_, kind)| *kind != Kind::Anything);
                    numbers.push(known.map(|(value, _)| value));
                })?;
                Arc::new(Float64Array::from(numbers))
            }
            Asked::Kind => {
                let mut kinds = Vec::new();
                self.each(&arrays, |_, number| kinds.push(number.map(|(_, kind)| kind.number())))?;
                Arc::new(Int8Array::from(kinds))
            }
        };
        Ok(ColumnarValue::Array(answer))
    }
}
