//! Whoever holds a principal's slot asks, lists, corrects, forgets, compacts and proves what was granted, as the owner
//! does, and of everything else is told which class was not granted, and nothing more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::{Ran, World};
use serde_json::Value;

/// A name that only a correction brought, of contacts that it moved to this city.
const NAME: &str = "Quokkason";
const CITY: &str = "Zanzibar-upon-Charles";
const MOVED: u64 = 40;

/// A dataset with corrections, and a slot for `crm` that opens some classes.
struct Desk {
    world: World,
    key: String,
}

impl Desk {
    fn new(classes: &[&str]) -> Self {
        let world = World::filled();
        std::fs::create_dir(world.path("more")).unwrap();
        let rows = (1..=MOVED).map(|number| format!("P{number:08},{CITY},{NAME}\n"));
        let rows: String = rows.collect();
        world.write("more/contacts.csv", &format!("contact_id,city,last_name\n{rows}"));
        let import = ["import", "population", "more", "-d", "data", "--changed-at", "2025-12-20"];
        world.run(&import).expect(0);
        let mut desk = Self { world, key: String::new() };
        desk.key = desk.add(classes, "crm");
        desk
    }

    /// Adds the slot, with a key file of its own.
    fn add(&self, classes: &[&str], name: &str) -> String {
        let key = self.world.path(&format!("keys.d/{name}.key")).to_str().unwrap().to_owned();
        let mut add = vec!["keys", "add-slot", "--principal", "crm", "--new-key-file", &key];
        classes.iter().for_each(|class| add.extend(["--class", class]));
        self.owner(&add).expect(0);
        key
    }

    /// As the owner.
    fn owner(&self, args: &[&str]) -> Ran {
        self.world.ask(args)
    }

    /// With the slot's key.
    fn crm(&self, args: &[&str]) -> Ran {
        self.world.ask(&[args, &["--key-file", &self.key]].concat())
    }

    /// Asks for a segment with these criteria, or a whole file.
    fn file(&self, text: &str) {
        self.world.write("s.seg", text);
    }

    /// The slot is told that a class was not granted, and nothing of what is stored: no name, city or number.
    #[track_caller]
    fn refused(&self, args: &[&str], class: &str) {
        let words = format!("`{class}` was not granted to crm");
        let ran = self.crm(args);
        assert!(!ran.err.contains(NAME) && !ran.err.contains(CITY), "{}", ran.err);
        ran.refused(4, &[&words]);
    }

    fn matched(ran: Ran) -> u64 {
        json(&ran.expect(0).out)["matched"].as_u64().unwrap()
    }

    /// The same number as the owner's.
    #[track_caller]
    fn agrees(&self, criterion: &str) -> u64 {
        self.file(&format!("segment s where {criterion}\n"));
        let count = ["count", "s.seg", "--format", "json"];
        let (own, crm) = (Self::matched(self.owner(&count)), Self::matched(self.crm(&count)));
        assert_eq!(own, crm, "{criterion}");
        crm
    }

    /// Everything that is stored, but log and locks.
    fn stored(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let of = |directory| self.world.files(directory).into_iter();
        let files = of("data/data").chain(of("data/snapshots")).chain(of("data/sealed"));
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }

