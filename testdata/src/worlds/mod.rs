//! Small random worlds and random segments over them.
//!
//! A seed comes in, a [`World`] of up to forty contacts or a well-typed [`Segment`](hyperseg_dsl::segment::Segment)
//! goes out, the same on every machine. Times lie on the edges of windows, values are few so that they meet, much is
//! missing or doubled. The reference semantics say who belongs; the engine must agree ([`rows`] gives its tables). A
//! pair that shows a disagreement is made small by [`shrink`] and printed by [`to_case`] as a file for the case corpus.

mod adherence;
mod ages;
mod amounts;
mod anchors;
pub mod coverage;
mod criteria;
mod dice;
mod history;
mod households;
mod measures;
mod palette;
mod portfolios;
mod references;
mod segments;
mod sequences;
mod shrink;
mod text;

use std::collections::BTreeMap;

use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::lookups::{InMemory, Places};
use hyperseg_dsl::schema::{Field, RecordKind, Schema};
use hyperseg_dsl::semantics::{Contact, Record};
use hyperseg_dsl::value::Value;

pub use history::{Round, rewound, rounds};
pub use portfolios::{portfolio, shrink_portfolio};
pub use segments::segment;
pub use shrink::shrink;
pub use text::{criteria_text, to_case, to_text};

use dice::Dice;

/// Contacts with their records, and when they are looked at.
#[derive(Clone, Debug)]
pub struct World {
    /// In no particular order; ids are unique.
    pub contacts: Vec<Contact>,
    /// As_of and zone.
    pub clock: Clock,
    /// The present, for consent and suppression.
    pub now_micros: i64,
}

/// What the text of a random segment refers to: places of some of the ZIP codes that contacts have.
#[must_use]
pub fn lookups() -> InMemory {
    let places = palette::ZIPS.into_iter().map(|(zip, place)| (zip.to_owned(), place)).collect();
    InMemory { places: Places::new(&places).ok().map(Into::into), ..InMemory::default() }
}

/// Name of the table of contacts in [`rows`].
pub const CONTACTS: &str = "contacts";

/// Rows of a world by table: [`CONTACTS`], or the name of a record kind. Every row has a `contact_id`, a record's row
/// also a `record_id` that is unique in the world.
#[must_use]
pub fn rows(world: &World) -> BTreeMap<String, Vec<BTreeMap<String, Value>>> {
    let mut tables: BTreeMap<String, Vec<BTreeMap<String, Value>>> = BTreeMap::new();
    for contact in &world.contacts {
        tables.entry(CONTACTS.to_owned()).or_default().push(contact.fields.clone());
        for record in &contact.records {
            let mut row = record.fields.clone();
            row.insert("contact_id".to_owned(), Value::Text(contact.id().to_owned()));
            tables.entry(record.kind.clone()).or_default().push(row);
        }
    }
    tables
}

const ZONES: [&str; 7] = [
    "America/New_York",
    "UTC",
    "Europe/London",
    "Pacific/Auckland",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Pacific/Apia",
];

/// Days on which calendars do something: month ends, leap days, changes of clocks, the turn of the year.
const DAYS: [&str; 12] = [
    "2026-03-31",
    "2024-02-29",
    "2025-02-28",
    "2026-03-08",
    "2026-03-09",
    "2026-11-02",
    "2025-12-31",
    "2026-01-01",
    "2026-05-15",
    "2018-11-04",
    "2024-03-31",
    "2026-04-05",
];

const TIMES: [&str; 5] = ["T00:00", "T23:59:59.999999", "T12:00", "T09:30:15.123456", "T01:30"];

const CONTACTS_MAX: usize = 40;

/// The world of a seed.
#[must_use]
pub fn world(seed: u64) -> World {
    let dice = &mut Dice::new(seed, 1);
    let schema = Schema::built_in();
    let clock = clock(dice);
    let now_micros = match dice.below(3) {
        0 => clock.as_of_micros,
        1 => clock.as_of_micros + dice.range(0, 400 * 86_400_000_000),
        _ => clock.as_of_micros - dice.range(0, 400 * 86_400_000_000),
    };
    let kinds = kinds(dice, &schema);
    let count = match dice.below(10) {
        0 => 1,
        1..=2 => 1 + dice.below(4),
        _ => 5 + dice.below(CONTACTS_MAX - 4),
    };
    // A field is either mostly there or mostly missing, so that joint conditions have a chance.
    let rates: BTreeMap<&str, usize> =
        schema.contact.iter().map(|field| (field.name.as_str(), dice.one(&[30, 75, 95]))).collect();
    let mut next_record = 0;
    let mut contacts: Vec<Contact> = (0..count)
        .map(|number| {
            let mut fields = BTreeMap::new();
            for field in &schema.contact {
                let rate = rates.get(field.name.as_str()).copied().unwrap_or(50);
                let rate = match field.name.as_str() {
                    "deceased_on" => 6,
                    "email" | "birth_date" => rate.max(75),
                    _ => rate,
                };
                if dice.percent(rate) {
                    let value = palette::value(dice, field, &clock);
                    fields.insert(field.name.clone(), palette::as_known(dice, value));
                }
            }
            fields.insert("contact_id".to_owned(), Value::Text(contact_id(dice, number)));
            let mut records = Vec::new();
            for kind in &kinds {
                add_records(dice, kind, &clock, &mut next_record, &mut records);
            }
            Contact { fields, records, changes: Vec::new() }
        })
        .collect();
    history::add(dice, &schema, &clock, &mut contacts);
    World { contacts, clock, now_micros }
}

