//! Laws of references to other segments, on the reference over random worlds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{
    Anchor, Asks, BoundSegment, ContactTest, Criteria, Criterion, Duration, DurationUnit, Logic, Operand,
    Reference, Segment, Window,
};
use hyperseg_dsl::semantics::{Blocked, Contact, Truth, evaluate, select};
use hyperseg_dsl::value::{Day, Value};
use hyperseg_testdata::worlds::{self, World, segment, to_text, world};

const SEEDS: u64 = 400;

fn each(mut check: impl FnMut(u64, &World, &BoundSegment, &Schema)) {
    let schema = Schema::built_in();
    for seed in 0..SEEDS {
        let world = world(seed / 4);
        let bound = segment(seed, &world).bind(&BTreeMap::new()).unwrap();
        check(seed, &world, &bound, &schema);
    }
}

fn refer(segment: &Segment, asks: Asks) -> Criteria {
    let test = Logic::And(segment.criteria.iter().map(|criterion| criterion.test.clone()).collect());
    let without = segment.exclude.iter().map(|criterion| criterion.test.clone()).collect();
    Logic::Leaf(ContactTest::Reference(Box::new(Reference {
        name: segment.name.clone(),
        asks,
        test,
        without,
    })))
}

/// The segment takes the contact, tails and gates aside, as [`select`] says.
fn takes(segment: &BoundSegment, contact: &Contact, schema: &Schema, clock: &Clock) -> bool {
    let verdict = select(segment, contact, schema, clock, clock.as_of_micros);
    verdict.matched && verdict.blocked != Some(Blocked::Excluded)
}

/// The last moment of the day before.
fn the_end_of_the_day_before(day: Day, zone: chrono_tz::Tz) -> Clock {
    Clock::parse(&day.pred_opt().unwrap().to_string(), zone).unwrap()
}

#[test]
fn those_in_a_segment_are_those_whom_it_takes() {
    each(|seed, world, bound, schema| {
        let inside = refer(bound.segment(), Asks::InSegment);
        for contact in &world.contacts {
            let value = evaluate(&inside, contact, schema, &world.clock);
            let taken = takes(bound, contact, schema, &world.clock);
            assert_eq!(value.is_true(), taken, "seed {seed}\n{}", to_text(bound.segment()));
            // It is certainly outside when a criterion is FALSE or the exclusion TRUE.
            let verdict = select(bound, contact, schema, &world.clock, world.now_micros);
            let out = bound.segment().exclude.as_ref().map(|exclude| &exclude.test);
            let out = out.map_or(Truth::False, |out| evaluate(out, contact, schema, &world.clock));
            let outside = verdict.criteria.contains(&Truth::False) || out.is_true();
            assert_eq!(value == Truth::False, outside, "seed {seed}\n{}", to_text(bound.segment()));
        }
    });
}

#[test]
fn to_enter_is_to_be_in_and_not_to_have_been() {
    let mut entered = 0;
    each(|seed, world, bound, schema| {
        let (today, zone) = (world.clock.today(), world.clock.zone);
        for days in [0_u32, 1, 30, 366] {
            let first = today - chrono::Days::new(u64::from(days));
            let then = the_end_of_the_day_before(first, zone);
            let last = Window::InLast(Duration { count: days, unit: DurationUnit::Day });
            let since = Window::Since(Anchor::date(Operand::Literal(Value::Date(first))));
            for contact in &world.contacts {
                let is_in = |clock| takes(bound, contact, schema, clock);
                let expected = is_in(&world.clock) && !is_in(&then);
                for window in [&last, &since] {
                    let criteria = refer(bound.segment(), Asks::Entered(window.clone()));
                    let value = evaluate(&criteria, contact, schema, &world.clock).is_true();
                    assert_eq!(value, expected, "seed {seed}\n{}", to_text(bound.segment()));
                    entered += u32::from(value);
                }
            }
        }
    });
    assert!(entered > 500, "{entered}");
}

#[test]
fn nobody_enters_in_a_window_that_has_not_begun() {
    each(|seed, world, bound, schema| {
        let tomorrow = world.clock.today().succ_opt().unwrap();
        let since = Window::Since(Anchor::date(Operand::Literal(Value::Date(tomorrow))));
        let criteria = refer(bound.segment(), Asks::Entered(since));
        for contact in &world.contacts {
            let value = evaluate(&criteria, contact, schema, &world.clock);
            assert!(!value.is_true(), "seed {seed}\n{}", to_text(bound.segment()));
        }
    });
}

