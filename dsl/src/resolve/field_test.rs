//! Tests of one field.

use super::anchors::window_test;
use super::body::Negation;
use super::{Body, Resolver, Scope};
use crate::ast::{AttributeTest, Set, Span, Value, ValueKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Field, FieldType, ZIP, is_stored_zip};
use crate::segment::{Cmp, FieldTest, Filter, Logic, Operand, OtherField, Test, TextOp};
use crate::value::Value as Typed;

/// Largest regular expression once compiled, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

impl<'a> Resolver<'a> {
    /// A test of a known field. Negated tests come out as `Not` of the test, `!=` apart.
    pub(super) fn field_test(
        &mut self,
        scope: Scope<'a>,
        field: &Field,
        test: &'a AttributeTest,
        span: Span,
    ) -> Option<Filter> {
        self.one_test(span)?;
        if let AttributeTest::Known | AttributeTest::Missing = test {
            self.body.decided.insert(key(scope, &field.name));
            let test = if matches!(test, AttributeTest::Known) { Test::Known } else { Test::Missing };
            return Some(leaf(field, test));
        }
        let negated = test.is_negated();
        self.note_negation(scope, &field.name, span, negated);
        if field.ty == FieldType::Code {
            let sets = self.code_test(field, test, span)?;
            let mut sets: Vec<Filter> = sets.into_iter().map(|set| leaf(field, Test::Codes(set))).collect();
            let one = if sets.len() == 1 { sets.pop()? } else { Logic::Or(sets) };
            return Some(negate(one, negated));
        }
        if super::units::written(test) {
            return self.measured(scope, field, test, span).map(|it| negate(it, negated && !is_ne(test)));
        }
        match test {
            AttributeTest::Compare(cmp, value) => {
                let fits = match cmp {
                    Cmp::Eq | Cmp::Ne => !matches!(field.ty, FieldType::Categories | FieldType::Point),
                    Cmp::Lt | Cmp::Le | Cmp::Gt | Cmp::Ge => ordered(field.ty),
                };
                if !fits {
                    self.wrong_test(field, span);
                    return None;
                }
                if self.is_anchor(scope, field, value) {
                    return self.against_day(field, *cmp, value);
                }
                if let ValueKind::Name(name) = &value.kind
                    && field.categories.contains(name)
                {
                    let message =
                        format!("`{name}` is a category of `{}`, which comes before a field", field.name);
                    self.report(Diagnostic::new(&codes::WRONG_VALUE, value.span, message));
                    return None;
                }
                if let Some(other) = self.other_field(scope, field, value) {
                    return self.against_field(scope, field, *cmp, other, value.span);
                }
                let operand = self.exact_operand(scope, field, value)?;
                Some(leaf(field, Test::Compare(*cmp, operand)))
            }
            AttributeTest::In { set, .. } => {
                self.set_test(scope, field, set, span).map(|it| negate(it, negated))
            }
            AttributeTest::Between { low, high, .. } => {
                self.range(scope, field, low, high, span).map(|it| negate(it, negated))
            }
            AttributeTest::Text(test) => {
                if field.ty != FieldType::Text {
                    self.wrong_test(field, span);
                    return None;
                }
                let operand = self.text_operand(scope, field, test.op, &test.value)?;
                Some(leaf(field, Test::Text(test.op, operand)))
            }
            AttributeTest::Under(value) => {
                self.outside_codes(field, value.span);
                None
            }
            AttributeTest::Window(window) => {
                if !matches!(field.ty, FieldType::Date | FieldType::Time) {
                    self.wrong_test(field, span);
                    return None;
                }
                let window = self.window(window, field.ty == FieldType::Date)?;
                Some(leaf(field, window_test(window)))
            }
            AttributeTest::List { test, values } => {
                if field.ty != FieldType::Categories {
                    self.wrong_test(field, span);
                    return None;
                }
                self.grow(0, values.len(), span)?;
                let mut operands = Vec::with_capacity(values.len());
                for value in values {
                    operands.push(readable(value).then(|| self.category(field, value)).flatten());
                }
                let operands: Vec<Typed> = operands.into_iter().collect::<Option<_>>()?;
                let operands: Vec<(Operand, Span)> = operands
                    .into_iter()
                    .map(Operand::Literal)
                    .zip(values.iter().map(|value| value.span))
                    .collect();
                super::lints::repeated_values(&operands, &mut self.findings);
                let operands = operands.into_iter().map(|(operand, _)| operand).collect();
                Some(leaf(field, Test::List(*test, operands)))
            }
            AttributeTest::Known | AttributeTest::Missing => None,
        }
    }

