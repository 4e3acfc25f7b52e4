//! A portfolio at once: one generation, one moment, every contact with the first segment that takes it.
//!
//! The plans of all segments are made first, so that what can be refused is refused before a key is unwrapped. Then they run
//! in their order, each under an audit record of its own. Lists are released only when every one of them is ready: guarded,
//! checked row by row, checked against the others, and sealed.

use std::collections::HashSet;
use std::sync::Arc;

use hyperseg_dsl::Stages;
use hyperseg_dsl::segment::Stage;

use super::count::{complete, count_report, funnel_report, plan_report, stages_report};
use super::list::{self, List, Recipients};
use super::query::{self, Executed, Planned, Wanted, aborted, releasable};
use super::within::Within;
use super::{Engine, why_portfolio};
use crate::error::{Error, Result};
use crate::plan::ops::taken::TakenCell;
use crate::report::{CountReport, FunnelReport, PortfolioReport, PortfolioWhyReport, Reason, SegmentPlan};
use crate::request::{Guards, PortfolioRequest, Request};

impl Engine {
    /// How many contacts each list of a portfolio would release. Every segment has an audit record of its own.
    ///
    /// # Errors
    /// As [`Engine::count`]; a segment lacks purpose or channel, so that it can take nobody.
    pub async fn count_portfolio(&self, request: &PortfolioRequest) -> Result<PortfolioReport<CountReport>> {
        let mut reports = Vec::new();
        for (request, planned) in planned(self, request, Wanted::Number, &[]).await? {
            let executed = planned.execute(self, &request, "count").await?;
            executed.planned.hand_over()?;
            let report = count_report(&executed, &request)?;
            complete(executed, &report)?;
            reports.push(report);
        }
        Ok(summed(request, reports, |report| report))
    }

    /// The waterfall of each segment of a portfolio, and those who match it by stage when stages are given.
    ///
    /// # Errors
    /// As [`Engine::count_portfolio`].
    pub async fn funnel_portfolio(
        &self,
        request: &PortfolioRequest,
        by: Option<&Stages>,
    ) -> Result<PortfolioReport<FunnelReport>> {
        let stages = by.map(Stages::list).unwrap_or_default();
        let mut reports = Vec::new();
        for (request, mut planned) in planned(self, request, Wanted::Numbers, stages).await? {
            planned.names(by);
            let executed = planned.execute(self, &request, "funnel").await?;
            executed.planned.hand_over()?;
            let mut report = funnel_report(&executed, &request)?;
            report.stages = stages_report(&executed, stages, report.count.matched)?;
            complete(executed, &report.count)?;
            reports.push(report);
        }
        Ok(summed(request, reports, |report| &report.count))
    }

    /// The plans of a portfolio's segments in their order; executed when `analyze` is set. Without it no key is unwrapped.
    ///
    /// # Errors
    /// As [`Engine::count_portfolio`].
    pub async fn plan_portfolio(
        &self,
        request: &PortfolioRequest,
        analyze: bool,
    ) -> Result<Vec<SegmentPlan>> {
        let mut plans = Vec::new();
        for (request, planned) in planned(self, request, Wanted::List, &[]).await? {
            let plan = plan_report(self, &request, planned, analyze).await?;
            plans.push(SegmentPlan { segment: request.segment.segment().name.clone(), plan });
        }
        Ok(plans)
    }

    /// Which segment of a portfolio takes one contact, and what each of them says of it; see [`Engine::why`].
    ///
    /// # Errors
    /// As [`Engine::why`] and [`Engine::count_portfolio`].
    pub async fn why_portfolio(
        &self,
        request: &PortfolioRequest,
        contact_id: &str,
    ) -> Result<PortfolioWhyReport> {
        why_portfolio::why(self, request, contact_id).await
    }

    /// Releases the lists of a portfolio, one per segment in their order, all of them or none: no release record is written
    /// before every list is ready. The guards hold for each list.
    ///
    /// # Errors
    /// As [`Engine::run`]; a contact is on two lists. When the log fails between two release records, those that were written
    /// stand, and their lists are lost.
    pub async fn run_portfolio(&self, request: &PortfolioRequest, guards: Guards) -> Result<Vec<Recipients>> {
        run(self, request, guards).await
    }

    /// [`Engine::count_portfolio`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::count_portfolio`].
    pub fn count_portfolio_blocking(
        &self,
        request: &PortfolioRequest,
    ) -> Result<PortfolioReport<CountReport>> {
        self.block_on(self.count_portfolio(request))
    }

    /// [`Engine::funnel_portfolio`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::count_portfolio`].
    pub fn funnel_portfolio_blocking(
        &self,
        request: &PortfolioRequest,
        by: Option<&Stages>,
    ) -> Result<PortfolioReport<FunnelReport>> {
        self.block_on(self.funnel_portfolio(request, by))
    }

    /// [`Engine::plan_portfolio`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::count_portfolio`].
    pub fn plan_portfolio_blocking(
        &self,
        request: &PortfolioRequest,
        analyze: bool,
    ) -> Result<Vec<SegmentPlan>> {
        self.block_on(self.plan_portfolio(request, analyze))
    }

    /// [`Engine::why_portfolio`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::why_portfolio`].
    pub fn why_portfolio_blocking(
        &self,
        request: &PortfolioRequest,
        contact_id: &str,
    ) -> Result<PortfolioWhyReport> {
        self.block_on(self.why_portfolio(request, contact_id))
    }

