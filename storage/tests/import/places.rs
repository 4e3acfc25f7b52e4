//! Where new contacts lie: by state, gender and date of birth, behind those that the dataset has.

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::schema::Class;
use hyperseg_dsl::value::{Value, When};
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::dataset::InitOptions;
use hyperseg_storage::file::Bounds;
use hyperseg_storage::import::{ImportReport, import_population};
use hyperseg_storage::ingest::{ImportOptions, Ingest};
use hyperseg_storage::rows::Builder;
use hyperseg_storage::scope::KeyScope;

use crate::support::{World, options};

/// Id, state, gender, date of birth, and whatever else; empty is missing.
type Row = (String, &'static str, &'static str, String, String);

const STATES: [&str; 5] = ["TX", "CA", "NY", "", "FL"];
const GENDERS: [&str; 3] = ["male", "", "female"];

/// So many contacts, in an order in which no field has any.
fn people(first: usize, contacts: usize) -> Vec<Row> {
    let row = |n: usize| {
        let dice = n.wrapping_mul(2_654_435_761) >> 7;
        let born = match dice % 11 {
            0 => String::new(),
            _ => format!("{}-{:02}-{:02}", 1930 + n % 80, 1 + n % 12, 1 + dice % 28),
        };
        (format!("p{n:05}"), STATES[dice % 5], GENDERS[dice / 5 % 3], born, format!("city-of-{n}"))
    };
    (first..first + contacts).map(row).collect()
}

fn turned(rows: &[Row]) -> Vec<Row> {
    let mut turned = rows.to_vec();
    turned.reverse();
    turned.rotate_left(rows.len() / 3);
    turned
}

fn csv(rows: &[Row]) -> String {
    let line = |(id, state, gender, born, city): &Row| format!("{id},{state},{gender},{born},{city}\n");
    "contact_id,state,gender,birth_date,city\n".to_owned() + &rows.iter().map(line).collect::<String>()
}

/// A click of every contact, whose campaign names it.
fn clicks(rows: &[Row]) -> String {
    let line = |(id, ..): &Row| format!("{id},r-{id},2025-03-01,of-{id}\n");
    "contact_id,record_id,at,campaign\n".to_owned() + &rows.iter().map(line).collect::<String>()
}

fn import(world: &World, rows: &[Row], options: ImportOptions) -> ImportReport {
    let folder = world.folder(
        &format!("import {}", world.generation()),
        &[("contacts.csv", &csv(rows)), ("email_click.csv", &clicks(rows))],
    );
    import_population(&world.dataset, &folder, options).unwrap()
}

/// Where the contacts lie: shard and ordinal of each id, as every class has them.
fn places(world: &World) -> BTreeMap<String, (u32, u32)> {
    let snapshot = world.dataset.snapshot().unwrap();
    let mut places = BTreeMap::new();
    for shard in 0..snapshot.shards().len() as u32 {
        let mut first = 0;
        for entry in snapshot.contact_files(Class::Identity, shard).unwrap() {
            for (row, (ordinal, cells)) in (first..).zip(world.file(entry)) {
                assert_eq!(row, ordinal, "row after row by ordinal");
                let id = cells.into_iter().find(|(name, _)| name == "contact_id").unwrap().1;
                places.insert(id, (shard, ordinal));
            }
            first += entry.rows as u32;
        }
    }
    places
}

/// What contacts lie by, as the schema's lists and the calendar have it: missing values last.
fn key(schema: &hyperseg_dsl::schema::Schema, row: &Row) -> [(bool, usize, String); 3] {
    let place = |field: &str, value: &str| {
        let known = schema.contact_field(field).unwrap().categories.iter().position(|known| known == value);
        (known.is_none(), known.unwrap_or_default(), String::new())
    };
    [place("state", row.1), place("gender", row.2), (row.3.is_empty(), 0, row.3.clone())]
}

/// Ids in the order of places, those of each shard by themselves.
fn in_order(rows: &[Row], places: &BTreeMap<String, (u32, u32)>) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| places[&row.0]);
    rows
}

fn assert_sorted(world: &World, rows: &[Row], places: &BTreeMap<String, (u32, u32)>) {
    let snapshot = world.dataset.snapshot().unwrap();
    let rows = in_order(rows, places);
    for shard in rows.chunk_by(|one, other| places[&one.0].0 == places[&other.0].0) {
        let keys: Vec<_> = shard.iter().map(|row| key(snapshot.schema(), row)).collect();
        assert!(keys.is_sorted());
        let distinct: BTreeSet<_> = keys.iter().collect();
        assert!(distinct.len() * 10 > keys.len() * 9, "few ties, or this shows nothing");
    }
}

