//! Corrections, forgetting and compaction, each swept over all of its operations: what was there before is there, or
//! what comes after, never half of it.

use arrow::array::{Array, AsArray};
use hyperseg_dsl::schema::Class;
use hyperseg_dsl::value::{Value, When};
use hyperseg_storage::Error;
use hyperseg_storage::dataset::{CompactOptions, Dataset, InitOptions, TableId};
use hyperseg_storage::ingest::{ImportOptions, Ingest};
use hyperseg_storage::rows::Builder;
use hyperseg_storage::scope::KeyScope;

use crate::change::{Change, sweep};
use crate::world::{World, intent, must_go_on, must_open, undisturbed};

/// Contact and city; contact, record id and campaign, or none when it is deleted.
type Rows<'r> = (&'r [(&'r str, &'r str)], &'r [(&'r str, &'r str, Option<&'r str>)]);

fn store(dataset: &Dataset, (contacts, opens): Rows<'_>) -> Result<(), Error> {
    let mut ingest = Ingest::begin(dataset, intent(dataset, "import")?, ImportOptions::new(0))?;
    let schema = ingest.schema().clone();
    let text = |text: &str| Value::Text(text.to_owned());
    let mut builder = Builder::contacts(&schema);
    for (id, city) in contacts {
        builder.row(&[("contact_id", text(id)), ("city", text(city))]).unwrap();
    }
    ingest.contacts(builder.finish())?;
    let mut builder = Builder::records(&schema, schema.record("email_open").unwrap());
    for (contact, id, campaign) in opens {
        let mut row = vec![("contact_id", text(contact)), ("record_id", text(id))];
        match campaign {
            Some(campaign) => {
                row.extend([("campaign", text(campaign)), ("at", Value::Time(When::Instant(5)))]);
            }
            None => row.push(("deleted", Value::Bool(true))),
        }
        builder.row(&row).unwrap();
    }
    ingest.records("email_open", builder.finish())?;
    ingest.finish().map(drop)
}

const FIRST: Rows<'static> = (
    &[("a", "Boston"), ("b", "Salem"), ("c", "Lynn")],
    &[("a", "r1", Some("x")), ("a", "r2", Some("y")), ("b", "r3", Some("x")), ("c", "r4", Some("z"))],
);
const SECOND: Rows<'static> =
    (&[("a", "Lowell"), ("b", "Salem"), ("d", "Lynn")], &[("a", "r1", Some("w")), ("b", "r3", None)]);

