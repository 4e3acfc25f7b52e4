//! What a segment file refers to: CSV files in its folder, and what the dataset holds beside its data.
//!
//! The dataset is opened when the first lookup asks for it, so that commands which need none go on to need none.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use hyperseg_dsl::lookups::{FILE_BYTES_MAX, Hierarchy, Lookups, Places, Refusal, StoredCodes, StoredStages};
use hyperseg_dsl::schema::CodeSystem;
use hyperseg_storage::{Dataset, StoredLookups};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Lookups of one segment file.
pub struct FileLookups<'a> {
    /// Folder of the segment file; none for standard input.
    folder: Option<PathBuf>,
    /// Where a dataset can be had from.
    context: Option<&'a Context>,
    stored: OnceCell<Result<StoredLookups, Refusal>>,
}

impl<'a> FileLookups<'a> {
    /// Of a segment file, `-` for standard input. The dataset that the context names is opened when it is asked for.
    pub fn lazy(file: &str, context: &'a Context) -> Self {
        Self { folder: folder_of(file), context: Some(context), stored: OnceCell::new() }
    }

    /// Of a segment file against an open dataset.
    pub fn of(file: &str, dataset: &Dataset) -> Outcome<Self> {
        let stored = StoredLookups::new(dataset, BTreeMap::new())?;
        Ok(Self { folder: folder_of(file), context: None, stored: OnceCell::from(Ok(stored)) })
    }

    fn stored(&self) -> Result<&StoredLookups, Refusal> {
        let open = || {
            let Some(context) = self.context.filter(|context| context.has_dataset()) else {
                return Err(
                    Refusal::new("no dataset is named").help("name the dataset that holds it with -d DIR")
                );
            };
            let opened =
                context.open().and_then(|dataset| Ok(StoredLookups::new(&dataset, BTreeMap::new())?));
            opened.map_err(|failure| Refusal {
                damaged: failure.exit == Exit::Integrity,
                ..Refusal::new(failure.message)
            })
        };
        self.stored.get_or_init(open).as_ref().map_err(Clone::clone)
    }
}

/// A lookup that cannot be had, as a command is told that asked for it by itself.
pub fn refused(refusal: &Refusal) -> Failure {
    let exit = if refusal.damaged { Exit::Integrity } else { Exit::Runtime };
    let failure = Failure::new(exit, refusal.what.clone());
    match &refusal.help {
        Some(help) => failure.hint(help.clone()),
        None => failure,
    }
}

fn folder_of(file: &str) -> Option<PathBuf> {
    (file != "-").then(|| Path::new(file).parent().map(Path::to_path_buf).unwrap_or_default())
}

impl Lookups for FileLookups<'_> {
    fn file(&self, name: &str) -> Result<Arc<str>, Refusal> {
        let Some(folder) = &self.folder else {
            return Err(Refusal::new("a segment from standard input has no folder to look in")
                .help("write the segment into a file beside it"));
        };
        let path = Path::new(name);
        let relative = |part| matches!(part, Component::Normal(_) | Component::CurDir | Component::ParentDir);
        if !path.components().all(relative) {
            return Err(Refusal::new("files are named relative to the folder of the segment file")
                .help("write the name without a leading `/`"));
        }
        let path = folder.join(path);
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Refusal::new("there is no such file")
                .help("files are looked for in the folder of the segment file"),
            kind => Refusal::new(kind.to_string()),
        };
        // A pipe or device would be waited for without end.
        if !std::fs::metadata(&path).map_err(failed)?.is_file() {
            return Err(Refusal::new("it is not a file"));
        }
        let file = std::fs::File::open(&path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Refusal::new(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| Refusal::new("it is not UTF-8 text").help("save it as CSV in UTF-8"))?;
        Ok(text.into())
    }

    fn valueset(&self, name: &str) -> Result<Option<Arc<StoredCodes>>, Refusal> {
        self.stored()?.valueset(name)
    }

    fn has_dataset(&self) -> bool {
        self.context.is_none_or(Context::has_dataset)
    }

    fn valueset_names(&self) -> Vec<String> {
        self.stored().map(StoredLookups::valueset_names).unwrap_or_default()
    }

    fn hierarchy(&self, system: CodeSystem) -> Result<Option<Arc<Hierarchy>>, Refusal> {
        self.stored()?.hierarchy(system)
    }

    fn places(&self) -> Result<Option<Arc<Places>>, Refusal> {
        self.stored()?.places()
    }

    fn stages(&self) -> Result<Option<Arc<StoredStages>>, Refusal> {
        self.stored()?.stages()
    }
}