    /// Entries of the log.
    fn log(&self) -> Vec<Value> {
        let ran = self.owner(&["audit", "log", "--format", "json"]).expect(0);
        json(&ran.out).as_array().unwrap().clone()
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn history_and_corrections_of_granted_fields_are_seen_and_of_no_others() {
    let desk = Desk::new(&["demographic", "consent"]);
    for (criterion, matched) in [
        // A correction lies in an overlay, what was said before in a history.
        (format!("city = \"{CITY}\""), MOVED),
        (format!("city changed to \"{CITY}\" on 2025-12-20"), MOVED),
        (format!("city was \"{CITY}\" before 2025-12-01"), 0),
    ] {
        assert_eq!(desk.agrees(&criterion), matched, "{criterion}");
    }
    assert!(desk.agrees("city was \"Boston\" before 2025-12-01") > desk.agrees("city = \"Boston\""));
    for criterion in [
        format!("last_name = \"{NAME}\""),
        format!("last_name changed to \"{NAME}\" on 2025-12-20"),
        "last_name changed in last 30 days".to_owned(),
        format!("last_name was \"{NAME}\" before 2025-12-01"),
        // One branch would do to be sure; it is not looked at all the same.
        format!("city = \"{CITY}\" or last_name = \"{NAME}\""),
    ] {
        desk.file(&format!("segment s where {criterion}\n"));
        desk.refused(&["count", "s.seg"], "identity");
    }
    desk.refused(&["funnel", "s.seg"], "identity");
    desk.refused(&["plan", "--analyze", "s.seg"], "identity");
    // Who a contact is, is identity: nobody without it is told whether there is one of that id.
    desk.file(&format!("segment s where city = \"{CITY}\"\n"));
    desk.refused(&["why", "s.seg", "--contact", "P00000001"], "identity");
    desk.refused(&["why", "s.seg", "--contact", "nobody"], "identity");
    // What was refused is on the record, as refused.
    let log = desk.log();
    let of_crm: Vec<&Value> =
        log.iter().filter(|entry| entry["auth"].as_str().unwrap().starts_with("slot of crm")).collect();
    let aborted = of_crm.iter().filter(|entry| entry["kind"] == "aborted").count();
    assert!(aborted >= 9, "{aborted}");
    let intents = of_crm.iter().filter(|entry| entry["kind"] == "intent").count();
    assert_eq!(of_crm.len(), 2 * intents);
}

const LISTS: &str = "\
segment first purpose treatment channel push where age >= 60
segment second purpose treatment channel push where has condition(code under ICD10CM:\"E11\")
portfolio both = first > second
";

#[test]
fn a_portfolio_is_released_when_all_of_it_is_granted_and_not_at_all_else() {
    let desk = Desk::new(&["identity", "demographic", "consent"]);
    desk.file(LISTS);
    let stored = desk.stored();
    for command in [
        &["count", "s.seg:both"][..],
        &["funnel", "s.seg:both"],
        &["plan", "--analyze", "s.seg:both"],
        &["why", "s.seg:both", "--contact", "P00000001"],
        &["run", "s.seg:both", "--dry-run"],
        &["run", "s.seg:both", "--out", "lists"],
        &["run", "s.seg:second", "--out", "second.csv"],
    ] {
        desk.refused(command, "clinical");
    }
    assert!(!desk.world.path("lists").exists() && !desk.world.path("second.csv").exists());
    assert!(
        desk.world.files("data/audit/lists").is_empty(),
        "the list of the first segment is not kept, either"
    );
    assert!(desk.log().iter().all(|entry| entry["kind"] != "release"));
    assert_eq!(desk.stored(), stored);
    // What is granted is released, the same list as to the owner.
    desk.crm(&["run", "s.seg:first", "--out", "crm.csv"]).expect(0);
    desk.owner(&["run", "s.seg:first", "--out", "own.csv"]).expect(0);
    assert_eq!(desk.world.read("crm.csv"), desk.world.read("own.csv"));
    assert!(desk.world.read("crm.csv").lines().count() > 10);
    let releases: Vec<String> =
        desk.log().iter().filter(|it| it["kind"] == "release").map(|it| it["auth"].to_string()).collect();
    assert!(releases[0].starts_with("\"slot of crm") && releases[1].starts_with("\"owner"), "{releases:?}");

    let desk = Desk::new(&["identity", "demographic", "consent", "clinical"]);
    desk.file(LISTS);
    desk.crm(&["run", "s.seg:both", "--out", "crm"]).expect(0);
    desk.owner(&["run", "s.seg:both", "--out", "own"]).expect(0);
    for list in ["first.csv", "second.csv"] {
        assert_eq!(desk.world.read(&format!("crm/{list}")), desk.world.read(&format!("own/{list}")));
    }
}

#[test]
fn upkeep_is_done_for_what_is_granted_and_changes_nothing_else() {
    let desk = Desk::new(&["demographic", "consent"]);
    let stored = desk.stored();
    desk.refused(&["forget", "--contact", "P00000001", "--yes"], "identity");
    desk.refused(&["forget", "--contact", "nobody", "--yes"], "identity");
    // Whatever is written is found again by keyed hashes of it, which are a class of their own.
    desk.refused(&["import", "population", "more"], "row_hash");
    desk.refused(&["compact", "--all"], "row_hash");
    assert_eq!(desk.stored(), stored, "nothing was written");
    let proven = desk.crm(&["verify"]).expect(0);
    for class in ["identity", "clinical", "behavioural"] {
        assert!(proven.out.contains(&format!("closed     {class}: ")), "{class}:\n{}", proven.out);
    }
    for class in ["demographic", "consent"] {
        assert!(!proven.out.contains(&format!("closed     {class}: ")), "{class}:\n{}", proven.out);
    }
    assert!(!proven.out.contains(NAME) && !proven.out.contains(CITY));
    // A file that nobody opens is proven by its digest all the same.
    let files: Vec<&PathBuf> =
        stored.keys().filter(|path| path.extension().is_some_and(|it| it == "parquet")).collect();
    for path in files.iter().step_by(5) {
        let mut bad = stored[*path].clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(path, bad).unwrap();
        assert!(desk.crm(&["verify"]).expect(5).out.contains("1 × digest\n"));
        std::fs::write(path, &stored[*path]).unwrap();
    }
    desk.crm(&["audit", "verify"]).expect(0);
    desk.crm(&["status"]).expect(0);
    for change in [
        &["keys", "rotate", "demographic"][..],
        &["keys", "rotate", "--root"],
        &["keys", "shred", "demographic", "--yes"],
        &["keys", "remove-slot", "crm"],
    ] {
        desk.crm(change).refused(4, &["only the owner"]);
    }
    assert_eq!(desk.stored(), stored);
}

#[test]
fn with_every_class_a_principal_forgets_and_compacts_and_rotates_no_key() {
    let classes = [
        "identity",
        "demographic",
        "demographic.sensitive",
        "clinical",
        "clinical.sensitive.substance_use",
        "clinical.sensitive.hiv",
        "clinical.sensitive.mental_health",
        "clinical.sensitive.reproductive",
        "clinical.sensitive.genetic",
        "journey",
        "behavioural",
        "consent",
    ];
    let desk = Desk::new(&classes);
    assert_eq!(desk.agrees(&format!("last_name = \"{NAME}\"")), MOVED);
    desk.crm(&["forget", "--contact", "P00000001", "--yes"]).expect(0);
    assert_eq!(desk.agrees(&format!("last_name = \"{NAME}\"")), MOVED - 1);
    let stored = desk.stored();
    desk.refused(&["compact"], "row_hash");
    assert_eq!(desk.stored(), stored);
    desk.owner(&["keys", "remove-slot", "crm"]).expect(0);
    let key = desk.add(&[&classes[..], &["row_hash"]].concat(), "again");
    let desk = Desk { key, ..desk };
    let done = json(&desk.crm(&["compact", "--format", "json"]).expect(0).out);
    assert!(done["rotation"].is_null() && !done["forgotten_in"].as_array().unwrap().is_empty(), "{done}");
    assert_eq!(desk.agrees(&format!("last_name changed to \"{NAME}\" on 2025-12-20")), MOVED - 1);
    assert_eq!(desk.agrees(&format!("city = \"{CITY}\"")), MOVED - 1);
    desk.crm(&["verify"]).expect(0);
    desk.owner(&["verify"]).expect(0);
}
