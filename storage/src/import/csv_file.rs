//! CSV files as sources write them: RFC 4180, UTF-8 with or without byte order mark, a header line.
//!
//! In: a file. Out: its header, then chunks of rows with their line numbers. A ragged row and a byte that is not UTF-8
//! are refused row by row; a missing header is an error of the file.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::source::SourceFile;
use crate::error::{Error, Result};
use crate::ingest::{ImportError, Origin, Reason};
use crate::rows::Refused;

/// Rows handed over at once.
pub(super) const ROWS_PER_CHUNK: usize = 1 << 13;
const BUFFER_BYTES: usize = 1 << 18;
/// Longest row: a quote that never closes must not fill the memory.
const ROW_BYTES_MAX: u64 = 16 << 20;

pub(super) struct CsvFile {
    name: String,
    number: u16,
    header: Vec<String>,
    reader: Reader<Limited>,
    left: Arc<AtomicU64>,
}

/// A file of which only so many bytes may be read for one row.
struct Limited {
    file: File,
    left: Arc<AtomicU64>,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let length = self.file.read(buffer)?;
        self.left.store(left.saturating_sub(length as u64), Ordering::Relaxed);
        Ok(length)
    }
}

/// Rows of a file, still as bytes.
pub(super) struct Chunk {
    number: u16,
    width: usize,
    records: Vec<ByteRecord>,
}

impl CsvFile {
    /// Opens a file and reads its header; `number` is the file's number in origins.
    pub(super) fn open(source: &SourceFile, number: u16) -> Result<Self> {
        let name = source.name.clone();
        let left = Arc::new(AtomicU64::new(ROW_BYTES_MAX));
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(Limited { file: source.open()?, left: Arc::clone(&left) });
        let mut first = ByteRecord::new();
        if !reader.read_byte_record(&mut first).map_err(|error| failed(&name, error))? {
            return Err(ImportError::NoHeader { file: name }.into());
        }
        let header: Option<Vec<String>> = first
            .iter()
            .map(|cell| std::str::from_utf8(cell).ok().map(|text| text.trim().to_owned()))
            .collect();
        let header = header.ok_or_else(|| ImportError::Unreadable {
            file: name.clone(),
            what: "the header is not UTF-8".to_owned(),
        })?;
        Ok(Self { name, number, header, reader, left })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The next rows; `None` at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let mut records = Vec::with_capacity(ROWS_PER_CHUNK);
        while records.len() < ROWS_PER_CHUNK {
            let mut record = ByteRecord::new();
            self.left.store(ROW_BYTES_MAX, Ordering::Relaxed);
            if !self.reader.read_byte_record(&mut record).map_err(|error| failed(&self.name, error))? {
                break;
            }
            records.push(record);
        }
        let chunk = Chunk { number: self.number, width: self.header.len(), records };
        Ok((!chunk.records.is_empty()).then_some(chunk))
    }
}

impl Chunk {
    /// Gives every well-formed row to `row`, with its origin and its cells; the others come back as refused.
    pub(super) fn each(&self, columns: &[Arc<str>], mut row: impl FnMut(Origin, &Cells<'_>)) -> Vec<Refused> {
        let mut refused = Vec::new();
        for record in &self.records {
            let origin = Origin::new(self.number, record.position().map_or(0, csv::Position::line));
            if record.len() != self.width {
                refused.push(Refused { origin, column: None, reason: Reason::RaggedRow });
                continue;
            }
            match std::str::from_utf8(record.as_slice()) {
                // Cells are cut where the record has its bounds: at characters, for a cell that is not UTF-8 by
                // itself could only be so within a whole that is not.
                Ok(_) if record.iter().all(|cell| std::str::from_utf8(cell).is_ok()) => {
                    row(origin, &Cells(record));
                }
                _ => {
                    let wrong = record.iter().position(|cell| std::str::from_utf8(cell).is_err());
                    let column = wrong.and_then(|wrong| columns.get(wrong)).cloned();
                    refused.push(Refused { origin, column, reason: Reason::NotUtf8 });
                }
            }
        }
        refused
    }
}

/// Cells of a row that is UTF-8.
pub(super) struct Cells<'r>(&'r ByteRecord);

impl<'r> Cells<'r> {
    /// The cell at a place; empty when there is none.
    pub(super) fn get(&self, place: Option<usize>) -> &'r str {
        let cell = place.and_then(|place| self.0.get(place)).unwrap_or_default();
        std::str::from_utf8(cell).unwrap_or_default()
    }
}

fn failed(name: &str, error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => {
            ImportError::Unreadable {
                file: name.to_owned(),
                what: "a row is longer than 16 MiB; is a quote not closed?".to_owned(),
            }
            .into()
        }
        csv::ErrorKind::Io(source) => Error::io("read", name, source),
        _ => ImportError::Unreadable { file: name.to_owned(), what: "it is not CSV".to_owned() }.into(),
    }
}
