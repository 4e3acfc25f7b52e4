//! Distinctive values planted in every field: nothing of them lies in the dataset, beside the keyring, in the temporary
//! directory, on standard output or error, or in any report or error but the rows of the list itself.
//!
//! Everything happens in a second process of this test, so that its temporary directory and its streams are its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod support;

#[allow(dead_code)]
#[path = "support/clientele.rs"]
mod clientele;

use std::collections::BTreeSet;
use std::fmt::{Debug, Display, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use clientele::{ask, clientele, rows};
use hyperseg_dsl::schema::{FieldType, Schema};
use hyperseg_dsl::semantics::Record;
use hyperseg_dsl::value::Value;
use hyperseg_engine::{ConsentAge, Engine, Guards, Limits, Request};
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::ingest::{ImportOptions, Ingest};
use hyperseg_storage::rows::Builder;
use hyperseg_testdata::worlds::World;
use support::{Fixture, Layout};

/// Begins every planted text.
const TEXT: &str = "Zq7Kanarienvogel";
/// In the text of a segment, which reports show and the disk must not.
const WRITTEN: &str = "Zq8Wellensittich";
const NUMBER: f64 = 7_316.540_981_237_6;
const MONEY: i64 = 730_918_264_455;
const PLACE: &str = "HYPERSEG_CANARY_PLACE";

const SEGMENTS: [&str; 4] = [
    "segment most purpose treatment channel email where everyone output first_name, last_name, city, household_id",
    "segment many purpose treatment channel push where has lab(value > 1) and has encounter and first_name is known \
     and income > 10 output income, risk_score, address_line",
    "segment late purpose treatment channel mail where latest lab.value > 2 and count(purchase) >= 1 \
     exclude last_name is missing output location",
    "segment told purpose treatment channel push where city != \"Zq8Wellensittich\" and no visit(site = \"Zq8Wellensittich\") \
     and not has portal_login(name contains \"Zq8Wellensittich\")",
];

/// A clientele with every text, number and amount of money of the schema planted, for contacts and all record kinds.
fn planted() -> World {
    let schema = Schema::built_in();
    let value = |ty: FieldType, table: &str, field: &str, n: usize| match ty {
        FieldType::Text => Some(Value::Text(format!("{TEXT}-{table}-{field}-{n}"))),
        FieldType::Number => Some(Value::Number(NUMBER)),
        FieldType::Money => Some(Value::Money(MONEY)),
        FieldType::Point => Some(Value::Point(NUMBER / 100.0, -NUMBER / 100.0)),
        FieldType::Category
        | FieldType::Int
        | FieldType::Bool
        | FieldType::Date
        | FieldType::Time
        | FieldType::Code
        | FieldType::Categories => None,
    };
    let mut world = clientele(40);
    for (n, contact) in world.contacts.iter_mut().enumerate() {
        for field in &schema.contact {
            if let Some(value) = value(field.ty, "contact", &field.name, n) {
                contact.fields.insert(field.name.clone(), value);
            }
        }
        contact.fields.remove("deceased_on");
        contact.records.clear();
        for kind in &schema.records {
            // Suppression would leave nobody, and so would a limited scope.
            if ["email_bounce", "email_complaint", "email_unsubscribe"].contains(&kind.name.as_str()) && n > 3
            {
                continue;
            }
            let mut record = Record { kind: kind.name.clone(), fields: Default::default() };
            for field in &kind.fields {
                if let Some(value) = value(field.ty, &kind.name, &field.name, n) {
                    record.fields.insert(field.name.clone(), value);
                }
            }
            record.fields.insert("at".to_owned(), clientele::instant(world.now_micros - 86_400_000_000));
            if kind.name == "consent" {
                record.fields.insert("decision".to_owned(), clientele::category("grant"));
            }
            contact.records.push(record);
        }
    }
    world
}

/// Everything that was said but the rows of lists.
#[derive(Default)]
struct Said(String);

impl Said {
    fn hear<T: Debug, E: Debug + Display>(&mut self, answer: &Result<T, E>) {
        match answer {
            Ok(report) => writeln!(self.0, "{report:?} {report:#?}").unwrap(),
            Err(error) => writeln!(self.0, "{error} {error:?} {error:#?}").unwrap(),
        }
    }
}

/// What the second process does: import, ask everything, provoke every error.
#[test]
#[ignore = "run by the test below in a process of its own"]
fn second_process() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let world = planted();
    let mut fixture =
        Fixture::new(&world, Layout { shard_contacts: 24, page_rows: 8, imports: 1, ..Layout::default() });
    let mut said = Said::default();
    let mut listed = 0;
    for source in SEGMENTS {
        let mut own = Said::default();
        let request = ask(source, &world);
        own.hear(&fixture.engine.count_blocking(&request));
        own.hear(&fixture.engine.funnel_blocking(&request));
        own.hear(&fixture.engine.plan_blocking(&request, false));
        own.hear(&fixture.engine.plan_blocking(&request, true));
        let recipients = fixture.engine.run_blocking(&request, Guards::default()).unwrap();
        own.hear::<_, String>(&Ok((recipients.receipt(), &recipients)));
        listed += rows(recipients).iter().flatten().flatten().filter(|cell| cell.contains(TEXT)).count();
        errors(&mut own, &fixture.engine, &request);
        own.hear::<_, String>(&Ok(fixture.engine.dataset().audit().unwrap().entries().unwrap()));
        said.0.push_str(&own.0.replace(WRITTEN, "as the author wrote"));
    }
    assert!(listed > 60, "the lists hold what was planted: {listed}");
    spilled(&fixture, &world, &mut said);
    damaged(&fixture, &world, &mut said);
    // Outlives this process, for the search.
    fixture.dir.disable_cleanup(true);
    std::fs::write(place.join("said"), said.0).unwrap();
    println!("{} segments were asked", SEGMENTS.len());
}

