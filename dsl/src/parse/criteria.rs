//! Criteria: or, and, not, parentheses and what stands between them.

use nom::branch::alt;
use nom::combinator::value;

use super::households::household_ahead;
use super::leaf::{any_value, ident, number, quantity, sign, text, word, words};
use super::references::received_ahead;
use super::{Parser, mistaken};
use crate::ast::{Expr, ExprKind, Span};
use crate::diagnostic::codes;

impl Parser<'_> {
    /// `all { or all }`.
    pub(super) fn criteria(&mut self) -> Expr {
        let start = self.peek().span;
        let first = self.all();
        let mut parts = vec![first];
        while self.take_keyword("or") {
            parts.push(self.all());
        }
        self.joined(parts, start, ExprKind::Or)
    }

    /// `unary { and unary }`; a missing `and` is reported and put in.
    fn all(&mut self) -> Expr {
        let start = self.peek().span;
        let mut parts = vec![self.unary()];
        loop {
            if self.take_keyword("and") {
                parts.push(self.unary());
            } else if self.at_stray_criterion() {
                if !matches!(parts.last().map(|part| &part.kind), Some(ExprKind::Bad)) {
                    self.unexpected("`and`, `or` or the next clause");
                }
                parts.push(self.unary());
            } else {
                break;
            }
        }
        self.joined(parts, start, ExprKind::And)
    }

    fn joined(
        &mut self,
        mut parts: Vec<Expr>,
        start: Span,
        join: impl FnOnce(Vec<Expr>) -> ExprKind,
    ) -> Expr {
        let span = self.span_from(start);
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            Some(last) => {
                parts.push(last);
                Expr { kind: join(parts), span }
            }
            None => Expr { kind: ExprKind::Bad, span },
        }
    }

    /// A criterion starts where only `and`, `or` or a clause could follow.
    fn at_stray_criterion(&self) -> bool {
        let token = self.peek();
        let word = token.word().is_some_and(|word| !word.eq_ignore_ascii_case("or"));
        // `of` stands behind the criteria of a share.
        (word || token.is_sign("(")) && !token.is_word("of") && !self.at_clause() && !self.at_declaration()
    }

    fn unary(&mut self) -> Expr {
        let start = self.peek().span;
        if self.ahead(word("not")) && !self.ahead(received_ahead) {
            let _ = self.take(word("not"));
            let inner = self.deeper(Self::unary).unwrap_or_else(|| self.bad(start));
            return Expr { kind: ExprKind::Not(Box::new(inner)), span: self.span_from(start) };
        }
        match self.primary() {
            Some(kind) => Expr { kind, span: self.span_from(start) },
            None => {
                self.skip_to_sync();
                self.bad(start)
            }
        }
    }

    /// `in list "file" by field`.
    fn in_list(&mut self) -> Option<ExprKind> {
        self.take(words("in", "list"))?;
        let file = self.take(text)?;
        if self.take(word("by")).is_none() {
            let help =
                "say which field stands in the file: `in list \"members.csv\" by contact_id`".to_owned();
            self.unexpected_help("`by` and a field", Some(help));
            return None;
        }
        let by = self.expect(ident, "a contact field behind `by`")?;
        Some(ExprKind::InList { file, by })
    }

    fn bad(&self, start: Span) -> Expr {
        Expr { kind: ExprKind::Bad, span: self.span_from(start) }
    }

    fn primary(&mut self) -> Option<ExprKind> {
        if let Some(open) = self.take(sign("(")) {
            return self.group(open);
        }
        if self.take(word("everyone")).is_some() {
            return Some(ExprKind::Everyone);
        }
        if self.take(word("nobody")).is_some() {
            return Some(ExprKind::Nobody);
        }
        // `within` also stands in sequences.
        if self.ahead(words("location", "within")) {
            return self.near();
        }
        if self.at_quantity() {
            return self.number_of();
        }
        if self.ahead(household_ahead) {
            return self.household();
        }
        if self.at_reference() {
            return self.reference();
        }
        if self.at_records() {
            return self.records();
        }
        if self.at_adherence() {
            return self.adherence();
        }
        if self.ahead((word("share"), sign("("))) {
            return self.share();
        }
        if self.ahead((alt((word("top"), word("bottom"))), number)) {
            return self.rank();
        }
        if self.ahead((word("sample"), number)) {
            return self.sample().map(|(percent, seed)| ExprKind::Sample { percent, seed });
        }
        if self.at_sequence() {
            return self.sequence();
        }
        if self.ahead((words("in", "list"), text)) {
            return self.in_list();
        }
        if self.ahead((word("turns"), number)) {
            return self.turns();
        }
        if self.ahead(word("age")) {
            return self.age();
        }
        self.not_a_clause()?;
        let name = self.expect(ident, "a criterion")?;
        if self.take(word("anniversary")).is_some() {
            let window = self.window()?;
            return Some(ExprKind::Anniversary { field: name, window });
        }
        if self.at_field_test() {
            let test = self.field_test()?;
            return Some(ExprKind::Attribute { field: name, test });
        }
        if self.at_history() {
            return self.history(name);
        }
        if mistaken::window(self) {
            self.skip();
            return None;
        }
        if self.peek().is_sign("(") {
            if self.misnamed_measure(&name) {
                return Some(ExprKind::Bad);
            }
            let help = format!(
                "records are asked for with `has {0}(...)`, `no {0}(...)` or `count({0}(...))`",
                name.name
            );
            let message = format!("expected a criterion, found `{}(`", crate::lex::short(&name.name));
            self.simple(&codes::UNEXPECTED, name.span, message, help);
            let open = self.peek().span;
            self.skip();
            let _ = self.group(open);
            while self.at_window() && self.window().is_some() {}
            return Some(ExprKind::Bad);
        }
        if self.operator_missing() {
            let short = crate::lex::short(&name.name);
            self.unexpected(&format!("`=`, `in` or another test behind `{short}`"));
            self.skip();
            return Some(ExprKind::Bad);
        }
        Some(ExprKind::Name(name.name))
    }

    /// `gender female`: a single word or value stands where a test of the name before it must start.
    fn operator_missing(&self) -> bool {
        let (next, after) = (self.peek(), self.peek_at(1));
        let joins = |token: &crate::lex::Token| {
            token.word().is_some_and(|word| ["and", "or"].iter().any(|join| join.eq_ignore_ascii_case(word)))
        };
        let single = joins(after)
            || after.is_sign(")")
            || after.first_on_line
            || after.kind == crate::lex::TokenKind::End;
        let value = self.ahead(any_value) && !joins(next);
        value && single && !next.first_on_line && !self.at_clause() && !self.at_declaration()
    }

    /// Reports a clause or declaration where a criterion must stand, e.g. behind a dangling `and`.
    fn not_a_clause(&mut self) -> Option<()> {
        let operator = |ahead: &crate::lex::Token| {
            ["=", "!=", "<", "<=", ">", ">=", ")"].iter().any(|sign| ahead.is_sign(sign))
                || ["and", "or", "in", "is", "not", "between"].iter().any(|word| ahead.is_word(word))
                || ["contains", "starts", "ends", "matches"].iter().any(|word| ahead.is_word(word))
                || ["since", "before", "after", "on", "more"].iter().any(|word| ahead.is_word(word))
        };
        let keyword = self.at_clause() || self.at_declaration();
        let misplaced = self.ahead(alt((word("and"), word("or"), words("in", "last"))));
        if misplaced || keyword && !operator(self.peek_at(1)) {
            self.unexpected("a criterion");
            return None;
        }
        Some(())
    }

    /// `at least`, `at most`, or `exactly` where no field of that name is tested.
    fn at_quantity(&self) -> bool {
        self.ahead((quantity, alt((value((), number), value((), word("of"))))))
            || self.ahead(alt((words("at", "least"), words("at", "most"))))
    }

    /// `at least 2 of (criteria, criteria)`.
    fn number_of(&mut self) -> Option<ExprKind> {
        let quantity = self.take(quantity)?;
        let example = format!("e.g. `{} 2 of (email is known, phone is known)`", quantity.words());
        let Some(number) = self.take(number) else {
            self.unexpected_help("a whole number", Some(example));
            return None;
        };
        if self.take(word("of")).is_none() {
            self.unexpected_help("`of` and criteria in ( )", Some(example));
            return None;
        }
        let Some(open) = self.take(sign("(")) else {
            self.unexpected_help("`(` and criteria with commas between them", Some(example));
            return None;
        };
        let parts = self.deeper(|parser| {
            let mut parts = vec![parser.criteria()];
            while parser.take(sign(",")).is_some() {
                parts.push(parser.criteria());
            }
            parts
        });
        self.close_with("`,`, `and`, `or` or `)`", open);
        Some(ExprKind::Of { quantity, number, open: open.end, parts: parts? })
    }

    /// Behind an opening parenthesis.
    fn group(&mut self, open: Span) -> Option<ExprKind> {
        let inner = self.deeper(Self::criteria);
        self.close(open);
        inner.map(|inner| ExprKind::Group(Box::new(inner)))
    }

    /// Takes the closing parenthesis; reports what stands before it, or that it is missing.
    pub(super) fn close(&mut self, open: Span) {
        self.close_with("`and`, `or` or `)`", open);
    }

    fn close_with(&mut self, expected: &str, open: Span) {
        if self.take(sign(")")).is_some() {
            return;
        }
        let broken = self.peek().kind == crate::lex::TokenKind::Bad;
        if !broken {
            self.unclosed(expected, open);
        }
        while !self.at_end() && !self.at_declaration() {
            self.skip_to_sync();
            if self.take(sign(")")).is_some() {
                return;
            }
            // Criteria behind the broken place are read for their own findings.
            if self.take(word("and")).is_some()
                || self.take(word("or")).is_some()
                || self.take(sign(",")).is_some()
            {
                let _ = self.deeper(Self::criteria);
            } else {
                break;
            }
        }
    }
}
