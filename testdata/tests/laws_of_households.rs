//! Laws of households, on the reference over random worlds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{ContactTest, Criteria, HOUSEHOLD_ID, Household, Logic};
use hyperseg_dsl::semantics::{Contact, Truth, evaluate_among, ranks_of};
use hyperseg_dsl::value::Value;
use hyperseg_testdata::worlds::{World, criteria_text, segment, world};

const SEEDS: u64 = 250;

fn household(all: bool, test: &Criteria) -> Criteria {
    Logic::Leaf(ContactTest::Household(Box::new(Household { all, test: test.clone() })))
}

fn not(criteria: &Criteria) -> Criteria {
    Logic::Not(Box::new(criteria.clone()))
}

/// Every criterion of random segments.
fn each(mut check: impl FnMut(u64, &World, &[&Contact], &Criteria)) {
    for seed in 0..SEEDS {
        let world = world(seed / 2);
        let all: Vec<&Contact> = world.contacts.iter().collect();
        let bound = segment(seed, &world).bind(&BTreeMap::new()).unwrap();
        for criterion in &bound.segment().criteria {
            check(seed, &world, &all, &criterion.test);
        }
    }
}

fn home(contact: &Contact) -> Option<&Value> {
    contact.fields.get(HOUSEHOLD_ID)
}

#[test]
fn all_is_the_dual_of_any() {
    let schema = Schema::built_in();
    each(|seed, world, all, test| {
        for contact in all {
            let value = |criteria: &Criteria| evaluate_among(criteria, contact, all, &schema, &world.clock);
            let (every, none) = (household(true, test), household(false, &not(test)));
            assert_eq!(value(&every), value(&none).negate(), "seed {seed}: {}", criteria_text(test));
        }
    });
}

#[test]
fn a_household_has_one_answer_and_it_is_that_of_its_members() {
    let schema = Schema::built_in();
    let mut larger = 0;
    each(|seed, world, all, test| {
        let value = |criteria: &Criteria, contact: &Contact| {
            evaluate_among(criteria, contact, all, &schema, &world.clock)
        };
        let homes: BTreeSet<String> =
            all.iter().filter_map(|it| home(it)).map(|it| format!("{it:?}")).collect();
        for wanted in homes {
            let is_here = |it: &&&Contact| home(it).is_some_and(|home| format!("{home:?}") == wanted);
            let members: Vec<&Contact> = all.iter().filter(is_here).copied().collect();
            larger += usize::from(members.len() > 1);
            let own: Vec<Truth> = members.iter().map(|it| value(test, it)).collect();
            let any = own.iter().fold(Truth::False, |sofar, it| sofar.or(*it));
            let every = own.iter().fold(Truth::True, |sofar, it| sofar.and(*it));
            for member in members {
                let text = criteria_text(test);
                assert_eq!(value(&household(false, test), member), any, "seed {seed}: {text}");
                assert_eq!(value(&household(true, test), member), every, "seed {seed}: {text}");
            }
        }
    });
    assert!(larger > 300, "{larger}");
}

#[test]
fn others_matter_only_when_they_live_there() {
    let schema = Schema::built_in();
    each(|seed, world, all, test| {
        // A rank is about everybody.
        let bound = segment(seed, world).bind(&BTreeMap::new()).unwrap();
        if !ranks_of(bound.segment(), &world.clock).is_empty() {
            return;
        }
        for contact in all {
            let housemates: Vec<&Contact> =
                all.iter().filter(|it| home(it).is_some() && home(it) == home(contact)).copied().collect();
            let mut turned = all.to_vec();
            turned.reverse();
            for criteria in [household(false, test), household(true, test)] {
                let value =
                    |others: &[&Contact]| evaluate_among(&criteria, contact, others, &schema, &world.clock);
                assert_eq!(value(all), value(&housemates), "seed {seed}: {}", criteria_text(test));
                assert_eq!(value(all), value(&turned), "seed {seed}: {}", criteria_text(test));
            }
        }
    });
}

#[test]
fn without_a_household_only_the_contact_itself_can_decide() {
    let schema = Schema::built_in();
    each(|seed, world, all, test| {
        for contact in all.iter().filter(|it| home(it).is_none()) {
            let value = |criteria: &Criteria| evaluate_among(criteria, contact, all, &schema, &world.clock);
            let own = value(test);
            let text = criteria_text(test);
            assert_eq!(value(&household(false, test)), own.or(Truth::Unknown), "seed {seed}: {text}");
            assert_eq!(value(&household(true, test)), own.and(Truth::Unknown), "seed {seed}: {text}");
        }
    });
}
