//! Criteria over a contact, and filters over a record.

use super::body::{Size, Uses};
use super::lints::{self, Part};
use super::numbers::Number;
use super::{DEPTH_MAX, Resolver, Scope, TESTS_MAX, VALUES_MAX};
use crate::ast::{Expr, ExprKind, Ident, Number as Written, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::RecordKind;
use crate::segment::{ContactTest, Criteria, FieldTest, Filter, Logic, Quantity};
use crate::suggest;

impl<'a> Resolver<'a> {
    /// Criteria over a contact; `None` after an error.
    pub(super) fn criteria(&mut self, expr: &'a Expr) -> Option<Criteria> {
        self.nested(expr.span, |resolver| match &expr.kind {
            ExprKind::Or(parts) => resolver.joined(parts, true, Self::criteria),
            ExprKind::And(parts) => resolver.joined(parts, false, Self::criteria),
            ExprKind::Of { quantity, number, parts, .. } => {
                resolver.several(*quantity, number, parts, Self::criteria)
            }
            ExprKind::Not(inner) => resolver.not(|resolver| resolver.criteria(inner)),
            ExprKind::Group(inner) => resolver.criteria(inner),
            ExprKind::Everyone => Some(Logic::True),
            ExprKind::Nobody => Some(Logic::False),
            ExprKind::Name(name) => resolver.name(name, expr.span),
            ExprKind::Attribute { .. }
            | ExprKind::Age { .. }
            | ExprKind::InList { .. }
            | ExprKind::Near { .. }
            | ExprKind::Turns { .. }
            | ExprKind::Anniversary { .. }
            | ExprKind::History(_)
            | ExprKind::Has { .. }
            | ExprKind::Measure { .. }
            | ExprKind::One { .. }
            | ExprKind::Sequence { .. }
            | ExprKind::DaysCovered { .. }
            | ExprKind::Continuous { .. }
            | ExprKind::Share { .. }
            | ExprKind::Reference(_)
            | ExprKind::Sample { .. } => resolver.criterion(expr),
            ExprKind::Household { which, test, .. } => resolver.household(*which, test, expr.span),
            ExprKind::Rank { end, size, by, among } => resolver.rank(*end, size, by, among.as_ref()),
            ExprKind::Bad => None,
        })
    }

    /// One that holds no other criteria over contacts. By itself, so that what holds others needs little of the stack.
    #[inline(never)]
    fn criterion(&mut self, expr: &'a Expr) -> Option<Criteria> {
        match &expr.kind {
            ExprKind::Attribute { field, test } => {
                let known = self.field(Scope::Contact, field)?.clone();
                let logic = lift(self.field_test(Scope::Contact, &known, test, expr.span)?);
                let negated = test.is_negated();
                if let Some(test) = only_leaf(&logic) {
                    self.note_dates(test, expr.span, negated);
                }
                Some(logic)
            }
            ExprKind::Age { unit, on, test } => {
                self.one_test(expr.span)?;
                self.note_negation(Scope::Contact, "birth_date", expr.span, false);
                let on = on.as_ref().map(|on| self.anchor(on));
                let test = self.number_test(test, Number::Whole("an age"))?;
                lints::age(&test, expr.span, &mut self.findings);
                let on = match on {
                    Some(on) => Some(on?),
                    None => None,
                };
                let test = ContactTest::Age { unit: *unit, on, test };
                self.note_dates(&test, expr.span, false);
                Some(Logic::Leaf(test))
            }
            ExprKind::Near { distance, unit, centre } => self.lives_near(distance, *unit, centre, expr.span),
            ExprKind::InList { file, by } => self.in_list(file, by, expr.span).map(lift),
            ExprKind::Turns { age, window } => self.turns(age, window, expr.span),
            ExprKind::Anniversary { field, window } => self.anniversary(field, window, expr.span),
            ExprKind::History(history) => self.history(history, expr.span),
            ExprKind::Has { negated, selector, observed } => {
                let test = if *observed {
                    self.observed(selector, expr.span)?
                } else {
                    ContactTest::Has(self.selector(selector, expr.span)?)
                };
                self.note_dates(&test, expr.span, *negated);
                let has = Logic::Leaf(test);
                Some(if *negated { Logic::Not(Box::new(has)) } else { has })
            }
            ExprKind::Measure { measure, selector, windows, test } => {
                let made = self.measure(measure, selector, windows, test, expr.span);
                self.noted(made, expr.span)
            }
            ExprKind::One { which, selector, tie, test } => {
                let made = self.one(*which, selector, *tie, test, expr.span);
                self.noted(made, expr.span)
            }
            ExprKind::Sequence { first, steps } => {
                let made = self.sequence(first, steps, expr.span);
                self.noted(made, expr.span)
            }
            ExprKind::DaysCovered { selector, window, cmp, percent } => {
                let made = self.days_covered(selector, window, *cmp, percent, expr.span);
                self.noted(made, expr.span)
            }
            ExprKind::Continuous { selector, gap, length } => {
                let made = self.continuous(selector, gap, length, expr.span);
                self.noted(made, expr.span)
            }
            ExprKind::Share { test, selector, cmp, percent, at_least, .. } => {
                let made = self.share(test, selector, *cmp, percent, at_least.as_ref(), expr.span);
                self.noted(made, expr.span)
            }
            ExprKind::Reference(reference) => {
                let made = self.reference(reference, expr.span);
                if let Some(test) = made.as_ref().and_then(only_leaf) {
                    let negated = matches!(made, Some(Logic::Not(_)));
                    self.note_dates(test, expr.span, negated);
                }
                made
            }
            ExprKind::Sample { percent, seed } => {
                self.one_test(expr.span)?;
                Some(Logic::Leaf(ContactTest::Sample(self.sample(percent, seed)?)))
            }
            ExprKind::Or(_)
            | ExprKind::And(_)
            | ExprKind::Of { .. }
            | ExprKind::Not(_)
            | ExprKind::Group(_)
            | ExprKind::Everyone
            | ExprKind::Nobody
            | ExprKind::Name(_)
            | ExprKind::Household { .. }
            | ExprKind::Rank { .. }
            | ExprKind::Bad => None,
        }
    }

    /// A test of records, with its dates of the contact noted.
    fn noted(&mut self, made: Option<Criteria>, span: Span) -> Option<Criteria> {
        if let Some(test) = made.as_ref().and_then(only_leaf) {
            self.note_dates(test, span, false);
        }
        made
    }

    /// A filter over the fields of one record; `None` after an error.
    pub(super) fn filter(&mut self, expr: &'a Expr, kind: &'a RecordKind) -> Option<Filter> {
        self.nested(expr.span, |resolver| match &expr.kind {
            ExprKind::Or(parts) => resolver.joined(parts, true, |it, part| it.filter(part, kind)),
            ExprKind::And(parts) => resolver.joined(parts, false, |it, part| it.filter(part, kind)),
            ExprKind::Of { quantity, number, parts, .. } => {
                resolver.several(*quantity, number, parts, |it, part| it.filter(part, kind))
            }
            ExprKind::Not(inner) => resolver.not(|resolver| resolver.filter(inner, kind)),
            ExprKind::Group(inner) => resolver.filter(inner, kind),
            ExprKind::Attribute { field, test } => {
                let known = resolver.field(Scope::Record(kind), field)?.clone();
                resolver.field_test(Scope::Record(kind), &known, test, expr.span)
            }
            ExprKind::Bad => None,
            ExprKind::Name(name) => {
                resolver.name_in_filter(name, expr.span, kind);
                None
            }
            ExprKind::Everyone
            | ExprKind::Nobody
            | ExprKind::Age { .. }
            | ExprKind::Turns { .. }
            | ExprKind::InList { .. }
            | ExprKind::Near { .. }
            | ExprKind::Anniversary { .. }
            | ExprKind::History(_)
            | ExprKind::Has { .. }
            | ExprKind::DaysCovered { .. }
            | ExprKind::Continuous { .. }
            | ExprKind::Measure { .. }
            | ExprKind::One { .. }
            | ExprKind::Sequence { .. }
            | ExprKind::Rank { .. }
            | ExprKind::Sample { .. }
            | ExprKind::Share { .. }
            | ExprKind::Reference(_)
            | ExprKind::Household { .. } => {
                let message = format!("only tests of the fields of `{}` can stand here", kind.name);
                let finding = Diagnostic::new(&codes::NOT_A_RECORD_TEST, expr.span, message);
                resolver.report(finding.help(format!("fields: {}", field_names(kind))));
                None
            }
        })
    }

    /// Runs a part one level deeper.
    fn nested<T>(&mut self, span: Span, part: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.nesting >= DEPTH_MAX {
            self.too_far(span);
            return None;
        }
        self.nesting += 1;
        self.body.depth += 1;
        self.body.size.height = self.body.size.height.max(self.body.depth);
        let done = part(self);
        self.body.depth -= 1;
        self.nesting -= 1;
        done
    }

    fn not<L>(&mut self, part: impl FnOnce(&mut Self) -> Option<Logic<L>>) -> Option<Logic<L>> {
        self.body.negated = !self.body.negated;
        let inner = part(self);
        self.body.negated = !self.body.negated;
        inner.map(|inner| Logic::Not(Box::new(inner)))
    }

    /// All parts are resolved even when one of them is wrong.
    fn joined<L: lints::Facts + PartialEq>(
        &mut self,
        exprs: &'a [Expr],
        any: bool,
        mut each: impl FnMut(&mut Self, &'a Expr) -> Option<Logic<L>>,
    ) -> Option<Logic<L>> {
        if any {
            lints::mixed(exprs, &mut self.findings);
        }
        let mut parts = Vec::with_capacity(exprs.len());
        for expr in exprs {
            parts.push(each(self, expr).map(|logic| Part { span: expr.span, logic }));
        }
        let parts: Vec<Part<L>> = parts.into_iter().collect::<Option<_>>()?;
        lints::join(&parts, any, &mut self.findings);
        let parts = parts.into_iter().map(|part| part.logic).collect();
        Some(if any { Logic::Or(parts) } else { Logic::And(parts) })
    }

    /// Criteria of which a number must be TRUE. Under `at most` the parts are as good as negated.
    fn several<L: PartialEq>(
        &mut self,
        quantity: Quantity,
        number: &Written,
        exprs: &'a [Expr],
        mut each: impl FnMut(&mut Self, &'a Expr) -> Option<Logic<L>>,
    ) -> Option<Logic<L>> {
        let range = match quantity {
            Quantity::AtLeast => 1..=exprs.len(),
            Quantity::AtMost => 0..=exprs.len().saturating_sub(1),
            Quantity::Exactly => 0..=exprs.len(),
        };
        let fits = |n: &u32| usize::try_from(*n).is_ok_and(|n| range.contains(&n));
        let wanted = number.text.parse::<u32>().ok().filter(fits);
        if wanted.is_none() {
            let count = exprs.len();
            let (words, text) = (quantity.words(), crate::lex::short(&number.text));
            let message = if number.text.contains('.') {
                format!("`{text}` is not a whole number")
            } else {
                format!("`{words} {text} of` {count} criteria is always so or never")
            };
            let finding = Diagnostic::new(&codes::OUT_OF_RANGE, number.span, message);
            self.report(finding.help(format!("from {} to {}", range.start(), range.end())));
        }
        let negated = self.body.negated;
        self.body.negated = negated != (quantity == Quantity::AtMost);
        let mut parts = Vec::with_capacity(exprs.len());
        for expr in exprs {
            parts.push(each(self, expr).map(|logic| Part { span: expr.span, logic }));
        }
        self.body.negated = negated;
        let parts: Vec<Part<L>> = parts.into_iter().collect::<Option<_>>()?;
        lints::several(&parts, &mut self.findings);
        let parts = parts.into_iter().map(|part| part.logic).collect();
        Some(Logic::Of { quantity, number: wanted?, parts })
    }

    /// Counts one more test of the body; `None` when there are too many.
    pub(super) fn one_test(&mut self, span: Span) -> Option<()> {
        self.grow(1, 0, span)
    }

    /// Makes the body larger; `None`, after a report, when it is too large.
    pub(super) fn grow(&mut self, tests: usize, values: usize, span: Span) -> Option<()> {
        let size = &mut self.body.size;
        let before = size.tests <= TESTS_MAX && size.values <= VALUES_MAX;
        size.tests = size.tests.saturating_add(tests);
        size.values = size.values.saturating_add(values);
        if size.tests <= TESTS_MAX && size.values <= VALUES_MAX {
            return Some(());
        }
        if before {
            self.too_far(span);
        }
        None
    }

    /// Makes the body larger by what stands elsewhere and is put in here; `None`, after a report, when it is too large.
    pub(super) fn put_in(&mut self, uses: &Uses, size: Size, span: Span) -> Option<()> {
        self.body.uses.merge(uses);
        let height = self.body.depth + size.height;
        if height > DEPTH_MAX {
            self.too_far(span);
            return None;
        }
        self.body.size.height = self.body.size.height.max(height);
        self.grow(size.tests, size.values, span)
    }

    /// A name that stands alone: a define.
    fn name(&mut self, name: &str, span: Span) -> Option<Criteria> {
        if let Some(define) = self.declarations.defines.get(name).copied() {
            self.body.uses.defines.insert(name.to_owned());
            let defined = self.define(define, span)?;
            self.put_in(&defined.uses, defined.size, span)?;
            return Some(defined.criteria);
        }
        if self.full() {
            return None;
        }
        let finding = if let Some(field) = self.schema.contact_field(name) {
            Diagnostic::new(&codes::UNEXPECTED, span, format!("expected a test behind the field `{name}`"))
                .help(format!("e.g. `{}`", example(&field.name, field)))
        } else if self.schema.record(name).is_some() {
            Diagnostic::new(
                &codes::UNEXPECTED,
                span,
                format!("expected a criterion, found the record kind `{name}`"),
            )
            .help(format!("write `has {name}`, `no {name}` or `count({name}) >= 1`"))
        } else {
            let message = format!("unknown name `{}`", crate::lex::short(name));
            let names: Vec<&str> = self
                .declarations
                .defines
                .keys()
                .copied()
                .chain(self.schema.contact.iter().map(|field| field.name.as_str()))
                .chain(["everyone", "nobody"])
                .collect();
            let near =
                suggest::nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let fallback = "a name that stands alone refers to a `define` of this file".to_owned();
            Diagnostic::new(&codes::UNKNOWN_NAME, span, message).help(near.unwrap_or(fallback))
        };
        self.report(finding);
        None
    }

    fn name_in_filter(&mut self, name: &str, span: Span, kind: &RecordKind) {
        let finding = if let Some(field) = kind.field(name) {
            Diagnostic::new(&codes::UNEXPECTED, span, format!("expected a test behind the field `{name}`"))
                .help(format!("e.g. `{}`", example(name, field)))
        } else if self.declarations.defines.contains_key(name) {
            let message = format!("the define `{name}` is about contacts and cannot stand in a filter");
            Diagnostic::new(&codes::NOT_A_RECORD_TEST, span, message)
                .help(format!("only tests of the fields of `{}` can stand here", kind.name))
        } else {
            let names = kind.fields.iter().map(|field| field.name.as_str());
            Diagnostic::new(&codes::UNKNOWN_NAME, span, format!("unknown name `{}`", crate::lex::short(name)))
                .help_opt(suggest::help(name, "fields", names))
        };
        self.report(finding);
    }

    /// The field of a name at a place; reports an unknown one.
    pub(super) fn field(&mut self, scope: Scope<'a>, name: &Ident) -> Option<&'a crate::schema::Field> {
        if self.full() {
            return None;
        }
        let short = crate::lex::short(&name.name);
        let finding = match scope {
            Scope::Contact => {
                if let Some(field) = self.schema.contact_field(&name.name) {
                    return Some(field);
                }
                let finding =
                    Diagnostic::new(&codes::UNKNOWN_FIELD, name.span, format!("unknown field `{short}`"));
                let names = self.schema.contact.iter().map(|field| field.name.as_str()).chain(["age"]);
                if let Some(kind) = self.schema.record(&name.name) {
                    finding
                        .help(format!("`{0}` is a kind of record: `has {0}`, `count({0}) >= 1`", kind.name))
                } else if self.declarations.defines.contains_key(name.name.as_str()) {
                    finding.help(format!("`{short}` is a define; it stands alone, without a test"))
                } else {
                    finding.help_opt(suggest::help(&name.name, "contact fields", names))
                }
            }
            Scope::Record(kind) => {
                if let Some(field) = kind.field(&name.name) {
                    return Some(field);
                }
                let message = format!("unknown field `{short}` of record `{}`", kind.name);
                let names = kind.fields.iter().map(|field| field.name.as_str());
                Diagnostic::new(&codes::UNKNOWN_RECORD_FIELD, name.span, message)
                    .help_opt(suggest::help(&name.name, "fields", names))
            }
        };
        self.report(finding);
        None
    }
}

/// The test, when there is one and nothing around it but a negation.
fn only_leaf(criteria: &Criteria) -> Option<&ContactTest> {
    match criteria {
        Logic::Leaf(test) => Some(test),
        Logic::Not(inner) => only_leaf(inner),
        Logic::True | Logic::False | Logic::And(_) | Logic::Or(_) | Logic::Of { .. } => None,
    }
}

fn field_names(kind: &RecordKind) -> String {
    let names: Vec<&str> = kind.fields.iter().map(|field| field.name.as_str()).collect();
    names.join(", ")
}

/// A test that a field of this type knows.
fn example(name: &str, field: &crate::schema::Field) -> String {
    use crate::schema::FieldType as Ty;
    match field.ty {
        Ty::Text => format!("{name} = \"...\""),
        Ty::Category => {
            format!("{name} = {}", field.categories.first().map_or("", String::as_str))
        }
        Ty::Int | Ty::Number | Ty::Money => format!("{name} >= 1"),
        Ty::Bool => format!("{name} = true"),
        Ty::Date | Ty::Time => format!("{name} in last 30 days"),
        Ty::Code => format!("{name} under ICD10CM:\"E11\""),
        Ty::Categories => {
            format!("{name} has any of ({})", field.categories.first().map_or("", String::as_str))
        }
        Ty::Point => format!("{name} is known"),
    }
}

/// Tests of a contact's field as tests of the contact.
fn lift(logic: Logic<FieldTest>) -> Criteria {
    match logic {
        Logic::True => Logic::True,
        Logic::False => Logic::False,
        Logic::And(parts) => Logic::And(parts.into_iter().map(lift).collect()),
        Logic::Or(parts) => Logic::Or(parts.into_iter().map(lift).collect()),
        Logic::Of { quantity, number, parts } => {
            Logic::Of { quantity, number, parts: parts.into_iter().map(lift).collect() }
        }
        Logic::Not(inner) => Logic::Not(Box::new(lift(*inner))),
        Logic::Leaf(test) => Logic::Leaf(ContactTest::Field(test)),
    }
}
