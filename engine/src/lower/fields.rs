//! Tests of single fields as expressions over their columns; null is UNKNOWN.

use chrono::NaiveDate;
use datafusion::common::{Result, exec_err, internal_datafusion_err, internal_err};
use datafusion::logical_expr::{Expr, cast, col, lit};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::lookups::Places;
use hyperseg_dsl::schema::{Class, Field, FieldType};
use hyperseg_dsl::segment::{
    AgeUnit, Anchor, Cmp, CodePattern, CodeSet, FieldTest, Near, NumberTest, Operand, Test, Window,
};
use hyperseg_dsl::value::{Value, days_since_epoch};
use hyperseg_storage::layout::known_column;

use super::anchors::Place;
use super::time::{Stretch, after, before, day, fixed_day, stretch};
use super::{bounds, literal, number, relation};
use crate::functions::{
    Against, DayRanges, ListOf, Reported, Returns, Side, TextTest, Texts, age_at, age_test, among,
    anniversary, anniversary_between, date_order, date_test, has_place, list_test, local_day, near, text,
    turns,
};

/// Whether the age on a day lies in one of these ranges, as an expression over the demographic columns.
pub(super) fn age_in(unit: AgeUnit, day: NaiveDate, ages: Vec<(u32, u32)>) -> Expr {
    age_test(unit, day, ages, col("birth_date"), col("deceased_on"))
}

/// Whether the age on a day that is an anchor lies in one of these ranges.
pub(super) fn age_on(unit: AgeUnit, on: &Anchor, ages: Vec<(u32, u32)>, place: &Place<'_>) -> Result<Expr> {
    if on.field().is_none() {
        return Ok(age_in(unit, fixed_day(on, place.clock)?, ages));
    }
    Ok(age_at(unit, ages, [col("birth_date"), col("deceased_on")], place.day(on)?))
}

/// Whether the day on which an age is completed lies in a window.
pub(super) fn turns_test(age: u32, window: &Window, place: &Place<'_>) -> Result<Expr> {
    let clock = place.clock;
    let dates = || [col("birth_date"), col("deceased_on")];
    if let Some((first, last)) = place.day_bounds(window)? {
        return Ok(turns(age, dates(), first, last));
    }
    let Some((first, last)) = stretch(window, clock)?.day_bounds() else {
        return exec_err!("a birthday in a window of hours");
    };
    let bound = |day: Option<NaiveDate>| day.map(|day| lit(days_since_epoch(day)));
    Ok(turns(age, dates(), bound(first), bound(last)))
}

/// Whether a contact lives within a distance of a place; the ZIP is read when there is a table to look it up in.
pub(super) fn near_test(of: &Near) -> Expr {
    near(of, col("location_lat"), col("location_lon"), of.places.as_ref().map(|_| col("zip")))
}

/// Whether a contact is placed by the ZIP.
pub(super) fn placed_by_zip(places: &Places) -> Expr {
    col("location_lat").is_null().and(has_place(places, col("zip")))
}

