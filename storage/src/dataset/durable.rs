//! Small files that are either there in full or not at all.
//!
//! In: bytes and a name. Out: a file that survives a crash from the moment the function returns. A half-written file
//! can only ever have a temporary name, which nobody reads.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Result};

/// Beginning of temporary names.
pub(crate) const TEMPORARY: &str = ".tmp-";
/// Only the owner reads and writes.
pub(crate) const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Makes a directory for the owner only; its parents must exist.
pub(crate) fn make_directory(root: &Path, name: &str) -> Result<()> {
    DirBuilder::new()
        .mode(DIRECTORY_MODE)
        .create(root.join(name))
        .map_err(|error| Error::io("create", shown(root, name), error))
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(root: &Path, name: &str) -> Result<()> {
    File::open(root.join(name))
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::io("sync", shown(root, name), error))
}

/// Writes a new file; `Ok(false)` when one of this name exists already, which is then left alone.
pub(crate) fn create(root: &Path, directory: &str, name: &str, bytes: &[u8]) -> Result<bool> {
    let place = root.join(directory);
    let shown = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
    let temporary = place.join(format!("{TEMPORARY}{}", uuid::Uuid::new_v4()));
    let written =
        write_synced(&temporary, bytes).and_then(|()| match fs::hard_link(&temporary, place.join(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        });
    // a temporary file that stays behind is removed by the next writer
    let _ = fs::remove_file(&temporary);
    let created = written.map_err(|error| Error::io("write", shown, error))?;
    sync_directory(root, directory)?;
    Ok(created)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a file of at most `max` bytes; `None` when there is none.
pub(crate) fn read(root: &Path, name: &str, max: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(root.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", name, error)),
    };
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io("read", name, error))?;
    if bytes.len() as u64 > max {
        return Err(Error::Limit { what: format!("the size of {name} in bytes"), max });
    }
    Ok(Some(bytes))
}

fn shown(root: &Path, name: &str) -> String {
    if name.is_empty() { root.display().to_string() } else { name.to_owned() }
}
