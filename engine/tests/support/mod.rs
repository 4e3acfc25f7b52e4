//! Encrypted datasets made from worlds of the reference semantics.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod batches;
pub mod late;
pub mod portfolios;

use std::collections::BTreeMap;
use std::sync::Arc;

use hyperseg_dsl::Stages;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Field, Schema};
use hyperseg_dsl::segment::{BoundSegment, Segment, Stage};
use hyperseg_dsl::semantics::{Change, Contact, Verdict, arm, evaluate, select_all};
use hyperseg_dsl::value::Value;
use hyperseg_engine::{ConsentAge, Engine, Guards, Limits, Request};
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::dataset::CompactOptions;
use hyperseg_storage::ingest::{ImportOptions, Ingest, TableReport};
use hyperseg_storage::rows::Builder;
use hyperseg_storage::store::ObjectOptions;
use hyperseg_storage::{Dataset, InitOptions, Location};
use hyperseg_testdata::worlds::{CONTACTS, World, rewound, rounds, rows, to_text};
use object_store::memory::InMemory;
use tempfile::TempDir;

/// A dataset in a temporary directory.
pub struct Fixture {
    pub engine: Engine,
    pub dir: TempDir,
    /// The world's contacts, with what the dataset knows of their past: corrections are changes, too.
    pub contacts: Vec<Contact>,
}

/// When the contacts of a dataset are corrected that held something else before: in front of every change of a world.
const CORRECTED_MICROS: i64 = 978_307_200_000_000;

/// How a dataset is laid out and read.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub shard_contacts: u32,
    /// Rows of a page: what can be ruled out or read at least.
    pub page_rows: u32,
    /// Imports that the rows are dealt out to.
    pub imports: usize,
    /// The dataset held something else before: contacts and records are corrected, some records deleted, and some contacts
    /// forgotten.
    pub corrected: bool,
    /// And was compacted then.
    pub compacted: bool,
    /// Bytes of answers that the engine keeps between queries.
    pub kept_bytes_max: usize,
    /// In an object store, in memory, where everything is read ahead.
    pub far: bool,
    /// What the dataset held before it was corrected lacked some fields, which were added then.
    pub late: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            shard_contacts: 1 << 18,
            page_rows: 1 << 14,
            imports: 1,
            corrected: false,
            compacted: false,
            kept_bytes_max: 0,
            far: false,
            late: false,
        }
    }
}

impl Fixture {
    /// Imports a world's contacts and records.
    pub fn new(world: &World, layout: Layout) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let late = layout.late.then(late::Late::new);
        let schema = late.as_ref().map_or_else(Schema::built_in, |late| late.before.clone());
        let options = InitOptions {
            schema,
            shard_contacts: layout.shard_contacts,
            page_rows: layout.page_rows,
            ..InitOptions::default()
        };
        let keyring = dir.path().join("keys/keyring");
        let place = if layout.far {
            Location::objects(Arc::new(InMemory::new()), "data", ObjectOptions::default()).unwrap()
        } else {
            Location::directory(dir.path().join("data"))
        };
        let (dataset, _) = Dataset::init(place, &keyring, options).unwrap();
        let mut seen = world.contacts.clone();
        let start = rewound(world).contacts;
        for part in 0..layout.imports {
            let contacts: Vec<Contact> = start.iter().skip(part).step_by(layout.imports).cloned().collect();
            let part = World { contacts, clock: world.clock, now_micros: world.now_micros };
            let mut tables = rows(&part);
            let mut news = None;
            if layout.corrected {
                let mut before = earlier(&mut tables);
                if let Some(late) = &late {
                    for (table, rows) in &mut before {
                        rows.iter_mut().for_each(|row| row.retain(|name, _| !late.has(table, name)));
                    }
                }
                for contact in &part.contacts {
                    let own = seen.iter_mut().find(|own| own.id() == contact.id()).unwrap();
                    own.changes.splice(0..0, corrections(contact, &before[CONTACTS]));
                }
                news = Some(import(&dataset, before, part.now_micros, CORRECTED_MICROS));
                if let Some(late) = &late {
                    dataset.extend_schema(&late.additions, None).unwrap();
                }
                let strangers: Vec<String> =
                    part.contacts.iter().map(|contact| format!("gone {}", contact.id())).collect();
                if !strangers.is_empty() {
                    dataset.forget(&strangers, None).unwrap();
                }
            }
            let total = import(&dataset, tables, part.now_micros, CORRECTED_MICROS);
            match news {
                None => assert_eq!(total.read, total.stored, "a world has neither duplicates nor rejects"),
                Some(before) => {
                    assert_eq!((before.read, total.rejected), (before.stored, 0));
                    assert_eq!(total.stored, 0, "every row was there in some form");
                }
            }
        }
        for round in rounds(world) {
            let (tables, rows) =
                (Tables::from([(CONTACTS.to_owned(), round.contacts.clone())]), round.contacts);
            let total = import(&dataset, tables, world.now_micros, round.at_micros);
            assert_eq!(total.updated, rows.len() as u64, "every change is one");
        }
        if layout.compacted {
            let options = CompactOptions { worth_percent: 0, rows_max: 0, ..CompactOptions::default() };
            let done = dataset.compact(&options, None, &|_| {}).unwrap();
            assert!(done.files_after <= done.files_before);
        }
        let limits = Limits { kept_bytes_max: layout.kept_bytes_max, ..Limits::default() };
        Self { engine: Engine::new(dataset, limits), dir, contacts: seen }
    }
}

