//! Objects whose fields are known: what is missing, unknown, repeated or of another shape is reported.

use std::collections::BTreeMap;

use super::tree::{Json, Member, Node};
use crate::ast::{Ident, Number, Span, Text};
use crate::diagnostic::{Diagnostic, Rule, codes};
use crate::parse::LIST_MAX;
use crate::suggest;

/// Findings after which no more are kept; far above what is shown.
const FINDINGS_MAX: usize = 2_000;

/// A tree of JSON into the tree of what was written.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) findings: Vec<Diagnostic>,
    /// How deep parentheses and `not` nest here in the text form.
    pub(super) depth: usize,
    /// Names that may mean something else where they stand in the text form.
    pub(super) doubtful: Vec<Ident>,
}

impl Reader {
    pub(super) fn report(&mut self, finding: Diagnostic) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    pub(super) fn wrong(&mut self, rule: &'static Rule, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::new(rule, span, message));
    }

    fn shape(&mut self, json: &Json, what: &str, expected: &str) {
        let message = format!("expected {expected} for {what}, found {}", json.describe());
        let finding = Diagnostic::new(&codes::JSON_SHAPE, json.span, message);
        self.report(match json.node {
            Node::Null => finding.help("leave a field out that has no value"),
            Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) | Node::Object(_) => finding,
        });
    }

    /// The fields of an object that stands for `what`.
    pub(super) fn object<'j>(&mut self, json: &'j Json, what: &'static str) -> Option<Fields<'j>> {
        let Node::Object(members) = &json.node else {
            self.shape(json, what, "an object");
            return None;
        };
        let mut left: BTreeMap<&str, &Member> = BTreeMap::new();
        for member in members {
            if let Some(first) = left.get(member.name.text.as_str()) {
                let name = crate::lex::short(&member.name.text);
                let message = format!("the field `{name}` stands twice in {what}");
                let finding = Diagnostic::new(&codes::JSON_REPEATED, member.name.span, message);
                self.report(finding.related(first.name.span, "first here"));
            } else {
                left.insert(&member.name.text, member);
            }
        }
        Some(Fields { what, span: json.span, left, known: Vec::new() })
    }

    /// The items of a list, at least `least` of them.
    pub(super) fn list<'j>(&mut self, json: &'j Json, what: &str, least: usize) -> Option<&'j [Json]> {
        let Node::List(items) = &json.node else {
            self.shape(json, what, "a list");
            return None;
        };
        if items.len() < least {
            let message = format!("{what} holds {} values; at least {least} are needed", items.len());
            self.wrong(&codes::JSON_SHAPE, json.span, message);
            return None;
        }
        if let Some(first) = items.get(LIST_MAX) {
            let message = format!("the list has more than {LIST_MAX} values");
            let finding = Diagnostic::new(&codes::LIST_TOO_LONG, first.span, message);
            self.report(finding.help("split it into several lists joined by `or`"));
            return None;
        }
        Some(items)
    }

    pub(super) fn text(&mut self, json: &Json, what: &str) -> Option<Text> {
        match &json.node {
            Node::Text(text) => Some(Text { text: text.clone(), span: json.span }),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Object(_) => {
                self.shape(json, what, "a string");
                None
            }
        }
    }

    /// A name as it may stand in the text form: letters, digits, `_`, not a digit first.
    pub(super) fn name(&mut self, json: &Json, what: &str) -> Option<Ident> {
        self.name_that(json, what, crate::lex::is_name)
    }

    /// A name behind a mark, which may start with a digit.
    pub(super) fn marked_name(&mut self, json: &Json, what: &str) -> Option<Ident> {
        self.name_that(json, what, crate::lex::is_marked_name)
    }

    fn name_that(&mut self, json: &Json, what: &str, fine: fn(&str) -> bool) -> Option<Ident> {
        let Text { text: name, span } = self.text(json, what)?;
        if fine(&name) {
            return Some(Ident { name, span });
        }
        let message = format!("`{}` cannot be the name of {what}", crate::lex::short(&name).escape_debug());
        let finding = Diagnostic::new(&codes::JSON_NAME, span, message);
        self.report(finding.help("names are letters, digits and `_`, a letter or `_` first"));
        None
    }

    /// A name that stands alone in the text form, where a keyword would mean something else.
    pub(super) fn bare_name(&mut self, json: &Json, what: &str) -> Option<Ident> {
        let name = self.name(json, what)?;
        if crate::parse::is_keyword(&name.name) {
            self.doubtful.push(name.clone());
        }
        Some(name)
    }

    /// A number in the language's spelling, which has no exponent.
    pub(super) fn number(&mut self, json: &Json, what: &str) -> Option<Number> {
        let Node::Number(text) = &json.node else {
            self.shape(json, what, "a number");
            return None;
        };
        if text.contains(['e', 'E']) {
            let message = format!("`{}` is written with an exponent", crate::lex::short(text));
            let finding = Diagnostic::new(&codes::BAD_NUMBER, json.span, message);
            self.report(finding.help("write digits and at most one point"));
            return None;
        }
        Some(Number { text: text.clone(), span: json.span })
    }

    /// `true`, and nothing else: a field that says no is left out.
    pub(super) fn mark(&mut self, json: Option<&Json>, what: &str) -> bool {
        let Some(json) = json else { return false };
        if json.node == Node::Bool(true) {
            return true;
        }
        self.shape(json, what, "true, or no such field,");
        false
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&mut self, json: &Json, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(json, what)?;
        let found = words.iter().find(|(word, _)| *word == text.text);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("`{}` is not {what}", crate::lex::short(&text.text).escape_debug());
            let finding = Diagnostic::new(&codes::JSON_SHAPE, json.span, message);
            self.report(finding.help(format!("one of {}", known.join(", "))));
        }
        found.map(|(_, value)| *value)
    }

    /// Runs a part that stands one level deeper in the text form; at the limit reports it and answers `None`.
    pub(super) fn deeper<T>(&mut self, span: Span, part: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let max = crate::parse::DEPTH_MAX;
        if self.depth >= max {
            let finding =
                Diagnostic::new(&codes::TOO_DEEP, span, format!("nested more than {max} levels deep"));
            self.report(finding.help("give inner parts a name with a define"));
            return None;
        }
        self.depth += 1;
        let value = part(self);
        self.depth -= 1;
        Some(value)
    }
}

