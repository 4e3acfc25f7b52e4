//! The parts of one manifest and of several: which change, and what all of them name.
//!
//! In: manifests. Out: the parts of the next one, where only those are new whose files changed; or the names of
//! everything that some generations consist of, for whoever copies it or removes the rest.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use super::Dataset;
use super::entry::FileEntry;
use super::id::{DatasetId, FileId};
use super::manifest::Manifest;
use super::part::{Part, PartPlace};
use crate::crypto::Digest;
use crate::error::Result;
use crate::store::Store;

/// Files by the part that lists them.
pub(super) type Lists = BTreeMap<PartPlace, Vec<FileEntry>>;

/// The parts of the next manifest: those of its base, but for the ones whose lists are given anew.
pub(super) fn replaced(base: &[Part], lists: Lists) -> Result<Vec<Part>> {
    let stays = |part: &&Part| !lists.contains_key(&part.place);
    let mut parts: Vec<Part> = base.iter().filter(stays).cloned().collect();
    for (place, files) in lists.into_iter().filter(|(_, files)| !files.is_empty()) {
        parts.push(Part::new(place, files)?);
    }
    parts.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(parts)
}

/// Writes those that were not written yet, at the same time: each waits for the disk or the store.
pub(super) fn write(parts: &mut [Part], store: &dyn Store, dataset: &DatasetId) -> Result<()> {
    let new: Vec<&mut Part> = parts.iter_mut().filter(|part| !part.is_written()).collect();
    new.into_par_iter().try_for_each(|part| part.write(store, dataset))
}

/// Reads those that were not read yet, likewise.
pub(super) fn load(parts: &[Part], store: &dyn Store, dataset: &DatasetId) -> Result<()> {
    let left: Vec<&Part> = parts.iter().filter(|part| part.loaded().is_none()).collect();
    if left.is_empty() {
        return Ok(());
    }
    left.into_par_iter().try_for_each(|part| part.load(store, dataset).map(drop))
}

/// One file that generations name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
    /// Whether it is a part of a manifest, neither data nor a document.
    pub(super) is_part: bool,
}

/// Everything that some generations consist of beside their manifests, by name relative to the dataset.
#[derive(Default)]
pub(super) struct NamedFiles {
    pub(super) files: BTreeMap<String, Named>,
    /// Parts that were looked at: most generations share most of theirs.
    parts: HashSet<FileId>,
}

impl NamedFiles {
    /// Adds what a generation names.
    ///
    /// # Errors
    /// A part is missing or not the one that was written: then it is not known what the generation names.
    pub(super) fn add(&mut self, dataset: &Dataset, manifest: &Manifest) -> Result<()> {
        let left = manifest.parts.iter().filter(|part| !self.parts.contains(&part.id));
        let mut left: Vec<Part> = left.cloned().collect();
        dataset.share_parts(&mut left);
        load(&left, dataset.store(), dataset.id())?;
        for part in &left {
            self.parts.insert(part.id);
            self.take(part.file_name(), Named { bytes: part.bytes, sha256: part.sha256, is_part: true });
            for file in part.loaded().unwrap_or_default() {
                self.take_other(file.file_name(), file.bytes, file.sha256);
                if let Some(vector) = &file.deleted {
                    self.take_other(vector.file_name(), vector.bytes, vector.sha256);
                }
            }
        }
        for document in &manifest.documents {
            self.take_other(document.file_name(), document.bytes, document.sha256);
        }
        Ok(())
    }

    fn take_other(&mut self, name: String, bytes: u64, sha256: Digest) {
        self.take(name, Named { bytes, sha256, is_part: false });
    }

    fn take(&mut self, name: String, named: Named) {
        self.files.insert(name, named);
    }
}

/// Lets parts take over what the same parts among others have read.
pub(super) fn share(parts: &mut [Part], known: &[Part]) {
    let known: HashMap<FileId, &Part> = known.iter().map(|part| (part.id, part)).collect();
    for part in parts {
        if let Some(same) = known.get(&part.id) {
            part.share(same);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod forge {
    //! Manifests that say something else, for tests: only somebody with the keys could make them.

    use super::{Dataset, FileEntry, Manifest, PartPlace, replaced, write};

    /// All files of a manifest.
    pub(in crate::dataset) fn files(dataset: &Dataset, manifest: &Manifest) -> Vec<FileEntry> {
        let load = |part: &super::Part| part.load(dataset.store(), dataset.id()).unwrap().to_vec();
        manifest.parts.iter().flat_map(load).collect()
    }

    /// Lets a manifest name these files and no others, in new parts that are written.
    pub(in crate::dataset) fn set_files(dataset: &Dataset, manifest: &mut Manifest, files: Vec<FileEntry>) {
        let mut lists = super::Lists::new();
        for file in files {
            lists.entry(PartPlace::of(&file)).or_default().push(file);
        }
        manifest.parts = replaced(&[], lists).unwrap();
        write(&mut manifest.parts, dataset.store(), dataset.id()).unwrap();
    }
}
