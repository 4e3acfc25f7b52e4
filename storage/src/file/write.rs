//! Writing an encrypted data file.
//!
//! In: record batches with the columns of [`crate::layout`]. Out: a durable file and its manifest entry, after its
//! magic and footer were read back: every chunk is encrypted under its own key. A file that does not pass is removed.
//! There is no way to write plaintext here: the properties are built with a key for each leaf column, and Parquet
//! would leave a column without a key in the clear.
//!
//! ```text
//! PARE ‖ row groups: column chunks: pages ‖ one sealed page directory per column ‖ encrypted footer ‖ length ‖ PARE
//! ```
//!
//! Columns of a row group are encoded, compressed and encrypted in parallel.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use hyperseg_dsl::schema::Schema;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;
use rayon::prelude::*;

use super::columns::{bounds_of_texts, page_rows, properties, sample};
use super::directory::{PageDirectory, PagePlace};
use super::keys::{FOOTER_KEY, Place};
use super::{DataFile, footer, form};
use crate::crypto::{DataKey, Digest, SealingKey, Sha256Stream, sha256};
use crate::dataset::{ColumnEntry, FileEntry, FooterEntry, Section};
use crate::error::{Error, Result};
use crate::layout::{AT, CHANGED_AT};
use crate::store::{Draft, Store, TEMPORARY};

const BUFFER_LEN: usize = 1 << 20;

/// Writes one file.
pub(crate) struct FileWriter<'a> {
    /// Where the dataset lies.
    pub(crate) store: &'a dyn Store,
    /// Place of the new file.
    pub(crate) place: Place,
    /// Key of the place's class.
    pub(crate) class_key: &'a SealingKey,
    /// Logical schema, for the choice of encodings.
    pub(crate) schema: &'a Schema,
    /// Rows of a page and of a block of the page directory, at most.
    pub(crate) page_rows: u32,
}

/// What the encoder knows of a file it has written.
struct Written {
    rows: u64,
    bytes: u64,
    sha256: [u8; 32],
    /// Smallest and largest `at`.
    at_range: Option<(i64, i64)>,
    /// Sealed page directory of each leaf.
    directories: Vec<Section>,
}

/// Batches that are there together, again and again. Columns of those that come together are encoded side by side; of
/// what came before only the encoded pages of an open row group are held. The first that are there decide encodings.
pub(crate) type Pieces<'b> = dyn Iterator<Item = Result<Vec<RecordBatch>>> + 'b;

