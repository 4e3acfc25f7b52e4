//! Files that appear whole: written under a temporary name in the same directory, made durable, then renamed.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::failure::{Exit, Failure, Outcome};
use crate::interrupt::Temporary;

/// Only the owner may read what this program writes.
pub(super) const MODE: u32 = 0o600;

/// A file on its way to a name that must be free.
pub struct Draft {
    target: PathBuf,
    file: File,
    path: TempPath,
    guard: Temporary,
}

impl Draft {
    /// Starts a file that will be called `target`; refused when something has that name.
    pub fn create(target: &Path) -> Outcome<Self> {
        refuse_existing(target)?;
        let (file, path, guard) = temporary(target)?;
        Ok(Self { target: target.to_owned(), file, path, guard })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Makes the bytes durable and gives the file its name, unless the name was taken in the meantime.
    pub fn publish(self) -> Outcome<()> {
        let Self { target, file, path, guard } = self;
        file.sync_all().map_err(|error| Failure::file("write", &target, &error))?;
        path.persist_noclobber(&target).map_err(|failed| match failed.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(&target),
            _ => Failure::file("write", &target, &failed.error),
        })?;
        guard.keep();
        sync_directory(&target)
    }
}

/// Replaces the text of a file at one stroke; its permissions stay.
pub fn replace(target: &Path, text: &str) -> Outcome<()> {
    // A link is followed, so that the file behind it changes and the link stays.
    let target = target.canonicalize().map_err(|error| Failure::file("read", target, &error))?;
    let failed = |error: &std::io::Error| Failure::file("write", &target, error);
    let permissions = std::fs::metadata(&target).map_err(|error| failed(&error))?.permissions();
    let (mut file, path, guard) = temporary(&target)?;
    file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
    file.set_permissions(permissions).map_err(|error| failed(&error))?;
    file.sync_all().map_err(|error| failed(&error))?;
    path.persist(&target).map_err(|error| failed(&error.error))?;
    guard.keep();
    sync_directory(&target)
}

/// Refuses a name that is taken, be it by a link to nowhere.
pub fn refuse_existing(target: &Path) -> Outcome<()> {
    match std::fs::symlink_metadata(target) {
        Ok(_) => Err(exists(target)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file("write", target, &error)),
    }
}

fn exists(target: &Path) -> Failure {
    Failure::new(Exit::Usage, format!("{} exists already and is not overwritten", target.display()))
        .hint("choose another name, or move the old file away")
}

pub(super) fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn temporary(target: &Path) -> Outcome<(File, TempPath, Temporary)> {
    let mut guard = None;
    let made =
        tempfile::Builder::new().prefix(".hyperseg-").suffix(".partial").make_in(directory(target), |path| {
            guard = Some(Temporary::new(path.to_owned()));
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)
        });
    let made = made.map_err(|error| Failure::file("write", target, &error))?;
    let (file, path) = made.into_parts();
    let guard = guard.unwrap_or_else(|| Temporary::new(path.to_path_buf()));
    Ok((file, path, guard))
}

/// The name is durable only when the directory is.
pub(super) fn sync_directory(target: &Path) -> Outcome<()> {
    File::open(directory(target))
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Failure::file("write", target, &error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entries(dir: &Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("list.csv");
        let draft = Draft::create(&target).unwrap();
        draft.file().write_all(b"abc").unwrap();
        assert!(!target.exists());
        draft.publish().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"abc");
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(entries(dir.path()), 1);

        drop(Draft::create(&dir.path().join("other")).unwrap());
        assert_eq!(entries(dir.path()), 1);
    }

    #[test]
    fn never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("list.csv");
        let late = Draft::create(&target).unwrap();
        std::fs::write(&target, b"first").unwrap();
        assert_eq!(late.publish().err().unwrap().exit, Exit::Usage);
        assert_eq!(Draft::create(&target).err().unwrap().exit, Exit::Usage);
        assert_eq!(std::fs::read(&target).unwrap(), b"first");
        assert_eq!(entries(dir.path()), 1);
    }

    #[test]
    fn replaces_and_keeps_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.seg");
        std::fs::write(&target, b"old").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o644)).unwrap();
        replace(&target, "new").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
