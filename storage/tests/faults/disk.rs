//! A disk that fails at operation n.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hyperseg_storage::disk::{Disk, DiskOp};

/// How the operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It has no effect; the next ones work.
    OnceBefore,
    /// It has its effect and says that it failed; the next ones work.
    OnceAfter,
    /// It has no effect, and nothing after it has.
    DeadBefore,
    /// It has its effect, and nothing after it has.
    DeadAfter,
    /// Half of a write arrives, and nothing after it.
    Torn,
    /// No space is left from here on; names can be removed.
    Full,
}

pub const MODES: [Mode; 6] =
    [Mode::OnceBefore, Mode::OnceAfter, Mode::DeadBefore, Mode::DeadAfter, Mode::Torn, Mode::Full];

#[derive(Debug)]
pub struct Faulty {
    at: u64,
    mode: Mode,
    done: AtomicU64,
    struck: Mutex<Option<String>>,
    mended: AtomicBool,
}

impl Faulty {
    pub fn new(at: u64, mode: Mode) -> Self {
        Self { at, mode, done: AtomicU64::new(0), struck: Mutex::new(None), mended: AtomicBool::new(false) }
    }

    /// Operations asked for.
    pub fn count(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// The operation that failed.
    pub fn struck(&self) -> Option<String> {
        self.struck.lock().unwrap().clone()
    }

    /// From here on nothing fails.
    pub fn mend(&self) {
        self.mended.store(true, Ordering::Relaxed);
    }

    /// What happens to this operation: whether it has its effect (for a write: how much of it), and its answer.
    fn decide(&self, op: DiskOp, path: &Path) -> (Effect, io::Result<()>) {
        let n = self.done.fetch_add(1, Ordering::Relaxed);
        if n == self.at {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            *self.struck.lock().unwrap() = Some(format!("{op:?} {name}"));
        }
        let io_error = || Err(io::Error::from_raw_os_error(5));
        let grows = matches!(
            op,
            DiskOp::Create | DiskOp::CreateDirectory | DiskOp::Write | DiskOp::Link | DiskOp::Rename
        );
        match self.mode {
            _ if n < self.at || self.mended.load(Ordering::Relaxed) => (Effect::Full, Ok(())),
            Mode::Full if grows => (Effect::Half, Err(io::Error::from_raw_os_error(28))),
            Mode::Full => (Effect::Full, Ok(())),
            Mode::OnceBefore | Mode::OnceAfter if n > self.at => (Effect::Full, Ok(())),
            Mode::OnceBefore | Mode::DeadBefore => (Effect::None, io_error()),
            Mode::OnceAfter | Mode::DeadAfter if n == self.at => (Effect::Full, io_error()),
            Mode::Torn if n == self.at => (Effect::Half, io_error()),
            Mode::OnceAfter | Mode::DeadAfter | Mode::Torn => (Effect::None, io_error()),
        }
    }
}

enum Effect {
    Full,
    Half,
    None,
}

impl Disk for Faulty {
    fn act(&self, op: DiskOp, path: &Path, act: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        let (effect, answer) = self.decide(op, path);
        if matches!(effect, Effect::Full) {
            act()?;
        }
        answer
    }

    fn write(&self, path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let (effect, answer) = self.decide(DiskOp::Write, path);
        match effect {
            Effect::Full => file.write_all(bytes)?,
            Effect::Half => file.write_all(&bytes[..bytes.len() / 2])?,
            Effect::None => {}
        }
        answer
    }
}
