//! Processes that share a log, and processes that die: this test binary starts itself again as a child.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hyperseg_storage::audit::{AuditLog, EntryKind, Grade, IntentBody};
use serde_json::json;

use crate::world::{World, open_keyring, release_body};

const ROLE: &str = "HYPERSEG_TEST_ROLE";
const ROOT: &str = "HYPERSEG_TEST_ROOT";
const RUNS: usize = 10;

fn start(role: &str, root: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::child", "--nocapture"])
        .env(ROLE, role)
        .env(ROOT, root)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a child does; nothing in an ordinary run of the tests.
#[test]
fn child() {
    let (Ok(role), Some(root)) = (std::env::var(ROLE), std::env::var_os(ROOT).map(PathBuf::from)) else {
        return;
    };
    let log = AuditLog::open(&root.join("data"), &open_keyring(&root));
    match role.as_str() {
        "append" => {
            for run in 0..RUNS {
                let intent = log.intent(IntentBody::new("count")).unwrap();
                intent.complete(json!({ "run": run })).unwrap();
            }
        }
        "die with a spool" => {
            let intent = log.intent(IntentBody::new("run")).unwrap();
            let mut spool = intent.spool().unwrap();
            spool.write(&[7; 100_000]).unwrap();
            spool.set_members(b"bitmap").unwrap();
            std::process::exit(0);
        }
        "die after the release" => {
            let intent = log.intent(IntentBody::new("run")).unwrap();
            let mut spool = intent.spool().unwrap();
            spool.write(b"a row").unwrap();
            let _released = intent.release(spool, release_body(1)).unwrap();
            std::process::exit(0);
        }
        other => panic!("no role {other}"),
    }
}

#[test]
fn processes_take_turns() {
    const CHILDREN: usize = 4;
    let world = World::new();
    let children: Vec<_> = (0..CHILDREN).map(|_| start("append", world.root.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let entries = world.log().entries().unwrap();
    assert_eq!(entries.len(), CHILDREN * RUNS * 2);
    assert!(entries.iter().all(|entry| matches!(entry.kind, EntryKind::Intent | EntryKind::Complete)));
    assert_eq!(world.grade(), Grade::Ok);
}

#[test]
fn a_dead_run_is_closed_and_a_live_one_is_not() {
    let world = World::new();
    let log = world.log();
    let live = log.intent(IntentBody::new("run")).unwrap();
    let mut live_spool = live.spool().unwrap();
    assert!(start("die with a spool", world.root.path()).wait().unwrap().success());
    assert_eq!(world.log().verify().unwrap().open_runs, 2);
    assert_eq!(world.grade(), Grade::Ok);

    drop(world.log().intent(IntentBody::new("count")).unwrap());
    let entries = world.log().entries().unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    let expected =
        [EntryKind::Intent, EntryKind::Intent, EntryKind::Aborted, EntryKind::Intent, EntryKind::Aborted];
    assert_eq!(kinds, expected);
    assert_eq!(entries[2].run, entries[1].run);
    assert_eq!(entries[2].action, "run");
    assert_ne!(entries[2].pid, entries[1].pid);
    let lists = fs::read_dir(world.dataset().join("audit/lists")).unwrap().count();
    assert_eq!(lists, 1, "the spool of the dead run is gone, the other is not");

    live_spool.write(b"still here").unwrap();
    live.release(live_spool, release_body(1)).unwrap();
    let report = world.log().verify().unwrap();
    assert_eq!((report.grade, report.lists, report.open_runs), (Grade::Ok, 1, 0), "{report:?}");
}

#[test]
fn a_release_outlives_its_process() {
    let world = World::new();
    assert!(start("die after the release", world.root.path()).wait().unwrap().success());
    drop(world.log().intent(IntentBody::new("count")).unwrap());
    let entries = world.log().entries().unwrap();
    let released = world.log().released(entries[0].run.unwrap()).unwrap();
    assert_eq!(released.chunks().unwrap().next().unwrap().unwrap().as_slice(), b"a row");
    assert_eq!(world.grade(), Grade::Ok);
}