    /// The field that a bare word names where a value stands; a category of the field is one first.
    fn other_field(&self, scope: Scope<'a>, field: &Field, value: &Value) -> Option<&'a Field> {
        let (ValueKind::Word(word) | ValueKind::Name(word)) = &value.kind else { return None };
        if field.categories.contains(word) {
            return None;
        }
        match scope {
            Scope::Contact => self.schema.contact_field(word),
            Scope::Record(kind) => kind.field(word),
        }
    }

    /// One field against another.
    fn against_field(
        &mut self,
        scope: Scope<'a>,
        field: &Field,
        cmp: Cmp,
        other: &Field,
        span: Span,
    ) -> Option<Filter> {
        let moment = |ty| matches!(ty, FieldType::Date | FieldType::Time);
        let number = |ty| matches!(ty, FieldType::Int | FieldType::Number);
        let alike = field.ty == other.ty && field.categories == other.categories
            || moment(field.ty) && moment(other.ty)
            || number(field.ty) && number(other.ty);
        let finding = if field.name == other.name {
            let message = format!("`{}` is compared with itself", field.name);
            Diagnostic::new(&codes::WRONG_VALUE, span, message).help("write a value or another field")
        } else if !alike {
            let (one, two) = (super::operands::a_type(field.ty), super::operands::a_type(other.ty));
            let message =
                format!("`{}` is {one} and `{}` is {two}: they cannot be compared", field.name, other.name);
            Diagnostic::new(&codes::WRONG_VALUE, span, message)
        } else if matches!(scope, Scope::Contact) && field.class != other.class {
            let message = format!(
                "`{}` and `{}` are kept under different keys; comparing them is not available in this version",
                field.name, other.name
            );
            Diagnostic::new(&codes::NOT_AVAILABLE, span, message).help("compare each with a value")
        } else {
            self.note_negation(scope, &other.name, span, cmp == Cmp::Ne);
            let other = OtherField { field: other.name.clone(), ty: other.ty };
            return Some(leaf(field, Test::CompareField(cmp, other)));
        };
        self.report(finding);
        None
    }

    /// The value that a whole field is compared with; a ZIP must have the form in which ZIPs are stored.
    pub(super) fn exact_operand(
        &mut self,
        scope: Scope<'a>,
        field: &Field,
        value: &'a Value,
    ) -> Option<Operand> {
        let operand = self.operand(scope, field, value)?;
        if let (Scope::Contact, ZIP, Operand::Literal(Typed::Text(zip))) =
            (scope, field.name.as_str(), &operand)
            && !is_stored_zip(zip)
        {
            let message = "a ZIP is stored as five digits; this equals none";
            let finding = Diagnostic::new(&codes::BAD_ZIP, value.span, message);
            self.report(
                finding.help("write five digits with leading zeros, e.g. \"02139\", or use `starts with`"),
            );
            return None;
        }
        Some(operand)
    }

    fn set_test(&mut self, scope: Scope<'a>, field: &Field, set: &'a Set, span: Span) -> Option<Filter> {
        match set {
            Set::List { values, .. } => {
                if matches!(field.ty, FieldType::Categories | FieldType::Point) {
                    self.wrong_test(field, span);
                    return None;
                }
                self.grow(0, values.len(), span)?;
                let mut operands = Vec::with_capacity(values.len());
                for value in values {
                    operands
                        .push(self.exact_operand(scope, field, value).map(|operand| (operand, value.span)));
                }
                let operands: Vec<(Operand, Span)> = operands.into_iter().collect::<Option<_>>()?;
                super::lints::repeated_values(&operands, &mut self.findings);
                Some(leaf(field, Test::In(operands.into_iter().map(|(operand, _)| operand).collect())))
            }
            Set::Range(low, high) => self.range(scope, field, low, high, span),
            Set::Ref(name) => {
                self.outside_codes(field, name.span);
                None
            }
            Set::File(name) => self.values_of_file(scope, field, name),
        }
    }

    fn range(
        &mut self,
        scope: Scope<'a>,
        field: &Field,
        low: &'a Value,
        high: &'a Value,
        span: Span,
    ) -> Option<Filter> {
        if !ordered(field.ty) {
            self.wrong_test(field, span);
            return None;
        }
        if [low, high].into_iter().any(|value| self.is_day(scope, field, value)) {
            let window = self.two_days(low, high)?;
            return Some(leaf(field, window_test(window)));
        }
        let (first, last) = (self.operand(scope, field, low), self.operand(scope, field, high));
        let (first, last) = (first?, last?);
        if let (Operand::Literal(first), Operand::Literal(last)) = (&first, &last) {
            self.in_order(first, last, low.span.to(high.span))?;
        }
        Some(leaf(field, Test::Between(first, last)))
    }

    /// Reports bounds that are the wrong way round.
    pub(super) fn in_order(&mut self, low: &Typed, high: &Typed, span: Span) -> Option<()> {
        if super::operands::greater(low, high) {
            let finding = Diagnostic::new(&codes::REVERSED, span, "the bounds are the wrong way round");
            self.report(finding.help("the smaller one comes first"));
            return None;
        }
        Some(())
    }

    fn text_operand(
        &mut self,
        scope: Scope<'a>,
        field: &Field,
        op: TextOp,
        value: &'a Value,
    ) -> Option<Operand> {
        let operand = self.operand(scope, field, value)?;
        match (op, &operand) {
            (TextOp::Matches, Operand::Param(_)) => {
                let message =
                    "a regular expression cannot be a parameter: it is checked when the segment compiles";
                self.report(
                    Diagnostic::new(&codes::WRONG_PARAM, value.span, message)
                        .help("write it in double quotes"),
                );
                None
            }
            (TextOp::Matches, Operand::Literal(Typed::Text(pattern))) => {
                self.grow(super::REGEX_TESTS, 0, value.span)?;
                let built = regex::RegexBuilder::new(pattern)
                    .size_limit(REGEX_BYTES_MAX)
                    .dfa_size_limit(REGEX_BYTES_MAX)
                    .build();
                match built {
                    Ok(_) => Some(operand),
                    Err(error) => {
                        let why = match error {
                            regex::Error::CompiledTooBig(_) => "too large once compiled".to_owned(),
                            other => last_line(&other.to_string()),
                        };
                        let message = format!("the regular expression is not valid: {why}");
                        let finding = Diagnostic::new(&codes::BAD_REGEX, value.span, message);
                        self.report(finding.help(
                            "regular expressions run in linear time: no look-around, no back references",
                        ));
                        None
                    }
                }
            }
            (TextOp::Contains | TextOp::StartsWith | TextOp::EndsWith | TextOp::Matches, _) => Some(operand),
        }
    }

    /// Reports a test that the field's type does not have.
    pub(super) fn wrong_test(&mut self, field: &Field, span: Span) {
        let knows = match field.ty {
            FieldType::Text => {
                "`=`, `!=`, `in (...)`, `in @\"file\"`, `contains`, `starts with`, `ends with`, `matches`"
            }
            FieldType::Category => "`=`, `!=`, `in (...)`, `in @\"file\"`",
            FieldType::Bool => "`=`, `!=`, `in (...)`",
            FieldType::Code => "`=`, `!=`, `in (...)`, `in @valueset`, `under`",
            FieldType::Int | FieldType::Number | FieldType::Money => {
                "`=`, `<`, `>=`, `in 1..5`, `between 1 and 5`"
            }
            FieldType::Date | FieldType::Time => {
                "`=`, `<`, `>=`, `between`, windows such as `in last 90 days`"
            }
            FieldType::Categories => "`has any of (...)`, `has all of (...)`, `has none of (...)`",
            FieldType::Point => "`location within 25 miles of ...`, `is known`, `is missing`",
        };
        let message =
            format!("`{}` is {} and does not have this test", field.name, super::operands::a_type(field.ty));
        let finding = Diagnostic::new(&codes::WRONG_TEST, span, message);
        let own = if field.ty == FieldType::Point { "" } else { ", `is known`, `is missing`" };
        self.report(finding.help(format!("it has {knows}{own}")));
    }

    pub(super) fn outside_codes(&mut self, field: &Field, span: Span) {
        let message = format!("`{}` is {}, not a code", field.name, super::operands::a_type(field.ty));
        let finding = Diagnostic::new(&codes::CODE_OUTSIDE, span, message);
        self.report(finding.help("codes and value sets are for fields of type code"));
    }

    /// Remembers a negation over a field that may be missing.
    pub(super) fn note_negation(&mut self, scope: Scope<'a>, field: &str, span: Span, negated: bool) {
        let never_missing = match scope {
            Scope::Contact => field == "contact_id",
            Scope::Record(_) => matches!(field, "record_id" | "at"),
        };
        if self.body.negated != negated && !never_missing {
            self.body.negations.push(Negation { field: key(scope, field), several: false, span });
        }
    }

    /// Remembers a negation over a number made of a field's values; there may be none.
    pub(super) fn note_negated_values(&mut self, kind: &str, field: &str, span: Span, negated: bool) {
        if self.body.negated != negated {
            let field = (kind.to_owned(), field.to_owned());
            self.body.negations.push(Negation { field, several: true, span });
        }
    }

    /// Reports the negations of a body for whose fields the author said nothing about missing values.
    pub(super) fn negation_findings(&mut self, body: &Body) {
        for Negation { field, several, span } in &body.negations {
            if body.decided.contains(field) {
                continue;
            }
            let (record, name) = field;
            if *several {
                let message =
                    format!("a contact without any `{name}` of `{record}` is not selected by this negation");
                let finding = Diagnostic::new(&codes::NEGATED_MISSING, *span, message);
                self.report(finding.help(format!(
                    "add `or no {record}({name} is known)` to take such contacts, or `and has {record}({name} is known)` to say that they are left out"
                )));
                continue;
            }
            let (whose, take) = match record.as_str() {
                "" => ("a contact", "contacts"),
                _ => ("a record", "records"),
            };
            let message = format!("{whose} without `{name}` is not selected by this negation");
            let finding = Diagnostic::new(&codes::NEGATED_MISSING, *span, message);
            self.report(finding.help(format!(
                "add `or {name} is missing` to take such {take}, or `and {name} is known` to say that they are left out"
            )));
        }
    }
}

/// What the value is, when nothing was wrong with its spelling.
pub(super) fn readable(value: &Value) -> bool {
    !matches!(value.kind, ValueKind::Bad)
}

/// `!=`, which is a test of its own.
fn is_ne(test: &AttributeTest) -> bool {
    matches!(test, AttributeTest::Compare(Cmp::Ne, _))
}

pub(super) fn leaf(field: &Field, test: Test) -> Filter {
    Logic::Leaf(FieldTest { field: field.name.clone(), ty: field.ty, test })
}

fn negate(filter: Filter, negated: bool) -> Filter {
    if negated { Logic::Not(Box::new(filter)) } else { filter }
}

fn key(scope: Scope<'_>, field: &str) -> (String, String) {
    let record = match scope {
        Scope::Contact => String::new(),
        Scope::Record(kind) => kind.name.clone(),
    };
    (record, field.to_owned())
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

/// The last line of a message over several lines holds what matters.
fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(text);
    line.trim().trim_start_matches("error: ").to_owned()
}
