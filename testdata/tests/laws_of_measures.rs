//! Laws of counts, sums and their like, on the reference over random worlds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{FieldType, RecordKind, Schema};
use hyperseg_dsl::segment::{
    Aggregate, Cmp, ContactTest, Counted, Criteria, Duration, DurationUnit, FieldTest, Logic, NumberTest,
    Operand, Selector, Test, Window,
};
use hyperseg_dsl::semantics::{Contact, Truth, evaluate};
use hyperseg_dsl::value::Value;
use hyperseg_testdata::worlds::{World, segment, shrink, to_case, to_text, world};

const WORLDS: u64 = 60;

fn selector(kind: &str, windows: &[Window]) -> Selector {
    Selector {
        record: kind.to_owned(),
        filter: Logic::True,
        windows: windows.to_vec(),
        active: false,
        hidden: Vec::new(),
    }
}

fn is(cmp: Cmp, value: Value) -> NumberTest {
    NumberTest::Compare(cmp, Operand::Literal(value))
}

fn numeric(ty: FieldType) -> bool {
    matches!(ty, FieldType::Int | FieldType::Number | FieldType::Money)
}

struct View<'a> {
    contact: &'a Contact,
    schema: &'a Schema,
    clock: &'a Clock,
}

impl View<'_> {
    fn truth(&self, test: ContactTest) -> Truth {
        evaluate(&Logic::Leaf(test), self.contact, self.schema, self.clock)
    }

    fn count(&self, counted: &Counted, selector: &Selector) -> i64 {
        let equal = |number| {
            let (counted, selector) = (counted.clone(), selector.clone());
            self.truth(ContactTest::Count { counted, selector, test: is(Cmp::Eq, Value::Int(number)) })
        };
        (0..1_000).find(|number| equal(*number).is_true()).expect("some number")
    }

    fn made(
        &self,
        function: Aggregate,
        selector: &Selector,
        field: &Field<'_>,
        cmp: Cmp,
        value: Value,
    ) -> Truth {
        let (selector, name) = (selector.clone(), field.name.to_owned());
        let test = is(cmp, value);
        self.truth(ContactTest::Aggregate { function, selector, field: name, ty: field.ty, unit: None, test })
    }

    /// A whole number by halving; 0 where nothing is known.
    fn whole(&self, function: Aggregate, selector: &Selector, field: &Field<'_>) -> i64 {
        let typed = |n| if field.ty == FieldType::Money { Value::Money(n) } else { Value::Int(n) };
        let (mut low, mut high) = (-(1_i64 << 40), 1_i64 << 40);
        while low < high {
            let middle = low + (high - low + 1) / 2;
            match self.made(function, selector, field, Cmp::Ge, typed(middle)) {
                Truth::True => low = middle,
                Truth::False => high = middle - 1,
                Truth::Unknown => return 0,
            }
        }
        assert_eq!(self.made(function, selector, field, Cmp::Eq, typed(low)), Truth::True);
        low
    }
}

#[derive(Clone, Copy)]
struct Field<'a> {
    name: &'a str,
    ty: FieldType,
}

