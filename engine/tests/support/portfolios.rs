//! Portfolios: the engine against the reference, list by list, reason by reason.

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::ParamValues;
use hyperseg_dsl::semantics::{Blocked, Solved, solve};
use hyperseg_dsl::{BoundPortfolio, Portfolio};
use hyperseg_engine::{ConsentAge, CountReport, Error, Guards, PortfolioRequest, Reason};
use hyperseg_testdata::worlds::{World, to_text};

use super::{Fixture, ids};

/// The request of a portfolio at a world's clock.
pub fn portfolio_request(portfolio: BoundPortfolio, world: &World) -> PortfolioRequest {
    let texts = portfolio.portfolio().segments.iter().map(to_text);
    PortfolioRequest {
        source: texts.collect::<Vec<_>>().join("\n"),
        portfolio,
        clock: world.clock,
        now_micros: world.now_micros,
        actor: None,
        consent_age_max: ConsentAge::Unlimited,
    }
}

/// What the reference makes of it.
pub fn solved(portfolio: &BoundPortfolio, world: &World) -> Solved {
    solve(portfolio.segments(), &world.contacts, &Schema::built_in(), &world.clock, world.now_micros)
}

/// How many contacts lower segments lost to higher ones; where engine and reference differ, in words, when they do.
pub fn compare_portfolio(
    fixture: &Fixture,
    world: &World,
    portfolio: &Portfolio,
    params: &ParamValues,
) -> Result<u64, String> {
    let bound = portfolio.bind(params).unwrap();
    let world = &World { contacts: fixture.contacts.clone(), ..world.clone() };
    let reference = solved(&bound, world);
    let request = portfolio_request(bound, world);
    let engine = &fixture.engine;
    let listless = portfolio.segments.iter().any(|it| it.purpose.is_none() || it.channel.is_none());
    if listless {
        return match engine.run_portfolio_blocking(&request, Guards::default()) {
            Err(Error::NotReleasable { .. }) => Ok(0),
            _ => Err("a segment without a list takes contacts".to_owned()),
        };
    }
    let funnel = engine.funnel_portfolio_blocking(&request, None);
    let funnel = funnel.map_err(|error| format!("the funnel failed: {error}"))?;
    let mut lost = 0;
    for (place, report) in funnel.segments.iter().enumerate() {
        lost += counts_agree(place, &report.count, &reference, portfolio)
            .map_err(|what| format!("segment {place}: {what}"))?;
    }
    let count = engine.count_portfolio_blocking(&request);
    let count = count.map_err(|error| format!("the count failed: {error}"))?;
    let numbers = |it: &CountReport| {
        let taken: Vec<_> = it.taken.iter().map(|by| (by.segment.clone(), by.contacts)).collect();
        (it.segment.clone(), it.matched, it.removed.clone(), taken, it.releasable)
    };
    let counted: Vec<_> = count.segments.iter().map(numbers).collect();
    let funnelled: Vec<_> = funnel.segments.iter().map(|it| numbers(&it.count)).collect();
    if counted != funnelled || (count.releasable, count.held_back) != (funnel.releasable, funnel.held_back) {
        return Err(format!("count {counted:?}, funnel {funnelled:?}"));
    }
    let now = Clock { as_of_micros: world.now_micros, zone: world.clock.zone };
    if world.clock.today() > now.today() {
        return match engine.run_portfolio_blocking(&request, Guards::default()) {
            Err(Error::FutureAsOf) => Ok(lost),
            _ => Err("lists were released as of a day to come".to_owned()),
        };
    }
    let lists = engine.run_portfolio_blocking(&request, Guards::default());
    let lists = lists.map_err(|error| format!("the run failed: {error}"))?;
    let mut seen = BTreeSet::new();
    for ((list, verdicts), report) in lists.into_iter().zip(&reference.verdicts).zip(&funnel.segments) {
        let receipt = list.receipt().clone();
        let all = world.contacts.iter().zip(verdicts);
        let mut expected: Vec<&str> =
            all.filter(|(_, verdict)| verdict.is_recipient()).map(|(contact, _)| contact.id()).collect();
        expected.sort_unstable();
        let found = ids(list);
        if found != expected || receipt.released != expected.len() as u64 {
            return Err(format!("list of {}: engine {found:?}, reference {expected:?}", receipt.segment));
        }
        let by = |taken: &[hyperseg_engine::TakenBy]| -> Vec<(String, u64)> {
            taken.iter().map(|by| (by.segment.clone(), by.contacts)).collect()
        };
        if receipt.removed != report.count.removed || by(&receipt.taken) != by(&report.count.taken) {
            return Err(format!("receipt {:?}, funnel {:?}", receipt.removed, report.count.removed));
        }
        if let Some(twice) = found.iter().find(|id| !seen.insert((*id).clone())) {
            return Err(format!("{twice} is on two lists"));
        }
    }
    Ok(lost)
}

/// How many contacts the segment lost to higher ones.
fn counts_agree(
    place: usize,
    report: &CountReport,
    reference: &Solved,
    portfolio: &Portfolio,
) -> Result<u64, String> {
    let verdicts = &reference.verdicts[place];
    let matched = verdicts.iter().filter(|verdict| verdict.matched).count() as u64;
    if report.matched != matched {
        return Err(format!("matched: engine {}, reference {matched}", report.matched));
    }
    let mut by_reason: BTreeMap<Blocked, u64> = BTreeMap::new();
    for blocked in verdicts.iter().filter_map(|verdict| verdict.blocked) {
        *by_reason.entry(blocked).or_default() += 1;
    }
    for removed in &report.removed {
        let expected = by_reason.remove(&removed.reason).unwrap_or(0);
        if removed.contacts != expected {
            return Err(format!("{}: engine {}, reference {expected}", removed.reason, removed.contacts));
        }
    }
    if !by_reason.is_empty() {
        return Err(format!("reasons that the engine does not name: {by_reason:?}"));
    }
    let higher: Vec<&str> = report.taken.iter().map(|taken| taken.segment.as_str()).collect();
    let names: Vec<&str> = portfolio.segments.iter().take(place).map(|it| it.name.as_str()).collect();
    if higher != names {
        return Err(format!("taken by {higher:?}, in front are {names:?}"));
    }
    for (winner, taken) in report.taken.iter().enumerate() {
        let lost = verdicts.iter().zip(&reference.takers);
        let lost =
            lost.filter(|(verdict, taker)| verdict.blocked == Some(Reason::Taken) && **taker == Some(winner));
        let expected = lost.count() as u64;
        if taken.contacts != expected {
            return Err(format!(
                "taken by {}: engine {}, reference {expected}",
                taken.segment, taken.contacts
            ));
        }
    }
    Ok(report.taken.iter().map(|taken| taken.contacts).sum())
}
