//! `run FILE:portfolio` killed with SIGKILL at moments spread over its work: all lists are there or none, each with its
//! record, and what is left behind is no more than the documentation says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, dead_code)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{AS_OF, World};
use serde_json::Value;

const RECALL: &str = "\
segment calls purpose treatment channel voice where age >= 60 limit 40 by age desc
segment letters purpose treatment channel email where age >= 18 output first_name
segment pushes purpose treatment channel push where everyone
portfolio recall = calls > letters > pushes
";
const SEGMENTS: [&str; 3] = ["calls", "letters", "pushes"];

/// Moments of the first kind: so many parts of the time that the whole takes.
const PARTS: u32 = 8;
/// Moments of the second kind: files that are there.
const FILES: [usize; 4] = [0, 1, 3, 6];
const MOMENTS: u32 = PARTS + FILES.len() as u32;

fn start(world: &World, out: &str) -> Child {
    let run = ["run", "recall.seg:recall", "--out", out, "-d", "data", "--as-of", AS_OF];
    world.command(&run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What a run fills until it gives it its name.
fn partial(world: &World) -> Option<PathBuf> {
    let mut found = std::fs::read_dir(world.path(".")).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| path.extension().is_some_and(|end| end == "partial"))
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Kills a child at a moment, or says that it ended before.
fn kill(world: &World, mut child: Child, moment: u32, whole: Duration) -> bool {
    if moment < PARTS {
        std::thread::sleep(whole * moment / PARTS);
    } else {
        // When the lists are written: as soon as so many files are there.
        let files = FILES[(moment - PARTS) as usize];
        while child.try_wait().unwrap().is_none() {
            if partial(world).is_some_and(|path| names(&path).len() >= files) {
                break;
            }
        }
    }
    let _ = child.kill();
    child.wait().unwrap().code().is_none()
}

/// Segments whose lists were released by the records behind the first `from`, and how many records there are.
fn released(world: &World, from: usize) -> (Vec<String>, usize) {
    let log: Value =
        serde_json::from_str(&world.run(&["audit", "log", "--format", "json", "-d", "data"]).expect(0).out)
            .unwrap();
    let entries = log.as_array().unwrap();
    let of = |entry: &Value| entry["body"]["details"]["segment"].as_str().unwrap().to_owned();
    let new = entries[from..].iter().filter(|entry| entry["kind"] == "release").map(of);
    (new.collect(), entries.len())
}

#[test]
fn a_portfolio_that_is_killed_leaves_all_lists_or_none_and_no_list_without_its_record() {
    let world = World::filled();
    world.write("recall.seg", RECALL);
    let began = Instant::now();
    assert!(start(&world, "whole").wait().unwrap().success());
    let whole = began.elapsed();
    let list =
        |directory: &Path, segment: &str| std::fs::read(directory.join(format!("{segment}.csv"))).unwrap();
    let six = names(&world.path("whole"));
    assert_eq!(six.len(), 6);
    let (mut before, mut lists) = (released(&world, 0).1, 3);
    let (mut killed, mut left, mut recorded) = (0, 0, [0; 4]);
    for moment in 0..MOMENTS {
        let out = format!("lists{moment}");
        let was_killed = kill(&world, start(&world, &out), moment, whole);
        killed += u32::from(was_killed);
        let out = world.path(&out);
        world.run(&["audit", "verify", "-d", "data"]).expect(0);
        // The next process that writes closes what is open.
        world.ask(&["count", "recall.seg:calls"]).expect(0);
        let (new, entries) = released(&world, before);
        before = entries;
        assert_eq!(new, SEGMENTS[..new.len()], "moment {moment}: released in their order");
        recorded[new.len()] += 1;
        lists += new.len();
        assert_eq!(
            names(&world.path("data/audit/lists")).len(),
            2 * lists,
            "moment {moment}: a sealed list and who is on it, of each release and of nothing else"
        );
        assert_eq!(names(&world.path("data/audit/runs")), [""; 0], "moment {moment}: no run is open");
        if out.exists() {
            assert_eq!((names(&out), new.len()), (six.clone(), 3), "moment {moment}");
            for segment in SEGMENTS {
                assert!(
                    list(&out, segment) == list(&world.path("whole"), segment),
                    "moment {moment}: {segment}"
                );
            }
        } else {
            assert!(was_killed, "moment {moment}: it ended without its lists");
        }
        if let Some(path) = partial(&world) {
            assert!(!out.exists(), "moment {moment}: the lists twice");
            // Recipients in plain text are written when all lists have their records, and not before.
            assert!(
                names(&path).is_empty() || new.len() == 3,
                "moment {moment}: {:?}, {new:?}",
                names(&path)
            );
            assert!(names(&path).iter().all(|name| six.contains(name)));
            std::fs::remove_dir_all(path).unwrap();
            left += 1;
        }
    }
    eprintln!("killed {killed} times, {left} times with a directory left; by lists recorded: {recorded:?}");
    assert!(killed >= 5 && left > 0 && recorded[0] > 0, "{killed}, {left}, {recorded:?}");
    // The name that was not filled is free.
    let free = (0..MOMENTS).map(|moment| format!("lists{moment}")).find(|name| !world.path(name).exists());
    world.ask(&["run", "recall.seg:recall", "--out", &free.unwrap()]).expect(0);
    world.run(&["verify", "-d", "data"]).expect(0);
}
