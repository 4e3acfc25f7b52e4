//! Windows in time, and anniversaries.

use super::{Resolver, Scope};
use crate::ast::{self, Duration, Ident, Number, Span, WindowKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::FieldType;
use crate::segment::{ContactTest, Criteria, Duration as Length, DurationUnit, Logic, Window};

/// Greatest age that somebody can be asked to turn.
const AGE_MAX: u32 = 150;

impl<'a> Resolver<'a> {
    /// A window; `day_only` when what it tests has no time of day.
    pub(super) fn window(&mut self, window: &ast::Window, day_only: bool) -> Option<Window> {
        let typed = match &window.kind {
            WindowKind::InLast(length) => Window::InLast(self.length(length, day_only)?),
            WindowKind::InNext(length) => Window::InNext(self.length(length, day_only)?),
            WindowKind::MoreThanAgo(length) => Window::MoreThanAgo(self.length(length, day_only)?),
            WindowKind::BetweenAgo(near, far) => {
                let (first, last) = (self.length(near, day_only), self.length(far, day_only));
                let (first, last) = (first?, last?);
                self.two_lengths(first, last, near.span.to(far.span))?;
                Window::BetweenAgo(first, last)
            }
            WindowKind::Since(date) => Window::Since(self.anchor(date)?),
            WindowKind::Before(date) => Window::Before(self.anchor(date)?),
            WindowKind::After(date) => Window::After(self.anchor(date)?),
            WindowKind::On(date) => Window::On(self.anchor(date)?),
            WindowKind::Between(low, high) | WindowKind::FromTo(low, high) => self.two_days(low, high)?,
            WindowKind::Calendar(turn, period) => Window::Calendar(*turn, *period),
        };
        if let Window::InLast(length) | Window::InNext(length) = &typed
            && length.count == 0
            && exact(length.unit)
        {
            self.report(Diagnostic::new(&codes::EMPTY_WINDOW, window.span, "the window is empty"));
        }
        Some(typed)
    }

    fn length(&mut self, length: &Duration, day_only: bool) -> Option<Length> {
        if day_only && exact(length.unit) {
            let message = "a date has no time of day and cannot be tested in hours or minutes";
            let finding = Diagnostic::new(&codes::WRONG_WINDOW, length.span, message);
            self.report(finding.help("use days"));
            return None;
        }
        Some(Length { count: length.count, unit: length.unit })
    }

    /// `between D1 and D2 ago`: both exact or both in days, the shorter first.
    fn two_lengths(&mut self, near: Length, far: Length, span: Span) -> Option<()> {
        if exact(near.unit) != exact(far.unit) {
            let message = "`between … ago` takes hours and minutes, or days and longer, not both";
            self.report(Diagnostic::new(&codes::WRONG_WINDOW, span, message));
            return None;
        }
        if bounds(near).0 > bounds(far).1 {
            let finding = Diagnostic::new(&codes::REVERSED, span, "the bounds are the wrong way round");
            self.report(finding.help("the shorter one comes first: `between 30 and 60 days ago`"));
            return None;
        }
        Some(())
    }

    /// `turns 65 window`.
    pub(super) fn turns(&mut self, age: &Number, window: &ast::Window, span: Span) -> Option<Criteria> {
        self.one_test(span)?;
        self.note_negation(Scope::Contact, "birth_date", span, false);
        let years = age.text.parse::<u32>().ok().filter(|years| *years <= AGE_MAX);
        if years.is_none() {
            let message = format!("`{}` is no age that is completed", crate::lex::short(&age.text));
            let finding = Diagnostic::new(&codes::OUT_OF_RANGE, age.span, message);
            self.report(finding.help(format!("a whole number from 0 to {AGE_MAX}")));
        }
        let window = self.window(window, true);
        let test = ContactTest::Turns { age: years?, window: window? };
        self.note_dates(&test, span, false);
        Some(Logic::Leaf(test))
    }

    pub(super) fn anniversary(&mut self, name: &Ident, window: &ast::Window, span: Span) -> Option<Criteria> {
        self.one_test(span)?;
        let field = self.field(Scope::Contact, name)?;
        if field.ty != FieldType::Date {
            let message =
                format!("`{}` is {} and has no anniversary", field.name, super::operands::a_type(field.ty));
            let finding = Diagnostic::new(&codes::WRONG_TEST, span, message);
            self.report(finding.help("dates have one, e.g. `birth_date anniversary in next 7 days`"));
            return None;
        }
        let name = field.name.clone();
        self.note_negation(Scope::Contact, &name, span, false);
        let typed = self.window(window, true)?;
        match &typed {
            Window::InLast(_)
            | Window::InNext(_)
            | Window::BetweenAgo(_, _)
            | Window::On(_)
            | Window::Between(_, _)
            | Window::Calendar(_, _) => {
                let test = ContactTest::Anniversary { field: name, window: typed };
                self.note_dates(&test, span, false);
                Some(Logic::Leaf(test))
            }
            Window::MoreThanAgo(_) | Window::Since(_) | Window::Before(_) | Window::After(_) => {
                let message = "an anniversary needs a window with two ends";
                let finding = Diagnostic::new(&codes::WRONG_WINDOW, window.span, message);
                self.report(finding.help("in next, in last, on, or between two dates"));
                None
            }
        }
    }
}

/// Measured on the clock, not in days.
pub(super) fn exact(unit: DurationUnit) -> bool {
    match unit {
        DurationUnit::Minute | DurationUnit::Hour => true,
        DurationUnit::Day
        | DurationUnit::Week
        | DurationUnit::Month
        | DurationUnit::Quarter
        | DurationUnit::Year => false,
    }
}

/// Fewest and most minutes of a length; those of calendar units vary by a few days around the average.
pub(super) fn bounds(length: Length) -> (u64, u64) {
    const DAY: u64 = 24 * 60;
    const SLACK_DAYS: u64 = 3;
    let count = u64::from(length.count);
    let months = match length.unit {
        DurationUnit::Minute => return (count, count),
        DurationUnit::Hour => return (60 * count, 60 * count),
        DurationUnit::Day => return (DAY * count, DAY * count),
        DurationUnit::Week => return (7 * DAY * count, 7 * DAY * count),
        DurationUnit::Month => count,
        DurationUnit::Quarter => 3 * count,
        DurationUnit::Year => 12 * count,
    };
    // 400 years have 146,097 days.
    let days = months * 146_097 / 4_800;
    (days.saturating_sub(SLACK_DAYS) * DAY, (days + SLACK_DAYS) * DAY)
}
