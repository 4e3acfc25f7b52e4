//! A real process that is killed at its n-th system call, or whose n-th system call fails: this test binary starts
//! itself again as a child, under `strace`, which counts the calls and injects what happens.
//!
//! The child makes one change of [`change::ALL`] in one thread. What comes after the n-th call never happens; so all
//! moments between two calls that write are tried when all n are. A call can also fail, with EIO or with ENOSPC, those
//! that read among them: then the change is refused or done, and an answer that is given is the right one.
//! Without `strace`, or where tracing is not allowed, this says so and tries nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hyperseg_storage::Error;
use hyperseg_storage::dataset::Dataset;

use crate::change::{self, Change};
use crate::world::{ROWS, World, count, must_be_whole, must_go_on, start, undisturbed};

const ROOT: &str = "HYPERSEG_TEST_SYSCALLS_ROOT";
const NAME: &str = "HYPERSEG_TEST_SYSCALLS_CHANGE";

/// Calls by which files, directories and locks come, change and go; a name that the machine does not have is no error.
const WRITES: &str = "openat,?open,?creat,write,pwrite64,writev,?pwritev,fsync,fdatasync,?rename,renameat,renameat2,\
    ?link,linkat,?unlink,unlinkat,?mkdir,mkdirat,flock,ftruncate,fchmod,?chmod,fchmodat";
/// Calls by which anything is learnt of a disk.
const READS: &str = "openat,?open,read,pread64,readv,?preadv,?stat,?lstat,fstat,?newfstatat,statx,getdents64,lseek,\
    ?readlink,readlinkat,?access,faccessat,flock";

const BEGIN: &str = "hyperseg test: begin";
const DONE: &str = "hyperseg test: done ";
const REFUSED: &str = "hyperseg test: refused ";

/// What looks at a dataset and changes nothing of it but the log.
const LOOK: [Change; 2] = [
    Change {
        name: "query",
        before: World::new,
        make: |dataset, _| Ok(count(dataset)?.to_string()),
        look: |world, acknowledged, point| {
            assert!(acknowledged.is_none_or(|rows| rows == ROWS.to_string()), "{point}: {acknowledged:?}");
            unchanged(world, point);
        },
        stride: 1,
        wipes: 0,
        least: 0,
    },
    Change {
        name: "verify",
        before: World::new,
        make: |dataset, _| {
            let found = dataset.verify(None, None, &|_| {})?.found;
            // A file that cannot be read is called that, and nothing worse: it was not changed.
            let words: Vec<_> = found.keys().map(|kind| kind.name()).collect();
            Ok(words.join(" "))
        },
        look: |world, acknowledged, point| {
            assert!(
                [None, Some(""), Some("unreadable")].contains(&acknowledged),
                "{point}: {acknowledged:?}"
            );
            unchanged(world, point);
        },
        stride: 1,
        wipes: 0,
        least: 0,
    },
];

fn unchanged(world: &World, point: &str) {
    let (dataset, generation) = must_be_whole(world, point);
    assert_eq!((generation, count(&dataset).unwrap()), (2, ROWS), "{point}");
    must_go_on(&dataset, point);
}

fn changes() -> impl Iterator<Item = Change> {
    change::ALL.into_iter().chain(LOOK)
}

/// All of them; of what looks at a dataset more calls are tried than the one in so many of the others.
fn strides(of_changes: usize, of_looks: usize) -> impl Iterator<Item = (Change, usize)> {
    let of = |stride| move |change| (change, stride);
    change::ALL.into_iter().map(of(of_changes)).chain(LOOK.into_iter().map(of(of_looks)))
}

/// What the child does; nothing in an ordinary run of the tests.
#[test]
fn child() {
    let (Some(root), Ok(name)) = (std::env::var_os(ROOT), std::env::var(NAME)) else { return };
    let world = World::at(root.into());
    let change = changes().find(|change| change.name == name).unwrap();
    let make = || {
        get_ahead();
        say(BEGIN);
        let result = world.open().and_then(|dataset: Dataset| (change.make)(&dataset, &world));
        match result {
            Ok(told) => say(&format!("{DONE}{told}")),
            Err(error) => say(&format!("{REFUSED}{}", words(&error))),
        }
    };
    // What is done in parallel is done by this one thread, of which strace counts the calls.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap().install(make);
}

/// strace counts the calls of each thread and of each name. More calls than other threads make of those that any
/// program begins with, so that a number means this thread alone.
fn get_ahead() {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    for _ in 0..100 {
        drop(File::open("/dev/null").unwrap());
        drop(fs::read_dir("/").unwrap());
        null.metadata().unwrap();
        null.read_at(&mut [0], 0).unwrap();
        assert_eq!((&null).read(&mut [0]).unwrap(), 0);
        (&null).write_all(&[0]).unwrap();
        (&null).rewind().unwrap();
    }
}

