//! Days, different values, sums and their like.

use super::*;
use Truth::{False, True, Unknown};

fn counted(counted: Counted, kind: &str, number: i64) -> Criteria {
    let test = NumberTest::Compare(Cmp::Eq, Operand::Literal(Value::Int(number)));
    Logic::Leaf(ContactTest::Count { counted, selector: selector(kind, Logic::True, &[]), test })
}

fn distinct(kind: &str, field: &str, number: i64) -> Criteria {
    let ty = Schema::built_in().record(kind).unwrap().field(field).unwrap().ty;
    counted(Counted::Distinct { field: field.to_owned(), ty }, kind, number)
}

fn made(function: Aggregate, kind: &str, field: &str, cmp: Cmp, literal: Value) -> Criteria {
    let ty = Schema::built_in().record(kind).unwrap().field(field).unwrap().ty;
    let test = NumberTest::Compare(cmp, Operand::Literal(literal));
    let selector = selector(kind, Logic::True, &[]);
    Logic::Leaf(ContactTest::Aggregate { function, selector, field: field.to_owned(), ty, unit: None, test })
}

const AT: &str = "2025-06-01";
const NOW: &str = "2026-01-01";

fn with(kind: &str, field: &str, values: &[&str]) -> Contact {
    values.iter().fold(nobody_special(), |contact, value| contact.with(kind, &[("at", AT), (field, value)]))
}

/// The number is exactly this, from both sides.
#[track_caller]
fn is(function: Aggregate, kind: &str, field: &str, contact: &Contact, literal: &Value) {
    for cmp in [Cmp::Eq, Cmp::Le, Cmp::Ge] {
        says(&made(function, kind, field, cmp, literal.clone()), contact, NOW, True);
    }
    for cmp in [Cmp::Ne, Cmp::Lt, Cmp::Gt] {
        says(&made(function, kind, field, cmp, literal.clone()), contact, NOW, False);
    }
}

#[test]
fn without_a_value_nothing_is_known() {
    let rows = nobody_special().with("bill", &[("at", AT)]).with("bill", &[("at", AT)]);
    for contact in [nobody_special(), rows] {
        for function in Aggregate::ALL {
            for cmp in [Cmp::Eq, Cmp::Ne, Cmp::Lt, Cmp::Ge] {
                says(&made(function, "bill", "amount", cmp, Value::Money(0)), &contact, NOW, Unknown);
            }
        }
        says(&distinct("bill", "amount", 0), &contact, NOW, True);
    }
}

#[test]
fn money_is_exact_and_may_be_negative() {
    let bills = with("bill", "amount", &["0.10", "0.20", "-100.00", "99.71"]).with("bill", &[("at", AT)]);
    is(Aggregate::Sum, "bill", "amount", &bills, &Value::Money(1));
    is(Aggregate::Min, "bill", "amount", &bills, &Value::Money(-10_000));
    is(Aggregate::Max, "bill", "amount", &bills, &Value::Money(9_971));
    is(Aggregate::Median, "bill", "amount", &bills, &Value::Money(15));
    // A quarter of a cent lies between two amounts.
    says(&made(Aggregate::Avg, "bill", "amount", Cmp::Gt, Value::Money(0)), &bills, NOW, True);
    says(&made(Aggregate::Avg, "bill", "amount", Cmp::Lt, Value::Money(1)), &bills, NOW, True);
    // Half a cent too.
    let two = with("bill", "amount", &["0.01", "0.02"]);
    says(&made(Aggregate::Median, "bill", "amount", Cmp::Gt, Value::Money(1)), &two, NOW, True);
    says(&made(Aggregate::Median, "bill", "amount", Cmp::Lt, Value::Money(2)), &two, NOW, True);
    // Beyond 64 bits.
    let largest = "92233720368547758.07";
    let huge = with("bill", "amount", &[largest, largest, largest]);
    says(&made(Aggregate::Sum, "bill", "amount", Cmp::Gt, Value::Money(i64::MAX)), &huge, NOW, True);
    is(Aggregate::Max, "bill", "amount", &huge, &Value::Money(i64::MAX));
}

#[test]
fn whole_numbers_against_whole_and_other_numbers() {
    let doses = with("medication", "refills", &["1", "2", "2", "4"]);
    is(Aggregate::Sum, "medication", "refills", &doses, &Value::Int(9));
    is(Aggregate::Avg, "medication", "refills", &doses, &Value::Number(2.25));
    is(Aggregate::Median, "medication", "refills", &doses, &Value::Int(2));
    says(&made(Aggregate::Sum, "medication", "refills", Cmp::Gt, Value::Number(8.5)), &doses, NOW, True);
    // The middle of an odd number is one of them.
    let odd = with("medication", "refills", &["4", "1", "2"]);
    is(Aggregate::Median, "medication", "refills", &odd, &Value::Int(2));
}

