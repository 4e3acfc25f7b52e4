//! Days, ages and windows against the clock of a run.
//!
//! The engine has its own version of everything here; agreement of the two is what the tests look for.

use chrono::{Datelike, Months, NaiveDate};

use super::anchor;
use super::truth::Truth;
use crate::clock::Clock;
use crate::segment::{Duration, DurationUnit, Operand, Period, Turn, Window};
use crate::value::{Day, Value, When};

const HOUR_MICROS: i64 = 3_600_000_000;
const MINUTE_MICROS: i64 = 60_000_000;

/// One end of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// No limit on this side.
    Open,
    /// A local day, included.
    Day(Day),
    /// Exactly this instant; whether it belongs to the window depends on the side.
    Exact {
        /// Microseconds since the epoch.
        micros: i64,
        /// The instant itself is inside.
        included: bool,
    },
}

/// A window with its two ends worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    old: Bound,
    new: Bound,
}

/// The ends of a window; `None` when its dates are not dates, which the resolver does not let through.
fn bounds(window: &Window, clock: &Clock) -> Option<Bounds> {
    let today = clock.today();
    let exact = |micros, included| Bound::Exact { micros, included };
    Some(match window {
        Window::InLast(span) => match ago(*span, clock) {
            Shift::Day(day) => Bounds { old: Bound::Day(day), new: Bound::Day(today) },
            Shift::Exact(micros) => {
                Bounds { old: exact(micros, false), new: exact(clock.as_of_micros, true) }
            }
        },
        Window::InNext(span) => match ahead(*span, clock) {
            Shift::Day(day) => Bounds { old: Bound::Day(today), new: Bound::Day(day) },
            Shift::Exact(micros) => {
                Bounds { old: exact(clock.as_of_micros, true), new: exact(micros, false) }
            }
        },
        Window::MoreThanAgo(span) => match ago(*span, clock) {
            Shift::Day(day) => Bounds { old: Bound::Open, new: Bound::Day(day_before(day)) },
            Shift::Exact(micros) => Bounds { old: Bound::Open, new: exact(micros, true) },
        },
        Window::BetweenAgo(shorter, longer) => Bounds {
            old: match ago(*longer, clock) {
                Shift::Day(day) => Bound::Day(day),
                Shift::Exact(micros) => exact(micros, false),
            },
            new: match ago(*shorter, clock) {
                Shift::Day(day) => Bound::Day(day),
                Shift::Exact(micros) => exact(micros, true),
            },
        },
        Window::Since(date) => Bounds { old: Bound::Day(anchor::day(date, clock)?), new: Bound::Open },
        Window::Before(date) => {
            Bounds { old: Bound::Open, new: Bound::Day(day_before(anchor::day(date, clock)?)) }
        }
        Window::After(date) => {
            Bounds { old: Bound::Day(day_after(anchor::day(date, clock)?)), new: Bound::Open }
        }
        Window::On(date) => {
            let day = anchor::day(date, clock)?;
            Bounds { old: Bound::Day(day), new: Bound::Day(day) }
        }
        Window::Between(low, high) => {
            Bounds { old: Bound::Day(anchor::day(low, clock)?), new: Bound::Day(anchor::day(high, clock)?) }
        }
        Window::Calendar(turn, period) => {
            let (first, last) = calendar(*turn, *period, today)?;
            Bounds { old: Bound::Day(first), new: Bound::Day(last) }
        }
    })
}

/// First and last day of a calendar period: from the day on which it starts to the one before the next starts.
fn calendar(turn: Turn, period: Period, today: Day) -> Option<(Day, Day)> {
    let starts = |day: Day| match period {
        Period::Week => day.weekday() == chrono::Weekday::Mon,
        Period::Month => day.day() == 1,
        Period::Quarter => day.day() == 1 && day.month() % 3 == 1,
        Period::Year => day.day() == 1 && day.month() == 1,
    };
    let start_of = |day: Day| day.iter_days().rev().find(|day| starts(*day));
    let next_start = |day: Day| day.iter_days().skip(1).find(|day| starts(*day));
    let this = start_of(today)?;
    let first = match turn {
        Turn::This => this,
        Turn::Last => start_of(this.pred_opt()?)?,
        Turn::Next => next_start(this)?,
    };
    Some((first, next_start(first)?.pred_opt()?))
}