/// A test of a field among these.
pub(super) fn field_test(test: &FieldTest, fields: &[Field], place: &Place<'_>) -> Result<Expr> {
    let clock = place.clock;
    let field = fields
        .iter()
        .find(|field| field.name == test.field)
        .ok_or_else(|| internal_datafusion_err!("a field that the schema does not have"))?;
    match &test.test {
        Test::Known => Ok(known(field)),
        Test::Missing => Ok(!known(field)),
        Test::Codes(set) => Ok(code_test(&col(&field.name), set)),
        Test::Window(window) => {
            if let Some(test) = place.in_window(&col(&field.name), field.ty, window)? {
                return Ok(test);
            }
            let stretch = stretch(window, clock)?;
            match field.ty {
                FieldType::Date => Ok(stretch.date_test(&col(&field.name))),
                FieldType::Time => Ok(stretch.time_test(&col(&field.name))),
                _ => internal_err!("a window on a field that is no date"),
            }
        }
        Test::Text(op, operand) => match literal(operand)? {
            Value::Text(constant) => Ok(text(TextTest::new(*op, constant)?, col(&field.name))),
            _ => internal_err!("a text was expected"),
        },
        Test::List(how, operands) => {
            let places = operands.iter().map(|operand| match literal(operand)? {
                Value::Category(category) => number_of_category(field, category),
                _ => internal_err!("a category was expected"),
            });
            Ok(list_test(ListOf { how: *how, places: places.collect::<Result<_>>()? }, col(&field.name)))
        }
        Test::Compare(cmp, operand) => {
            let asked = || NumberTest::Compare(*cmp, operand.clone());
            or_interval(compare(field, &col(&field.name), *cmp, operand, clock)?, field, fields, asked)
        }
        Test::CompareField(cmp, other) => {
            let other = fields
                .iter()
                .find(|field| field.name == other.field)
                .ok_or_else(|| internal_datafusion_err!("a field that the schema does not have"))?;
            if is_moment(field) && is_moment(other) {
                return Ok(date_order(relation(*cmp), side(field, clock), side(other, clock)));
            }
            let (left, right) = (in_common(field, other), in_common(other, field));
            // At most one of the two can be an interval: they are not the same field.
            let (value, relation, against) = if is_result(other, fields) {
                (other, relation(turned(*cmp)), left.clone())
            } else {
                (field, relation(*cmp), right.clone())
            };
            let compared = plain(left, *cmp, right);
            if !is_result(value, fields) {
                return Ok(compared);
            }
            let against = cast(against, arrow::datatypes::DataType::Float64);
            let interval = reported(&value.name, fields, None);
            Ok(either(compared, interval.test(&value.name, Against::Column(relation), Some(against))))
        }
        Test::In(operands) => {
            let asked = || NumberTest::In(operands.clone());
            or_interval(one_of(field, &col(&field.name), operands, clock)?, field, fields, asked)
        }
        Test::Between(low, high) => {
            let column = col(&field.name);
            if field.ty == FieldType::Date {
                // Together: it may be open on which side of each bound a date lies, and not whether it lies between them.
                return Ok(date_test(DayRanges::between(Some(day(low)?), Some(day(high)?)), column));
            }
            let asked = || NumberTest::Range(low.clone(), high.clone());
            let both = compare(field, &column, Cmp::Ge, low, clock)?.and(compare(
                field,
                &column,
                Cmp::Le,
                high,
                clock,
            )?);
            or_interval(both, field, fields, asked)
        }
        Test::Measured { unit, test } => {
            let reported = reported(&field.name, fields, Some(unit));
            Ok(reported.test(&field.name, Against::Constants(bounds(test)?), None))
        }
    }
}

/// A field in the form in which it can be compared with another one.
fn in_common(field: &Field, other: &Field) -> Expr {
    let column = col(&field.name);
    match (field.ty, other.ty) {
        (FieldType::Int, FieldType::Number) => cast(column, arrow::datatypes::DataType::Float64),
        _ => column,
    }
}

/// A date or time.
fn is_moment(field: &Field) -> bool {
    matches!(field.ty, FieldType::Date | FieldType::Time)
}

/// A date, or the local day of a moment, as one side of a comparison.
fn side(field: &Field, clock: &Clock) -> (Side, Expr) {
    let column = col(&field.name);
    if field.ty == FieldType::Date {
        (Side::Date, column)
    } else {
        (Side::Day, local_day(clock.zone, column))
    }
}

/// The test of a value, or that of all that a result such as `<5.7` can be.
fn or_interval(
    test: Expr,
    field: &Field,
    fields: &[Field],
    asked: impl FnOnce() -> NumberTest,
) -> Result<Expr> {
    if !is_result(field, fields) {
        return Ok(test);
    }
    let interval = reported(&field.name, fields, None);
    Ok(either(test, interval.test(&field.name, Against::Constants(bounds(&asked())?), None)))
}

/// The first for a number, the second for a result with a comparator.
fn either(number: Expr, interval: Expr) -> Expr {
    let exact = || col("comparator").is_null();
    exact().and(number).or((!exact()).and(interval))
}

/// A number that may be reported with a comparator.
fn is_result(field: &Field, fields: &[Field]) -> bool {
    field.name == "value" && fields.iter().any(|other| other.name == "comparator")
}

/// How a field of numbers is reported in records with these fields, and the unit it is asked for in.
pub(super) fn reported(field: &str, fields: &[Field], unit: Option<&str>) -> Reported {
    let comparator = fields.iter().find(|other| field == "value" && other.name == "comparator");
    let place = |sign: &str| {
        let place = comparator?.categories.iter().position(|known| known == sign);
        place.and_then(|place| i16::try_from(place).ok())
    };
    Reported {
        comparators: comparator.map(|_| ["<", "<=", ">", ">="].map(place)),
        unit: unit.map(str::to_owned),
    }
}