/// What a contact's correction changes of its fields: from what the row of its id says.
fn corrections(contact: &Contact, before: &[BTreeMap<String, Value>]) -> Vec<Change> {
    let row = before.iter().find(|row| row.get("contact_id") == contact.fields.get("contact_id")).unwrap();
    let schema = Schema::built_in();
    let change = |field: &Field| Change {
        field: field.name.clone(),
        at_micros: CORRECTED_MICROS,
        old: row.get(&field.name).cloned(),
        new: contact.fields.get(&field.name).cloned(),
    };
    schema.contact.iter().map(change).filter(|change| change.old != change.new).collect()
}

type Tables = BTreeMap<String, Vec<BTreeMap<String, Value>>>;

/// What a dataset may have held before: under the id of each contact and record what the next one of its kind says, a
/// record more for each contact that has one, and beside each contact another one with the same records. The rows that
/// delete the records are added to the tables; the contacts are to be forgotten.
fn earlier(tables: &mut Tables) -> Tables {
    let mut before = tables.clone();
    if let Some(past) = before.get_mut(CONTACTS) {
        let said = past.clone();
        for (place, row) in past.iter_mut().enumerate() {
            let id = row["contact_id"].clone();
            *row = said[(place + 1) % said.len()].clone();
            row.insert("contact_id".to_owned(), id);
        }
        let strangers: Vec<_> = said.into_iter().map(stranger).collect();
        // Among the others, so that ordinals have gaps.
        *past = past.drain(..).zip(strangers).flat_map(|(row, stranger)| [stranger, row]).collect();
    }
    for (kind, rows) in tables.iter_mut().filter(|(kind, _)| *kind != CONTACTS) {
        let said = rows.clone();
        let past = before.entry(kind.clone()).or_default();
        for (place, row) in past.iter_mut().enumerate() {
            let (id, contact) = (row["record_id"].clone(), row["contact_id"].clone());
            let source = row.get("source").cloned();
            *row = said[(place + 1) % said.len()].clone();
            row.insert("record_id".to_owned(), id);
            if place % 2 == 0 {
                // The others move to their contact from another one, perhaps of another shard.
                row.insert("contact_id".to_owned(), contact);
            }
            row.remove("source");
            row.extend(source.map(|source| ("source".to_owned(), source)));
        }
        let mut contacts: Vec<&Value> = said.iter().map(|row| &row["contact_id"]).collect();
        contacts.dedup();
        for (place, contact) in contacts.into_iter().enumerate() {
            let id = Value::Text(format!("gone-{place}"));
            let mut wrong = said[place % said.len()].clone();
            wrong.insert("record_id".to_owned(), id.clone());
            wrong.insert("contact_id".to_owned(), contact.clone());
            wrong.remove("source");
            past.push(wrong);
            let delete = [("record_id", id), ("contact_id", contact.clone()), ("deleted", Value::Bool(true))];
            rows.push(delete.map(|(name, value)| (name.to_owned(), value)).into());
        }
        past.extend(said.into_iter().map(stranger));
    }
    before
}