#[test]
fn numbers_add_up_on_a_grid() {
    let tenths = with("event", "value", &["0.1", "0.2"]);
    is(Aggregate::Sum, "event", "value", &tenths, &Value::Number(0.3));
    let one = with("event", "value", &["0.1"]);
    for function in Aggregate::ALL {
        is(function, "event", "value", &one, &Value::Number(0.1));
    }
    // Large ones do not swallow small ones, in any order.
    let mut values = vec!["1000000000000000", "0.25", "-1000000000000000", "0.25", "-0"];
    for _ in 0..values.len() {
        values.rotate_left(1);
        is(Aggregate::Sum, "event", "value", &with("event", "value", &values), &Value::Number(0.5));
        is(Aggregate::Avg, "event", "value", &with("event", "value", &values), &Value::Number(0.1));
    }
    // What no contact will have: it counts as 2^63.
    let beyond = with("event", "value", &["1e300", "-1e300", "1"]);
    is(Aggregate::Sum, "event", "value", &beyond, &Value::Number(1.0));
    is(Aggregate::Max, "event", "value", &beyond, &Value::Number(1e300));
    is(Aggregate::Median, "event", "value", &beyond, &Value::Number(1.0));
    let both = with("event", "value", &["1.7e308", "1.7e308"]);
    is(Aggregate::Median, "event", "value", &both, &Value::Number(1.7e308));
}

#[test]
fn minus_nothing_is_nothing() {
    let zeros = with("event", "value", &["-0", "0"]);
    for function in Aggregate::ALL {
        is(function, "event", "value", &zeros, &Value::Number(0.0));
        is(function, "event", "value", &zeros, &Value::Number(-0.0));
    }
    says(&distinct("event", "value", 1), &zeros, NOW, True);
}

#[test]
fn a_result_below_detection_is_an_interval() {
    let lab = |cells: &[(&str, &str)]| {
        let mut all = vec![("at", AT)];
        all.extend_from_slice(cells);
        with("lab", "value", &["6", "7"]).with("lab", &all)
    };
    let below = lab(&[("value", "5.7"), ("comparator", "<")]);
    for function in Aggregate::ALL {
        says(&made(function, "lab", "value", Cmp::Lt, Value::Number(100.0)), &below, NOW, True);
    }
    says(&made(Aggregate::Sum, "lab", "value", Cmp::Lt, Value::Number(18.7)), &below, NOW, True);
    says(&made(Aggregate::Sum, "lab", "value", Cmp::Lt, Value::Number(18.0)), &below, NOW, Unknown);
    is(Aggregate::Max, "lab", "value", &below, &Value::Number(7.0));
    // Without a value there is nothing to compare, and other fields are numbers whatever the comparator says.
    let silent = lab(&[("comparator", "<")]);
    is(Aggregate::Sum, "lab", "value", &silent, &Value::Number(13.0));
    let ranged = lab(&[("value", "5.7"), ("comparator", "<"), ("range_low", "4")]);
    is(Aggregate::Sum, "lab", "range_low", &ranged, &Value::Number(4.0));
    // Counting has two values.
    says(&distinct("lab", "value", 3), &below, NOW, True);
}

#[test]
fn days_are_local_and_dates_are_days() {
    // 23:30 and 00:30 in New York: two days there, one in UTC; 03:30 in UTC is the evening before.
    let nights = nobody_special()
        .with("visit", &[("at", "2025-06-02T03:30:00Z")])
        .with("visit", &[("at", "2025-06-02T04:30:00Z")])
        .with("visit", &[("at", "2025-06-02T23:30:00Z")])
        .with("visit", &[("at", "2025-06-01")]);
    says(&counted(Counted::Records, "visit", 4), &nights, NOW, True);
    says(&counted(Counted::Days, "visit", 2), &nights, NOW, True);
    says(&counted(Counted::Days, "visit", 0), &nobody_special(), NOW, True);
    // Moments are the same when `=` says so.
    says(&distinct("visit", "at", 2), &nights, NOW, True);
}

#[test]
fn different_values_are_those_that_differ() {
    let visits = nobody_special()
        .with("encounter", &[("at", AT), ("provider", "A"), ("type", "SNOMED:1")])
        .with("encounter", &[("at", AT), ("provider", "a"), ("type", "CPT:1")])
        .with("encounter", &[("at", AT), ("provider", "A"), ("type", "SNOMED:1")])
        .with("encounter", &[("at", AT), ("class", "inpatient")])
        .with("encounter", &[("at", AT), ("status", "cancelled"), ("provider", "C")]);
    says(&distinct("encounter", "provider", 2), &visits, NOW, True);
    says(&distinct("encounter", "type", 2), &visits, NOW, True);
    says(&distinct("encounter", "class", 1), &visits, NOW, True);
    says(&distinct("encounter", "reason", 0), &visits, NOW, True);
}