    /// [`Engine::run_portfolio`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::run_portfolio`].
    pub fn run_portfolio_blocking(
        &self,
        request: &PortfolioRequest,
        guards: Guards,
    ) -> Result<Vec<Recipients>> {
        self.block_on(self.run_portfolio(request, guards))
    }
}

/// The plans of all segments against one generation, each with the question it answers. Nothing has been unwrapped yet.
async fn planned(
    engine: &Engine,
    request: &PortfolioRequest,
    wanted: Wanted,
    stages: &[Stage],
) -> Result<Vec<(Request, Planned)>> {
    let snapshot = engine.dataset.snapshot()?;
    let requests = request.each();
    // A segment without a list takes nobody, and what the others get would be another portfolio.
    if let Some(lacking) = requests.iter().find(|request| releasable(request).is_none()) {
        return Err(list::not_releasable(lacking));
    }
    let mut all = Vec::with_capacity(requests.len());
    for (one, within) in requests.into_iter().zip(Within::all(request)) {
        let snapshot = Arc::clone(&snapshot);
        let planned = query::plan_within(engine, &one, wanted, stages, snapshot, Some(within)).await?;
        all.push((one, planned));
    }
    Ok(all)
}

/// The reports of the segments under those of the whole.
fn summed<R>(
    request: &PortfolioRequest,
    segments: Vec<R>,
    count: impl Fn(&R) -> &CountReport,
) -> PortfolioReport<R> {
    let portfolio = request.portfolio.portfolio();
    let counts = || segments.iter().map(&count);
    let removed = counts().flat_map(|count| &count.removed);
    PortfolioReport {
        portfolio: portfolio.name.clone(),
        title: portfolio.title.clone(),
        contacts: counts().next().map_or(0, |count| count.contacts),
        releasable: counts().filter_map(|count| count.releasable).sum(),
        held_back: removed
            .filter(|removed| removed.reason == Reason::Holdout)
            .map(|removed| removed.contacts)
            .sum(),
        segments,
    }
}

async fn run(engine: &Engine, request: &PortfolioRequest, guards: Guards) -> Result<Vec<Recipients>> {
    let mut allowed = Vec::new();
    for (one, planned) in planned(engine, request, Wanted::List, &[]).await? {
        let header = list::allowed(engine, &one, &planned)?;
        allowed.push((one, planned, header));
    }
    let mut executed = Vec::with_capacity(allowed.len());
    for (one, planned, header) in allowed {
        let done = match planned.execute(engine, &one, "run").await {
            Ok(done) => done.planned.hand_over().map(|()| done),
            Err(error) => Err(error),
        };
        match done {
            Ok(done) => executed.push((one, done, header)),
            Err(error) => return Err(all_aborted(executed.into_iter().map(|(_, done, _)| done), error)),
        }
    }
    let ready = || {
        let mut lists = Vec::with_capacity(executed.len());
        for (one, done, header) in &executed {
            let named = |error| of_segment(error, &one.segment.segment().name);
            lists.push(list::prepared(engine, one, done, *header, guards).map_err(named)?);
        }
        let taken = executed.iter().map(|(_, done, _)| done.planned.taken());
        apart(taken.zip(lists.iter().map(|(_, list)| list)))?;
        let sealed = executed.iter().zip(&lists);
        let sealed = sealed.map(|((_, done, _), (report, list))| list::spool(done, report, list));
        let sealed = sealed.collect::<Result<Vec<_>>>()?;
        Ok((lists, sealed))
    };
    let (lists, sealed) = match ready() {
        Ok(ready) => ready,
        Err(error) => return Err(all_aborted(executed.into_iter().map(|(_, done, _)| done), error)),
    };
    let mut released = Vec::with_capacity(lists.len());
    let mut left = executed.into_iter().zip(lists).zip(sealed);
    while let Some((((one, done, header), (report, list)), sealed)) = left.next() {
        match list::release(engine, &one, done, report, list, sealed, header) {
            Ok(recipients) => released.push(recipients),
            Err(error) => return Err(all_aborted(left.map(|(((_, done, _), _), _)| done), error)),
        }
    }
    Ok(released)
}

/// Ends runs that came to nothing because one of them did.
fn all_aborted(runs: impl Iterator<Item = Executed>, error: Error) -> Error {
    runs.fold(error, |error, run| aborted(run.intent, error))
}

/// Which list the guard held back.
fn of_segment(error: Error, segment: &str) -> Error {
    match error {
        Error::Guard { recipients, bound } => {
            Error::Guard { recipients, bound: format!("{bound} on the list of `{segment}`") }
        }
        other => other,
    }
}

/// Nobody is on two lists, and nobody is on one whom a higher segment has taken without listing: whom it holds back. The
/// first is said by the ids of the rows, as they would be written.
pub(super) fn apart<'a>(lists: impl Iterator<Item = (Vec<Arc<TakenCell>>, &'a List)>) -> Result<()> {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut wrong = 0_u64;
    for (taken, list) in lists {
        let is_taken = |(shard, ordinal): &(usize, usize)| {
            taken.iter().any(|taken| {
                // Whom a higher segment has taken is known, or nobody is released.
                taken.of(*shard).is_none_or(|taken| *ordinal >= taken.len() || taken.value(*ordinal))
            })
        };
        let twice = list.ids()?.into_iter().filter(|id| !seen.insert(id)).count();
        wrong += twice.max(list.ordinals().filter(is_taken).count()) as u64;
    }
    if wrong > 0 { Err(Error::Overlap { contacts: wrong }) } else { Ok(()) }
}
