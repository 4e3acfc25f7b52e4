//! Fields and categories that are added to a dataset that has rows: nothing is written anew, and old rows lack them.

use hyperseg_dsl::schema::{Class, FieldType, NewCategories, NewField, NewRecordField, SchemaAdditions};
use hyperseg_storage::ErrorKind;
use hyperseg_storage::audit::EntryKind;
use hyperseg_storage::dataset::TableId;
use hyperseg_storage::import::import_population;

use crate::support::{World, everything, options};

fn additions() -> SchemaAdditions {
    let categories = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let contact = |name: &str, ty, class, names: &[&str]| NewField {
        name: name.to_owned(),
        ty,
        class,
        categories: categories(names),
    };
    let record = |name: &str, ty, names: &[&str]| NewRecordField {
        kind: "appointment".to_owned(),
        name: name.to_owned(),
        ty,
        categories: categories(names),
    };
    use Class::{Demographic, DemographicSensitive, Identity, Journey};
    SchemaAdditions {
        contact: vec![
            contact("nickname", FieldType::Text, Identity, &[]),
            contact("loyalty", FieldType::Category, Demographic, &["basic", "gold"]),
            contact("interests", FieldType::Categories, Demographic, &["golf", "chess"]),
            contact("pets", FieldType::Int, Demographic, &[]),
            contact("savings", FieldType::Money, DemographicSensitive, &[]),
            contact("veteran", FieldType::Bool, Demographic, &[]),
            contact("joined_on", FieldType::Date, Journey, &[]),
            contact("score", FieldType::Number, Journey, &[]),
        ],
        record: vec![
            record("room", FieldType::Text, &[]),
            record("floor", FieldType::Int, &[]),
            record("arrived_at", FieldType::Time, &[]),
            record("mood", FieldType::Category, &["good", "bad"]),
        ],
        categories: vec![NewCategories {
            field: "appointment.specialty".to_owned(),
            add: categories(&["podiatry"]),
        }],
    }
}

const OLD_CONTACTS: &str = "contact_id,first_name,city,risk_score\na,Ann,Boston,0.5\nb,Bo,Salem,\n";
const OLD_VISITS: &str =
    "contact_id,record_id,at,specialty,status\na,r1,2025-01-01,dental,kept\nb,r2,2025-02-01,,booked\n";
const CONTACTS: &str = "contact_id,first_name,city,risk_score,nickname,loyalty,interests,pets,savings,veteran,joined_on,score\n\
    b,Bo,Salem,,Bobo,gold,golf|chess,2,12.50,true,2024-05-06,0.25\n\
    c,Cy,Lynn,0.1,,basic,,,,false,,\n";
const VISITS: &str = "contact_id,record_id,at,specialty,status,room,floor,arrived_at,mood\n\
    b,r2,2025-02-01,,kept,12a,1,2025-02-01T09:00:00Z,bad\n\
    c,r3,2025-03-01,podiatry,kept,,2,,good\n";

