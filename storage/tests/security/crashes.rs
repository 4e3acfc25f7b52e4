//! Processes that share a log, and processes that die: this test binary starts itself again as a child.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hyperseg_storage::audit::{AuditLog, EntryKind, Grade, IntentBody, RunId};
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
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child does; nothing in an ordinary run of the tests.
#[test]
fn child() {
    let (Ok(role), Some(root)) = (std::env::var(ROLE), std::env::var_os(ROOT).map(PathBuf::from)) else {
        return;
    };
    let log = AuditLog::open(root.join("data"), &open_keyring(&root));
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
        "work until killed" => loop {
            let intent = log.intent(IntentBody::new("run")).unwrap();
            let mut spool = intent.spool().unwrap();
            spool.write(&[7; 5000]).unwrap();
            spool.set_members(b"bitmap").unwrap();
            println!("\n{}", intent.release(spool, release_body(1)).unwrap().id());
            log.anchor_generation(log.anchored_generation().unwrap() + 1).unwrap();
        },
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

/// `kill -9` at any moment: what was acknowledged is there, what is there is whole, and no list lacks its record.
#[test]
fn killed_at_any_moment() {
    let world = World::new();
    let (mut acknowledged, mut unanchored) = (0, 0);
    for round in 0..25_u64 {
        let mut child = start("work until killed", world.root.path());
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        // Two rounds of three wait until the child is at work; the third meets it while it starts.
        while round % 3 > 0 && !text.lines().any(|line| line.parse::<RunId>().is_ok()) {
            assert!(output.read_line(&mut text).unwrap() > 0, "{text}");
        }
        // An odd step, so that the moments are spread over what the child does.
        std::thread::sleep(Duration::from_micros(10_000 + round * 3_701));
        child.kill().unwrap();
        child.wait().unwrap();
        output.read_to_string(&mut text).unwrap();
        // The last line may be cut off.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let told: Vec<RunId> = whole.lines().filter_map(|line| line.parse().ok()).collect();

        let report = world.log().verify().unwrap();
        assert!(!report.grade.is_wrong(), "round {round}: {report:?}");
        unanchored += u64::from(report.grade == Grade::Unanchored);
        for run in &told {
            assert_eq!(world.log().released(*run).unwrap().chunks().unwrap().count(), 1, "round {round}");
        }
        acknowledged += told.len();
        drop(world.log().intent(IntentBody::new("count")).unwrap());
        let report = world.log().verify().unwrap();
        assert_eq!(report.open_runs, 0, "round {round}: {report:?}");
        let lists = fs::read_dir(world.dataset().join("audit/lists")).unwrap().count() as u64;
        assert_eq!(lists, report.lists * 2, "round {round}: a list and its members for each release");
    }
    eprintln!("killed 25 times: {acknowledged} acknowledged releases, {unanchored} times before the anchor");
    assert!(acknowledged > 0);
}
