//! Numbers that contacts are ordered by.

use super::operands::a_type;
use super::{Resolver, Scope, lints};
use crate::ast::{self, Measure, OrderKind, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Field, FieldType};
use crate::segment::{Amount, Counted, Selector, Window};

impl<'a> Resolver<'a> {
    /// An amount; `None` after an error.
    pub(super) fn order_amount(&mut self, written: &'a ast::OrderBy) -> Option<Amount> {
        let span = written.span;
        match &written.kind {
            OrderKind::Field(name) => {
                let fields = &self.schema.contact;
                let field = self.field(Scope::Contact, name)?;
                let ty = self.orderable(field, fields, name.span)?;
                self.one_test(span)?;
                Some(Amount::Field { field: field.name.clone(), ty })
            }
            OrderKind::Age(unit) => {
                self.one_test(span)?;
                Some(Amount::Age(*unit))
            }
            OrderKind::Measure { measure, selector, windows } => {
                self.amount_of_records(measure, selector, windows, span)
            }
            OrderKind::One { which, selector, field: name } => {
                let typed = self.selector(selector, span).and_then(|typed| self.for_all(typed, span));
                // The kind is looked up again so that the field is checked even when the selector has an error.
                let (kind, field) = self.own_field(selector, name)?;
                let ty = self.orderable(field, &kind.fields, name.span)?;
                Some(Amount::One { which: *which, selector: typed?, field: field.name.clone(), ty })
            }
        }
    }

    fn amount_of_records(
        &mut self,
        measure: &'a Measure,
        selector: &'a ast::Selector,
        windows: &'a [ast::Window],
        span: Span,
    ) -> Option<Amount> {
        let typed = self.selector(selector, span);
        let more: Vec<Option<Window>> = windows.iter().map(|window| self.window(window, false)).collect();
        let made: Made = match measure {
            Measure::Records => Some(count_of(Counted::Records)),
            Measure::Days => Some(count_of(Counted::Days)),
            Measure::Distinct(name) => self.own_field(selector, name).and_then(|(kind, field)| {
                let ty = self.comparable(kind, field, name.span)?;
                Some(count_of(Counted::Distinct { field: field.name.clone(), ty }))
            }),
            Measure::Values(function, name) => self.own_field(selector, name).and_then(|(kind, field)| {
                let ty = self.addable(*function, kind, field, name.span)?;
                let (function, field) = (*function, field.name.clone());
                let made = move |selector| Amount::Aggregate { function, selector, field, ty };
                Some(Box::new(made) as Box<dyn FnOnce(Selector) -> Amount>)
            }),
        };
        let more: Option<Vec<Window>> = more.into_iter().collect();
        let (mut typed, more, made) = (typed?, more?, made?);
        if !more.is_empty() {
            typed.windows.extend(more);
            if !typed.active {
                lints::windows(&typed.windows, span, &mut self.findings);
            }
        }
        self.for_all(typed, span).map(made)
    }

    /// A selector that counts from no date of the contact; reports another.
    fn for_all(&mut self, selector: Selector, span: Span) -> Option<Selector> {
        let Some(date) = selector.date_of_contact() else { return Some(selector) };
        let message =
            format!("an order by a number that counts from `{date}` is not available in this version");
        let finding = Diagnostic::new(&codes::NOT_AVAILABLE, span, message);
        self.report(finding.help("windows that are the same for all contacts are: `in last 1 year`"));
        None
    }

    /// The type of a field that contacts can be ordered by; reports another and says which fields do.
    fn orderable(&mut self, field: &Field, among: &[Field], span: Span) -> Option<FieldType> {
        if ordered(field.ty) {
            return Some(field.ty);
        }
        let message = format!(
            "`{}` is {}; contacts are ordered by numbers, money and dates",
            field.name,
            a_type(field.ty)
        );
        let names: Vec<&str> =
            among.iter().filter(|other| ordered(other.ty)).map(|other| other.name.as_str()).collect();
        let finding = Diagnostic::new(&codes::WRONG_TEST, span, message);
        self.report(finding.help(format!("such fields are {}", names.join(", "))));
        None
    }
}

/// An amount that only lacks its selector.
type Made = Option<Box<dyn FnOnce(Selector) -> Amount>>;

fn count_of(counted: Counted) -> Box<dyn FnOnce(Selector) -> Amount> {
    Box::new(|selector| Amount::Count { counted, selector })
}

fn ordered(ty: FieldType) -> bool {
    match ty {
        FieldType::Int | FieldType::Number | FieldType::Money | FieldType::Date | FieldType::Time => true,
        FieldType::Text
        | FieldType::Category
        | FieldType::Bool
        | FieldType::Code
        | FieldType::Categories
        | FieldType::Point => false,
    }
}
