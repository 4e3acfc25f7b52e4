//! Why one contact is on a list, or is not: the reference semantics over the stored rows of that contact.
//!
//! In: a request and a contact's id. Out: the trace of the reference, which shares nothing with the plan. Two steps, one
//! audited run: ids are unlocked to find the contact, then the columns that the segment and the gates look at, in the
//! contact's shard only; where the segment asks about the household, those of its members too. Where the list depends on other contacts, the segment's plan is carried out as for a funnel. Rows of classes in which nothing that the segment asks for can lie stay sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, StringArray, UInt32Array};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Class, Field};
use hyperseg_dsl::segment::{ContactTest, Criterion, HOUSEHOLD_ID, Logic, Rank, Segment};
use hyperseg_dsl::semantics::{Change, Contact, Ranks, Reads, Record, Trace, ranks_of, trace_around};
use hyperseg_dsl::value::Value;
use hyperseg_storage::audit::{Intent, IntentBody};
use hyperseg_storage::file::Bounds;
use hyperseg_storage::layout::{
    CHANGED_AT, CHANGED_FIELD, NEW_VALUE, OLD_VALUE, ORDINAL, columns_of, known_column,
};
use hyperseg_storage::{FileEntry, FileId, KeyScope, Snapshot};

use super::Engine;
use super::query::{self, Planned, Wanted, aborted, as_of_text, canonical_hash};
use super::stored::{change, column, unreadable, value};
use crate::error::{Error, Result};
use crate::lower::edge;
use crate::plan::exec::SetExec;
use crate::plan::explain;
use crate::report::{Reason, UnlockedColumn, WhyReport};
use crate::request::Request;

const CONTACT_ID: &str = "contact_id";
/// Most members of a household that are looked at one by one.
const MEMBERS_MAX: usize = 1_000;

pub(super) async fn why(engine: &Engine, request: &Request, contact_id: &str) -> Result<WhyReport> {
    let snapshot = engine.dataset.snapshot()?;
    let intent = engine.dataset.audit()?.intent(intent_body(request, &snapshot, contact_id))?;
    match told(engine, request, &snapshot, &intent, contact_id).await {
        Ok(report) => {
            // What was found is not written down: the log says who looked at whom, and with which keys.
            let body = serde_json::json!({
                "listed": report.trace.listed,
                "columns": report.columns,
                "key_ids": report.key_ids,
            });
            intent.complete(body)?;
            Ok(report)
        }
        Err(error) => Err(aborted(intent, error)),
    }
}

fn intent_body(request: &Request, snapshot: &Snapshot, contact_id: &str) -> IntentBody {
    let segment = request.segment.segment();
    IntentBody {
        on_behalf_of: request.actor.clone(),
        purpose: segment.purpose.map(|purpose| purpose.name().to_owned()),
        channel: segment.channel.map(|channel| channel.name().to_owned()),
        segment_text: Some(request.source.clone()),
        canonical_hash: Some(canonical_hash(request)),
        description: Some(hyperseg_dsl::describe(segment, snapshot.schema())),
        params: serde_json::to_value(request.segment.params()).unwrap_or_default(),
        as_of: Some(as_of_text(request)),
        zone: Some(request.clock.zone.name().to_owned()),
        generation: Some(snapshot.generation()),
        details: serde_json::json!({
            "segment": segment.name,
            "contact_id": contact_id,
            "now_micros": request.now_micros,
            "lookups": segment.pins,
        }),
        ..IntentBody::new("why")
    }
}

async fn told(
    engine: &Engine,
    request: &Request,
    snapshot: &Arc<Snapshot>,
    intent: &Intent,
    contact_id: &str,
) -> Result<WhyReport> {
    let segment = request.segment.segment();
    let mut found = Reading::new(engine, snapshot, intent);
    let place = found.place(contact_id)?.ok_or(Error::UnknownContact)?;
    let mut trace = found.trace(request, contact_id, place).await?;
    if depends_on_others(segment) {
        // Whether others come first only the list says.
        let snapshot = Arc::clone(snapshot);
        let planned = query::plan_on(engine, request, Wanted::Numbers, &[], snapshot).await?;
        let reason = found.left_out(&planned, place).await?;
        trace.among_others(segment, reason);
    }
    Ok(WhyReport {
        run_id: intent.id().to_string(),
        segment: segment.name.clone(),
        contact_id: contact_id.to_owned(),
        clock: request.clock,
        trace,
        columns: found.columns.into_values().collect(),
        key_ids: found.key_ids.into_iter().collect(),
    })
}

