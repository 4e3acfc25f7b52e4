//! What the synthetic population promises: the same bytes again, every field, kind and category, invented people, and
//! health that makes sense.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod population_support;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use chrono::{Months, NaiveDate};
use hyperseg_dsl::schema::{CodeSystem, FieldType, Schema};
use hyperseg_dsl::value::{DAY_MICROS, days_since_epoch};
use hyperseg_testdata::population::{Format, GenerateError, Options, generate};
use population_support::{Loaded, as_of, load, loaded, options};

fn bytes(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn the_same_options_give_the_same_bytes_on_any_number_of_threads() {
    for format in [Format::Csv, Format::Parquet] {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let first = pool.install(|| generate(one.path(), &Options { format, ..options(1_500) })).unwrap();
        let second = generate(two.path(), &Options { format, ..options(1_500) }).unwrap();
        assert_eq!(first, second);
        assert!(bytes(one.path()) == bytes(two.path()), "{format:?}");
    }
}

#[test]
fn contacts_do_not_change_with_their_number_or_with_the_density_but_with_the_seed() {
    let contacts = |options: Options<'static>| {
        let dir = tempfile::tempdir().unwrap();
        generate(dir.path(), &Options { format: Format::Csv, ..options }).unwrap();
        String::from_utf8(bytes(dir.path()).remove("contacts.csv").unwrap()).unwrap()
    };
    let small = contacts(options(501));
    assert!(contacts(options(700)).starts_with(&small));
    assert_eq!(contacts(Options { density: 0.1, ..options(501) }), small);
    assert_ne!(contacts(Options { seed: 2, ..options(501) }), small);
}

#[test]
fn refuses_a_folder_that_holds_something_and_options_out_of_range() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    assert!(matches!(generate(dir.path(), &options(1)), Err(GenerateError::NotEmpty(_))));
    let fresh = dir.path().join("new");
    for bad in [
        Options { density: f64::NAN, ..options(1) },
        Options { density: -1.0, ..options(1) },
        Options { contacts: 100_000_000, ..options(1) },
        Options { as_of: NaiveDate::MAX, ..options(1) },
    ] {
        assert!(matches!(generate(&fresh, &bad), Err(GenerateError::OutOfRange(_))));
        assert!(!fresh.exists());
    }
    assert_eq!(generate(&fresh, &options(0)).unwrap().records_total(), 0);
}

#[test]
fn progress_ends_with_the_number_of_contacts() {
    let seen = std::cell::RefCell::new(Vec::new());
    let note = |done| seen.borrow_mut().push(done);
    let dir = tempfile::tempdir().unwrap();
    generate(dir.path(), &Options { progress: Some(&note), ..options(5_000) }).unwrap();
    assert!(seen.borrow().is_sorted());
    assert_eq!(seen.borrow().last(), Some(&5_000));
}

/// Fields that make no sense for a kind although its shape has them.
fn never_filled(kind: &str, field: &str) -> bool {
    match field {
        "bounce" => kind != "email_bounce",
        "machine" => !matches!(kind, "email_open" | "email_click"),
        "url" => {
            kind.starts_with("email_") && !matches!(kind, "email_click" | "email_unsubscribe")
                || kind.starts_with("sms_")
                || kind == "call"
        }
        "campaign" => matches!(kind, "portal_login" | "form_start" | "form_complete"),
        "value" => matches!(kind, "form_start" | "download" | "list_signup" | "event_signup"),
        _ => false,
    }
}

/// Values that occur in the population, by table and field, against the schema.
fn gaps(population: &Loaded) -> Vec<String> {
    let schema = Schema::built_in();
    let mut gaps = Vec::new();
    let tables = schema.records.iter().map(|kind| (kind.name.as_str(), &kind.fields));
    for (table, fields) in tables.chain([("contacts", &schema.contact)]) {
        let Some(rows) = population.get(table) else {
            gaps.push(table.to_owned());
            continue;
        };
        for field in fields.iter().filter(|field| !never_filled(table, &field.name)) {
            let column = if field.ty == FieldType::Point { "location_lat" } else { &field.name };
            let (known, missing) = rows.known_and_missing(column);
            if known == 0 {
                gaps.push(format!("{table}.{column}: no value"));
            }
            let always = matches!(column, "contact_id" | "record_id" | "at");
            if !always && missing == 0 && rows.len() > 2_000 && !never_missing(table, column) {
                gaps.push(format!("{table}.{column}: never missing"));
            }
            if matches!(field.ty, FieldType::Category | FieldType::Categories) {
                let seen: BTreeSet<&str> =
                    rows.texts(column).flatten().flat_map(|cell| cell.split('|')).collect();
                let listed: BTreeSet<&str> = field.categories.iter().map(String::as_str).collect();
                assert!(seen.is_subset(&listed), "{table}.{column}: {:?}", seen.difference(&listed));
                for absent in listed.difference(&seen) {
                    gaps.push(format!("{table}.{column} = {absent}"));
                }
            }
        }
    }
    gaps
}