/// The fields of one object, taken one by one; what is left at the end is unknown.
pub(super) struct Fields<'j> {
    what: &'static str,
    pub(super) span: Span,
    left: BTreeMap<&'j str, &'j Member>,
    known: Vec<&'static str>,
}

impl<'j> Fields<'j> {
    /// The first of some names that is there.
    pub(super) fn first_of<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().find(|name| self.left.contains_key(**name)).copied()
    }

    /// A field that may be there.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'j Json> {
        self.known.push(name);
        self.left.remove(name).map(|member| &member.value)
    }

    /// A field that must be there.
    pub(super) fn need(&mut self, reader: &mut Reader, name: &'static str) -> Option<&'j Json> {
        let found = self.take(name);
        if found.is_none() {
            let near = self.left.keys().copied().find(|key| suggest::nearest(key, [name]).is_some());
            let message = format!("{} needs a field `{name}`", self.what);
            let finding = Diagnostic::new(&codes::JSON_MISSING_FIELD, self.span, message);
            reader.report(
                finding.help_opt(near.map(|near| format!("is `{}` meant?", crate::lex::short(near)))),
            );
        }
        found
    }

    /// None of the fields that tell what the object is, is there.
    pub(super) fn nothing_of(mut self, reader: &mut Reader, names: &[&'static str]) {
        let message = format!("{} has one of the fields {}", self.what, names.join(", "));
        let mut finding = Diagnostic::new(&codes::JSON_SHAPE, self.span, message);
        self.known.extend(names);
        let near = self.left.keys().find_map(|key| suggest::nearest(key, names.iter().copied()));
        finding = finding.help_opt(near.map(|near| format!("did you mean `{near}`?")));
        reader.report(finding);
    }

    /// Every field has been taken; reports those that have not.
    pub(super) fn finish(self, reader: &mut Reader) {
        for (name, member) in &self.left {
            // Looking for near names costs; what is not kept need not be looked at.
            if reader.findings.len() >= FINDINGS_MAX {
                return;
            }
            let message =
                format!("unknown field `{}` of {}", crate::lex::short(name).escape_debug(), self.what);
            let near = suggest::nearest(name, self.known.iter().copied());
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.known.is_empty() => "nothing stands here".to_owned(),
                None => format!("fields: {}", self.known.join(", ")),
            };
            reader.report(Diagnostic::new(&codes::JSON_UNKNOWN_FIELD, member.name.span, message).help(help));
        }
    }
}