/// Whether a contact is on the list depends on who else may be.
pub(super) fn depends_on_others(segment: &Segment) -> bool {
    segment.one_per.is_some() || segment.limit.is_some()
}

/// The request of nothing but a rank.
fn alone(request: &Request, rank: &Rank, clock: Clock) -> Result<Request> {
    let test = Logic::Leaf(ContactTest::Rank(Box::new(rank.clone())));
    let segment = Segment {
        purpose: None,
        channel: None,
        criteria: vec![Criterion { label: rank.end.word().to_owned(), test }],
        exclude: None,
        params: Vec::new(),
        ..request.segment.segment().clone()
    };
    // A rank of a bound segment has no parameter left.
    let segment = segment.bind(&BTreeMap::new());
    let segment = segment.map_err(|_| Error::Query { doing: "planning", kind: "a parameter" })?;
    Ok(Request { segment, clock, ..request.clone() })
}

/// Reads for one run and keeps what was unlocked.
pub(super) struct Reading<'a> {
    engine: &'a Engine,
    snapshot: &'a Arc<Snapshot>,
    intent: &'a Intent,
    pub(super) columns: BTreeMap<(String, Class, String), UnlockedColumn>,
    pub(super) key_ids: BTreeSet<String>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(engine: &'a Engine, snapshot: &'a Arc<Snapshot>, intent: &'a Intent) -> Self {
        Self { engine, snapshot, intent, columns: BTreeMap::new(), key_ids: BTreeSet::new() }
    }
}

