//! The JSON form of segment files, for user interfaces and campaign tools.
//!
//! In: JSON as `dsl/docs/json.md` and its JSON Schema describe it. Out: the same tree of what was written that the
//! parser of the text form makes, with the places of the JSON, so that names, types, findings and meaning are shared.
//! A family of the language, one file, both ways. What the text form cannot say is refused: every file that reads in one
//! form can be written in the other, and means the same.
//!
//! A new construct of the language needs an arm that writes it here (the compiler asks for it), a field that reads it,
//! its shape in `dsl/docs/segment.schema.json` and a row in `dsl/docs/json.md`. It stands in `dsl/tests/everything.seg`, and
//! `testdata/tests/json_form` fails until reader, writer and schema agree.

mod amounts;
mod criteria;
mod fields;
mod file;
mod history;
mod portfolios;
mod ranks;
mod read;
mod records;
mod references;
mod sequences;
mod tails;
mod tests_of_fields;
mod tree;
mod values;
mod words;
mod write;

pub(crate) use read::JSON_BYTES_MAX;

use crate::ast::{File, Span};
use crate::diagnostic::Diagnostic;
use crate::fmt;
use crate::parse::{Parsed, parse};
use crate::schema::Schema;
use fields::Reader;
use tree::Json;

/// The JSON Schema (draft 2020-12) of the form.
pub const JSON_SCHEMA: &str = include_str!("../../docs/segment.schema.json");

/// A source is JSON when its first character, blanks aside, is a brace; no text in the language starts so.
#[must_use]
pub fn is_json(source: &str) -> bool {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    source.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{')
}

/// The places of a JSON text by what they are called in it.
#[derive(Clone, Debug)]
pub(crate) struct Pointers(Json);

impl Pointers {
    /// Says of every finding where in the JSON it stands.
    pub(crate) fn name(&self, findings: &mut [Diagnostic]) {
        for finding in findings {
            let span = Span { start: finding.span.start, end: finding.span.end };
            finding.path = Some(self.0.pointer(span));
            finding.help = finding.help.take().map(|help| in_json(&finding.message, help));
        }
    }
}

/// Advice of the resolver, which speaks of texts, for somebody who writes JSON.
fn in_json(message: &str, help: String) -> String {
    let Some(written) = help.strip_prefix("write ") else {
        let spelled =
            ["e.g. ", "declare ", "declare it: ", "add `"].iter().any(|start| help.starts_with(start));
        return if spelled { format!("in the text form: {help}") } else { help };
    };
    let bare = written.strip_suffix(" without quotes");
    match bare {
        _ if message.ends_with("is written without quotes") => {
            format!("write {{\"category\": \"{written}\"}}")
        }
        Some(day) if crate::value::parse_day(day).is_some() => format!("write {{\"date\": \"{day}\"}}"),
        Some(_) => help,
        // A text in quotes is the same in JSON.
        None if written.starts_with('"') || written.starts_with('{') => help,
        None => format!("in the text form: {help}"),
    }
}

/// Reads the JSON form; the pointers are there when it is JSON at all.
pub(crate) fn read(source: &str) -> (Parsed, Option<Pointers>) {
    let nothing = || File { items: Vec::new(), comments: Vec::new() };
    let json = match read::read(source) {
        Ok(json) => json,
        Err(finding) => return (Parsed { file: nothing(), diagnostics: vec![*finding] }, None),
    };
    let mut reader = Reader::default();
    let file = File { items: reader.file(&json), comments: Vec::new() };
    if reader.findings.is_empty() {
        round_trip(&mut reader, &file);
    }
    (Parsed { file, diagnostics: reader.findings }, Some(Pointers(json)))
}

/// Writes the file as text and reads that: a name in the place of a keyword would mean something else there.
fn round_trip(reader: &mut Reader, file: &File) {
    let text = fmt::print(file);
    let again = parse(&text);
    // What the words of a text name is for the resolver to say.
    let same = || file::file_of(&again.file).with_bare_words() == file::file_of(file).with_bare_words();
    let too_large = again.diagnostics.iter().find(|finding| {
        [crate::diagnostic::codes::TOO_LARGE.code, crate::diagnostic::codes::LIST_TOO_LONG.code]
            .contains(&finding.code)
    });
    if let Some(finding) = too_large {
        let mut finding = finding.clone();
        finding.span = 0..0;
        finding.message = format!("in the text form: {}", finding.message);
        reader.report(finding);
    } else if again.diagnostics.iter().any(Diagnostic::is_error) || !same() {
        criteria::report_doubtful(reader);
    }
}

/// The canonical JSON of a file that was read as a text.
pub(crate) fn print_text(mut file: File, schema: &Schema) -> String {
    words::tell_apart(&mut file, schema);
    print(&file)
}

/// The canonical JSON of a file.
pub(crate) fn print(file: &File) -> String {
    write::write(&file::file_of(file))
}
