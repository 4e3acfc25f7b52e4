//! Files and scopes: rows come back, and only the columns asked for are opened.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use bytes::Bytes;
use hyperseg_dsl::schema::{Class, Schema};
use hyperseg_storage::dataset::{Dataset, FileEntry, ShardInfo, Snapshot, TableId};
use hyperseg_storage::layout;
use hyperseg_storage::scope::KeyScope;
use hyperseg_storage::{Error, ErrorKind};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::file::metadata::PageIndexPolicy;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::world::{World, batch, contacts, of_table, record, records};

fn read(world: &World, snapshot: &Arc<Snapshot>, entry: &FileEntry, columns: &[&str]) -> RecordBatch {
    let intent = world.intent("count");
    let wants = vec![(entry.id, columns.iter().map(|&name| name.to_owned()).collect())];
    let scope = KeyScope::arm(&world.dataset, snapshot, &intent, wants).unwrap();
    let rows = scope.read(&world.dataset, entry, columns, None).unwrap();
    let schema = Arc::clone(rows.schema());
    let batches: Vec<RecordBatch> = rows.map(Result::unwrap).collect();
    assert!(scope.refused().is_empty());
    concat_batches(&schema, &batches).unwrap()
}

fn all_columns(entry: &FileEntry) -> Vec<String> {
    let mut names: Vec<String> = entry.columns.iter().map(|column| column.top_level().to_owned()).collect();
    names.dedup();
    names
}

#[test]
fn every_table_and_class_reads_back() {
    let world = World::new();
    let schema = Schema::built_in();
    let transaction = world.dataset.begin().unwrap();
    transaction.set_shards(vec![ShardInfo { contacts: 70 }]);
    let mut written = Vec::new();
    for class in layout::contact_classes(&schema) {
        written.push((TableId::Contact, class, contacts(class, 70)));
    }
    for kind in &schema.records {
        written.push((record(&kind.name), kind.class, records(&kind.name, 70)));
    }
    // importers write from several threads
    written.par_iter().for_each(|(table, class, rows)| {
        transaction
            .write_file(table.clone(), *class, 0, &[rows.slice(0, 50), rows.slice(50, 20)], 32)
            .unwrap();
    });
    let snapshot = transaction.commit(&world.intent("import")).unwrap();
    assert_eq!(snapshot.files().unwrap().len(), written.len());
    for (table, class, rows) in &written {
        let entry = of_table(&snapshot, table, *class);
        let names = all_columns(entry);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = read(&world, &snapshot, entry, &names);
        assert_eq!(found.columns(), rows.columns(), "{table} {class}");
    }
    let report = world.dataset.verify(None, None, &|_| {}).unwrap();
    assert_eq!(report.defects, []);
    let files = written.len() as u64;
    assert_eq!((report.generation, report.manifests, report.files, report.sound), (Some(2), 2, files, files));
    assert_eq!((report.rows, report.rows_read), (70 * files, 70 * files));
    let leaves: usize = snapshot.files().unwrap().into_iter().map(|file| file.columns.len()).sum();
    assert_eq!((report.keys, report.page_directories), (leaves as u64 + files, leaves as u64));
    assert_eq!(report.column_chunks, 3 * leaves as u64, "three row groups of 32 rows");
    assert!(report.pages >= report.column_chunks && report.unopened.is_empty());
}