fn each(mut check: impl FnMut(u64, &View<'_>, &RecordKind)) {
    let schema = Schema::built_in();
    for seed in 0..WORLDS {
        let world = world(seed);
        for contact in &world.contacts {
            let kinds: BTreeSet<&str> = contact.records.iter().map(|record| record.kind.as_str()).collect();
            let view = View { contact, schema: &schema, clock: &world.clock };
            for kind in kinds {
                check(seed, &view, schema.record(kind).unwrap());
            }
        }
    }
}

fn each_numbers(mut check: impl FnMut(u64, &View<'_>, &RecordKind, Field<'_>)) {
    each(|seed, view, kind| {
        for field in kind.fields.iter().filter(|field| numeric(field.ty)) {
            check(seed, view, kind, Field { name: &field.name, ty: field.ty });
        }
    });
}

#[test]
fn days_and_values_are_no_more_than_records() {
    each(|seed, view, kind| {
        let all = selector(&kind.name, &[]);
        let count = view.count(&Counted::Records, &all);
        let days = view.count(&Counted::Days, &all);
        assert!(days <= count && (days > 0) == (count > 0), "seed {seed}: {days} of {count} {}", kind.name);
        let distinct = |field: &str, ty| view.count(&Counted::Distinct { field: field.to_owned(), ty }, &all);
        for field in &kind.fields {
            let known = Selector {
                filter: Logic::Leaf(FieldTest { field: field.name.clone(), ty: field.ty, test: Test::Known }),
                ..all.clone()
            };
            let (values, known) = (distinct(&field.name, field.ty), view.count(&Counted::Records, &known));
            // A date that is not fully known may be the same as any other and is not counted.
            let open = view.contact.records.iter().any(|record| {
                record.kind == kind.name && matches!(record.fields.get(&field.name), Some(Value::Partial(_)))
            });
            assert!(
                values <= known && ((values > 0) == (known > 0) || open && values == 0),
                "seed {seed}: {}.{}",
                kind.name,
                field.name
            );
        }
        assert_eq!(distinct("record_id", FieldType::Text), count, "seed {seed}: {}", kind.name);
        assert_eq!(distinct("at", FieldType::Time), days, "seed {seed}: {}", kind.name);
    });
}

#[test]
fn the_least_the_middle_the_average_and_the_greatest_stand_in_order() {
    let mut decided = 0;
    each_numbers(|seed, view, kind, field| {
        let all = selector(&kind.name, &[]);
        let records = view.contact.records.iter().filter(|record| record.kind == kind.name);
        let bounds: Vec<Value> =
            records.filter_map(|record| record.fields.get(field.name).cloned()).collect();
        for bound in bounds {
            let made = |function, cmp| view.made(function, &all, &field, cmp, bound.clone());
            let what = format!("seed {seed}: {}.{} against {bound:?}", kind.name, field.name);
            let unknown: Vec<bool> =
                Aggregate::ALL.iter().map(|function| made(*function, Cmp::Ge) == Truth::Unknown).collect();
            // What is reported with a comparator leaves some of them open and others not.
            let reported =
                |record: &hyperseg_dsl::semantics::Record| record.fields.contains_key("comparator");
            let open = field.name == "value" && view.contact.records.iter().any(reported);
            assert!(open || unknown.iter().all(|it| *it == unknown[0]), "{what}");
            for middle in [Aggregate::Median, Aggregate::Avg] {
                for (end, cmp) in [(Aggregate::Min, Cmp::Ge), (Aggregate::Max, Cmp::Le)] {
                    if made(end, cmp).is_true() {
                        assert!(made(middle, cmp).is_true(), "{what}: {middle:?}");
                        decided += 1;
                    }
                }
            }
        }
    });
    assert!(decided > 1_000, "{decided}");
}

#[test]
fn the_past_adds_up_from_its_parts() {
    let mut told = 0;
    each_numbers(|seed, view, kind, field| {
        // The sum of numbers is not a whole one.
        if field.ty == FieldType::Number {
            return;
        }
        for (count, unit) in [(0, DurationUnit::Day), (30, DurationUnit::Day), (1, DurationUnit::Year)] {
            let span = Duration { count, unit };
            let sum = |windows: &[Window]| view.whole(Aggregate::Sum, &selector(&kind.name, windows), &field);
            let (new, old) = (sum(&[Window::InLast(span)]), sum(&[Window::MoreThanAgo(span)]));
            assert_eq!(new + old, sum(&[]), "seed {seed}: {}.{}, {count} {unit:?}", kind.name, field.name);
            told += usize::from(new != 0 && old != 0);
        }
    });
    assert!(told > 20, "{told}");
}

#[test]
fn one_value_is_all_of_them() {
    each_numbers(|seed, view, kind, field| {
        let Some(record) = view.contact.records.iter().find(|record| record.kind == kind.name) else {
            return;
        };
        let contact = Contact { records: vec![record.clone()], ..view.contact.clone() };
        let view = View { contact: &contact, ..*view };
        let all = selector(&kind.name, &[]);
        let seen = view.count(&Counted::Records, &all) == 1;
        let comparator = record.fields.get("comparator").filter(|_| field.name == "value");
        let value = record.fields.get(field.name);
        for function in Aggregate::ALL {
            let expected = match comparator {
                _ if !seen || value.is_none() => Truth::Unknown,
                None => Truth::True,
                Some(Value::Category(sign)) if sign.ends_with('=') => Truth::Unknown,
                Some(_) => Truth::False,
            };
            let value = value.cloned().unwrap_or(Value::Int(0));
            let found = view.made(function, &all, &field, Cmp::Eq, value);
            assert_eq!(found, expected, "seed {seed}: {function:?} of {}.{}", kind.name, field.name);
        }
    });
}

/// Every leaf of criteria.
fn leaves<'a>(criteria: &'a Criteria, into: &mut Vec<&'a ContactTest>) {
    match criteria {
        Logic::True | Logic::False => {}
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().for_each(|part| leaves(part, into))
        }
        Logic::Not(inner) => leaves(inner, into),
        Logic::Leaf(test) => into.push(test),
    }
}

