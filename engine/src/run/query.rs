//! One query from plan to answer: plan, durable intent, keys, execution.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, collect_partitioned};
use futures::FutureExt;
use hyperseg_dsl::Stages;
use hyperseg_dsl::lookups::Pin;
use hyperseg_dsl::schema::{Channel, Class, Purpose};
use hyperseg_dsl::segment::{Segment, Stage};
use hyperseg_storage::audit::{Intent, IntentBody};
use hyperseg_storage::layout::{ORDINAL, columns_of};
use hyperseg_storage::{FileId, KeyScope, Snapshot, Unlocked};

use super::Engine;
use super::digest::sha256_hex;
use super::within::Within;
use crate::error::{Error, Result};
use crate::lower::{Lowering, Tables, gate_clock, required_reasons};
use crate::plan::chance::Chance;
use crate::plan::exec::SetExec;
use crate::plan::explain;
use crate::plan::gate_rule::GateRule;
use crate::plan::ops::taken::TakenCell;
use crate::plan::planner::{Leaves, SegmentPlanner};
use crate::plan::session::session;
use crate::report::{PlanTimes, Reason, ScopeReport, UnlockedColumn};
use crate::request::Request;
use crate::table::{Entries, ScopeCell, Sealed};

/// How much of the plan is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One number: what does not change it may stay unread.
    Number,
    /// Numbers only: no column is read for the list unless chance asks for ids.
    Numbers,
    /// The rows of the list, and what each criterion says.
    List,
    /// The rows of the list alone.
    Release,
}

/// A planned query. Nothing has been unwrapped yet.
pub(super) struct Planned {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) logical: LogicalPlan,
    pub(super) physical: Arc<dyn ExecutionPlan>,
    /// SHA-256 of the segment's canonical text, hex.
    pub(super) segment_sha256: String,
    /// The segment in English.
    pub(super) description: String,
    /// The place of the segment, when a portfolio is solved.
    pub(super) within: Option<Within>,
    pub(super) times: PlanTimes,
    /// What the segment was closed against, and whatever else is asked beside it.
    pub(super) lookups: Vec<Pin>,
    scope: ScopeCell,
    state: SessionState,
}

/// A query that ran.
pub(super) struct Executed {
    pub(super) planned: Planned,
    pub(super) intent: Intent,
    pub(super) scope: Arc<KeyScope>,
    /// Batches by shard.
    pub(super) shards: Vec<Vec<RecordBatch>>,
    pub(super) started: Instant,
}

/// Purpose and channel of a segment that can be released.
pub(super) fn releasable(request: &Request) -> Option<(Purpose, Channel)> {
    let segment = request.segment.segment();
    segment.purpose.zip(segment.channel)
}

/// Plans the query against the current generation.
pub(super) async fn plan(engine: &Engine, request: &Request, wanted: Wanted) -> Result<Planned> {
    plan_by_stage(engine, request, wanted, &[]).await
}

/// Plans the query against the current generation, those who match counted by stages.
pub(super) async fn plan_by_stage(
    engine: &Engine,
    request: &Request,
    wanted: Wanted,
    stages: &[Stage],
) -> Result<Planned> {
    plan_on(engine, request, wanted, stages, engine.dataset.snapshot()?).await
}

/// Plans the query against a generation.
pub(super) async fn plan_on(
    engine: &Engine,
    request: &Request,
    wanted: Wanted,
    stages: &[Stage],
    snapshot: Arc<Snapshot>,
) -> Result<Planned> {
    plan_within(engine, request, wanted, stages, snapshot, None).await
}

/// Plans the query against a generation, perhaps as a part of a portfolio.
pub(super) async fn plan_within(
    engine: &Engine,
    request: &Request,
    wanted: Wanted,
    stages: &[Stage],
    snapshot: Arc<Snapshot>,
    within: Option<Within>,
) -> Result<Planned> {
    plan_sharing(engine, request, wanted, stages, snapshot, within, &Shared::default()).await
}

/// What the plans of several queries against one generation have in common: their keys, the leaves that stand in more than
/// one of them, and what the manifest says of the files.
#[derive(Default)]
pub(super) struct Shared {
    scope: ScopeCell,
    entries: Arc<Entries>,
    pub(super) leaves: Leaves,
}

