//! What we rely on in the Parquet library, and what we must not rely on: run this first when its version changes.
//!
//! The files of Apache's parquet-testing were encrypted by other implementations (Java, C++); they are read from the
//! folder that `HYPERSEG_REAL_DATA` names, and these tests say so loudly when they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{Float64Array, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::Result;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::WriterProperties;

type Properties = Arc<FileDecryptionProperties>;

fn folder() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("HYPERSEG_REAL_DATA") else {
        eprintln!(
            "SKIPPED: HYPERSEG_REAL_DATA is not set, the encrypted files of parquet-testing were NOT read"
        );
        return None;
    };
    Some(Path::new(&folder).join("crypto/parquet-testing"))
}

/// `0123…` from `first` on, of so many bytes, the last replaced where it is given: how the keys of parquet-testing are made.
fn key(first: usize, length: usize, last: Option<u8>) -> Vec<u8> {
    let mut key: Vec<u8> = (0..length).map(|place| b'0' + ((place + first) % 10) as u8).collect();
    if length == 16 {
        key = if first == 0 { b"0123456789012345".to_vec() } else { b"1234567890123450".to_vec() };
    }
    if let Some(last) = last {
        *key.last_mut().unwrap() = b'0' + last;
    }
    key
}

fn small_keys(prefix: Option<&str>) -> Properties {
    let builder = FileDecryptionProperties::builder(key(0, 16, None))
        .with_column_key("double_field", key(1, 16, None))
        .with_column_key("float_field", key(1, 16, Some(1)));
    match prefix {
        Some(prefix) => builder.with_aad_prefix(prefix.as_bytes().to_vec()).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

fn large_keys(prefix: Option<&str>) -> Properties {
    let columns = [
        "double_field",
        "float_field",
        "boolean_field",
        "int32_field",
        "ba_field",
        "flba_field",
        "int64_field.list.element",
        "int96_field",
    ];
    let mut builder = FileDecryptionProperties::builder(key(0, 32, None));
    for (column, last) in columns.into_iter().zip(2_u8..) {
        builder = builder.with_column_key(column, key(1, 32, Some(last)));
    }
    match prefix {
        Some(prefix) => builder.with_aad_prefix(prefix.as_bytes().to_vec()).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

fn read(path: &Path, properties: &Properties) -> Result<Vec<RecordBatch>> {
    let options = ArrowReaderOptions::new().with_file_decryption_properties(Arc::clone(properties));
    let reader =
        ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path)?, options)?.build()?;
    Ok(reader.collect::<std::result::Result<_, _>>()?)
}

/// Rows of parquet-testing: row i holds i % 2 = 0, i, 1.1 i, 1.1111111 i, in those of these columns that a file has.
fn check(name: &str, batches: &[RecordBatch]) -> usize {
    let mut first = 0_usize;
    for batch in batches {
        let mut known = 0;
        for (column, expected) in [
            (
                "boolean_field",
                &(|row: usize| f64::from(u8::from(row.is_multiple_of(2)))) as &dyn Fn(usize) -> f64,
            ),
            ("int32_field", &|row| row as f64),
            ("float_field", &|row| row as f64 * 1.1),
            ("double_field", &|row| row as f64 * 1.111_111_1),
        ] {
            let Some(values) = batch.column_by_name(column) else { continue };
            known += 1;
            let values = match values.data_type() {
                DataType::Time32(_) => arrow::compute::cast(values, &DataType::Int32).unwrap(),
                _ => Arc::clone(values),
            };
            let values = arrow::compute::cast(&values, &DataType::Float64).unwrap();
            let values = values.as_any().downcast_ref::<Float64Array>().unwrap();
            for (place, value) in values.values().iter().enumerate() {
                let row = first + place;
                assert!((value - expected(row)).abs() < 1e-3, "{name}, {column}, row {row}: {value}");
            }
        }
        assert!(known >= 2, "{name}: the columns with keys of their own are there");
        first += batch.num_rows();
    }
    first
}

#[test]
fn files_that_others_encrypted_are_read() {
    let Some(folder) = folder() else { return };
    let files: [(&str, Properties); 9] = [
        ("uniform_encryption", small_keys(None)),
        ("encrypt_columns_and_footer", small_keys(None)),
        ("encrypt_columns_and_footer_aad", small_keys(None)),
        ("encrypt_columns_and_footer_bloom_filter", small_keys(None)),
        ("encrypt_columns_and_footer_disable_aad_storage", small_keys(Some("tester"))),
        ("encrypt_columns_plaintext_footer", small_keys(None)),
        ("aes256/uniform_encryption", large_keys(None)),
        ("aes256/encrypt_columns_and_footer", large_keys(None)),
        ("aes256/encrypt_columns_and_footer_disable_aad_storage", large_keys(Some("tester"))),
    ];
    for (name, properties) in files {
        let path = folder.join(format!("{name}.parquet.encrypted"));
        let batches = read(&path, &properties).unwrap_or_else(|error| panic!("{name}: {error}"));
        // those of C++ have contents that are written down; of the others all pages authenticate
        let rows = match name.starts_with("aes256/") || name.ends_with("bloom_filter") {
            true => batches.iter().map(RecordBatch::num_rows).sum(),
            false => check(name, &batches),
        };
        assert!(rows >= 10, "{name}: {rows} rows");
        eprintln!("{name}: {rows} rows");
    }
}

#[test]
fn a_wrong_key_a_wrong_place_and_another_cipher_are_refused() {
    let Some(folder) = folder() else { return };
    let open = |name: &str, properties: &Properties| {
        read(&folder.join(format!("{name}.parquet.encrypted")), properties)
    };
    let wrong = FileDecryptionProperties::builder(key(1, 16, None)).build().unwrap();
    assert!(open("encrypt_columns_and_footer", &wrong).is_err(), "another footer key");
    let swapped = FileDecryptionProperties::builder(key(0, 16, None))
        .with_column_key("double_field", key(1, 16, Some(1)))
        .with_column_key("float_field", key(1, 16, None))
        .build()
        .unwrap();
    assert!(open("encrypt_columns_and_footer", &swapped).is_err(), "keys of two columns swapped");
    for prefix in [None, Some("tester2")] {
        let file = "encrypt_columns_and_footer_disable_aad_storage";
        assert!(open(file, &small_keys(prefix)).is_err(), "without the prefix that is not stored");
    }
    assert!(
        open("encrypt_columns_and_footer_ctr", &small_keys(None)).is_err(),
        "pages without authentication"
    );
}

fn two_columns() -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("open", DataType::Int32, false),
        Field::new("secret", DataType::Int32, false),
    ]);
    let column = |from: i32| Arc::new(Int32Array::from_iter_values(from..from + 10));
    RecordBatch::try_new(Arc::new(schema), vec![column(0), column(100)]).unwrap()
}