/// Fields that every source of these records knows.
fn never_missing(table: &str, field: &str) -> bool {
    match field {
        "code" | "encounter_id" | "class" => true,
        "kind" => table == "event",
        "type" => table == "coverage",
        "amount" => table == "bill",
        "sku" => true,
        "name" => !matches!(table, "portal_login" | "page_view" | "event"),
        "url" => matches!(
            table,
            "email_click"
                | "email_unsubscribe"
                | "portal_login"
                | "page_view"
                | "form_start"
                | "form_complete"
        ),
        "machine" => table == "email_click",
        "value" => table == "form_complete",
        "list" | "campaign" | "step" | "channel" => table == "delivery",
        _ => false,
    }
}

#[test]
fn every_field_kind_and_category_occurs() {
    let expected: &[&str] = &[];
    let found: Vec<String> = gaps(loaded()).into_iter().filter(|gap| !bounce_elsewhere(gap)).collect();
    assert_eq!(found, expected);
    for contacts in [100, 1_000, 5_000] {
        let dir = tempfile::tempdir().unwrap();
        generate(dir.path(), &options(contacts)).unwrap();
        let found: Vec<String> =
            gaps(&load(dir.path())).into_iter().filter(|gap| !gap.contains("language")).collect();
        println!("{contacts} contacts lack {} besides languages: {}", found.len(), found.join(", "));
    }
}

fn bounce_elsewhere(gap: &str) -> bool {
    gap.contains(".bounce =") && !gap.starts_with("email_bounce")
}

#[test]
fn moments_lie_within_three_years_before_as_of() {
    let first = as_of().checked_sub_months(Months::new(36)).unwrap();
    let low = (i64::from(days_since_epoch(first)) * DAY_MICROS) as f64;
    let high = ((i64::from(days_since_epoch(as_of())) + 1) * DAY_MICROS) as f64;
    for (name, table) in loaded().iter().filter(|(name, _)| *name != "contacts") {
        let codes: Vec<Option<&str>> =
            if name == "lab" { table.texts("code").collect() } else { vec![None; table.len()] };
        let mut future = 0;
        for ((at, learned), code) in
            table.numbers("at").into_iter().zip(table.numbers("recorded_at")).zip(codes)
        {
            let at = at.unwrap();
            let ahead = name == "appointment" || code == Some("LOINC:11778-8");
            assert!(at >= low && (ahead || at < high), "{name}");
            future += usize::from(at >= high);
            if let Some(learned) = learned {
                assert!(learned >= low && learned < high, "{name}");
                // A source may write down in the morning what it only knows the day of.
                assert!(ahead || learned >= at - DAY_MICROS as f64, "{name}");
            }
        }
        assert_eq!(future > 0, matches!(name.as_str(), "appointment" | "lab"), "{name}");
        if let Some(end) = table.columns().contains(&"end".to_owned()).then(|| table.numbers("end")) {
            let fine = table
                .numbers("at")
                .into_iter()
                .zip(end)
                .all(|(at, end)| end.is_none_or(|end| end >= at.unwrap()));
            assert!(fine, "{name} ends before it starts");
        }
    }
}

#[test]
fn people_are_invented_and_ids_unique() {
    let contacts = &loaded()["contacts"];
    let ids: HashSet<&str> = contacts.texts("contact_id").flatten().collect();
    assert_eq!(ids.len(), 20_000);
    assert!(
        contacts.texts("email").flatten().all(|email| email.ends_with("@example.test") && email.is_ascii())
    );
    assert!(
        contacts.texts("phone").flatten().all(|phone| phone.len() == 15 && phone[7..].starts_with("555-"))
    );
    for (name, table) in loaded().iter().filter(|(name, _)| *name != "contacts") {
        let records: HashSet<&str> = table.texts("record_id").flatten().collect();
        assert_eq!(records.len(), table.len(), "{name}");
        assert!(table.texts("contact_id").all(|id| ids.contains(id.unwrap())), "{name}");
        for column in table.columns() {
            if column == "url" {
                assert!(table.texts("url").flatten().all(|url| url.contains(".example.test/")), "{name}");
            }
        }
    }
}

