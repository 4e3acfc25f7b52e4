//! Laws of what shapes a list, on the reference over random worlds and segments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{Amount, ContactTest, Direction, End, Logic, Rank, Segment, Size};
use hyperseg_dsl::semantics::{Blocked, Truth, Verdict, evaluate_all, ranks_of, select, select_all};
use hyperseg_testdata::worlds::{World, segment, to_text, world};

const SEEDS: u64 = 1200;

/// Segments that look at the list as a whole.
fn each(mut check: impl FnMut(u64, &World, &Segment)) {
    let mut seen = 0;
    for seed in 0..SEEDS {
        let world = world(seed / 6);
        let segment = segment(seed, &world);
        if segment.limit.is_some() || segment.one_per.is_some() {
            seen += 1;
            check(seed, &world, &segment);
        }
    }
    assert!(seen > 150, "{seen}");
}

fn verdicts(world: &World, segment: &Segment) -> BTreeMap<String, Verdict> {
    let bound = segment.bind(&BTreeMap::new()).unwrap();
    let schema = Schema::built_in();
    let found = select_all(&bound, &world.contacts, &schema, &world.clock, world.now_micros);
    world.contacts.iter().map(|contact| contact.id().to_owned()).zip(found).collect()
}

fn listed(world: &World, segment: &Segment) -> BTreeSet<String> {
    verdicts(world, segment).into_iter().filter(|(_, it)| it.is_recipient()).map(|(id, _)| id).collect()
}

#[test]
fn the_order_of_contacts_does_not_matter() {
    each(|seed, world, segment| {
        let mut turned = world.clone();
        turned.contacts.reverse();
        assert_eq!(verdicts(world, segment), verdicts(&turned, segment), "seed {seed}\n{}", to_text(segment));
    });
}

#[test]
fn a_limit_takes_the_first_and_a_larger_one_more() {
    let mut cut = 0;
    each(|seed, world, segment| {
        let mut segment = Segment { holdout: None, ..segment.clone() };
        let Some(limit) = segment.limit.clone() else { return };
        let taken = listed(world, &segment);
        segment.limit.as_mut().unwrap().count += 1;
        let more = listed(world, &segment);
        segment.limit.as_mut().unwrap().count = 1_000_000;
        let all = listed(world, &segment);
        let text = to_text(&segment);
        assert!(taken.is_subset(&more) && more.is_subset(&all), "seed {seed}\n{text}");
        assert_eq!(taken.len(), all.len().min(limit.count as usize), "seed {seed}\n{text}");
        assert_eq!(more.len(), all.len().min(limit.count as usize + 1), "seed {seed}\n{text}");
        cut += usize::from(taken.len() < all.len());
    });
    assert!(cut > 20, "{cut}");
}

#[test]
fn each_value_stands_once_and_nobody_without_one_is_left_out() {
    let mut out = 0;
    each(|seed, world, segment| {
        let Some(one_per) = &segment.one_per else { return };
        let alone = Segment { limit: None, sample: None, holdout: None, one_per: None, ..segment.clone() };
        let all = listed(world, &alone);
        let unique = Segment { limit: None, sample: None, holdout: None, ..segment.clone() };
        let kept = listed(world, &unique);
        let value = |id: &String| {
            let contact = world.contacts.iter().find(|contact| contact.id() == id).unwrap();
            contact.fields.get(&one_per.field).map(|value| format!("{value:?}"))
        };
        let values: BTreeSet<Option<String>> = all.iter().map(value).collect();
        let kept_values: BTreeSet<Option<String>> = kept.iter().map(value).collect();
        assert_eq!(values, kept_values, "seed {seed}\n{}", to_text(segment));
        assert!(all.iter().filter(|id| value(id).is_none()).all(|id| kept.contains(id)), "seed {seed}");
        out += all.len() - kept.len();
    });
    assert!(out > 20, "{out}");
}

