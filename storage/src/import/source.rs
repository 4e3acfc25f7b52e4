//! The files of an import, and the audit record around it.
//!
//! In: paths. Out: their sizes and SHA-256 digests in the intent, and the intent closed with the report or as aborted.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;
use serde_json::json;

use crate::audit::IntentBody;
use crate::crypto::Sha256Stream;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::ingest::{ImportError, ImportOptions, ImportReport, Ingest};

const BUFFER_BYTES: usize = 1 << 20;
/// Files in a folder that an importer looks at.
const FILES_MAX: usize = 10_000;

/// A file to import.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    /// Name without folder.
    pub(super) name: String,
}

impl SourceFile {
    pub(super) fn open(&self) -> Result<File> {
        File::open(&self.path).map_err(|source| Error::io("read", self.name.clone(), source))
    }
}

/// What the audit record says of a file.
#[derive(Serialize)]
pub(super) struct Described<'f> {
    file: &'f str,
    bytes: u64,
    sha256: String,
}

/// The plain files of a folder, by name.
pub(super) fn list(dir: &Path) -> Result<Vec<SourceFile>> {
    let failed = |source| Error::io("read", dir.display().to_string(), source);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        if let Some(name) = name
            && !name.starts_with('.')
            && path.is_file()
        {
            files.push(SourceFile { path, name });
        }
        if files.len() > FILES_MAX {
            return Err(Error::Limit { what: "files in the folder".to_owned(), max: FILES_MAX as u64 });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Runs an import under an audit intent: `body` feeds the ingest, which then stores everything or nothing.
pub(super) fn audited(
    dataset: &Dataset,
    format: &str,
    mapping_version: u32,
    files: &[SourceFile],
    options: ImportOptions,
    body: impl FnOnce(&mut Ingest) -> Result<()>,
) -> Result<ImportReport> {
    let described: Vec<Described<'_>> = files.par_iter().map(describe).collect::<Result<_>>()?;
    let mut intent = IntentBody::new("import");
    intent.on_behalf_of.clone_from(&options.on_behalf_of);
    intent.description = Some(format!("import of {} {format} files", files.len()));
    intent.generation = Some(dataset.snapshot()?.generation());
    intent.details = json!({
        "format": format,
        "mapping_version": mapping_version,
        "files": described,
        "max_rejects": options.max_rejects,
        "ignored_columns": options.ignore_columns,
    });
    if let (Some(at), Some(details)) = (options.changed_at_micros, intent.details.as_object_mut()) {
        details.insert("changed_at_micros".to_owned(), at.into());
    }
    let intent = dataset.audit()?.intent(intent)?;
    let mut ingest = Ingest::begin(dataset, intent, options)?;
    match body(&mut ingest) {
        Ok(()) => ingest.finish(),
        Err(error) => {
            // That the log could not say so is less than what went wrong; the next process closes the run.
            let _ = ingest.abort(&error.to_string());
            Err(error)
        }
    }
}

pub(super) fn describe(file: &SourceFile) -> Result<Described<'_>> {
    let failed = |source| Error::io("read", file.name.clone(), source);
    let mut input = file.open()?;
    let (mut bytes, mut digest) = (0, Sha256Stream::default());
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = input.read(&mut buffer).map_err(failed)?;
        let Some(read) = buffer.get(..length).filter(|read| !read.is_empty()) else { break };
        digest.update(read);
        bytes += length as u64;
    }
    Ok(Described { file: &file.name, bytes, sha256: hex::encode(digest.finish()) })
}

/// Which column of a file feeds which target, after checks: known, ignored, named once, none missing that is needed.
///
/// Returns for every target the place of its column. The columns that are needed are looked for first, and no name of
/// the file is quoted when one is absent: a file without header would put a person's data there.
pub(super) fn map_header(
    file: &str,
    header: &[String],
    targets: &[&str],
    needed: &[&str],
    ignored: impl Fn(&str) -> bool,
) -> Result<Vec<Option<usize>>> {
    if let Some(absent) = needed.iter().find(|name| !header.iter().any(|column| column == *name)) {
        return Err(ImportError::MissingColumn { file: file.to_owned(), column: (*absent).to_owned() }.into());
    }
    let mut places = vec![None; targets.len()];
    for (place, column) in header.iter().enumerate() {
        if header.iter().take(place).any(|before| before == column) {
            return Err(ImportError::RepeatedColumn { file: file.to_owned(), column: column.clone() }.into());
        }
        if ignored(column) {
            continue;
        }
        match targets.iter().position(|target| target == column).and_then(|target| places.get_mut(target)) {
            Some(slot) => *slot = Some(place),
            None => {
                let suggestion = crate::ingest::nearest(column, targets.iter().copied());
                let (file, column) = (file.to_owned(), column.clone());
                return Err(ImportError::UnknownColumn { file, column, suggestion }.into());
            }
        }
    }
    Ok(places)
}
