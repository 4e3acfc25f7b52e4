//! Laws of sequences, on the reference over random worlds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{
    ContactTest, Criteria, Duration, DurationUnit, Event, Link, Logic, Relation, Selector, Sequence, Window,
};
use hyperseg_dsl::semantics::{Contact, Truth, evaluate};
use hyperseg_testdata::worlds::{World, segment, world};

const WORLDS: u64 = 60;
const EVER: Duration = Duration { count: 500, unit: DurationUnit::Year };

fn selector(kind: &str, windows: &[Window]) -> Selector {
    Selector {
        record: kind.to_owned(),
        filter: Logic::True,
        windows: windows.to_vec(),
        active: false,
        hidden: Vec::new(),
    }
}

fn event(kind: &str) -> Event {
    Event { selector: selector(kind, &[]), clock: None }
}

fn pair(one: &str, relation: Relation, other: &str, within: Duration) -> Sequence {
    let link = Link { relation, within, same: Vec::new(), event: event(other) };
    Sequence { first: event(one), links: vec![link] }
}

fn then(one: &str, other: &str, within: Duration) -> Sequence {
    pair(one, Relation::Then { after: None }, other, within)
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::built_in);

fn is(test: Sequence, contact: &Contact, world: &World) -> bool {
    let criteria = Logic::Leaf(ContactTest::Sequence(test));
    match evaluate(&criteria, contact, &SCHEMA, &world.clock) {
        Truth::True => true,
        Truth::False => false,
        Truth::Unknown => panic!("a sequence is never unknown"),
    }
}

/// Every contact with every pair of kinds that it has records of.
fn each(mut check: impl FnMut(&World, &Contact, &str, &str)) {
    for seed in 0..WORLDS {
        let world = world(seed);
        for contact in &world.contacts {
            let kinds: BTreeSet<&str> = contact.records.iter().map(|record| record.kind.as_str()).collect();
            for one in &kinds {
                for other in &kinds {
                    check(&world, contact, one, other);
                }
            }
        }
    }
}

const LENGTHS: [Duration; 5] = [
    Duration { count: 0, unit: DurationUnit::Day },
    Duration { count: 1, unit: DurationUnit::Day },
    Duration { count: 30, unit: DurationUnit::Day },
    Duration { count: 1, unit: DurationUnit::Year },
    EVER,
];

#[test]
fn a_longer_reach_reaches_more() {
    let mut told = 0;
    each(|world, contact, one, other| {
        let reached: Vec<bool> =
            LENGTHS.iter().map(|length| is(then(one, other, *length), contact, world)).collect();
        assert!(reached.is_sorted(), "{one} {other} {reached:?}");
        told += usize::from(reached.first() != reached.last());
    });
    assert!(told > 100, "{told}");
}

#[test]
fn what_is_followed_is_preceded() {
    let mut told = 0;
    each(|world, contact, one, other| {
        for length in LENGTHS.iter().filter(|length| length.unit == DurationUnit::Day || **length == EVER) {
            let followed = is(then(one, other, *length), contact, world);
            let preceded = is(pair(other, Relation::Before, one, *length), contact, world);
            assert_eq!(followed, preceded, "{one} {other} {length:?}");
            told += usize::from(followed);
            let around = is(pair(one, Relation::Around, other, *length), contact, world);
            assert!(around || !followed, "{one} {other} {length:?}");
        }
    });
    assert!(told > 300, "{told}");
}

#[test]
fn somewhere_the_last_is_followed_by_none() {
    let mut told = 0;
    each(|world, contact, one, other| {
        let has = Logic::Leaf(ContactTest::Has(selector(one, &[])));
        let has = evaluate(&has, contact, &SCHEMA, &world.clock).is_true();
        for length in LENGTHS {
            let unfollowed = Relation::NotFollowed { or_open: true };
            let none = is(pair(one, unfollowed, other, length), contact, world);
            let closed =
                is(pair(one, Relation::NotFollowed { or_open: false }, other, length), contact, world);
            // What is over is among what is over or not.
            assert!(none || !closed);
            // Either some first record is followed, or some is not.
            assert_eq!(none || is(then(one, other, length), contact, world), has, "{one} {other} {length:?}");
            // The last record of a kind is followed by none of the kind.
            if one == other {
                assert_eq!(none, has, "{one} {length:?}");
            }
            told += usize::from(closed);
        }
    });
    assert!(told > 300, "{told}");
}

#[test]
fn a_chain_needs_each_of_its_links() {
    let mut told = 0;
    each(|world, contact, one, other| {
        let month = Duration { count: 1, unit: DurationUnit::Month };
        let mut chain = then(one, other, month);
        chain.links.extend(then(other, one, EVER).links);
        if is(chain.clone(), contact, world) {
            assert!(
                is(then(one, other, month), contact, world) && is(then(other, one, EVER), contact, world)
            );
            told += 1;
        }
        // The order of records makes no difference.
        let mut turned = contact.clone();
        turned.records.reverse();
        assert_eq!(is(chain.clone(), &turned, world), is(chain, contact, world));
    });
    assert!(told > 50, "{told}");
}

fn sequences<'a>(criteria: &'a Criteria, into: &mut Vec<&'a Sequence>) {
    match criteria {
        Logic::True | Logic::False => {}
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().for_each(|part| sequences(part, into));
        }
        Logic::Not(inner) => sequences(inner, into),
        Logic::Leaf(ContactTest::Sequence(sequence)) => into.push(sequence),
        Logic::Leaf(_) => {}
    }
}

#[test]
fn random_segments_hold_every_relation_and_tell_contacts_apart() {
    // How many there are of each relation of the last link, and for how many contacts differ.
    let mut tally: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for seed in 0..1_200 {
        let world = world(seed / 4);
        let bound = segment(seed, &world).bind(&BTreeMap::new()).unwrap();
        let mut found = Vec::new();
        bound.segment().criteria.iter().for_each(|criterion| sequences(&criterion.test, &mut found));
        for sequence in found {
            let last = sequence.links.last().unwrap();
            let names = [
                match last.relation {
                    Relation::Then { after: None } => "then",
                    Relation::Then { .. } => "after",
                    Relation::NotFollowed { .. } => "not followed",
                    Relation::Before => "before",
                    Relation::Around => "around",
                },
                if sequence.links.len() > 1 { "chain" } else { "pair" },
                if last.same.is_empty() { "any" } else { "same" },
            ];
            // Where windows count from a date of the contact, who lacks it is UNKNOWN.
            let criteria = Logic::Leaf(ContactTest::Sequence(sequence.clone()));
            let truth = |contact| evaluate(&criteria, contact, &SCHEMA, &world.clock).is_true();
            let truths: Vec<bool> = world.contacts.iter().map(truth).collect();
            for name in names {
                let [all, some] = tally.entry(name).or_default();
                *all += 1;
                *some += usize::from(truths.contains(&true) && truths.contains(&false));
            }
        }
    }
    println!("{tally:?}");
    assert_eq!(tally.len(), 9, "{tally:?}");
    for (name, [all, some]) in &tally {
        assert!(*all >= 10 && some * 25 >= *all, "{name}: {some} of {all}");
    }
}
