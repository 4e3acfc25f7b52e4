//! Windows of one selector that have no day in common.

use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{Operand, Window};
use crate::value::{Day, Value};

pub(in crate::resolve) fn windows(windows: &[Window], span: Span, findings: &mut Vec<Diagnostic>) {
    let complement = windows.iter().any(|window| match window {
        Window::InLast(length) => windows.contains(&Window::MoreThanAgo(*length)),
        Window::InNext(_)
        | Window::MoreThanAgo(_)
        | Window::BetweenAgo(_, _)
        | Window::Since(_)
        | Window::Before(_)
        | Window::After(_)
        | Window::On(_)
        | Window::Between(_, _)
        | Window::Calendar(_, _) => false,
    });
    let (mut first, mut last) = (Day::MIN, Day::MAX);
    for window in windows {
        let (low, high) = ends(window);
        first = first.max(low.unwrap_or(Day::MIN));
        last = last.min(high.unwrap_or(Day::MAX));
    }
    if complement || first > last {
        findings.push(Diagnostic::new(&codes::EMPTY_WINDOW, span, "the windows have no day in common").help(
            "every window of a selector must hold; for one or the other write two criteria joined by `or`",
        ));
    }
}

/// First and last day of a window of literal dates; `None` where it is open or depends on the clock.
fn ends(window: &Window) -> (Option<Day>, Option<Day>) {
    match window {
        Window::InLast(_)
        | Window::InNext(_)
        | Window::MoreThanAgo(_)
        | Window::BetweenAgo(_, _)
        | Window::Calendar(_, _) => (None, None),
        Window::Since(date) => (day(date), None),
        Window::After(date) => (day(date).and_then(|day| day.succ_opt()), None),
        Window::Before(date) => (None, day(date).and_then(|day| day.pred_opt())),
        Window::On(date) => (day(date), day(date)),
        Window::Between(low, high) => (day(low), day(high)),
    }
}

fn day(operand: &Operand) -> Option<Day> {
    match operand {
        Operand::Literal(Value::Date(day)) => Some(*day),
        Operand::Literal(_) | Operand::Param(_) => None,
    }
}
