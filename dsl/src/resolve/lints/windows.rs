//! Windows of one selector that have no day in common.

use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{Anchor, Duration, DurationUnit, Operand, Window};
use crate::value::{Day, Value};

pub(in crate::resolve) fn windows(windows: &[Window], span: Span, findings: &mut Vec<Diagnostic>) {
    let (mut first, mut last) = (Day::MIN, Day::MAX);
    for window in windows {
        let (low, high) = ends(window);
        first = first.max(low.unwrap_or(Day::MIN));
        last = last.min(high.unwrap_or(Day::MAX));
    }
    if apart(windows) || first > last {
        findings.push(Diagnostic::new(&codes::EMPTY_WINDOW, span, "the windows have no day in common").help(
            "every window of a selector must hold; for one or the other write two criteria joined by `or`",
        ));
    }
}

/// Two windows that count back from as_of in units of one kind leave no time between them.
fn apart(windows: &[Window]) -> bool {
    let backs: Vec<Back> = windows.iter().filter_map(back).collect();
    backs.iter().enumerate().any(|(index, a)| {
        backs.iter().skip(index + 1).filter(|b| a.kind == b.kind).any(|b| {
            let (near, far) = (a.near.max(b.near), a.far.min(b.far));
            near > far || near == far && (a.near == near && a.beyond || b.near == near && b.beyond)
        })
    })
}

/// How long ago, from the nearer to the farther end.
struct Back {
    /// Units that convert into each other: minutes, days, months.
    kind: u8,
    near: i64,
    far: i64,
    /// The near end itself is outside.
    beyond: bool,
}

fn back(window: &Window) -> Option<Back> {
    let (near, far, beyond) = match window {
        Window::InLast(length) => ((units(length).0, 0), units(length), false),
        Window::InNext(length) => ((units(length).0, -units(length).1), (units(length).0, 0), false),
        Window::MoreThanAgo(length) => (units(length), (units(length).0, i64::MAX), true),
        Window::BetweenAgo(near, far) => (units(near), units(far), false),
        Window::Since(_)
        | Window::Before(_)
        | Window::After(_)
        | Window::On(_)
        | Window::Between(_, _)
        | Window::Calendar(_, _) => return None,
    };
    (near.0 == far.0).then_some(Back { kind: near.0, near: near.1, far: far.1, beyond })
}

/// A length as a kind of unit and a number of the smallest of that kind.
fn units(length: &Duration) -> (u8, i64) {
    let (kind, factor) = match length.unit {
        DurationUnit::Minute => (0, 1),
        DurationUnit::Hour => (0, 60),
        DurationUnit::Day => (1, 1),
        DurationUnit::Week => (1, 7),
        DurationUnit::Month => (2, 1),
        DurationUnit::Quarter => (2, 3),
        DurationUnit::Year => (2, 12),
    };
    (kind, i64::from(length.count) * factor)
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

fn day(anchor: &Anchor) -> Option<Day> {
    match anchor.as_date()? {
        Operand::Literal(Value::Date(day)) => Some(*day),
        Operand::Literal(_) | Operand::Param(_) => None,
    }
}