/// Plans the query against a generation, with what other plans have in common with it.
pub(super) async fn plan_sharing(
    engine: &Engine,
    request: &Request,
    wanted: Wanted,
    stages: &[Stage],
    snapshot: Arc<Snapshot>,
    within: Option<Within>,
    shared: &Shared,
) -> Result<Planned> {
    let mut started = Instant::now();
    let mut lap = || {
        let micros = started.elapsed().as_micros();
        started = Instant::now();
        u64::try_from(micros).unwrap_or(u64::MAX)
    };
    let scope = Arc::clone(&shared.scope);
    let sealed = Arc::new(Sealed { dataset: engine.dataset.clone(), scope: Arc::clone(&scope) });
    let tables = Tables::new(Arc::clone(&snapshot), sealed, Arc::clone(&shared.entries));
    let number_only = matches!(wanted, Wanted::Number | Wanted::Release);
    let at_once = tables.shards().len() < engine.threads();
    // Who narrows what is asked asks for answers that are nobody else's, now or later, and has one criterion wait for the other.
    let narrows = number_only && !engine.cache.keeps() && !shared.leaves.in_common && !at_once;
    let lowering = Lowering { tables: &tables, clock: request.clock, number_only, narrows, stages };
    let segment = request.segment.segment();
    let lowered = match releasable(request) {
        None => lowering.criteria(segment).map(|plan| (plan, GateRule::CountsOnly)),
        Some((purpose, channel)) => {
            let higher = within.as_ref().map(Within::higher).unwrap_or_default();
            let present = gate_clock(&request.clock, request.now_micros);
            let gate = lowering.gate(segment, (purpose, channel), present, &higher);
            // Whom the sample leaves out is free for the lower segments: it is taken where the list is.
            let whole = within.is_some() || segment.one_per.is_some() || segment.limit.is_some();
            let taken = gate.and_then(|gate| lowering.tails(gate, segment, within.is_some()));
            let plan = taken.and_then(|taken| {
                let columns = list_columns(&tables, segment, channel, wanted, whole);
                if columns.is_empty() {
                    Ok(taken)
                } else {
                    lowering.list(taken, &columns, Chance::of(segment, whole))
                }
            });
            let mut reasons = required_reasons(purpose, channel);
            reasons.extend(higher.iter().map(|_| Reason::Taken));
            reasons.extend(segment.cap.as_ref().map(|_| Reason::FrequencyCap));
            plan.map(|plan| (plan, GateRule::Required(reasons)))
        }
    };
    let (logical, rule) = lowered.map_err(|error| query_error("planning", error, engine))?;
    let lower_micros = lap();
    let shards = tables.shards();
    let planner = SegmentPlanner {
        at_once,
        shards,
        generation: snapshot.generation(),
        cache: Arc::clone(&engine.cache),
        leaves: shared.leaves.clone(),
        taken: within.as_ref().map(Within::taken).unwrap_or_default(),
    };
    let state =
        session(&engine.limits, planner, rule).map_err(|error| query_error("planning", error, engine))?;
    let logical = state.optimize(&logical).map_err(|error| query_error("planning", error, engine))?;
    let optimize_micros = lap();
    let planner = Arc::clone(state.query_planner());
    let physical = planner
        .create_physical_plan(&logical, &state)
        .await
        .map_err(|error| query_error("planning", error, engine))?;
    let times = PlanTimes { lower_micros, optimize_micros, plan_micros: lap() };
    let (segment_sha256, description) = match &within {
        None => (canonical_hash(request), hyperseg_dsl::describe(segment, snapshot.schema())),
        Some(within) => (within.sha256(), within.description(snapshot.schema())),
    };
    let lookups = segment.pins.clone();
    Ok(Planned {
        snapshot,
        logical,
        physical,
        segment_sha256,
        description,
        within,
        times,
        lookups,
        scope,
        state,
    })
}

/// Fields of the list in order: id, address, output, each once.
pub(super) fn list_fields(segment: &Segment, channel: Channel) -> Vec<&str> {
    let mut fields = vec!["contact_id"];
    let output = segment.output.iter().map(String::as_str);
    for name in std::iter::once(channel.address_field()).chain(output) {
        if !fields.contains(&name) {
            fields.push(name);
        }
    }
    fields
}

