//! Records that follow each other: `A then B within 7 days`, `A not followed by B within 1 day`, `B within 3 days
//! before A`.

use nom::Parser as _;
use nom::branch::alt;
use nom::combinator::{map, value};

use super::Parser;
use super::leaf::{Input, Step as Read, ident, number, sign, unit, word, words};
use crate::ast::{Event, ExprKind, Side, Span, Step, StepKind};
use crate::diagnostic::codes;

/// Words and signs of one event, its parentheses apart, beyond which no step is looked for.
const EVENT_MAX: usize = 200;

/// What starts a step.
#[derive(Clone, Copy)]
enum Start {
    Then,
    NotFollowed,
    Near,
}

fn not_followed_by(input: Input<'_>) -> Read<'_, Span> {
    map((word("not"), words("followed", "by")), |(not, by): (Span, Span)| not.to(by)).parse(input)
}

fn step_start(input: Input<'_>) -> Read<'_, Start> {
    alt((
        value(Start::Then, word("then")),
        value(Start::NotFollowed, not_followed_by),
        value(Start::Near, (word("within"), number)),
    ))
    .parse(input)
}

impl Parser<'_> {
    /// A step of a sequence starts here.
    pub(super) fn at_step(&self) -> bool {
        self.ahead(step_start)
    }

    /// `before 90 days`, `after 90 days`: no window, but part of a sequence or a slip.
    pub(super) fn length_behind_side(&self) -> bool {
        self.ahead((alt((word("before"), word("after"))), number, unit))
    }

    /// A sequence starts here: a name, what may stand behind a kind of record, and a step.
    pub(super) fn at_sequence(&self) -> bool {
        if !self.ahead(ident) {
            return false;
        }
        let mut rest = self.rest.get(1..).unwrap_or_default();
        let mut and_of_between = false;
        for _ in 0..EVENT_MAX {
            if step_start(rest).is_ok() {
                return true;
            }
            let Some((token, behind)) = rest.split_first() else { return false };
            rest = behind;
            if token.is_sign("(") {
                rest = behind_parenthesis(rest);
                continue;
            }
            let ends = match token.word() {
                Some("and") => !std::mem::take(&mut and_of_between),
                Some("or" | "where" | "exclude" | "output" | "holdout" | "segment" | "define") => true,
                Some("between") => {
                    and_of_between = true;
                    false
                }
                Some(_) => false,
                None => {
                    token.kind == crate::lex::TokenKind::End
                        || [")", "}", ",", "=", "!=", "<", "<=", ">", ">="]
                            .iter()
                            .any(|sign| token.is_sign(sign))
                }
            };
            if ends {
                return false;
            }
        }
        false
    }

    /// `A then B …` and its like.
    pub(super) fn sequence(&mut self) -> Option<ExprKind> {
        let first = self.event()?;
        let steps = self.steps()?;
        Some(ExprKind::Sequence { first, steps })
    }

    /// Every step that follows.
    fn steps(&mut self) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        while let Some(step) = self.step()? {
            steps.push(step);
        }
        let near = steps.iter().find(|step| matches!(step.kind, StepKind::Near(_)));
        if let Some(near) = near.filter(|_| steps.len() > 1) {
            let help = "chains are written with `then`; join two criteria with `and`";
            self.simple(
                &codes::UNEXPECTED,
                near.span,
                "`within … before`, `after` and `around` take two records and no further step",
                help,
            );
            return None;
        }
        if steps.is_empty() {
            let help = "e.g. `email_sent then email_click within 7 days`".to_owned();
            self.unexpected_help("`then`, `not followed by` or `within`", Some(help));
            return None;
        }
        Some(steps)
    }

    /// One step; `Some(None)` where none stands.
    fn step(&mut self) -> Option<Option<Step>> {
        let start = self.peek().span;
        let Ok((_, which)) = step_start(self.rest) else { return Some(None) };
        let (kind, event, within) = match which {
            Start::Then => {
                self.skip();
                let event = self.event()?;
                let mut after = None;
                if self.length_behind_side() && self.peek().is_word("after") {
                    self.skip();
                    after = Some(self.duration()?);
                }
                (StepKind::Then { after }, event, self.within()?)
            }
            Start::NotFollowed => {
                self.take(not_followed_by)?;
                let event = self.event()?;
                let within = self.within()?;
                let still_open = (word("or"), words("still", "open"));
                (StepKind::NotFollowed { or_open: self.take(still_open).is_some() }, event, within)
            }
            Start::Near => {
                self.skip();
                let within = self.duration()?;
                let side = Side::ALL.into_iter().find(|side| self.peek().is_word(side.word()));
                let Some(side) = side else {
                    let help = "e.g. `email_click within 7 days after email_sent`, or `email_sent then email_click within 7 days`";
                    self.unexpected_help("`before`, `after` or `around`", Some(help.to_owned()));
                    return None;
                };
                self.skip();
                (StepKind::Near(side), self.event()?, within)
            }
        };
        Some(Some(Step { kind, event, within, span: self.span_from(start) }))
    }

    /// `within D`; every step has one.
    fn within(&mut self) -> Option<crate::ast::Duration> {
        if self.take(word("within")).is_none() {
            let help = "say how long it may take: `then email_click within 7 days`".to_owned();
            self.unexpected_help("`within` and a length of time", Some(help));
            return None;
        }
        self.duration()
    }

    /// A selector, and the field at which the clock starts.
    fn event(&mut self) -> Option<Event> {
        let start = self.peek().span;
        if self.ahead((alt((word("has"), word("no"), word("not"))), ident)) {
            let help = match self.peek().word() {
                Some("has") => "leave out `has`",
                _ => "write `A not followed by B within 7 days`",
            };
            self.unexpected_help("a kind of record", Some(help.to_owned()));
            return None;
        }
        let selector = self.selector()?;
        let mut clock = None;
        if self.take(sign(".")).is_some() {
            clock = Some(self.expect(ident, "a field of type date or time behind `.`")?);
        }
        Some(Event { selector, clock, span: self.span_from(start) })
    }

    /// Reports a step behind a selector that stands in a criterion of its own, and reads what follows for its
    /// findings. `word` is what was written in front.
    pub(super) fn step_behind(&mut self, word: &str, start: Span) -> bool {
        if !self.at_step() {
            return false;
        }
        let help = match word {
            "has" => "a sequence stands without `has`: `email_sent then email_click within 7 days`",
            "no" => "write `not` in front of a sequence: `not email_sent then email_click within 7 days`",
            _ => "sequences stand alone; join them with `and`",
        };
        self.simple(&codes::UNEXPECTED, start, format!("a sequence cannot stand behind `{word}`"), help);
        let _ = self.steps();
        true
    }
}

/// What follows a parenthesis that was just opened; nothing when it is not closed.
fn behind_parenthesis(input: Input<'_>) -> Input<'_> {
    let mut open = 1_usize;
    for (place, token) in input.iter().enumerate() {
        if token.is_sign("(") {
            open += 1;
        } else if token.is_sign(")") {
            open -= 1;
        }
        if open == 0 {
            return input.get(place + 1..).unwrap_or_default();
        }
    }
    &[]
}
