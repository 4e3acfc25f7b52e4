//! Criteria on records: `has`, `no`, `latest`, `earliest`, and the selectors of all.

use nom::branch::alt;

use super::leaf::{ident, sign, word, words};
use super::windows::window_ahead;
use super::{Parser, mistaken};
use crate::ast::{Expr, ExprKind, Filter, Ident, Modifier, OneTest, Selector, Span};
use crate::diagnostic::codes;
use crate::segment::{Tie, Which};

impl Parser<'_> {
    /// A criterion on records starts here. The keywords are reserved only where a record may follow.
    pub(super) fn at_records(&self) -> bool {
        let keyword = alt((word("has"), word("no"), word("latest"), word("earliest")));
        self.ahead((keyword, ident)) && !self.peek_at(1).is_word("and") && !self.peek_at(1).is_word("or")
            || self.at_measure()
            || self.at_place()
    }

    /// `2nd lab`: the lexer makes words of ordinals.
    fn at_place(&self) -> bool {
        self.peek().word().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()))
            && self.peek_at(1).word().is_some()
    }

    /// `2nd`, after a report when it is no place.
    fn place(&mut self) -> Option<Which> {
        let token = self.peek();
        let (span, word) = (token.span, token.word().unwrap_or_default().to_owned());
        self.skip();
        let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let place = word.get(..digits).and_then(|digits| digits.parse::<u32>().ok());
        let which = place.map(Which::Nth).filter(|which| which.word() == word);
        match (which, place) {
            (Some(which), Some(2..=Which::PLACE_MAX)) => return Some(which),
            (_, Some(1)) => self.simple(
                &codes::FOREIGN_SPELLING,
                span,
                "the first one is the earliest",
                "write `earliest`",
            ),
            (None, Some(place)) if place > 0 => {
                let help = format!("write `{}`", Which::Nth(place).word());
                self.simple(
                    &codes::UNEXPECTED,
                    span,
                    format!("`{}` is no place", crate::lex::short(&word)),
                    help,
                );
            }
            (_, _) => self.simple(
                &codes::OUT_OF_RANGE,
                span,
                format!("`{}` is no place that can be asked for", crate::lex::short(&word)),
                format!("from 2nd to {}; the first one is `earliest`", Which::Nth(Which::PLACE_MAX).word()),
            ),
        }
        None
    }

    pub(super) fn records(&mut self) -> Option<ExprKind> {
        if self.take(word("has")).is_some() {
            return self.has(false);
        }
        if self.take(word("no")).is_some() {
            return self.has(true);
        }
        if self.at_measure() {
            return self.measure();
        }
        if self.at_place() {
            let which = self.place();
            // What follows is read for its own findings.
            let one = self.one(which.unwrap_or(Which::Earliest));
            return which.map_or(Some(ExprKind::Bad), |_| one);
        }
        let which = if self.take(word("latest")).is_some() { Which::Latest } else { Which::Earliest };
        if which == Which::Earliest {
            self.take(word("earliest"))?;
        }
        self.one(which)
    }

    fn has(&mut self, negated: bool) -> Option<ExprKind> {
        let keyword = self.last;
        let selector = self.selector()?;
        if self.step_behind(if negated { "no" } else { "has" }, keyword) {
            return Some(ExprKind::Bad);
        }
        let observed = self.take(words("while", "observed")).is_some();
        Some(ExprKind::Has { negated, selector, observed })
    }

    fn one(&mut self, which: Which) -> Option<ExprKind> {
        let keyword = self.last;
        let selector = self.selector()?;
        if self.step_behind(&which.word(), keyword) {
            return Some(ExprKind::Bad);
        }
        let tie = Tie::ALL.into_iter().find(|tie| self.take(word(tie.word())).is_some());
        let test = if self.take(sign(".")).is_some() {
            let field = self.expect(ident, "a field of the record behind `.`")?;
            if mistaken::window(self) {
                self.skip();
                return None;
            }
            if self.at_history() {
                let help =
                    "history is kept of the fields of contacts: `insurance_type changed in last 90 days`";
                self.unexpected_help("a test of the field", Some(help.to_owned()));
                return None;
            }
            OneTest::Field { field, test: self.field_test()? }
        } else if self.take(word("has")).is_some() {
            let open = self.expect(sign("("), "`(` and tests of the record's fields")?;
            OneTest::Has(self.filter(open))
        } else {
            let help = "e.g. `latest lab(code = LOINC:\"4548-4\").value > 9`";
            self.unexpected_help("`.` and a field, or `has (...)`", Some(help.to_owned()));
            return None;
        };
        Some(ExprKind::One { which, selector, tie, test })
    }

    pub(super) fn selector(&mut self) -> Option<Selector> {
        let start = self.peek().span;
        let record = self.expect(ident, "a kind of record")?;
        self.behind_record(record, start)
    }

    /// Filter, windows and `active` behind the kind of record, or behind its field.
    pub(super) fn behind_record(&mut self, record: Ident, start: Span) -> Option<Selector> {
        let filter = self.take(sign("(")).map(|open| self.filter(open));
        let mut modifiers = Vec::new();
        loop {
            if self.at_window() && !self.length_behind_side() {
                modifiers.push(Modifier::Window(self.window()?));
            } else if let Some(span) = self.take(word("active")) {
                modifiers.push(Modifier::Active(span));
            } else if self.at_recorded() {
                self.skip();
                modifiers.push(Modifier::Recorded(self.window()?));
            } else if self.take(word("with")).is_some() {
                let field = self.expect(ident, "a field that the records must have, behind `with`")?;
                modifiers.push(Modifier::With(field));
            } else if self.ahead((word("same"), ident, word("as"))) {
                self.skip();
                let field = self.expect(ident, "a field")?;
                self.skip();
                let of = self.expect(ident, "the kind of record to compare with, behind `as`")?;
                modifiers.push(Modifier::Same { field, of });
            } else if !mistaken::window(self) {
                break;
            }
        }
        Some(Selector { record, filter, modifiers, span: self.span_from(start) })
    }

    /// `recorded` in front of a window.
    fn at_recorded(&self) -> bool {
        self.ahead((word("recorded"), window_ahead))
    }

    /// Behind the opening parenthesis of a filter.
    fn filter(&mut self, open: Span) -> Filter {
        if self.peek().is_sign(")") {
            self.unexpected_help(
                "tests of the record's fields",
                Some("leave out empty parentheses".to_owned()),
            );
            self.skip();
            let expr = Expr { kind: ExprKind::Bad, span: self.span_from(open) };
            return Filter { open: open.end, expr: Box::new(expr) };
        }
        let expr = self.deeper(Self::criteria);
        let expr = expr.unwrap_or(Expr { kind: ExprKind::Bad, span: self.span_from(open) });
        self.close(open);
        Filter { open: open.end, expr: Box::new(expr) }
    }
}