/// The clock at the end of the day before the window begins; `None` for windows that the resolver does not let through.
pub(super) fn before(window: &Window, clock: &Clock) -> Option<Clock> {
    match bounds(window, clock)?.old {
        Bound::Day(day) => Some(clock.before(day)),
        Bound::Open | Bound::Exact { .. } => None,
    }
}

/// First and last day of a window in days, where it has them; `None` for one in hours or minutes.
pub(super) fn first_and_last_day(window: &Window, clock: &Clock) -> Option<(Option<Day>, Option<Day>)> {
    let day = |bound| match bound {
        Bound::Open => Some(None),
        Bound::Day(day) => Some(Some(day)),
        Bound::Exact { .. } => None,
    };
    let Bounds { old, new } = bounds(window, clock)?;
    Some((day(old)?, day(new)?))
}

/// First and last instant of a window, where it has them; `None` for windows that the resolver does not let through.
pub(super) fn first_and_last_instant(window: &Window, clock: &Clock) -> Option<(Option<i64>, Option<i64>)> {
    let Bounds { old, new } = bounds(window, clock)?;
    // Days before the calendar have no instants of their own.
    let start = |day: Day| if day.year() < 1 { i64::MIN } else { clock.start_of_day(day) };
    let first = match old {
        Bound::Open => None,
        Bound::Day(day) => Some(start(day)),
        Bound::Exact { micros, included } => Some(if included { micros } else { micros.saturating_add(1) }),
    };
    let last = match new {
        Bound::Open => None,
        Bound::Day(day) => Some(start(day_after(day)).saturating_sub(1)),
        Bound::Exact { micros, included } => Some(if included { micros } else { micros.saturating_sub(1) }),
    };
    Some((first, last))
}

/// A moment lies in the window. UNKNOWN for a day against hours or minutes.
pub(super) fn in_window(when: When, window: &Window, clock: &Clock) -> Truth {
    let Some(Bounds { old, new }) = bounds(window, clock) else { return Truth::Unknown };
    let after_old = match (old, when) {
        (Bound::Open, _) => Truth::True,
        (Bound::Day(day), _) => Truth::of(clock.day_of(when) >= day),
        (Bound::Exact { .. }, When::Day(_)) => Truth::Unknown,
        (Bound::Exact { micros, included }, When::Instant(at)) => {
            Truth::of(at > micros || (included && at == micros))
        }
    };
    let before_new = match (new, when) {
        (Bound::Open, _) => Truth::True,
        (Bound::Day(day), _) => Truth::of(clock.day_of(when) <= day),
        (Bound::Exact { .. }, When::Day(_)) => Truth::Unknown,
        (Bound::Exact { micros, included }, When::Instant(at)) => {
            Truth::of(at < micros || (included && at == micros))
        }
    };
    after_old.and(before_new)
}

/// The interval from `start` to `end` (open when missing) has a moment in common with the window. Against hours and
/// minutes a day counts from its first to its last instant.
pub(super) fn overlaps(start: When, end: Option<When>, window: &Window, clock: &Clock) -> Truth {
    let Some(Bounds { old, new }) = bounds(window, clock) else { return Truth::Unknown };
    if let (Bound::Day(first), Bound::Day(last)) = (old, new)
        && last < first
    {
        // Without a day it has none in common with anything.
        return Truth::False;
    }
    let starts_in_time = match new {
        Bound::Open => true,
        Bound::Day(day) => clock.day_of(start) <= day,
        Bound::Exact { micros, included } => {
            let first = first_instant(start, clock);
            first < micros || (included && first == micros)
        }
    };
    let ends_in_time = match (end, old) {
        (None, _) | (_, Bound::Open) => true,
        (Some(end), Bound::Day(day)) => clock.day_of(end) >= day,
        (Some(end), Bound::Exact { micros, included }) => {
            let last = last_instant(end, clock);
            last > micros || (included && last == micros)
        }
    };
    Truth::of(starts_in_time && ends_in_time)
}