/// Stored columns that the list needs, the ordinal last; for numbers alone only chance needs any, the ids.
fn list_columns(
    tables: &Tables,
    segment: &Segment,
    channel: Channel,
    wanted: Wanted,
    whole: bool,
) -> Vec<String> {
    // A sample among steps that look at the whole list is taken there.
    let sampled = segment.sample.is_some() && !whole;
    let thinned = sampled || segment.holdout.is_some();
    let fields = match wanted {
        Wanted::Number if !thinned => return Vec::new(),
        Wanted::Numbers if !thinned && segment.split.is_none() => return Vec::new(),
        Wanted::Number | Wanted::Numbers => vec!["contact_id"],
        Wanted::List | Wanted::Release => {
            let mut fields = list_fields(segment, channel);
            // For the check that each value stands once.
            let one_per = segment.one_per.as_ref().map(|one_per| one_per.field.as_str());
            fields.extend(one_per.filter(|name| !fields.contains(name)));
            fields
        }
    };
    let schema = tables.snapshot().schema();
    let fields = fields.into_iter().filter_map(|name| schema.contact_field(name));
    let columns = fields.flat_map(columns_of).map(|column| column.name().clone());
    columns.chain([ORDINAL.to_owned()]).collect()
}

impl Planned {
    /// Names in the audit record what stages were closed against, too.
    pub(super) fn names(&mut self, stages: Option<&Stages>) {
        for pin in stages.into_iter().flat_map(Stages::pins) {
            if !self.lookups.contains(pin) {
                self.lookups.push(pin.clone());
            }
        }
    }

    /// The columns that its scans read, by file.
    pub(super) fn wants(&self) -> Vec<(FileId, Vec<String>)> {
        let mut wants = Vec::new();
        for scan in explain::scans(&self.physical) {
            wants.extend(scan.files.iter().map(|file| (file.entry.id, scan.columns.clone())));
        }
        wants
    }

    /// Columns that the plan unlocks, before any key is.
    pub(super) fn columns_to_unlock(&self) -> Result<Vec<UnlockedColumn>> {
        let mut files: BTreeMap<(String, Class, String), BTreeSet<FileId>> = BTreeMap::new();
        for (id, columns) in KeyScope::needed(&self.snapshot, self.wants())? {
            let Some(entry) = self.snapshot.file(id)? else { continue };
            for name in columns {
                let column = (entry.table.name().to_owned(), entry.class, name);
                files.entry(column).or_default().insert(id);
            }
        }
        let unlocked = |((table, class, column), files): (_, BTreeSet<FileId>)| UnlockedColumn {
            table,
            class,
            column,
            keys: files.len() as u64,
        };
        Ok(files.into_iter().map(unlocked).collect())
    }

    /// Writes the intent, unwraps the keys of the plan's columns and runs the plan.
    pub(super) async fn execute(
        self,
        engine: &Engine,
        request: &Request,
        action: &'static str,
    ) -> Result<Executed> {
        let started = Instant::now();
        let body = intent_body(request, &self, action);
        let intent = engine.dataset.audit()?.intent(body)?;
        if let Some(within) = &self.within {
            within.begun(&intent.id().to_string());
        }
        match self.unlocked(engine, &intent).await {
            Ok((scope, shards)) => Ok(Executed { planned: self, intent, scope, shards, started }),
            Err(error) => Err(aborted(intent, error)),
        }
    }

    /// Records that somebody asked and was refused, before any key is unwrapped.
    pub(super) fn refuse(
        &self,
        engine: &Engine,
        request: &Request,
        action: &'static str,
        error: Error,
    ) -> Error {
        let intent = engine.dataset.audit().and_then(|log| log.intent(intent_body(request, self, action)));
        match intent {
            Ok(intent) => aborted(intent, error),
            Err(_) => error,
        }
    }

    /// Runs the plan under an intent that is durable; what it found is in its nodes.
    pub(super) async fn carry_out(&self, engine: &Engine, intent: &Intent) -> Result<Arc<KeyScope>> {
        self.unlocked(engine, intent).await.map(|(scope, _)| scope)
    }

    async fn unlocked(
        &self,
        engine: &Engine,
        intent: &Intent,
    ) -> Result<(Arc<KeyScope>, Vec<Vec<RecordBatch>>)> {
        let scope = self.arm(engine, intent, self.wants())?;
        let shards = self.ran(engine, &scope).await?;
        Ok((scope, shards))
    }

