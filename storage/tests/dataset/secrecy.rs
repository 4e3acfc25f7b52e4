//! Nothing planted comes out: not in any byte of the dataset, not in what is printed.

use std::fs;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::TableId;
use hyperseg_storage::scope::KeyScope;

use crate::world::{CANARY, World, files_below, of_table, record};

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn planted_values_are_nowhere_on_disk_or_in_print() {
    let world = World::filled();
    let snapshot = world.add(100);
    // column names and schema are sealed as well
    let needles = [CANARY, "Zanzibar", "email_open", "birth_date", "first_name", "contact_id"];
    let mut files = 0;
    for path in files_below(&world.dir) {
        let bytes = fs::read(&path).unwrap();
        for needle in needles {
            assert!(!holds(&bytes, needle.as_bytes()), "{needle} in {}", path.display());
        }
        files += 1;
    }
    assert!(files > 8, "there was something to search");

    let intent = world.intent("count");
    let entry = of_table(&snapshot, &TableId::Contact, Class::Identity);
    let wants = vec![(entry.id, vec!["email".to_owned()])];
    let scope = KeyScope::arm(&world.dataset, &snapshot, &intent, wants).unwrap();
    let rows = scope.read(&world.dataset, entry, &["email"], None).unwrap();
    let file = world.dataset.open_file(entry).unwrap();
    let transaction = world.dataset.begin().unwrap();
    transaction
        .write_file(record("email_open"), Class::Behavioural, 0, &[crate::world::records("email_open", 5)], 5)
        .unwrap();
    let printed = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        world.dataset,
        snapshot,
        entry,
        scope,
        rows,
        file,
        transaction,
        snapshot.files().unwrap()
    );
    assert!(!printed.contains("Zanzibar"), "{printed}");

    let error = scope.read(&world.dataset, entry, &["phone"], None).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("Zanzibar"));
}

#[test]
fn only_the_owner_may_read_what_is_written() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::filled();
    for path in files_below(&world.dir) {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    for name in ["", "data", "snapshots", "audit"] {
        let mode = fs::metadata(world.dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}