fn clock(dice: &mut Dice) -> Clock {
    let text = format!("{}{}[{}]", dice.one(&DAYS), dice.one(&TIMES), dice.one(&ZONES));
    Clock::parse(&text, chrono_tz::Tz::UTC)
        .unwrap_or(Clock { as_of_micros: 1_767_225_600_000_000, zone: chrono_tz::Tz::UTC })
}

/// Ids in an order that is neither that of numbers nor that of characters.
fn contact_id(dice: &mut Dice, number: usize) -> String {
    let mark = dice.one(&["", "", "", "-\u{e9}", "'x", "\u{1F980}", "A"]);
    format!("{}{}{mark}", dice.one(&["c", "C", "p"]), (number * 37) % 101)
}

/// The kinds with rows: consent and suppression often, a few others.
fn kinds<'a>(dice: &mut Dice, schema: &'a Schema) -> Vec<&'a RecordKind> {
    let gates = hyperseg_dsl::semantics::GATE_KINDS;
    let favourites = [
        "lab",
        "condition",
        "appointment",
        "email_open",
        "coverage",
        "encounter",
        "medication",
        "bill",
        "purchase",
    ];
    schema
        .records
        .iter()
        .filter(|kind| {
            let name = kind.name.as_str();
            dice.percent(if gates.contains(&name) || favourites.contains(&name) { 60 } else { 12 })
        })
        .collect()
}

fn add_records(
    dice: &mut Dice,
    kind: &RecordKind,
    clock: &Clock,
    next_record: &mut usize,
    records: &mut Vec<Record>,
) {
    let count = match dice.below(10) {
        0..=3 => 0,
        4..=5 => 1,
        _ => 2 + dice.below(4),
    };
    // Suppression is rare, or nobody would be left.
    let suppresses = ["email_bounce", "email_complaint", "email_unsubscribe"].contains(&kind.name.as_str());
    let count = if suppresses { usize::from(dice.percent(15)) } else { count };
    for _ in 0..count {
        let twin = records.last().filter(|record| record.kind == kind.name).cloned();
        let mut fields = match twin {
            Some(mut twin) if dice.percent(30) => {
                // The same again, or the same time with other contents.
                if dice.percent(70) {
                    vary(dice, kind, clock, &mut twin.fields);
                }
                twin.fields
            }
            _ => {
                let mut fields = BTreeMap::new();
                for field in &kind.fields {
                    set(dice, field, clock, &mut fields);
                }
                fields
            }
        };
        *next_record += 1;
        fields.insert("record_id".to_owned(), Value::Text(format!("r{next_record}")));
        fields.entry("at".to_owned()).or_insert_with(|| Value::Time(palette::moment(dice, clock)));
        records.push(Record { kind: kind.name.clone(), fields });
    }
}

/// Gives one field but the time another value.
fn vary(dice: &mut Dice, kind: &RecordKind, clock: &Clock, fields: &mut BTreeMap<String, Value>) {
    for _ in 0..2 {
        if let Some(field) = dice.pick(&kind.fields).filter(|field| field.name != "at") {
            fields.remove(&field.name);
            set(dice, field, clock, fields);
        }
    }
}

fn set(dice: &mut Dice, field: &Field, clock: &Clock, fields: &mut BTreeMap<String, Value>) {
    let rate = match field.name.as_str() {
        "at" | "record_id" => 100,
        "status" | "decision" | "code" | "value" | "amount" | "days_supply" => 80,
        "scope" | "recorded_at" => 30,
        // One of several leaves their sum open.
        "comparator" => 15,
        "channel" | "purpose" => 25,
        _ => 60,
    };
    if dice.percent(rate) {
        let value = match field.name.as_str() {
            // Grants without limits must occur, or nobody would be left for marketing.
            "scope" => Value::Text(dice.one(&["all", "all", "newsletter"]).to_owned()),
            "decision" if dice.percent(70) => Value::Category("grant".to_owned()),
            _ => {
                let value = palette::value(dice, field, clock);
                palette::as_known(dice, value)
            }
        };
        fields.insert(field.name.clone(), value);
    }
}