#[test]
fn a_segment_that_refers_takes_what_the_criteria_put_in_take() {
    let schema = &Schema::built_in();
    for seed in (0..SEEDS).step_by(3) {
        let world = world(seed / 4);
        let target = segment(seed, &world);
        let text = to_text(&target);
        let source = format!("{text}\nsegment above where in segment {}\n", target.name);
        let checked = hyperseg_dsl::check(&source, Known::new(schema, &worlds::lookups()));
        assert!(!checked.has_errors(), "seed {seed}\n{source}{:?}", checked.diagnostics);
        let above = checked.segment("above").unwrap();
        let criterion = |test| Criterion { label: String::new(), test };
        let mut expected = above.clone();
        expected.criteria = vec![criterion(refer(&target, Asks::InSegment))];
        assert_eq!(above.params, target.params, "seed {seed}\n{source}");
        let (above, expected) =
            (above.bind(&BTreeMap::new()).unwrap(), expected.bind(&BTreeMap::new()).unwrap());
        for contact in &world.contacts {
            let verdict = |bound| select(bound, contact, schema, &world.clock, world.now_micros).criteria;
            assert_eq!(verdict(&above), verdict(&expected), "seed {seed}\n{source}");
        }
        // What the other segment says is part of what this one says.
        let canonical = checked.segment("above").unwrap().canonical.as_str();
        let name = &target.name;
        assert!(canonical.contains(&format!("segment {name}")), "seed {seed}\n{canonical}");
        let said: String = canonical
            .lines()
            .filter(|line| !line.starts_with("// "))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(said.ends_with(&format!("segment above\n  where in segment {name}\n")), "{canonical}");
        assert!(
            !hyperseg_dsl::check(canonical, Known::new(schema, &worlds::lookups())).has_errors(),
            "seed {seed}\n{canonical}"
        );
    }
}

#[test]
fn stages_divide_those_for_whom_one_of_them_is_true() {
    let schema = &Schema::built_in();
    let (mut certain, mut moved_on) = (0, 0);
    for seed in 0..SEEDS {
        let world = world(seed / 4);
        let bound = segment(seed, &world).bind(&BTreeMap::new()).unwrap();
        let stages: Vec<Criteria> = bound.segment().criteria.iter().map(|it| it.test.clone()).collect();
        let stage = |place: usize| {
            Logic::Leaf(ContactTest::Reference(Box::new(Reference {
                name: format!("stage{place}"),
                asks: Asks::InStage,
                test: stages[place].clone(),
                without: stages[..place].to_vec(),
            })))
        };
        for contact in &world.contacts {
            let value = |criteria: &Criteria| evaluate(criteria, contact, schema, &world.clock);
            let first = stages.iter().position(|stage| value(stage).is_true());
            let inside: Vec<usize> =
                (0..stages.len()).filter(|place| value(&stage(*place)).is_true()).collect();
            assert_eq!(inside, Vec::from_iter(first), "seed {seed}\n{}", to_text(bound.segment()));
            certain += usize::from(first.is_some());
            moved_on += usize::from(first.is_some_and(|first| first > 0));
        }
    }
    assert!(certain > 1_000 && moved_on > 200, "{certain} {moved_on}");
}

#[test]
fn everybody_is_in_one_of_the_stages_that_are_built_in() {
    let schema = &Schema::built_in();
    let stages = hyperseg_dsl::Stages::built_in(schema).unwrap();
    let names: Vec<&str> = stages.list().iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["new", "at_risk", "active", "lapsed", "booked", "engaged", "prospect"]);
    let text: String = names.iter().map(|name| format!("segment {name}_ where in stage {name}\n")).collect();
    let checked = hyperseg_dsl::check(&text, schema);
    assert_eq!(checked.diagnostics, []);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..150 {
        let world = world(seed);
        for contact in &world.contacts {
            let inside = |segment: &&Segment| {
                evaluate(&segment.criteria[0].test, contact, schema, &world.clock).is_true()
            };
            let inside: Vec<&str> =
                checked.segments.iter().filter(inside).map(|it| it.name.as_str()).collect();
            assert_eq!(inside.len(), 1, "seed {seed}: {inside:?}");
            seen.insert(inside[0]);
        }
    }
    assert!(seen.len() >= 5, "{seen:?}");
}
