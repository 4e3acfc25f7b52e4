//! Files that only their owner may read: keyrings, key files, anchors.
//!
//! In: a path outside the dataset. Out: its bytes, after the file and its directory have been checked on the opened
//! descriptors. A half-written file is never seen: a new one is written beside it, synced and renamed over it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::KeyringError;
use crate::disk::Medium;
use crate::error::{Error, Result};

/// Longest file read: a keyring has a few kilobytes.
const BYTES_MAX: u64 = 1 << 20;
const OTHERS: u32 = 0o077;

/// Reads a file, or `None` where there is none.
///
/// # Errors
/// The file is a symbolic link, belongs to another user, or others may use it; or it lies in such a directory.
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(exposed(path, "is a symbolic link", "give the path of the file itself".into()));
        }
        Err(error) => return Err(Error::io("open", path.display().to_string(), error)),
    };
    check_directory(&directory_of(path))?;
    let fail = |error| Error::io("read", path.display().to_string(), error);
    let found = file.metadata().map_err(fail)?;
    if !found.is_file() {
        return Err(exposed(path, "is not a file", "give the path of a file".into()));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(exposed(path, "belongs to another user", "use a keyring of your own".into()));
    }
    if found.mode() & OTHERS != 0 {
        let cure = format!("run `chmod 600 {}`", path.display());
        return Err(exposed(path, "may be read or changed by other users", cure));
    }
    if found.len() > BYTES_MAX {
        return Err(KeyringError::Damaged { path: path.into(), what: "it is too long" }.into());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default()));
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(fail)?;
    Ok(Some(bytes))
}

/// Makes a file that is not there yet; its directory is made with mode 0700 when missing.
pub(crate) fn create(medium: &Medium, path: &Path, bytes: &[u8]) -> Result<()> {
    make_directory(path)?;
    let staged = stage(medium, path, bytes)?;
    // A link, unlike a rename, fails when the name is taken.
    let linked = medium.link(&staged, path);
    medium.remove(&staged).map_err(|error| Error::io("remove", staged.display().to_string(), error))?;
    match linked {
        Ok(()) => sync_directory(medium, &directory_of(path)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(KeyringError::Exists { path: path.into() }.into())
        }
        Err(error) => Err(Error::io("create", path.display().to_string(), error)),
    }
}

/// Replaces a file, or makes it: readers see the old bytes or the new ones.
pub(crate) fn replace(medium: &Medium, path: &Path, bytes: &[u8]) -> Result<()> {
    let staged = stage(medium, path, bytes)?;
    medium.rename(&staged, path).map_err(|error| Error::io("replace", path.display().to_string(), error))?;
    sync_directory(medium, &directory_of(path))
}

/// As [`replace`]; then the bytes of the old file are overwritten where they lay. A file system that copies on write, or
/// a disk that moves blocks, may keep them all the same.
pub(crate) fn replace_and_wipe(medium: &Medium, path: &Path, bytes: &[u8]) -> Result<()> {
    let old = OpenOptions::new().write(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path);
    replace(medium, path, bytes)?;
    // From here on the change is made; what is left of the old file is no reason to say otherwise.
    if let Ok(mut old) = old
        && let Ok(length) = old.metadata().map(|found| found.len().min(BYTES_MAX))
    {
        let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
        let _ = medium.write(path, &mut old, &zeros).and_then(|()| old.sync_all());
    }
    Ok(())
}

/// The directory in which the file lies, made with mode 0700 when missing.
pub(crate) fn make_directory(path: &Path) -> Result<()> {
    let directory = directory_of(path);
    match DirBuilder::new().recursive(true).mode(0o700).create(&directory) {
        Ok(()) => check_directory(&directory),
        Err(error) => Err(Error::io("create", directory.display().to_string(), error)),
    }
}

/// Refuses a path inside the dataset, however it is written.
pub(crate) fn check_outside(path: &Path, dataset: &Path) -> Result<()> {
    if real(path)?.starts_with(real(dataset)?) {
        return Err(KeyringError::InsideDataset { path: path.into(), dataset: dataset.into() }.into());
    }
    Ok(())
}

/// `path` with a suffix to its name: `k` → `k.anchor`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The canonical form of a path of which a tail may not exist yet.
fn real(path: &Path) -> Result<PathBuf> {
    let fail = |error| Error::io("resolve", path.display().to_string(), error);
    let absolute = std::path::absolute(path).map_err(fail)?;
    for ancestor in absolute.ancestors() {
        match ancestor.canonicalize() {
            Ok(found) => {
                let tail = absolute.strip_prefix(ancestor).unwrap_or(Path::new(""));
                // `..` behind a directory that does not exist has no meaning.
                if tail.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
                    return Err(fail(ErrorKind::NotFound.into()));
                }
                return Ok(if tail.as_os_str().is_empty() { found } else { found.join(tail) });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
    }
    Err(fail(ErrorKind::NotFound.into()))
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        Some(_) | None => ".".into(),
    }
}

fn check_directory(directory: &Path) -> Result<()> {
    let found = std::fs::metadata(directory)
        .map_err(|error| Error::io("read", directory.display().to_string(), error))?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        let cure = "keep keys in a directory of your own".into();
        return Err(exposed(directory, "the directory belongs to another user", cure));
    }
    if found.mode() & OTHERS != 0 {
        let cure =
            format!("keep keys in a directory of their own, or run `chmod 700 {}`", directory.display());
        return Err(exposed(directory, "the directory of the keyring is open to other users", cure));
    }
    Ok(())
}

fn stage(medium: &Medium, path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    // What could not be read again must not take the place of what can.
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Error::Limit {
            what: format!("the size of {} in bytes", path.display()),
            max: BYTES_MAX,
        });
    }
    let mut salt = [0; 8];
    crate::crypto::random(&mut salt)?;
    let staged = beside(path, &format!(".{}.new", hex::encode(salt)));
    let written = medium.create(&staged).and_then(|mut file| {
        medium.write(&staged, &mut file, bytes)?;
        medium.sync(&staged, &file)
    });
    if let Err(error) = written {
        // The name is random, so what lies there is ours; a leftover harms nobody.
        let _ = medium.remove(&staged);
        return Err(Error::io("write", staged.display().to_string(), error));
    }
    Ok(staged)
}

fn sync_directory(medium: &Medium, directory: &Path) -> Result<()> {
    medium
        .sync_directory(directory)
        .map_err(|error| Error::io("sync", directory.display().to_string(), error))
}

fn exposed(path: &Path, what: &'static str, cure: String) -> Error {
    KeyringError::Exposed { path: path.into(), what, cure }.into()
}
