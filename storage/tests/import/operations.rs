//! Random sequences of operations against a plain model: import, correct, delete, forget, compact, rotate, collect.

use std::collections::{BTreeMap, BTreeSet};

use hyperseg_dsl::schema::Class;
use hyperseg_storage::dataset::{CompactOptions, Dataset, FileEntry, Keep, Shred};
use hyperseg_storage::import::import_population;
use hyperseg_storage::keyring::{KeyClass, Keyring};

use crate::support::{World, options};

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// What the dataset must say.
#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    /// Contact → city, name.
    contacts: BTreeMap<String, (String, String)>,
    /// Record id → contact, campaign. Records move from contact to contact, of whichever shard.
    records: BTreeMap<String, (String, String)>,
}

impl Model {
    fn said(&self) -> (Vec<String>, Vec<String>) {
        let people = self.contacts.iter().map(|(id, (city, name))| format!("{id} {city} {name}")).collect();
        let records = self.records.iter();
        let mut records: Vec<String> =
            records.map(|(id, (contact, campaign))| format!("{contact} {id} {campaign}")).collect();
        records.sort();
        (people, records)
    }
}

/// The same of a dataset.
fn said(rows: &BTreeMap<String, Vec<String>>) -> (Vec<String>, Vec<String>) {
    let cell = |row: &str, name: &str| {
        let (id, cells) = row.split_once(" | ").unwrap();
        let value = cells.split(' ').find_map(|cell| cell.strip_prefix(&format!("{name}=")));
        (id.to_owned(), value.unwrap_or("-").to_owned())
    };
    let none = Vec::new();
    let demographic = rows.get("contact demographic").unwrap_or(&none);
    let identity = rows.get("contact identity").unwrap_or(&none);
    assert_eq!(demographic.len(), identity.len());
    let people = demographic.iter().zip(identity).map(|(city, name)| {
        let ((id, city), (_, name)) = (cell(city, "city"), cell(name, "first_name"));
        format!("{id} {city} {name}")
    });
    let opens = rows.get("email_open behavioural").unwrap_or(&none);
    let mut opens: Vec<String> = opens
        .iter()
        .map(|row| format!("{} {} {}", cell(row, "x").0, cell(row, "record_id").1, cell(row, "campaign").1))
        .collect();
    opens.sort();
    (people.collect(), opens)
}

#[test]
fn sequences_of_operations_agree_with_a_plain_model() {
    let seeds = std::env::var("HYPERSEG_OPERATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    for seed in 0..seeds {
        run(seed);
    }
}

