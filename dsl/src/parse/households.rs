//! Households: `any member of household (age < 5)`.

use super::Parser;
use super::leaf::{Input, Step, members, sign, word, words};
use crate::ast::{Expr, ExprKind};

const EXAMPLE: &str = "e.g. `any member of household (age < 5)`";

/// What it starts with.
pub(super) fn household_ahead(input: Input<'_>) -> Step<'_, ()> {
    use nom::Parser as _;
    nom::combinator::value((), (members, words("member", "of"))).parse(input)
}

impl Parser<'_> {
    /// From `any`, `all` or `no` on.
    pub(super) fn household(&mut self) -> Option<ExprKind> {
        let which = self.take(members)?;
        self.take(words("member", "of"))?;
        if self.take(word("household")).is_none() {
            self.unexpected_help("`household` and criteria in ( )", Some(EXAMPLE.to_owned()));
            return None;
        }
        let Some(open) = self.take(sign("(")) else {
            self.unexpected_help("`(` and criteria", Some(EXAMPLE.to_owned()));
            return None;
        };
        let start = self.peek().span;
        let test = self.deeper(Self::criteria).unwrap_or(Expr { kind: ExprKind::Bad, span: start });
        self.close(open);
        Some(ExprKind::Household { which, open: open.end, test: Box::new(test) })
    }
}
