//! The list: rows read, checked again, sorted, spooled sealed, recorded, and only then readable.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use chrono::{DateTime, Utc};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Channel, Field as SchemaField, Purpose};
use hyperseg_storage::Digest;
use hyperseg_storage::audit::{ReleaseBody, Released, Spool};
use hyperseg_storage::layout::ORDINAL;
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::Engine;
use super::count::count_report;
use super::digest::{CanonicalRows, ListDigest};
use super::query::{self, Executed, Planned, Wanted, aborted, releasable};
use super::recheck::{Recheck, list};
use super::render::render;
use super::within::Within;
use crate::error::{Error, Result};
use crate::plan::recipients::ARM;
use crate::report::{CountReport, Receipt};
use crate::request::{ConsentAge, Guards, Request};

/// Rows of a spooled chunk and of a batch of the stream; a power of two, so that trees over chunks can be joined.
const CHUNK_ROWS: usize = 8192;
const HOUR_MICROS: i64 = 3_600_000_000;
/// How far the clocks of importing and releasing machine may lie apart.
const SKEW_MICROS_MAX: i64 = 300_000_000;

type Chunks = Box<dyn Iterator<Item = hyperseg_storage::Result<Zeroizing<Vec<u8>>>> + Send>;

/// A released list: its receipt and its rows, sorted by contact id. Columns are texts: `contact_id`, the address on
/// the channel, the output fields, and `arm` when the segment splits its list.
pub struct Recipients {
    receipt: Receipt,
    schema: SchemaRef,
    chunks: Chunks,
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recipients").field("run_id", &self.receipt.run_id).finish_non_exhaustive()
    }
}

impl Recipients {
    /// What stands behind the list.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Columns of the batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Iterator for Recipients {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.chunks.next()?;
        Some(chunk.map_err(Error::from).and_then(|bytes| decode(&bytes)))
    }
}

pub(super) async fn run(engine: &Engine, request: &Request, guards: Guards) -> Result<Recipients> {
    let planned = query::plan(engine, request, Wanted::Release).await?;
    let header = allowed(engine, request, &planned)?;
    let executed = planned.execute(engine, request, "run").await?;
    match prepared(engine, request, &executed, header, guards).and_then(|(report, list)| {
        let spooled = spool(&executed, &report, &list)?;
        Ok((report, list, spooled))
    }) {
        Ok((report, list, spooled)) => release(engine, request, executed, report, list, spooled, header),
        Err(error) => Err(aborted(executed.intent, error)),
    }
}

/// Purpose and channel of a list that may be released, as far as can be said before a key is unwrapped; who is refused is
/// recorded.
pub(super) fn allowed(engine: &Engine, request: &Request, planned: &Planned) -> Result<(Purpose, Channel)> {
    let allowed = if engine.dataset.is_in_the_past() {
        Err(Error::PastGeneration)
    } else {
        permitted(request, planned.snapshot.consent_imported_micros())
    };
    allowed.map_err(|error| planned.refuse(engine, request, "run", error))
}

/// The list, guarded and checked again.
pub(super) fn prepared(
    engine: &Engine,
    request: &Request,
    executed: &Executed,
    (purpose, channel): (Purpose, Channel),
    guards: Guards,
) -> Result<(CountReport, List)> {
    // The check decodes again, apart from the query; a panic of a decoder must not pass it by.
    let prepared = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let report = count_report(executed, request)?;
        guard(guards, &report)?;
        Ok((report, prepare(engine, request, executed, purpose, channel)?))
    }));
    prepared.unwrap_or(Err(Error::Query { doing: "checking consent row by row", kind: "panic" }))
}

/// What can be said before a key is unwrapped: purpose, channel, day and age of the consent data allow a release.
fn permitted(request: &Request, consent_imported: Option<i64>) -> Result<(Purpose, Channel)> {
    let header = releasable(request).ok_or_else(|| not_releasable(request))?;
    present(request)?;
    fresh(request, consent_imported)?;
    Ok(header)
}

pub(super) fn not_releasable(request: &Request) -> Error {
    let segment = request.segment.segment();
    let what = if segment.purpose.is_none() { "purpose" } else { "channel" };
    Error::NotReleasable { segment: segment.name.clone(), what }
}

