//! Values in the type that their place asks for.

use super::anchors::literal_shifted;
use super::field_test::readable;
use super::windows::exact;
use super::{Resolver, Scope};
use crate::ast::{Span, Value, ValueKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Field, FieldType, normal_text, parse_money};
use crate::segment::{Duration, Operand, Param, Shift};
use crate::suggest;
use crate::value::{PartialDate, Value as Typed};

impl<'a> Resolver<'a> {
    /// The value against a field that is not a code; reports what does not fit.
    pub(super) fn operand(&mut self, scope: Scope<'a>, field: &Field, value: &Value) -> Option<Operand> {
        if !readable(value) || self.full() {
            return None;
        }
        if let ValueKind::Param(name) = &value.kind {
            return self.param_operand(name, value.span, field.ty);
        }
        if let ValueKind::Code { .. } = value.kind {
            self.outside_codes(field, value.span);
            return None;
        }
        if field.ty == FieldType::Category {
            return self.category(field, value).map(Operand::Literal);
        }
        if let ValueKind::Word(word) | ValueKind::Name(word) = &value.kind {
            let names_field = match scope {
                Scope::Contact => self.schema.contact_field(word).is_some() || word == "age",
                Scope::Record(kind) => kind.field(word).is_some(),
            };
            if names_field {
                self.report(
                    Diagnostic::new(
                        &codes::NOT_AVAILABLE,
                        value.span,
                        "a field as a value is not available here in this version",
                    )
                    .help("a field is compared with another by `=`, `<` and their like"),
                );
                return None;
            }
        }
        self.typed(field.ty, value, &format!("`{}`", field.name)).map(Operand::Literal)
    }

    /// The value against what has a type without being a field; reports what does not fit.
    pub(super) fn operand_of_type(&mut self, ty: FieldType, value: &Value, place: &str) -> Option<Operand> {
        if !readable(value) || self.full() {
            return None;
        }
        match &value.kind {
            ValueKind::Param(name) => self.param_operand(name, value.span, ty),
            ValueKind::Text(_)
            | ValueKind::Number(_)
            | ValueKind::Date(_)
            | ValueKind::Word(_)
            | ValueKind::Category(_)
            | ValueKind::Name(_)
            | ValueKind::Code { .. }
            | ValueKind::Shifted { .. }
            | ValueKind::Quantity { .. }
            | ValueKind::Bad => self.typed(ty, value, place).map(Operand::Literal),
        }
    }

    /// A literal of a type; reports what does not fit.
    pub(super) fn typed(&mut self, ty: FieldType, value: &Value, place: &str) -> Option<Typed> {
        if let Some(typed) = self.literal_of_type(ty, value) {
            return Some(typed);
        }
        let finding = match (&value.kind, ty) {
            (ValueKind::Text(text), FieldType::Text) if text.is_empty() => Diagnostic::new(
                &codes::EMPTY_TEXT,
                value.span,
                "an empty text equals nothing: it is a missing value",
            )
            .help("write `is missing` or `is known`"),
            (ValueKind::Number(_), FieldType::Money) => {
                let message = format!("{place} holds money, which has two decimals");
                Diagnostic::new(&codes::TOO_PRECISE, value.span, message).help("write at most two decimals")
            }
            (ValueKind::Number(_), FieldType::Int | FieldType::Number) => {
                Diagnostic::new(&codes::OUT_OF_RANGE, value.span, "the number is too large")
                    .help("numbers are stored in double precision")
            }
            (kind, _) => {
                let message = format!("{place} expects {}, found {}", expected(ty), found(kind));
                Diagnostic::new(&codes::WRONG_VALUE, value.span, message).help_opt(advice(ty, kind))
            }
        };
        self.report(finding);
        None
    }