#[test]
fn columns_outside_the_scope_stay_sealed() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = of_table(&snapshot, &TableId::Contact, Class::Demographic);
    let intent = world.intent("count");
    let wants = vec![(entry.id, vec!["ord".to_owned(), "spoken_languages".to_owned()])];
    let scope = KeyScope::arm(&world.dataset, &snapshot, &intent, wants).unwrap();

    let rows: usize = scope
        .read(&world.dataset, entry, &["spoken_languages", "ord"], Some(std::iter::once(200..400).collect()))
        .unwrap()
        .map(|batch| batch.unwrap().num_rows())
        .sum();
    assert_eq!(rows, 200, "the second page");
    assert_eq!(scope.refused(), []);
    assert_eq!(
        scope.sealed().len(),
        entry.columns.len() - 2,
        "every other leaf was refused to the footer's parser"
    );

    let unlocked = scope.unlocked();
    let names: Vec<_> = unlocked.iter().map(|column| column.column.as_str()).collect();
    assert_eq!(names, ["ord", "spoken_languages"]);
    assert!(unlocked.iter().all(|column| column.class == Class::Demographic && column.files == [entry.id]));
    assert!(unlocked.iter().all(|column| column.key_ids.len() == 1));

    let error = scope.read(&world.dataset, entry, &["birth_date"], None).unwrap_err();
    assert!(matches!(&error, Error::Sealed { column, .. } if column == "birth_date"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unauthorised);

    // a reader that goes around `read` gets no further
    let open = scope.open(&world.dataset, entry).unwrap();
    assert!(open.directory("ord").is_some());
    assert!(open.directory("birth_date").is_none(), "what its pages hold is sealed with it");
    let metadata = Arc::clone(open.metadata());
    let leaf = entry.columns.iter().position(|column| column.name == "birth_date").unwrap();
    assert!(metadata.row_group(0).column(leaf).statistics().is_none());
    let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()).unwrap();
    let input = File::open(world.path(entry)).unwrap();
    let mask = ProjectionMask::columns(metadata.parquet_schema(), ["birth_date"]);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata).with_projection(mask);
    let failed = match builder.build() {
        Ok(mut reader) => reader.next().is_none_or(|batch| batch.is_err()),
        Err(_) => true,
    };
    assert!(failed);
    assert_eq!(scope.refused(), [(entry.id, "birth_date".to_owned())]);
}

/// Whatever columns are asked for: exactly their keys are unwrapped, and every other one is refused.
#[test]
fn what_is_unlocked_is_what_was_asked_for() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let intent = world.intent("count");
    let mut random: u64 = 42;
    for round in 0..60 {
        let entry = snapshot.files().unwrap()[round % snapshot.files().unwrap().len()];
        let all = all_columns(entry);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let asked = |place: &usize| random >> (16 + place) & 1 == 1;
        let (wanted, other): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(asked);
        let names: Vec<&str> = wanted.iter().map(|place| all[*place].as_str()).collect();
        let wants = vec![(entry.id, names.iter().map(|&name| name.to_owned()).collect())];
        let scope = KeyScope::arm(&world.dataset, &snapshot, &intent, wants).unwrap();
        let rows = scope.read(&world.dataset, entry, &names, None).unwrap();
        assert_eq!(rows.map(|batch| batch.unwrap().num_rows() as u64).sum::<u64>(), entry.rows);

        let mut unlocked: Vec<String> = scope.unlocked().into_iter().map(|column| column.column).collect();
        unlocked.sort_unstable_by_key(|name| all.iter().position(|column| column == name));
        assert_eq!(unlocked, names);
        let sealed = scope.sealed();
        let sealed: BTreeSet<&str> = sealed.iter().map(|(_, leaf)| leaf.split('.').next().unwrap()).collect();
        assert_eq!(sealed, other.iter().map(|place| all[*place].as_str()).collect());
        assert_eq!(scope.refused(), []);
    }
}

/// What the engine does: Parquet's own reader over our metadata, one projection.
#[test]
fn parquets_reader_decodes_armed_columns() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = of_table(&snapshot, &record("email_open"), Class::Behavioural);
    let intent = world.intent("count");
    let wants = vec![(entry.id, vec!["ord".to_owned(), "at".to_owned()])];
    let scope = KeyScope::arm(&world.dataset, &snapshot, &intent, wants).unwrap();
    let metadata = Arc::clone(scope.open(&world.dataset, entry).unwrap().metadata());
    assert!(metadata.column_index().is_none(), "bounds are in the page directories");
    assert!(metadata.num_row_groups() > 1);
    let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()).unwrap();
    let mask = ProjectionMask::columns(metadata.parquet_schema(), ["ord", "at"]);
    let input = File::open(world.path(entry)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata)
        .with_projection(mask.clone())
        .build()
        .unwrap();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 1_000);
    assert_eq!(scope.refused(), []);

    // reading the footer with the properties alone works as well; there is no page index to load
    for (policy, works) in [(PageIndexPolicy::Skip, true), (PageIndexPolicy::Required, true)] {
        let options = ArrowReaderOptions::new()
            .with_page_index_policy(policy)
            .with_file_decryption_properties(scope.decryption(entry).unwrap());
        let loaded = ArrowReaderMetadata::load(&File::open(world.path(entry)).unwrap(), options);
        assert_eq!(loaded.is_ok(), works, "{policy:?}");
    }
}

