//! Columns of CSV text (RFC 4180).
//!
//! In: the text of a file. Out: cells without surrounding blanks, with the line they stand on. A finding says the line
//! and never the cell: in a list of addresses it would be somebody's.

use csv::{ReaderBuilder, StringRecord};

use super::FILE_ROWS_MAX;

/// What is wrong with the contents of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Line, from 1; none for the whole file.
    pub(crate) line: Option<u64>,
    /// What is wrong, without anything of the contents.
    pub(crate) what: String,
}

impl Problem {
    pub(crate) fn whole(what: impl Into<String>) -> Self {
        Self { line: None, what: what.into() }
    }

    pub(crate) fn at(line: u64, what: impl Into<String>) -> Self {
        Self { line: Some(line), what: what.into() }
    }
}

/// Rows of CSV text, empty lines left out, each with its line.
pub(super) fn rows(text: &str) -> Result<Vec<(u64, StringRecord)>, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut row = StringRecord::new();
    loop {
        match reader.read_record(&mut row) {
            Ok(false) => return Ok(rows),
            Ok(true) => {}
            Err(error) => {
                let line = error.position().map(csv::Position::line);
                return Err(Problem { line, what: "this is not CSV".to_owned() });
            }
        }
        if rows.len() >= FILE_ROWS_MAX {
            return Err(Problem::whole(format!("the file has more than {FILE_ROWS_MAX} rows")));
        }
        let line = row.position().map_or(0, |start| line_of(text, start));
        if row.iter().any(|cell| !cell.is_empty()) {
            rows.push((line, row.clone()));
        }
    }
}

/// The line on which a row stands; the reader's position lies before the empty lines in front of it.
fn line_of(text: &str, start: &csv::Position) -> u64 {
    let at = usize::try_from(start.byte()).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    start.line() + empty.filter(|byte| **byte == b'\n').count() as u64
}

/// The place of a column by its header, in any case.
pub(super) fn column(header: &StringRecord, name: &str) -> Option<usize> {
    header.iter().position(|cell| cell.eq_ignore_ascii_case(name))
}

/// The values of the column that is called like a field, without empty cells. A file of one column needs no header.
pub(crate) fn values(text: &str, field: &str) -> Result<Vec<(u64, String)>, Problem> {
    let rows = rows(text)?;
    let Some((_, first)) = rows.first() else { return Err(Problem::whole("the file is empty")) };
    let (place, skip) = match (column(first, field), first.len()) {
        (Some(place), _) => (place, 1),
        (None, 1) => (0, 0),
        (None, columns) => {
            let what = format!("none of its {columns} columns has the header `{field}`");
            return Err(Problem::whole(what));
        }
    };
    let mut found = Vec::with_capacity(rows.len());
    for (line, row) in rows.iter().skip(skip) {
        match row.get(place) {
            Some("") => {}
            Some(cell) => found.push((*line, cell.to_owned())),
            None => return Err(Problem::at(*line, format!("the row has no column `{field}`"))),
        }
    }
    if found.is_empty() {
        return Err(Problem::whole(format!("there is no value of `{field}` in it")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn cells(text: &str, field: &str) -> Vec<String> {
        values(text, field).unwrap().into_iter().map(|(_, cell)| cell).collect()
    }

    #[test]
    fn the_column_of_a_field() {
        assert_eq!(cells("02138\n02139\n", "zip"), ["02138", "02139"]);
        assert_eq!(cells("\u{feff}ZIP\r\n02138\r\n\r\n 02139 \r\n", "zip"), ["02138", "02139"]);
        assert_eq!(cells("name,zip\n\"Doe, J\",02138\n,\nx,\n", "zip"), ["02138"]);
        assert_eq!(cells("zip\n\"a\"\"b\"", "zip"), ["a\"b"]);
        let wrong = |text: &str| values(text, "zip").unwrap_err();
        assert_eq!(wrong(""), Problem::whole("the file is empty"));
        assert_eq!(wrong("zip\n\n"), Problem::whole("there is no value of `zip` in it"));
        assert!(wrong("a,b\n1,2").what.contains("2 columns"));
        assert_eq!(wrong("a,zip\n1,2\n1\n").line, Some(3));
        assert_eq!(values("zip\n1\n\n2\n", "zip").unwrap()[1], (4, "2".to_owned()));
    }
}