    /// Unwraps the keys of these columns, for this plan and those that share its keys.
    pub(super) fn arm(
        &self,
        engine: &Engine,
        intent: &Intent,
        wants: Vec<(FileId, Vec<String>)>,
    ) -> Result<Arc<KeyScope>> {
        let scope = KeyScope::arm(&engine.dataset, &self.snapshot, intent, wants)?;
        if self.scope.set(Arc::clone(&scope)).is_err() {
            return Err(Error::Query { doing: "arming keys", kind: "armed twice" });
        }
        Ok(scope)
    }

    /// Runs the plan under keys that are armed.
    pub(super) async fn ran(&self, engine: &Engine, scope: &KeyScope) -> Result<Vec<Vec<RecordBatch>>> {
        let context: Arc<TaskContext> = self.state.task_ctx();
        // A panic of a decoder fails the query, not the process.
        let answer =
            AssertUnwindSafe(collect_partitioned(Arc::clone(&self.physical), context)).catch_unwind().await;
        let failed = match answer {
            Ok(Ok(shards)) => return Ok(shards),
            Ok(Err(error)) => query_error("reading", error, engine),
            Err(_panic) => Error::Query { doing: "reading", kind: "panic" },
        };
        let nameless =
            matches!(&failed, Error::Query { .. } | Error::Storage(hyperseg_storage::Error::Corrupt { .. }));
        let named = if nameless { self.damage(engine, scope) } else { None };
        Err(named.unwrap_or(failed))
    }

    /// Reads the plan's columns file by file; the error of the first file that cannot be read names it.
    fn damage(&self, engine: &Engine, scope: &KeyScope) -> Option<Error> {
        for scan in explain::scans(&self.physical) {
            let columns: Vec<&str> = scan.columns.iter().map(String::as_str).collect();
            for file in &scan.files {
                let read = || match scope.read(&engine.dataset, &file.entry, &columns, None) {
                    Ok(mut batches) => batches.find_map(std::result::Result::err),
                    Err(error) => Some(error),
                };
                if let Some(error) = std::panic::catch_unwind(AssertUnwindSafe(read)).ok().flatten() {
                    return Some(Error::Storage(error));
                }
            }
        }
        None
    }
}

impl Planned {
    /// Whom the segments in front of this one in the portfolio take, as far as they have run.
    pub(super) fn taken(&self) -> Vec<Arc<TakenCell>> {
        self.within.as_ref().map(Within::taken).unwrap_or_default()
    }

    /// Tells the lower segments of the portfolio whom this one takes: those whom its list is made of, held back or not. The
    /// plan was executed.
    pub(super) fn hand_over(&self) -> Result<()> {
        let Some(within) = &self.within else { return Ok(()) };
        let broken = |kind| Error::Query { doing: "solving the portfolio", kind };
        let operator = |wanted: &dyn Fn(&SetExec) -> bool| {
            let is_it = |node: &Arc<dyn ExecutionPlan>| node.downcast_ref::<SetExec>().is_some_and(wanted);
            let node = explain::find(&self.physical, &is_it)?;
            Some(Arc::clone(node.downcast_ref::<SetExec>()?.operator()))
        };
        let tails = operator(&|set| set.operator().as_tails().is_some());
        let gate = operator(&|set| set.operator().as_gate().is_some()).ok_or(broken("a node is missing"))?;
        let shards = self.physical.properties().partitioning.partition_count();
        let mut taken = Vec::with_capacity(shards);
        for shard in 0..shards {
            let of_shard = match tails.as_ref().and_then(|tails| tails.as_tails()) {
                Some(tails) => tails.kept(shard),
                None => gate.as_gate().and_then(|gate| gate.passed.of(shard)),
            };
            taken.push(of_shard.ok_or(broken("a shard was not worked off"))?.clone());
        }
        if within.own().set(taken) { Ok(()) } else { Err(broken("a segment was worked off twice")) }
    }
}

impl Executed {
    /// What the query looked at.
    pub(super) fn scope_report(&self, request: &Request) -> ScopeReport {
        self.planned.scope_report(self.scope.unlocked(), self.started, request)
    }
}

impl Planned {
    /// What the query looked at, of which these columns were unlocked for it.
    pub(super) fn scope_report(
        &self,
        unlocked: Vec<Unlocked>,
        started: Instant,
        request: &Request,
    ) -> ScopeReport {
        let mut key_ids: Vec<String> = unlocked.iter().flat_map(|column| column.key_ids.clone()).collect();
        key_ids.sort();
        key_ids.dedup();
        let mut counters = explain::scan_counters(&self.physical);
        counters.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let columns = unlocked
            .into_iter()
            .map(|column| UnlockedColumn {
                keys: column.files.len() as u64,
                table: column.table,
                class: column.class,
                column: column.column,
            })
            .collect();
        ScopeReport {
            generation: self.snapshot.generation(),
            clock: request.clock,
            columns,
            key_ids,
            counters,
        }
    }
}