#[test]
fn fields_and_categories_are_added_without_rewriting() {
    let world = World::new(2);
    let import = |name: &str, contacts: &str, visits: &str| {
        let files = [("contacts.csv", contacts), ("appointment.csv", visits)];
        import_population(&world.dataset, &world.folder(name, &files), options()).unwrap()
    };
    import("old", OLD_CONTACTS, OLD_VISITS);
    let before = world.dataset.snapshot().unwrap();
    let rows_before = world.rows();
    let names = |snapshot: &hyperseg_storage::Snapshot| {
        snapshot.files().unwrap().into_iter().map(|file| file.file_name()).collect::<Vec<_>>()
    };

    let made = world.dataset.extend_schema(&additions(), None).unwrap();
    assert_eq!((made.changed, made.generation), (true, before.generation() + 1));
    let snapshot = world.dataset.snapshot().unwrap();
    assert_eq!(names(&snapshot), names(&before), "no file was written");
    assert!(snapshot.schema().contact_field("loyalty").is_some());
    let again = world.dataset.extend_schema(&additions(), None).unwrap();
    assert_eq!((again.changed, again.generation), (false, made.generation));
    let entries = world.dataset.audit().unwrap().entries().unwrap();
    let told: Vec<_> = entries.iter().filter(|entry| entry.action == "fields add").collect();
    assert_eq!((told[0].kind, told[1].kind), (EntryKind::Intent, EntryKind::Complete));

    // Old rows read as before, and the same files again change nothing.
    let mut expected = rows_before.clone();
    expected
        .get_mut("contact identity")
        .unwrap()
        .iter_mut()
        .for_each(|row| row.push_str(" has_nickname=false"));
    assert_eq!(world.rows(), expected);
    assert!(!import("again", OLD_CONTACTS, OLD_VISITS).changed);

    let report = import("new", CONTACTS, VISITS);
    assert_eq!(report.total().rejected, 0, "{report:?}");
    let rows = world.rows();
    let line = |table: &str, id: &str| {
        let found = rows[table].iter().find(|row| row.starts_with(id));
        found.unwrap_or_else(|| panic!("{table} {id}: {rows:?}")).clone()
    };
    let check = |rows: &std::collections::BTreeMap<String, Vec<String>>| {
        let line =
            |table: &str, id: &str| rows[table].iter().find(|row| row.starts_with(id)).unwrap().clone();
        for (table, words) in [
            ("contact identity", &["nickname=Bobo"][..]),
            ("contact demographic", &["loyalty=1", "pets=2", "veteran=true", "interests=[0, 1]"]),
            ("contact demographic.sensitive", &["savings=1250"]),
            ("contact journey", &["score=0.25", "joined_on="]),
            ("appointment journey", &["room=12a", "floor=1", "mood=1", "arrived_at="]),
        ] {
            let row = line(table, "b");
            assert!(words.iter().all(|word| row.contains(word)), "{table}: {row}");
            let row = line(table, "a");
            let lacks = |word: &&str| !row.contains(&format!(" {}=", word.split('=').next().unwrap()));
            assert!(words.iter().all(lacks), "{table}: {row}");
        }
    };
    check(&rows);
    assert!(line("contact identity", "a").contains("has_nickname=false"), "{:?}", rows["contact identity"]);
    assert!(line("contact identity", "b").contains("has_nickname=true"));
    assert!(!import("new again", CONTACTS, VISITS).changed);
    let changed: Vec<String> = world
        .history()
        .into_iter()
        .filter(|change| change[0] == "b")
        .map(|change| change[1].clone())
        .collect();
    for field in ["nickname", "loyalty", "pets", "savings", "veteran", "joined_on", "score", "interests"] {
        assert!(changed.iter().any(|name| name == field), "{field}: {changed:?}");
    }

    // Compaction gives every file all columns; older generations are what they were.
    world.dataset.compact(&everything(), None, &|_| {}).unwrap();
    assert_eq!(world.rows(), rows);
    check(&world.rows());
    assert_eq!(world.rows_at(before.generation()), rows_before);
    let journey = TableId::Record("appointment".to_owned());
    let compacted = world.dataset.snapshot().unwrap();
    let merged = compacted.files().unwrap().into_iter().filter(|file| file.table == journey);
    let has_room =
        |file: &hyperseg_storage::FileEntry| file.columns.iter().any(|column| column.name == "room");
    assert!(merged.clone().count() > 0 && merged.clone().all(has_room), "files lack what was added");
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
    assert!(world.dataset.verify(Some(before.generation()), None, &|_| {}).unwrap().is_sound());
}

#[test]
fn what_cannot_be_added_changes_nothing() {
    let world = World::new(2);
    let before = world.generation();
    let mut wrong = additions();
    wrong.contact.push(NewField {
        name: "email".to_owned(),
        ty: FieldType::Int,
        class: Class::Identity,
        categories: Vec::new(),
    });
    let error = world.dataset.extend_schema(&wrong, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("`email`"), "{error}");
    assert_eq!(world.generation(), before);
    assert!(world.dataset.snapshot().unwrap().schema().contact_field("loyalty").is_none(), "all or none");
}
