//! How long records last: `days covered(medication) in last 1 year >= 80%`, `continuous coverage gap 45 days for 1 year`.

use super::Parser;
use super::leaf::{cmp, ident, number, sign, word, words};
use crate::ast::ExprKind;

const COVERED: &str = "e.g. `days covered(medication) in last 6 months >= 80%`";
const CONTINUOUS: &str = "e.g. `continuous coverage gap 45 days for 12 months`";

impl Parser<'_> {
    /// The words are reserved only where they lead to records.
    pub(super) fn at_adherence(&self) -> bool {
        let joins = |word: &str| ["and", "or"].contains(&word);
        self.ahead((words("days", "covered"), sign("(")))
            || self.ahead((word("continuous"), ident)) && !self.peek_at(1).word().is_some_and(joins)
    }

    pub(super) fn adherence(&mut self) -> Option<ExprKind> {
        if self.take(words("days", "covered")).is_some() { self.days_covered() } else { self.continuous() }
    }

    fn days_covered(&mut self) -> Option<ExprKind> {
        let open = self.take(sign("("))?;
        let selector = self.selector();
        self.close(open);
        if !self.at_window() {
            self.unexpected_help("a window behind `days covered(...)`", Some(COVERED.to_owned()));
            return None;
        }
        let window = self.window()?;
        let Some(cmp) = self.take(cmp) else {
            self.unexpected_help("a comparison", Some(COVERED.to_owned()));
            return None;
        };
        let percent = self.expect(number, "a share such as `80%`")?;
        if self.take(sign("%")).is_none() {
            self.unexpected_help("`%`", Some(format!("write {}%", percent.text)));
            return None;
        }
        Some(ExprKind::DaysCovered { selector: selector?, window, cmp, percent })
    }

    fn continuous(&mut self) -> Option<ExprKind> {
        self.take(word("continuous"))?;
        let selector = self.selector()?;
        if self.take(word("gap")).is_none() {
            self.unexpected_help("`gap` and a length of time", Some(CONTINUOUS.to_owned()));
            return None;
        }
        let gap = self.duration()?;
        if self.take(word("for")).is_none() {
            self.unexpected_help("`for` and a length of time", Some(CONTINUOUS.to_owned()));
            return None;
        }
        Some(ExprKind::Continuous { selector, gap, length: self.duration()? })
    }
}
