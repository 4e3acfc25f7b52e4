//! Tests of what a contact field said before.

use super::{Resolver, Scope};
use crate::ast::{self, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Field, FieldType};
use crate::segment::{ContactTest, Criteria, History, Logic, Past, Turn, Window};

impl<'a> Resolver<'a> {
    /// `field changed [from value] [to value] window`, `field was value window`.
    pub(super) fn history(&mut self, written: &'a ast::History, span: Span) -> Option<Criteria> {
        self.one_test(span)?;
        let field = self.field(Scope::Contact, &written.field)?.clone();
        self.is_kept(&field, written.field.span)?;
        let past = match &written.past {
            ast::Past::Changed { from, to } => {
                let (from, to) =
                    (self.past_value(&field, from.as_ref()), self.past_value(&field, to.as_ref()));
                from.zip(to).map(|(from, to)| Past::Changed { from, to })
            }
            ast::Past::Was(value) => {
                self.note_negation(Scope::Contact, &field.name, span, false);
                self.past_value(&field, Some(value)).and_then(|value| value.map(Past::Was))
            }
        };
        let window = self.past_window(&written.window);
        let (past, window) = (past?, window?);
        if let Past::Changed { from: Some(from), to: Some(to) } = &past
            && from == to
        {
            let message = "a change leads to another value";
            let finding = Diagnostic::new(&codes::WRONG_VALUE, span, message);
            self.report(finding.help("leave out `from` or `to`, or ask for two changes with `and`"));
            return None;
        }
        let test = History { field: field.name.clone(), ty: field.ty, past, window };
        Some(Logic::Leaf(ContactTest::History(Box::new(test))))
    }

    /// Reports a field whose history cannot be asked for.
    fn is_kept(&mut self, field: &Field, span: Span) -> Option<()> {
        if History::kept_of(field) {
            return Some(());
        }
        let finding = if field.ty == FieldType::Point {
            let message = format!("the history of `{}` is not available in this version", field.name);
            Diagnostic::new(&codes::NOT_AVAILABLE, span, message)
                .help("ask for `zip`, `city` or `state`, e.g. `zip changed in last 90 days`")
        } else {
            let message = format!("`{}` is what a contact is known by: it never changes", field.name);
            Diagnostic::new(&codes::WRONG_TEST, span, message)
                .help("the history of every other field of contacts but `location` is kept")
        };
        self.report(finding);
        None
    }

    /// A value that the field had, where one is asked for.
    fn past_value(
        &mut self,
        field: &Field,
        value: Option<&'a ast::Value>,
    ) -> Option<Option<crate::segment::Operand>> {
        let Some(value) = value else { return Some(None) };
        if !History::has_values(field.ty) {
            let message = format!(
                "`{}` is {}, whose history is not asked for values",
                field.name,
                super::operands::a_type(field.ty)
            );
            let finding = Diagnostic::new(&codes::WRONG_TEST, value.span, message);
            self.report(
                finding.help(format!("it has `{} changed in last 90 days`, without values", field.name)),
            );
            return None;
        }
        self.exact_operand(Scope::Contact, field, value).map(Some)
    }

    /// A window that looks back, the same for every contact.
    fn past_window(&mut self, window: &'a ast::Window) -> Option<Window> {
        let typed = self.window(window, false)?;
        let ahead = match &typed {
            Window::InNext(_) | Window::Calendar(Turn::Next, _) => true,
            Window::InLast(_)
            | Window::MoreThanAgo(_)
            | Window::BetweenAgo(_, _)
            | Window::Since(_)
            | Window::Before(_)
            | Window::After(_)
            | Window::On(_)
            | Window::Between(_, _)
            | Window::Calendar(Turn::This | Turn::Last, _) => false,
        };
        if ahead {
            let message = "`changed` and `was` look back; what will change is not known";
            let finding = Diagnostic::new(&codes::WRONG_WINDOW, window.span, message);
            self.report(finding.help("e.g. `in last 90 days`, `since 2026-01-01`, `last year`"));
            return None;
        }
        if typed.anchors().iter().any(|anchor| anchor.field().is_some()) {
            let message = "`changed` and `was` in a window that counts from a date of the contact are not available in this version";
            let finding = Diagnostic::new(&codes::NOT_AVAILABLE, window.span, message);
            self.report(finding.help("write a date, or `in last 90 days`"));
            return None;
        }
        Some(typed)
    }
}
