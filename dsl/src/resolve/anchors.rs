//! Days from which windows and ages count.

use super::field_test::readable;
use super::windows::{bounds, exact};
use super::{Resolver, Scope};
use crate::ast::{self, Span, Value, ValueKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Field, FieldType};
use crate::segment::{
    Anchor, Cmp, ContactTest, Duration, FieldTest, Filter, Logic, Operand, Shift, Start, Test, Window, moved,
};
use crate::suggest;
use crate::value::Value as Typed;

/// The word for the day of the run.
pub(super) const AS_OF: &str = "as_of";

impl<'a> Resolver<'a> {
    /// A day: a date, `as_of`, a date of the contact, and lengths of time behind it.
    pub(super) fn anchor(&mut self, value: &Value) -> Option<Anchor> {
        if !readable(value) || self.full() {
            return None;
        }
        let (from, shifts) = match &value.kind {
            ValueKind::Shifted { from, shifts } => (from.as_ref(), shifts.as_slice()),
            _ => (value, &[][..]),
        };
        let lengths = self.shifts(shifts);
        let start = self.start(from);
        let anchor = Anchor { start: start?, shifts: lengths? };
        let Start::Date(Operand::Literal(Typed::Date(day))) = &anchor.start else { return Some(anchor) };
        if anchor.shifts.is_empty() {
            return Some(anchor);
        }
        let Some(day) = literal_shifted(*day, &anchor.shifts) else {
            let finding = Diagnostic::new(&codes::OUT_OF_RANGE, value.span, "this leads beyond the calendar");
            self.report(finding.help("days lie in the years 1 to 9999"));
            return None;
        };
        Some(Anchor::date(Operand::Literal(Typed::Date(day))))
    }

    fn shifts(&mut self, shifts: &[ast::Shift]) -> Option<Vec<Shift>> {
        let mut typed = Vec::with_capacity(shifts.len());
        let mut fine = true;
        for ast::Shift { back, length } in shifts {
            if exact(length.unit) {
                let message = "hours and minutes cannot be added to a day";
                let finding = Diagnostic::new(&codes::WRONG_WINDOW, length.span, message);
                self.report(finding.help("use days"));
                fine = false;
            }
            typed.push(Shift { back: *back, length: Duration { count: length.count, unit: length.unit } });
        }
        fine.then_some(typed)
    }

