//! A keyring and an audit log in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};

use hyperseg_storage::audit::{AuditLog, Grade, IntentBody, ReleaseBody, RunId};
use hyperseg_storage::dataset::DatasetId;
use hyperseg_storage::keyring::{Keyring, NewSlot};
use hyperseg_storage::{Digest, Error};
use tempfile::TempDir;
use zeroize::Zeroizing;

pub struct World {
    pub root: TempDir,
    pub code: Zeroizing<String>,
}

impl World {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("data")).unwrap();
        let (keyring, kit) = Keyring::create(
            &root.path().join("keys/k"),
            root.path().join("data"),
            &DatasetId::random(),
            NewSlot::KeyFile,
        )
        .unwrap();
        AuditLog::create(root.path().join("data"), &keyring).unwrap();
        Self { root, code: kit.reveal() }
    }

    pub fn dataset(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub fn keyring_path(&self) -> PathBuf {
        self.root.path().join("keys/k")
    }

    pub fn anchor_path(&self) -> PathBuf {
        self.root.path().join("keys/k.anchor")
    }

    pub fn log_path(&self) -> PathBuf {
        self.dataset().join("audit/log")
    }

    pub fn keyring(&self) -> Keyring {
        open_keyring(self.root.path())
    }

    /// A fresh handle, as a new process would have.
    pub fn log(&self) -> AuditLog {
        AuditLog::open(self.dataset(), &self.keyring())
    }

    pub fn grade(&self) -> Grade {
        self.log().verify().unwrap().grade
    }

    /// One count and one released list of two chunks.
    pub fn fill(&self) -> RunId {
        let log = self.log();
        log.intent(IntentBody::new("count")).unwrap().complete(serde_json::json!({ "matched": 2 })).unwrap();
        let intent = log.intent(IntentBody::new("run")).unwrap();
        let mut spool = intent.spool().unwrap();
        spool.write(b"first chunk").unwrap();
        spool.write(b"second chunk").unwrap();
        spool.set_members(&[0b101]).unwrap();
        intent.release(spool, release_body(2)).unwrap().id()
    }
}

pub fn open_keyring(root: &Path) -> Keyring {
    let path = root.join("keys/k");
    Keyring::open(&path, root.join("data"), &Keyring::default_unlock(&path)).unwrap()
}

pub fn release_body(rows: u64) -> ReleaseBody {
    ReleaseBody {
        rows,
        sha256: Digest([1; 32]),
        merkle_root: Digest([2; 32]),
        details: serde_json::json!({ "excluded": { "deceased": 1 } }),
    }
}

/// Files in which one bit differs, with the place of the bit: one bit of every byte, or every bit of every byte when
/// `HYPERSEG_EVERY_BIT` is set.
pub fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    let every = std::env::var_os("HYPERSEG_EVERY_BIT").is_some();
    let wanted = move |bit: &usize| every || (bit / 8 * 5) % 8 == bit % 8;
    (0..bytes.len() * 8).filter(wanted).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        (bit, changed)
    })
}

pub fn message(error: Error) -> String {
    error.to_string()
}
