//! Defects that only somebody with the keys could make: the digests fit, the bytes do not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::DataType;
use hyperseg_dsl::schema::{Class, Schema};

use super::DefectKind;
use crate::audit::IntentBody;
use crate::crypto::{Digest, sha256};
use crate::dataset::parts::forge;
use crate::dataset::{Dataset, FileEntry, FileId, InitOptions, ShardInfo, TableId, manifest};
use crate::keyring::KeyClass;
use crate::layout;

struct World {
    _root: tempfile::TempDir,
    dataset: Dataset,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (dir, keyring) = (root.path().join("data"), root.path().join("keys/ring"));
        let (dataset, _) = Dataset::init(&dir, &keyring, InitOptions::default()).unwrap();
        let transaction = dataset.begin().unwrap();
        transaction.set_shards(vec![ShardInfo { contacts: 100 }]);
        let batch = demographic_rows();
        transaction.write_file(TableId::Contact, Class::Demographic, 0, &[batch], 64).unwrap();
        let intent = dataset.audit().unwrap().intent(IntentBody::new("import")).unwrap();
        transaction.commit(&intent).unwrap();
        intent.complete(serde_json::json!({})).unwrap();
        Self { _root: root, dataset }
    }

    /// Changes a byte of the file, and the manifest so that it says the changed bytes are right.
    fn forge(&self, place: usize) -> Vec<DefectKind> {
        let (mut forged, _) = self.dataset.read_manifest(2).unwrap();
        let mut files = forge::files(&self.dataset, &forged);
        let path = self.dataset.location().path().unwrap().join(files[0].file_name());
        let (good, manifest_path) =
            (fs::read(&path).unwrap(), self.dataset.location().path().unwrap().join(manifest::file_name(2)));
        let good_manifest = fs::read(&manifest_path).unwrap();
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let entry = &mut files[0];
        entry.sha256 = Digest(sha256(&bytes));
        let footer = bytes.len() - usize::try_from(entry.footer.bytes).unwrap();
        entry.footer.sha256 = Digest(sha256(&bytes[footer..]));
        forge::set_files(&self.dataset, &mut forged, files);
        fs::remove_file(&manifest_path).unwrap();
        let key = self.dataset.keyring().class_key(KeyClass::Manifest).unwrap();
        manifest::create(self.dataset.store(), key, &forged).unwrap();
        let intent = self.dataset.audit().unwrap().intent(IntentBody::new("verify")).unwrap();
        let report = self.dataset.prove_generation(None, &intent, &|_| {}).unwrap();
        assert_eq!(report.sound, u64::from(report.is_sound()));
        fs::write(&path, &good).unwrap();
        fs::write(&manifest_path, &good_manifest).unwrap();
        report.found.into_keys().collect()
    }
}

/// A hundred rows with something in every column.
pub(super) fn demographic_rows() -> RecordBatch {
    let schema = layout::contact_schema(&Schema::built_in(), Class::Demographic);
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        let rows = 0..100;
        match field.data_type() {
            DataType::UInt32 => Arc::new(UInt32Array::from_iter_values(0..100)),
            DataType::Int16 => Arc::new(Int16Array::from_iter_values(rows.map(|row| row % 2))),
            DataType::Int32 => Arc::new(Int32Array::from_iter_values(0..100)),
            DataType::Int64 => Arc::new(Int64Array::from_iter_values(0..100)),
            DataType::Utf8 => Arc::new(StringArray::from_iter_values(rows.map(|row| (row % 3).to_string()))),
            other => arrow::array::new_null_array(other, 100),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

#[test]
fn every_page_directory_and_footer_is_authenticated_whatever_the_digests_say() {
    let world = World::new();
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = snapshot.files().unwrap()[0];
    let length = usize::try_from(entry.bytes).unwrap();
    let first = entry.columns.iter().map(|column| column.directory.offset).min().unwrap();
    let last =
        entry.columns.iter().map(|column| column.directory.offset + column.directory.bytes).max().unwrap();
    let (first, last) = (usize::try_from(first).unwrap(), usize::try_from(last).unwrap());
    assert!(first > 400 && last < length);
    // Bytes of pages, directories and footer alike; behind the footer stand its length and the magic. The algorithm
    // record before the encrypted footer is plaintext, and only the footer's digest covers all of it.
    let algorithm = last..last + 64;
    let places = (4..length - 8).step_by(length / 24).filter(|place| !algorithm.contains(place));
    for place in places.chain((first..last).step_by((last - first) / 8)) {
        let expected = match place {
            place if place < first => DefectKind::Page,
            place if place < last => DefectKind::PageDirectory,
            _ => DefectKind::Footer,
        };
        let found = world.forge(place);
        assert_eq!(found, [expected], "byte {place} of {length}, directories {first}..{last}");
    }
    assert!(world.dataset.verify(None, None, &|_| {}).unwrap().is_sound());
}

#[test]
fn a_wrapped_key_and_a_row_count_that_lie() {
    let world = World::new();
    let path = world.dataset.location().path().unwrap().join(manifest::file_name(2));
    let good = fs::read(&path).unwrap();
    let key = world.dataset.keyring().class_key(KeyClass::Manifest).unwrap();
    let report = |change_files, change: &dyn Fn(&mut manifest::Manifest, &mut FileEntry)| {
        let (mut forged, _) = world.dataset.read_manifest(2).unwrap();
        let mut files = forge::files(&world.dataset, &forged);
        change(&mut forged, &mut files[0]);
        if change_files {
            forge::set_files(&world.dataset, &mut forged, files);
        }
        fs::remove_file(&path).unwrap();
        manifest::create(world.dataset.store(), key, &forged).unwrap();
        let report = world.dataset.verify(None, None, &|_| {}).unwrap();
        fs::write(&path, &good).unwrap();
        report.found.into_keys().collect::<Vec<_>>()
    };
    let of_file = |change: &dyn Fn(&mut FileEntry)| report(true, &|_, file| change(file));
    assert_eq!(of_file(&|file| file.columns[1].key.0[20] ^= 1), [DefectKind::KeyWrap]);
    assert_eq!(of_file(&|file| file.footer.key.0[0] ^= 1), [DefectKind::KeyWrap]);
    assert_eq!(of_file(&|file| file.rows += 1), [DefectKind::Footer]);
    assert_eq!(of_file(&|file| file.bytes += 1), [DefectKind::Frame]);
    let of_root = |change: &dyn Fn(&mut manifest::Manifest)| report(false, &|forged, _| change(forged));
    assert_eq!(of_root(&|forged| forged.parts[0].rows += 1), [DefectKind::Part]);
    assert_eq!(of_root(&|forged| forged.parts[0].at_max = Some(7)), [DefectKind::Part]);
    assert_eq!(of_root(&|forged| forged.parts[0].place.class = Class::Identity), [DefectKind::Part]);
    assert_eq!(of_root(&|forged| forged.parts[0].id = FileId::random()), [DefectKind::Missing]);
    assert_eq!(of_root(&|forged| forged.previous = None), [DefectKind::Manifest]);
    assert_eq!(of_root(&|forged| forged.generation = 2), [] as [DefectKind; 0]);
}