/// The comparison seen from the other side.
fn turned(cmp: Cmp) -> Cmp {
    match cmp {
        Cmp::Eq | Cmp::Ne => cmp,
        Cmp::Lt => Cmp::Gt,
        Cmp::Le => Cmp::Ge,
        Cmp::Gt => Cmp::Lt,
        Cmp::Ge => Cmp::Le,
    }
}

/// A value is there. Never null.
fn known(field: &Field) -> Expr {
    match field.ty {
        FieldType::Point => col(format!("{}_lat", field.name)).is_not_null(),
        // Contact files say so in a column of their own, which spares the texts; records have no such class.
        FieldType::Text if field.class == Class::Identity && field.name != "contact_id" => {
            col(known_column(&field.name))
        }
        FieldType::Text
        | FieldType::Category
        | FieldType::Int
        | FieldType::Number
        | FieldType::Money
        | FieldType::Bool
        | FieldType::Date
        | FieldType::Time
        | FieldType::Code
        | FieldType::Categories => col(&field.name).is_not_null(),
    }
}

fn compare(field: &Field, column: &Expr, cmp: Cmp, operand: &Operand, clock: &Clock) -> Result<Expr> {
    let constant = literal(operand)?;
    match (field.ty, constant) {
        (FieldType::Time, Value::Date(day)) => return compare_days(column, cmp, *day, clock),
        (FieldType::Date, Value::Date(day)) => return compare_dates(column, cmp, *day),
        _ => {}
    }
    let (column, constant) = comparable(field, column, constant)?;
    Ok(plain(column, cmp, constant))
}

fn plain(column: Expr, cmp: Cmp, constant: Expr) -> Expr {
    match cmp {
        Cmp::Eq => column.eq(constant),
        Cmp::Ne => column.not_eq(constant),
        Cmp::Lt => column.lt(constant),
        Cmp::Le => column.lt_eq(constant),
        Cmp::Gt => column.gt(constant),
        Cmp::Ge => column.gt_eq(constant),
    }
}

/// A moment against a date: local days.
fn compare_days(column: &Expr, cmp: Cmp, day: NaiveDate, clock: &Clock) -> Result<Expr> {
    let within = |low, high| Stretch::days(clock, low, high).time_test(column);
    Ok(match cmp {
        Cmp::Eq => within(Some(day), Some(day)),
        Cmp::Ne => !within(Some(day), Some(day)),
        Cmp::Lt => within(None, Some(before(day)?)),
        Cmp::Le => within(None, Some(day)),
        Cmp::Gt => within(Some(after(day)?), None),
        Cmp::Ge => within(Some(day), None),
    })
}

/// A date against a date.
fn compare_dates(column: &Expr, cmp: Cmp, day: NaiveDate) -> Result<Expr> {
    let within = |low, high| date_test(DayRanges::between(low, high), column.clone());
    Ok(match cmp {
        Cmp::Eq => within(Some(day), Some(day)),
        Cmp::Ne => !within(Some(day), Some(day)),
        Cmp::Lt => within(None, Some(before(day)?)),
        Cmp::Le => within(None, Some(day)),
        Cmp::Gt => within(Some(after(day)?), None),
        Cmp::Ge => within(Some(day), None),
    })
}

/// Column and constant in a form in which they can be compared.
fn comparable(field: &Field, column: &Expr, constant: &Value) -> Result<(Expr, Expr)> {
    let column = column.clone();
    let constant = match (field.ty, constant) {
        (FieldType::Text, Value::Text(text)) => lit(text.as_str()),
        (FieldType::Category, Value::Category(category)) => lit(number_of_category(field, category)?),
        (FieldType::Int, Value::Int(int)) => match i32::try_from(*int) {
            Ok(int) => lit(int),
            Err(_) => return Ok((cast(column, arrow::datatypes::DataType::Int64), lit(*int))),
        },
        (FieldType::Int, Value::Number(number)) => {
            return Ok((cast(column, arrow::datatypes::DataType::Float64), lit(*number + 0.0)));
        }
        // Stored numbers have no negative zero; columns compare it as another number.
        (FieldType::Number, Value::Number(number)) => lit(*number + 0.0),
        (FieldType::Number, Value::Int(int)) => lit(*int as f64),
        (FieldType::Money, Value::Money(cents)) => lit(*cents),
        (FieldType::Bool, Value::Bool(flag)) => lit(*flag),
        (FieldType::Code, Value::Code(code)) => lit(code.to_string()),
        (_, _) => return internal_err!("a constant of another type than its field"),
    };
    Ok((column, constant))
}