impl Reading<'_> {
    /// What the reference finds of a contact at this shard and ordinal, others for its list apart.
    pub(super) async fn trace(
        &mut self,
        request: &Request,
        contact_id: &str,
        (shard, ordinal): (u32, u32),
    ) -> Result<Trace> {
        let (bound, schema) = (&request.segment, self.snapshot.schema());
        let reads = Reads::of(bound.segment(), schema);
        let mut fields = self.fields(shard, ordinal, &reads)?;
        fields.insert(CONTACT_ID.to_owned(), Value::Text(contact_id.to_owned()));
        let records = self.records(shard, ordinal, &reads)?;
        let contact = Contact { fields, records, changes: self.changes(shard, ordinal, &reads)? };
        let members = self.members(&contact, (shard, ordinal), &reads)?;
        let members: Vec<&Contact> = members.iter().collect();
        let ranks = self.ranks(request).await?;
        let (clock, now_micros) = (&request.clock, request.now_micros);
        Ok(trace_around(bound, &contact, &members, &ranks, schema, clock, now_micros))
    }

    fn arm(&mut self, wants: Vec<(FileId, Vec<String>)>) -> Result<Arc<KeyScope>> {
        let scope = KeyScope::arm(&self.engine.dataset, self.snapshot, self.intent, wants)?;
        self.unlocked(&scope);
        Ok(scope)
    }

    fn unlocked(&mut self, scope: &KeyScope) {
        for unlocked in scope.unlocked() {
            self.key_ids.extend(unlocked.key_ids);
            let key = (unlocked.table.clone(), unlocked.class, unlocked.column.clone());
            let column = self.columns.entry(key).or_insert(UnlockedColumn {
                table: unlocked.table,
                class: unlocked.class,
                column: unlocked.column,
                keys: 0,
            });
            column.keys += unlocked.files.len() as u64;
        }
    }

    /// Where the edges of the segment's ranks lie: each is worked out by a plan of its own.
    async fn ranks(&mut self, request: &Request) -> Result<Ranks> {
        let mut edges = Vec::new();
        for (rank, clock) in ranks_of(request.segment.segment(), &request.clock) {
            let request = alone(request, &rank, clock)?;
            let snapshot = Arc::clone(self.snapshot);
            let planned = query::plan_on(self.engine, &request, Wanted::Numbers, &[], snapshot).await?;
            let scope = planned.carry_out(self.engine, self.intent).await?;
            self.unlocked(&scope);
            let node = explain::find(&planned.physical, &|node| {
                node.downcast_ref::<SetExec>().is_some_and(|set| set.operator().as_rank().is_some())
            });
            let operator = node.and_then(|node| Some(Arc::clone(node.downcast_ref::<SetExec>()?.operator())));
            let key = operator.and_then(|operator| operator.as_rank()?.edge());
            let found = key.map(|key| edge(&rank.amount, key));
            edges.push((rank, clock, found));
        }
        Ok(Ranks::new(edges))
    }

    /// Why the list leaves the contact out, of those reasons that depend on other contacts: the plan is carried out.
    pub(super) async fn left_out(
        &mut self,
        planned: &Planned,
        (shard, ordinal): (u32, u32),
    ) -> Result<Option<Reason>> {
        let scope = planned.carry_out(self.engine, self.intent).await?;
        self.unlocked(&scope);
        let tails = explain::find(&planned.physical, &|node| {
            node.downcast_ref::<SetExec>().is_some_and(|set| set.operator().as_tails().is_some())
        });
        let operator = tails.and_then(|tails| Some(Arc::clone(tails.downcast_ref::<SetExec>()?.operator())));
        Ok(operator.and_then(|operator| operator.as_tails()?.left_out(shard, ordinal)))
    }

    /// Shard and ordinal of a contact.
    pub(super) fn place(&mut self, contact_id: &str) -> Result<Option<(u32, u32)>> {
        let snapshot = Arc::clone(self.snapshot);
        let shards = || (0_u32..).zip(snapshot.shards()).map(|(shard, _)| shard);
        let mut wants = Vec::new();
        for shard in shards() {
            let files = snapshot.contact_files(Class::Identity, shard)?;
            wants.extend(files.map(|entry| (entry.id, vec![CONTACT_ID.to_owned(), ORDINAL.to_owned()])));
        }
        let scope = self.arm(wants)?;
        for shard in shards() {
            for entry in snapshot.contact_files(Class::Identity, shard)? {
                let may_hold = |bounds: &Bounds| match bounds {
                    Bounds::Text { min, max } => min.as_str() <= contact_id && contact_id <= max.as_str(),
                    Bounds::Unknown | Bounds::Int { .. } | Bounds::Float { .. } => true,
                };
                let rows = self.blocks(&scope, entry, CONTACT_ID, &may_hold)?;
                if rows.is_empty() {
                    continue;
                }
                for batch in scope.read(&self.engine.dataset, entry, &[CONTACT_ID, ORDINAL], Some(rows))? {
                    let batch = batch?;
                    let ids: &StringArray = column(&batch, CONTACT_ID)?;
                    let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
                    let is_present = |row: &usize| !snapshot.is_forgotten(shard, ordinals.value(*row));
                    let found = ids.iter().zip(0..).filter(|(id, _)| *id == Some(contact_id));
                    if let Some(row) = found.map(|(_, row)| row).find(is_present) {
                        return Ok(Some((shard, ordinals.value(row))));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The others of the contact's household, when the segment asks about them.
    fn members(&mut self, contact: &Contact, own: (u32, u32), reads: &Reads) -> Result<Vec<Contact>> {
        let (true, Some(Value::Text(home))) = (reads.household, contact.fields.get(HOUSEHOLD_ID)) else {
            return Ok(Vec::new());
        };
        let mut members = Vec::new();
        for place in self.at_home(home)?.into_iter().filter(|place| *place != own) {
            let (shard, ordinal) = place;
            let mut fields = self.fields(shard, ordinal, reads)?;
            let id = self.id(shard, ordinal)?;
            fields.insert(CONTACT_ID.to_owned(), Value::Text(id));
            let records = self.records(shard, ordinal, reads)?;
            members.push(Contact { fields, records, changes: self.changes(shard, ordinal, reads)? });
        }
        Ok(members)
    }

    /// Shard and ordinal of every contact of a household.
    fn at_home(&mut self, home: &str) -> Result<Vec<(u32, u32)>> {
        let snapshot = Arc::clone(self.snapshot);
        let class = snapshot.schema().contact_field(HOUSEHOLD_ID).map(|field| field.class);
        let class = class.ok_or_else(unreadable)?;
        let mut files: Vec<(u32, &FileEntry)> = Vec::new();
        for (shard, _) in (0_u32..).zip(snapshot.shards()) {
            files.extend(snapshot.contact_files(class, shard)?.map(|entry| (shard, entry)));
        }
        let columns = [HOUSEHOLD_ID, ORDINAL];
        let wants = files.iter().map(|(_, entry)| (entry.id, columns.map(str::to_owned).to_vec()));
        let scope = self.arm(wants.collect())?;
        let mut found = Vec::new();
        for (shard, entry) in files {
            for batch in scope.read(&self.engine.dataset, entry, &columns, None)? {
                let batch = batch?;
                let homes: &StringArray = column(&batch, HOUSEHOLD_ID)?;
                let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
                let here = homes.iter().zip(ordinals.values()).filter(|(known, ordinal)| {
                    *known == Some(home) && !snapshot.is_forgotten(shard, **ordinal)
                });
                found.extend(here.map(|(_, ordinal)| (shard, *ordinal)));
                if found.len() > MEMBERS_MAX {
                    return Err(Error::Query { doing: "reading a household", kind: "too many members" });
                }
            }
        }
        Ok(found)
    }

    /// A contact's id.
    fn id(&mut self, shard: u32, ordinal: u32) -> Result<String> {
        let snapshot = Arc::clone(self.snapshot);
        let mut first = 0_u64;
        for entry in snapshot.contact_files(Class::Identity, shard)? {
            let row = u64::from(ordinal).checked_sub(first).filter(|row| *row < entry.rows);
            first = first.saturating_add(entry.rows);
            let Some(row) = row else { continue };
            let scope = self.arm(vec![(entry.id, vec![CONTACT_ID.to_owned()])])?;
            let rows = Some(std::iter::once(row..row + 1).collect());
            for batch in scope.read(&self.engine.dataset, entry, &[CONTACT_ID], rows)? {
                let batch = batch?;
                let ids: &StringArray = column(&batch, CONTACT_ID)?;
                if ids.len() == 1 && ids.is_valid(0) {
                    return Ok(ids.value(0).to_owned());
                }
            }
        }
        Err(unreadable())
    }

    /// The contact's fields that the segment looks at. The files of a shard hold its contacts in order.
    fn fields(&mut self, shard: u32, ordinal: u32, reads: &Reads) -> Result<BTreeMap<String, Value>> {
        let snapshot = Arc::clone(self.snapshot);
        let schema = snapshot.schema();
        let wanted = |field: &&Field| reads.contact.contains(&field.name) && field.name != CONTACT_ID;
        let mut by_class: BTreeMap<Class, Vec<&Field>> = BTreeMap::new();
        for field in schema.contact.iter().filter(wanted) {
            by_class.entry(field.class).or_default().push(field);
        }
        // Of an address that only the gate asks for, nothing but whether it is known is unlocked.
        let address =
            reads.address.as_deref().filter(|name| *name != CONTACT_ID && !reads.contact.contains(*name));
        let address = address.and_then(|name| schema.contact_field(name));
        if let Some(field) = address {
            by_class.entry(field.class).or_default();
        }
        let mut found = BTreeMap::new();
        for (class, fields) in by_class {
            let known = address.filter(|field| field.class == class);
            let mut names: Vec<String> = fields
                .iter()
                .flat_map(|field| columns_of(field))
                .map(|column| column.name().clone())
                .collect();
            names.extend(known.map(|field| known_column(&field.name)));
            names.push(ORDINAL.to_owned());
            let mut first = 0_u64;
            for entry in snapshot.contact_files(class, shard)? {
                let row = u64::from(ordinal).checked_sub(first).filter(|row| *row < entry.rows);
                first = first.saturating_add(entry.rows);
                let Some(row) = row else { continue };
                let scope = self.arm(vec![(entry.id, names.clone())])?;
                let columns: Vec<&str> = names.iter().map(String::as_str).collect();
                for batch in scope.read(
                    &self.engine.dataset,
                    entry,
                    &columns,
                    Some(std::iter::once(row..row + 1).collect()),
                )? {
                    let batch = batch?;
                    let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
                    if **ordinals.values() != [ordinal] {
                        return Err(unreadable());
                    }
                    for field in &fields {
                        if let Some(value) = value(&batch, field, 0)? {
                            found.insert(field.name.clone(), value);
                        }
                    }
                    if let Some(field) = known {
                        let has: &BooleanArray = column(&batch, &known_column(&field.name))?;
                        if has.is_valid(0) && has.value(0) {
                            found.insert(field.name.clone(), Value::Text("known".to_owned()));
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// The contact's records of the kinds that the segment looks at.
    fn records(&mut self, shard: u32, ordinal: u32, reads: &Reads) -> Result<Vec<Record>> {
        let snapshot = Arc::clone(self.snapshot);
        let mut records = Vec::new();
        for (name, kind_reads) in &reads.records {
            let kind = snapshot.schema().record(name).ok_or_else(unreadable)?;
            let fields: Vec<&Field> =
                kind.fields.iter().filter(|field| kind_reads.fields.contains(&field.name)).collect();
            let mut names: Vec<String> = fields
                .iter()
                .flat_map(|field| columns_of(field))
                .map(|column| column.name().clone())
                .collect();
            names.push(ORDINAL.to_owned());
            let classes: Vec<Class> = kind_reads.classes.iter().copied().collect();
            let files: Vec<&FileEntry> = snapshot.record_files(name, shard, &classes)?.collect();
            let scope = self.arm(files.iter().map(|entry| (entry.id, names.clone())).collect())?;
            for entry in files {
                let rows = self.rows_of(&scope, entry, ordinal)?;
                if rows.is_empty() {
                    continue;
                }
                let columns: Vec<&str> = names.iter().map(String::as_str).collect();
                for batch in scope.read(&self.engine.dataset, entry, &columns, Some(rows))? {
                    let batch = batch?;
                    for row in 0..batch.num_rows() {
                        let mut record = Record { kind: name.clone(), fields: BTreeMap::new() };
                        for field in &fields {
                            if let Some(value) = value(&batch, field, row)? {
                                record.fields.insert(field.name.clone(), value);
                            }
                        }
                        records.push(record);
                    }
                }
            }
        }
        Ok(records)
    }

    /// The changes of the contact's fields that the segment looks at, in the order of the imports that made them.
    fn changes(&mut self, shard: u32, ordinal: u32, reads: &Reads) -> Result<Vec<Change>> {
        let snapshot = Arc::clone(self.snapshot);
        let fields = || snapshot.schema().contact.iter().filter(|field| reads.changes.contains(&field.name));
        let classes: BTreeSet<Class> = fields().map(|field| field.class).collect();
        let columns = [ORDINAL, CHANGED_FIELD, OLD_VALUE, NEW_VALUE, CHANGED_AT];
        let mut changes = Vec::new();
        for class in classes {
            let files: Vec<&FileEntry> = snapshot.history_files(class, shard)?.collect();
            let wants = files.iter().map(|entry| (entry.id, columns.map(str::to_owned).to_vec()));
            let scope = self.arm(wants.collect())?;
            for entry in files {
                let rows = self.rows_of(&scope, entry, ordinal)?;
                if rows.is_empty() {
                    continue;
                }
                for batch in scope.read(&self.engine.dataset, entry, &columns, Some(rows))? {
                    let batch = batch?;
                    for row in 0..batch.num_rows() {
                        changes.extend(change(&batch, row, fields())?);
                    }
                }
            }
        }
        Ok(changes)
    }

    /// The rows of the blocks that may hold a value, by what the file says of each.
    fn blocks(
        &self,
        scope: &KeyScope,
        entry: &FileEntry,
        column: &str,
        may_hold: &dyn Fn(&Bounds) -> bool,
    ) -> Result<Vec<Range<u64>>> {
        let file = scope.open(&self.engine.dataset, entry)?;
        let block_rows = u64::from(file.page_rows().max(1));
        let directory = file.directory(column);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (number, start) in (0..file.rows()).step_by(usize::try_from(block_rows).unwrap_or(1)).enumerate()
        {
            let block = directory.and_then(|directory| directory.blocks.get(number));
            let end = file.rows().min(start + block_rows);
            // Of contacts that were changed since, the file's directories know nothing.
            if !file.is_patched(&(start..end)) && !block.is_none_or(|block| may_hold(&block.bounds)) {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        Ok(ranges)
    }

    /// Where in a file the contact's rows lie.
    fn rows_of(&self, scope: &KeyScope, entry: &FileEntry, ordinal: u32) -> Result<Vec<Range<u64>>> {
        let may_hold = |bounds: &Bounds| match bounds {
            Bounds::Int { min, max, .. } => (*min..=*max).contains(&i64::from(ordinal)),
            Bounds::Unknown | Bounds::Float { .. } | Bounds::Text { .. } => true,
        };
        let blocks = self.blocks(scope, entry, ORDINAL, &may_hold)?;
        let mut ranges: Vec<Range<u64>> = Vec::new();
        if blocks.is_empty() {
            return Ok(ranges);
        }
        let open = scope.open(&self.engine.dataset, entry)?;
        let mut rows = open.live(Some(&blocks)).into_iter().flatten();
        for batch in open.read(&[ORDINAL], Some(&blocks))? {
            let batch = batch?;
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            for found in ordinals.values() {
                let row = rows.next().ok_or_else(unreadable)?;
                if *found == ordinal {
                    match ranges.last_mut() {
                        Some(last) if last.end == row => last.end += 1,
                        _ => ranges.push(row..row + 1),
                    }
                }
            }
        }
        Ok(ranges)
    }
}
