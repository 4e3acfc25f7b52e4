//! Compaction: how much of it is in memory, what is worth it, and in which order the rows lie afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::{CompactOptions, Compaction, FileEntry, TableId};
use hyperseg_storage::import::import_population;

use crate::support::{World, everything, options};

const ROUNDS: usize = 18;
const CONTACTS: usize = 16;

fn import(world: &World, name: &str, files: &[(&str, &str)]) {
    let report = import_population(&world.dataset, &world.folder(name, files), options()).unwrap();
    assert_eq!(report.total().rejected, 0);
}

fn compact(world: &World, worth_percent: u8, rows_max: usize) -> Compaction {
    let options = CompactOptions { worth_percent, rows_max, ..CompactOptions::default() };
    world.dataset.compact(&options, None, &|_| {}).unwrap()
}

/// Contacts, and records of kinds that lie in every order there is, of one round.
fn round(number: usize, files: &mut BTreeMap<&'static str, String>) {
    let mut add = |file: &'static str, header: &str, row: String| {
        let text = files.entry(file).or_insert_with(|| format!("{header}\n"));
        writeln!(text, "{row}").unwrap();
    };
    // All contacts in two imports.
    let contacts = if number < 2 { ROUNDS * CONTACTS / 2 } else { 0 };
    for contact in number * contacts..(number + 1) * contacts {
        add("contacts.csv", "contact_id,city,first_name", format!("c{contact},city{},n", contact % 7));
    }
    for row in 0..3 * CONTACTS {
        let contact = (row * 31 + number) % (ROUNDS * CONTACTS / 2);
        let (day, hour) = (1 + (row * 7 + number) % 28, (row + number) % 24);
        // No two at the same moment: their order would be that of hashes, which every dataset has of its own.
        let at = format!("2025-03-{day:02}T{hour:02}:{number:02}:{row:02}Z");
        let id = format!("r{number}-{row}");
        let campaign = if row % 5 == 0 { String::new() } else { format!("k{}", row % 3) };
        add("email_open.csv", "contact_id,record_id,at,campaign", format!("c{contact},{id},{at},{campaign}"));
        let code = ["ICD10CM:E11.9", "ICD10CM:I10", "ICD10CM:F32.9", ""][row % 4];
        let status = ["active", "resolved", "entered_in_error"][row % 3];
        let row_of = format!("c{contact},{id},{at},{code},{status}");
        add("condition.csv", "contact_id,record_id,at,code,status", row_of);
        let (channel, decision) = (["email", "sms"][row % 2], ["grant", "deny"][(row / 2) % 2]);
        let row_of = format!("c{contact},{id},{at},{channel},{decision}");
        add("consent.csv", "contact_id,record_id,at,channel,decision", row_of);
    }
}

fn import_round(world: &World, name: &str, files: &BTreeMap<&'static str, String>) {
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    import(world, name, &files);
}

fn files(world: &World) -> Vec<FileEntry> {
    world.dataset.snapshot().unwrap().files().unwrap().into_iter().cloned().collect()
}

/// Rows of a file but for their hashes.
fn said(world: &World, file: &FileEntry) -> Vec<(u32, Vec<(String, String)>)> {
    let mut rows = world.file(file);
    rows.iter_mut().for_each(|(_, cells)| cells.retain(|(name, _)| !name.ends_with("_hash")));
    rows
}