/// Stored number of a category.
fn number_of_category(field: &Field, category: &str) -> Result<i16> {
    let place = field.categories.iter().position(|known| known == category);
    place
        .and_then(|place| i16::try_from(place).ok())
        .ok_or_else(|| internal_datafusion_err!("a category that the field does not have"))
}

fn one_of(field: &Field, column: &Expr, operands: &[Operand], clock: &Clock) -> Result<Expr> {
    if field.ty == FieldType::Time {
        let tests = operands.iter().map(|operand| compare(field, column, Cmp::Eq, operand, clock));
        let tests = tests.collect::<Result<Vec<_>>>()?;
        return tests.into_iter().reduce(Expr::or).ok_or_else(|| internal_datafusion_err!("an empty list"));
    }
    if field.ty == FieldType::Int {
        // Whole and fractional constants may stand in one list: compare as numbers.
        let constants =
            operands.iter().map(|operand| number(operand).map(lit)).collect::<Result<Vec<_>>>()?;
        return Ok(cast(column.clone(), arrow::datatypes::DataType::Float64).in_list(constants, false));
    }
    if field.ty == FieldType::Text {
        let texts = operands.iter().map(|operand| match literal(operand)? {
            Value::Text(text) => Ok(text.as_str()),
            _ => internal_err!("a text was expected"),
        });
        return Ok(among(Texts::new(texts.collect::<Result<Vec<_>>>()?.into_iter()), column.clone()));
    }
    if field.ty == FieldType::Date {
        let days = operands.iter().map(day).collect::<Result<Vec<_>>>()?;
        return Ok(date_test(DayRanges::of(days.into_iter()), column.clone()));
    }
    let mut constants = Vec::with_capacity(operands.len());
    for operand in operands {
        constants.push(comparable(field, column, literal(operand)?)?.1);
    }
    if constants.is_empty() {
        return internal_err!("an empty list");
    }
    Ok(column.clone().in_list(constants, false))
}

/// Included and not excluded.
fn code_test(column: &Expr, set: &CodeSet) -> Expr {
    let included = pattern_test(column, set.include.iter());
    match pattern_test(column, set.exclude.iter()) {
        None => included.unwrap_or_else(|| lit(false)),
        Some(excluded) => included.map_or_else(|| lit(false), |included| included.and(!excluded)),
    }
}

fn pattern_test<'a>(column: &Expr, patterns: impl Iterator<Item = &'a CodePattern>) -> Option<Expr> {
    let mut exact = Vec::new();
    let mut tests = Vec::new();
    for pattern in patterns {
        let code = pattern.code.to_string();
        match pattern.under.then(|| behind_prefix(&code)).flatten() {
            Some(end) => tests.push(column.clone().gt_eq(lit(code)).and(column.clone().lt(lit(end)))),
            None => exact.push(code),
        }
    }
    match exact.as_slice() {
        [] => {}
        [code] => tests.push(column.clone().eq(lit(code.as_str()))),
        _ => tests.push(among(Texts::new(exact.into_iter()), column.clone())),
    }
    tests.into_iter().reduce(Expr::or)
}

/// The least text that is greater than every text with this prefix. Codes are ASCII, so that their last byte can
/// always be counted up.
fn behind_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    let last = chars.pop()?;
    chars.push(char::from_u32(u32::from(last) + 1)?);
    Some(chars.into_iter().collect())
}

/// A yearly return of a date in a window with two ends.
pub(super) fn anniversary_test(field: &str, window: &Window, place: &Place<'_>) -> Result<Expr> {
    let clock = place.clock;
    match place.day_bounds(window)? {
        Some((Some(first), Some(last))) => return Ok(anniversary_between(col(field), first, last)),
        Some(_) => return exec_err!("an anniversary in a window without two ends"),
        None => {}
    }
    let bounds = stretch(window, clock)?.day_bounds();
    let Some((Some(first), Some(last))) = bounds else {
        return exec_err!("an anniversary in a window without two ends");
    };
    let returns = Returns { first: days_since_epoch(first), last: days_since_epoch(last) };
    Ok(anniversary(returns, col(field)))
}
