//! Windows in words.

use super::values::operand;
use crate::segment::{Duration, DurationUnit, Turn, Window};

pub(super) fn window(of: &Window) -> String {
    match of {
        Window::InLast(length) => format!("in the last {}", self::length(*length)),
        Window::InNext(length) => format!("in the next {}", self::length(*length)),
        Window::MoreThanAgo(length) => format!("more than {} ago", self::length(*length)),
        Window::BetweenAgo(near, far) => {
            format!("between {} and {} ago", self::length(*near), self::length(*far))
        }
        Window::Since(date) => format!("on or after {}", operand(date)),
        Window::Before(date) => format!("before {}", operand(date)),
        Window::After(date) => format!("after {}", operand(date)),
        Window::On(date) => format!("on {}", operand(date)),
        Window::Between(low, high) => format!("from {} to {}", operand(low), operand(high)),
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