/// A list for a day that has not come would judge age, expiry and consent as they are not yet.
fn present(request: &Request) -> Result<()> {
    let now = Clock { as_of_micros: request.now_micros, zone: request.clock.zone };
    if request.clock.today() > now.today() { Err(Error::FutureAsOf) } else { Ok(()) }
}

/// Consent data must not be older than the request allows.
fn fresh(request: &Request, imported: Option<i64>) -> Result<()> {
    let ConsentAge::Hours(hours_max) = request.consent_age_max else { return Ok(()) };
    let what = match imported {
        None => "consent was never imported into this dataset".to_owned(),
        Some(imported) => {
            let age = request.now_micros.saturating_sub(imported);
            if age < -SKEW_MICROS_MAX {
                "consent was imported at a time to come, so that a clock is wrong".to_owned()
            } else if age <= i64::from(hours_max).saturating_mul(HOUR_MICROS) {
                return Ok(());
            } else {
                let hours = age / HOUR_MICROS;
                format!("consent was last imported {hours} hours ago, more than the {hours_max} allowed")
            }
        }
    };
    Err(Error::ConsentStale { what })
}

fn guard(guards: Guards, report: &CountReport) -> Result<()> {
    let recipients = report.releasable.unwrap_or(0);
    let crossed = |bound: String| Err(Error::Guard { recipients, bound });
    match (guards.recipients_min, guards.recipients_max) {
        (Some(least), _) if recipients < least => crossed(format!("at least {least}")),
        (_, Some(most)) if recipients > most => crossed(format!("at most {most}")),
        (_, _) => Ok(()),
    }
}

/// A list ready to be spooled.
pub(super) struct List {
    /// Of [`CHUNK_ROWS`] rows, the last of at most so many.
    pieces: Vec<RecordBatch>,
    schema: SchemaRef,
    /// Bitmap of who is on it: per shard its number, its contacts and its bits, all little-endian.
    members: Vec<u8>,
    /// The same by shard, as the rows say.
    ordinals: Vec<(usize, UInt32Array)>,
}

/// Checks every recipient again, sorts by id and renders.
fn prepare(
    engine: &Engine,
    request: &Request,
    executed: &Executed,
    purpose: Purpose,
    channel: Channel,
) -> Result<List> {
    let snapshot = &executed.planned.snapshot;
    let recheck =
        Recheck { dataset: &engine.dataset, snapshot, scope: &executed.scope, request, purpose, channel };
    let broken = |_| Error::Query { doing: "sorting the list", kind: "arrow" };
    let fields = query::list_fields(request.segment.segment(), channel);
    let schema = snapshot.schema();
    let arms = request.segment.segment().split.is_some().then_some(ARM);
    let parts = executed.shards.par_iter().enumerate().map(|(shard, batches)| {
        let Some(first) = batches.first() else { return Ok(None) };
        let rows = concat_batches(&first.schema(), batches).map_err(broken)?;
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let shard =
            u32::try_from(shard).map_err(|_| Error::Query { doing: "sorting the list", kind: "shard" })?;
        recheck.shard(shard, &rows)?;
        let segment = request.segment.segment();
        list::by_chance(segment, &rows)?;
        let values = list::values(segment, &rows, schema, &request.clock)?;
        let contacts = snapshot.shards().get(shard as usize).map_or(0, |shard| shard.contacts);
        let members = members(shard, contacts, &rows);
        let ordinals = rows.column_by_name(ORDINAL).and_then(|column| column.as_any().downcast_ref());
        let ordinals: &UInt32Array =
            ordinals.ok_or(Error::Query { doing: "sorting the list", kind: "no ordinals" })?;
        let on_it = (members, (shard as usize, ordinals.clone()));
        Ok(Some(((Sorted::of(render(&rows, &fields, arms, schema)?)?, values), on_it)))
    });
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let (parts, on_it): (Vec<_>, Vec<_>) = parts.into_iter().flatten().unzip();
    let (members, ordinals): (Vec<Vec<u8>>, Vec<_>) = on_it.into_iter().unzip();
    let (parts, values): (Vec<Sorted>, Vec<Vec<String>>) = parts.into_iter().unzip();
    let released = parts.iter().map(|part| part.order.len() as u64).sum();
    list::whole(request.segment.segment(), &values, released)?;
    let columns = fields.iter().copied().chain(arms).map(|name| Field::new(name, DataType::Utf8, true));
    let empty = RecordBatch::new_empty(Arc::new(ArrowSchema::new(columns.collect::<Vec<_>>())));
    let pieces = merged(&parts, empty.schema())?;
    Ok(List { pieces, schema: empty.schema(), members: members.concat(), ordinals })
}

