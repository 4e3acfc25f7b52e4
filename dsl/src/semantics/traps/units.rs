//! Units, and results that are reported with a comparator.

use super::*;
use Truth::{False, True, Unknown};

const NOW: &str = "2026-01-01";

fn lab(cells: &[(&str, &str)]) -> Contact {
    let mut all = vec![("at", "2025-06-01")];
    all.extend_from_slice(cells);
    nobody_special().with("lab", &all)
}

fn value(test: Test) -> Criteria {
    one(Which::Latest, "lab", &[], its("lab", "value", test))
}

fn is(cmp: Cmp, than: f64) -> Criteria {
    value(Test::Compare(cmp, number(than)))
}

fn in_unit(unit: &str, test: NumberTest) -> Criteria {
    value(Test::Measured { unit: unit.to_owned(), test })
}

#[test]
fn below_a_limit_is_everything_below_it() {
    let below = lab(&[("value", "5.7"), ("comparator", "<")]);
    let up_to = lab(&[("value", "5.7"), ("comparator", "<=")]);
    let above = lab(&[("value", "5.7"), ("comparator", ">")]);
    let from = lab(&[("value", "5.7"), ("comparator", ">=")]);
    // The comparison with 5.6, 5.7 and 5.8 of each.
    let table: [(Cmp, [[Truth; 3]; 4]); 6] = [
        (
            Cmp::Lt,
            [
                [Unknown, True, True],
                [Unknown, Unknown, True],
                [False, False, Unknown],
                [False, False, Unknown],
            ],
        ),
        (
            Cmp::Le,
            [
                [Unknown, True, True],
                [Unknown, True, True],
                [False, False, Unknown],
                [False, Unknown, Unknown],
            ],
        ),
        (
            Cmp::Gt,
            [
                [Unknown, False, False],
                [Unknown, False, False],
                [True, True, Unknown],
                [True, Unknown, Unknown],
            ],
        ),
        (
            Cmp::Ge,
            [
                [Unknown, False, False],
                [Unknown, Unknown, False],
                [True, True, Unknown],
                [True, True, Unknown],
            ],
        ),
        (
            Cmp::Eq,
            [
                [Unknown, False, False],
                [Unknown, Unknown, False],
                [False, False, Unknown],
                [False, Unknown, Unknown],
            ],
        ),
        (
            Cmp::Ne,
            [
                [Unknown, True, True],
                [Unknown, Unknown, True],
                [True, True, Unknown],
                [True, Unknown, Unknown],
            ],
        ),
    ];
    for (cmp, rows) in table {
        for (contact, row) in [&below, &up_to, &above, &from].into_iter().zip(rows) {
            for (than, expected) in [5.6, 5.7, 5.8].into_iter().zip(row) {
                says(&is(cmp, than), contact, NOW, expected);
            }
        }
    }
    let between = |low, high| value(Test::Between(number(low), number(high)));
    says(&between(5.7, 9.0), &below, NOW, False);
    says(&between(5.7, 9.0), &up_to, NOW, Unknown);
    says(&between(1.0, 9.0), &below, NOW, Unknown);
    says(&value(Test::In(vec![number(5.7), number(6.0)])), &below, NOW, False);
    says(&value(Test::In(vec![number(5.6), number(6.0)])), &below, NOW, Unknown);
    // Whether there is a value is known, and other fields are numbers.
    says(&value(Test::Known), &below, NOW, True);
    let ranged = lab(&[("value", "5.7"), ("comparator", "<"), ("range_low", "6")]);
    says(
        &one(Which::Latest, "lab", &[], its("lab", "range_low", Test::Compare(Cmp::Eq, number(6.0)))),
        &ranged,
        NOW,
        True,
    );
}

#[test]
fn an_interval_on_either_side_of_two_fields() {
    let contact = lab(&[("value", "5.7"), ("comparator", "<"), ("range_low", "5.7"), ("range_high", "5")]);
    let against = |field: &str, cmp, other: &str| {
        let other = crate::segment::OtherField { field: other.to_owned(), ty: FieldType::Number };
        one(Which::Latest, "lab", &[], its("lab", field, Test::CompareField(cmp, other)))
    };
    says(&against("value", Cmp::Lt, "range_low"), &contact, NOW, True);
    says(&against("range_low", Cmp::Gt, "value"), &contact, NOW, True);
    says(&against("range_low", Cmp::Le, "value"), &contact, NOW, False);
    says(&against("value", Cmp::Gt, "range_high"), &contact, NOW, Unknown);
    says(&against("range_high", Cmp::Eq, "value"), &contact, NOW, Unknown);
}

