//! Why an import stored nothing.

use std::fmt;
use std::path::PathBuf;

use super::reject::Place;

/// Why an import stored nothing. Files are named without their folder; values are never quoted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// More rows were refused than allowed.
    #[error(
        "{rejected} {} rejected and {allowed} {} allowed, so nothing was stored; {}. First: {}. {}",
        if *rejected == 1 { "row was" } else { "rows were" },
        if *allowed == 1 { "is" } else { "are" },
        Counts(tables), Places(places), Advice(rejects_file.as_ref())
    )]
    Rejected {
        /// Rows refused.
        rejected: u64,
        /// Rows that may be refused.
        allowed: u64,
        /// Tables with their refused rows.
        tables: Vec<(String, u64)>,
        /// The first places.
        places: Vec<Place>,
        /// Where all of them are listed.
        rejects_file: Option<PathBuf>,
    },
    /// A column that the table does not have.
    #[error(
        "{file}:1: unknown column `{column}`{}; leave it out with --ignore-column {column}",
        Suggestion(suggestion.as_deref())
    )]
    UnknownColumn {
        /// File.
        file: String,
        /// Column.
        column: String,
        /// A known name like it.
        suggestion: Option<String>,
    },
    /// A column that stands twice in the header.
    #[error("{file}:1: the column `{column}` stands there twice")]
    RepeatedColumn {
        /// File.
        file: String,
        /// Column.
        column: String,
    },
    /// A column without which the table makes no sense.
    #[error("{file}:1: the header has no column `{column}`; the first line must name the columns")]
    MissingColumn {
        /// File.
        file: String,
        /// Column.
        column: String,
    },
    /// No header at all.
    #[error("{file}:1: the file is empty; the first line must name the columns")]
    NoHeader {
        /// File.
        file: String,
    },
    /// A column of a type that cannot hold the field.
    #[error("{file}: column `{column}` has the type {found}, which cannot hold {expected}")]
    ColumnType {
        /// File.
        file: String,
        /// Column.
        column: String,
        /// Type in the file.
        found: String,
        /// What the field needs.
        expected: String,
    },
    /// The folder holds no file that the importer reads.
    #[error("{dir} holds none of the files that this import reads; expected {expected}")]
    NoFiles {
        /// Folder.
        dir: String,
        /// Files.
        expected: String,
    },
    /// A file that belongs to no table.
    #[error("{file} belongs to no table{}; move it out of the folder", Suggestion(suggestion.as_deref()))]
    UnknownFile {
        /// File.
        file: String,
        /// A table with a name like it.
        suggestion: Option<String>,
    },
    /// One table in two files.
    #[error("{file} and another file are both of table {table}; keep one of them")]
    TwoFiles {
        /// File.
        file: String,
        /// Table.
        table: String,
    },
    /// A file whose inside is not of the format its name says.
    #[error("{file}: {what}")]
    Unreadable {
        /// File.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// Rows of a kind that the schema does not have.
    #[error("unknown record kind `{kind}`{}", Suggestion(suggestion.as_deref()))]
    UnknownKind {
        /// Kind.
        kind: String,
        /// A known name like it.
        suggestion: Option<String>,
    },
    /// Contacts cannot change later than now.
    #[error("the files are said to be of {at}, which lies ahead")]
    ChangesAhead {
        /// When they would change.
        at: String,
    },
    /// The history of contacts does not go back.
    #[error(
        "the files are said to be of {at}, but contacts changed at {latest} already; import files in the order of their times"
    )]
    ChangesGoBack {
        /// When they would change.
        at: String,
        /// When they changed last.
        latest: String,
    },
    /// The books do not balance; nothing was stored.
    #[error("{table}: {read} rows read, but {accounted} accounted for; nothing was stored, this is a defect")]
    Unbalanced {
        /// Table.
        table: String,
        /// Rows read.
        read: u64,
        /// Rows stored, duplicate or refused.
        accounted: u64,
    },
}

struct Counts<'e>(&'e [(String, u64)]);

impl fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (table, rows)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{table}: {rows}")?;
        }
        Ok(())
    }
}

struct Places<'e>(&'e [Place]);

impl fmt::Display for Places<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, place) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "; " };
            write!(f, "{comma}{place}")?;
        }
        Ok(())
    }
}

struct Advice<'e>(Option<&'e PathBuf>);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "All are listed in {}", path.display()),
            None => f.write_str("List all with --rejects FILE, or allow some with --max-rejects N"),
        }
    }
}

struct Suggestion<'e>(Option<&'e str>);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "; did you mean `{name}`?"))
    }
}

/// The known name nearest to a wrong one, when it is near.
pub(crate) fn nearest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let wrong: Vec<char> = wrong.to_lowercase().chars().take(NAME_CHARS_MAX).collect();
    known
        .into_iter()
        .map(|name| (distance(&wrong, &name.to_lowercase().chars().collect::<Vec<_>>()), name))
        .min()
        .filter(|(distance, name)| *distance <= name.chars().count().div_ceil(3))
        .map(|(_, name)| name.to_owned())
}

/// Longer names are cut before they are compared.
const NAME_CHARS_MAX: usize = 64;

/// Edits that lead from one name to the other.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (pair, b) in row.windows(2).zip(right) {
            let [corner, above] = pair else { continue };
            let before = next.last().copied().unwrap_or_default();
            next.push((corner + usize::from(a != b)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_nearby_are_found() {
        let known = ["birth_date", "gender", "email"];
        assert_eq!(nearest("birthdate", known).as_deref(), Some("birth_date"));
        assert_eq!(nearest("EMAIL", known).as_deref(), Some("email"));
        assert_eq!(nearest("favourite_colour", known), None);
    }
}
