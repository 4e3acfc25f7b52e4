//! Shares of records.

use super::Resolver;
use super::tails::percent_millis;
use crate::ast::{self, Expr, Number, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{Cmp, ContactTest, Criteria, FieldTest, Filter, Hidden, Logic, Operand, Test};

impl<'a> Resolver<'a> {
    /// `share(test of selector) cmp percent [with at least N]`.
    pub(super) fn share(
        &mut self,
        test: &'a Expr,
        selector: &'a ast::Selector,
        cmp: Cmp,
        percent: &Number,
        at_least: Option<&Number>,
        span: Span,
    ) -> Option<Criteria> {
        let typed = self.selector(selector, span);
        // The record kind is looked up again so that the test is checked even when the selector has an error.
        let kind = self.schema.record(&selector.record.name);
        let units = self.units.len();
        let filter = kind.and_then(|kind| self.filter(test, kind));
        if let Some(selector) = &typed {
            self.units_of(units, &selector.filter);
        }
        self.units.truncate(units);
        let percent_millis = self.percentage(percent);
        let at_least = at_least.map(|number| self.at_least(number));
        let (selector, filter, percent_millis) = (typed?, filter?, percent_millis?);
        let at_least = match at_least {
            Some(number) => Some(number?),
            None => None,
        };
        if let Some(name) = asks_for_hidden(&filter, &selector.hidden) {
            let message = format!("records with such a `{name}` are not among those that are looked at");
            let finding = Diagnostic::new(&codes::NEVER_TRUE, test.span, message);
            let record = &selector.record;
            self.report(
                finding.help(format!("to take them in, name the field: `of {record}({name} is known)`")),
            );
        }
        let test = filter;
        Some(Logic::Leaf(ContactTest::Share { selector, test, cmp, percent_millis, at_least }))
    }

    fn percentage(&mut self, percent: &Number) -> Option<u32> {
        if percent.text.parse::<f64>().is_ok_and(|number| number == 0.0) {
            return Some(0);
        }
        match percent_millis(&percent.text) {
            Ok(millis) => Some(millis),
            Err((rule, message)) => {
                let message = if rule.code == codes::OUT_OF_RANGE.code {
                    "a share lies from 0% to 100%"
                } else {
                    message
                };
                self.report(Diagnostic::new(rule, percent.span, message));
                None
            }
        }
    }

    fn at_least(&mut self, number: &Number) -> Option<u32> {
        let least = number.text.parse::<u32>().ok().filter(|least| (1..=1_000_000).contains(least));
        if least.is_none() {
            let message = format!("`{}` is no number of records", crate::lex::short(&number.text));
            let finding = Diagnostic::new(&codes::OUT_OF_RANGE, number.span, message);
            self.report(finding.help("a whole number from 1 on"));
        }
        least
    }
}

/// The field of a test that only hidden records can satisfy.
fn asks_for_hidden<'f>(filter: &'f Filter, hidden: &[Hidden]) -> Option<&'f str> {
    match filter {
        Logic::Leaf(FieldTest { field, test, .. }) => {
            let values = &hidden.iter().find(|hidden| hidden.field == *field)?.values;
            let is_hidden = |operand: &Operand| match operand {
                Operand::Literal(value) => values.contains(value),
                Operand::Param(_) => false,
            };
            let all = match test {
                Test::Compare(Cmp::Eq, operand) => is_hidden(operand),
                Test::In(operands) => operands.iter().all(is_hidden),
                _ => false,
            };
            all.then_some(field.as_str())
        }
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().find_map(|part| asks_for_hidden(part, hidden))
        }
        Logic::Not(inner) => asks_for_hidden(inner, hidden),
        Logic::True | Logic::False => None,
    }
}
