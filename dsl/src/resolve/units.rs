//! Numbers with units.

use super::field_test::leaf;
use super::operands::a_type;
use super::{Resolver, Scope};
use crate::ast::{AttributeTest, NumberSet, Set, Span, Text, Value, ValueKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Field, FieldType, RecordKind};
use crate::segment::{CodeSet, FieldTest, Filter, Logic, NumberTest, Operand, Selector, Test};
use crate::units::{self, Unit};

/// Units of one test: that of every value, or that of the last one for both ends of a range.
pub(super) struct Written<'a> {
    values: Vec<&'a Value>,
    range: bool,
}

/// Some value of the test has a unit.
pub(super) fn written(test: &AttributeTest) -> bool {
    values_of_test(test).is_some_and(|written| written.values.iter().any(|value| unit_text(value).is_some()))
}

fn unit_text(value: &Value) -> Option<(&str, Span)> {
    match &value.kind {
        ValueKind::Quantity { unit, .. } => Some((&unit.text, unit.span)),
        ValueKind::Text(_)
        | ValueKind::Number(_)
        | ValueKind::Date(_)
        | ValueKind::Word(_)
        | ValueKind::Category(_)
        | ValueKind::Name(_)
        | ValueKind::Code { .. }
        | ValueKind::Shifted { .. }
        | ValueKind::Param(_)
        | ValueKind::Bad => None,
    }
}

fn values_of_set(set: &Set) -> Written<'_> {
    match set {
        Set::List { values, .. } => Written { values: values.iter().collect(), range: false },
        Set::Range(low, high) => Written { values: vec![low, high], range: true },
        Set::Ref(_) | Set::File(_) => Written { values: Vec::new(), range: false },
    }
}

fn values_of_test(test: &AttributeTest) -> Option<Written<'_>> {
    match test {
        AttributeTest::Compare(_, value) => Some(Written { values: vec![value], range: false }),
        AttributeTest::In { set, .. } => Some(values_of_set(set)),
        AttributeTest::Between { low, high, .. } => Some(Written { values: vec![low, high], range: true }),
        AttributeTest::Text(_)
        | AttributeTest::Under(_)
        | AttributeTest::Known
        | AttributeTest::Missing
        | AttributeTest::Window(_)
        | AttributeTest::List { .. } => None,
    }
}

/// The values of a test of a number.
pub(super) fn values_of(test: &NumberSet) -> Written<'_> {
    match test {
        NumberSet::Compare(_, value) => Written { values: vec![value], range: false },
        NumberSet::In(set) => values_of_set(set),
    }
}

impl<'a> Resolver<'a> {
    /// A test of a field whose values have units; a negation of it is the caller's matter.
    pub(super) fn measured(
        &mut self,
        scope: Scope<'a>,
        field: &Field,
        test: &'a AttributeTest,
        span: Span,
    ) -> Option<Filter> {
        let place = format!("`{}`", field.name);
        let fine = self.beside_a_unit(scope, field, span);
        let unit = values_of_test(test).and_then(|written| self.unit_of(written));
        let test = match test {
            AttributeTest::Compare(cmp, value) => NumberTest::Compare(*cmp, self.amount(value, &place)?),
            AttributeTest::In { set: Set::List { values, .. }, .. } => {
                self.grow(0, values.len(), span)?;
                let all: Vec<Option<Operand>> =
                    values.iter().map(|value| self.amount(value, &place)).collect();
                NumberTest::In(all.into_iter().collect::<Option<_>>()?)
            }
            AttributeTest::In { set: Set::Range(low, high), .. }
            | AttributeTest::Between { low, high, .. } => {
                let (first, last) = (self.amount(low, &place), self.amount(high, &place));
                let (first, last) = (first?, last?);
                if let (Operand::Literal(first), Operand::Literal(last)) = (&first, &last) {
                    self.in_order(first, last, low.span.to(high.span))?;
                }
                NumberTest::Range(first, last)
            }
            AttributeTest::In { set: Set::Ref(_) | Set::File(_), .. }
            | AttributeTest::Text(_)
            | AttributeTest::Under(_)
            | AttributeTest::Known
            | AttributeTest::Missing
            | AttributeTest::Window(_)
            | AttributeTest::List { .. } => return None,
        };
        fine?;
        Some(leaf(field, Test::Measured { unit: unit??, test }))
    }

    /// The number of a value, its unit left aside.
    pub(super) fn amount(&mut self, value: &Value, place: &str) -> Option<Operand> {
        match &value.kind {
            ValueKind::Quantity { amount, .. } => {
                self.operand_of_type(FieldType::Number, &amount.value(value.span), place)
            }
            ValueKind::Text(_)
            | ValueKind::Number(_)
            | ValueKind::Date(_)
            | ValueKind::Word(_)
            | ValueKind::Category(_)
            | ValueKind::Name(_)
            | ValueKind::Code { .. }
            | ValueKind::Shifted { .. }
            | ValueKind::Param(_)
            | ValueKind::Bad => self.operand_of_type(FieldType::Number, value, place),
        }
    }

