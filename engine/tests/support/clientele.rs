//! A made-up clientele for tests of releases: every gate stops somebody, every class of records has rows, nobody's id
//! stands where the order of imports would put it.

use std::collections::BTreeMap;

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::semantics::{Contact, Record, select_all};
use hyperseg_dsl::value::{Code, Value, When, parse_day, parse_when};
use hyperseg_engine::{ConsentAge, Recipients, Request};
use hyperseg_storage::audit::Entry;
use hyperseg_storage::{Dataset, Keyring};
use hyperseg_testdata::worlds::World;

use crate::support::Fixture;

/// A segment that every gate narrows and whose list has two more columns.
pub const DIABETICS: &str = "segment diabetics \"Adults with diabetes\"\n  purpose marketing\n  channel email\n  \
     where has condition(code under ICD10CM:\"E11\")\n    and state = MA\n    and not count(portal_login) in last 1 year > 5\n  \
     exclude gender = other\n  output first_name, state\n";

/// Pieces of values that only contacts have.
pub const PLANTED: [&str; 3] = ["Anouk", "Vandersanden", "@clientele.test"];

/// So many contacts with their records.
pub fn clientele(contacts: usize) -> World {
    let clock = Clock::parse("2026-01-05T12:00[America/New_York]", chrono_tz::Tz::UTC).unwrap();
    World { contacts: (0..contacts).map(contact).collect(), clock, now_micros: clock.as_of_micros }
}

fn contact(n: usize) -> Contact {
    let every = |step: usize| n % step == step - 1;
    let mut fields = BTreeMap::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("contact_id", text(&format!("p{:05}", n * 7_919 % 99_991)));
    if !every(7) {
        set("email", text(&format!("n{n}@clientele.test")));
    }
    set("first_name", text(&format!("Anouk{n}")));
    set("last_name", text(&format!("Vandersanden{n}")));
    set("birth_date", date(if every(29) { "2015-02-01" } else { "1961-02-01" }));
    if every(23) {
        set("deceased_on", date("2025-03-01"));
    }
    set("gender", category(if every(31) { "other" } else { "female" }));
    set("state", category(if every(5) { "NH" } else { "MA" }));
    let mut records = Vec::new();
    let mut add = |kind: &str, at: &str, more: Vec<(&str, Value)>| {
        let mut fields: BTreeMap<String, Value> =
            more.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        fields.insert("record_id".to_owned(), text(&format!("{kind}-{n}-{}", records.len())));
        fields.insert("at".to_owned(), Value::Time(parse_when(at).unwrap()));
        records.push(Record { kind: kind.to_owned(), fields });
    };
    let decision = |word: &str| {
        vec![("decision", category(word)), ("channel", category("email")), ("purpose", category("marketing"))]
    };
    if !every(6) {
        add("consent", "2025-01-01", decision("grant"));
    }
    if every(11) {
        add("consent", "2025-06-01T10:00:00Z", decision("revoke"));
    }
    for (step, code) in [(2, "E119"), (3, "F329"), (8, "B20"), (9, "F1120"), (10, "O039"), (12, "J45909")] {
        if every(step) {
            add("condition", "2023-05-01", vec![("code", icd10(code)), ("status", category("active"))]);
        }
    }
    add("lab", "2025-09-01T08:00:00Z", vec![("value", Value::Number(n as f64 / 10.0))]);
    for login in 0..n % 8 {
        add("portal_login", &format!("2025-1{}-0{}T09:00:00Z", login % 3, login + 1), Vec::new());
    }
    if every(13) {
        add("email_bounce", "2025-10-01T08:00:00Z", vec![("bounce", category("hard"))]);
    }
    if every(37) {
        add("email_complaint", "2025-10-02T08:00:00Z", Vec::new());
    }
    if every(41) {
        add("email_unsubscribe", "2025-10-03T08:00:00Z", Vec::new());
    }
    Contact { fields, records, changes: Vec::new() }
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn category(name: &str) -> Value {
    Value::Category(name.to_owned())
}

pub fn date(day: &str) -> Value {
    Value::Date(parse_day(day).unwrap())
}

pub fn instant(micros: i64) -> Value {
    Value::Time(When::Instant(micros))
}

pub fn icd10(code: &str) -> Value {
    Value::Code(Code { system: "ICD10CM".to_owned(), code: code.to_owned() })
}

/// The request of a text at a world's clock, with the default limit on the age of consent.
pub fn ask(source: &str, world: &World) -> Request {
    let checked = hyperseg_dsl::check(source, &Schema::built_in());
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    Request {
        source: source.to_owned(),
        segment: checked.segments.last().unwrap().bind(&BTreeMap::new()).unwrap(),
        clock: world.clock,
        now_micros: world.now_micros,
        actor: Some("the campaign desk".to_owned()),
        consent_age_max: ConsentAge::default(),
    }
}

/// Whom the reference semantics would let through, in the order of lists.
pub fn expected(world: &World, request: &Request) -> Vec<String> {
    let schema = Schema::built_in();
    let verdicts = select_all(&request.segment, &world.contacts, &schema, &request.clock, request.now_micros);
    let taken = world.contacts.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_recipient());
    let mut ids: Vec<String> = taken.map(|(contact, _)| contact.id().to_owned()).collect();
    ids.sort_unstable();
    ids
}

/// Rows of a list as it streams.
pub fn rows(recipients: Recipients) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for batch in recipients {
        let batch = batch.unwrap();
        let columns: Vec<&arrow::array::StringArray> =
            batch.columns().iter().map(|column| column.as_any().downcast_ref().unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| {
                arrow::array::Array::is_valid(column, row).then(|| column.value(row).to_owned())
            });
            rows.push(cells.collect());
        }
    }
    rows
}

/// The same dataset as another process would open it.
pub fn reopened(fixture: &Fixture) -> Dataset {
    let (dir, keyring) = (fixture.dir.path().join("data"), fixture.dir.path().join("keys/keyring"));
    let unlocked = Keyring::open(&keyring, &dir, &Keyring::default_unlock(&keyring)).unwrap();
    Dataset::open(&dir, unlocked).unwrap()
}

/// Every record of the audit log, oldest first.
pub fn log(fixture: &Fixture) -> Vec<Entry> {
    fixture.engine.dataset().audit().unwrap().entries().unwrap()
}

/// Sealed lists that lie in the dataset.
pub fn lists(fixture: &Fixture) -> Vec<String> {
    let directory = fixture.dir.path().join("data/audit/lists");
    let names = std::fs::read_dir(directory).into_iter().flatten();
    names.map(|item| item.unwrap().file_name().into_string().unwrap()).collect()
}