/// Rendered rows of a shard and their order by id.
struct Sorted {
    rows: RecordBatch,
    order: Vec<usize>,
}

impl Sorted {
    fn of(rows: RecordBatch) -> Result<Self> {
        let ids = ids(&rows)?;
        let mut order: Vec<usize> = (0..ids.len()).collect();
        // Every id is there and stands once.
        order.sort_unstable_by_key(|&row| ids.value(row));
        Ok(Self { rows, order })
    }
}

fn ids(rows: &RecordBatch) -> Result<&StringArray> {
    let ids = rows.column_by_name("contact_id").and_then(|column| column.as_any().downcast_ref());
    ids.ok_or(Error::Query { doing: "sorting the list", kind: "no ids" })
}

/// The rows of all shards in the order of their ids, in pieces of [`CHUNK_ROWS`].
fn merged(parts: &[Sorted], schema: SchemaRef) -> Result<Vec<RecordBatch>> {
    let broken = |_| Error::Query { doing: "sorting the list", kind: "arrow" };
    let columns = parts.iter().map(|part| ids(&part.rows)).collect::<Result<Vec<_>>>()?;
    let mut next: Vec<_> = parts.iter().map(|part| part.order.iter().copied().peekable()).collect();
    let mut places: Vec<(usize, usize)> = Vec::new();
    loop {
        let heads = next.iter_mut().zip(&columns).enumerate();
        let least = heads
            .filter_map(|(part, (order, ids))| order.peek().map(|&row| (ids.value(row), part, row)))
            .min_by(|a, b| a.0.cmp(b.0));
        let Some((_, part, row)) = least else { break };
        places.push((part, row));
        if let Some(order) = next.get_mut(part) {
            order.next();
        }
    }
    if places.is_empty() {
        return Ok(vec![RecordBatch::new_empty(schema)]);
    }
    let sources: Vec<&RecordBatch> = parts.iter().map(|part| &part.rows).collect();
    places
        .par_chunks(CHUNK_ROWS)
        .map(|places| interleave_record_batch(&sources, places).map_err(broken))
        .collect()
}

/// Who is on the list in a shard.
fn members(shard: u32, contacts: u32, rows: &RecordBatch) -> Vec<u8> {
    let mut bits = vec![0_u8; (contacts as usize).div_ceil(8)];
    let ordinals = rows.column_by_name(ORDINAL);
    if let Some(ordinals) = ordinals.and_then(|column| column.as_any().downcast_ref::<UInt32Array>()) {
        for &ordinal in ordinals.values() {
            if let Some(byte) = bits.get_mut(ordinal as usize / 8) {
                *byte |= 1 << (ordinal % 8);
            }
        }
    }
    [shard.to_le_bytes().as_slice(), &contacts.to_le_bytes(), &bits].concat()
}

/// A list on its way: sealed, with its digests, and not yet released.
pub(super) struct Spooled {
    spool: Spool,
    rows: u64,
    sha256: Digest,
    merkle_root: Digest,
}

/// Seals the rows of a list for its run.
pub(super) fn spool(executed: &Executed, report: &CountReport, list: &List) -> Result<Spooled> {
    let mut spool = executed.intent.spool()?;
    let mut digest = ListDigest::default();
    let pieces: Vec<_> = list
        .pieces
        .par_iter()
        .map(|piece| Ok((CanonicalRows::of(piece), encode(piece)?)))
        .collect::<Result<_>>()?;
    for (rows, bytes) in pieces {
        if !digest.push(rows) {
            return Err(Error::Query { doing: "spooling the list", kind: "a piece out of order" });
        }
        spool.write(&bytes)?;
    }
    spool.set_members(&list.members)?;
    let (rows, sha256, merkle_root) = digest.finish();
    if Some(rows) != report.releasable {
        return Err(Error::Query { doing: "spooling the list", kind: "another number of rows than counted" });
    }
    Ok(Spooled { spool, rows, sha256, merkle_root })
}

