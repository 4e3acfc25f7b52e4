//! Directories that appear whole: filled under a temporary name beside their own, made durable, then renamed.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::draft::{MODE, directory, refuse_existing, sync_directory};
use crate::failure::{Failure, Outcome};
use crate::interrupt::Temporary;

/// Only the owner may look into what this program makes.
const FOLDER_MODE: u32 = 0o700;

/// A directory on its way to a name that must be free.
pub struct Folder {
    target: PathBuf,
    guard: Temporary,
}

impl Folder {
    /// Starts a directory that will be called `target`; refused when something has that name.
    pub fn create(target: &Path) -> Outcome<Self> {
        refuse_existing(target)?;
        let mut guard = None;
        let made = tempfile::Builder::new().prefix(".hyperseg-").suffix(".partial").make_in(
            directory(target),
            |path| {
                guard = Some(Temporary::new(path.to_owned()));
                DirBuilder::new().mode(FOLDER_MODE).create(path)
            },
        );
        let ((), path) = made.map_err(|error| Failure::file("write", target, &error))?.into_parts();
        // It is the guard's to remove, and a directory.
        let path = path.keep().map_err(|failed| Failure::file("write", target, &failed.error))?;
        let guard = guard.unwrap_or_else(|| Temporary::new(path));
        Ok(Self { target: target.to_owned(), guard })
    }

    /// A new file in it.
    pub fn file(&self, name: &str) -> Outcome<File> {
        let made =
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(self.guard.path().join(name));
        made.map_err(|error| Failure::file("write", &self.target.join(name), &error))
    }

    /// Gives the directory its name, unless that was taken in the meantime. Its files are on the disk already.
    pub fn publish(self) -> Outcome<()> {
        let Self { target, guard } = self;
        let failed = |error: &std::io::Error| Failure::file("write", &target, error);
        File::open(guard.path()).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error))?;
        refuse_existing(&target)?;
        // In a race the system replaces nothing but an empty directory.
        std::fs::rename(guard.path(), &target).map_err(|error| failed(&error))?;
        guard.keep();
        sync_directory(&target)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::failure::Exit;

    fn entries(dir: &Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("lists");
        let folder = Folder::create(&target).unwrap();
        folder.file("a.csv").unwrap().write_all(b"abc").unwrap();
        assert!(folder.file("a.csv").is_err(), "one name, one file");
        assert!(!target.exists());
        folder.publish().unwrap();
        assert_eq!(std::fs::read(target.join("a.csv")).unwrap(), b"abc");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&target), mode(&target.join("a.csv"))), (0o700, 0o600));
        let dropped = Folder::create(&dir.path().join("other")).unwrap();
        dropped.file("b.csv").unwrap();
        drop(dropped);
        assert_eq!(entries(dir.path()), 1);
    }

    #[test]
    fn never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("lists");
        let late = Folder::create(&target).unwrap();
        late.file("a.csv").unwrap();
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("mine"), "mine").unwrap();
        assert_eq!(late.publish().err().unwrap().exit, Exit::Usage);
        assert_eq!(Folder::create(&target).err().unwrap().exit, Exit::Usage);
        assert_eq!((entries(&target), entries(dir.path())), (1, 1));
    }
}
