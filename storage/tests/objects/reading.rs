//! How often a store is asked.

use std::sync::Arc;

use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::{ShardInfo, TableId};
use hyperseg_storage::scope::KeyScope;

use crate::disk::{Faulty, Mode};
use crate::world::{World, intent, rows_of};

const ROWS: usize = 120_000;

/// A file of a hundred pages in several columns is read in a few requests, and every row comes out.
#[test]
fn a_file_is_read_in_large_pieces() {
    let world = World::new();
    let dataset = world.open().unwrap();
    let import = intent(&dataset, "import").unwrap();
    let transaction = dataset.begin().unwrap();
    transaction.set_shards(vec![ShardInfo { contacts: ROWS as u32 }]);
    let table = TableId::Record("sms_sent".to_owned());
    transaction.write_file(table.clone(), Class::Behavioural, 0, &[rows_of(ROWS)], ROWS / 2).unwrap();
    let snapshot = transaction.commit(&import).unwrap();
    import.complete(serde_json::json!({})).unwrap();
    let entry = snapshot.files().unwrap().into_iter().find(|file| file.rows == ROWS as u64).unwrap();
    drop(dataset);

    let counting = Arc::new(Faulty::new(u64::MAX, Mode::OnceBefore));
    let dataset = world.open_on(Arc::clone(&counting));
    let run = intent(&dataset, "count").unwrap();
    let names = ["ord", "at", "record_id"];
    let wants = |names: &[&str]| vec![(entry.id, names.iter().map(|name| (*name).to_owned()).collect())];
    let scope = KeyScope::arm(&dataset, &dataset.snapshot().unwrap(), &run, wants(&names)).unwrap();
    let before = counting.count();
    let open = scope.open(&dataset, entry).unwrap();
    // Where it is, its beginning and its end.
    assert_eq!(counting.count() - before, 3, "requests to open a file");
    let before = counting.count();
    let mut batches = open.read(&names, None).unwrap();
    let mut rows = 0;
    for batch in &mut batches {
        rows += batch.unwrap().num_rows();
    }
    let requests = counting.count() - before;
    assert_eq!(rows, ROWS);
    assert!(batches.pages() > 40, "{} pages", batches.pages());
    assert!(requests <= 10, "{requests} requests for {} pages", batches.pages());

    // Another query finds where it is and its ends in memory, and reads the same rows.
    let scope = KeyScope::arm(&dataset, &dataset.snapshot().unwrap(), &run, wants(&names)).unwrap();
    let before = counting.count();
    let again = scope.open(&dataset, entry).unwrap();
    assert_eq!(counting.count() - before, 0, "requests to open it again");
    let batches = again.read(&names, None).unwrap();
    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), ROWS);
    assert!(counting.count() - before <= requests, "{} requests", counting.count() - before);
    // So does one that asks for another column.
    let scope = KeyScope::arm(&dataset, &dataset.snapshot().unwrap(), &run, wants(&["status"])).unwrap();
    let before = counting.count();
    scope.open(&dataset, entry).unwrap();
    assert_eq!(counting.count() - before, 0, "requests for another column");

    // A few rows in the middle: their pages, not the file.
    let before = counting.count();
    let some = [100_000..100_010, 110_000..110_001];
    let batches = open.read(&names, Some(&some)).unwrap();
    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 11);
    assert!(counting.count() - before <= 6, "{} requests", counting.count() - before);
    run.complete(serde_json::json!({})).unwrap();
}
