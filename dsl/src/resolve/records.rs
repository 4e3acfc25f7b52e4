//! Criteria on records: selectors, the latest and the earliest.

use super::anchors::window_test;
use super::{Resolver, Scope};
use crate::ast::{self, Modifier, OneTest, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Field, RecordKind, hidden_value};
use crate::segment::{
    ContactTest, Criteria, FieldTest, Filter, Hidden, Logic, Selector, Test, Which, Window,
};
use crate::suggest;

impl<'a> Resolver<'a> {
    /// A selector with the hidden values that its filter does not ask for.
    pub(super) fn selector(&mut self, selector: &'a ast::Selector, span: Span) -> Option<Selector> {
        let mut alone = true;
        for modifier in &selector.modifiers {
            if let Modifier::Same { field, .. } = modifier {
                self.nothing_in_front(field);
                alone = false;
            }
        }
        let typed = self.selector_of_event(selector, span);
        if alone { typed } else { None }
    }

    /// The same, where `same … as` may stand.
    pub(super) fn selector_of_event(&mut self, selector: &'a ast::Selector, span: Span) -> Option<Selector> {
        self.one_test(span)?;
        let kind = self.kind(selector);
        let mut windows = Vec::new();
        let mut active: Option<Span> = None;
        let mut fine = true;
        for modifier in &selector.modifiers {
            match modifier {
                Modifier::Window(window) => windows.push((self.window(window, false), window.span)),
                Modifier::Active(span) => {
                    if let Some(first) = active {
                        let finding =
                            Diagnostic::new(&codes::DUPLICATE_CRITERION, *span, "`active` stands twice");
                        self.report(finding.related(first, "first here"));
                    }
                    active = Some(*span);
                }
                Modifier::Recorded(_) | Modifier::With(_) | Modifier::Same { .. } => {}
            }
        }
        let kind = kind?;
        if let Some(span) = active
            && !kind.has_end()
        {
            let message = format!("records of kind `{}` have no end and are never `active`", kind.name);
            let lasting: Vec<&str> = self
                .schema
                .records
                .iter()
                .filter(|kind| kind.has_end())
                .map(|kind| kind.name.as_str())
                .collect();
            let finding = Diagnostic::new(&codes::NO_END, span, message);
            self.report(finding.help(format!("kinds with an end: {}", lasting.join(", "))));
            fine = false;
        }
        let units = self.units.len();
        let filter = self.record_filter(selector.filter.as_ref(), kind);
        if let Some(filter) = &filter {
            self.units_of(units, filter);
        }
        self.units.truncate(units);
        let windows: Option<Vec<Window>> = windows.into_iter().map(|(window, _)| window).collect();
        let beside = self.beside_the_filter(selector, kind);
        let (filter, windows, beside) = (filter?, windows?, beside?);
        if !fine {
            return None;
        }
        if active.is_none() {
            super::lints::windows(&windows, selector.span, &mut self.findings);
        }
        // Only what the filter names is asked for.
        let hidden = hidden(kind, &filter);
        let filter = together(filter, beside);
        Some(Selector { record: kind.name.clone(), filter, windows, active: active.is_some(), hidden })
    }

    /// What stands behind the filter and is tested as if it stood in it.
    fn beside_the_filter(
        &mut self,
        selector: &'a ast::Selector,
        kind: &'a RecordKind,
    ) -> Option<Vec<Filter>> {
        let mut tests = Vec::new();
        for modifier in &selector.modifiers {
            tests.push(match modifier {
                Modifier::Recorded(window) => {
                    let field = kind.field("recorded_at")?;
                    let test = self.window(window, false).map(window_test);
                    test.map(|test| (field, test))
                }
                Modifier::With(name) => {
                    self.field(Scope::Record(kind), name).map(|field| (field, Test::Known))
                }
                Modifier::Window(_) | Modifier::Active(_) | Modifier::Same { .. } => continue,
            });
        }
        let tests: Option<Vec<_>> = tests.into_iter().collect();
        let leaf = |(field, test): (&Field, Test)| {
            Logic::Leaf(FieldTest { field: field.name.clone(), ty: field.ty, test })
        };
        Some(tests?.into_iter().map(leaf).collect())
    }

    /// The filter of a selector; negations outside of it do not reach into it, because a record that is not
    /// selected is not selected, whatever the reason.
    fn record_filter(&mut self, filter: Option<&'a ast::Filter>, kind: &'a RecordKind) -> Option<Filter> {
        let Some(filter) = filter else { return Some(Logic::True) };
        let outer = std::mem::replace(&mut self.body.negated, false);
        let done = self.filter(&filter.expr, kind);
        self.body.negated = outer;
        done
    }

    fn kind(&mut self, selector: &ast::Selector) -> Option<&'a RecordKind> {
        let name = &selector.record.name;
        let known = self.schema.record(name);
        if known.is_none() {
            let message = format!("unknown record kind `{}`", crate::lex::short(name));
            let names = self.schema.records.iter().map(|kind| kind.name.as_str());
            let finding = Diagnostic::new(&codes::UNKNOWN_RECORD, selector.record.span, message);
            let help = match self.schema.contact_field(name) {
                Some(_) => {
                    Some(format!("`{name}` is a contact field: write `{name} is known` or a test of it"))
                }
                None => suggest::help(name, "record kinds", names),
            };
            self.report(finding.help_opt(help));
        }
        known
    }

    pub(super) fn one(
        &mut self,
        which: Which,
        selector: &'a ast::Selector,
        test: &'a OneTest,
        span: Span,
    ) -> Option<Criteria> {
        let typed = self.selector(selector, span);
        // The record kind is looked up again so that the test is checked even when the selector has an error.
        let kind = self.schema.record(&selector.record.name)?;
        let units = self.units.len();
        let test = match test {
            OneTest::Field { field, test } => {
                let known = self.field(Scope::Record(kind), field)?.clone();
                self.field_test(Scope::Record(kind), &known, test, span)
            }
            OneTest::Has(filter) => self.filter(&filter.expr, kind),
        };
        if let Some(selector) = &typed {
            self.units_of(units, &selector.filter);
        }
        self.units.truncate(units);
        Some(Logic::Leaf(ContactTest::One { which, selector: typed?, test: test? }))
    }
}

/// The filter and further tests, all of which must hold.
fn together(filter: Filter, more: Vec<Filter>) -> Filter {
    if more.is_empty() {
        return filter;
    }
    let mut parts = match filter {
        Logic::True => Vec::new(),
        Logic::And(parts) => parts,
        other => vec![other],
    };
    parts.extend(more);
    match parts.len() {
        1 => parts.pop().unwrap_or(Logic::True),
        _ => Logic::And(parts),
    }
}

/// The kind's hidden values of the fields that the filter does not name.
pub(super) fn hidden(kind: &RecordKind, filter: &Filter) -> Vec<Hidden> {
    kind.hidden
        .iter()
        .filter(|(name, _)| !names(filter, name))
        .filter_map(|(name, values)| {
            let field = kind.field(name)?;
            let values = values.iter().map(|value| hidden_value(field, value)).collect();
            Some(Hidden { field: name.clone(), values })
        })
        .collect()
}

fn names(filter: &Filter, field: &str) -> bool {
    match filter {
        Logic::True | Logic::False => false,
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().any(|part| names(part, field))
        }
        Logic::Not(inner) => names(inner, field),
        Logic::Leaf(test) => test.field == field,
    }
}