fn written(properties: WriterProperties) -> Bytes {
    let rows = two_columns();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    bytes.into()
}

/// Why our writer derives a key for every column, and reads each file back before it is committed.
#[test]
fn a_column_without_a_key_is_written_in_plaintext() {
    let encryption = FileEncryptionProperties::builder(vec![7; 32])
        .with_column_key("secret", vec![8; 32])
        .build()
        .unwrap();
    let bytes = written(WriterProperties::builder().with_file_encryption_properties(encryption).build());
    let keys = FileDecryptionProperties::builder(vec![7; 32])
        .with_column_key("secret", vec![8; 32])
        .build()
        .unwrap();
    let options = ArrowReaderOptions::new().with_file_decryption_properties(keys);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap();
    let chunks = reader.metadata().row_group(0).columns();
    assert!(chunks[0].crypto_metadata().is_none(), "no key, no encryption, no error");
    assert!(chunks[1].crypto_metadata().is_some());
}

/// Why we look for `PARE` ourselves.
#[test]
fn a_plaintext_file_is_read_with_keys_as_without() {
    let bytes = written(WriterProperties::builder().build());
    assert_eq!(&bytes[..4], b"PAR1");
    let keys = FileDecryptionProperties::builder(vec![7; 32]).build().unwrap();
    let options = ArrowReaderOptions::new().with_file_decryption_properties(keys);
    let reader =
        ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap().build().unwrap();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 10, "the library does not mind");
}

/// A retriever that holds the footer's key and the keys named, and notes what it is asked for.
struct Asked {
    allowed: Vec<&'static str>,
    seen: Mutex<Vec<String>>,
}

impl KeyRetriever for Asked {
    fn retrieve_key(&self, key_metadata: &[u8]) -> Result<Vec<u8>> {
        let name = String::from_utf8_lossy(key_metadata).into_owned();
        self.seen.lock().unwrap().push(name.clone());
        match name.as_str() {
            "footer" => Ok(vec![7; 32]),
            name if self.allowed.contains(&name) => Ok(vec![8; 32]),
            _ => Err(parquet::errors::ParquetError::General("not armed".into())),
        }
    }
}

/// Why files are read without Parquet's page index: loading it takes the keys of all columns; without it a column that is
/// not read needs none.
#[test]
fn keys_of_columns_that_are_not_read_are_not_needed_without_the_page_index() {
    let encryption = FileEncryptionProperties::builder(vec![7; 32])
        .with_footer_key_metadata(b"footer".to_vec())
        .with_column_key_and_metadata("open", vec![8; 32], b"open".to_vec())
        .with_column_key_and_metadata("secret", vec![8; 32], b"secret".to_vec())
        .build()
        .unwrap();
    let bytes = written(WriterProperties::builder().with_file_encryption_properties(encryption).build());
    let open = |policy: PageIndexPolicy| -> Result<usize> {
        let retriever = Arc::new(Asked { allowed: vec!["open"], seen: Mutex::new(Vec::new()) });
        let keys = FileDecryptionProperties::with_key_retriever(Arc::clone(&retriever) as _).build()?;
        let options =
            ArrowReaderOptions::new().with_file_decryption_properties(keys).with_page_index_policy(policy);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options)?;
        let mask = parquet::arrow::ProjectionMask::columns(reader.parquet_schema(), ["open"]);
        let mut rows = 0;
        for batch in reader.with_projection(mask).build()? {
            rows += batch.map_err(parquet::errors::ParquetError::from)?.num_rows();
        }
        let seen = retriever.seen.lock().unwrap().clone();
        assert!(
            seen.iter().any(|name| name == "secret"),
            "the footer's parser asks for every column: {seen:?}"
        );
        Ok(rows)
    };
    assert_eq!(open(PageIndexPolicy::Skip).unwrap(), 10);
    assert!(open(PageIndexPolicy::Required).is_err());
}