fn name(test: &ContactTest) -> Option<&'static str> {
    match test {
        ContactTest::Count { counted, .. } => Some(match counted {
            Counted::Records => "count",
            Counted::Days => "days of",
            Counted::Distinct { .. } => "distinct",
        }),
        ContactTest::Aggregate { function, .. } => Some(function.name()),
        ContactTest::Field(_)
        | ContactTest::Age { .. }
        | ContactTest::Turns { .. }
        | ContactTest::Near(_)
        | ContactTest::Anniversary { .. }
        | ContactTest::History(_)
        | ContactTest::Has(_)
        | ContactTest::One { .. }
        | ContactTest::Observed { .. }
        | ContactTest::DaysCovered { .. }
        | ContactTest::Continuous { .. }
        | ContactTest::Sequence(_)
        | ContactTest::Rank(_)
        | ContactTest::Sample(_)
        | ContactTest::Share { .. }
        | ContactTest::Reference(_)
        | ContactTest::Household(_) => None,
    }
}

#[test]
fn random_segments_hold_every_measure_and_tell_contacts_apart() {
    let schema = Schema::built_in();
    // How many there are, for how many contacts differ, and for how many some are unknown.
    let mut tally: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for seed in 0..800 {
        let world = world(seed / 4);
        let bound = segment(seed, &world).bind(&BTreeMap::new()).unwrap();
        let mut tests = Vec::new();
        bound.segment().criteria.iter().for_each(|criterion| leaves(&criterion.test, &mut tests));
        for test in tests {
            let Some(name) = name(test) else { continue };
            let truths: Vec<Truth> = world
                .contacts
                .iter()
                .map(|contact| evaluate(&Logic::Leaf(test.clone()), contact, &schema, &world.clock))
                .collect();
            let has = |truth| truths.contains(&truth);
            let [all, some, unknown] = tally.entry(name).or_default();
            *all += 1;
            *some += usize::from(has(Truth::True) && (has(Truth::False) || has(Truth::Unknown)));
            *unknown += usize::from(has(Truth::Unknown));
        }
    }
    println!("{tally:?}");
    assert_eq!(tally.len(), 8, "{tally:?}");
    for (name, [all, some, _]) in &tally {
        assert!(*all >= 10 && some * 6 >= *all, "{name}: {some} of {all}");
    }
}

#[test]
fn a_measure_becomes_small() {
    let schema = Schema::built_in();
    let text = "segment s purpose treatment channel push where sum(bill.amount(status is known or source is known) since 2000-01-01) > 0.00 and gender = female";
    let segment = hyperseg_dsl::check(text, &schema).segments.remove(0);
    let pays = |world: &World| {
        let amount = |amount: &Value| matches!(amount, Value::Money(cents) if *cents > 0);
        let mut records = world.contacts.iter().flat_map(|contact| &contact.records);
        records.any(|record| record.kind == "bill" && record.fields.get("amount").is_some_and(amount))
    };
    let seed = (0..100).find(|seed| pays(&world(*seed))).unwrap();
    let measures = |segment: &hyperseg_dsl::segment::Segment| {
        let mut tests = Vec::new();
        segment.criteria.iter().for_each(|criterion| leaves(&criterion.test, &mut tests));
        tests.iter().any(|test| name(test).is_some())
    };
    let (world, segment) =
        shrink(world(seed), segment, 10_000, &mut |world, segment| pays(world) && measures(segment));
    assert_eq!(world.contacts[0].records.len(), 1);
    assert!(to_text(&segment).ends_with("where sum(bill.amount) > 0.00\n"), "{}", to_text(&segment));
    assert!(to_case(&world, &segment).contains("sum(bill.amount)"));
}