/// The moment is not after as_of: an instant up to as_of itself, a day up to today.
pub(super) fn not_future(when: When, clock: &Clock) -> bool {
    match when {
        When::Instant(micros) => micros <= clock.as_of_micros,
        When::Day(day) => day <= clock.today(),
    }
}

/// The moment is not over at as_of: an instant from as_of on, a day from today on.
pub(super) fn not_past(when: When, clock: &Clock) -> bool {
    match when {
        When::Instant(micros) => micros >= clock.as_of_micros,
        When::Day(day) => day >= clock.today(),
    }
}

/// The first instant of a moment.
pub(super) fn first_instant(when: When, clock: &Clock) -> i64 {
    match when {
        When::Instant(micros) => micros,
        When::Day(day) => clock.start_of_day(day),
    }
}

/// The last instant of a moment.
pub(super) fn last_instant(when: When, clock: &Clock) -> i64 {
    match when {
        When::Instant(micros) => micros,
        When::Day(day) => clock.start_of_day(day_after(day)).saturating_sub(1),
    }
}

/// Completed years from `birth` to `day`; `None` when the birth comes later. Someone born on 29 February completes
/// a year on 28 February where the year has no 29th.
pub(super) fn age_on(birth: Day, day: Day) -> Option<i64> {
    if birth > day {
        return None;
    }
    let years = i64::from(day.year()) - i64::from(birth.year());
    let birthday = return_in(birth, day.year());
    Some(if day < birthday { years - 1 } else { years })
}

/// Completed months from `birth` to `day`; `None` when the birth comes later. In a month without the day of birth one
/// is completed on its last day.
pub(super) fn months_on(birth: Day, day: Day) -> Option<i64> {
    if birth > day {
        return None;
    }
    (0_u32..)
        .take_while(|months| birth.checked_add_months(Months::new(*months)).is_some_and(|at| at <= day))
        .last()
        .map(i64::from)
}

/// The day on which so many years are completed.
pub(super) fn birthday(birth: Day, age: u32) -> Day {
    return_in(birth, birth.year().saturating_add(i32::try_from(age).unwrap_or(i32::MAX)))
}

/// Some yearly return of the date, after its own year, lies in the window. UNKNOWN against hours and minutes, which
/// the resolver does not let through.
pub(super) fn anniversary(date: Day, window: &Window, clock: &Clock) -> Truth {
    let Some(Bounds { old, new }) = bounds(window, clock) else { return Truth::Unknown };
    let first_day = match old {
        Bound::Open => NaiveDate::MIN,
        Bound::Day(day) => day,
        Bound::Exact { .. } => return Truth::Unknown,
    };
    let last_day = match new {
        Bound::Open => NaiveDate::MAX,
        Bound::Day(day) => day,
        Bound::Exact { .. } => return Truth::Unknown,
    };
    // The first return from `first_day` on falls into its year or the next, or into the year after the date's own.
    let earliest_year = first_day.year().max(date.year().saturating_add(1));
    let next_return = [earliest_year, earliest_year.saturating_add(1)]
        .into_iter()
        .map(|year| return_in(date, year))
        .find(|day| *day >= first_day);
    Truth::of(next_return.is_some_and(|day| day <= last_day))
}

/// The day of the date's month and day in a year.
fn return_in(date: Day, year: i32) -> Day {
    let same = NaiveDate::from_ymd_opt(year, date.month(), date.day());
    same.or_else(|| NaiveDate::from_ymd_opt(year, 2, 28)).unwrap_or(NaiveDate::MAX)
}

