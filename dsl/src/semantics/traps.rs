//! The traps of calendars, missing values, ties and gates, each with its expected answer written by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use super::*;
use crate::schema::{Channel, FieldType, Purpose, hidden_value};
use crate::segment::{
    AgeUnit, Aggregate, Anchor, Cmp, Criterion, Duration, DurationUnit, FieldTest, Filter, Hidden, Logic,
    NumberTest, Operand, Segment, Selector, Test, Which, Window,
};
use crate::value::parse_day;

mod aggregates;
mod anchors;
mod calendar;
mod gates;
mod households;
mod lasting;
mod records;
mod references;
mod sequences;
mod units;
mod values;

/// Test of a contact field, written as the language would.
fn field(name: &str, test: Test) -> Criteria {
    let ty = Schema::built_in().contact_field(name).unwrap().ty;
    Logic::Leaf(ContactTest::Field(FieldTest { field: name.to_owned(), ty, test }))
}

/// Test of a record field.
fn its(kind: &str, name: &str, test: Test) -> Filter {
    let ty = Schema::built_in().record(kind).unwrap().field(name).unwrap().ty;
    Logic::Leaf(FieldTest { field: name.to_owned(), ty, test })
}

fn named_by(filter: &Filter, field: &str) -> bool {
    match filter {
        Logic::True | Logic::False => false,
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().any(|part| named_by(part, field))
        }
        Logic::Not(inner) => named_by(inner, field),
        Logic::Leaf(test) => test.field == field,
    }
}

/// A selector with what the schema hides, as the resolver makes it.
fn selector(kind: &str, filter: Filter, windows: &[Window]) -> Selector {
    let schema = Schema::built_in();
    let record = schema.record(kind).unwrap();
    let hidden = record
        .hidden
        .iter()
        .filter(|(name, _)| !named_by(&filter, name))
        .map(|(name, values)| Hidden {
            field: name.clone(),
            values: values.iter().map(|text| hidden_value(record.field(name).unwrap(), text)).collect(),
        })
        .collect();
    Selector { record: kind.to_owned(), filter, windows: windows.to_vec(), active: false, hidden }
}

fn active(kind: &str, windows: &[Window]) -> Criteria {
    Logic::Leaf(ContactTest::Has(Selector { active: true, ..selector(kind, Logic::True, windows) }))
}

fn has(kind: &str, windows: &[Window]) -> Criteria {
    Logic::Leaf(ContactTest::Has(selector(kind, Logic::True, windows)))
}

fn has_where(kind: &str, filter: Filter) -> Criteria {
    Logic::Leaf(ContactTest::Has(selector(kind, filter, &[])))
}

fn not(criteria: Criteria) -> Criteria {
    Logic::Not(Box::new(criteria))
}

fn count(kind: &str, cmp: Cmp, number: i64) -> Criteria {
    let test = NumberTest::Compare(cmp, Operand::Literal(Value::Int(number)));
    let selector = selector(kind, Logic::True, &[]);
    Logic::Leaf(ContactTest::Count { counted: Counted::Records, selector, test })
}

fn age(cmp: Cmp, years: i64) -> Criteria {
    let test = NumberTest::Compare(cmp, Operand::Literal(Value::Int(years)));
    Logic::Leaf(ContactTest::Age { unit: AgeUnit::Years, on: None, test })
}

fn one(which: Which, kind: &str, windows: &[Window], test: Filter) -> Criteria {
    Logic::Leaf(ContactTest::One { which, selector: selector(kind, Logic::True, windows), tie: None, test })
}

fn span(count: u32, unit: DurationUnit) -> Duration {
    Duration { count, unit }
}

fn days(count: u32) -> Duration {
    span(count, DurationUnit::Day)
}

fn date(text: &str) -> Operand {
    Operand::Literal(Value::Date(parse_day(text).unwrap()))
}

fn day(text: &str) -> Anchor {
    Anchor::date(date(text))
}

fn category(text: &str) -> Operand {
    Operand::Literal(Value::Category(text.to_owned()))
}

fn number(value: f64) -> Operand {
    Operand::Literal(Value::Number(value))
}

fn person(cells: &[(&str, &str)]) -> Contact {
    let schema = Schema::built_in();
    let fields = cells
        .iter()
        .map(|(name, text)| ((*name).to_owned(), schema.contact_field(name).unwrap().parse(text).unwrap()));
    Contact { fields: fields.collect(), records: Vec::new(), changes: Vec::new() }
}

impl Contact {
    fn with(mut self, kind: &str, cells: &[(&str, &str)]) -> Self {
        let schema = Schema::built_in();
        let record = schema.record(kind).unwrap();
        let fields = cells
            .iter()
            .map(|(name, text)| ((*name).to_owned(), record.field(name).unwrap().parse(text).unwrap()));
        self.records.push(Record { kind: kind.to_owned(), fields: fields.collect() });
        self
    }
}

fn nobody_special() -> Contact {
    person(&[("contact_id", "c1")])
}

fn clock(text: &str) -> Clock {
    Clock::parse(text, "America/New_York".parse().unwrap()).unwrap()
}

#[track_caller]
fn says(criteria: &Criteria, contact: &Contact, as_of: &str, expected: Truth) {
    assert_eq!(evaluate(criteria, contact, &Schema::built_in(), &clock(as_of)), expected);
}

fn open_segment(criteria: Criteria) -> Segment {
    Segment {
        name: "test".to_owned(),
        title: None,
        purpose: Some(Purpose::Treatment),
        channel: Some(Channel::Push),
        criteria: vec![Criterion { label: "test".to_owned(), test: criteria }],
        exclude: None,
        output: Vec::new(),
        cap: None,
        one_per: None,
        limit: None,
        sample: None,
        split: None,
        holdout: None,
        params: Vec::new(),
        pins: Vec::new(),
        canonical: String::new(),
    }
}

fn verdict(segment: &Segment, contact: &Contact, as_of: &str, now: &str) -> Verdict {
    let bound = segment.bind(&BTreeMap::new()).unwrap();
    select(&bound, contact, &Schema::built_in(), &clock(as_of), clock(now).as_of_micros)
}
