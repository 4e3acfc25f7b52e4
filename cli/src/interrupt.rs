//! Ctrl-C: the process ends with 130 and leaves no half-written output.
//!
//! Temporary files are listed here while they exist and removed when a signal comes. A query in flight is dropped
//! first, so that its audit record is closed as aborted; a second signal does not wait for that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::failure::{Exit, Failure, Outcome};

/// How long the threads of a query may take to end.
const SHUTDOWN: Duration = Duration::from_secs(1);
/// How often the removal of a directory is tried while files still appear in it, and the time between.
const REMOVE_TRIES: u32 = 50;
const REMOVE_PAUSE: Duration = Duration::from_millis(10);

static TEMPORARY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
static PUBLISHING: Mutex<()> = Mutex::new(());
static WAITING: AtomicBool = AtomicBool::new(false);
static SIGNALLED: AtomicBool = AtomicBool::new(false);
static STOP: LazyLock<Notify> = LazyLock::new(Notify::new);

/// Listens for SIGINT, SIGTERM and SIGHUP from now on.
pub fn install() -> Outcome<()> {
    ctrlc::set_handler(|| {
        let first = !SIGNALLED.swap(true, Ordering::SeqCst);
        if first && WAITING.load(Ordering::SeqCst) {
            STOP.notify_one();
            return;
        }
        let _publishing = hold_off();
        remove_temporary();
        std::process::exit(i32::from(Exit::Interrupted.code()));
    })
    .map_err(|_| Failure::new(Exit::Runtime, "cannot listen for signals"))
}

/// A signal waits while this is held: for steps that belong together.
pub fn hold_off() -> MutexGuard<'static, ()> {
    PUBLISHING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a query to its end, or drops it when a signal comes.
pub fn block_on<T>(query: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|_| Failure::new(Exit::Runtime, "cannot start the threads of the query"))?;
    WAITING.store(true, Ordering::SeqCst);
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = query => outcome,
            () = STOP.notified() => {
                Err(Failure::new(Exit::Interrupted, "interrupted; nothing was written"))
            }
        }
    });
    WAITING.store(false, Ordering::SeqCst);
    // A thread in the middle of a batch is not waited for.
    runtime.shutdown_timeout(SHUTDOWN);
    outcome
}

/// A file or directory that is removed when this is dropped or a signal comes, unless it was kept.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Temporary {
    /// Takes charge of a path that this process made, or is about to make under a name of its own.
    pub fn new(path: PathBuf) -> Self {
        paths().insert(path.clone());
        Self { path, kept: false }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path stays.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.path);
        }
        paths().remove(&self.path);
    }
}

fn paths() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove_temporary() {
    for path in paths().iter() {
        remove(path);
    }
}

/// Best effort: the process is on its way out, or the path was never created.
fn remove(path: &Path) {
    // Another thread may be making a file in the directory, which then is not empty when it is to go.
    for _ in 0..REMOVE_TRIES {
        let gone = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        match gone {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(REMOVE_PAUSE);
            }
            Ok(()) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_temporary_file_goes_unless_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (gone, stays) = (dir.path().join("a"), dir.path().join("b"));
        for path in [&gone, &stays] {
            std::fs::write(path, b"x").unwrap();
        }
        drop(Temporary::new(gone.clone()));
        Temporary::new(stays.clone()).keep();
        assert!(!gone.exists());
        assert!(stays.exists());
    }
}
