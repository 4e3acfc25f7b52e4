//! Lists of codes: value sets as they are stored, and CSV files of codes.
//!
//! Columns of a file: `system` and `code`, both needed; `under` and `exclude` with yes or no; and `display` (or `name`,
//! `description`), which means nothing. Other columns are refused: one that changes what the list means must not be passed over.
//!
//! A stored set has a line for each row, ascending and each once, its parts separated by tabs:
//!
//! ```text
//! + SNOMED under 44054006 Type 2 diabetes
//! - SNOMED code 199230006
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sha256_hex;
use super::table::{Problem, column, rows};
use crate::schema::CodeSystem;

/// A row of a list of codes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeRow {
    /// It is taken out of the set rather than put in.
    pub exclude: bool,
    /// Code system.
    pub system: CodeSystem,
    /// With everything below the code.
    pub under: bool,
    /// Code in the system's normal form.
    pub code: String,
}

/// A value set as it is stored: rows before they are closed, with a text to show for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCodes {
    rows: BTreeMap<CodeRow, String>,
    document: Arc<str>,
    sha256: String,
}

impl StoredCodes {
    /// From rows in any order. Of texts for one row the least stays.
    #[must_use]
    pub fn new(given: impl IntoIterator<Item = (CodeRow, String)>) -> Self {
        let mut rows: BTreeMap<CodeRow, String> = BTreeMap::new();
        for (row, display) in given {
            let display = display.split_whitespace().collect::<Vec<_>>().join(" ");
            match rows.get_mut(&row) {
                Some(known) if known.is_empty() || !display.is_empty() && display < *known => {
                    *known = display
                }
                Some(_) => {}
                None => drop(rows.insert(row, display)),
            }
        }
        let line = |(row, display): (&CodeRow, &String)| {
            let sign = if row.exclude { '-' } else { '+' };
            let how = if row.under { "under" } else { "code" };
            format!("{sign}\t{}\t{how}\t{}\t{display}\n", row.system, row.code)
        };
        let document: Arc<str> = rows.iter().map(line).collect::<String>().into();
        let sha256 = sha256_hex(document.as_bytes());
        Self { rows, document, sha256 }
    }

    /// Inverse of [`Self::document`]; none when the text is of another form.
    #[must_use]
    pub fn from_document(text: &str) -> Option<Self> {
        let mut rows = Vec::new();
        for line in text.lines() {
            let mut parts = line.split('\t');
            let exclude = match parts.next()? {
                "+" => false,
                "-" => true,
                _ => return None,
            };
            let system = CodeSystem::parse(parts.next()?)?;
            let under = match parts.next()? {
                "code" => false,
                "under" => true,
                _ => return None,
            };
            let code = parts.next().filter(|code| system.normal(code).as_deref() == Some(*code))?.to_owned();
            let display = parts.next()?.to_owned();
            rows.push((CodeRow { exclude, system, under, code }, display));
        }
        let codes = Self::new(rows);
        (&*codes.document == text).then_some(codes)
    }

    /// Reads a CSV file of codes.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence without anything of its contents.
    pub fn from_csv(text: &str) -> Result<Self, String> {
        let rows = from_csv(text).map_err(|problem| match problem.line {
            Some(line) => format!("line {line}: {}", problem.what),
            None => problem.what,
        })?;
        Ok(Self::new(rows.into_iter().map(|(_, row, display)| (row, display))))
    }

    /// The text that is stored.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.document
    }

    /// SHA-256 of the stored text, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Rows with the texts to show for them, ascending: what is put in before what is taken out.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&CodeRow, &str)> {
        self.rows.iter().map(|(row, display)| (row, display.as_str()))
    }
}

