//! A place of its own for each test: home, configuration, dataset, and the built program run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

/// Contacts of the shared population.
pub const CONTACTS: u64 = 2_000;
/// The day on which its history ends.
pub const AS_OF: &str = "2026-01-01";

/// A directory with `home`, and after [`World::filled`] also `pop` and `data`.
pub struct World {
    dir: TempDir,
}

/// What a run of the program gave.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

static FILLED: LazyLock<World> = LazyLock::new(|| {
    let world = World::new();
    let contacts = CONTACTS.to_string();
    let generate = ["generate", "--contacts", &contacts, "--seed", "3", "--as-of", AS_OF, "--out", "pop"];
    world.run(&generate).expect(0);
    world.run(&["init", "-d", "data", "--zone", "America/New_York", "--recovery-kit", "kit.txt"]).expect(0);
    world.run(&["import", "population", "pop", "-d", "data"]).expect(0);
    world
});

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir }
    }

    /// A copy of a world with a population in its dataset, to do anything with.
    pub fn filled() -> Self {
        let copy = tempfile::tempdir().unwrap();
        let from = FILLED.path(".");
        let done = Command::new("cp").arg("-a").arg(from).arg(copy.path()).status().unwrap();
        assert!(done.success());
        Self { dir: copy }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyperseg"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.dir.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs with these options behind the arguments: the dataset and the moment of its population.
    pub fn ask(&self, args: &[&str]) -> Ran {
        let mut all = args.to_vec();
        all.extend(["-d", "data", "--as-of", AS_OF]);
        self.run(&all)
    }

    /// Files below a directory, sorted.
    pub fn files(&self, name: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.path(name), &mut found);
        found.sort();
        found
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Ended with this code; otherwise everything that was said is shown.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Refused with this code, these words on standard error and nothing on standard output.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        let ran = self.expect(code);
        assert_eq!(ran.out, "", "a refusal belongs on standard error");
        for word in words {
            assert!(ran.err.contains(word), "no `{word}` in:\n{}", ran.err);
        }
        ran
    }
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}
