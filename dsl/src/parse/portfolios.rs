//! Portfolios: segments in the order in which they take contacts.

use super::Parser;
use super::leaf::{ident, sign, text, word};
use crate::ast::{Ident, Portfolio};

const SEGMENTS: &str = "e.g. `portfolio recall = urgent > reminder`";

impl Parser<'_> {
    /// `portfolio name [title] = segment > segment`.
    pub(super) fn portfolio(&mut self) -> Option<Portfolio> {
        let start = self.take(word("portfolio"))?;
        let name = self.declared_name("portfolio")?;
        let title = self.take(text);
        if self.take(sign("=")).is_none() {
            self.unexpected_help("`=` and segments", Some(SEGMENTS.to_owned()));
            self.skip_to_clause();
            return None;
        }
        let mut segments = Vec::new();
        loop {
            let Some(segment) = self.portfolio_segment() else {
                self.skip_to_clause();
                return None;
            };
            segments.push(segment);
            if self.take(sign(">")).is_none() {
                return Some(Portfolio { name, title, segments, span: self.span_from(start) });
            }
        }
    }

    fn portfolio_segment(&mut self) -> Option<Ident> {
        // A declaration on the next line is no name.
        let next = self.at_declaration() && self.peek().first_on_line;
        let name = if next { None } else { self.take(ident) };
        if name.is_none() {
            self.unexpected_help("the name of a segment", Some(SEGMENTS.to_owned()));
        }
        name
    }
}
