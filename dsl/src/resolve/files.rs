//! Files that a text names, and stored value sets: lists of codes and lists of values.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::valuesets::{Patterns, joined};
use super::{Resolver, Scope};
use crate::ast::{Ident, Span, Text};
use crate::diagnostic::{Diagnostic, codes};
use crate::lookups::{CodeRow, FILE_BYTES_MAX, Pin, PinKind, Problem, Refusal, from_csv, sha256_hex, values};
use crate::schema::{Field, FieldType, ZIP, is_stored_zip, normal_text};
use crate::segment::{CodeSet, Filter, Operand, Test};
use crate::value::Value;

impl<'a> Resolver<'a> {
    /// Notes that the declaration being resolved depends on a source.
    pub(super) fn pin(&mut self, kind: PinKind, name: &str, sha256: &str) {
        self.body.uses.pins.insert(Pin { kind, name: name.to_owned(), sha256: sha256.to_owned() });
    }

    /// Reports a lookup that gave no answer.
    pub(super) fn refused(&mut self, what: &str, refusal: &Refusal, span: Span) {
        let rule = if refusal.damaged { &codes::DAMAGED } else { &codes::NO_ANSWER };
        let finding = Diagnostic::new(rule, span, format!("{what}: {}", refusal.what));
        self.report(finding.help_opt(refusal.help.clone()));
    }

    /// Text of a file, pinned.
    fn file(&mut self, name: &Text) -> Option<Arc<str>> {
        if self.full() {
            return None;
        }
        if name.text.trim().is_empty() {
            let finding = Diagnostic::new(&codes::EMPTY_TEXT, name.span, "the name of the file is empty");
            self.report(finding.help("name a CSV file"));
            return None;
        }
        let lookups = self.lookups;
        let read = || {
            let text = lookups.file(&name.text)?;
            if text.len() > FILE_BYTES_MAX {
                return Err(Refusal::new(format!("it has more than {FILE_BYTES_MAX} bytes")));
            }
            let sha256 = sha256_hex(text.as_bytes());
            Ok((text, sha256))
        };
        match self.files.entry(name.text.clone()).or_insert_with(read).clone() {
            Ok((text, sha256)) => {
                self.pin(PinKind::File, &name.text, &sha256);
                Some(text)
            }
            Err(refusal) => {
                let message = format!("cannot read the file `{}`: {}", shown(name), refusal.what);
                let finding = Diagnostic::new(&codes::UNREADABLE_FILE, name.span, message);
                self.report(finding.help_opt(refusal.help));
                None
            }
        }
    }

    fn bad_file(&mut self, name: &Text, problem: &Problem, help: Option<&str>) {
        let line = problem.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let message = format!("the file `{}`{line}: {}", shown(name), problem.what);
        let finding = Diagnostic::new(&codes::BAD_FILE, name.span, message);
        self.report(finding.help_opt(help.map(str::to_owned)));
    }

    /// The codes of a file, closed.
    pub(super) fn codes_of_file(&mut self, name: &Text) -> Option<Vec<CodeSet>> {
        let text = self.file(name)?;
        let rows = match from_csv(&text) {
            Ok(rows) => rows,
            Err(problem) => {
                self.bad_file(name, &problem, None);
                return None;
            }
        };
        let what = format!("the file `{}`", shown(name));
        self.codes_of_rows(rows.iter().map(|(_, row, _)| row), &what, name.span)
    }

    /// The codes of a stored value set, closed; the outer `None` when there is no such set.
    pub(super) fn stored_valueset(&mut self, name: &Ident) -> Option<Option<Vec<CodeSet>>> {
        match self.lookups.valueset(&name.name) {
            Ok(None) => None,
            Ok(Some(stored)) => {
                self.pin(PinKind::Valueset, &name.name, stored.sha256());
                let what = format!("value set `{}`", name.name);
                Some(self.codes_of_rows(stored.rows().map(|(row, _)| row), &what, name.span))
            }
            Err(refusal) => {
                let declared = self.declarations.valuesets.keys().copied();
                let near = crate::suggest::nearest(&name.name, declared);
                let what = format!("value set `@{}` is not declared here", crate::lex::short(&name.name));
                let help = near.map(|near| format!("did you mean `@{near}`?")).or(refusal.help);
                self.refused(&what, &Refusal { help, ..refusal }, name.span);
                Some(None)
            }
        }
    }

    fn codes_of_rows<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r CodeRow>,
        what: &str,
        span: Span,
    ) -> Option<Vec<CodeSet>> {
        let (mut include, mut exclude) = (Patterns::new(), Patterns::new());
        for row in rows {
            let patterns = self.expanded(row.system, row.code.clone(), row.under, span)?;
            if row.exclude { &mut exclude } else { &mut include }.extend(patterns);
        }
        let sets = joined(vec![CodeSet { include, exclude: Patterns::new() }], &exclude);
        if sets.is_empty() {
            let message = format!("no code is left in {what}");
            let finding = Diagnostic::new(&codes::EMPTY_VALUESET, span, message);
            self.report(finding.help("what it takes out takes away everything else"));
            return None;
        }
        Some(sets)
    }

    /// Whether a field has one of the values of a file.
    pub(super) fn values_of_file(&mut self, scope: Scope<'a>, field: &Field, name: &Text) -> Option<Filter> {
        if !matches!(field.ty, FieldType::Text | FieldType::Category) {
            self.wrong_test(field, name.span);
            return None;
        }
        let text = self.file(name)?;
        let cells = match values(&text, &field.name) {
            Ok(cells) => cells,
            Err(problem) => {
                let help = "give it a header with the names of fields, or write one value to a line";
                self.bad_file(name, &problem, Some(help));
                return None;
            }
        };
        let is_zip = matches!(scope, Scope::Contact) && field.name == ZIP;
        let mut found: BTreeSet<String> = BTreeSet::new();
        let mut wrong: Option<u64> = None;
        let mut more = 0_usize;
        for (line, cell) in cells {
            let fits = match field.ty {
                FieldType::Category => field.categories.contains(&cell),
                _ => !is_zip || is_stored_zip(&cell),
            };
            if fits {
                found.insert(normal_text(&cell));
            } else if wrong.is_some() {
                more += 1;
            } else {
                wrong = Some(line);
            }
        }
        if let Some(line) = wrong {
            let others = if more == 0 { String::new() } else { format!(" (and {more} more lines)") };
            let (what, help) = if is_zip {
                let help =
                    "five digits with leading zeros, e.g. 02139; a spreadsheet may have dropped the zeros";
                ("this is no ZIP code", help.to_owned())
            } else {
                (
                    "this is none of the field's categories",
                    format!("categories: {}", field.categories.join(", ")),
                )
            };
            self.bad_file(name, &Problem::at(line, format!("{what}{others}")), Some(&help));
            return None;
        }
        self.grow(0, found.len(), name.span)?;
        let value = |text| match field.ty {
            FieldType::Category => Value::Category(text),
            _ => Value::Text(text),
        };
        let operands = found.into_iter().map(|text| Operand::Literal(value(text))).collect();
        Some(super::field_test::leaf(field, Test::In(operands)))
    }

    /// `in list "file" by field`.
    pub(super) fn in_list(&mut self, file: &Text, by: &Ident, span: Span) -> Option<Filter> {
        self.one_test(span)?;
        let field = self.field(Scope::Contact, by)?.clone();
        self.note_negation(Scope::Contact, &field.name, span, false);
        self.values_of_file(Scope::Contact, &field, file)
    }
}

/// A file's name as findings show it.
fn shown(name: &Text) -> String {
    crate::lex::short(&name.text).escape_debug().to_string()
}