#[test]
fn statistics_of_files_are_those_of_their_rows() {
    let world = World::filled();
    let snapshot = world.dataset.snapshot().unwrap();
    let entry = of_table(&snapshot, &record("email_open"), Class::Behavioural);
    assert_eq!((entry.rows, entry.at_min, entry.at_max), (1_000, Some(0), Some(499 * 4_000)));
    assert_eq!(snapshot.records("email_open"), 1_000);
    assert_eq!(snapshot.records("condition"), 0);
    assert_eq!(snapshot.contacts(), 1_000);
    assert_eq!(snapshot.contact_files(Class::Identity, 0).unwrap().count(), 1);
    assert_eq!(snapshot.contact_files(Class::Identity, 1).unwrap().count(), 0);
    assert_eq!(snapshot.record_files("email_open", 0, &[Class::Behavioural]).unwrap().count(), 1);
    assert_eq!(snapshot.record_files("email_open", 0, &[Class::Clinical]).unwrap().count(), 0);
}

#[test]
fn wrong_batches_are_refused_by_name() {
    let world = World::new();
    let transaction = world.dataset.begin().unwrap();
    let good = contacts(Class::Identity, 3);
    let cases: [(TableId, Class, RecordBatch); 5] = [
        (record("email_open"), Class::Hiv, records("email_open", 3)),
        (record("email_open"), Class::Behavioural, good.clone()),
        (record("unheard_of"), Class::Behavioural, good.clone()),
        (TableId::Contact, Class::Consent, good.clone()),
        (TableId::Contact, Class::Identity, good.project(&[0, 1]).unwrap()),
    ];
    for (table, class, rows) in cases {
        let error = transaction.write_file(table.clone(), class, 0, &[rows], 10).unwrap_err();
        assert!(
            matches!(&error, Error::Mismatch { table: place, .. } if *place == table.to_string()),
            "{error}"
        );
    }
    // a shard that is not there
    transaction.write_file(TableId::Contact, Class::Identity, 7, &[good], 10).unwrap();
    let error = transaction.commit(&world.intent("import")).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert_eq!(std::fs::read_dir(world.dir.join("data")).unwrap().count(), 0, "nothing stays");
}

#[test]
fn a_file_opens_only_in_its_own_dataset() {
    let (one, other) = (World::filled(), World::filled());
    let snapshot = one.dataset.snapshot().unwrap();
    let foreign = other.dataset.snapshot().unwrap();
    let intent = one.intent("count");
    let entry = foreign.files().unwrap()[0];
    let wants = vec![(entry.id, vec!["ord".to_owned()])];
    let error = KeyScope::arm(&one.dataset, &snapshot, &intent, wants.clone()).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    let error = KeyScope::arm(&one.dataset, &foreign, &intent, wants).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error}");
}

/// Why `PARE` is demanded before Parquet sees a file: with decryption properties its reader takes plaintext as well.
#[test]
fn upstream_parquet_accepts_plaintext_when_told_to_decrypt() {
    let rows = batch(&layout::contact_schema(&Schema::built_in(), Class::Identity), 5);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let decryption = FileDecryptionProperties::builder(vec![7; 32]).with_aad_prefix(vec![1]).build().unwrap();
    let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(bytes), options).unwrap();
    assert_eq!(reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 5);
}

#[test]
fn public_types_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Dataset>();
    shared::<Snapshot>();
    shared::<KeyScope>();
    shared::<hyperseg_storage::dataset::Transaction>();
    shared::<hyperseg_storage::file::DataFile>();
}
