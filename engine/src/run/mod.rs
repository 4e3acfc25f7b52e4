//! What callers ask of the engine.

mod batch;
mod count;
mod digest;
#[cfg(test)]
mod gate_tests;
mod list;
mod portfolio;
#[cfg(test)]
mod portfolio_tests;
mod query;
mod recheck;
#[cfg(test)]
mod recheck_tests;
mod render;
mod stored;
mod why;
mod why_portfolio;
mod within;

use std::future::Future;
use std::sync::{Arc, OnceLock};

use hyperseg_dsl::Stages;
use hyperseg_storage::Dataset;
use tokio::runtime::Runtime;

pub use list::Recipients;

use crate::error::{Error, Result};
use crate::plan::leaf_cache::LeafCache;
use crate::report::{CountReport, FunnelReport, PlanReport, WhyReport};
use crate::request::{Guards, Limits, Request};

/// Answers requests over one dataset. Cheap to share behind an `Arc`; every answer pins the generation that is
/// current when it starts.
#[derive(Debug)]
pub struct Engine {
    dataset: Dataset,
    limits: Limits,
    cache: Arc<LeafCache>,
    runtime: OnceLock<Runtime>,
}

impl Engine {
    /// An engine over an opened dataset.
    #[must_use]
    pub fn new(dataset: Dataset, limits: Limits) -> Self {
        let cache = LeafCache::new(limits.kept_bytes_max);
        Self { dataset, limits, cache, runtime: OnceLock::new() }
    }

    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// How many contacts match, and how many of them a run would release.
    ///
    /// # Errors
    /// The dataset, its keys or its audit log cannot be used, or the query fails or exceeds its limits.
    pub async fn count(&self, request: &Request) -> Result<CountReport> {
        count::count(self, request).await
    }

    /// The waterfall: every criterion by itself and together with those before it, then every exclusion.
    ///
    /// # Errors
    /// As [`Engine::count`].
    pub async fn funnel(&self, request: &Request) -> Result<FunnelReport> {
        count::funnel(self, request, None).await
    }

    /// The waterfall, and those who match by stage: each contact is in the first stage whose criteria are TRUE. The audit
    /// record names what the stages were closed against, too.
    ///
    /// # Errors
    /// As [`Engine::count`].
    pub async fn funnel_by_stage(&self, request: &Request, stages: &Stages) -> Result<FunnelReport> {
        count::funnel(self, request, Some(stages)).await
    }

    /// The plan of a run, or of a count when the segment lacks purpose or channel; executed when `analyze` is set.
    /// Without it no key is unwrapped.
    ///
    /// # Errors
    /// As [`Engine::count`].
    pub async fn plan(&self, request: &Request, analyze: bool) -> Result<PlanReport> {
        count::plan(self, request, analyze).await
    }

    /// Why one contact is on the list of a segment, or is not: what the reference semantics find in the contact's
    /// stored rows, with the values and records that decided. Audited with the contact's id.
    ///
    /// # Errors
    /// No contact has this id; the dataset, its keys or its audit log cannot be used.
    pub async fn why(&self, request: &Request, contact_id: &str) -> Result<WhyReport> {
        why::why(self, request, contact_id).await
    }

    /// Releases the list. The rows can be read only once the release record is durable.
    ///
    /// # Errors
    /// As [`Engine::count`]; the segment lacks purpose or channel, consent data is too old, a guard held, or the
    /// row-by-row check of consent and suppression disagrees with the plan.
    pub async fn run(&self, request: &Request, guards: Guards) -> Result<Recipients> {
        list::run(self, request, guards).await
    }

    /// [`Engine::count`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::count`].
    pub fn count_blocking(&self, request: &Request) -> Result<CountReport> {
        self.block_on(self.count(request))
    }

    /// [`Engine::funnel`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::count`].
    pub fn funnel_blocking(&self, request: &Request) -> Result<FunnelReport> {
        self.block_on(self.funnel(request))
    }

    /// [`Engine::funnel_by_stage`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::count`].
    pub fn funnel_by_stage_blocking(&self, request: &Request, stages: &Stages) -> Result<FunnelReport> {
        self.block_on(self.funnel_by_stage(request, stages))
    }

    /// [`Engine::plan`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::count`].
    pub fn plan_blocking(&self, request: &Request, analyze: bool) -> Result<PlanReport> {
        self.block_on(self.plan(request, analyze))
    }

    /// [`Engine::why`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::why`].
    pub fn why_blocking(&self, request: &Request, contact_id: &str) -> Result<WhyReport> {
        self.block_on(self.why(request, contact_id))
    }

    /// [`Engine::run`] for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run_blocking(&self, request: &Request, guards: Guards) -> Result<Recipients> {
        self.block_on(self.run(request, guards))
    }

    /// Threads that a query may use.
    fn threads(&self) -> usize {
        match self.limits.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    fn block_on<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        if self.runtime.get().is_none() {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            if self.limits.threads > 0 {
                builder.worker_threads(self.limits.threads);
            }
            let runtime = builder
                .thread_name("hyperseg")
                .build()
                .map_err(|_| Error::Query { doing: "starting threads", kind: "io" })?;
            // Another thread may have been faster; either runtime will do.
            let _ = self.runtime.set(runtime);
        }
        let runtime = self.runtime.get().ok_or(Error::Query { doing: "starting threads", kind: "io" })?;
        runtime.block_on(answer)
    }
}