/// The row as that of somebody else.
fn stranger(mut row: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for name in ["contact_id", "record_id"] {
        if let Some(Value::Text(id)) = row.get_mut(name) {
            *id = format!("gone {id}");
        }
    }
    row
}

fn import(dataset: &Dataset, mut tables: Tables, now_micros: i64, changed_at_micros: i64) -> TableReport {
    let intent = dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let options = ImportOptions {
        changed_at_micros: Some(changed_at_micros),
        ..ImportOptions::new(now_micros.max(changed_at_micros))
    };
    let mut ingest = Ingest::begin(dataset, intent, options).unwrap();
    let schema = ingest.schema().clone();
    let batch = |mut builder: Builder, rows: Vec<BTreeMap<String, Value>>| {
        for row in rows {
            let cells: Vec<(&str, Value)> =
                row.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            builder.row(&cells).unwrap();
        }
        builder.finish()
    };
    let fields: Vec<String> = schema
        .contact
        .iter()
        .flat_map(hyperseg_storage::layout::columns_of)
        .map(|column| column.name().clone())
        .collect();
    ingest.contacts_say(fields.iter().map(String::as_str));
    let contacts = tables.remove(CONTACTS).unwrap_or_default();
    ingest.contacts(batch(Builder::contacts(&schema), contacts)).unwrap();
    for (kind, rows) in tables {
        let builder = Builder::records(&schema, schema.record(&kind).unwrap());
        ingest.records(&kind, batch(builder, rows)).unwrap();
    }
    ingest.finish().unwrap().total()
}

/// The request of a segment at a world's clock.
pub fn request(segment: BoundSegment, clock: Clock, now_micros: i64) -> Request {
    Request {
        source: to_text(segment.segment()),
        segment,
        clock,
        now_micros,
        actor: None,
        consent_age_max: ConsentAge::Unlimited,
    }
}

/// Where engine and reference differ, in words; `None` when they agree.
pub fn difference(fixture: &Fixture, world: &World, segment: &Segment) -> Option<String> {
    compare(fixture, world, segment).err()
}