#[test]
fn codes_are_of_known_systems() {
    let schema = Schema::built_in();
    for kind in &schema.records {
        for field in kind.fields.iter().filter(|field| field.ty == FieldType::Code) {
            let codes: BTreeSet<&str> = loaded()[&kind.name].texts(&field.name).flatten().collect();
            for code in codes {
                let (system, code) = code.split_once(':').unwrap();
                assert_eq!(CodeSystem::parse(system).unwrap().name(), system);
                assert!(!code.is_empty() && !code.contains(' '));
            }
        }
    }
}

struct People {
    by_id: HashMap<&'static str, usize>,
    gender: Vec<Option<&'static str>>,
    age: Vec<Option<i32>>,
}

fn people() -> People {
    let contacts = &loaded()["contacts"];
    let by_id = contacts.texts("contact_id").enumerate().map(|(place, id)| (id.unwrap(), place)).collect();
    let today = f64::from(days_since_epoch(as_of()));
    let births = contacts.numbers("birth_date").into_iter();
    let age = births.map(|birth| birth.map(|birth| ((today - birth) / 365.25) as i32)).collect();
    People { by_id, gender: contacts.texts("gender").collect(), age }
}

impl People {
    /// Contacts with a record of a kind whose code passes.
    fn with(&self, kind: &str, code: impl Fn(&str) -> bool) -> BTreeSet<usize> {
        let table = &loaded()[kind];
        let rows = table.texts("contact_id").zip(table.texts("code"));
        rows.filter(|(_, found)| found.is_some_and(&code)).map(|(id, _)| self.by_id[id.unwrap()]).collect()
    }
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn health_follows_age_and_sex() {
    let people = people();
    let pregnant = people.with("condition", |code| {
        ["ICD10CM:Z34", "ICD10CM:O", "SNOMED:77386006", "SNOMED:72892002"]
            .iter()
            .any(|start| code.starts_with(start))
    });
    assert!(share(pregnant.len(), 20_000) > 0.01);
    for contact in pregnant {
        assert_ne!(people.gender[contact], Some("male"));
        assert!(people.age[contact].is_none_or(|age| (15..=50).contains(&age)));
    }
    for contact in people.with("procedure", |code| code == "HCPCS:G0103") {
        assert_ne!(people.gender[contact], Some("female"));
    }
    let diabetics = people.with("condition", |code| code.starts_with("ICD10CM:E11"));
    assert!((0.04..0.2).contains(&share(diabetics.len(), 20_000)));
    let old = diabetics.iter().filter(|contact| people.age[**contact].is_some_and(|age| age >= 40)).count();
    assert!(share(old, diabetics.len()) > 0.8);
    let metformin = people.with("medication", |code| code == "RXNORM:6809");
    assert!(metformin.intersection(&diabetics).count() * 10 > metformin.len() * 7);

    let labs = &loaded()["lab"];
    let (mut sick, mut well) = (Vec::new(), Vec::new());
    for ((id, code), value) in labs.texts("contact_id").zip(labs.texts("code")).zip(labs.numbers("value")) {
        if let (Some("LOINC:4548-4"), Some(value)) = (code, value) {
            let group = if diabetics.contains(&people.by_id[id.unwrap()]) { &mut sick } else { &mut well };
            group.push(value);
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(mean(&sick) > mean(&well) + 1.0, "{} {}", mean(&sick), mean(&well));
    let high = share(sick.iter().filter(|value| **value > 9.0).count(), sick.len());
    assert!((0.03..0.4).contains(&high), "{high}");
}

#[test]
fn minors_have_a_grown_guardian_in_their_household() {
    let people = people();
    let contacts = &loaded()["contacts"];
    let households: Vec<Option<&str>> = contacts.texts("household_id").collect();
    let mut wards = 0;
    for (ward, guardian) in contacts.texts("guardian_id").enumerate() {
        let Some(guardian) = guardian.map(|id| people.by_id[id]) else { continue };
        wards += 1;
        assert!(people.age[ward].is_none_or(|age| age < 18));
        assert!(people.age[guardian].is_none_or(|age| age >= 18));
        if let (Some(own), Some(theirs)) = (households[ward], households[guardian]) {
            assert_eq!(own, theirs);
        }
    }
    assert!((0.1..0.3).contains(&share(wards, 20_000)));
}

#[test]
fn nothing_clinical_happens_after_death() {
    let people = people();
    let deaths = loaded()["contacts"].numbers("deceased_on");
    assert!((0.002..0.04).contains(&share(deaths.iter().flatten().count(), 20_000)));
    for kind in ["encounter", "lab", "condition", "procedure"] {
        let table = &loaded()[kind];
        for ((id, at), code) in table.texts("contact_id").zip(table.numbers("at")).zip(if kind == "lab" {
            table.texts("code").collect()
        } else {
            vec![None; table.len()]
        }) {
            if let (Some(day), false) = (deaths[people.by_id[id.unwrap()]], code == Some("LOINC:11778-8")) {
                let limit = (day + 3.0) * DAY_MICROS as f64;
                assert!(at.unwrap() < limit, "{kind}");
            }
        }
    }
}

#[test]
fn activity_is_skewed_and_mail_follows_its_course() {
    let opens = &loaded()["email_open"];
    let mut by_contact: HashMap<&str, usize> = HashMap::new();
    opens.texts("contact_id").flatten().for_each(|id| *by_contact.entry(id).or_default() += 1);
    let mut counts: Vec<usize> = by_contact.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let top: usize = counts.iter().take(counts.len() / 10).sum();
    assert!(share(top, opens.len()) > 0.3, "{}", share(top, opens.len()));
    assert!(counts[0] > 40 * counts[counts.len() / 2].min(10) / 10);
    let rows = |kind: &str| loaded()[kind].len();
    assert!(rows("email_sent") > rows("email_delivered"));
    assert!(rows("email_delivered") > rows("email_open"));
    assert!(rows("email_open") > rows("email_click"));
    assert!(rows("form_start") > rows("form_complete"));
    let total: usize =
        loaded().iter().filter(|(name, _)| *name != "contacts").map(|(_, table)| table.len()).sum();
    assert!((70.0..110.0).contains(&share(total, 20_000)), "{}", share(total, 20_000));
}

/// Adults with an address whose latest decision on marketing by e-mail is an unscoped grant that has not expired.
#[test]
fn marketing_mail_reaches_somewhat_more_than_half() {
    let people = people();
    let contacts = &loaded()["contacts"];
    let consents = &loaded()["consent"];
    let now = ((i64::from(days_since_epoch(as_of())) + 1) * DAY_MICROS) as f64;
    let mut latest: HashMap<usize, (f64, bool)> = HashMap::new();
    let rows = consents.texts("contact_id").zip(consents.texts("channel")).zip(consents.texts("purpose"));
    let rows =
        rows.zip(consents.texts("decision")).zip(consents.texts("scope")).zip(consents.texts("status"));
    for ((row, at), end) in rows.zip(consents.numbers("at")).zip(consents.numbers("end")) {
        let (((((id, channel), purpose), decision), scope), status) = row;
        let concerns =
            channel.is_none_or(|name| name == "email") && purpose.is_none_or(|name| name == "marketing");
        let counts = !matches!(status, Some("draft" | "entered_in_error")) && decision != Some("pending");
        let grant = decision == Some("grant");
        if !concerns || !counts || grant && scope.is_some_and(|scope| scope != "all") {
            continue;
        }
        let slot = latest.entry(people.by_id[id.unwrap()]).or_insert((f64::MIN, false));
        if at.unwrap() >= slot.0 {
            *slot = (at.unwrap(), grant && end.is_none_or(|end| end > now));
        }
    }
    let left: HashSet<usize> = ["email_unsubscribe", "email_complaint"]
        .iter()
        .flat_map(|kind| loaded()[*kind].texts("contact_id").flatten())
        .map(|id| people.by_id[id])
        .collect();
    let dead = contacts.numbers("deceased_on");
    let reached = contacts.texts("email").enumerate().filter(|(place, email)| {
        email.is_some()
            && dead[*place].is_none()
            && !left.contains(place)
            && people.age[*place].is_some_and(|age| age >= 18)
            && latest.get(place).is_some_and(|(_, granted)| *granted)
    });
    let reached = share(reached.count(), 20_000);
    assert!((0.45..0.65).contains(&reached), "{reached}");
}
