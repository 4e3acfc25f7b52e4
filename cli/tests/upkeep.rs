//! Upkeep from the command line: proving the data, looking at it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use std::path::PathBuf;

use common::{CONTACTS, World};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn verify_proves_everything_and_leaves_a_record() {
    let world = World::filled();
    let ran = world.run(&["verify", "-d", "data", "--format", "json"]).expect(0);
    let report = json(&ran.out);
    assert_eq!(report["sound"], true);
    let data = &report["dataset"];
    assert_eq!((&data["generation"], &data["newest"], &data["anchored"]), (&2.into(), &2.into(), &2.into()));
    assert_eq!(data["files"], data["sound"]);
    assert_eq!(data["rows"], data["rows_read"]);
    assert!(data["pages"].as_u64().unwrap() >= data["column_chunks"].as_u64().unwrap());
    let log = world.run(&["audit", "log", "-d", "data"]).expect(0);
    assert!(log.out.lines().last().unwrap().contains("verify"), "{}", log.out);
    world.run(&["verify", "-d", "data", "--generation", "1"]).expect(0);
    world.run(&["verify", "-d", "data", "--generation", "9"]).refused(2, &["no generation 9", "1 to 2"]);
}

/// Data files, without the parts of the manifest that list them.
fn data_files(world: &World) -> Vec<PathBuf> {
    let files = world.files("data/data").into_iter();
    files.filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect()
}

#[test]
fn verify_names_every_defect_and_ends_with_5() {
    let world = World::filled();
    let data = data_files(&world);
    let mut changed = std::fs::read(&data[0]).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&data[0], changed).unwrap();
    std::fs::remove_file(&data[1]).unwrap();
    std::fs::copy(world.path("pop/contacts.parquet"), &data[2]).unwrap();
    let aside = world.path("aside");
    std::fs::rename(&data[3], &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &data[3]).unwrap();
    let ran = world.run(&["verify", "-d", "data"]).expect(5);
    for (file, kind) in data.iter().zip(["digest", "missing", "plaintext", "not_a_file"]) {
        assert!(ran.out.contains(&format!("1 × {kind}\n")), "{kind}:\n{}", ran.out);
        assert!(ran.out.contains(file.file_name().unwrap().to_str().unwrap()), "{}", ran.out);
    }
    assert!(ran.out.ends_with("not all is as written\n"));
}

#[test]
fn verify_sees_a_rollback() {
    let world = World::filled();
    let manifests = world.files("data/snapshots");
    std::fs::remove_file(manifests.last().unwrap()).unwrap();
    let ran = world.run(&["verify", "-d", "data", "--format", "json"]).expect(5);
    assert_eq!(json(&ran.out)["dataset"]["found"]["rollback"], 1);
}

#[test]
fn status_says_what_is_there_and_what_is_left() {
    let world = World::filled();
    let report = json(&world.run(&["status", "-d", "data", "--format", "json"]).expect(0).out);
    assert_eq!(report["contacts"], CONTACTS);
    assert_eq!((&report["generation"], &report["oldest"]), (&2.into(), &1.into()));
    assert_eq!(report["log"]["grade"], "ok");
    let kinds: Vec<_> = report["slots"].as_array().unwrap().iter().map(|slot| slot["kind"].clone()).collect();
    assert_eq!(kinds, ["key file", "recovery code"]);
    let files: u64 =
        report["tables"].as_array().unwrap().iter().map(|table| table["files"].as_u64().unwrap()).sum();
    assert_eq!(report["files"], files);
    assert!(report["consent_age_seconds"].as_i64().unwrap() >= 0);

    world.write("data/data/.tmp-left", "half");
    let stray = world.files("data/data").pop().unwrap();
    let name = format!("data/data/{}.parquet", "00000000-0000-4000-8000-000000000000");
    std::fs::copy(stray, world.path(&name)).unwrap();
    let ran = world.run(&["status", "-d", "data"]).expect(0);
    assert!(ran.out.contains("1 half-written file, 1 file that no generation names"), "{}", ran.out);
    assert!(ran.out.contains("generation  2 of "), "{}", ran.out);
}