impl List {
    /// A list of these ids, all in one shard, by itself.
    #[cfg(test)]
    pub(super) fn of(ids: &[&str], ordinals: &[u32]) -> Self {
        let schema = Arc::new(ArrowSchema::new(vec![Field::new("contact_id", DataType::Utf8, true)]));
        let column = Arc::new(StringArray::from(ids.to_vec()));
        Self {
            pieces: RecordBatch::try_new(Arc::clone(&schema), vec![column]).into_iter().collect(),
            schema,
            members: Vec::new(),
            ordinals: vec![(0, UInt32Array::from(ordinals.to_vec()))],
        }
    }

    /// Ids of its contacts, ascending.
    pub(super) fn ids(&self) -> Result<Vec<&str>> {
        let columns = self.pieces.iter().map(ids).collect::<Result<Vec<_>>>()?;
        Ok(columns.into_iter().flatten().flatten().collect())
    }

    /// Ordinals of its contacts by shard.
    pub(super) fn ordinals(&self) -> impl Iterator<Item = (usize, usize)> {
        self.ordinals
            .iter()
            .flat_map(|(shard, ordinals)| ordinals.values().iter().map(|ordinal| (*shard, *ordinal as usize)))
    }
}

/// Makes the release durable; only then is there a list to read.
pub(super) fn release(
    engine: &Engine,
    request: &Request,
    executed: Executed,
    report: CountReport,
    list: List,
    spooled: Spooled,
    (purpose, channel): (Purpose, Channel),
) -> Result<Recipients> {
    let Spooled { spool, rows, sha256, merkle_root } = spooled;
    let segment = request.segment.segment();
    let columns: Vec<String> = list.schema.fields().iter().map(|field| field.name().clone()).collect();
    let receipt = Receipt {
        run_id: report.run_id,
        dataset_id: engine.dataset.id().to_string(),
        segment: segment.name.clone(),
        title: segment.title.clone(),
        purpose,
        channel,
        segment_sha256: executed.planned.segment_sha256,
        description: executed.planned.description,
        params: request
            .segment
            .params()
            .iter()
            .map(|(name, value)| (name.clone(), SchemaField::render(value)))
            .collect(),
        principal: engine.dataset.keyring().principal().user.clone(),
        on_behalf_of: request.actor.clone(),
        matched: report.matched,
        removed: report.removed,
        portfolio: executed.planned.within.as_ref().map(Within::report),
        taken: report.taken,
        released: rows,
        arms: report.arms,
        columns,
        list_sha256: sha256.to_string(),
        list_merkle_root: merkle_root.to_string(),
        released_at_micros: None,
        consent_imported_at_micros: executed.planned.snapshot.consent_imported_micros(),
        consent_max_age_hours: match request.consent_age_max {
            ConsentAge::Hours(hours) => Some(hours),
            ConsentAge::Unlimited => None,
        },
        scope: report.scope,
    };
    let details = serde_json::to_value(&receipt)
        .map_err(|_| Error::Query { doing: "recording the release", kind: "json" })?;
    let body = ReleaseBody { rows, sha256, merkle_root, details };
    let released: Released = executed.intent.release(spool, body)?;
    let released_at = released.entry().time.parse::<DateTime<Utc>>().map(|time| time.timestamp_micros()).ok();
    Ok(Recipients {
        receipt: Receipt { released_at_micros: released_at, ..receipt },
        schema: list.schema,
        chunks: Box::new(released.chunks()?),
    })
}

fn encode(batch: &RecordBatch) -> Result<Zeroizing<Vec<u8>>> {
    let broken = |_| Error::Query { doing: "spooling the list", kind: "arrow" };
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(broken)?;
    writer.write(batch).map_err(broken)?;
    writer.into_inner().map(Zeroizing::new).map_err(broken)
}

fn decode(bytes: &[u8]) -> Result<RecordBatch> {
    let broken = |_| Error::Query { doing: "reading the list", kind: "arrow" };
    let mut reader = StreamReader::try_new(bytes, None).map_err(broken)?;
    let batch = reader.next().ok_or(Error::Query { doing: "reading the list", kind: "an empty chunk" })?;
    let batch = batch.map_err(broken)?;
    let texts = batch.columns().iter().all(|column| column.as_any().is::<StringArray>());
    if texts {
        Ok(batch)
    } else {
        Err(Error::Query { doing: "reading the list", kind: "a column of another type" })
    }
}
