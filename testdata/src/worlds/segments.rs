//! Random segments over a world.

use std::collections::BTreeMap;

use hyperseg_dsl::lookups::{Pin, PinKind};
use hyperseg_dsl::schema::{Channel, Purpose, Schema};
use hyperseg_dsl::segment::{
    Arm, Cap, Criteria, Criterion, Duration, DurationUnit, Holdout, Logic, Sample, Segment, Split,
};
use hyperseg_dsl::semantics::select_all;

use super::World;
use super::criteria::Maker;
use super::dice::Dice;
use super::text::{criteria_text, to_text};

/// How often to draw again for a segment that takes some of the contacts but not all.
const DRAWS_MAX: u64 = 8;
const DEPTH: usize = 2;
const UNITS: [DurationUnit; 5] =
    [DurationUnit::Hour, DurationUnit::Day, DurationUnit::Week, DurationUnit::Month, DurationUnit::Year];

/// The segment of a seed over a world. Most take some contacts and leave others; all are well typed.
#[must_use]
pub fn segment(seed: u64, world: &World) -> Segment {
    let schema = Schema::built_in();
    let mut last = draw(seed, 0, &schema, world);
    for number in 1..DRAWS_MAX {
        if telling(&last, &schema, world) {
            break;
        }
        last = draw(seed, number, &schema, world);
    }
    last
}

/// The criteria are TRUE for some contacts and not for others.
fn telling(segment: &Segment, schema: &Schema, world: &World) -> bool {
    let Ok(bound) = segment.bind(&BTreeMap::new()) else { return false };
    let verdicts = select_all(&bound, &world.contacts, schema, &world.clock, world.now_micros);
    let mut matched = verdicts.into_iter().map(|verdict| verdict.matched);
    let Some(first) = matched.next() else { return false };
    matched.any(|other| other != first)
}

fn draw(seed: u64, number: u64, schema: &Schema, world: &World) -> Segment {
    let dice = Dice::new(seed.wrapping_mul(DRAWS_MAX).wrapping_add(number), 2);
    let mut maker = Maker {
        dice,
        schema,
        world,
        params: Vec::new(),
        targets: Vec::new(),
        stages: Vec::new(),
        fixed: false,
        inside: 0,
    };
    let wanted = 1 + maker.dice.below(3);
    let mut criteria = Vec::new();
    for _ in 0..wanted {
        conjuncts(maker.criteria(DEPTH), &mut criteria);
    }
    let exclude = maker.dice.percent(25).then(|| criterion(maker.criteria(1)));
    let dice = &mut maker.dice;
    // Push needs no address and treatment no grant, so that criteria are seen; the others show the gates.
    let (purpose, channel) = match dice.below(10) {
        0..=5 => (Purpose::Treatment, Channel::Push),
        6 => (Purpose::Treatment, Channel::Email),
        7 => (Purpose::Marketing, Channel::Email),
        _ => {
            let purpose = dice.pick(Purpose::ALL).copied().unwrap_or(Purpose::Treatment);
            (purpose, dice.pick(Channel::ALL).copied().unwrap_or(Channel::Push))
        }
    };
    let holdout = dice.percent(20).then(|| Holdout {
        percent_millis: dice.one(&[1, 10_000, 20_000, 33_333, 50_000, 100_000]),
        seed: seed_text(dice),
    });
    let sample = dice.percent(12).then(|| sample(dice));
    let split = dice.percent(20).then(|| split(dice));
    let cap = dice.percent(12).then(|| Cap {
        count: dice.one(&[1, 1, 2, 3]),
        per: Duration {
            count: dice.one(&[1, 2, 30]),
            unit: dice.pick(&UNITS).copied().unwrap_or(DurationUnit::Day),
        },
    });
    let one_per = dice.percent(15).then(|| maker.one_per()).flatten();
    let limit = maker.dice.percent(20).then(|| maker.limit());
    let dice = &mut maker.dice;
    let mut output: Vec<String> = Vec::new();
    for name in ["first_name", "preferred_language", "state"] {
        if dice.percent(20) {
            output.push(name.to_owned());
        }
    }
    let mut segment = Segment {
        name: format!("random_{seed}"),
        title: dice.percent(30).then(|| "A \"title\"".to_owned()),
        purpose: Some(purpose),
        channel: Some(channel),
        criteria,
        exclude,
        output,
        cap,
        one_per,
        sample,
        limit,
        split,
        holdout,
        params: maker.params,
        pins: Vec::new(),
        canonical: String::new(),
    };
    // As the resolver does: what distances were looked up in.
    if to_text(&segment).contains("location within") {
        let places = super::lookups().places.into_iter();
        let pin = |sha256: &str| Pin {
            kind: PinKind::Zip,
            name: "centroids".to_owned(),
            sha256: sha256.to_owned(),
        };
        segment.pins.extend(places.map(|places| pin(places.sha256())));
    }
    segment
}

fn seed_text(dice: &mut Dice) -> String {
    dice.one(&["2026-q4", "\u{eb} \"x\""]).to_owned()
}

/// A share by chance.
pub(super) fn sample(dice: &mut Dice) -> Sample {
    let percent_millis = dice.one(&[20_000, 50_000, 66_667, 90_000, 100_000]);
    Sample { percent_millis, seed: seed_text(dice) }
}

fn split(dice: &mut Dice) -> Split {
    let shares: &[u32] = dice.one(&[&[100_000], &[50_000, 50_000], &[1, 33_333, 66_666]]);
    let arms = shares.iter().zip(["a", "b_2", "holdout_not"]);
    let arms =
        arms.map(|(percent_millis, name)| Arm { name: name.to_owned(), percent_millis: *percent_millis });
    Split { arms: arms.collect(), seed: seed_text(dice) }
}

/// Top-level conjunctions are several criteria.
fn conjuncts(criteria: Criteria, into: &mut Vec<Criterion>) {
    match criteria {
        Logic::And(parts) => parts.into_iter().for_each(|part| conjuncts(part, into)),
        other => into.push(criterion(other)),
    }
}

fn criterion(test: Criteria) -> Criterion {
    Criterion { label: criteria_text(&test), test }
}