fn world(rows: &[Rows<'_>]) -> World {
    let world = World::bare();
    let (dataset, _kit) = Dataset::init(world.location(), &world.keyring(), InitOptions::default()).unwrap();
    rows.iter().for_each(|rows| store(&dataset, *rows).unwrap());
    world
}

/// What everybody sees: cities of contacts and campaigns of records, each sorted.
fn seen(dataset: &Dataset) -> (Vec<String>, Vec<String>) {
    let snapshot = dataset.snapshot().unwrap();
    let intent = intent(dataset, "look").unwrap();
    let column = |table: TableId, class: Class, name: &str| {
        let mut found = Vec::new();
        let files = snapshot.files().unwrap().into_iter();
        for entry in files.filter(|file| file.table == table && file.class == class && !file.overlay) {
            let wants = vec![(entry.id, vec!["ord".to_owned(), name.to_owned()])];
            let scope = KeyScope::arm(dataset, &snapshot, &intent, wants).unwrap();
            for batch in scope.read(dataset, entry, &["ord", name], None).unwrap() {
                let batch = batch.unwrap();
                let ordinals = batch.column(0).as_primitive::<arrow::datatypes::UInt32Type>();
                let texts = batch.column_by_name(name).unwrap().as_string::<i32>();
                for row in 0..batch.num_rows() {
                    if !snapshot.is_forgotten(entry.shard, ordinals.value(row)) && texts.is_valid(row) {
                        found.push(texts.value(row).to_owned());
                    }
                }
            }
        }
        found.sort();
        found
    };
    let cities = column(TableId::Contact, Class::Demographic, "city");
    let opens = column(TableId::Record("email_open".to_owned()), Class::Behavioural, "campaign");
    (cities, opens)
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub const CORRECT: Change = Change {
    name: "corrections",
    before: || world(&[FIRST]),
    make: |dataset, _| store(dataset, SECOND).map(|()| String::new()),
    look: |world, acknowledged, point| {
        let before = (texts(&["Boston", "Lynn", "Salem"]), texts(&["x", "x", "y", "z"]));
        let after = (texts(&["Lowell", "Lynn", "Lynn", "Salem"]), texts(&["w", "y", "z"]));
        let (dataset, _) = must_open(world, point);
        let found = seen(&dataset);
        assert!(found == after || found == before && acknowledged.is_none(), "{point}: {found:?}");
        assert_eq!(seen(&dataset.at(2).unwrap()), before, "{point}: the generation before");
        store(&dataset, SECOND).unwrap();
        assert_eq!(seen(&dataset), after, "{point}: once more");
    },
    stride: 10,
    wipes: 0,
    least: 30,
};

pub const FORGET: Change = Change {
    name: "forget",
    before: || world(&[FIRST, SECOND]),
    make: |dataset, _| dataset.forget(&["a".to_owned()], None).map(|_| String::new()),
    look: |world, acknowledged, point| {
        let before = (texts(&["Lowell", "Lynn", "Lynn", "Salem"]), texts(&["w", "y", "z"]));
        let after = (texts(&["Lynn", "Lynn", "Salem"]), texts(&["z"]));
        let (dataset, _) = must_open(world, point);
        let found = seen(&dataset);
        assert!(found == after || found == before && acknowledged.is_none(), "{point}: {found:?}");
        if found == after {
            let back = seen(&dataset.at(2).unwrap()).0;
            assert_eq!(back, texts(&["Lynn", "Salem"]), "{point}: looking back");
        } else {
            dataset.forget(&["a".to_owned()], None).unwrap();
            assert_eq!(seen(&dataset), after, "{point}: once more");
        }
        must_go_on(&dataset, point);
    },
    stride: 5,
    wipes: 0,
    least: 30,
};

fn everything() -> CompactOptions {
    CompactOptions { worth_percent: 0, ..CompactOptions::default() }
}

pub const COMPACT: Change = Change {
    name: "compact",
    before: || {
        let world = world(&[FIRST, SECOND]);
        world.open().unwrap().forget(&["c".to_owned()], None).unwrap();
        world
    },
    make: |dataset, world| {
        dataset.compact(&everything(), Some(&world.unlock()), &|_| {}).map(|_| String::new())
    },
    look: |world, acknowledged, point| {
        let always = (texts(&["Lowell", "Lynn", "Salem"]), texts(&["w", "y"]));
        let (dataset, _) = must_open(world, point);
        assert_eq!(seen(&dataset), always, "{point}");
        // Stopped or not, it can be gone on with.
        let rest = dataset.compact(&everything(), None, &|_| {}).unwrap();
        assert!(acknowledged.is_none() || rest.tables.is_empty(), "{point}: {rest:?}");
        let snapshot = dataset.snapshot().unwrap();
        assert!(
            snapshot.files().unwrap().into_iter().all(|file| !file.overlay && file.deleted_rows() == 0),
            "{point}"
        );
        assert_eq!(seen(&dataset), always, "{point}: once more");
    },
    stride: 18,
    wipes: 0,
    least: 30,
};

#[test]
fn corrections() {
    sweep(CORRECT);
}

#[test]
fn forgetting() {
    sweep(FORGET);
}

#[test]
fn compactions() {
    sweep(COMPACT);
}

/// A reader that has a generation reads it to the end, whatever is compacted and collected meanwhile.
#[test]
fn readers_keep_their_files() {
    let _quiet = undisturbed();
    let template = world(&[FIRST, SECOND]);
    let (reader, writer) = (template.open().unwrap(), template.open().unwrap());
    let held = reader.snapshot().unwrap();
    let before = seen(&reader);
    writer.compact(&everything(), None, &|_| {}).unwrap();
    let keep = hyperseg_storage::dataset::Keep { newest: 1, since_micros: i64::MAX };
    let left = writer.collect(keep, false, None).unwrap();
    assert_eq!(left.held, Some(held.generation()));
    let there = template.names("data");
    assert!(
        held.files()
            .unwrap()
            .into_iter()
            .all(|file| there.iter().any(|name| file.file_name().ends_with(name)))
    );
    drop((held, reader));
    let reader = template.open().unwrap();
    assert_eq!(seen(&reader), before);
}
