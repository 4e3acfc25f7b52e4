//! Writing an encrypted data file.
//!
//! In: record batches with the columns of [`crate::layout`]. Out: a durable file and its manifest entry, after the
//! file was read back: magic, footer, every chunk encrypted under its own key, digest. A file that does not pass is
//! removed. There is no way to write plaintext here: the properties are built with a key for each leaf column, and
//! Parquet would leave a column without a key in the clear.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use hyperseg_dsl::schema::Schema;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::schema::types::SchemaDescriptor;

use super::columns::properties;
use super::keys::{FOOTER_KEY, Place};
use super::{DataFile, footer};
use crate::crypto::{DataKey, Digest, SealingKey, sha256};
use crate::dataset::durable::{self, TEMPORARY};
use crate::dataset::{ColumnEntry, FileEntry, FooterEntry};
use crate::error::{Error, Result};

const BUFFER_LEN: usize = 1 << 20;

/// Writes one file.
pub(crate) struct FileWriter<'a> {
    /// Directory of the dataset.
    pub(crate) dataset: &'a Path,
    /// Place of the new file.
    pub(crate) place: Place,
    /// Key of the place's class.
    pub(crate) class_key: &'a SealingKey,
    /// Logical schema, for the choice of encodings.
    pub(crate) schema: &'a Schema,
}

impl FileWriter<'_> {
    /// Writes batches, all of `columns`, and gives the entry of the durable file.
    pub(crate) fn write(
        self,
        columns: &SchemaRef,
        batches: &[RecordBatch],
        rows_per_group: usize,
    ) -> Result<FileEntry> {
        let name = self.place.file.file_name();
        let path = self.dataset.join(&name);
        let temporary = self.dataset.join(format!("data/{TEMPORARY}{}", self.place.file));
        let written = self.write_to(&temporary, &name, columns, batches, rows_per_group).and_then(|entry| {
            fs::rename(&temporary, &path).map_err(|error| Error::io("rename", name, error))?;
            Ok(entry)
        });
        if written.is_err() {
            // the error that is on its way says more than one of the removal would
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn write_to(
        &self,
        path: &Path,
        name: &str,
        columns: &SchemaRef,
        batches: &[RecordBatch],
        rows_per_group: usize,
    ) -> Result<FileEntry> {
        let keys = Keys::generate(columns, &self.place)?;
        let rows = self.encode(path, name, columns, batches, rows_per_group, &keys)?;
        let file = DataFile::open_encrypted(path, name.to_owned())?;
        let footer_range = file.footer_range()?;
        let footer_bytes = file.read(footer_range.clone())?;
        let (at_min, at_max) = at_range(batches).unzip();
        let entry = FileEntry {
            id: self.place.file,
            table: self.place.table.clone(),
            class: self.place.class,
            shard: self.place.shard,
            rows,
            bytes: file.len(),
            sha256: Digest(file.digest()?),
            at_min,
            at_max,
            columns: keys.wrap_columns(&self.place, self.class_key)?,
            generation: self.place.generation,
            footer: FooterEntry {
                bytes: footer_range.end - footer_range.start,
                sha256: Digest(sha256(&footer_bytes)),
                key: self.place.wrap(self.class_key, FOOTER_KEY, &keys.footer)?,
            },
            key_id: *self.class_key.id(),
        };
        footer::parse(&file, &entry, &keys.decryption(&self.place)?)?;
        Ok(entry)
    }

    fn encode(
        &self,
        path: &Path,
        name: &str,
        columns: &SchemaRef,
        batches: &[RecordBatch],
        rows_per_group: usize,
        keys: &Keys,
    ) -> Result<u64> {
        let sample = batches.first().cloned().unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(columns)));
        let encryption = keys.encryption(&self.place)?;
        let properties =
            properties(self.schema, &self.place.table, self.place.class, &sample, rows_per_group, encryption);
        let sink = Sink::create(path, name)?;
        let failed = Arc::clone(&sink.failed);
        // Parquet's messages can quote values; the operating system's error is the only one worth more than a name
        let fail = |_| match failed.lock().ok().and_then(|mut cause| cause.take()) {
            Some(cause) => Error::io("write", name, cause),
            None => mismatch(&self.place, "the rows cannot be written as Parquet"),
        };
        let mut writer = ArrowWriter::try_new(sink, Arc::clone(columns), Some(properties)).map_err(fail)?;
        let mut rows = 0;
        for batch in batches {
            writer.write(batch).map_err(fail)?;
            rows += batch.num_rows() as u64;
        }
        let sink = writer.into_inner().map_err(fail)?;
        sink.finish().map_err(|error| Error::io("write", name, error))?;
        Ok(rows)
    }
}