impl FileWriter<'_> {
    /// Writes batches, all of `columns`, as they come, and gives the entry of the durable file.
    pub(crate) fn write(
        mut self,
        columns: &SchemaRef,
        pieces: &mut Pieces<'_>,
        rows_per_group: usize,
    ) -> Result<FileEntry> {
        self.page_rows = page_rows(self.schema, &self.place.table, self.page_rows);
        let name = self.place.file.file_name();
        let name = name.as_str();
        let columns = &form::written_schema(columns, &self.place.table);
        let keys = Keys::generate(columns, &self.place)?;
        let temporary = format!("data/{TEMPORARY}{}", self.place.file);
        // Dropped on the way, the file is removed.
        let draft = self.store.draft(Some(&temporary), name)?;
        let (draft, written) = self.encode(draft, name, columns, pieces, rows_per_group, &keys)?;
        let file = DataFile::open_encrypted(self.store, draft.name(), name.to_owned())?;
        if file.len() != written.bytes {
            return Err(Error::corrupt(name, "it is not as long as what was written"));
        }
        let footer_range = file.footer_range()?;
        let footer_bytes = file.read(footer_range.clone())?;
        let (at_min, at_max) = written.at_range.unzip();
        let entry = FileEntry {
            id: self.place.file,
            table: self.place.table.clone(),
            class: self.place.class,
            shard: self.place.shard,
            rows: written.rows,
            page_rows: self.page_rows,
            bytes: written.bytes,
            sha256: Digest(written.sha256),
            at_min,
            at_max,
            columns: keys.wrap_columns(&self.place, self.class_key, &written.directories)?,
            generation: self.place.generation,
            footer: FooterEntry {
                bytes: footer_range.end - footer_range.start,
                sha256: Digest(sha256(&footer_bytes)),
                key: self.place.wrap(self.class_key, FOOTER_KEY, &keys.footer)?,
            },
            key_id: *self.class_key.id(),
            overlay: false,
            wiped: 0,
            deleted: None,
        };
        footer::parse(&file, &entry, &keys.decryption(&self.place)?)?;
        draft.publish().map_err(|error| Error::io("rename", name, error))?;
        Ok(entry)
    }

    fn encode(
        &self,
        draft: Box<dyn Draft>,
        name: &str,
        columns: &SchemaRef,
        pieces: &mut Pieces<'_>,
        rows_per_group: usize,
        keys: &Keys,
    ) -> Result<(Box<dyn Draft>, Written)> {
        let mut next = pieces.next().transpose()?;
        let sample = next.as_ref().and_then(|batches| sample(&self.place.table, batches));
        let sample = sample.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(columns)));
        let columns = &form::with_sparse(columns, &self.place.table, &sample);
        let encryption = keys.encryption(&self.place)?;
        let properties =
            properties(self.schema, &self.place, &sample, rows_per_group, self.page_rows, encryption);
        drop(sample);
        let sink = Sink::new(draft);
        let failed = Arc::clone(&sink.failed);
        // Parquet's messages can quote values; the operating system's error is the only one worth more than a name
        let fail = |_| match failed.lock().ok().and_then(|mut cause| cause.take()) {
            Some(cause) => Error::io("write", name, cause),
            None => unwritable(&self.place),
        };
        let writer = ArrowWriter::try_new(sink, Arc::clone(columns), Some(properties)).map_err(fail)?;
        let (mut writer, factory) = writer.into_serialized_writer().map_err(fail)?;
        let mut directories = vec![PageDirectory::default(); keys.columns.len()];
        let mut rows = 0;
        let mut at_range = None;
        let mut group = Group { number: 0, rows: 0, encoders: Vec::new() };
        while let Some(batches) = next {
            at_range = wider(at_range, self::at_range(&batches));
            for piece in row_groups(&batches, rows_per_group, group.rows) {
                if group.rows == 0 {
                    group.encoders = factory.create_column_writers(group.number).map_err(fail)?;
                }
                self.encode_rows(columns, &piece, rows, &mut group.encoders, &mut directories)?;
                let length = piece.iter().map(RecordBatch::num_rows).sum::<usize>();
                rows += length as u64;
                group.rows += length;
                if group.rows == rows_per_group {
                    self.close_group(&mut writer, &mut group, &mut directories, &fail)?;
                }
            }
            drop(batches);
            next = pieces.next().transpose()?;
        }
        if group.rows > 0 {
            self.close_group(&mut writer, &mut group, &mut directories, &fail)?;
        }
        let directories = self.write_directories(&mut writer, keys, &directories).map_err(|error| {
            failed
                .lock()
                .ok()
                .and_then(|mut cause| cause.take())
                .map_or(error, |io| Error::io("write", name, io))
        })?;
        let sink = writer.into_inner().map_err(fail)?;
        let (draft, bytes, sha256) = sink.finish().map_err(|error| Error::io("write", name, error))?;
        Ok((draft, Written { rows, bytes, sha256, at_range, directories }))
    }

    /// Ends a row group: its chunks go to the file, and the directories learn where their pages lie.
    fn close_group(
        &self,
        writer: &mut SerializedFileWriter<Sink>,
        group: &mut Group,
        directories: &mut [PageDirectory],
        fail: &dyn Fn(ParquetError) -> Error,
    ) -> Result<()> {
        let lost = || mismatch(&self.place, "the encoder does not say where its pages lie");
        let mut row_group = writer.next_row_group().map_err(fail)?;
        let encoders = std::mem::take(&mut group.encoders);
        let chunks = encoders.into_par_iter().map(ArrowColumnWriter::close).collect::<Vec<_>>();
        for (chunk, directory) in chunks.into_iter().zip(directories.iter_mut()) {
            let mut chunk = chunk.map_err(|_| unwritable(&self.place))?;
            // Parquet's own index of pages could only be read with the keys of all columns.
            let index = chunk.close_mut().offset_index.take().ok_or_else(lost)?;
            let pages = index.page_locations.iter().map(|page| {
                let bytes = u32::try_from(page.compressed_page_size).ok()?;
                Some(PagePlace { offset: 0, bytes, first_row: u32::try_from(page.first_row_index).ok()? })
            });
            directory.groups.push(pages.collect::<Option<_>>().ok_or_else(lost)?);
            chunk.append_to_row_group(&mut row_group).map_err(fail)?;
        }
        row_group.close().map_err(fail)?;
        locate(writer, group.number, directories).ok_or_else(lost)?;
        group.number += 1;
        group.rows = 0;
        Ok(())
    }

    /// Encodes the columns of rows of one row group, which come after so many of the file, in parallel and adds their
    /// blocks to the directories.
    fn encode_rows(
        &self,
        columns: &SchemaRef,
        batches: &[RecordBatch],
        before: u64,
        encoders: &mut [ArrowColumnWriter],
        directories: &mut [PageDirectory],
    ) -> Result<()> {
        let failed = |_| unwritable(&self.place);
        if encoders.len() != columns.fields().len() {
            return Err(mismatch(&self.place, "a column has more than one leaf"));
        }
        let block_rows = self.page_rows as usize;
        let work =
            encoders.par_iter_mut().zip(directories.par_iter_mut()).zip(columns.fields().as_ref().par_iter());
        work.enumerate().try_for_each(|(place, ((encoder, directory), field))| {
            let texts = bounds_of_texts(self.schema, &self.place.table, field.name());
            let mut before = before;
            for batch in batches {
                let Some(values) = batch.columns().get(place) else { continue };
                directory.push_blocks(values, before, block_rows, texts);
                before += values.len() as u64;
                let written = form::write(values, field)
                    .ok_or_else(|| mismatch(&self.place, "a value does not fit the layout"))?;
                for leaf in compute_leaves(field, &written).map_err(failed)? {
                    encoder.write(&leaf).map_err(failed)?;
                }
            }
            Ok(())
        })
    }

    /// Seals the directory of each column behind the pages.
    fn write_directories(
        &self,
        writer: &mut SerializedFileWriter<Sink>,
        keys: &Keys,
        directories: &[PageDirectory],
    ) -> Result<Vec<Section>> {
        let mut sections = Vec::with_capacity(directories.len());
        for ((name, key), directory) in keys.columns.iter().zip(directories) {
            let plain = directory.encode().ok_or_else(|| mismatch(&self.place, "it has too many pages"))?;
            let sealed = key.seal(self.place.directory_aad(name).as_bytes(), &plain)?;
            sections.push(Section { offset: writer.bytes_written() as u64, bytes: sealed.len() as u64 });
            writer
                .write_all(&sealed)
                .map_err(|error| Error::io("write", self.place.file.file_name(), error))?;
        }
        Ok(sections)
    }
}