/// Every contact has its own values and its own click.
fn assert_whole(world: &World, rows: &[Row]) {
    let (stored, snapshot) = (world.rows(), world.dataset.snapshot().unwrap());
    let mut rows = rows.to_vec();
    rows.sort();
    let demographic = &stored["contact demographic"];
    assert_eq!(demographic.len(), rows.len());
    for (row, stored) in rows.iter().zip(demographic) {
        let (id, cells) = stored.split_once(" | ").unwrap();
        let cell = |name: &str| cells.split(' ').find_map(|cell| cell.strip_prefix(&format!("{name}=")));
        let [(no_state, state, _), (no_gender, gender, _), (no_birth, ..)] = key(snapshot.schema(), row);
        let place = |missing: bool, place: usize| (!missing).then(|| place.to_string());
        assert_eq!((id, cell("city")), (row.0.as_str(), Some(row.4.as_str())));
        assert_eq!(cell("state"), place(no_state, state).as_deref(), "{stored}");
        assert_eq!(cell("gender"), place(no_gender, gender).as_deref(), "{stored}");
        assert_eq!(cell("birth_date").is_none(), no_birth, "{stored}");
    }
    let clicks: Vec<&String> = stored
        .iter()
        .filter(|(table, _)| table.starts_with("email_click "))
        .flat_map(|(_, rows)| rows)
        .collect();
    assert_eq!(clicks.len(), rows.len());
    for click in clicks {
        let (id, cells) = click.split_once(" | ").unwrap();
        assert!(cells.contains(&format!("campaign=of-{id}")), "{click}");
    }
}

#[test]
fn contacts_of_an_import_lie_by_what_they_are_in_whatever_order_they_come() {
    let rows = people(0, 300);
    let (one, other) = (World::new(1000), World::new(1000));
    import(&one, &rows, options());
    import(&other, &turned(&rows), options());
    let places_of_one = places(&one);
    assert_sorted(&one, &rows, &places_of_one);
    // Those that agree in all of it lie as they came: the keys stand in one order in both.
    let snapshot = one.dataset.snapshot().unwrap();
    let keys =
        |places| in_order(&rows, places).iter().map(|row| key(snapshot.schema(), row)).collect::<Vec<_>>();
    assert_eq!(keys(&places_of_one), keys(&places(&other)));
    assert_eq!(one.rows(), other.rows());
    assert_whole(&one, &rows);
    assert!(!import(&one, &turned(&rows), options()).changed, "they are where they were");
}

#[test]
fn later_contacts_lie_behind_and_nobody_moves() {
    for shard_contacts in [1000, 64] {
        let world = World::new(shard_contacts);
        let (first, second) = (people(0, 200), people(200, 150));
        import(&world, &first, options());
        let before = places(&world);
        assert_sorted(&world, &first, &before);
        // Known ones come again among the new ones, some of them from elsewhere.
        let mut again = first[40..90].to_vec();
        again.iter_mut().step_by(3).for_each(|row| row.1 = "AK");
        let mut both: Vec<Row> = second.iter().chain(&again).cloned().collect();
        both.sort_by_key(|row| row.0.as_bytes()[5] ^ row.0.as_bytes()[4]);
        import(&world, &both, options());
        let after = places(&world);
        assert!(before.iter().all(|(id, place)| after[id] == *place));
        assert_sorted(&world, &second, &after);
        let mut all: BTreeMap<String, Row> = BTreeMap::new();
        all.extend(first.iter().chain(&both).map(|row| (row.0.clone(), row.clone())));
        assert_whole(&world, &all.into_values().collect::<Vec<_>>());
        assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
    }
}

#[test]
fn the_last_row_of_a_contact_says_where_it_lies() {
    let world = World::new(1000);
    let rows = people(0, 120);
    let mut before = rows.clone();
    for (n, row) in before.iter_mut().enumerate() {
        row.1 = STATES[n % 5];
        row.2 = "other";
    }
    before.extend(rows.iter().step_by(2).cloned());
    before.extend(rows.iter().skip(1).step_by(2).cloned());
    import(&world, &before, options());
    assert_sorted(&world, &rows, &places(&world));
    assert_whole(&world, &rows);
}

