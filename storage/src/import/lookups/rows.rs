//! Rows of delimited files, found by the names in the header.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::unreadable;
use crate::error::Result;
use crate::import::source::SourceFile;

/// A delimited file behind its header.
pub(super) struct Rows {
    reader: csv::Reader<std::io::BufReader<std::fs::File>>,
    name: String,
    header: Vec<String>,
    row: StringRecord,
}

impl Rows {
    /// Opens a file; fields are separated by what the header separates them by: `|`, tabs or commas.
    pub(super) fn open(source: &SourceFile) -> Result<Self> {
        use std::io::BufRead as _;
        let mut input = std::io::BufReader::new(source.open()?);
        let failed = |error| crate::error::Error::io("read", source.name.clone(), error);
        let start = input.fill_buf().map_err(failed)?;
        if start.starts_with(&[0x1f, 0x8b]) || start.starts_with(b"PK") {
            return Err(unreadable(&source.name, None, "it is compressed; unpack it first"));
        }
        let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let delimiter = [b'|', b'\t'].into_iter().find(|sign| first.contains(sign)).unwrap_or(b',');
        let mark = usize::from(start.starts_with(&[0xef, 0xbb, 0xbf])) * 3;
        input.consume(mark);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .trim(Trim::All)
            .from_reader(input);
        let mut row = StringRecord::new();
        match reader.read_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Err(unreadable(&source.name, None, "it is empty")),
            Err(_) => return Err(unreadable(&source.name, Some(1), "it is not delimited text in UTF-8")),
        }
        let header = row.iter().map(|cell| cell.to_ascii_lowercase().replace(' ', "_")).collect();
        Ok(Self { reader, name: source.name.clone(), header, row })
    }

    /// The place of the column that has one of these names.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        self.header.iter().position(|cell| names.contains(&cell.as_str()))
    }

    /// The place of a column that must be there.
    pub(super) fn need(&self, names: &[&str]) -> Result<usize> {
        self.column(names).ok_or_else(|| {
            unreadable(&self.name, Some(1), format!("the header has no column `{}`", names.join("` or `")))
        })
    }

    /// Refuses columns of other names, which are not shown: a file without a header has data there.
    pub(super) fn only(&self, known: &[&[&str]]) -> Result<()> {
        let strange =
            self.header.iter().position(|cell| !known.iter().any(|names| names.contains(&cell.as_str())));
        match strange {
            None => Ok(()),
            Some(place) => {
                let what = format!("column {} is none that this import knows; remove it", place + 1);
                Err(unreadable(&self.name, Some(1), what))
            }
        }
    }

    /// The next row that is not empty, and its line.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &StringRecord)>> {
        loop {
            match self.reader.read_record(&mut self.row) {
                Ok(false) => return Ok(None),
                Ok(true) => {}
                Err(error) => {
                    let line = error.position().map(csv::Position::line);
                    return Err(unreadable(&self.name, line, "it is not delimited text in UTF-8"));
                }
            }
            if self.row.iter().any(|cell| !cell.is_empty()) {
                // What was read ends where the reader stands: on the line behind, unless the file ends there.
                let line = self.row.position().map_or(0, csv::Position::line);
                return Ok(Some((line, &self.row)));
            }
        }
    }

    /// Name of the file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// A cell that must be there.
pub(super) fn cell(row: &StringRecord, place: usize) -> &str {
    row.get(place).unwrap_or_default()
}