#[test]
fn a_value_in_the_unit_that_is_asked_for() {
    let compare = |cmp, than| NumberTest::Compare(cmp, number(than));
    let glucose = lab(&[("value", "7"), ("unit", "mmol/L"), ("code", "LOINC:2345-7")]);
    says(&in_unit("mg/dL", compare(Cmp::Ge, 126.0)), &glucose, NOW, True);
    says(&in_unit("mg/dL", compare(Cmp::Gt, 127.0)), &glucose, NOW, False);
    says(&in_unit("mmol/L", compare(Cmp::Eq, 7.0)), &glucose, NOW, True);
    says(&in_unit("kg", compare(Cmp::Ne, 7.0)), &glucose, NOW, Unknown);
    let range = NumberTest::Range(number(126.0), number(127.0));
    says(&in_unit("mg/dL", range), &glucose, NOW, True);
    says(&in_unit("umol/L", NumberTest::In(vec![number(7000.0)])), &glucose, NOW, True);
    let below = lab(&[("value", "7"), ("unit", "mmol/L"), ("code", "LOINC:2345-7"), ("comparator", "<")]);
    says(&in_unit("mg/dL", compare(Cmp::Lt, 127.0)), &below, NOW, True);
    says(&in_unit("mg/dL", compare(Cmp::Lt, 126.0)), &below, NOW, Unknown);
    for cells in [
        [("value", "7"), ("unit", "mmol/L"), ("code", "LOINC:1-8")],
        [("value", "7"), ("unit", "mmol/L"), ("status", "final")],
        [("value", "7"), ("unit", "mmoles"), ("code", "LOINC:2345-7")],
        [("value", "7"), ("status", "final"), ("code", "LOINC:2345-7")],
        [("unit", "mg/dL"), ("status", "final"), ("code", "LOINC:2345-7")],
    ] {
        says(&in_unit("mg/dL", compare(Cmp::Ge, 1.0)), &lab(&cells), NOW, Unknown);
        says(&in_unit("mg/dL", compare(Cmp::Ne, 1.0)), &lab(&cells), NOW, Unknown);
    }
}

#[test]
fn numbers_made_of_intervals() {
    let with = |rows: &[(&str, &str)]| {
        rows.iter().fold(nobody_special(), |contact, (value, comparator)| {
            let mut cells = vec![("at", "2025-06-01"), ("value", *value), ("comparator", *comparator)];
            cells.retain(|(_, cell)| !cell.is_empty());
            contact.with("lab", &cells)
        })
    };
    let made = |function, cmp, than: f64| {
        let test = NumberTest::Compare(cmp, number(than));
        let selector = selector("lab", Logic::True, &[]);
        Logic::Leaf(ContactTest::Aggregate {
            function,
            selector,
            field: "value".to_owned(),
            ty: FieldType::Number,
            unit: None,
            test,
        })
    };
    let contact = with(&[("6", ""), ("5.7", "<"), ("4", "")]);
    // Least below 5.7 and at most 4; greatest 6; sum below 15.7; middle from 4 to below 5.7.
    says(&made(Aggregate::Min, Cmp::Le, 4.0), &contact, NOW, True);
    says(&made(Aggregate::Min, Cmp::Lt, 4.0), &contact, NOW, Unknown);
    says(&made(Aggregate::Max, Cmp::Eq, 6.0), &contact, NOW, True);
    says(&made(Aggregate::Sum, Cmp::Lt, 15.7), &contact, NOW, True);
    says(&made(Aggregate::Sum, Cmp::Ge, 15.7), &contact, NOW, False);
    says(&made(Aggregate::Avg, Cmp::Lt, 5.3), &contact, NOW, True);
    says(&made(Aggregate::Median, Cmp::Ge, 4.0), &contact, NOW, True);
    says(&made(Aggregate::Median, Cmp::Gt, 4.0), &contact, NOW, Unknown);
    says(&made(Aggregate::Median, Cmp::Lt, 5.7), &contact, NOW, True);
    says(&made(Aggregate::Median, Cmp::Eq, 6.0), &contact, NOW, False);
    // Both ends open: nothing is known of the sum, but of the ends it is.
    let both = with(&[("3", "<"), ("5", ">=")]);
    says(&made(Aggregate::Sum, Cmp::Gt, 0.0), &both, NOW, Unknown);
    says(&made(Aggregate::Min, Cmp::Lt, 3.0), &both, NOW, True);
    says(&made(Aggregate::Max, Cmp::Ge, 5.0), &both, NOW, True);
    says(&made(Aggregate::Max, Cmp::Gt, 5.0), &both, NOW, Unknown);
    // Which of two is the least when they meet: an end that belongs to it, or one that does not.
    let meet = with(&[("5", ">"), ("5", "")]);
    says(&made(Aggregate::Min, Cmp::Eq, 5.0), &meet, NOW, True);
    says(&made(Aggregate::Max, Cmp::Gt, 5.0), &meet, NOW, True);
    says(&made(Aggregate::Median, Cmp::Gt, 5.0), &meet, NOW, True);
}