#[test]
fn memory_decides_nothing() {
    let rows = people(0, 500);
    let mut seen = Vec::new();
    for memory_budget in [0, ImportOptions::new(0).memory_budget] {
        let world = World::new(200);
        let report = import(&world, &rows, ImportOptions { memory_budget, ..options() });
        assert_eq!(report.spilled_bytes > 0, memory_budget == 0);
        assert_whole(&world, &rows);
        let places = places(&world);
        assert_sorted(&world, &rows, &places);
        seen.push((places, world.rows()));
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn contacts_of_whom_nothing_is_known_lie_as_they_came() {
    let world = World::new(1000);
    let rows: Vec<Row> =
        turned(&people(0, 50)).into_iter().map(|(id, .., city)| (id, "", "", String::new(), city)).collect();
    let line = |(id, .., city): &Row| format!("{id},{city}\n");
    let contacts = "contact_id,city\n".to_owned() + &rows.iter().map(line).collect::<String>();
    let folder = world.folder("in", &[("contacts.csv", &contacts), ("email_click.csv", &clicks(&rows))]);
    import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!(in_order(&rows, &places(&world)), rows);
    assert_whole(&world, &rows);
}

/// Contacts may come between records: whose place a record has asked for keeps it.
#[test]
fn contacts_that_come_after_records_lie_behind() {
    let world = World::new(1000);
    let rows = people(0, 90);
    let intent = world.dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
    let mut ingest = Ingest::begin(&world.dataset, intent, options()).unwrap();
    let schema = ingest.schema().clone();
    let text = |text: &str| Value::Text(text.to_owned());
    // The last third says something else of some of the first, too.
    let mut parts: Vec<Vec<Row>> = rows.chunks(30).map(<[Row]>::to_vec).collect();
    let mut moved = rows[..10].to_vec();
    moved.iter_mut().for_each(|row| row.1 = "AK");
    parts[2].extend(moved.clone());
    for part in &parts {
        let mut contacts = Builder::contacts(&schema);
        for (id, state, gender, _, city) in part {
            let mut row = vec![("contact_id", text(id)), ("city", text(city))];
            let known =
                [("state", state), ("gender", gender)].into_iter().filter(|(_, value)| !value.is_empty());
            row.extend(known.map(|(name, value)| (name, Value::Category((*value).to_owned()))));
            contacts.row(&row).unwrap();
        }
        ingest.contacts(contacts.finish()).unwrap();
        let mut clicks = Builder::records(&schema, schema.record("email_click").unwrap());
        for (id, ..) in part.iter().filter(|row| !moved.iter().any(|moved| moved.0 == row.0)) {
            let at = Value::Time(When::Instant(1_740_787_200_000_000));
            let (record, campaign) = (text(&format!("r-{id}")), text(&format!("of-{id}")));
            let row = [("contact_id", text(id)), ("record_id", record), ("at", at), ("campaign", campaign)];
            clicks.row(&row).unwrap();
        }
        ingest.records("email_click", clicks.finish()).unwrap();
    }
    ingest.finish().unwrap();
    let places = places(&world);
    let mut told = rows.clone();
    told.iter_mut().for_each(|row| row.3.clear());
    let told = in_order(&told, &places);
    let schema = world.dataset.snapshot().unwrap().schema().clone();
    assert!(told[..30].iter().map(|row| key(&schema, row)).is_sorted(), "the first batch, by its rows");
    assert!(told[30..].iter().map(|row| &row.0).is_sorted(), "the others, as they came");
    for (table, stored) in world.rows() {
        for row in stored {
            let (id, cells) = row.split_once(" | ").unwrap();
            assert!(
                !table.starts_with("email_click ") || cells.contains(&format!("campaign=of-{id}")),
                "{row}"
            );
        }
    }
}

/// What it is for: the blocks of a file span few states each, so that bounds rule the others out.
#[test]
fn bounds_rule_out_the_blocks_of_other_states() {
    let dir = tempfile::tempdir().unwrap();
    let location = crate::place::location(&dir.path().join("data"));
    let keyring = dir.path().join("keys").join("keyring");
    let init = InitOptions { page_rows: 64, ..InitOptions::default() };
    let (dataset, _) = hyperseg_storage::Dataset::init(location, &keyring, init).unwrap();
    let world = World { dir, dataset };
    let rows = people(0, 2_000);
    import(&world, &rows, options());
    let snapshot = world.dataset.snapshot().unwrap();
    let states = &snapshot.schema().contact_field("state").unwrap().categories;
    let texas = states.iter().position(|state| state == "TX").unwrap() as i64;
    let intent = world.dataset.audit().unwrap().intent(IntentBody::new("test")).unwrap();
    let entry = snapshot.contact_files(Class::Demographic, 0).unwrap().next().unwrap();
    let wants = vec![(entry.id, vec!["state".to_owned(), "birth_date".to_owned()])];
    let scope = KeyScope::arm(&world.dataset, &snapshot, &intent, wants).unwrap();
    let open = scope.open(&world.dataset, entry).unwrap();
    let blocks = &open.directory("state").unwrap().blocks;
    let may = |bounds: &Bounds| match bounds {
        Bounds::Int { min, max, .. } => (*min..=*max).contains(&texas),
        _ => false,
    };
    let left = blocks.iter().filter(|block| may(&block.bounds)).count();
    let members = rows.iter().filter(|row| row.1 == "TX").count();
    assert_eq!(blocks.len(), 2_000_usize.div_ceil(64));
    assert!(left >= members.div_ceil(64) && left <= members.div_ceil(64) + 1, "{left} of {}", blocks.len());
    // Those of whom no state is known lie at the end.
    let unknown = rows.iter().filter(|row| row.1.is_empty()).count();
    let none = blocks.iter().rev().take_while(|block| block.bounds == Bounds::Unknown).count();
    assert!(none >= unknown / 64, "{none}");
    drop((open, scope));
    intent.complete(serde_json::Value::Null).unwrap();
}