fn run(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    let mut world = World::new(1 + dice.below(5) as u32);
    let mut model = Model::default();
    // What each kept generation must say, before anybody was forgotten since.
    let mut past: BTreeMap<u64, Model> = BTreeMap::new();
    let mut forgotten: BTreeSet<String> = BTreeSet::new();
    for step in 0..14 {
        match dice.below(10) {
            0..=5 => import(&world, &mut model, &mut dice, step),
            6 => {
                let ids: Vec<String> = model.contacts.keys().cloned().collect();
                if !ids.is_empty() {
                    let id = ids[dice.below(ids.len())].clone();
                    let records = model.records.values().filter(|(contact, _)| *contact == id).count() as u64;
                    let told = world.dataset.forget(std::slice::from_ref(&id), None).unwrap();
                    assert_eq!((told.contacts, told.records), (1, records), "seed {seed}, step {step}");
                    model.contacts.remove(&id);
                    model.records.retain(|_, (contact, _)| *contact != id);
                    forgotten.insert(id);
                }
            }
            7 => {
                let worth_percent = [0, 20, 60][dice.below(3)];
                let options = CompactOptions {
                    worth_percent: worth_percent as u8,
                    rows_max: 0,
                    ..CompactOptions::default()
                };
                let done = world.dataset.compact(&options, None, &|_| {}).unwrap();
                assert!(done.rows_held <= 64, "{done:?}");
                let snapshot = world.dataset.snapshot().unwrap();
                assert!(snapshot.files().unwrap().into_iter().all(|file| is_done(file, worth_percent)));
            }
            8 => {
                let keyring = world.dataset.keyring().path().to_owned();
                let unlock = Keyring::default_unlock(&keyring);
                let classes = [KeyClass::Data(Class::Behavioural), KeyClass::Data(Class::Identity)];
                world.dataset.rotate_keys(&unlock, &classes, None).unwrap();
                let location = world.dataset.location().clone();
                let opened = Keyring::open(&keyring, &location, &unlock).unwrap();
                world.dataset = Dataset::open(&location, opened).unwrap();
            }
            _ => {
                let keep = Keep { newest: 1 + dice.below(3) as u64, since_micros: i64::MAX };
                world.dataset.collect(keep, false, None).unwrap();
            }
        }
        let snapshot = world.dataset.snapshot().unwrap();
        assert_eq!(snapshot.contacts() as usize, model.contacts.len(), "seed {seed}, step {step}");
        assert_eq!(snapshot.records("email_open") as usize, model.records.len(), "seed {seed}, step {step}");
        assert_eq!(said(&world.rows()), model.said(), "seed {seed}, step {step}");
        past.insert(snapshot.generation(), model.clone());
        let oldest = world.dataset.status(0).unwrap().oldest;
        past.retain(|generation, _| *generation >= oldest);
    }
    // Older generations say what they said, but for contacts that were forgotten since.
    for (generation, model) in &past {
        let there = world.dataset.at(*generation).unwrap().snapshot().unwrap().contacts() as usize;
        let people = said(&world.rows_at(*generation)).0;
        assert_eq!(there, people.len(), "seed {seed}, generation {generation}");
        let expected = model.said().0.into_iter();
        let name = |row: &String| row.split(' ').next().unwrap().to_owned();
        let (gone, kept): (Vec<String>, Vec<String>) =
            expected.partition(|row| forgotten.contains(&name(row)));
        assert!(kept.iter().all(|row| people.contains(row)), "seed {seed}, generation {generation}");
        // Who came back after being forgotten is somebody else: at least the first is not there.
        assert!(people.len() <= kept.len() + gone.len());
    }
    let proven = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert!(proven.is_sound(), "seed {seed}: {:?}", proven.defects);
}

/// A random import, told to the model too.
fn import(world: &World, model: &mut Model, dice: &mut Dice, step: usize) {
    let mut contacts = "contact_id,city,first_name\n".to_owned();
    for _ in 0..dice.below(6) {
        let (id, city, name) = (format!("c{}", dice.below(9)), dice.below(3), dice.below(3));
        contacts.push_str(&format!("{id},city{city},name{name}\n"));
        model.contacts.insert(id, (format!("city{city}"), format!("name{name}")));
    }
    let mut opens = "contact_id,record_id,source,at,campaign,deleted\n".to_owned();
    let known: Vec<String> = model.contacts.keys().cloned().collect();
    // Which contact a record is said to be of here: another one would be refused.
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..if known.is_empty() { 0 } else { dice.below(8) } {
        let contact = known[dice.below(known.len())].clone();
        let (record, campaign) = (format!("r{}", dice.below(6)), format!("k{}", dice.below(2)));
        if dice.below(4) == 0 {
            opens.push_str(&format!("{contact},{record},esp,,,true\n"));
            if model.records.get(&record).is_some_and(|(of, _)| *of == contact) {
                model.records.remove(&record);
                told.remove(&record);
            }
        } else if told.get(&record).is_none_or(|of| *of == contact) {
            opens.push_str(&format!("{contact},{record},esp,2025-01-01,{campaign},\n"));
            told.insert(record.clone(), contact.clone());
            model.records.insert(record, (contact, campaign));
        }
    }
    let files = [("contacts.csv", contacts.as_str()), ("email_open.csv", opens.as_str())];
    let folder = world.folder(&format!("step {step}"), &files);
    let report = import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!(report.total().rejected, 0);
    let again = import_population(&world.dataset, &folder, options()).unwrap();
    assert!(!again.changed, "the same files twice");
}

/// Whether compaction may leave a file as it is.
fn is_done(file: &FileEntry, worth_percent: u64) -> bool {
    let deleted = file.deleted_rows();
    (deleted == 0 || deleted * 100 < worth_percent * file.live_rows()) && (worth_percent > 0 || !file.overlay)
}