#[test]
fn memory_does_not_grow_with_files_or_rows_and_rows_lie_as_one_import_puts_them() {
    let (parts, whole) = (World::new(100_000), World::new(100_000));
    let mut all = BTreeMap::new();
    for number in 0..ROUNDS {
        let mut files = BTreeMap::new();
        round(number, &mut files);
        import_round(&parts, &format!("round {number}"), &files);
        round(number, &mut all);
    }
    // What contacts said before, in files that do not lie in the order of the contacts.
    for text in ["contact_id,city\n", "contact_id,city,first_name\n"] {
        let name = if text.contains("name") { ",changed" } else { "" };
        let rows = (0..250).rev().map(|contact| format!("c{contact},moved{}{name}\n", text.len()));
        let text: String = text.to_owned() + &rows.collect::<String>();
        import(&parts, &format!("moves {}", text.len()), &[("contacts.csv", &text)]);
    }
    import_round(&whole, "all", &all);

    let (before, history) = (parts.rows(), parts.history());
    assert_eq!(history.len(), 250 * 3);
    let most = 200;
    let done = compact(&parts, 0, most);
    assert!(done.rows_held <= most as u64 && done.rows_held > most as u64 / 4, "{done:?}");
    assert!(files(&parts).iter().map(|file| file.rows).max().unwrap() > 4 * most as u64);
    assert_eq!((parts.rows(), parts.history()), (before, history));
    let of_units: Vec<_> =
        files(&parts).iter().map(|file| (file.table.clone(), file.class, file.shard)).collect();
    let mut distinct = of_units.clone();
    distinct.dedup();
    assert_eq!(of_units, distinct, "one file each");
    assert!(files(&parts).iter().all(|file| !file.overlay));
    assert!(done.files_after <= of_units.len() as u64 && done.files_before > 5 * done.files_after);
    for (one, other) in files(&parts).iter().zip(files(&whole)) {
        assert_eq!((&one.table, one.class, one.rows), (&other.table, other.class, other.rows));
        if matches!(one.table, TableId::Record(_)) {
            let same = said(&parts, one) == said(&whole, &other);
            assert!(same, "{} {}: another order", one.table, one.class);
            assert_eq!((one.at_min, one.at_max), (other.at_min, other.at_max));
        }
    }
    for file in files(&parts).iter().filter(|file| file.table == TableId::History) {
        let ordinals: Vec<u32> = parts.file(file).iter().map(|(ordinal, _)| *ordinal).collect();
        assert!(ordinals.is_sorted());
    }
    assert!(parts.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
    assert!(compact(&parts, 0, most).tables.is_empty(), "nothing is left to do");
}

fn opens(world: &World) -> Vec<(u64, u64)> {
    let all = files(world).into_iter().filter(|file| file.table == TableId::Record("email_open".to_owned()));
    let mut all: Vec<_> = all.map(|file| (file.live_rows(), file.deleted_rows())).collect();
    all.sort_unstable();
    all
}

#[test]
fn what_is_not_worth_it_stays_and_what_was_forgotten_never_does() {
    let world = World::new(1_000);
    let contacts: String = (0..100).map(|contact| format!("c{contact},Salem\n")).collect();
    let contacts = format!("contact_id,city\n{contacts}");
    let row = |row: usize, campaign: &str| format!("c{},r{row},2025-01-01,{campaign},\n", row % 100);
    const HEADER: &str = "contact_id,record_id,at,campaign,deleted\n";
    let first: String = (0..1_000).map(|number| row(number, "a")).collect();
    import(
        &world,
        "first",
        &[("contacts.csv", &contacts), ("email_open.csv", &(HEADER.to_owned() + &first))],
    );

    // One deleted row of a thousand.
    let delete = format!("{HEADER}c7,r7,,,true\n");
    import(&world, "delete", &[("email_open.csv", &delete)]);
    let expected = world.rows();
    let done = compact(&world, 20, 1 << 10);
    assert_eq!((done.tables.len(), done.rows_left, opens(&world)), (0, 1, vec![(999, 1)]), "{done:?}");

    // Small files become one beside the large one, until they are a fifth of it.
    for number in 0..3 {
        let rows: String = (0..10).map(|place| row(1_000 + 10 * number + place, "b")).collect();
        import(&world, &format!("small {number}"), &[("email_open.csv", &(HEADER.to_owned() + &rows))]);
    }
    let (before, done) = (world.rows(), compact(&world, 20, 1 << 10));
    assert_eq!((done.files_before, done.files_after), (3, 1));
    assert_eq!((opens(&world), done.rows_left), (vec![(30, 0), (999, 1)], 1));
    assert_eq!(world.rows(), before);
    let rows: String = (0..170).map(|place| row(place, "c")).collect();
    import(&world, "many", &[("email_open.csv", &(HEADER.to_owned() + &rows))]);
    let (before, done) = (world.rows(), compact(&world, 20, 1 << 10));
    assert_eq!((opens(&world), done.rows_dropped, done.rows_left), (vec![(1_030, 0)], 170, 0), "{done:?}");
    assert_eq!(world.rows(), before);

    // A contact that moves is not worth its shard; one that is forgotten is, in all that is said of it.
    import(&world, "moves", &[("contacts.csv", "contact_id,city\nc3,Lynn\n")]);
    assert!(compact(&world, 20, 1 << 10).tables.is_empty());
    assert!(files(&world).iter().any(|file| file.overlay));
    world.dataset.forget(&["c3".to_owned()], None).unwrap();
    let done = compact(&world, 100, 1 << 10);
    for class in [Class::Identity, Class::Demographic, Class::Behavioural] {
        assert!(done.forgotten_in.contains(&class), "{done:?}");
    }
    assert!(files(&world).iter().all(|file| !file.overlay && file.deleted_rows() == 0));
    assert!(world.history().is_empty());
    // Whoever comes later was not forgotten: his file is not worth more than another.
    import(&world, "new", &[("contacts.csv", "contact_id,city\nc3,Lynn\n")]);
    assert!(compact(&world, 20, 1 << 10).tables.is_empty());
    let done = world.dataset.compact(&everything(), None, &|_| {}).unwrap();
    assert_eq!((done.tables, done.forgotten_in), (vec!["contact".to_owned()], Vec::new()));
    assert_ne!(world.rows(), expected);
}
