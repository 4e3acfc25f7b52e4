//! What shapes the list behind the criteria: limits, one per value, caps, samples and splits.

use super::Parser;
use super::leaf::{ident, number, sign, text, word, words};
use crate::ast::{Arm, ClauseKind, Ident, Number, Text};
use crate::segment::Direction;

const SAMPLE: &str = "e.g. `sample 10% seed \"2026-q4\"`";
const SPLIT: &str = "e.g. `split letter 50%, leaflet 50% seed \"2026-q4\"`";

const LIMIT: &str = "e.g. `limit 5000 by risk_score desc`";
const CAP: &str = "e.g. `cap 3 per 1 week`";

impl Parser<'_> {
    /// `limit 500 [by amount asc|desc]`.
    pub(super) fn limit(&mut self) -> Option<ClauseKind> {
        self.take(word("limit"))?;
        let count = self.how_many(LIMIT)?;
        if self.take(word("by")).is_none() {
            return Some(ClauseKind::Limit { count, by: None });
        }
        let amount = self.amount(LIMIT)?;
        let direction = if self.take(word("desc")).is_some() {
            Direction::Desc
        } else if self.take(word("asc")).is_some() {
            Direction::Asc
        } else {
            let help = "`desc` takes the greatest first, `asc` the least";
            self.unexpected_help("`asc` or `desc`", Some(help.to_owned()));
            return None;
        };
        Some(ClauseKind::Limit { count, by: Some((amount, direction)) })
    }

    /// `one per household_id`.
    pub(super) fn one_per(&mut self) -> Option<ClauseKind> {
        self.take(words("one", "per"))?;
        if self.at_clause() && self.peek().first_on_line {
            self.unexpected("a contact field");
            return None;
        }
        self.expect(ident, "a contact field").map(ClauseKind::OnePer)
    }

    /// `cap 3 per 1 week`.
    pub(super) fn cap(&mut self) -> Option<ClauseKind> {
        self.take(word("cap"))?;
        let count = self.how_many(CAP)?;
        if self.take(word("per")).is_none() {
            self.unexpected_help("`per` and a length of time", Some(CAP.to_owned()));
            return None;
        }
        Some(ClauseKind::Cap { count, per: self.duration()? })
    }

    fn how_many(&mut self, example: &str) -> Option<Number> {
        let count = self.take(number);
        if count.is_none() {
            self.unexpected_help("a whole number", Some(example.to_owned()));
        }
        count
    }

    /// `sample 10% seed "text"`, a clause or a criterion.
    pub(super) fn sample(&mut self) -> Option<(Number, Text)> {
        self.take(word("sample"))?;
        let percent = self.percentage(SAMPLE)?;
        Some((percent, self.seed(SAMPLE)?))
    }

    /// `split a 50%, b 50%, holdout 10% seed "text"`.
    pub(super) fn split(&mut self) -> Option<ClauseKind> {
        self.take(word("split"))?;
        let mut arms = Vec::new();
        let mut holdout = None;
        loop {
            let name: Ident = match self.take(ident) {
                Some(name) => name,
                None => {
                    self.unexpected_help("a name for an arm of the list", Some(SPLIT.to_owned()));
                    return None;
                }
            };
            let percent = self.percentage(SPLIT)?;
            if name.name == "holdout" {
                holdout = Some(percent);
                break;
            }
            arms.push(Arm { name, percent });
            if self.take(sign(",")).is_none() {
                break;
            }
        }
        Some(ClauseKind::Split { arms, holdout, seed: self.seed(SPLIT)? })
    }

    /// What a clause says, or the rest of it skipped.
    pub(super) fn clause_or_bad(&mut self, kind: Option<ClauseKind>) -> ClauseKind {
        kind.unwrap_or_else(|| {
            self.skip_to_clause();
            ClauseKind::Bad
        })
    }

    fn percentage(&mut self, example: &str) -> Option<Number> {
        let Some(percent) = self.take(number) else {
            self.unexpected_help("a share such as `10%`", Some(example.to_owned()));
            return None;
        };
        if self.take(sign("%")).is_none() {
            self.unexpected_help("`%`", Some(format!("write {}%", percent.text)));
            return None;
        }
        Some(percent)
    }

    fn seed(&mut self, example: &str) -> Option<Text> {
        if self.take(word("seed")).is_none() {
            self.unexpected_help("`seed` and a text", Some(example.to_owned()));
            return None;
        }
        self.expect(text, "a text behind `seed`")
    }
}
