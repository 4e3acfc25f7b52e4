//! What numbers are tested for: whole ones, such as ages and counts, and those of a field's type.

use super::Resolver;
use super::field_test::readable;
use crate::ast::{Ident, NumberSet, Set, Text, Value, ValueKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::FieldType;
use crate::segment::{NumberTest, Operand};
use crate::value::Value as Typed;

/// A number that is tested, and how messages call it.
#[derive(Clone, Copy)]
pub(super) enum Number<'n> {
    /// A whole one that is never negative, e.g. "an age".
    Whole(&'n str),
    /// One of the type int, number or money, e.g. "`sum(bill.amount)`".
    Of(FieldType, &'n str),
    /// One that may stand with a unit, e.g. "`max(lab.value)`".
    Measured(&'n str),
}

impl<'a> Resolver<'a> {
    /// A test of a number.
    pub(super) fn number_test(&mut self, test: &'a NumberSet, of: Number<'_>) -> Option<NumberTest> {
        match test {
            NumberSet::Compare(cmp, value) => {
                self.number(value, of).map(|operand| NumberTest::Compare(*cmp, operand))
            }
            NumberSet::In(Set::List { values, .. }) => {
                let span = values.first().map(|value| value.span)?;
                self.grow(0, values.len(), span)?;
                let operands: Vec<Option<Operand>> =
                    values.iter().map(|value| self.number(value, of)).collect();
                Some(NumberTest::In(operands.into_iter().collect::<Option<_>>()?))
            }
            NumberSet::In(Set::Range(low, high)) => {
                let (first, last) = (self.number(low, of), self.number(high, of));
                let (first, last) = (first?, last?);
                if let (Operand::Literal(first), Operand::Literal(last)) = (&first, &last) {
                    self.in_order(first, last, low.span.to(high.span))?;
                }
                Some(NumberTest::Range(first, last))
            }
            NumberSet::In(Set::File(Text { span, .. }) | Set::Ref(Ident { span, .. })) => {
                let (Number::Whole(what) | Number::Of(_, what) | Number::Measured(what)) = of;
                let finding =
                    Diagnostic::new(&codes::CODE_OUTSIDE, *span, format!("{what} is a number, not a code"));
                self.report(finding.help("write a list or a range of numbers"));
                None
            }
        }
    }

    fn number(&mut self, value: &Value, of: Number<'_>) -> Option<Operand> {
        match of {
            Number::Whole(what) => self.whole(value, what),
            Number::Of(ty, what) => self.operand_of_type(ty, value, what),
            Number::Measured(what) => self.amount(value, what),
        }
    }

    fn whole(&mut self, value: &Value, what: &str) -> Option<Operand> {
        if !readable(value) {
            return None;
        }
        let finding = match &value.kind {
            ValueKind::Param(name) => return self.param_operand(name, value.span, FieldType::Int),
            ValueKind::Number(text) => match text.parse::<i64>() {
                Ok(number) if number >= 0 => return Some(Operand::Literal(Typed::Int(number))),
                Ok(_) => {
                    Diagnostic::new(&codes::OUT_OF_RANGE, value.span, format!("{what} is never negative"))
                }
                Err(_) if text.contains('.') => {
                    Diagnostic::new(&codes::TOO_PRECISE, value.span, format!("{what} is a whole number"))
                }
                Err(_) => Diagnostic::new(&codes::OUT_OF_RANGE, value.span, "the number is too large"),
            },
            ValueKind::Text(_)
            | ValueKind::Date(_)
            | ValueKind::Word(_)
            | ValueKind::Category(_)
            | ValueKind::Name(_)
            | ValueKind::Code { .. }
            | ValueKind::Shifted { .. }
            | ValueKind::Quantity { .. }
            | ValueKind::Bad => Diagnostic::new(
                &codes::WRONG_VALUE,
                value.span,
                format!("{what} is compared with a whole number"),
            ),
        };
        self.report(finding);
        None
    }
}
