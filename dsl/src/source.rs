//! Segment files in either form: text, or JSON.

use crate::ast::File;
use crate::diagnostic::Diagnostic;
use crate::json::{self, JSON_BYTES_MAX, Pointers};
use crate::parse::parse;

/// Largest segment file in bytes, whatever its form. Text is held to less: 4 MiB.
pub const SOURCE_BYTES_MAX: usize = JSON_BYTES_MAX;

/// A file and everything that is wrong with its form.
pub(crate) struct Read {
    pub(crate) file: File,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What the places of findings are called, in the JSON form.
    pub(crate) pointers: Option<Pointers>,
}

/// Reads a segment file in the form that it has.
pub(crate) fn read(source: &str) -> Read {
    let (parsed, pointers) = if json::is_json(source) { json::read(source) } else { (parse(source), None) };
    Read { file: parsed.file, diagnostics: parsed.diagnostics, pointers }
}
