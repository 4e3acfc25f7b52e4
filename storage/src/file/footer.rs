//! Parsing an encrypted footer that is known to be genuine.
//!
//! In: a footer whose digest the manifest confirms, and decryption properties. Out: Parquet's metadata, after these
//! assertions: every column chunk is encrypted under a key of its own, none has a Bloom filter or a page-level
//! column index, the columns and rows are those of the manifest. The page index is never loaded: Parquet asks for the
//! keys of all columns when it does.

use std::sync::Arc;

use parquet::DecodeResult;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::file::column_crypto_metadata::ColumnCryptoMetaData;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder,
};

use super::DataFile;
use crate::dataset::FileEntry;
use crate::error::{Error, Result};

/// Parses the footer of a file.
pub(crate) fn parse(
    file: &DataFile,
    entry: &FileEntry,
    decryption: &Arc<FileDecryptionProperties>,
) -> Result<ParquetMetaData> {
    let (range, bytes) = file.footer(entry)?;
    // Parquet's own messages can quote what they read; none is passed on
    let unreadable = || Error::WrongKey { what: format!("the footer of {}", file.name()) };
    let mut decoder = ParquetMetaDataPushDecoder::try_new(file.len())
        .map_err(|_| unreadable())?
        .with_page_index_policy(PageIndexPolicy::Skip)
        .with_file_decryption_properties(Some(Arc::clone(decryption)));
    decoder.push_range(range, bytes).map_err(|_| unreadable())?;
    match decoder.try_decode() {
        Ok(DecodeResult::Data(metadata)) => {
            check(file, entry, &metadata)?;
            Ok(metadata)
        }
        Ok(DecodeResult::NeedsData(_) | DecodeResult::Finished) | Err(_) => Err(unreadable()),
    }
}

/// What must hold for every data file, whoever reads it.
fn check(file: &DataFile, entry: &FileEntry, metadata: &ParquetMetaData) -> Result<()> {
    let bad = |what: &str| Err(Error::corrupt(file.name(), what));
    if u64::try_from(metadata.file_metadata().num_rows()) != Ok(entry.rows) {
        return bad("its number of rows is not that of the manifest");
    }
    let schema = metadata.file_metadata().schema_descr();
    let columns = schema.columns().iter().map(|column| column.path().string());
    if !columns.eq(entry.columns.iter().map(|column| column.name.clone())) {
        return bad("its columns are not those of the manifest");
    }
    for group in metadata.row_groups() {
        if group.num_columns() != entry.columns.len() {
            return bad("a row group lacks a column");
        }
        for (chunk, column) in group.columns().iter().zip(&entry.columns) {
            if !is_encrypted(chunk, &column.name) {
                return bad("a column is not encrypted under a key of its own");
            }
            if chunk.bloom_filter_offset().is_some() || chunk.column_index_offset().is_some() {
                return bad("it has an index that no data file has");
            }
        }
    }
    Ok(())
}

fn is_encrypted(chunk: &ColumnChunkMetaData, name: &str) -> bool {
    match chunk.crypto_metadata() {
        Some(ColumnCryptoMetaData::ENCRYPTION_WITH_COLUMN_KEY(key)) => {
            key.path_in_schema.join(".") == name && key.key_metadata.as_deref() == Some(name.as_bytes())
        }
        Some(ColumnCryptoMetaData::ENCRYPTION_WITH_FOOTER_KEY) | None => false,
    }
}
