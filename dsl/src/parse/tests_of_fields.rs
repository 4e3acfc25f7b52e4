//! Tests of one field, of an age, of a count.

use super::leaf::{any_value, cmp, list_test, number, sign, text_op, word, words};
use super::{Parser, mistaken};
use crate::ast::{AttributeTest, ExprKind, NumberSet, TextTest};
use crate::diagnostic::codes;
use crate::segment::AgeUnit;

impl Parser<'_> {
    /// A test of a field starts here, seen from behind the field's name.
    pub(super) fn at_field_test(&self) -> bool {
        self.ahead(cmp)
            || self.ahead(text_op)
            || self.ahead(word("is"))
            || self.ahead(list_test)
            || self.ahead(word("in")) && !self.calendar_period()
            || self.ahead(words("not", "in"))
            || self.ahead(words("not", "between"))
            || self.ahead((word("under"), any_value))
            || ["starts", "ends"].iter().any(|keyword| self.ahead(word(keyword)))
            || self.at_window()
    }

    fn calendar_period(&self) -> bool {
        ["last", "next", "this"].iter().any(|which| self.peek_at(1).is_word(which))
            && self.peek_at(2).word().is_some()
    }

    /// A test of a field; reports and answers `None` when it cannot be read.
    pub(super) fn field_test(&mut self) -> Option<AttributeTest> {
        if let Some(cmp) = self.take(cmp) {
            return Some(AttributeTest::Compare(cmp, self.value("a value")?));
        }
        if let Some(op) = self.take(text_op) {
            return Some(AttributeTest::Text(TextTest { op, value: self.value("a text")? }));
        }
        if self.ahead(word("starts")) || self.ahead(word("ends")) {
            self.skip();
            self.unexpected("`with` and a text");
            return None;
        }
        if self.take(word("is")).is_some() {
            return self.is();
        }
        if let Some(test) = self.take(list_test) {
            let example = format!("e.g. `has {} of (en, es)`", test.word());
            let Some(open) = self.take(sign("(")) else {
                self.unexpected_help("`(` and categories", Some(example));
                return None;
            };
            return Some(AttributeTest::List { test, values: self.list(open) });
        }
        if self.take(words("not", "in")).is_some() {
            return Some(AttributeTest::In { negated: true, set: self.set()? });
        }
        if self.take(words("not", "between")).is_some() {
            return self.between(true);
        }
        if self.ahead(word("under")) {
            // The leaf for values reads `under` together with its code.
            return Some(AttributeTest::Under(self.value("a code such as ICD10CM:\"E11\" behind `under`")?));
        }
        if self.ahead(super::leaf::between_ago_ahead) {
            return Some(AttributeTest::Window(self.window()?));
        }
        if self.take(word("between")).is_some() {
            return self.between(false);
        }
        if self.at_window() {
            return Some(AttributeTest::Window(self.window()?));
        }
        if self.take(word("in")).is_some() {
            return Some(AttributeTest::In { negated: false, set: self.set()? });
        }
        self.unexpected("a test of the field");
        None
    }

    fn between(&mut self, negated: bool) -> Option<AttributeTest> {
        let low = self.value("the lower bound")?;
        self.expect(word("and"), "`and` and the upper bound")?;
        let high = self.value("the upper bound")?;
        Some(AttributeTest::Between { negated, low, high })
    }

    /// Behind `is`.
    fn is(&mut self) -> Option<AttributeTest> {
        if self.take(word("known")).is_some() {
            return Some(AttributeTest::Known);
        }
        if self.take(word("missing")).is_some() {
            return Some(AttributeTest::Missing);
        }
        let help = match self.peek().word() {
            Some("null" | "NULL" | "empty" | "blank" | "unknown") => "write `is missing`",
            Some("not") => "write `is known` or `is missing`",
            _ => "equality is written with `=`",
        };
        self.unexpected_help("`known` or `missing` behind `is`", Some(help.to_owned()));
        None
    }

    /// `age`, and what it is tested for.
    pub(super) fn age(&mut self) -> Option<ExprKind> {
        self.take(word("age"))?;
        let unit = if self.take(words("in", "months")).is_some() { AgeUnit::Months } else { AgeUnit::Years };
        let mut on = None;
        if self.take(word("on")).is_some() {
            on = Some(self.value("a date behind `on`")?);
        }
        let help = if self.ahead(word("between")) {
            "write `age in 50..74`"
        } else if self.ahead(words("not", "in")) {
            "write `not age in 50..74`"
        } else if self.ahead(word("is")) {
            "test the field: `birth_date is known`"
        } else {
            "e.g. `age >= 18` or `age in 50..74`"
        };
        let test = self.number_set("a comparison or `in` behind `age`", help);
        if test.is_none() && self.take(word("between")).is_some() {
            // The bounds have been answered; their `and` joins no criteria.
            let _ = self.take((any_value, word("and"), any_value));
        }
        test.map(|test| ExprKind::Age { unit, on, test })
    }

    /// `turns 65 in next 90 days`.
    pub(super) fn turns(&mut self) -> Option<ExprKind> {
        self.take(word("turns"))?;
        let age = self.take(number)?;
        if !self.at_window() && !mistaken::window(self) {
            let help = "e.g. `turns 65 in next 90 days`".to_owned();
            self.unexpected_help("a window", Some(help));
            return None;
        }
        Some(ExprKind::Turns { age, window: self.window()? })
    }

    /// A comparison or a set of numbers.
    pub(super) fn number_set(&mut self, expected: &str, help: &str) -> Option<NumberSet> {
        if let Some(cmp) = self.take(cmp) {
            return Some(NumberSet::Compare(cmp, self.value("a number")?));
        }
        if self.take(word("in")).is_some() {
            if self.ahead(sign("@")) {
                let span = self.peek().span;
                self.simple(
                    &codes::CODE_OUTSIDE,
                    span,
                    "a value set holds codes, not numbers",
                    "write a list or a range",
                );
                return None;
            }
            return self.set().map(NumberSet::In);
        }
        self.unexpected_help(expected, Some(help.to_owned()));
        None
    }
}
