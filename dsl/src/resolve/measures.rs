//! Numbers made of records: counts of records, days and values, and sums, averages and their like.

use super::numbers::Number;
use super::operands::a_type;
use super::{Resolver, Scope};
use crate::ast::{self, Measure, NumberSet, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Field, FieldType, RecordKind};
use crate::segment::{Aggregate, Cmp, ContactTest, Counted, Criteria, Logic, Window};

impl<'a> Resolver<'a> {
    /// A measure of records and its test.
    pub(super) fn measure(
        &mut self,
        measure: &'a Measure,
        selector: &'a ast::Selector,
        windows: &'a [ast::Window],
        test: &'a NumberSet,
        span: Span,
    ) -> Option<Criteria> {
        let typed = self.selector(selector, span);
        let units = self.units.len();
        let more: Vec<Option<Window>> = windows.iter().map(|window| self.window(window, false)).collect();
        let made = match measure {
            Measure::Records => self.count(Counted::Records, test, span),
            Measure::Days => self.count(Counted::Days, test, span),
            Measure::Distinct(name) => self.own_field(selector, name).and_then(|(kind, field)| {
                let ty = self.comparable(kind, field, name.span)?;
                self.count(Counted::Distinct { field: field.name.clone(), ty }, test, span)
            }),
            Measure::Values(function, name) => self.own_field(selector, name).and_then(|(kind, field)| {
                let ty = self.addable(*function, kind, field, name.span)?;
                self.aggregate(*function, kind, (field, ty), test, span)
            }),
        };
        if let Some(selector) = &typed {
            self.units_of(units, &selector.filter);
        }
        self.units.truncate(units);
        let more: Option<Vec<Window>> = more.into_iter().collect();
        let (mut typed, more, made) = (typed?, more?, made?);
        if !more.is_empty() {
            typed.windows.extend(more);
            if !typed.active {
                super::lints::windows(&typed.windows, span, &mut self.findings);
            }
        }
        let counts = matches!(measure, Measure::Records | Measure::Days | Measure::Distinct(_));
        if let Some(kind) = self.schema.record(&typed.record).filter(|_| counts && !none(test)) {
            super::lints::unbounded(&typed, kind, span, &mut self.findings);
        }
        Some(Logic::Leaf(made(typed)))
    }

    /// The field behind a kind of record. The kind is looked up again so that the rest is checked even when the
    /// selector has an error.
    pub(super) fn own_field(
        &mut self,
        selector: &ast::Selector,
        name: &ast::Ident,
    ) -> Option<(&'a RecordKind, &'a Field)> {
        let kind = self.schema.record(&selector.record.name)?;
        Some((kind, self.field(Scope::Record(kind), name)?))
    }

    fn count(&mut self, counted: Counted, test: &'a NumberSet, span: Span) -> Option<Made> {
        let test = self.number_test(test, Number::Whole("a count"))?;
        super::lints::count(&test, span, &mut self.findings);
        Some(Box::new(|selector| ContactTest::Count { counted, selector, test }))
    }

    fn aggregate(
        &mut self,
        function: Aggregate,
        kind: &'a RecordKind,
        (field, ty): (&Field, FieldType),
        test: &'a NumberSet,
        span: Span,
    ) -> Option<Made> {
        let negated = matches!(test, NumberSet::Compare(Cmp::Ne, _));
        self.note_negated_values(&kind.name, &field.name, span, negated);
        let what = format!("`{}({}.{})`", function.name(), kind.name, field.name);
        let unit = self.unit_of(super::units::values_of(test))?;
        if unit.is_some() {
            self.beside_a_unit(Scope::Record(kind), field, span)?;
        }
        let of = if unit.is_some() { Number::Measured(&what) } else { Number::Of(ty, &what) };
        let test = self.number_test(test, of)?;
        let field = field.name.clone();
        Some(Box::new(move |selector| ContactTest::Aggregate { function, selector, field, ty, unit, test }))
    }

    /// The type of a field whose values can be told apart; reports another.
    pub(super) fn comparable(&mut self, kind: &RecordKind, field: &Field, span: Span) -> Option<FieldType> {
        match field.ty {
            FieldType::Text
            | FieldType::Category
            | FieldType::Int
            | FieldType::Number
            | FieldType::Money
            | FieldType::Bool
            | FieldType::Date
            | FieldType::Time
            | FieldType::Code => Some(field.ty),
            FieldType::Categories | FieldType::Point => {
                let message = format!("`{}` is {} and has no different values", field.name, a_type(field.ty));
                let finding = Diagnostic::new(&codes::WRONG_TEST, span, message);
                let help = format!("count the records: `count({}({} is known))`", kind.name, field.name);
                self.report(finding.help(help));
                None
            }
        }
    }

    /// The type of a field that holds numbers; reports another and says which fields do.
    pub(super) fn addable(
        &mut self,
        function: Aggregate,
        kind: &RecordKind,
        field: &Field,
        span: Span,
    ) -> Option<FieldType> {
        if numeric(field.ty) {
            return Some(field.ty);
        }
        let name = function.name();
        let message = format!(
            "`{}` is {}; `{name}` takes whole numbers, numbers and money",
            field.name,
            a_type(field.ty)
        );
        let fields: Vec<String> = kind
            .fields
            .iter()
            .filter(|other| numeric(other.ty))
            .map(|other| format!("`{name}({}.{})`", kind.name, other.name))
            .collect();
        let moment = matches!(field.ty, FieldType::Date | FieldType::Time);
        let ends = moment && matches!(function, Aggregate::Min | Aggregate::Max);
        let help = if ends {
            format!("for the first and the last record write `earliest {0}` and `latest {0}`", kind.name)
        } else if fields.is_empty() {
            format!(
                "no field of `{0}` holds numbers; its records and values are counted: `count({0})`, `count(distinct {0}.{1})`",
                kind.name, field.name
            )
        } else {
            format!("of `{}` there are {}", kind.name, fields.join(", "))
        };
        self.report(Diagnostic::new(&codes::WRONG_TEST, span, message).help(help));
        None
    }
}

/// `= 0`, which asks whether something never happened.
fn none(test: &NumberSet) -> bool {
    let zero = |value: &ast::Value| matches!(&value.kind, ast::ValueKind::Number(text) if text == "0");
    matches!(test, NumberSet::Compare(Cmp::Eq | Cmp::Le, value) if zero(value))
}

/// A test that only lacks its selector.
type Made = Box<dyn FnOnce(crate::segment::Selector) -> ContactTest>;

fn numeric(ty: FieldType) -> bool {
    match ty {
        FieldType::Int | FieldType::Number | FieldType::Money => true,
        FieldType::Text
        | FieldType::Category
        | FieldType::Bool
        | FieldType::Date
        | FieldType::Time
        | FieldType::Code
        | FieldType::Categories
        | FieldType::Point => false,
    }
}
