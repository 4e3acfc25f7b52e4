//! What ages and counts are tested for: whole numbers.

use super::Resolver;
use super::field_test::readable;
use crate::ast::{NumberSet, Set, Value, ValueKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::FieldType;
use crate::segment::{NumberTest, Operand};
use crate::value::Value as Typed;

impl<'a> Resolver<'a> {
    /// A test of `what`, e.g. "an age".
    pub(super) fn number_test(&mut self, test: &'a NumberSet, what: &str) -> Option<NumberTest> {
        match test {
            NumberSet::Compare(cmp, value) => {
                self.whole(value, what).map(|operand| NumberTest::Compare(*cmp, operand))
            }
            NumberSet::In(Set::List { values, .. }) => {
                let span = values.first().map(|value| value.span)?;
                self.grow(0, values.len(), span)?;
                let operands: Vec<Option<Operand>> =
                    values.iter().map(|value| self.whole(value, what)).collect();
                Some(NumberTest::In(operands.into_iter().collect::<Option<_>>()?))
            }
            NumberSet::In(Set::Range(low, high)) => {
                let (first, last) = (self.whole(low, what), self.whole(high, what));
                let (first, last) = (first?, last?);
                if let (Operand::Literal(first), Operand::Literal(last)) = (&first, &last) {
                    self.in_order(first, last, low.span.to(high.span))?;
                }
                Some(NumberTest::Range(first, last))
            }
            NumberSet::In(Set::Ref(name)) => {
                let finding = Diagnostic::new(
                    &codes::CODE_OUTSIDE,
                    name.span,
                    format!("{what} is a number, not a code"),
                );
                self.report(finding.help("write a list or a range of numbers"));
                None
            }
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
            | ValueKind::Code { .. }
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
