//! Windows in words.

use super::values::{operand, spaced};
use crate::segment::{Anchor, Duration, DurationUnit, Start, Turn, Window};

pub(super) fn window(of: &Window) -> String {
    match of {
        Window::InLast(length) => format!("in the last {}", self::length(*length)),
        Window::InNext(length) => format!("in the next {}", self::length(*length)),
        Window::MoreThanAgo(length) => format!("more than {} ago", self::length(*length)),
        Window::BetweenAgo(near, far) => {
            format!("between {} and {} ago", self::length(*near), self::length(*far))
        }
        Window::Since(day) => format!("on or after {}", anchor(day)),
        Window::Before(day) => format!("before {}", anchor(day)),
        Window::After(day) => format!("after {}", anchor(day)),
        Window::On(day) => format!("on {}", anchor(day)),
        Window::Between(first, last) => format!("from {} to {}", anchor(first), anchor(last)),
        Window::Calendar(turn, period) => {
            let turn = match turn {
                Turn::This => "present",
                Turn::Last => "previous",
                Turn::Next => "next",
            };
            format!("in the {turn} calendar {}", period.word())
        }
    }
}

/// A day that something counts from.
pub(super) fn anchor(of: &Anchor) -> String {
    let mut out = match &of.start {
        Start::Date(date) => operand(date),
        Start::AsOf => "the day of the run".to_owned(),
        Start::Field(name) => format!("the contact's {}", spaced(name)),
    };
    for shift in &of.shifts {
        out.push_str(&format!(" {} {}", if shift.back { "minus" } else { "plus" }, length(shift.length)));
    }
    out
}

pub(super) fn length(of: Duration) -> String {
    let unit = match of.unit {
        DurationUnit::Minute => "minute",
        DurationUnit::Hour => "hour",
        DurationUnit::Day => "day",
        DurationUnit::Week => "week",
        DurationUnit::Month => "month",
        DurationUnit::Quarter => "quarter",
        DurationUnit::Year => "year",
    };
    format!("{} {unit}{}", of.count, if of.count == 1 { "" } else { "s" })
}