/// Rows of a CSV file of codes, with their lines.
pub(crate) fn from_csv(text: &str) -> Result<Vec<(u64, CodeRow, String)>, Problem> {
    const SHOWN: [&str; 5] = ["display", "name", "description", "label", "comment"];
    let rows = rows(text)?;
    let Some((_, header)) = rows.first() else { return Err(Problem::whole("the file is empty")) };
    let need = |name: &str| {
        let what =
            format!("there is no column `{name}`; a file of codes has the headers `system` and `code`");
        column(header, name).ok_or_else(|| Problem::at(1, what))
    };
    let (system_at, code_at) = (need("system")?, need("code")?);
    let (under_at, exclude_at) = (column(header, "under"), column(header, "exclude"));
    let shown_at = SHOWN.iter().find_map(|name| column(header, name));
    let known = ["system", "code", "under", "exclude"];
    let unknown = |cell: &&str| !known.iter().chain(&SHOWN).any(|name| name.eq_ignore_ascii_case(cell));
    if header.iter().any(|cell| unknown(&cell)) {
        let what = "a column is none of `system`, `code`, `under`, `exclude`, `display`; remove it";
        return Err(Problem::at(1, what));
    }
    let mut found = Vec::with_capacity(rows.len());
    for (line, row) in rows.iter().skip(1) {
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).unwrap_or_default();
        let flag = |at, name: &str| match cell(at).to_ascii_lowercase().as_str() {
            "" | "no" | "false" | "0" => Ok(false),
            "yes" | "true" | "1" => Ok(true),
            _ => Err(Problem::at(*line, format!("`{name}` is neither yes nor no"))),
        };
        let Some(system) = CodeSystem::parse(cell(Some(system_at))) else {
            return Err(Problem::at(*line, "the code system is not known"));
        };
        let Some(code) = system.normal(cell(Some(code_at))) else {
            return Err(Problem::at(*line, "the code is empty"));
        };
        if code.contains(['\t', '\n', '\r']) {
            return Err(Problem::at(*line, "the code holds a tab or the end of a line"));
        }
        let row =
            CodeRow { exclude: flag(exclude_at, "exclude")?, system, under: flag(under_at, "under")?, code };
        found.push((*line, row, cell(shown_at).to_owned()));
    }
    if found.is_empty() {
        return Err(Problem::whole("there is no code in it"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_of_codes() {
        let text = "Code,Display,System\ne11.9,Type 2,ICD-10-CM\nE11.9,,icd10cm\n44054006,\"a, b\",SCT\n";
        let codes = StoredCodes::from_csv(text).unwrap();
        let shown: Vec<String> =
            codes.rows().map(|(row, display)| format!("{}:{} {display}", row.system, row.code)).collect();
        assert_eq!(shown, ["ICD10CM:E119 Type 2", "SNOMED:44054006 a, b"]);
        assert_eq!(StoredCodes::from_document(codes.document()), Some(codes.clone()));
        let other = "system,code,under,exclude\nICD10CM,E11,yes,\nICD10CM,E11.9,,TRUE\n";
        let other = StoredCodes::from_csv(other).unwrap();
        assert_eq!(other.document(), "+\tICD10CM\tunder\tE11\t\n-\tICD10CM\tcode\tE119\t\n");
        assert_ne!(codes.sha256(), other.sha256());
        for wrong in [
            "",
            "system,code\n",
            "code\nE11",
            "system,code,descendants\nICD10CM,E11,yes\n",
            "system,code\nICD9,250\n",
            "system,code\nICD10CM,\n",
            "system,code,under\nICD10CM,E11,maybe\n",
        ] {
            assert!(StoredCodes::from_csv(wrong).is_err(), "{wrong}");
        }
        assert!(
            StoredCodes::from_csv("system,code\nCVX,8\nICD9,secret\n").unwrap_err().starts_with("line 3: ")
        );
        for wrong in [
            "+\tICD10CM\tcode\tE11.9\t\n",
            "+\tICD10CM\tcode\tE119\n",
            "x",
            "+\tCVX\tcode\t9\t\n+\tCVX\tcode\t8\t\n",
        ] {
            assert_eq!(StoredCodes::from_document(wrong), None, "{wrong}");
        }
    }
}