/// Ends a run that came to nothing. That the log cannot be written is less than what went wrong: the next process
/// closes the run.
pub(super) fn aborted(intent: Intent, error: Error) -> Error {
    let _ = intent.abort(&error.to_string());
    error
}

/// SHA-256 of the plan as EXPLAIN shows it.
pub(super) fn plan_sha256(planned: &Planned) -> String {
    sha256_hex(explain::text(&planned.physical, false).as_bytes())
}

fn intent_body(request: &Request, planned: &Planned, action: &'static str) -> IntentBody {
    let segment = request.segment.segment();
    let mut details = serde_json::json!({
        "segment": segment.name,
        "plan_sha256": plan_sha256(planned),
        "now_micros": request.now_micros,
        "lookups": planned.lookups,
    });
    if let (Some(within), Some(details)) = (&planned.within, details.as_object_mut()) {
        let place = serde_json::to_value(within.report()).unwrap_or_default();
        details.insert("portfolio".to_owned(), place);
    }
    IntentBody {
        on_behalf_of: request.actor.clone(),
        purpose: segment.purpose.map(|purpose| purpose.name().to_owned()),
        channel: segment.channel.map(|channel| channel.name().to_owned()),
        segment_text: Some(request.source.clone()),
        canonical_hash: Some(planned.segment_sha256.clone()),
        description: Some(planned.description.clone()),
        params: serde_json::to_value(request.segment.params()).unwrap_or_default(),
        as_of: Some(as_of_text(request)),
        zone: Some(request.clock.zone.name().to_owned()),
        generation: Some(planned.snapshot.generation()),
        details,
        ..IntentBody::new(action)
    }
}

/// SHA-256 of the segment's canonical text with what it uses, or of the text as it is when it was not compiled from one.
pub(super) fn canonical_hash(request: &Request) -> String {
    let canonical = request.segment.segment().canonical.as_str();
    sha256_hex(if canonical.is_empty() { &request.source } else { canonical }.as_bytes())
}

/// The run's instant in RFC 3339.
pub(super) fn as_of_text(request: &Request) -> String {
    chrono::DateTime::from_timestamp_micros(request.clock.as_of_micros)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// Our own errors as they are; DataFusion's by kind, since their texts may quote values.
pub(super) fn query_error(doing: &'static str, error: DataFusionError, engine: &Engine) -> Error {
    let kind = match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            return query_error(doing, *inner, engine);
        }
        DataFusionError::Shared(shared) => match Arc::try_unwrap(shared) {
            Ok(inner) => return query_error(doing, inner, engine),
            Err(_) => "shared",
        },
        DataFusionError::External(inner) => return external(doing, inner, engine),
        DataFusionError::ArrowError(inner, _) => match *inner {
            arrow::error::ArrowError::ExternalError(inner) => return external(doing, inner, engine),
            _ => "arrow",
        },
        DataFusionError::ResourcesExhausted(_) => {
            return Error::Memory { limit_bytes: engine.limits.memory_bytes_max };
        }
        DataFusionError::Plan(_) => "plan",
        DataFusionError::Internal(_) => "internal",
        DataFusionError::Execution(_) => "execution",
        DataFusionError::ExecutionJoin(_) => "a task that ended early",
        DataFusionError::NotImplemented(_) => "not implemented",
        DataFusionError::SchemaError(..) => "schema",
        _ => "other",
    };
    Error::Query { doing, kind }
}

fn external(doing: &'static str, inner: Box<dyn std::error::Error + Send + Sync>, engine: &Engine) -> Error {
    let inner = match inner.downcast::<hyperseg_storage::Error>() {
        Ok(error) => return Error::Storage(*error),
        Err(inner) => inner,
    };
    let inner = match inner.downcast::<Error>() {
        Ok(error) => return *error,
        Err(inner) => inner,
    };
    match inner.downcast::<DataFusionError>() {
        Ok(error) => query_error(doing, *error, engine),
        Err(_) => Error::Query { doing, kind: "external" },
    }
}
