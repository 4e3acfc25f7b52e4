//! How long records last, and whether the absence of one means anything.

use super::Resolver;
use super::windows::exact;
use crate::ast::{self, Duration, Number, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{
    Cmp, ContactTest, Criteria, Duration as Length, Logic, Observation, Selector, Turn, Window,
};

impl<'a> Resolver<'a> {
    /// `has selector while observed`.
    pub(super) fn observed(&mut self, selector: &'a ast::Selector, span: Span) -> Option<ContactTest> {
        let selector = self.selector(selector, span)?;
        let by = Observation::built_in(self.schema)?;
        if selector.active {
            let message = "`while observed` looks at the days of windows of `at`, not at what is `active`";
            self.report(Diagnostic::new(&codes::WRONG_WINDOW, span, message).help("leave out `active`"));
            return None;
        }
        let what = "`while observed`";
        for window in &selector.windows {
            self.past_days(window, what, span)?;
        }
        if !selector.windows.iter().any(begins) {
            self.without_beginning(what, span);
            return None;
        }
        Some(ContactTest::Observed { selector, by })
    }

    /// `days covered(selector) window > 80%`.
    pub(super) fn days_covered(
        &mut self,
        selector: &'a ast::Selector,
        window: &'a ast::Window,
        cmp: Cmp,
        percent: &Number,
        span: Span,
    ) -> Option<Criteria> {
        let typed = self.lasting(selector, span);
        let place = window.span;
        let window = self.window(window, true).and_then(|window| {
            let what = "`days covered`";
            self.past_days(&window, what, place)?;
            if begins(&window) {
                return Some(window);
            }
            self.without_beginning(what, place);
            None
        });
        let percent_millis = self.percentage(percent);
        let (selector, window, percent_millis) = (typed?, window?, percent_millis?);
        Some(Logic::Leaf(ContactTest::DaysCovered { selector, window, cmp, percent_millis }))
    }

    /// `continuous selector gap D for D`.
    pub(super) fn continuous(
        &mut self,
        selector: &'a ast::Selector,
        gap: &Duration,
        length: &Duration,
        span: Span,
    ) -> Option<Criteria> {
        let typed = self.lasting(selector, span);
        let mut in_days = |length: &Duration| {
            if exact(length.unit) {
                let message = "records last for whole days, not for hours or minutes";
                self.report(Diagnostic::new(&codes::WRONG_WINDOW, length.span, message).help("use days"));
                return None;
            }
            Some(Length { count: length.count, unit: length.unit })
        };
        let (gap, length) = (in_days(gap), in_days(length));
        Some(Logic::Leaf(ContactTest::Continuous { selector: typed?, gap: gap?, length: length? }))
    }

    /// A selector of records that last.
    fn lasting(&mut self, selector: &'a ast::Selector, span: Span) -> Option<Selector> {
        let typed = self.selector(selector, span)?;
        let kind = self.schema.record(&typed.record)?;
        if kind.has_end() {
            return Some(typed);
        }
        let message = format!("records of kind `{}` have no end and do not last", kind.name);
        let kinds = self.schema.records.iter().filter(|kind| kind.has_end());
        let lasting: Vec<&str> = kinds.map(|kind| kind.name.as_str()).collect();
        let finding = Diagnostic::new(&codes::NO_END, selector.record.span, message);
        self.report(finding.help(format!("kinds with an end: {}", lasting.join(", "))));
        None
    }

    /// Reports a window in hours, or one that looks ahead.
    fn past_days(&mut self, window: &Window, what: &str, span: Span) -> Option<()> {
        let message = match window {
            Window::InNext(_) | Window::After(_) | Window::Calendar(Turn::Next, _) => {
                format!("{what} goes up to today; what lies ahead is not known yet")
            }
            Window::InLast(length) | Window::MoreThanAgo(length) | Window::BetweenAgo(length, _)
                if exact(length.unit) =>
            {
                format!("{what} takes whole days, not hours or minutes")
            }
            Window::InLast(_)
            | Window::MoreThanAgo(_)
            | Window::BetweenAgo(_, _)
            | Window::Since(_)
            | Window::Before(_)
            | Window::On(_)
            | Window::Between(_, _)
            | Window::Calendar(Turn::This | Turn::Last, _) => return Some(()),
        };
        let finding = Diagnostic::new(&codes::WRONG_WINDOW, span, message);
        self.report(finding.help("e.g. `in last 12 months`, `since 2026-01-01`, `last year`"));
        None
    }

    fn without_beginning(&mut self, what: &str, span: Span) {
        let message = format!("{what} needs a window with a beginning");
        let finding = Diagnostic::new(&codes::WRONG_WINDOW, span, message);
        self.report(finding.help("e.g. `in last 12 months`, `since 2026-01-01`, `last year`"));
    }
}

/// The window has a first day.
fn begins(window: &Window) -> bool {
    match window {
        Window::InLast(_)
        | Window::InNext(_)
        | Window::BetweenAgo(_, _)
        | Window::Since(_)
        | Window::After(_)
        | Window::On(_)
        | Window::Between(_, _)
        | Window::Calendar(_, _) => true,
        Window::MoreThanAgo(_) | Window::Before(_) => false,
    }
}
