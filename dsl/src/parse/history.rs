//! Tests of what a contact field said before: `insurance_type changed from commercial in last 90 days`, `state was MA last
//! year`.

use nom::branch::alt;

use super::Parser;
use super::leaf::word;
use crate::ast::{ExprKind, History, Ident, Past, Value};

const CHANGED: &str = "e.g. `insurance_type changed from commercial to medicaid in last 90 days`";
const WAS: &str = "e.g. `insurance_type was commercial last year`";

impl Parser<'_> {
    /// A test of history starts here, seen from behind a field's name.
    pub(super) fn at_history(&self) -> bool {
        self.ahead(alt((word("changed"), word("was"))))
    }

    /// Behind a field's name. What follows `changed from` is a value, never the first day of a window.
    pub(super) fn history(&mut self, field: Ident) -> Option<ExprKind> {
        let past = if self.take(word("changed")).is_some() {
            let from = self.value_behind("from", CHANGED)?;
            let to = self.value_behind("to", CHANGED)?;
            Past::Changed { from, to }
        } else {
            self.take(word("was"))?;
            Past::Was(self.past_value("was", WAS)?)
        };
        if !self.at_window() {
            let help = if self.ahead(word("recorded")) {
                "a change has one time, that of its import: leave out `recorded`".to_owned()
            } else {
                match &past {
                    Past::Changed { from: Some(_), .. } => {
                        format!("what stands behind `changed from` is a value; {CHANGED}")
                    }
                    Past::Changed { .. } => CHANGED.to_owned(),
                    Past::Was(_) => WAS.to_owned(),
                }
            };
            self.unexpected_help("a window such as `in last 90 days`", Some(help));
            return None;
        }
        let window = self.window()?;
        Some(ExprKind::History(Box::new(History { field, past, window })))
    }

    /// The value behind a word, where the word stands. `None` after a report.
    fn value_behind(&mut self, keyword: &'static str, example: &str) -> Option<Option<Value>> {
        if self.take(word(keyword)).is_none() {
            return Some(None);
        }
        self.past_value(keyword, example).map(Some)
    }

    /// One value that a field had: no set, and none that it had not.
    fn past_value(&mut self, keyword: &str, example: &str) -> Option<Value> {
        let other = ["in", "not", "missing", "known", "between"];
        if other.iter().any(|word| self.peek().is_word(word)) {
            self.unexpected_help(&format!("one value behind `{keyword}`"), Some(example.to_owned()));
            return None;
        }
        self.value(&format!("a value behind `{keyword}`"))
    }
}
