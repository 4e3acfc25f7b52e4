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
        let (span, unit) = (written.span, written.unit.as_ref());
        match &written.kind {
            OrderKind::Field(name) => {
                self.no_unit(unit, &format!("`{}`", name.name));
                let fields = &self.schema.contact;
                let field = self.field(Scope::Contact, name)?;
                let ty = self.orderable(field, fields, name.span)?;
                self.one_test(span)?;
                Some(Amount::Field { field: field.name.clone(), ty })
            }
            OrderKind::Age(of) => {
                self.no_unit(unit, "`age`");
                self.one_test(span)?;
                Some(Amount::Age(*of))
            }
            OrderKind::Measure { measure, selector, windows } => {
                self.amount_of_records(measure, selector, windows, written)
            }
            OrderKind::One { which, selector, field: name } => {
                let typed = self.selector(selector, span);
                // The kind is looked up again so that the field is checked even when the selector has an error.
                let (kind, field) = self.own_field(selector, name)?;
                let ty = self.orderable(field, &kind.fields, name.span)?;
                let unit = self.unit_behind(unit, kind, field, typed.as_ref())?;
                Some(Amount::One { which: *which, selector: typed?, field: field.name.clone(), ty, unit })
            }
        }
    }

    fn amount_of_records(
        &mut self,
        measure: &'a Measure,
        selector: &'a ast::Selector,
        windows: &'a [ast::Window],
        written: &'a ast::OrderBy,
    ) -> Option<Amount> {
        let (span, unit) = (written.span, written.unit.as_ref());
        let typed = self.selector(selector, span);
        let more: Vec<Option<Window>> = windows.iter().map(|window| self.window(window, false)).collect();
        if let Measure::Records | Measure::Days | Measure::Distinct(_) = measure {
            self.no_unit(unit, "a count");
        }
        let made: Made = match measure {
            Measure::Records => Some(count_of(Counted::Records)),
            Measure::Days => Some(count_of(Counted::Days)),
            Measure::Distinct(name) => self.own_field(selector, name).and_then(|(kind, field)| {
                let ty = self.comparable(kind, field, name.span)?;
                Some(count_of(Counted::Distinct { field: field.name.clone(), ty }))
            }),
            Measure::Values(function, name) => self.own_field(selector, name).and_then(|(kind, field)| {
                let ty = self.addable(*function, kind, field, name.span)?;
                let unit = self.unit_behind(unit, kind, field, typed.as_ref())?;
                let (function, field) = (*function, field.name.clone());
                let made = move |selector| Amount::Aggregate { function, selector, field, ty, unit };
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
        Some(made(typed))
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