    /// Reports a unit for a field that has none beside it.
    pub(super) fn beside_a_unit(&mut self, scope: Scope<'a>, field: &Field, span: Span) -> Option<()> {
        let beside = match scope {
            Scope::Contact => false,
            Scope::Record(kind) => kind.field("unit").is_some_and(|unit| unit.ty == FieldType::Text),
        };
        if beside && field.ty == FieldType::Number {
            return Some(());
        }
        let message = if beside {
            format!("`{}` is {} and has no unit", field.name, a_type(field.ty))
        } else {
            format!("no unit is kept beside `{}`", field.name)
        };
        let finding = Diagnostic::new(&codes::WRONG_VALUE, span, message);
        self.report(finding.help(
            "units are for the values of laboratory results and vital signs: `has lab(value > 9 \"%\")`",
        ));
        None
    }

    /// The one unit of a test: `Some(None)` when none is written, `None` after a report.
    pub(super) fn unit_of(&mut self, written: Written<'_>) -> Option<Option<String>> {
        let Written { values, range } = written;
        let mut found: Option<(&str, Span)> = None;
        let mut fine = true;
        for (text, span) in values.iter().filter_map(|value| unit_text(value)) {
            match found {
                Some((first, _)) if first == text => {}
                Some((_, first)) => {
                    let finding = Diagnostic::new(&codes::WRONG_VALUE, span, "another unit in the same test");
                    self.report(finding.related(first, "first here").help("write all values in one unit"));
                    fine = false;
                }
                None => {
                    fine &= self.known_unit(text, span);
                    found = Some((text, span));
                }
            }
        }
        let Some((text, span)) = found else { return Some(None) };
        let needed =
            if range { values.last().into_iter().collect() } else { values.iter().collect::<Vec<_>>() };
        if let Some(bare) = needed.into_iter().find(|value| unit_text(value).is_none()) {
            let finding = Diagnostic::new(&codes::WRONG_VALUE, bare.span, "this value has no unit");
            self.report(
                finding.related(span, "others have").help(format!("write the unit here, too: \"{text}\"")),
            );
            fine = false;
        }
        if fine {
            self.units.push((span, text.to_owned()));
        }
        fine.then(|| Some(text.to_owned()))
    }

    /// Reports a unit behind a number that has none.
    pub(super) fn no_unit(&mut self, unit: Option<&Text>, what: &str) {
        if let Some(unit) = unit {
            let finding = Diagnostic::new(&codes::WRONG_VALUE, unit.span, format!("{what} has no unit"));
            self.report(finding.help("leave the text behind it out"));
        }
    }

    /// The unit that stands behind a number made of values: `Some(None)` when none is written, `None` after a report.
    pub(super) fn unit_behind(
        &mut self,
        unit: Option<&Text>,
        kind: &'a RecordKind,
        field: &Field,
        selector: Option<&Selector>,
    ) -> Option<Option<String>> {
        let Some(unit) = unit else { return Some(None) };
        self.beside_a_unit(Scope::Record(kind), field, unit.span)?;
        if !self.known_unit(&unit.text, unit.span) {
            return None;
        }
        let before = self.units.len();
        self.units.push((unit.span, unit.text.clone()));
        if let Some(selector) = selector {
            self.units_of(before, &selector.filter);
        }
        self.units.truncate(before);
        Some(Some(unit.text.clone()))
    }

    fn known_unit(&mut self, text: &str, span: Span) -> bool {
        if Unit::parse(text).is_some() {
            return true;
        }
        let message = format!("unknown unit `{}`", crate::lex::short(text).escape_debug());
        let help = match units::meant(text) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!(
                "units are those of UCUM, such as {}",
                units::USUAL.get(..8).unwrap_or_default().join(", ")
            ),
        };
        self.report(Diagnostic::new(&codes::UNKNOWN_UNIT, span, message).help(help));
        false
    }

    /// Looks at the units written since, now that it is known which records they are for.
    pub(super) fn units_of(&mut self, since: usize, filter: &Filter) {
        let Some(set) = only_codes(filter) else { return };
        let Some(first) = set.include.first() else { return };
        let written = self.units.get(since..).unwrap_or_default().to_vec();
        for (span, text) in written {
            let Some(unit) = Unit::parse(&text) else { continue };
            let never = |pattern: &crate::segment::CodePattern| {
                !pattern.under && units::fits(&pattern.code, &unit) == Some(false)
            };
            if !set.include.iter().all(never) {
                continue;
            }
            let Some((name, usual)) = units::measured(&first.code) else { continue };
            let message = format!("{name} ({}) is not measured in `{text}`", first.code);
            let help = format!("it is reported in {}, and in what converts to it", usual.join(" or "));
            self.report(Diagnostic::new(&codes::UNIT_OF_CODE, span, message).help(help));
        }
    }
}

/// The codes that a record must have one of.
fn only_codes(filter: &Filter) -> Option<&CodeSet> {
    match filter {
        Logic::Leaf(FieldTest { field, test: Test::Codes(set), .. }) if field == "code" => Some(set),
        Logic::And(parts) => parts.iter().find_map(only_codes),
        Logic::True | Logic::False | Logic::Or(_) | Logic::Of { .. } | Logic::Not(_) | Logic::Leaf(_) => None,
    }
}
