//! Laws of portfolios, on the reference over random worlds and segments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::schema::{FieldType, Schema};
use hyperseg_dsl::segment::{
    BoundSegment, ContactTest, Criterion, FieldTest, Logic, Operand, ParamValues, Segment, Test,
};
use hyperseg_dsl::semantics::{Blocked, Solved, Verdict, select_all, solve};
use hyperseg_dsl::value::Value;
use hyperseg_testdata::worlds::{World, portfolio, to_text, world};

const SEEDS: u64 = 160;

fn each(mut check: impl FnMut(u64, &World, &[BoundSegment], &Solved)) {
    for seed in 0..SEEDS {
        let world = world(seed / 4);
        let bound = portfolio(seed, &world).bind(&ParamValues::new()).unwrap();
        check(seed, &world, bound.segments(), &solved(&world, bound.segments()));
    }
}

fn solved(world: &World, segments: &[BoundSegment]) -> Solved {
    solve(segments, &world.contacts, &Schema::built_in(), &world.clock, world.now_micros)
}

fn alone(world: &World, segment: &BoundSegment) -> Vec<Verdict> {
    select_all(segment, &world.contacts, &Schema::built_in(), &world.clock, world.now_micros)
}

fn listed(world: &World, verdicts: &[Verdict]) -> BTreeSet<String> {
    let all = world.contacts.iter().zip(verdicts);
    all.filter(|(_, verdict)| verdict.is_recipient()).map(|(contact, _)| contact.id().to_owned()).collect()
}

fn texts(segments: &[BoundSegment]) -> String {
    segments.iter().map(|bound| to_text(bound.segment())).collect::<Vec<_>>().join("\n")
}

#[test]
fn nobody_is_on_two_lists_and_who_is_taken_was_taken_above() {
    let mut reasons: BTreeMap<Blocked, usize> = BTreeMap::new();
    let (mut taken, mut after_limit, mut held) = (0, 0, 0);
    each(|seed, world, segments, solved| {
        let mut seen = BTreeSet::new();
        for (place, verdicts) in solved.verdicts.iter().enumerate() {
            for id in listed(world, verdicts) {
                assert!(seen.insert(id), "seed {seed}\n{}", texts(segments));
            }
            for (verdict, taker) in verdicts.iter().zip(&solved.takers) {
                let takes = verdict.matched && matches!(verdict.blocked, None | Some(Blocked::Holdout));
                assert_eq!(takes, *taker == Some(place), "seed {seed}");
                if verdict.blocked == Some(Blocked::Taken) {
                    assert!(taker.is_some_and(|taker| taker < place), "seed {seed}");
                    taken += 1;
                }
                if place > 0 && takes && solved.verdicts[0].len() > 1 {
                    after_limit += usize::from(segments[0].segment().limit.is_some());
                }
                held += usize::from(place == 0 && verdict.blocked == Some(Blocked::Holdout));
                if let Some(reason) = verdict.blocked {
                    *reasons.entry(reason).or_default() += 1;
                }
            }
        }
    });
    println!("{taken} taken, {after_limit} below a limit, {held} held back; {reasons:?}");
    assert!(taken > 150 && after_limit > 80 && held > 2, "{taken} {after_limit} {held}");
    for reason in
        [Blocked::NoConsent, Blocked::OnePer, Blocked::NotSampled, Blocked::OverLimit, Blocked::Holdout]
    {
        assert!(reasons.contains_key(&reason), "{reason}: {reasons:?}");
    }
}

#[test]
fn the_first_segment_is_as_by_itself() {
    each(|seed, world, segments, solved| {
        assert_eq!(alone(world, &segments[0]), solved.verdicts[0], "seed {seed}\n{}", texts(segments));
        let first = listed(world, &solved.verdicts[0]);
        let union: BTreeSet<String> =
            solved.verdicts.iter().flat_map(|verdicts| listed(world, verdicts)).collect();
        assert!(first.is_subset(&union), "seed {seed}");
    });
}

#[test]
fn what_stands_below_changes_nothing_above() {
    each(|seed, world, segments, whole| {
        let less = &segments[..segments.len() - 1];
        let part = solved(world, less);
        assert_eq!(part.verdicts[..], whole.verdicts[..less.len()], "seed {seed}\n{}", texts(segments));
        for (one, other) in part.takers.iter().zip(&whole.takers) {
            assert_eq!(*one, other.filter(|taker| *taker < less.len()), "seed {seed}");
        }
    });
}

#[test]
fn criteria_and_gates_are_those_of_the_segment_by_itself() {
    each(|seed, world, segments, solved| {
        for (segment, verdicts) in segments.iter().zip(&solved.verdicts) {
            for (own, within) in alone(world, segment).iter().zip(verdicts) {
                assert_eq!((&own.criteria, own.matched), (&within.criteria, within.matched), "seed {seed}");
                let gate = |verdict: &Verdict| verdict.blocked.filter(|reason| *reason < Blocked::Taken);
                assert_eq!(gate(own), gate(within), "seed {seed}\n{}", texts(segments));
            }
        }
    });
}

/// Who was taken might as well have been excluded by name: limits and their like see the same contacts.
#[test]
fn a_lower_list_is_that_of_the_segment_among_the_free() {
    let mut other = 0;
    each(|seed, world, segments, solved| {
        for (place, segment) in segments.iter().enumerate().skip(1) {
            let all = world.contacts.iter().zip(&solved.takers);
            let taken = all.filter(|(_, taker)| taker.is_some_and(|taker| taker < place));
            let ids: Vec<Operand> =
                taken.map(|(contact, _)| Operand::Literal(Value::Text(contact.id().to_owned()))).collect();
            if ids.is_empty() {
                continue;
            }
            let test = FieldTest { field: "contact_id".to_owned(), ty: FieldType::Text, test: Test::In(ids) };
            let own = segment.segment();
            let mut parts: Vec<_> = own.exclude.iter().map(|exclude| exclude.test.clone()).collect();
            parts.push(Logic::Leaf(ContactTest::Field(test)));
            let exclude = Some(Criterion { label: String::new(), test: Logic::Or(parts) });
            let without = Segment { exclude, params: Vec::new(), ..own.clone() };
            let without = alone(world, &without.bind(&ParamValues::new()).unwrap());
            let (found, expected) = (listed(world, &without), listed(world, &solved.verdicts[place]));
            assert_eq!(found, expected, "seed {seed}, {place}\n{}", texts(segments));
            other += usize::from(expected != listed(world, &alone(world, segment)));
        }
    });
    assert!(other > 50, "{other}");
}

#[test]
fn the_order_of_contacts_does_not_matter() {
    each(|seed, world, segments, whole| {
        let mut turned = world.clone();
        turned.contacts.reverse();
        let mut again = solved(&turned, segments);
        again.verdicts.iter_mut().for_each(|verdicts| verdicts.reverse());
        again.takers.reverse();
        assert_eq!(again, *whole, "seed {seed}\n{}", texts(segments));
    });
}
