//! References to segments of the same file, and to what was sent.

use super::records::hidden;
use super::windows::exact;
use super::{DEPTH_MAX, Resolver, Scope, State};
use crate::ast::{self, Ident, Sent, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{
    Asks, Cmp, ContactTest, Criteria, FieldTest, Logic, Operand, Reference, Selector, Test, Window,
};
use crate::suggest;
use crate::value::Value;

/// The kind of record that says what was released for whom.
const DELIVERY: &str = "delivery";

impl<'a> Resolver<'a> {
    pub(super) fn reference(&mut self, reference: &'a ast::Reference, span: Span) -> Option<Criteria> {
        match reference {
            ast::Reference::Segment(name) => self.of_segment(name, Asks::InSegment, 1, span),
            ast::Reference::Stage(name) => self.in_stage(name, span),
            ast::Reference::Entered { segment, window } => {
                let asks = self.entry(window).map(Asks::Entered);
                // The segment is looked at even when the window is wrong. It is asked at two moments.
                let found = self.of_segment(segment, Asks::InSegment, 2, span)?;
                match found {
                    Logic::Leaf(ContactTest::Reference(mut reference)) => {
                        reference.asks = asks?;
                        Some(Logic::Leaf(ContactTest::Reference(reference)))
                    }
                    _ => None,
                }
            }
            ast::Reference::Received { negated, sent, windows } => {
                let has = self.received(sent, windows, span)?;
                Some(if *negated { Logic::Not(Box::new(has)) } else { has })
            }
        }
    }

    /// The criteria of a segment of this file, put in; they are asked so many times.
    fn of_segment(&mut self, name: &'a Ident, asks: Asks, times: usize, span: Span) -> Option<Criteria> {
        let text = name.name.as_str();
        let Some(written) = self.declarations.segments.get(text).copied() else {
            let message = format!("unknown segment `{}`", crate::lex::short(text));
            let names = self.declarations.segments.keys().copied();
            let help = suggest::help(text, "segments of this file", names);
            self.report(Diagnostic::new(&codes::UNKNOWN_SEGMENT, name.span, message).help_opt(help));
            return None;
        };
        if let Some(State::Open) = self.segments.get(text) {
            let message = format!("segment `{text}` needs itself");
            let finding = Diagnostic::new(&codes::SEGMENT_CYCLE, name.span, message);
            self.report(finding.related(written.name.span, "declared here"));
            return None;
        }
        if self.nesting >= DEPTH_MAX {
            self.too_far(span);
            return None;
        }
        self.nesting += 1;
        let whole = self.segment(written);
        self.nesting -= 1;
        let whole = whole?;
        self.body.uses.segments.insert(text.to_owned());
        for _ in 0..times {
            self.put_in(&whole.uses, whole.size, span)?;
        }
        let mut parts: Vec<Criteria> =
            whole.segment.criteria.into_iter().map(|criterion| criterion.test).collect();
        let test = match parts.len() {
            1 => parts.pop().unwrap_or(Logic::True),
            _ => Logic::And(parts),
        };
        let without = whole.segment.exclude.into_iter().map(|criterion| criterion.test).collect();
        let reference = Reference { name: text.to_owned(), asks, test, without };
        Some(Logic::Leaf(ContactTest::Reference(Box::new(reference))))
    }

    /// A window that begins on a day in the past.
    fn entry(&mut self, window: &'a ast::Window) -> Option<Window> {
        let typed = self.window(window, false)?;
        let fine = match &typed {
            Window::InLast(length) => !exact(length.unit),
            Window::Since(day) => day.field().is_none(),
            Window::InNext(_)
            | Window::MoreThanAgo(_)
            | Window::BetweenAgo(_, _)
            | Window::Before(_)
            | Window::After(_)
            | Window::On(_)
            | Window::Between(_, _)
            | Window::Calendar(_, _) => false,
        };
        if !fine {
            let message = "who entered a segment is asked from a day on until now, the same for all";
            let finding = Diagnostic::new(&codes::WRONG_WINDOW, window.span, message);
            self.report(finding.help("`in last 30 days` (or weeks, months …) or `since 2026-01-31`"));
        }
        fine.then_some(typed)
    }

    /// Some record says that it was sent.
    fn received(&mut self, sent: &'a Sent, windows: &'a [ast::Window], span: Span) -> Option<Criteria> {
        self.one_test(span)?;
        let kind = self.schema.record(DELIVERY)?;
        let (field, value) = match sent {
            Sent::Segment(name) => {
                let value = Operand::Literal(Value::Text(name.name.clone()));
                (kind.field("segment")?, Some(value))
            }
            Sent::Campaign(name) => {
                let field = kind.field("campaign")?;
                (field, self.operand(Scope::Record(kind), field, name))
            }
        };
        let windows: Vec<Option<Window>> = windows.iter().map(|window| self.window(window, false)).collect();
        let windows: Vec<Window> = windows.into_iter().collect::<Option<_>>()?;
        super::lints::windows(&windows, span, &mut self.findings);
        let test = Test::Compare(Cmp::Eq, value?);
        let filter = Logic::Leaf(FieldTest { field: field.name.clone(), ty: field.ty, test });
        let hidden = hidden(kind, &filter);
        let selector = Selector { record: kind.name.clone(), filter, windows, active: false, hidden };
        Some(Logic::Leaf(ContactTest::Has(selector)))
    }
}
