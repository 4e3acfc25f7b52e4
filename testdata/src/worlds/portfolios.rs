//! Random portfolios over a world.

use hyperseg_dsl::Portfolio;
use hyperseg_dsl::segment::{Limit, Segment};

use super::dice::Dice;
use super::{World, segment, shrink};

/// The portfolio of a seed over a world: two or three random segments, some of which want the same contacts.
#[must_use]
pub fn portfolio(seed: u64, world: &World) -> Portfolio {
    let dice = &mut Dice::new(seed, 3);
    let count = 2 + u64::from(dice.percent(50));
    let drawn = |number: u64| segment(seed.wrapping_mul(4).wrapping_add(number), world);
    let mut segments: Vec<Segment> = (0..count).map(drawn).collect();
    // Contacts are taken where segments want the same, and freed where a higher one cannot take all.
    if let Some((first, lower)) = segments.split_first_mut() {
        for segment in lower {
            if dice.percent(40) {
                segment.criteria.clone_from(&first.criteria);
                segment.pins.clone_from(&first.pins);
                segment.params.clone_from(&first.params);
                segment.exclude = None;
                if segment.limit.as_ref().is_some_and(|limit| limit.by.is_some()) {
                    // What it was ordered by may need a parameter that is gone.
                    segment.limit = None;
                }
            }
        }
        if first.limit.is_none() && dice.percent(40) {
            first.limit = Some(Limit { count: dice.one(&[1, 2, 3, 5]), by: None });
        }
    }
    let name = format!("portfolio_{seed}");
    Portfolio { name, title: None, segments, canonical: String::new() }
}

/// Makes a portfolio over which something `fails` small, world and segments, as [`shrink`] does.
pub fn shrink_portfolio(
    mut world: World,
    mut portfolio: Portfolio,
    tries_max: usize,
    fails: &mut dyn FnMut(&World, &Portfolio) -> bool,
) -> (World, Portfolio) {
    for place in 0..portfolio.segments.len() {
        let Some(one) = portfolio.segments.get(place).cloned() else { continue };
        let with = |segment: &Segment| {
            let mut changed = portfolio.clone();
            if let Some(own) = changed.segments.get_mut(place) {
                own.clone_from(segment);
            }
            changed
        };
        let found = shrink(world, one, tries_max, &mut |world, segment| fails(world, &with(segment)));
        portfolio = with(&found.1);
        world = found.0;
    }
    (world, portfolio)
}
