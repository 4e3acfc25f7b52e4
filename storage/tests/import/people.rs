//! Contacts that change: the latest values are read wherever they lie, what was said before is kept.

use hyperseg_dsl::schema::Class;
use hyperseg_storage::Error;
use hyperseg_storage::audit::IntentBody;
use hyperseg_storage::dataset::TableId;
use hyperseg_storage::import::{ImportReport, import_population};
use hyperseg_storage::ingest::ImportOptions;
use hyperseg_storage::scope::KeyScope;

use crate::support::{World, all_counts, everything, options};

const FIRST: &str =
    "contact_id,email,birth_date,gender,income,city,location_lat,location_lon,spoken_languages
c1,one@example.test,1980-02-29,female,12.50,Boston,42.5,-71.25,en|es
c2,,1990-01-01,male,,Salem,,,
c3,three@example.test,,,,,,,
";

fn import(world: &World, name: &str, contacts: &str) -> ImportReport {
    import_population(&world.dataset, &world.folder(name, &[("contacts.csv", contacts)]), options()).unwrap()
}

fn changes(world: &World) -> Vec<String> {
    world.history().into_iter().map(|change| change.join(" ")).collect()
}

#[test]
fn what_is_said_anew_takes_the_place_of_what_was() {
    let world = World::new(2);
    import(&world, "first", FIRST);
    let (before, generation) = (world.rows(), world.generation());
    let second = FIRST
        .replace("Boston", "Lowell")
        .replace("12.50", "13")
        .replace(",en|es", ",en")
        .replace("1990-01-01,male", "1990-01-01,");
    let report = import(&world, "second", &second);
    assert_eq!(all_counts(&report, "contact"), [3, 0, 2, 1, 0, 0]);
    let rows = world.rows();
    let demographic = &rows["contact demographic"];
    assert!(
        demographic[0].starts_with("c1 |")
            && demographic[0].contains("city=Lowell")
            && demographic[0].contains("income=1300")
    );
    assert!(!demographic[1].contains("gender"), "an empty cell is a missing value: {}", demographic[1]);
    assert_eq!(demographic[2], before["contact demographic"][2]);
    assert_eq!(rows["contact identity"], before["contact identity"]);
    assert_eq!(world.rows_at(generation), before, "the generation before sees what it saw");
    assert_eq!(
        changes(&world),
        [
            "c1 city Boston Lowell",
            "c1 income 12.50 13.00",
            "c1 spoken_languages en|es en",
            "c2 gender male -",
        ]
    );
    // An overlay for the class that changed and for identity, nothing else.
    let snapshot = world.dataset.snapshot().unwrap();
    assert_eq!(snapshot.overlays(Class::Demographic, 0).unwrap().map(|file| file.rows).sum::<u64>(), 2);
    assert_eq!(snapshot.overlays(Class::Demographic, 1).unwrap().count(), 0);

    let again = import(&world, "second", &second);
    assert_eq!(all_counts(&again, "contact"), [3, 0, 0, 3, 0, 0]);
    assert_eq!((again.changed, again.generation), (false, report.generation));
    let back = import(&world, "first", FIRST);
    assert_eq!(all_counts(&back, "contact"), [3, 0, 2, 1, 0, 0]);
    assert_eq!(world.rows(), before);
    assert_eq!(changes(&world).len(), 8);
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn columns_that_a_file_does_not_have_stay_as_they_are() {
    let world = World::new(2);
    import(&world, "first", FIRST);
    let before = world.rows();
    let report = import(&world, "some", "contact_id,city\nc1,Boston\nc2,Quincy\nc4,Lynn\n");
    assert_eq!(all_counts(&report, "contact"), [3, 1, 1, 1, 0, 0]);
    let rows = world.rows();
    assert_eq!(rows["contact demographic"][0], before["contact demographic"][0]);
    assert_eq!(rows["contact demographic"][1], before["contact demographic"][1].replace("Salem", "Quincy"));
    assert_eq!(rows["contact demographic"][3], "c4 | city=Lynn");
    assert_eq!(changes(&world), ["c2 city Salem Quincy"]);
    let again = import(&world, "some", "contact_id,city\nc1,Boston\nc2,Quincy\nc4,Lynn\n");
    assert!(!again.changed);
}

#[test]
fn the_last_row_of_a_contact_counts() {
    let world = World::new(3);
    let rows = "contact_id,city\na,Boston\nb,Boston\na,Salem\na,Lynn\nb,Boston\n";
    let report = import(&world, "first", rows);
    assert_eq!(all_counts(&report, "contact"), [5, 2, 0, 3, 0, 0]);
    assert_eq!(world.rows()["contact demographic"], ["a | city=Lynn", "b | city=Boston"]);
    assert!(changes(&world).is_empty(), "nothing was stored that could have changed");
    let again = import(&world, "first", rows);
    assert_eq!(all_counts(&again, "contact"), [5, 0, 0, 5, 0, 0]);
    assert!(!again.changed);
}

#[test]
fn overlays_of_many_generations_are_read_latest_first() {
    let world = World::new(4);
    let mut expected = std::collections::BTreeMap::new();
    for round in 0..6_u32 {
        let mut text = "contact_id,city,first_name\n".to_owned();
        // A few new ones each time, and every second or third of the known ones anew.
        for contact in 0..3 + 2 * round {
            let is_known = contact < 1 + 2 * round;
            if is_known && contact % (2 + round % 2) != 0 {
                continue;
            }
            let (city, name) = (format!("city{}", (round + contact) % 3), format!("name{round}"));
            text.push_str(&format!("k{contact:02},{city},{name}\n"));
            expected.insert(format!("k{contact:02}"), (city, name));
        }
        let report = import(&world, &format!("round {round}"), &text);
        assert_eq!(report.total().rejected, 0);
        let rows = world.rows();
        let cities: Vec<String> =
            expected.iter().map(|(id, (city, _))| format!("{id} | city={city}")).collect();
        assert_eq!(rows["contact demographic"], cities, "round {round}");
        for (row, (id, (_, name))) in rows["contact identity"].iter().zip(&expected) {
            assert!(
                row.starts_with(&format!("{id} |")) && row.contains(&format!("first_name={name} ")),
                "{row}"
            );
        }
    }
    let (rows, history) = (world.rows(), world.history());
    let done = world.dataset.compact(&everything(), None, &|_| {}).unwrap();
    assert!(done.files_before > done.files_after && done.tables.contains(&"contact".to_owned()));
    assert_eq!((world.rows(), world.history()), (rows, history));
    let snapshot = world.dataset.snapshot().unwrap();
    assert!(snapshot.files().unwrap().into_iter().all(|file| !file.overlay));
    assert!(
        world.dataset.compact(&everything(), None, &|_| {}).unwrap().tables.is_empty(),
        "nothing is left to do"
    );
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn a_changed_overlay_is_told() {
    let world = World::new(4);
    import(&world, "first", FIRST);
    import(&world, "second", &FIRST.replace("Boston", "Lowell"));
    let snapshot = world.dataset.snapshot().unwrap();
    let overlays: Vec<_> = snapshot.files().unwrap().into_iter().filter(|file| file.overlay).collect();
    assert_eq!(overlays.len(), 2);
    for overlay in overlays {
        let path = world.dataset.location().path().unwrap().join(overlay.file_name());
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, &bytes).unwrap();
            let told = world.dataset.verify(None, None, &|_| {}).unwrap();
            assert_eq!(told.defects.len(), 1, "byte {at}: {:?}", told.defects);
            assert_eq!(told.defects[0].file, overlay.file_name());
        }
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn keys_of_overlays_are_those_of_the_columns_that_are_read() {
    let world = World::new(4);
    import(&world, "first", FIRST);
    import(&world, "second", &FIRST.replace("Boston", "Lowell"));
    let snapshot = world.dataset.snapshot().unwrap();
    let intent = world.dataset.audit().unwrap().intent(IntentBody::new("test")).unwrap();
    let base = snapshot.contact_files(Class::Demographic, 0).unwrap().next().unwrap();
    let overlay = snapshot.overlays(Class::Demographic, 0).unwrap().next().unwrap();
    let wants = vec![(base.id, vec!["city".to_owned()])];
    let scope = KeyScope::arm(&world.dataset, &snapshot, &intent, wants).unwrap();
    let mut unlocked: Vec<_> =
        scope.unlocked().into_iter().map(|column| (column.column, column.files)).collect();
    unlocked.iter_mut().for_each(|(_, files)| files.sort());
    let mut both = vec![base.id, overlay.id];
    both.sort();
    assert_eq!(unlocked, [("city".to_owned(), both), ("ord".to_owned(), vec![overlay.id])]);
    let mut cities = Vec::new();
    for batch in scope.read(&world.dataset, base, &["city"], None).unwrap() {
        let batch = batch.unwrap();
        let texts = arrow::array::AsArray::as_string::<i32>(batch.column(0)).clone();
        cities.extend(texts.iter().map(|city| city.unwrap_or("-").to_owned()));
    }
    assert_eq!(cities, ["Lowell", "Salem", "-"]);
    // Some rows only, and only those of the overlay that are among them.
    for (rows, expected) in
        [(0..1, vec!["Lowell"]), (1..3, vec!["Salem", "-"]), (0..3, vec!["Lowell", "Salem", "-"])]
    {
        let mut found = Vec::new();
        for batch in scope.read(&world.dataset, base, &["city"], Some(vec![rows])).unwrap() {
            let batch = batch.unwrap();
            let texts = arrow::array::AsArray::as_string::<i32>(batch.column(0)).clone();
            found.extend(texts.iter().map(|city| city.unwrap_or("-").to_owned()));
        }
        assert_eq!(found, expected);
    }
    assert!(scope.refused().is_empty());
    intent.complete(serde_json::Value::Null).unwrap();
}

/// Between which times the changes lie that the dataset keeps, file by file, in microseconds.
fn times(world: &World) -> Vec<(i64, i64)> {
    let snapshot = world.dataset.snapshot().unwrap();
    let files = snapshot.files().unwrap().into_iter().filter(|entry| entry.table == TableId::History);
    files.map(|entry| (entry.at_min.unwrap() / 4, entry.at_max.unwrap() / 4)).collect()
}

#[test]
fn files_say_of_when_they_are_and_times_never_go_back() {
    let world = World::new(1 << 10);
    let of = |name: &str, city: &str, now_micros: i64, changed_at_micros: Option<i64>| {
        let folder = world.folder(name, &[("contacts.csv", &format!("contact_id,city\nc1,{city}\n"))]);
        let options = ImportOptions { changed_at_micros, ..ImportOptions::new(now_micros) };
        import_population(&world.dataset, &folder, options)
    };
    of("a", "Boston", 9_000, Some(1_000)).unwrap();
    assert_eq!(times(&world), [], "the first import changes nothing");
    of("b", "Salem", 9_000, Some(2_000)).unwrap();
    of("c", "Lowell", 9_000, Some(2_000)).unwrap();
    assert_eq!(times(&world), [(2_000, 2_000), (2_000, 2_000)], "two files of one time, in their order");
    let refused = |name: &str, at| match of(name, "Lynn", 9_000, Some(at)).unwrap_err() {
        Error::Import(error) => error.to_string(),
        other => panic!("{other}"),
    };
    assert!(refused("d", 1_999).contains("in the order of their times"));
    assert!(refused("e", 9_001).contains("lies ahead"));
    assert_eq!(world.dataset.snapshot().unwrap().changed_micros_max(), Some(2_000));
    // Now without saying when; then with a clock that has been put back.
    of("f", "Lynn", 9_000, None).unwrap();
    of("g", "Salem", 5_000, None).unwrap();
    assert_eq!(times(&world), [(2_000, 2_000), (2_000, 2_000), (9_000, 9_000), (9_000, 9_000)]);
    world.dataset.compact(&everything(), None, &|_| {}).unwrap();
    assert_eq!(times(&world), [(2_000, 9_000)]);
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = snapshot.history_files(Class::Demographic, 0).unwrap().next().unwrap();
    let said = |row: &[(String, String)]| row.iter().find(|(name, _)| name == "new").unwrap().1.clone();
    let order: Vec<String> = world.file(entry).iter().map(|(_, row)| said(row)).collect();
    assert_eq!(order, ["Salem", "Lowell", "Lynn", "Salem"], "in the order of the imports");
}