    /// A literal of a type that parameters can have, or `None`; reports nothing.
    pub(super) fn literal_of_type(&self, ty: FieldType, value: &Value) -> Option<Typed> {
        match (&value.kind, ty) {
            (ValueKind::Text(text), FieldType::Text) => {
                (!text.is_empty()).then(|| Typed::Text(normal_text(text)))
            }
            (ValueKind::Number(text), FieldType::Int) => match text.parse::<i64>() {
                Ok(whole) => Some(Typed::Int(whole)),
                Err(_) => number(text).map(Typed::Number),
            },
            (ValueKind::Number(text), FieldType::Number) => number(text).map(Typed::Number),
            (ValueKind::Number(text), FieldType::Money) => parse_money(text).map(Typed::Money),
            (ValueKind::Date(day), FieldType::Date | FieldType::Time) => Some(Typed::Date(*day)),
            (ValueKind::Shifted { from, shifts }, FieldType::Date | FieldType::Time) => {
                let ValueKind::Date(day) = from.kind else { return None };
                let typed: Option<Vec<Shift>> = shifts.iter().map(calendar_shift).collect();
                literal_shifted(day, &typed?).map(Typed::Date)
            }
            (ValueKind::Word(word), FieldType::Bool) => match word.as_str() {
                "true" => Some(Typed::Bool(true)),
                "false" => Some(Typed::Bool(false)),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn category(&mut self, field: &Field, value: &Value) -> Option<Typed> {
        let names = field.categories.iter().map(String::as_str);
        let (written, quoted) = match &value.kind {
            ValueKind::Word(word) | ValueKind::Category(word) => (word, false),
            ValueKind::Text(text) => (text, true),
            kind @ (ValueKind::Number(_)
            | ValueKind::Date(_)
            | ValueKind::Name(_)
            | ValueKind::Code { .. }
            | ValueKind::Param(_)
            | ValueKind::Shifted { .. }
            | ValueKind::Quantity { .. }
            | ValueKind::Bad) => {
                let message = format!("`{}` expects a category, found {}", field.name, found(kind));
                let finding = Diagnostic::new(&codes::WRONG_VALUE, value.span, message);
                self.report(finding.help_opt(suggest::help("", "categories", names)));
                return None;
            }
        };
        let known = field.categories.contains(written);
        let bare = written.chars().all(|c| c.is_alphanumeric() || c == '_');
        if known && (!quoted || !bare) {
            return Some(Typed::Category(written.clone()));
        }
        let short = crate::lex::short(written);
        let finding = if known {
            let message = format!("the category `{short}` is written without quotes");
            Diagnostic::new(&codes::WRONG_VALUE, value.span, message).help(format!("write {short}"))
        } else {
            let message = format!("unknown category `{short}` of field `{}`", field.name);
            Diagnostic::new(&codes::UNKNOWN_CATEGORY, value.span, message).help_opt(suggest::help(
                written,
                "categories",
                names,
            ))
        };
        self.report(finding);
        None
    }

    /// The declared parameter; reports an unknown one.
    fn known_param(&mut self, name: &str, span: Span) -> Option<Param> {
        self.body.uses.params.insert(name.to_owned());
        if let Some(param) = self.params.get(name) {
            return param.clone();
        }
        let message = format!("unknown parameter `${}`", crate::lex::short(name));
        let names: Vec<&str> = self.declarations.params.keys().copied().collect();
        let help = suggest::help(name, "parameters", names.iter().copied())
            .unwrap_or_else(|| format!("declare it: param {}: number = 1", crate::lex::short(name)));
        self.report(Diagnostic::new(&codes::UNKNOWN_PARAM, span, message).help(help));
        None
    }

    /// A parameter where a type is asked for.
    pub(super) fn param_operand(&mut self, name: &str, span: Span, ty: FieldType) -> Option<Operand> {
        let param = self.known_param(name, span)?;
        let fits = match ty {
            FieldType::Text => param.ty == FieldType::Text,
            FieldType::Int | FieldType::Number => matches!(param.ty, FieldType::Int | FieldType::Number),
            FieldType::Money => param.ty == FieldType::Money,
            FieldType::Bool => param.ty == FieldType::Bool,
            FieldType::Date | FieldType::Time => param.ty == FieldType::Date,
            FieldType::Category | FieldType::Categories | FieldType::Code | FieldType::Point => false,
        };
        if fits {
            return Some(Operand::Param(name.to_owned()));
        }
        let finding = match ty {
            FieldType::Category | FieldType::Categories | FieldType::Code | FieldType::Point => {
                Diagnostic::new(&codes::WRONG_PARAM, span, format!("{} cannot be a parameter", a_type(ty)))
                    .help("write the value itself; it is checked when the segment compiles")
            }
            FieldType::Text
            | FieldType::Int
            | FieldType::Number
            | FieldType::Money
            | FieldType::Bool
            | FieldType::Date
            | FieldType::Time => {
                let message = format!("expected {}, but `${name}` is {}", expected(ty), a_type(param.ty));
                Diagnostic::new(&codes::WRONG_PARAM, span, message)
                    .help(format!("declare `param {name}: {}`", param_type(ty)))
            }
        };
        self.report(finding);
        None
    }
}

fn calendar_shift(shift: &crate::ast::Shift) -> Option<Shift> {
    let length = Duration { count: shift.length.count, unit: shift.length.unit };
    (!exact(length.unit)).then_some(Shift { back: shift.back, length })
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// The first is certainly greater than the second.
pub(crate) fn greater(a: &Typed, b: &Typed) -> bool {
    match (a, b) {
        (Typed::Int(a), Typed::Int(b)) | (Typed::Money(a), Typed::Money(b)) => a > b,
        (Typed::Date(a), Typed::Date(b)) => a > b,
        _ => match (as_number(a), as_number(b)) {
            (Some(a), Some(b)) => a > b,
            _ => false,
        },
    }
}

fn as_number(value: &Typed) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "only for the order of literals")]
        Typed::Int(whole) => Some(*whole as f64),
        Typed::Number(number) => Some(*number),
        Typed::Text(_)
        | Typed::Category(_)
        | Typed::Money(_)
        | Typed::Bool(_)
        | Typed::Date(_)
        | Typed::Partial(_)
        | Typed::Time(_)
        | Typed::Code(_)
        | Typed::Categories(_)
        | Typed::Point(_, _) => None,
    }
}