#[test]
fn the_other_direction_takes_the_other_end() {
    each(|seed, world, segment| {
        let mut segment = Segment { holdout: None, sample: None, one_per: None, ..segment.clone() };
        let Some(order) = segment.limit.as_mut().and_then(|limit| limit.by.as_mut()) else { return };
        order.direction = Direction::Asc;
        let least = listed(world, &segment);
        let order = segment.limit.as_mut().and_then(|limit| limit.by.as_mut()).unwrap();
        order.direction = Direction::Desc;
        let greatest = listed(world, &segment);
        // Both ends are full, whatever lies between them.
        assert_eq!(least.len(), greatest.len(), "seed {seed}\n{}", to_text(&segment));
    });
}

#[test]
fn others_only_take_places_away() {
    each(|seed, world, segment| {
        let bound = segment.bind(&BTreeMap::new()).unwrap();
        // Ranks are about everybody, households about who lives together.
        if !ranks_of(bound.segment(), &world.clock).is_empty()
            || to_text(segment).contains("member of household")
        {
            return;
        }
        let schema = Schema::built_in();
        let together = verdicts(world, segment);
        for contact in &world.contacts {
            let alone = select(&bound, contact, &schema, &world.clock, world.now_micros);
            let among = &together[contact.id()];
            assert_eq!(alone.criteria, among.criteria, "seed {seed}");
            if among.blocked != alone.blocked {
                let reason = among.blocked;
                let others = [Some(Blocked::OnePer), Some(Blocked::OverLimit)];
                assert!(others.contains(&reason), "seed {seed}: {reason:?}\n{}", to_text(segment));
            }
        }
    });
}

#[test]
fn ranks_nest_and_both_ends_make_the_whole() {
    let schema = Schema::built_in();
    let (mut seen, mut cut) = (0, 0);
    for seed in 0..SEEDS {
        let world = world(seed / 6);
        let segment = segment(seed, &world);
        let bound = segment.bind(&BTreeMap::new()).unwrap();
        for (rank, clock) in ranks_of(bound.segment(), &world.clock) {
            // Whom the ranks inside take depends on everybody, which is well and good.
            let truths = |rank: &Rank| {
                let test = Logic::Leaf(ContactTest::Rank(Box::new(rank.clone())));
                evaluate_all(&test, &world.contacts, &schema, &clock)
            };
            let is_true = |truths: &[Truth]| truths.iter().filter(|truth| truth.is_true()).count();
            let all = truths(&Rank { size: Size::PercentMillis(100_000), ..rank.clone() });
            let competing = is_true(&all);
            let mut before: Option<Vec<Truth>> = None;
            for number in 1..=competing + 1 {
                let size = Size::Number(u32::try_from(number).unwrap());
                let found = truths(&Rank { size, ..rank.clone() });
                assert!(is_true(&found) >= number.min(competing), "seed {seed}");
                for (one, other) in found.iter().zip(&all) {
                    assert_eq!(*one == Truth::Unknown, *other == Truth::Unknown, "seed {seed}");
                    assert!(!one.is_true() || other.is_true(), "seed {seed}");
                }
                let smaller = before.iter().flat_map(|before| before.iter().zip(&found));
                assert!(
                    smaller.into_iter().all(|(less, more)| !less.is_true() || more.is_true()),
                    "seed {seed}"
                );
                cut += usize::from(is_true(&found) < competing);
                // The rest is at the other end.
                let other = match rank.end {
                    End::Top => End::Bottom,
                    End::Bottom => End::Top,
                };
                if number < competing && matches!(rank.amount, Amount::Field { .. } | Amount::Count { .. }) {
                    let size = Size::Number(u32::try_from(competing - number).unwrap());
                    let rest = truths(&Rank { end: other, size, ..rank.clone() });
                    let both =
                        found.iter().zip(&rest).filter(|(one, other)| one.is_true() || other.is_true());
                    assert_eq!(both.count(), competing, "seed {seed}");
                }
                before = Some(found);
            }
            seen += 1;
        }
    }
    assert!(seen > 60 && cut > 200, "{seen} {cut}");
}