const CANARY: &str = "Ouagadougou-Ibex-9317";

#[test]
fn nothing_is_left_of_who_was_forgotten() {
    let mut world = World::new(4);
    let contacts = format!("contact_id,first_name,city\n{CANARY},{CANARY},Salem\nb,Bo,Boston\nc,Cy,Lynn\n");
    let opens =
        format!("contact_id,record_id,at,campaign\n{CANARY},r1,2025-01-01,{CANARY}\nb,r2,2025-01-01,x\n");
    let folder = world.folder("in", &[("contacts.csv", &contacts), ("email_open.csv", &opens)]);
    import_population(&world.dataset, &folder, options()).unwrap();
    let folder = world.folder("more", &[("contacts.csv", &contacts.replace("Salem", "Quincy"))]);
    import_population(&world.dataset, &folder, options()).unwrap();
    let before = world.generation();
    assert_eq!(world.history().len(), 1);

    let error = world.dataset.forget(&["b".to_owned(), "nobody".to_owned()], None).unwrap_err().to_string();
    assert!(error.contains("1 of the contacts") && !error.contains("nobody"), "{error}");
    assert_eq!(world.generation(), before, "all or none");
    let told = world.dataset.forget(&[CANARY.to_owned()], None).unwrap();
    assert_eq!((told.contacts, told.records, told.changes, told.generation), (1, 1, 1, before + 1));
    assert_eq!(world.dataset.snapshot().unwrap().contacts(), 2);
    assert!(world.dataset.forget(&[CANARY.to_owned()], None).is_err(), "there is nobody any more");
    assert!(world.history().is_empty());
    let entries = world.dataset.audit().unwrap().entries().unwrap();
    let of_forget: Vec<String> =
        entries.iter().filter(|entry| entry.action == "forget").map(|entry| entry.body.to_string()).collect();
    assert!(of_forget.len() >= 4 && of_forget.iter().all(|body| !body.contains(CANARY)), "{of_forget:?}");
    assert!(of_forget.iter().any(|body| body.contains("\"places\":[[0,0]]")), "{of_forget:?}");

    // The bytes: rewritten, collected, and what copies of the old files are sealed under destroyed.
    let keyring = world.dataset.keyring().path().to_owned();
    let unlock = Keyring::default_unlock(&keyring);
    let old: Vec<_> =
        world.dataset.snapshot().unwrap().files().unwrap().into_iter().map(|file| file.file_name()).collect();
    let done = world.dataset.compact(&CompactOptions::default(), Some(&unlock), &|_| {}).unwrap();
    for class in [Class::Identity, Class::Demographic, Class::Behavioural] {
        assert!(done.forgotten_in.contains(&class), "{done:?}");
    }
    assert!(done.rotation.is_some());
    let place = world.dataset.location().clone();
    let reopen = || Dataset::open(&place, Keyring::open(&keyring, &place, &unlock).unwrap()).unwrap();
    world.dataset = reopen();
    assert!(
        world.dataset.shred_keys(&unlock, KeyClass::Data(Class::Identity), Shred::RotatedOut, None).is_err()
    );
    world.dataset.collect(Keep { newest: 1, since_micros: i64::MAX }, false, None).unwrap();
    for class in &done.forgotten_in {
        world.dataset.shred_keys(&unlock, KeyClass::Data(*class), Shred::RotatedOut, None).unwrap();
        world.dataset = reopen();
    }
    let names = world.dataset.location().names("data").unwrap();
    let left = old.iter().filter(|old| names.iter().any(|name| old.ends_with(name))).count();
    assert_eq!(left, 0, "every file that had something of the contact is gone");
    let text = format!("{:?}{:?}", world.rows(), world.history());
    assert!(!text.contains(CANARY) && text.contains("Boston"), "{text}");
    for file in world.dataset.snapshot().unwrap().files().unwrap() {
        assert!(world.file(file).iter().all(|(_, row)| !format!("{row:?}").contains(CANARY)));
    }
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
    // Whoever comes with this id is a new contact.
    let folder = world.folder("again", &[("contacts.csv", &contacts)]);
    let report = import_population(&world.dataset, &folder, options()).unwrap();
    assert_eq!((report.total().stored, report.total().duplicate), (1, 2));
}