/// What a place of this type expects.
pub(super) fn expected(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Text => "a text in double quotes",
        FieldType::Category => "a category",
        FieldType::Int | FieldType::Number => "a number",
        FieldType::Money => "an amount such as 12.50",
        FieldType::Bool => "true or false",
        FieldType::Date | FieldType::Time => "a date such as 2026-01-31",
        FieldType::Code => "a code such as ICD10CM:\"E11.9\"",
        FieldType::Categories => "categories",
        FieldType::Point => "a place",
    }
}

/// A type with its article.
pub(super) fn a_type(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Text => "a text",
        FieldType::Category => "a category",
        FieldType::Int => "a whole number",
        FieldType::Number => "a number",
        FieldType::Money => "an amount of money",
        FieldType::Bool => "a truth value",
        FieldType::Date => "a date",
        FieldType::Time => "a time",
        FieldType::Code => "a code",
        FieldType::Categories => "a list of categories",
        FieldType::Point => "a place",
    }
}

fn param_type(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Text
        | FieldType::Category
        | FieldType::Categories
        | FieldType::Code
        | FieldType::Point => "text",
        FieldType::Int => "int",
        FieldType::Number => "number",
        FieldType::Money => "money",
        FieldType::Bool => "bool",
        FieldType::Date | FieldType::Time => "date",
    }
}

fn found(kind: &ValueKind) -> String {
    match kind {
        ValueKind::Text(_) => "a text".to_owned(),
        ValueKind::Number(_) => "a number".to_owned(),
        ValueKind::Date(_) => "a date".to_owned(),
        ValueKind::Word(word) => format!("the word `{}`", crate::lex::short(word)),
        ValueKind::Category(word) => format!("the category `{}`", crate::lex::short(word)),
        ValueKind::Name(word) => format!("the field `{}`", crate::lex::short(word)),
        ValueKind::Code { .. } => "a code".to_owned(),
        ValueKind::Param(name) => format!("`${}`", crate::lex::short(name)),
        ValueKind::Shifted { .. } => "a length of time behind a value".to_owned(),
        ValueKind::Quantity { unit, .. } => {
            format!("a number with the unit `{}`", crate::lex::short(&unit.text).escape_debug())
        }
        ValueKind::Bad => "something unreadable".to_owned(),
    }
}

fn advice(ty: FieldType, kind: &ValueKind) -> Option<String> {
    match (ty, kind) {
        (FieldType::Int | FieldType::Number | FieldType::Money, ValueKind::Quantity { .. }) => {
            Some("units are for the values of laboratory results and vital signs; leave it out".to_owned())
        }
        (FieldType::Text, ValueKind::Word(word) | ValueKind::Category(word) | ValueKind::Number(word)) => {
            Some(format!("write \"{}\"", crate::lex::short(word)))
        }
        (FieldType::Date | FieldType::Time, ValueKind::Text(text))
            if crate::value::parse_day(text).is_some() =>
        {
            Some(format!("write {text} without quotes"))
        }
        (FieldType::Date | FieldType::Time, ValueKind::Text(text) | ValueKind::Number(text))
            if PartialDate::parse(text).is_some() =>
        {
            let range = PartialDate::parse(text)?.range();
            Some(format!("a segment names days; write `in {}..{}`", range.first, range.last))
        }
        (FieldType::Int | FieldType::Number | FieldType::Money, ValueKind::Text(text))
            if number(text).is_some() =>
        {
            Some(format!("write {text} without quotes"))
        }
        (FieldType::Bool, ValueKind::Text(text)) if text == "true" || text == "false" => {
            Some(format!("write {text} without quotes"))
        }
        _ => None,
    }
}
