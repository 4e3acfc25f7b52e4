//! Windows in time.

use nom::Parser as _;
use nom::branch::alt;
use nom::combinator::value;

use super::leaf::{Input, Step, any_value, between_ago_ahead, calendar, number, unit, word, words};
use super::{Parser, mistaken};
use crate::ast::{Duration, Span, Window, WindowKind};

/// What a window starts with.
pub(super) fn window_ahead(input: Input<'_>) -> Step<'_, ()> {
    let single = alt((word("since"), word("before"), word("after"), word("on"), word("between")));
    let several = alt((words("in", "last"), words("in", "next"), words("more", "than")));
    let from = (word("from"), any_value);
    alt((value((), single), value((), several), value((), from), value((), calendar))).parse(input)
}

impl Parser<'_> {
    /// A window starts here.
    pub(super) fn at_window(&self) -> bool {
        self.ahead(window_ahead)
    }

    /// One window; reports and answers `None` when it cannot be read.
    pub(super) fn window(&mut self) -> Option<Window> {
        let start = self.peek().span;
        if mistaken::window(self) {
            return None;
        }
        let kind = if self.take(words("in", "last")).is_some() {
            WindowKind::InLast(self.duration()?)
        } else if self.take(words("in", "next")).is_some() {
            WindowKind::InNext(self.duration()?)
        } else if self.take(words("more", "than")).is_some() {
            let duration = self.duration()?;
            self.expect(word("ago"), "`ago`")?;
            WindowKind::MoreThanAgo(duration)
        } else if self.ahead(between_ago_ahead) {
            self.between_ago()?
        } else if self.take(word("between")).is_some() {
            let low = self.value("a date, or a number of days ago")?;
            self.expect(word("and"), "`and` and the second date")?;
            WindowKind::Between(low, self.value("a date")?)
        } else if self.take(word("from")).is_some() {
            let low = self.value("a date")?;
            self.expect(word("to"), "`to` and the last day")?;
            WindowKind::FromTo(low, self.value("a date")?)
        } else if self.take(word("since")).is_some() {
            WindowKind::Since(self.value("a date")?)
        } else if self.take(word("before")).is_some() {
            WindowKind::Before(self.value("a date")?)
        } else if self.take(word("after")).is_some() {
            WindowKind::After(self.value("a date")?)
        } else if self.take(word("on")).is_some() {
            WindowKind::On(self.value("a date")?)
        } else if let Some((turn, period)) = self.take(calendar) {
            WindowKind::Calendar(turn, period)
        } else {
            self.unexpected("a window such as `in last 90 days`");
            return None;
        };
        Some(Window { kind, span: self.span_from(start) })
    }

    /// `between 30 and 60 days ago`: a first number without a unit has that of the second.
    fn between_ago(&mut self) -> Option<WindowKind> {
        self.take(word("between"))?;
        let first = self.take(number)?;
        let first_unit: Option<(_, Span)> = self.take(unit);
        let count = self.count(&first.text, first.span);
        self.take(word("and"))?;
        if first_unit.is_some() || self.peek_at(1).word().is_some_and(|next| next != "ago") {
            let second = self.duration()?;
            self.expect(word("ago"), "`ago`")?;
            let unit = first_unit.map_or(second.unit, |(unit, _)| unit);
            let span = first_unit.map_or(first.span, |(_, span)| first.span.to(span));
            return Some(WindowKind::BetweenAgo(Duration { count, unit, span }, second));
        }
        self.skip();
        self.unexpected("a unit of time: minutes, hours, days, weeks, months, quarters or years");
        None
    }
}