/// Smallest and largest `at` of record batches.
pub(crate) fn at_range(batches: &[RecordBatch]) -> Option<(i64, i64)> {
    let columns = batches.iter().filter_map(|batch| batch.column_by_name("at"));
    let values = columns.filter_map(|column| column.as_primitive_opt::<Int64Type>());
    values
        .filter_map(|values| Some((arrow::compute::min(values)?, arrow::compute::max(values)?)))
        .reduce(|(low, high), (min, max)| (low.min(min), high.max(max)))
}

fn mismatch(place: &Place, what: &str) -> Error {
    Error::Mismatch { table: place.table.to_string(), what: what.to_owned() }
}

/// The data keys of a file that is being written.
struct Keys {
    footer: DataKey,
    columns: Vec<(String, DataKey)>,
}

impl Keys {
    /// A fresh key for the footer and for every leaf that Parquet will write.
    fn generate(columns: &SchemaRef, place: &Place) -> Result<Self> {
        let parquet: SchemaDescriptor = ArrowSchemaConverter::new()
            .convert(columns)
            .map_err(|_| mismatch(place, "the columns have no form in Parquet"))?;
        let columns = parquet.columns().iter().map(|leaf| Ok((leaf.path().string(), DataKey::generate()?)));
        Ok(Self { footer: DataKey::generate()?, columns: columns.collect::<Result<_>>()? })
    }

    fn encryption(&self, place: &Place) -> Result<Arc<FileEncryptionProperties>> {
        let mut builder = FileEncryptionProperties::builder(self.footer.to_parquet())
            .with_plaintext_footer(false)
            .with_footer_key_metadata(FOOTER_KEY.into())
            .with_aad_prefix(place.aad_prefix())
            .with_aad_prefix_storage(false);
        for (name, key) in &self.columns {
            builder = builder.with_column_key_and_metadata(name, key.to_parquet(), name.as_bytes().to_vec());
        }
        builder.build().map_err(|_| mismatch(place, "the columns cannot be encrypted"))
    }

    fn decryption(&self, place: &Place) -> Result<Arc<FileDecryptionProperties>> {
        let mut builder =
            FileDecryptionProperties::builder(self.footer.to_parquet()).with_aad_prefix(place.aad_prefix());
        for (name, key) in &self.columns {
            builder = builder.with_column_key(name, key.to_parquet());
        }
        builder.build().map_err(|_| mismatch(place, "the columns cannot be decrypted"))
    }

    fn wrap_columns(&self, place: &Place, class_key: &SealingKey) -> Result<Vec<ColumnEntry>> {
        let wrap = |(name, key): &(String, DataKey)| {
            Ok(ColumnEntry { name: name.clone(), key: place.wrap(class_key, name, key)? })
        };
        self.columns.iter().map(wrap).collect()
    }
}

/// The file under the writer. It keeps the operating system's error, which Parquet may turn into text.
struct Sink {
    file: BufWriter<File>,
    failed: Arc<Mutex<Option<io::Error>>>,
}

impl Sink {
    fn create(path: &Path, name: &str) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(durable::FILE_MODE).open(path);
        let file = file.map_err(|error| Error::io("create", name, error))?;
        Ok(Self { file: BufWriter::with_capacity(BUFFER_LEN, file), failed: Arc::default() })
    }

    fn finish(self) -> io::Result<()> {
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    fn keep<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            if let Ok(mut failed) = self.failed.lock() {
                failed.get_or_insert(error);
            }
            kind.into()
        })
    }
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let result = self.file.write(buffer);
        self.keep(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.flush();
        self.keep(result)
    }
}