const HIV: &str = "segment s where has condition(code under ICD10CM:\"B20\")\n";

#[test]
fn keys_rotate_without_a_byte_of_data_and_shred_for_good() {
    let world = World::filled();
    world.write("hiv.seg", HIV);
    let bytes =
        || -> Vec<_> { data_files(&world).into_iter().map(|path| std::fs::read(path).unwrap()).collect() };
    let before = bytes();
    let asked = world.ask(&["count", "hiv.seg", "--format", "json"]).expect(0).out;
    world.run(&["keys", "rotate", "-d", "data"]).refused(2, &["--root", "CLASS"]);
    let ran = world.run(&["keys", "rotate", "--all", "-d", "data", "--actor", "ops"]).expect(0);
    assert!(
        ran.out.starts_with("generation 3: ") && ran.out.contains("no data was rewritten"),
        "{}",
        ran.out
    );
    assert!(before == bytes(), "a data file changed");
    let matched = |text: &str| json(text)["matched"].clone();
    let again = world.ask(&["count", "hiv.seg", "--format", "json"]).expect(0).out;
    assert_eq!(matched(&again), matched(&asked));

    let class = "clinical.sensitive.hiv";
    world.run(&["keys", "shred", class, "-d", "data"]).refused(2, &["destroys 2 keys", "--yes"]);
    world.run(&["keys", "shred", "hiv", "--yes", "-d", "data"]).refused(2, &["no class `hiv`", class]);
    world.run(&["keys", "shred", class, "--yes", "-d", "data"]).expect(0);
    world.ask(&["count", "hiv.seg"]).refused(4, &[class, "was destroyed on"]);
    world.write("ma.seg", "segment s where state = MA\n");
    world.ask(&["count", "ma.seg"]).expect(0);
    let proven = world.run(&["verify", "-d", "data"]).expect(0);
    assert!(proven.out.contains(&format!("closed     {class}: ")), "{}", proven.out);
    let list = json(&world.run(&["keys", "list", "-d", "data", "--format", "json"]).expect(0).out);
    let states: Vec<&str> = list["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["class"] == class)
        .map(|key| key["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["destroyed", "destroyed"]);
    let log = world.run(&["audit", "log", "-d", "data"]).expect(0).out;
    assert!(log.contains("keys rotate") && log.contains("keys shred") && log.contains("ops"), "{log}");
    world.run(&["audit", "verify", "-d", "data"]).expect(0);
}

#[test]
fn a_principal_asks_only_what_was_granted() {
    let world = World::filled();
    world.write("hiv.seg", HIV);
    world.write("ma.seg", "segment s where state = MA\n");
    let key = world.path("keys.d/crm.key");
    let key = key.to_str().unwrap();
    let add = ["keys", "add-slot", "--principal", "crm", "--class", "demographic", "--new-key-file", key];
    let ran = world.ask(&add).expect(0);
    assert!(
        ran.out.contains("slot ") && ran.out.contains(" of crm (key file), opens demographic"),
        "{}",
        ran.out
    );
    world.ask(&add).refused(2, &["crm has a slot already"]);
    world.ask(&["count", "ma.seg", "--key-file", key]).expect(0);
    let words = ["was not granted to crm"];
    world.ask(&["count", "hiv.seg", "--key-file", key]).refused(4, &words);
    world.ask(&["keys", "rotate", "--all", "--key-file", key]).refused(4, &["only the owner"]);
    let log = world.run(&["audit", "show", "-d", "data", "--format", "json", "zzz"]);
    assert_eq!(log.code, 2);
    let list = world.run(&["keys", "list", "-d", "data"]).expect(0).out;
    assert!(list.contains("crm") && list.contains("recovery code"), "{list}");
    world.run(&["keys", "remove-slot", "crm", "-d", "data"]).expect(0);
    world.ask(&["count", "ma.seg", "--key-file", key]).refused(4, &["does not open the keyring"]);
}

#[test]
fn a_new_root_key_comes_with_a_new_kit() {
    let world = World::filled();
    world.write("ma.seg", "segment s where state = MA\n");
    let with = |kit: &str| world.ask(&["count", "ma.seg", "--recovery-file", kit]);
    std::fs::set_permissions(world.path("kit.txt"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    with("kit.txt").expect(0);
    let ran = world.run(&["keys", "rotate", "--root", "--recovery-kit", "new.txt", "-d", "data"]).expect(0);
    assert!(ran.err.contains("removed slot") && ran.err.contains("recovery code"), "{}", ran.err);
    with("kit.txt").refused(4, &["this recovery code does not open"]);
    with("new.txt").expect(0);
    world.ask(&["count", "ma.seg"]).expect(0);
}

#[test]
fn an_older_generation_can_be_counted_but_no_list_comes_of_it() {
    let world = World::filled();
    world.write("ma.seg", "segment s\n  purpose treatment\n  channel email\n  where state = MA\n");
    let all = json(&world.ask(&["count", "ma.seg", "--format", "json"]).expect(0).out);
    let then = json(&world.ask(&["count", "ma.seg", "--generation", "1", "--format", "json"]).expect(0).out);
    assert_eq!((&then["contacts"], &then["matched"]), (&0.into(), &0.into()), "it was empty then");
    assert_eq!(all["contacts"], CONTACTS);
    let run = ["run", "ma.seg", "--out", "list.csv", "--consent-max-age", "none"];
    let back = [run.as_slice(), &["--generation", "2"]].concat();
    world.ask(&back).refused(4, &["newest generation only"]);
    assert!(!world.path("list.csv").exists());
    world.ask(&run).expect(0);
    world.ask(&["count", "ma.seg", "--generation", "7"]).refused(2, &["no generation 7"]);
    world.run(&["import", "population", "pop", "-d", "data", "--generation", "1"]).refused(2, &["read only"]);
}

#[test]
fn gc_says_what_goes_and_removes_it() {
    let world = World::filled();
    world.run(&["keys", "rotate", "identity", "-d", "data"]).expect(0);
    let young = world.run(&["gc", "-d", "data"]).expect(0);
    assert!(
        young.out.starts_with("removed 0 generations") && young.out.contains("1 to 3 stay"),
        "{}",
        young.out
    );
    let gc = ["gc", "-d", "data", "--keep", "1", "--keep-days", "0"];
    let dry = world.run(&[gc.as_slice(), &["--dry-run"]].concat()).expect(0);
    assert!(dry.out.starts_with("would remove 2 generations"), "{}", dry.out);
    assert_eq!(world.files("data/snapshots").len(), 3);
    let done = world.run(&[gc.as_slice(), &["--format", "json"]].concat()).expect(0);
    assert_eq!(json(&done.out)["generations"], serde_json::json!([1, 2]));
    assert_eq!(world.files("data/snapshots").len(), 1);
    world.run(&["verify", "-d", "data"]).expect(0);
    world.run(&["keys", "shred", "identity", "--rotated-out", "--yes", "-d", "data"]).expect(0);
    world.run(&["verify", "-d", "data"]).expect(0);
}

#[test]
fn a_backup_is_rehearsed_and_restored() {
    let world = World::filled();
    let ran = world.run(&["backup", "copy", "-d", "data"]).expect(0);
    assert!(ran.out.starts_with("the copy opens: generation 2, "), "{}", ran.out);
    assert!(ran.err.contains("no keys, back them up apart"), "{}", ran.err);
    world.run(&["backup", "copy", "-d", "data"]).refused(2, &["not empty"]);
    world.run(&["restore", "copy", "--rehearse", "-d", "data"]).expect(0);

    let keyring =
        world.files("home").into_iter().find(|path| path.extension().is_some_and(|end| end == "keyring"));
    let keyring = keyring.unwrap();
    let restore = ["restore", "copy", "-d", "new", "--keyring", keyring.to_str().unwrap()];
    world.run(&restore).refused(2, &["audit records and 0 generations", "--accept-loss"]);
    let ran = world.run(&[restore.as_slice(), &["--accept-loss"]].concat()).expect(0);
    assert!(ran.out.starts_with("restored generation 2 into new"), "{}", ran.out);
    world.write("ma.seg", "segment s where state = MA\n");
    world.run(&["count", "ma.seg", "-d", "new"]).expect(0);
    world.run(&["audit", "verify", "-d", "new"]).expect(0);

    let file = world.files("copy/data").pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ran = world.run(&["restore", "copy", "--rehearse", "-d", "new"]).expect(5);
    assert!(ran.out.contains("the copy is damaged") && ran.out.contains("digest"), "{}", ran.out);
}

#[test]
fn corrections_are_compacted_and_a_contact_is_forgotten() {
    let world = World::filled();
    world.write("all.seg", "segment s where everyone\n");
    world.write("lynn.seg", "segment s where city = \"Lynn\"\n");
    let contacts = || {
        let asked = world.ask(&["count", "all.seg", "--format", "json"]).expect(0);
        json(&asked.out)["contacts"].as_u64().unwrap()
    };
    let lynn = || {
        let asked = world.ask(&["count", "lynn.seg", "--format", "json"]).expect(0);
        json(&asked.out)["matched"].as_u64().unwrap()
    };
    let before = contacts();
    std::fs::create_dir(world.path("more")).unwrap();
    world.write("more/contacts.csv", "contact_id,city\nnew-1,Boston\n");
    world.run(&["import", "population", "more", "-d", "data"]).expect(0);
    world.write("more/contacts.csv", "contact_id,city\nnew-1,Lynn\n");
    let (were, ran) = (lynn(), world.run(&["import", "population", "more", "-d", "data"]).expect(0));
    assert!(ran.out.contains("updated"), "{}", ran.out);
    assert_eq!((contacts(), lynn()), (before + 1, were + 1));

    // One contact is not worth a file of all of them.
    let ran = world.run(&["compact", "-d", "data"]).expect(0);
    assert!(ran.out.starts_with("nothing to compact; "), "{}", ran.out);
    world.run(&["compact", "--all", "--percent", "3", "-d", "data"]).expect(2);
    let ran = world.run(&["compact", "--all", "-d", "data"]).expect(0);
    assert!(ran.out.contains("without 0 rows that counted no more; generation "), "{}", ran.out);
    assert_eq!((contacts(), lynn()), (before + 1, were + 1));
    let ran = world.run(&["compact", "--percent", "0", "-d", "data"]).expect(0);
    assert!(ran.out.starts_with("nothing to compact; "), "{}", ran.out);

    world.run(&["forget", "--contact", "new-1", "-d", "data"]).refused(2, &["cannot be undone", "--yes"]);
    world.run(&["forget", "--contact", "nobody", "--yes", "-d", "data"]).refused(2, &["1 of the contacts"]);
    let ran = world.run(&["forget", "--contact", "new-1", "--yes", "-d", "data"]).expect(0);
    assert!(ran.out.starts_with("forgot 1 contact with 0 records and 1 change; generation "), "{}", ran.out);
    assert_eq!((contacts(), lynn()), (before, were));
    world.ask(&["why", "lynn.seg", "--contact", "new-1"]).expect(2);
    // Nor is it seen in what was before.
    let back = world.ask(&["count", "lynn.seg", "--format", "json", "--generation", "4"]).expect(0);
    assert_eq!(json(&back.out)["matched"].as_u64().unwrap(), were);

    let ran = world.run(&["compact", "-d", "data", "--format", "json"]).expect(0);
    let done = json(&ran.out);
    assert!(done["rotation"]["data_keys"].as_u64().unwrap() > 0, "{}", ran.out);
    world.run(&["gc", "--keep", "1", "--keep-days", "0", "-d", "data"]).expect(0);
    for class in done["forgotten_in"].as_array().unwrap() {
        let class = class.as_str().unwrap();
        world.run(&["keys", "shred", class, "--rotated-out", "--yes", "-d", "data"]).expect(0);
    }
    assert_eq!((contacts(), lynn()), (before, were));
    world.run(&["verify", "-d", "data"]).expect(0);
    let log = world.run(&["audit", "log", "-d", "data"]).expect(0).out;
    assert!(log.contains("forget") && log.contains("compact") && !log.contains("new-1"), "{log}");
}