    fn start(&mut self, from: &Value) -> Option<Start> {
        let (ValueKind::Word(word) | ValueKind::Name(word)) = &from.kind else {
            return match &from.kind {
                ValueKind::Param(name) => {
                    self.param_operand(name, from.span, FieldType::Date).map(Start::Date)
                }
                _ => self.typed(FieldType::Date, from, "this place").map(Operand::Literal).map(Start::Date),
            };
        };
        if word == AS_OF {
            return Some(Start::AsOf);
        }
        let schema = self.schema;
        let dates = || schema.contact.iter().filter(|field| field.ty == FieldType::Date);
        if dates().any(|field| field.name == *word) {
            return Some(Start::Field(word.clone()));
        }
        let short = crate::lex::short(word);
        let names: Vec<&str> = dates().map(|field| field.name.as_str()).chain([AS_OF]).collect();
        let message = match schema.contact_field(word) {
            Some(field) => {
                format!("`{short}` is {} and no day to count from", super::operands::a_type(field.ty))
            }
            None => format!("`{short}` is no day to count from"),
        };
        let finding = Diagnostic::new(&codes::WRONG_VALUE, from.span, message);
        let near =
            suggest::nearest(word, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
        self.report(finding.help(format!(
            "{}a date such as 2026-01-31, a parameter of type date, or one of {}",
            near.unwrap_or_default(),
            names.join(", ")
        )));
        None
    }

    /// A value stands for a day that the run or the contact tells, or has lengths behind it.
    pub(super) fn is_day(&self, scope: Scope<'a>, field: &Field, value: &Value) -> bool {
        if !matches!(field.ty, FieldType::Date | FieldType::Time) {
            return false;
        }
        match &value.kind {
            ValueKind::Shifted { .. } => true,
            ValueKind::Word(word) | ValueKind::Name(word) => {
                let own = match scope {
                    Scope::Record(kind) => kind.field(word).is_some(),
                    Scope::Contact => false,
                };
                let contact = self.schema.contact_field(word);
                !own && match contact {
                    Some(contact) => contact.ty == FieldType::Date,
                    None => word == AS_OF,
                }
            }
            ValueKind::Text(_)
            | ValueKind::Number(_)
            | ValueKind::Date(_)
            | ValueKind::Category(_)
            | ValueKind::Code { .. }
            | ValueKind::Param(_)
            | ValueKind::Quantity { .. }
            | ValueKind::Bad => false,
        }
    }

    /// The same, where a field can be compared with it: with one of its own class it is compared where they lie.
    fn is_apart(&self, scope: Scope<'a>, field: &Field, value: &Value) -> bool {
        let (ValueKind::Word(word) | ValueKind::Name(word)) = &value.kind else { return true };
        let beside = |other: &Field| other.class == field.class;
        !(matches!(scope, Scope::Contact) && self.schema.contact_field(word).is_some_and(beside))
    }

    /// A field is compared with a day by counting from that.
    pub(super) fn is_anchor(&self, scope: Scope<'a>, field: &Field, value: &Value) -> bool {
        self.is_day(scope, field, value) && self.is_apart(scope, field, value)
    }

    /// A date against a day.
    pub(super) fn against_day(&mut self, field: &Field, cmp: Cmp, value: &Value) -> Option<Filter> {
        let anchor = self.anchor(value)?;
        let leaf = |test| Logic::Leaf(FieldTest { field: field.name.clone(), ty: field.ty, test });
        if let Some(operand) = anchor.as_date() {
            return Some(leaf(Test::Compare(cmp, operand.clone())));
        }
        let window = |window| leaf(Test::Window(window));
        Some(match cmp {
            Cmp::Eq => window(Window::On(anchor)),
            Cmp::Ne => Logic::Not(Box::new(window(Window::On(anchor)))),
            Cmp::Lt => window(Window::Before(anchor)),
            Cmp::Le => Logic::Not(Box::new(window(Window::After(anchor)))),
            Cmp::Gt => window(Window::After(anchor)),
            Cmp::Ge => window(Window::Since(anchor)),
        })
    }

    /// Two days of a window, the first of which must not always lie behind the second.
    pub(super) fn two_days(&mut self, first: &Value, last: &Value) -> Option<Window> {
        let (low, high) = (self.anchor(first), self.anchor(last));
        let (low, high) = (low?, high?);
        let span = first.span.to(last.span);
        if let (Some(Operand::Literal(low)), Some(Operand::Literal(high))) = (low.as_date(), high.as_date()) {
            self.in_order(low, high, span)?;
        } else if low.start == high.start && reach(&low.shifts).0 > reach(&high.shifts).1 {
            let finding = Diagnostic::new(&codes::REVERSED, span, "the bounds are the wrong way round");
            self.report(finding.help("the earlier day comes first"));
            return None;
        }
        Some(Window::Between(low, high))
    }

    /// Remembers that a negation leaves out contacts without a date that it counts from.
    pub(super) fn note_dates(&mut self, test: &ContactTest, span: Span, negated: bool) {
        for field in test.dates_of_contact() {
            self.note_negation(Scope::Contact, field, span, negated);
        }
    }
}

/// A window as the test of a field: between two dates the two are one.
pub(super) fn window_test(window: Window) -> Test {
    if let Window::Between(first, last) = &window
        && let (Some(first), Some(last)) = (first.as_date(), last.as_date())
    {
        return Test::Between(first.clone(), last.clone());
    }
    Test::Window(window)
}

/// The day to which the lengths behind a literal lead; `None` when one of them leads beyond the calendar.
pub(super) fn literal_shifted(day: crate::value::Day, shifts: &[Shift]) -> Option<crate::value::Day> {
    shifts.iter().try_fold(day, |day, shift| moved(day, *shift))
}

/// The fewest and the most minutes that lengths lead ahead.
fn reach(shifts: &[Shift]) -> (i64, i64) {
    shifts.iter().fold((0, 0), |(least, most), Shift { back, length }| {
        let (low, high) = bounds(*length);
        let minutes = |minutes: u64| i64::try_from(minutes).unwrap_or(i64::MAX / 16);
        if *back {
            (least - minutes(high), most - minutes(low))
        } else {
            (least + minutes(low), most + minutes(high))
        }
    })
}