/// A line of its own, in one call.
fn say(line: &str) {
    io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// The error in one line.
fn words(error: &Error) -> String {
    format!("{:?}: {error}", error.kind()).replace('\n', " ")
}

/// Runs the child under strace with more arguments of it. The trace goes to a file.
fn traced(world: &World, change: Change, trace: &Path, arguments: &[String]) -> Output {
    let mut command = Command::new("strace");
    command
        .args(["--follow-forks", "--quiet=attach,exit,path-resolution,personality", "--string-limit=64"])
        .args(["--signal=none", "--output"])
        .arg(trace)
        .args(arguments)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "syscalls::child", "--nocapture", "--test-threads=1"])
        .env(ROOT, world.root())
        .env(NAME, change.name)
        .env("RUST_BACKTRACE", "0");
    start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap().wait_with_output().unwrap()
}

/// A call: its name, and how many of this name its thread had made with it.
type Call = (String, u64);

/// The calls of a set between the marks of a child that is left alone.
fn calls_of(template: &World, change: Change, set: &str, trace: &Path) -> Vec<Call> {
    let world = template.copy();
    let output = traced(&world, change, trace, &[format!("--trace={set},write")]);
    let text = fs::read_to_string(trace).unwrap();
    assert!(output.status.success() && text.contains(DONE), "{}: {output:?}", change.name);
    let lines: Vec<(&str, &str)> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let place = |mark: &str| lines.iter().position(|(_, call)| call.contains(mark)).unwrap();
    let (begin, done) = (place(BEGIN), place(DONE));
    let (own, mut made, mut calls) = (lines[begin].0, BTreeMap::<(bool, &str), u64>::new(), Vec::new());
    for (line, (thread, call)) in
        lines.iter().enumerate().take(done).filter(|(_, (_, call))| !call.contains("+++"))
    {
        let name = call.trim_start().split('(').next().unwrap();
        let number = made.entry((*thread == own, name)).or_default();
        *number += 1;
        if line > begin && set.split(',').any(|one| one.trim_start_matches('?') == name) {
            assert_eq!(*thread, own, "{}: another thread is at work: {call}", change.name);
            calls.push((name.to_owned(), *number));
        }
    }
    // A number must mean the thread that makes the change, and no other.
    for (name, number) in &calls {
        let others = made.get(&(false, name.as_str())).copied().unwrap_or_default();
        assert!(*number > others, "{}: other threads make {others} times {name}", change.name);
    }
    calls
}

/// Tries what happens at the calls of a change, one in `stride` of them. Gives how many points that were and how often
/// the change was done all the same.
fn strike(change: Change, set: &str, what: &str, stride: usize) -> (u64, u64) {
    let template = {
        let _quiet = undisturbed();
        (change.before)()
    };
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let calls = calls_of(&template, change, set, &trace);
    let (mut points, mut done, mut lost) = (0, 0, 0);
    for (place, (call, number)) in calls.iter().enumerate().filter(|(place, _)| place.is_multiple_of(stride))
    {
        let world = template.copy();
        let point = format!("{}: call {place} of {} ({call}), {what}", change.name, calls.len());
        let inject = format!("--inject={call}:{what}:when={number}");
        let output = traced(&world, change, &trace, &[format!("--trace={call}"), inject]);
        let told = String::from_utf8_lossy(&output.stdout);
        let said = |mark: &str| told.lines().find_map(|line| line.strip_prefix(mark));
        let acknowledged = said(DONE);
        let killed = what.contains("KILL");
        let ended = killed || output.status.success() && (acknowledged.is_some() || said(REFUSED).is_some());
        assert!(ended, "{point}: {told}{}", String::from_utf8_lossy(&output.stderr));
        assert!(!killed || !output.status.success(), "{point}: it was not killed: {told}");
        lost += u64::from(call.contains("sync") && acknowledged.is_some() && !killed);
        assert!(lost <= change.wipes, "{point}: acknowledged, and not known to be on the disk");
        let _quiet = undisturbed();
        (change.look)(&world, acknowledged, &point);
        points += 1;
        done += u64::from(acknowledged.is_some());
    }
    (points, done)
}

/// Whether strace is here and may trace; says so when not.
fn can_trace() -> bool {
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--trace=write", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    let can = start(&mut command).and_then(|mut child| child.wait()).is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIPPED: no `strace` that may trace is here; nothing was killed at system calls");
    }
    can
}

/// One in so many calls by default, all of them with `HYPERSEG_EVERY_FAULT`.
fn try_all(changes: impl Iterator<Item = (Change, usize)>, set: &str, what: &str) {
    if !can_trace() {
        return;
    }
    let kind = if set == READS { "calls that read" } else { "calls that write" };
    let mut all = 0;
    for (change, stride) in changes {
        let (points, done) = strike(change, set, what, if change::every() { 1 } else { stride });
        eprintln!("{}, {kind}, {what}: {points} points, {done} done all the same", change.name);
        all += points;
    }
    eprintln!("{kind}, {what}: {all} points");
    assert!(!change::every() || all >= 500, "{all}");
}

#[test]
fn killed_at_system_calls() {
    try_all(change::ALL.into_iter().map(|change| (change, 23)), WRITES, "signal=KILL");
}

#[test]
fn system_calls_that_write_fail() {
    try_all(change::ALL.into_iter().map(|change| (change, 67)), WRITES, "error=EIO");
}

#[test]
fn system_calls_that_write_find_no_space() {
    try_all(change::ALL.into_iter().map(|change| (change, 71)), WRITES, "error=ENOSPC");
}

#[test]
fn system_calls_that_read_fail() {
    try_all(strides(67, 7), READS, "error=EIO");
}