fn errors(said: &mut Said, engine: &Engine, request: &Request) {
    for memory_bytes_max in [1, 1_000, 20_000] {
        let limits = Limits { memory_bytes_max, ..Limits::default() };
        said.hear(&Engine::new(engine.dataset().clone(), limits).run_blocking(request, Guards::default()));
    }
    let guards = Guards { recipients_min: Some(1_000), recipients_max: None };
    said.hear(&engine.run_blocking(request, guards));
    let stale = Request {
        now_micros: request.now_micros + 90_000_000_000,
        consent_age_max: ConsentAge::Hours(24),
        ..request.clone()
    };
    said.hear(&engine.run_blocking(&stale, Guards::default()));
}

/// An import that has no memory for its rows, with ids that it gives to two contacts.
fn spilled(fixture: &Fixture, world: &World, said: &mut Said) {
    let dataset = fixture.engine.dataset();
    let intent = dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let options = ImportOptions { memory_budget: 1, ..ImportOptions::new(world.now_micros) };
    let ingest = Ingest::begin(dataset, intent, options).unwrap();
    let schema = ingest.schema().clone();
    let mut builder = Builder::records(&schema, schema.record("visit").unwrap());
    for n in 0..50 {
        let id = Value::Text(format!("{TEXT}-new-{}", n / 2));
        let at = clientele::instant(world.now_micros - n);
        let site = Value::Text(format!("{TEXT}-site-{n}"));
        let contact = Value::Text(world.contacts[usize::from(n % 2 == 1)].id().to_owned());
        builder.row(&[("contact_id", contact), ("record_id", id), ("at", at), ("site", site)]).unwrap();
    }
    said.hear(&ingest.records("visit", builder.finish()));
    let answer = ingest.finish();
    assert!(answer.is_err(), "an id of two contacts");
    said.hear(&answer);
}

/// Every data file that the segment reads damaged, one after the other.
fn damaged(fixture: &Fixture, world: &World, said: &mut Said) {
    let request = ask(SEGMENTS[0], world);
    let columns = fixture.engine.plan_blocking(&request, false).unwrap().columns;
    for entry in fixture.engine.dataset().snapshot().unwrap().files().unwrap() {
        if !columns.iter().any(|it| it.table == entry.table.name() && it.class == entry.class) {
            continue;
        }
        let path = fixture.dir.path().join("data").join(entry.file_name());
        let genuine = std::fs::read(&path).unwrap();
        for place in [genuine.len() / 3, genuine.len() - 40] {
            let mut bytes = genuine.clone();
            bytes[place] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            said.hear(&fixture.engine.run_blocking(&request, Guards::default()));
        }
        std::fs::write(&path, genuine).unwrap();
    }
}

/// What is searched for, as bytes: texts also in hexadecimal and in UTF-16, numbers as they lie in memory and as text.
fn needles() -> Vec<Vec<u8>> {
    let mut needles = Vec::new();
    for text in [TEXT, WRITTEN] {
        needles.push(text.as_bytes().to_vec());
        needles.push(text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
        needles.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    }
    needles.push(NUMBER.to_le_bytes().to_vec());
    needles.push(MONEY.to_le_bytes().to_vec());
    needles.push(b"7316.54098".to_vec());
    needles.push(b"730918264455".to_vec());
    needles
}

fn hits(bytes: &[u8]) -> usize {
    needles()
        .iter()
        .filter(|needle| bytes.windows(needle.len()).any(|window| window == needle.as_slice()))
        .count()
}

/// Every file below a directory.
fn files(dir: &Path, into: &mut BTreeSet<PathBuf>) {
    for item in std::fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.insert(path);
        }
    }
}

#[test]
fn nothing_planted_is_found_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let temporary = dir.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "second_process", "--ignored", "--nocapture"])
        .env("TMPDIR", &temporary)
        .env(PLACE, dir.path())
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let streams = String::from_utf8_lossy(&[child.stdout.as_slice(), &child.stderr].concat()).into_owned();
    assert!(child.status.success(), "{streams}");
    assert!(streams.contains("4 segments were asked"), "{streams}");
    assert_eq!(hits(streams.as_bytes()), 0, "standard output and error");

    let mut found = BTreeSet::new();
    files(dir.path(), &mut found);
    let has = |part: &str| found.iter().filter(|path| path.to_string_lossy().contains(part)).count();
    assert!(has("/data/data/") > 60 && has("/audit/lists/") >= 8 && has("/keys/") >= 3 && has("/said") == 1);
    for path in &found {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(hits(&bytes), 0, "{}", path.display());
    }

    // The search finds what is there to be found.
    for needle in needles() {
        assert_eq!(hits(&[b"before".as_slice(), &needle, b"after"].concat()), 1);
    }
}
