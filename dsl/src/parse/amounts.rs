//! Numbers that contacts are ordered by: `income`, `age`, `count(email_click) in last 90 days`, `latest lab.value "mg/dL"`.

use nom::branch::alt;

use super::Parser;
use super::leaf::{aggregate, ident, sign, text, word, words};
use crate::ast::{OrderBy, OrderKind};
use crate::segment::{AgeUnit, Which};

impl Parser<'_> {
    /// An amount; `example` is what could stand here.
    pub(super) fn amount(&mut self, example: &str) -> Option<OrderBy> {
        let start = self.peek().span;
        let kind = if self.at_measure() {
            let function =
                if self.take(word("count")).is_some() { None } else { Some(self.take(aggregate)?) };
            let (measure, selector, windows) = self.measure_alone(function)?;
            OrderKind::Measure { measure, selector, windows }
        } else if self.ahead((alt((word("latest"), word("earliest"))), ident)) {
            let which = if self.take(word("latest")).is_some() { Which::Latest } else { Which::Earliest };
            if which == Which::Earliest {
                self.take(word("earliest"))?;
            }
            let selector = self.selector()?;
            self.expect(sign("."), "`.` and the field that contacts are ordered by")?;
            let field = self.expect(ident, "a field of the record behind `.`")?;
            OrderKind::One { which, selector, field }
        } else if self.take(word("age")).is_some() {
            let months = self.take(words("in", "months")).is_some();
            OrderKind::Age(if months { AgeUnit::Months } else { AgeUnit::Years })
        } else if self.ahead(ident) && !self.at_clause() {
            OrderKind::Field(self.take(ident)?)
        } else {
            self.unexpected_help("a number that contacts are ordered by", Some(example.to_owned()));
            return None;
        };
        let unit = self.take(text);
        Some(OrderBy { kind, unit, span: self.span_from(start) })
    }
}
