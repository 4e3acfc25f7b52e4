//! What a function says of a month or a year is what it says of every day of it.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::NaiveDate;
use datafusion::common::DFSchema;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_expr::create_physical_expr;
use hyperseg_dsl::segment::AgeUnit;
use hyperseg_dsl::value::{
    PartialDate, days_since_epoch, pack_date, pack_partial, parse_day, unpack_date_range,
};

use super::*;
use crate::plan::ops::measure::Relation;

fn day(text: &str) -> NaiveDate {
    parse_day(text).unwrap()
}

fn date(text: &str) -> i32 {
    PartialDate::parse(text).map_or_else(|| pack_date(day(text)), pack_partial)
}

/// The answers for pairs of dates, `None` for a missing one.
fn answers(expr: &Expr, pairs: &[(i32, Option<i32>)]) -> Vec<Option<bool>> {
    let schema = Schema::new(vec![
        Field::new("born", DataType::Int32, true),
        Field::new("died", DataType::Int32, true),
    ]);
    let born: Int32Array = pairs.iter().map(|(born, _)| Some(*born)).collect();
    let died: Int32Array = pairs.iter().map(|(_, died)| *died).collect();
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(born), Arc::new(died)]).unwrap();
    let context = PhysicalPlanningContext::default();
    let schema = DFSchema::try_from(batch.schema()).unwrap();
    let physical = create_physical_expr(expr, &schema, &ExecutionProps::new(), &context).unwrap();
    let found = physical.evaluate(&batch).unwrap().into_array(batch.num_rows()).unwrap();
    found.as_any().downcast_ref::<BooleanArray>().unwrap().iter().collect()
}

/// The days that a packed date can be, packed.
fn each(packed: i32) -> Vec<i32> {
    unpack_date_range(packed).unwrap().days().map(pack_date).collect()
}

/// Tests of `born`, or of `born` and `died`, on both sides of every edge of the dates below.
fn tests() -> Vec<Expr> {
    let (born, died) = (|| col("born"), || col("died"));
    let day_of = |text: &str| lit(days_since_epoch(day(text)));
    let mut tests = Vec::new();
    for edge in
        ["1999-12-31", "2000-01-01", "2000-01-31", "2000-02-29", "2000-06-15", "2000-12-31", "2001-01-01"]
    {
        let edge_day = Some(day(edge));
        for ranges in [
            DayRanges::between(None, edge_day),
            DayRanges::between(edge_day, None),
            DayRanges::between(edge_day, edge_day),
            DayRanges::between(edge_day, Some(day("2000-02-28"))),
            DayRanges::of(day("2000-02-01").iter_days().take(29).chain(edge_day)),
        ] {
            tests.push(date_test(ranges, born()));
        }
        for relation in [
            Relation::Equal,
            Relation::Unequal,
            Relation::Less,
            Relation::AtMost,
            Relation::Greater,
            Relation::AtLeast,
        ] {
            tests.push(date_order(relation, (Side::Date, born()), (Side::Day, day_of(edge))));
            tests.push(date_order(relation, (Side::Date, died()), (Side::Date, born())));
        }
        tests.push(date_between(born(), Some(day_of(edge)), Some(day_of("2000-03-01"))));
        tests.push(date_between(born(), Some(day_of("2000-02-01")), Some(day_of(edge))));
        tests.push(date_between(born(), None, Some(day_of(edge))));
        tests.push(date_between(born(), Some(day_of(edge)), None));
        for unit in [AgeUnit::Years, AgeUnit::Months] {
            for ages in [vec![(0, 0)], vec![(1, u32::MAX)], vec![(0, 3), (5, 11)]] {
                tests.push(age_test(unit, day(edge), ages.clone(), born(), died()));
                tests.push(age_at(unit, ages, [born(), died()], day_of(edge)));
            }
        }
        tests.push(turns(1, [born(), died()], Some(day_of(edge)), None));
        tests.push(turns(1, [born(), died()], Some(day_of("2001-01-15")), Some(day_of("2001-12-31"))));
        tests.push(turns(0, [born(), died()], None, Some(day_of(edge))));
        let returns =
            Returns { first: days_since_epoch(day("2004-01-01")), last: days_since_epoch(day(edge)) + 1461 };
        tests.push(anniversary(returns, born()));
        tests.push(anniversary_between(born(), lit(returns.first), lit(returns.last)));
    }
    tests
}

#[test]
fn a_month_or_year_is_decided_by_its_days() {
    let dates = ["2000-06-15", "2000-02", "2000-01", "1999-12", "2000", "1999", "2001-02"].map(date);
    let died = [None, Some("2000-06-15"), Some("2000-02"), Some("2000-01"), Some("2001")];
    let mut decided = 0;
    for test in tests() {
        for born in dates {
            for died in died.map(|died| died.map(date)) {
                let deaths = died.map_or(vec![None], |died| each(died).into_iter().map(Some).collect());
                let births = each(born);
                // Two years have 133,956 pairs of days, two months fewer than a thousand.
                if births.len() * deaths.len() > 1_000 {
                    continue;
                }
                let pairs: Vec<(i32, Option<i32>)> =
                    births.iter().flat_map(|born| deaths.iter().map(|died| (*born, *died))).collect();
                let expected = dates::agreed(answers(&test, &pairs).into_iter()).flatten();
                let found = answers(&test, &[(born, died)]);
                assert_eq!(found, [expected], "{test:?} of {born} and {died:?}");
                decided += usize::from(expected.is_some());
            }
        }
    }
    assert!(decided > 1_000, "{decided}");
}

#[test]
fn fully_known_dates_are_answered_alike_beside_others() {
    let full: Vec<(i32, Option<i32>)> =
        ["1999-12-31", "2000-01-01", "2000-02-29", "2000-06-15", "2001-01-01"]
            .iter()
            .flat_map(|born| [(date(born), None), (date(born), Some(date("2000-06-14")))])
            .collect();
    for test in tests() {
        let alone = answers(&test, &full);
        let mut beside = full.clone();
        beside.extend([(date("2000"), Some(date("2000-02"))), (date("1950-06"), None)]);
        assert_eq!(answers(&test, &beside)[..full.len()], alone, "{test:?}");
    }
}

#[test]
fn only_days_are_numbers() {
    let rows =
        [(date("2000-06-15"), None), (date("2000-06"), Some(date("2000"))), (date("1950-01-01"), None)];
    let full = [Some(true), Some(false), Some(true)];
    assert_eq!(answers(&is_full(col("born")), &rows), full);
    assert_eq!(answers(&known_day(col("born")).is_not_null(), &rows), full);
    assert_eq!(
        answers(&known_day(col("born")).eq(lit(days_since_epoch(day("2000-06-15")))), &rows),
        [Some(true), None, Some(false)]
    );
    let shifted = shifted_day(Shifts(Vec::new()), col("born"));
    assert_eq!(answers(&shifted.is_not_null(), &rows), full);
    // An age is a number when it is the same for all days.
    let age = |born: &str| {
        let age = age_number(AgeUnit::Years, day("2026-03-15"), col("born"), col("died"));
        answers(&age.eq(lit(75_i32)), &[(date(born), None)])
    };
    assert_eq!(age("1950-06"), [Some(true)]);
    assert_eq!(age("1951-02"), [Some(true)]);
    assert_eq!(age("1950-03"), [None]);
    assert_eq!(age("1950"), [None]);
    assert_eq!(age("1949-04"), [Some(false)]);
}