/// The day a literal date or moment stands for.
pub(super) fn operand_day(operand: &Operand, clock: &Clock) -> Option<Day> {
    match operand {
        Operand::Literal(value) => value_day(value, clock),
        Operand::Param(_) => None,
    }
}

/// The local day of a date or moment; `None` for a date that is not fully known.
pub(super) fn value_day(value: &Value, clock: &Clock) -> Option<Day> {
    value_when(value).map(|when| clock.day_of(when))
}

/// The moment that a date or time holds; `None` for a date that is not fully known.
pub(super) fn value_when(value: &Value) -> Option<When> {
    match value {
        Value::Date(day) => Some(When::Day(*day)),
        Value::Time(when) => Some(*when),
        Value::Partial(_)
        | Value::Text(_)
        | Value::Category(_)
        | Value::Int(_)
        | Value::Number(_)
        | Value::Money(_)
        | Value::Bool(_)
        | Value::Code(_)
        | Value::Categories(_)
        | Value::Point(_, _) => None,
    }
}

/// Where a length of time leads from now: calendar units to a day, hours and minutes to an instant.
enum Shift {
    Day(Day),
    Exact(i64),
}

fn ago(span: Duration, clock: &Clock) -> Shift {
    let today = clock.today();
    match length(span) {
        Length::Micros(micros) => Shift::Exact(clock.as_of_micros.saturating_sub(micros)),
        Length::Days(days) => {
            Shift::Day(today.checked_sub_days(chrono::Days::new(days)).unwrap_or(NaiveDate::MIN))
        }
        Length::Months(months) => {
            Shift::Day(today.checked_sub_months(Months::new(months)).unwrap_or(NaiveDate::MIN))
        }
    }
}

fn ahead(span: Duration, clock: &Clock) -> Shift {
    let today = clock.today();
    match length(span) {
        Length::Micros(micros) => Shift::Exact(clock.as_of_micros.saturating_add(micros)),
        Length::Days(days) => {
            Shift::Day(today.checked_add_days(chrono::Days::new(days)).unwrap_or(NaiveDate::MAX))
        }
        Length::Months(months) => {
            Shift::Day(today.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX))
        }
    }
}

enum Length {
    Micros(i64),
    Days(u64),
    Months(u32),
}

fn length(span: Duration) -> Length {
    let count = span.count;
    match span.unit {
        DurationUnit::Minute => Length::Micros(i64::from(count).saturating_mul(MINUTE_MICROS)),
        DurationUnit::Hour => Length::Micros(i64::from(count).saturating_mul(HOUR_MICROS)),
        DurationUnit::Day => Length::Days(count.into()),
        DurationUnit::Week => Length::Days(u64::from(count) * 7),
        DurationUnit::Month => Length::Months(count),
        DurationUnit::Quarter => Length::Months(count.saturating_mul(3)),
        DurationUnit::Year => Length::Months(count.saturating_mul(12)),
    }
}

/// A length in hours or minutes; `None` for one in days and longer.
pub(super) fn length_micros(span: Duration) -> Option<i64> {
    match length(span) {
        Length::Micros(micros) => Some(micros),
        Length::Days(_) | Length::Months(_) => None,
    }
}

/// The day so many days or months after another one, or before it where the direction is negative. `None` beyond
/// the calendar, and for hours and minutes.
pub(super) fn later_day(day: Day, span: Duration, direction: i8) -> Option<Day> {
    match (length(span), direction < 0) {
        (Length::Days(days), false) => day.checked_add_days(chrono::Days::new(days)),
        (Length::Days(days), true) => day.checked_sub_days(chrono::Days::new(days)),
        (Length::Months(months), false) => day.checked_add_months(Months::new(months)),
        (Length::Months(months), true) => day.checked_sub_months(Months::new(months)),
        (Length::Micros(_), _) => None,
    }
}

fn day_before(day: Day) -> Day {
    day.pred_opt().unwrap_or(day)
}

fn day_after(day: Day) -> Day {
    day.succ_opt().unwrap_or(day)
}