/// A row group that is being written.
struct Group {
    number: usize,
    rows: usize,
    encoders: Vec<ArrowColumnWriter>,
}

/// The batches cut where row groups end; the first of these has some rows already.
fn row_groups(batches: &[RecordBatch], rows_per_group: usize, rows: usize) -> Vec<Vec<RecordBatch>> {
    let mut groups: Vec<Vec<RecordBatch>> = vec![Vec::new()];
    let mut room = rows_per_group - rows.min(rows_per_group);
    for batch in batches {
        let mut start = 0;
        while start < batch.num_rows() {
            if room == 0 {
                groups.push(Vec::new());
                room = rows_per_group;
            }
            let length = room.min(batch.num_rows() - start);
            if let Some(group) = groups.last_mut() {
                group.push(batch.slice(start, length));
            }
            start += length;
            room -= length;
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Gives the pages of a row group that was just written their offsets: data pages are what ends its chunks.
fn locate(
    writer: &SerializedFileWriter<Sink>,
    group: usize,
    directories: &mut [PageDirectory],
) -> Option<()> {
    let chunks = writer.flushed_row_groups().get(group)?.columns();
    for (chunk, directory) in chunks.iter().zip(directories) {
        let (start, length) = chunk.byte_range();
        let pages = directory.groups.last_mut()?;
        let data: u64 = pages.iter().map(|page| u64::from(page.bytes)).sum();
        let mut offset = start + length.checked_sub(data)?;
        for page in pages {
            page.offset = offset;
            offset += u64::from(page.bytes);
        }
    }
    Some(())
}

/// The range that both are in.
fn wider(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, other) {
        (Some((low, high)), Some((min, max))) => Some((low.min(min), high.max(max))),
        (one, other) => one.or(other),
    }
}

/// Smallest and largest `at` of record batches.
fn at_range(batches: &[RecordBatch]) -> Option<(i64, i64)> {
    // Of records, or of changes; contacts have neither.
    let columns =
        batches.iter().filter_map(|batch| batch.column_by_name(AT).or(batch.column_by_name(CHANGED_AT)));
    let values = columns.filter_map(|column| column.as_primitive_opt::<Int64Type>());
    values
        .filter_map(|values| Some((arrow::compute::min(values)?, arrow::compute::max(values)?)))
        .reduce(|(low, high), (min, max)| (low.min(min), high.max(max)))
}

fn unwritable(place: &Place) -> Error {
    mismatch(place, "the rows cannot be written as Parquet")
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

    fn wrap_columns(
        &self,
        place: &Place,
        class_key: &SealingKey,
        directories: &[Section],
    ) -> Result<Vec<ColumnEntry>> {
        let wrap = |((name, key), directory): (&(String, DataKey), &Section)| {
            let key = place.wrap(class_key, name, key)?;
            Ok(ColumnEntry { name: name.clone(), directory: *directory, key })
        };
        self.columns.iter().zip(directories).map(wrap).collect()
    }
}

/// The file under the writer. It keeps the operating system's error, which Parquet may turn into text, and digests
/// what passes.
struct Sink {
    file: BufWriter<Box<dyn Draft>>,
    bytes: u64,
    digest: Sha256Stream,
    failed: Arc<Mutex<Option<io::Error>>>,
}

impl Sink {
    fn new(draft: Box<dyn Draft>) -> Self {
        let file = BufWriter::with_capacity(BUFFER_LEN, draft);
        Self { file, bytes: 0, digest: Sha256Stream::default(), failed: Arc::default() }
    }

    /// The file, which is on stable storage then, its length and SHA-256.
    fn finish(self) -> io::Result<(Box<dyn Draft>, u64, [u8; 32])> {
        let mut draft = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        draft.sync()?;
        Ok((draft, self.bytes, self.digest.finish()))
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
        if let Ok(written) = &result {
            self.digest.update(buffer.get(..*written).unwrap_or_default());
            self.bytes += *written as u64;
        }
        self.keep(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.flush();
        self.keep(result)
    }
}
