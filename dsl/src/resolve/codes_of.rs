//! Tests of codes: every one becomes code sets.

use std::collections::BTreeSet;

use super::{Resolver, UNDER_CODES_MAX};
use crate::ast::{AttributeTest, Ident, Set, Span, Text, Value, ValueKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::lookups::PinKind;
use crate::schema::{CodeSystem, Field};
use crate::segment::{Cmp, CodePattern, CodeSet};
use crate::suggest;
use crate::value::Code;

impl<'a> Resolver<'a> {
    /// The sets of which one must hold the field's code; whether the test is negated is the caller's matter.
    pub(super) fn code_test(
        &mut self,
        field: &Field,
        test: &'a AttributeTest,
        span: Span,
    ) -> Option<Vec<CodeSet>> {
        match test {
            AttributeTest::Compare(Cmp::Eq | Cmp::Ne, value) => {
                if let ValueKind::Code { under: true, .. } = value.kind {
                    let finding =
                        Diagnostic::new(&codes::WRONG_TEST, value.span, "`=` compares with one code");
                    self.report(finding.help(format!("write `{} under …`", field.name)));
                    return None;
                }
                self.grow(0, 1, span)?;
                self.pattern(field, value).map(|patterns| vec![set_of(patterns)])
            }
            AttributeTest::Under(value) => {
                let patterns = self.pattern(field, value)?;
                self.grow(0, patterns.len(), span)?;
                Some(vec![set_of(patterns)])
            }
            AttributeTest::In { set: Set::List { values, .. }, .. } => {
                let mut patterns = Vec::with_capacity(values.len());
                for value in values {
                    patterns.push(self.pattern(field, value));
                }
                let patterns: Vec<Vec<CodePattern>> = patterns.into_iter().collect::<Option<_>>()?;
                self.grow(0, patterns.iter().map(Vec::len).sum(), span)?;
                Some(vec![set_of(patterns.into_iter().flatten())])
            }
            AttributeTest::In { set: Set::Ref(name), .. } => {
                let sets = self.valueset_of(name)?;
                self.grow_by(&sets, span)?;
                Some(sets)
            }
            AttributeTest::In { set: Set::File(name), .. } => {
                let sets = self.codes_of_file(name)?;
                self.grow_by(&sets, span)?;
                Some(sets)
            }
            AttributeTest::Compare(Cmp::Lt | Cmp::Le | Cmp::Gt | Cmp::Ge, _)
            | AttributeTest::In { set: Set::Range(_, _), .. }
            | AttributeTest::Between { .. }
            | AttributeTest::Text(_)
            | AttributeTest::List { .. }
            | AttributeTest::Window(_) => {
                self.wrong_test(field, span);
                None
            }
            AttributeTest::Known | AttributeTest::Missing => None,
        }
    }

    fn grow_by(&mut self, sets: &[CodeSet], span: Span) -> Option<()> {
        self.grow(0, sets.iter().map(|set| set.include.len() + set.exclude.len()).sum(), span)
    }

    fn pattern(&mut self, field: &Field, value: &Value) -> Option<Vec<CodePattern>> {
        let finding = match &value.kind {
            ValueKind::Code { system, code, under } => return self.code(system, code, *under, value.span),
            ValueKind::Bad => return None,
            ValueKind::Param(name) => {
                let _ = self.param_operand(name, value.span, field.ty);
                return None;
            }
            ValueKind::Text(text)
            | ValueKind::Number(text)
            | ValueKind::Word(text)
            | ValueKind::Category(text)
            | ValueKind::Name(text) => {
                let short = crate::lex::short(text);
                let message = format!("`{short}` does not say which code system it belongs to");
                Diagnostic::new(&codes::CODE_WITHOUT_SYSTEM, value.span, message)
                    .help(format!("write the system in front, e.g. {}:\"{short}\"", example_system(text)))
            }
            ValueKind::Date(_) | ValueKind::Shifted { .. } | ValueKind::Quantity { .. } => {
                let message = format!("`{}` expects a code such as ICD10CM:\"E11.9\"", field.name);
                Diagnostic::new(&codes::WRONG_VALUE, value.span, message)
            }
        };
        self.report(finding);
        None
    }

    /// A code in normal form; several codes where a table says what lies under one.
    pub(super) fn code(
        &mut self,
        system: &Ident,
        code: &Text,
        under: bool,
        span: Span,
    ) -> Option<Vec<CodePattern>> {
        let known = self.system(system);
        if code.text.trim().is_empty() {
            self.report(Diagnostic::new(&codes::EMPTY_TEXT, code.span, "the code is empty"));
            return None;
        }
        let known = known?;
        let Some(normal) = known.normal(&code.text) else {
            self.report(Diagnostic::new(
                &codes::EMPTY_TEXT,
                code.span,
                "nothing is left of this code in normal form",
            ));
            return None;
        };
        self.expanded(known, normal, under, span)
    }

    /// A code in normal form, or with `under` what it stands for: all that starts with it, or the codes of a table.
    pub(super) fn expanded(
        &mut self,
        system: CodeSystem,
        code: String,
        under: bool,
        span: Span,
    ) -> Option<Vec<CodePattern>> {
        let pattern = |code: &str, under| CodePattern {
            code: Code { system: system.name().to_owned(), code: code.to_owned() },
            under,
        };
        if !under || system.prefix_hierarchy() {
            return Some(vec![pattern(&code, under)]);
        }
        if self.full() {
            return None;
        }
        let hierarchy = match self.lookups.hierarchy(system) {
            Ok(Some(hierarchy)) => hierarchy,
            Ok(None) => {
                let message = format!("{system} has no hierarchy here: what lies under a code is not known");
                let finding = Diagnostic::new(&codes::NO_HIERARCHY, span, message);
                self.report(finding.help(format!(
                    "list the codes, or import a table: `hyperseg import hierarchy FILE --system {system}`"
                )));
                return None;
            }
            Err(refusal) => {
                self.refused(&format!("the hierarchy of {system}"), &refusal, span);
                return None;
            }
        };
        self.pin(PinKind::Hierarchy, system.name(), hierarchy.sha256());
        let Some(below) = hierarchy.below(&code, UNDER_CODES_MAX) else {
            let message = format!(
                "the hierarchy of {system} has no code `{}`",
                crate::lex::short(&code).escape_debug()
            );
            let finding = Diagnostic::new(&codes::UNKNOWN_CODE, span, message);
            self.report(finding.help("check the code, or leave `under` out to take it alone"));
            return None;
        };
        if below.len() > UNDER_CODES_MAX {
            let message = format!("more than {UNDER_CODES_MAX} codes lie under this one");
            let finding = Diagnostic::new(&codes::EXPANDS_TOO_FAR, span, message);
            self.report(finding.help("take codes further down"));
            return None;
        }
        Some(below.into_iter().map(|code| pattern(code, false)).collect())
    }

    fn system(&mut self, system: &Ident) -> Option<CodeSystem> {
        let known = CodeSystem::parse(&system.name);
        if known.is_none() {
            let message = format!("unknown code system `{}`", crate::lex::short(&system.name));
            let names = CodeSystem::ALL.iter().map(|system| system.name());
            let finding = Diagnostic::new(&codes::UNKNOWN_SYSTEM, system.span, message);
            self.report(finding.help_opt(suggest::help(&system.name, "code systems", names)));
        }
        known
    }
}

fn set_of(patterns: impl IntoIterator<Item = CodePattern>) -> CodeSet {
    CodeSet { include: patterns.into_iter().collect(), exclude: BTreeSet::new() }
}

/// The system that a code of this shape most likely belongs to; only for an example.
fn example_system(code: &str) -> &'static str {
    let mut chars = code.chars();
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    match chars.next() {
        Some(first) if first.is_ascii_alphabetic() => "ICD10CM",
        _ if code.split_once('-').is_some_and(|(a, b)| digits(a) && digits(b)) => "LOINC",
        _ if code.len() == 5 && digits(code) => "CPT",
        _ if code.len() > 6 && digits(code) => "SNOMED",
        _ => "ICD10CM",
    }
}
