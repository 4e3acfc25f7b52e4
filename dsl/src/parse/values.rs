//! Values, lists of values and sets.

use super::leaf::{any_value, ident, number, shift_ahead, sign, text, unit};
use super::{LIST_MAX, Parser};
use crate::ast::{Amount, Duration, Set, Shift, Span, Value, ValueKind};
use crate::diagnostic::codes;

/// Most units of a length of time.
pub(crate) const COUNT_MAX: u32 = 1_000_000;
/// Most lengths of time behind one date.
pub(crate) const SHIFTS_MAX: usize = 8;

impl Parser<'_> {
    /// One value; reports when none stands here.
    pub(super) fn value(&mut self, expected: &str) -> Option<Value> {
        // `under CODE` is only looked at by the resolver, which knows the field.
        let Some(value) = self.take(any_value) else {
            self.unexpected(expected);
            return None;
        };
        if let ValueKind::Word(name) = &value.kind
            && self.peek().is_sign(":")
        {
            return Some(self.unquoted_code(name, value.span));
        }
        let value = self.with_unit(value);
        self.shifted(value)
    }

    /// The value with the unit that stands behind it.
    fn with_unit(&mut self, value: Value) -> Value {
        let amount = match &value.kind {
            ValueKind::Number(text) => Amount::Number(text.clone()),
            ValueKind::Param(name) => Amount::Param(name.clone()),
            ValueKind::Text(_)
            | ValueKind::Date(_)
            | ValueKind::Word(_)
            | ValueKind::Category(_)
            | ValueKind::Name(_)
            | ValueKind::Code { .. }
            | ValueKind::Shifted { .. }
            | ValueKind::Quantity { .. }
            | ValueKind::Bad => return value,
        };
        match self.take(text) {
            Some(unit) => {
                let span = value.span.to(unit.span);
                Value { kind: ValueKind::Quantity { amount, unit }, span }
            }
            None => value,
        }
    }

    /// The value with the lengths of time that are added to it or taken away.
    fn shifted(&mut self, value: Value) -> Option<Value> {
        let mut shifts = Vec::new();
        while self.ahead(shift_ahead) {
            let back = self.peek().is_sign("-");
            self.skip();
            let length = self.duration()?;
            if shifts.len() == SHIFTS_MAX {
                let message = format!("more than {SHIFTS_MAX} lengths of time behind one date");
                self.simple(&codes::OUT_OF_RANGE, length.span, message, "add them up");
            }
            shifts.push(Shift { back, length });
        }
        if shifts.is_empty() {
            return Some(value);
        }
        shifts.truncate(SHIFTS_MAX);
        let span = self.span_from(value.span);
        Some(Value { kind: ValueKind::Shifted { from: Box::new(value), shifts }, span })
    }

    /// `ICD10CM:E11.9`: reports the missing quotes and skips what was meant as the code.
    fn unquoted_code(&mut self, system: &str, start: Span) -> Value {
        self.skip();
        let mut code = String::new();
        while !self.at_end()
            && self.peek().span.start == self.last.end
            && ![",", ")", "}"].iter().any(|sign| self.peek().is_sign(sign))
        {
            code.push_str(self.peek().describe().trim_matches('`'));
            self.skip();
        }
        let span = self.span_from(start);
        let example = if code.is_empty() { "E11.9" } else { code.as_str() };
        self.simple(
            &codes::UNEXPECTED,
            span,
            "expected a code in double quotes behind the code system",
            format!("write {system}:\"{example}\""),
        );
        Value { kind: ValueKind::Bad, span }
    }

    /// What stands behind `in`.
    pub(super) fn set(&mut self) -> Option<Set> {
        if let Some(open) = self.take(sign("(")) {
            let values = self.list(open);
            return Some(Set::List { open: open.end, values });
        }
        if self.take(sign("@")).is_some() {
            if let Some(file) = self.take(text) {
                return Some(Set::File(file));
            }
            return self.expect(ident, "the name of a value set behind `@`").map(Set::Ref);
        }
        let low = self.value("a list in ( ), a range such as 50..74, or a value set such as @name")?;
        self.expect(sign(".."), "`..` and the upper bound, or a list in ( )")?;
        let high = self.value("the upper bound")?;
        Some(Set::Range(low, high))
    }

    pub(super) fn list(&mut self, open: Span) -> Vec<Value> {
        let mut values = Vec::new();
        loop {
            if self.take(sign(")")).is_some() {
                if values.is_empty() {
                    self.unexpected_empty(open, "values");
                }
                return values;
            }
            match self.value("a value") {
                Some(value) if values.len() < LIST_MAX => values.push(value),
                Some(value) => {
                    self.too_long(value.span);
                    self.skip_list(")");
                    return values;
                }
                None => {
                    let span = self.peek().span;
                    values.push(Value { kind: ValueKind::Bad, span });
                    self.skip_item(")");
                }
            }
            if self.take(sign(",")).is_none() && !self.close_list(")", open) {
                return values;
            }
        }
    }

    pub(super) fn too_long(&mut self, span: Span) {
        self.simple(
            &codes::LIST_TOO_LONG,
            span,
            format!("the list has more than {LIST_MAX} values"),
            "split it into several lists joined by `or`",
        );
    }

    /// Skips the rest of a list with its closing sign.
    pub(super) fn skip_list(&mut self, close: &'static str) {
        while !self.at_end() && !self.at_declaration() {
            if self.take(sign(close)).is_some() {
                return;
            }
            self.skip();
        }
    }

    /// Skips one broken item of a list.
    pub(super) fn skip_item(&mut self, close: &'static str) {
        while !self.at_end()
            && !self.peek().is_sign(",")
            && !self.peek().is_sign(close)
            && !(self.peek().first_on_line && (self.at_clause() || self.at_declaration()))
        {
            self.skip();
        }
    }

    /// Behind an item without a comma: the list ends, or goes on after a report. False when reading must stop.
    pub(super) fn close_list(&mut self, close: &'static str, open: Span) -> bool {
        if self.peek().is_sign(close) {
            return true;
        }
        if self.ahead(any_value) && !self.at_declaration() && !(self.peek().first_on_line && self.at_clause())
        {
            self.unexpected(&format!("`,` or `{close}`"));
            return true;
        }
        let expected = format!("`,` or `{close}`");
        self.unclosed(&expected, open);
        self.skip_item(close);
        if self.peek().is_sign(",") || self.peek().is_sign(close) {
            let _ = self.take(sign(","));
            return true;
        }
        false
    }

    /// Reports a missing closing sign together with the place where it was opened.
    pub(super) fn unclosed(&mut self, expected: &str, open: Span) {
        let token = self.peek();
        let finding = crate::diagnostic::Diagnostic::new(
            &codes::UNEXPECTED,
            token.span,
            format!("expected {expected}, found {}", token.describe()),
        );
        self.report_syntax(finding.related(open, "opened here"));
    }

    /// `27 months`.
    pub(super) fn duration(&mut self) -> Option<Duration> {
        let count = match self.take(number) {
            Some(number) => number,
            None => {
                let help = self.ahead(unit).then(|| "say how many, e.g. `1 month`".to_owned());
                let param = matches!(self.peek().kind, crate::lex::TokenKind::Param(_));
                let help = help.or(param.then(|| "a length of time cannot be a parameter".to_owned()));
                self.unexpected_help("a length of time such as `90 days`", help);
                return None;
            }
        };
        let Some((unit, unit_span)) = self.take(unit) else {
            self.unexpected("a unit of time: minutes, hours, days, weeks, months, quarters or years");
            return None;
        };
        Some(Duration { count: self.count(&count.text, count.span), unit, span: count.span.to(unit_span) })
    }

    /// A whole number of units; 0 after a report.
    pub(super) fn count(&mut self, text: &str, span: Span) -> u32 {
        match text.parse::<u32>() {
            Ok(count) if count <= COUNT_MAX => count,
            Ok(_) | Err(_) => {
                self.simple(
                    &codes::OUT_OF_RANGE,
                    span,
                    format!("`{}` is not a whole number from 0 to {COUNT_MAX}", crate::lex::short(text)),
                    "lengths of time are whole numbers of a unit",
                );
                0
            }
        }
    }
}
