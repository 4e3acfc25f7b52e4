//! Shards make no difference: the same rows become the same records, with the same counts, whether all contacts are of one
//! shard or each is of its own.

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt32Type;
use hyperseg_dsl::value::{Value, When};

use super::*;
use crate::audit::IntentBody;
use crate::dataset::{InitOptions, TableId};
use crate::rows::Builder;
use crate::scope::KeyScope;

const CONTACTS: u32 = 4;

struct World {
    _dir: tempfile::TempDir,
    dataset: Dataset,
    shard_contacts: u32,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    contact: u32,
    source: Option<&'static str>,
    id: Option<&'static str>,
    campaign: &'static str,
    deletes: bool,
}

impl World {
    fn new(shard_contacts: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = InitOptions { shard_contacts, ..InitOptions::default() };
        let keyring = dir.path().join("keys").join("ring");
        let (dataset, _) = Dataset::init(dir.path().join("data"), &keyring, options).unwrap();
        Self { _dir: dir, dataset, shard_contacts }
    }

    fn import(&self, rows: &[Row], bits: u32, budget: u64) -> ImportReport {
        let intent = self.dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
        let options = ImportOptions { max_rejects: 100, memory_budget: budget, ..ImportOptions::new(0) };
        let mut ingest = Ingest::begin(&self.dataset, intent, options).unwrap();
        ingest.hasher = ingest.hasher.weakened(bits);
        let schema = ingest.schema().clone();
        let text = |text: &str| Value::Text(text.to_owned());
        let mut contacts = Builder::contacts(&schema);
        for contact in 0..CONTACTS {
            contacts.row(&[("contact_id", text(&format!("c{contact}")))]).unwrap();
        }
        ingest.contacts(contacts.finish()).unwrap();
        for part in rows.chunks(3) {
            let mut opens = Builder::records(&schema, schema.record("email_open").unwrap());
            for row in part {
                let mut cells = vec![
                    ("contact_id", text(&format!("c{}", row.contact))),
                    ("at", Value::Time(When::Instant(5))),
                    ("campaign", text(row.campaign)),
                ];
                cells.extend(row.source.map(|source| ("source", text(source))));
                cells.extend(row.id.map(|id| ("record_id", text(id))));
                cells.extend(row.deletes.then_some(("deleted", Value::Bool(true))));
                opens.row(&cells).unwrap();
            }
            ingest.records("email_open", opens.finish()).unwrap();
        }
        ingest.finish().unwrap()
    }

    /// Contact, source, record id and campaign of what is stored.
    fn stored(&self) -> Vec<(u32, [String; 3])> {
        let snapshot = self.dataset.snapshot().unwrap();
        let intent = self.dataset.audit().unwrap().intent(IntentBody::new("test")).unwrap();
        let table = TableId::Record("email_open".to_owned());
        let mut rows = Vec::new();
        let columns = ["ord", "source", "record_id", "campaign"];
        for entry in snapshot.files().unwrap().into_iter().filter(|entry| entry.table == table) {
            let wanted = columns.iter().map(|name| (*name).to_owned()).collect();
            let scope = KeyScope::arm(&self.dataset, &snapshot, &intent, vec![(entry.id, wanted)]).unwrap();
            for batch in scope.read(&self.dataset, entry, &columns, None).unwrap() {
                let batch = batch.unwrap();
                let ordinals = batch.column_by_name("ord").unwrap().as_primitive::<UInt32Type>();
                for row in 0..batch.num_rows() {
                    let text = |name: &str| {
                        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
                        if column.is_valid(row) { column.value(row).to_owned() } else { "-".to_owned() }
                    };
                    let contact = entry.shard * self.shard_contacts + ordinals.value(row);
                    rows.push((contact, ["source", "record_id", "campaign"].map(text)));
                }
            }
        }
        intent.complete(serde_json::Value::Null).unwrap();
        rows.sort();
        rows
    }
}

struct Dice(u64);

impl Dice {
    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        values[(self.0 >> 33) as usize % values.len()]
    }

    fn row(&mut self) -> Row {
        Row {
            contact: self.of(&[0, 1, 2, 3]),
            source: self.of(&[None, Some("esp")]),
            id: self.of(&[None, Some("r1"), Some("r1"), Some("r2"), Some("r2")]),
            campaign: self.of(&["spring", "autumn"]),
            deletes: self.of(&[true, false, false]),
        }
    }
}

#[test]
fn shards_make_no_difference() {
    let seeds = std::env::var("HYPERSEG_OPERATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let (mut moved, mut refused) = (0, 0);
    for seed in 0..seeds {
        let mut dice = Dice(seed + 1);
        let bits = dice.of(&[40, 0, 1]);
        let (one, each) = (World::new(1 << 18), World::new(1));
        for step in 0..12 {
            let rows: Vec<Row> = (0..dice.of(&[1, 1, 2, 4, 7])).map(|_| dice.row()).collect();
            let budget = dice.of(&[0, MEMORY_BUDGET]);
            let expected = one.import(&rows, bits, MEMORY_BUDGET);
            let before = each.stored();
            let told = each.import(&rows, bits, budget);
            let table = expected.table("email_open").unwrap();
            assert_eq!(
                told.table("email_open"),
                Some(table),
                "seed {seed}, bits {bits}, step {step}: {rows:?}, {before:?}"
            );
            assert_eq!(each.stored(), one.stored(), "seed {seed}, step {step}: {rows:?}");
            assert_eq!(told.changed, expected.changed, "seed {seed}, step {step}: {rows:?}");
            let snapshot = each.dataset.snapshot().unwrap();
            assert_eq!(snapshot.records("email_open"), each.stored().len() as u64);
            (moved, refused) = (moved + table.updated, refused + table.rejected);
        }
        assert!(each.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
    }
    assert!(moved > 10 && refused > 10, "{moved} {refused}");
}