/// How many contacts match; where engine and reference differ, in words, when they do.
pub fn compare(fixture: &Fixture, world: &World, segment: &Segment) -> Result<u64, String> {
    let bound = segment.bind(&BTreeMap::new()).unwrap();
    let schema = hyperseg_dsl::schema::Schema::built_in();
    let contacts = &fixture.contacts;
    let found = select_all(&bound, contacts, &schema, &world.clock, world.now_micros);
    let verdicts: Vec<(&Contact, Verdict)> = contacts.iter().zip(found).collect();
    let request = request(bound, world.clock, world.now_micros);
    // Some are counted by stage, too.
    let stages = if segment.criteria.len() == 1 { Stages::built_in(&schema) } else { None };
    let funnel = match &stages {
        Some(stages) => fixture.engine.funnel_by_stage_blocking(&request, stages),
        None => fixture.engine.funnel_blocking(&request),
    };
    let stages = stages.map(|stages| stages.list().to_vec()).unwrap_or_default();
    let funnel = match funnel {
        Ok(funnel) => funnel,
        Err(error) => return Err(format!("the engine failed: {error}")),
    };
    for (place, criterion) in funnel.criteria.iter().enumerate() {
        use hyperseg_dsl::semantics::Truth;
        let number =
            |truth: Truth| verdicts.iter().filter(|(_, v)| v.criteria[place] == truth).count() as u64;
        let reference = (number(Truth::True), number(Truth::False), number(Truth::Unknown));
        let engine = (criterion.is_true, criterion.is_false, criterion.is_unknown);
        if engine != reference {
            return Err(format!(
                "criterion {place}: engine {engine:?}, reference {reference:?} (TRUE, FALSE, UNKNOWN)"
            ));
        }
    }
    let matched = verdicts.iter().filter(|(_, verdict)| verdict.matched).count() as u64;
    if funnel.count.matched != matched {
        return Err(format!("matched: engine {}, reference {matched}", funnel.count.matched));
    }
    if let Some(report) = &funnel.stages {
        let is_in = |stage: &Stage, contact| evaluate(&stage.test, contact, &schema, &world.clock).is_true();
        let mut reference = vec![0_u64; stages.len() + 1];
        for (contact, _) in verdicts.iter().filter(|(_, verdict)| verdict.matched) {
            let first = stages.iter().position(|stage| is_in(stage, contact));
            reference[first.unwrap_or(stages.len())] += 1;
        }
        let engine = report.stages.iter().map(|stage| stage.contacts).chain([report.in_none]);
        let engine: Vec<u64> = engine.collect();
        if engine != reference {
            return Err(format!("by stage: engine {engine:?}, reference {reference:?}"));
        }
    }
    if segment.purpose.is_none() || segment.channel.is_none() {
        return Ok(matched);
    }
    for removed in &funnel.count.removed {
        let reference =
            verdicts.iter().filter(|(_, verdict)| verdict.blocked == Some(removed.reason)).count() as u64;
        if removed.contacts != reference {
            return Err(format!("{}: engine {}, reference {reference}", removed.reason, removed.contacts));
        }
    }
    let count = match fixture.engine.count_blocking(&request) {
        Ok(count) => count,
        Err(error) => return Err(format!("the count failed: {error}")),
    };
    if count.releasable != funnel.count.releasable || count.removed != funnel.count.removed {
        return Err(format!("count {:?}, funnel {:?}", count.removed, funnel.count.removed));
    }
    let mut expected: Vec<&str> = verdicts
        .iter()
        .filter(|(_, verdict)| verdict.is_recipient())
        .map(|(contact, _)| contact.id())
        .collect();
    expected.sort_unstable();
    let now = Clock { as_of_micros: world.now_micros, zone: world.clock.zone };
    if world.clock.today() > now.today() {
        return match fixture.engine.run_blocking(&request, Guards::default()) {
            Err(hyperseg_engine::Error::FutureAsOf) => Ok(matched),
            _ => Err("a list was released as of a day to come".to_owned()),
        };
    }
    let recipients = match fixture.engine.run_blocking(&request, Guards::default()) {
        Ok(recipients) => recipients,
        Err(error) => return Err(format!("the run failed: {error}")),
    };
    let released = recipients.receipt().released;
    let by_arm = recipients.receipt().arms.clone();
    let ids = match request.segment.segment().split.as_ref() {
        None => ids(recipients),
        Some(split) => {
            let listed = arms(recipients);
            let own = |id: &str| arm(split, id).unwrap_or("none").to_owned();
            if let Some((id, named)) = listed.iter().find(|(id, named)| own(id) != *named) {
                return Err(format!("arm of {id}: engine {named}, reference {}", own(id)));
            }
            for count in &by_arm {
                let listed = listed.iter().filter(|(_, named)| *named == count.arm).count() as u64;
                if count.contacts != listed {
                    return Err(format!("arm {}: {} counted, {listed} listed", count.arm, count.contacts));
                }
            }
            if funnel.count.arms != by_arm || by_arm.len() != split.arms.len() {
                return Err(format!("arms: funnel {:?}, receipt {by_arm:?}", funnel.count.arms));
            }
            listed.into_iter().map(|(id, _)| id).collect()
        }
    };
    if ids != expected || released != expected.len() as u64 {
        return Err(format!("recipients: engine {ids:?}, reference {expected:?}"));
    }
    Ok(matched)
}

/// Contact ids of a list, in its order.
pub fn ids(recipients: hyperseg_engine::Recipients) -> Vec<String> {
    let mut ids = Vec::new();
    for batch in recipients {
        let batch = batch.unwrap();
        let column = batch.column(0).as_any().downcast_ref::<arrow::array::StringArray>().unwrap();
        ids.extend(column.iter().map(|id| id.unwrap().to_owned()));
    }
    ids
}

/// Contact ids of a list with their arms, in its order.
pub fn arms(recipients: hyperseg_engine::Recipients) -> Vec<(String, String)> {
    let mut arms = Vec::new();
    for batch in recipients {
        let batch = batch.unwrap();
        let column = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_any();
            column.downcast_ref::<arrow::array::StringArray>().unwrap().clone()
        };
        let (ids, own) = (column("contact_id"), column("arm"));
        arms.extend((0..batch.num_rows()).map(|row| (ids.value(row).to_owned(), own.value(row).to_owned())));
    }
    arms
}
