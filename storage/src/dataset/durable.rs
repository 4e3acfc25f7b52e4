//! Small files that are either there in full or not at all.
//!
//! In: bytes and a name. Out: a file that survives a crash from the moment the function returns. A half-written file
//! can only ever have a temporary name, which nobody reads.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::disk::Medium;
use crate::error::{Error, Result};

/// Beginning of temporary names.
pub(crate) const TEMPORARY: &str = ".tmp-";
/// Only the owner reads and writes.
pub(crate) const FILE_MODE: u32 = 0o600;

/// Makes a directory for the owner only; its parents must exist.
pub(crate) fn make_directory(medium: &Medium, root: &Path, name: &str) -> Result<()> {
    medium.create_directory(&root.join(name)).map_err(|error| Error::io("create", shown(root, name), error))
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(medium: &Medium, root: &Path, name: &str) -> Result<()> {
    medium.sync_directory(&root.join(name)).map_err(|error| Error::io("sync", shown(root, name), error))
}

/// Writes a new file; `Ok(false)` when one of this name exists already, which is then left alone.
pub(crate) fn create(
    medium: &Medium,
    root: &Path,
    directory: &str,
    name: &str,
    bytes: &[u8],
) -> Result<bool> {
    let place = root.join(directory);
    let shown = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
    let temporary = place.join(format!("{TEMPORARY}{}", uuid::Uuid::new_v4()));
    let written = write_synced(medium, &temporary, bytes).and_then(|()| {
        match medium.link(&temporary, &place.join(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    });
    // a temporary file that stays behind is removed by the next writer
    let _ = medium.remove(&temporary);
    let created = written.map_err(|error| Error::io("write", shown, error))?;
    sync_directory(medium, root, directory)?;
    Ok(created)
}

fn write_synced(medium: &Medium, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = medium.create(path)?;
    medium.write(path, &mut file, bytes)?;
    medium.sync(path, &file)
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
