//! Windows against the clock, and the expressions that test packed moments and dates.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Weekday};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, internal_datafusion_err, internal_err};
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::segment::{Anchor, Duration, DurationUnit, Operand, Period, Start, Turn, Window};
use hyperseg_dsl::value::{Value, When, pack_time};

use super::literal;
use crate::functions::{DayRanges, Shifts, date_test};

/// A stretch of time: bounds for moments known to the instant and for those known to the day, all included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    instants: (Option<i64>, Option<i64>),
    days: DayBounds,
}

/// What a stretch says of a moment that is known only to the day.
#[derive(Clone, Copy, Debug, PartialEq)]
enum DayBounds {
    /// Between these days.
    Within(Option<NaiveDate>, Option<NaiveDate>),
    /// UNKNOWN: the stretch is measured in hours or minutes.
    Unknown,
}

impl Stretch {
    /// Whole local days.
    pub(super) fn days(clock: &Clock, low: Option<NaiveDate>, high: Option<NaiveDate>) -> Self {
        let start = low.map(|day| clock.start_of_day(day));
        let end = high.and_then(|day| day.succ_opt()).map(|next| clock.start_of_day(next) - 1);
        Self { instants: (start, end), days: DayBounds::Within(low, high) }
    }

    fn exact(low: Option<i64>, high: Option<i64>) -> Self {
        Self { instants: (low, high), days: DayBounds::Unknown }
    }

    /// Everything up to as_of: what a run can see.
    pub(super) fn until(clock: &Clock) -> Self {
        Self {
            instants: (None, Some(clock.as_of_micros)),
            days: DayBounds::Within(None, Some(clock.today())),
        }
    }

    /// Everything from as_of on.
    pub(super) fn from(clock: &Clock) -> Self {
        Self {
            instants: (Some(clock.as_of_micros), None),
            days: DayBounds::Within(Some(clock.today()), None),
        }
    }

    /// Moments that lie not after the end; a day touches an exact end when it starts before it.
    pub(super) fn not_after_end(&self, clock: &Clock) -> Self {
        let days = match self.days {
            DayBounds::Within(_, high) => DayBounds::Within(None, high),
            DayBounds::Unknown => DayBounds::Within(None, self.instants.1.map(|end| clock.local_day(end))),
        };
        Self { instants: (None, self.instants.1), days }
    }

    /// Moments that lie not before the start; a day touches an exact start when it ends after it.
    pub(super) fn not_before_start(&self, clock: &Clock) -> Self {
        let days = match self.days {
            DayBounds::Within(low, _) => DayBounds::Within(low, None),
            DayBounds::Unknown => {
                DayBounds::Within(self.instants.0.map(|start| clock.local_day(start)), None)
            }
        };
        Self { instants: (self.instants.0, None), days }
    }

    /// Whether a stretch without a start holds every moment up to a packed one.
    pub(super) fn holds_up_to(&self, latest: i64) -> bool {
        let instants = self.instants.1.is_some_and(|high| latest <= packed(high));
        // A day is packed as its first instant in UTC.
        let day = DateTime::from_timestamp_micros(latest >> 2).map(|latest| latest.date_naive());
        let days = match self.days {
            DayBounds::Within(None, Some(high)) => day.is_some_and(|day| day <= high),
            DayBounds::Within(..) | DayBounds::Unknown => false,
        };
        instants && days && self.instants.0.is_none()
    }

    /// Days of which the last lies before the first.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.days, DayBounds::Within(Some(low), Some(high)) if high < low)
    }

    /// First and last instant, included.
    pub(super) fn instants(&self) -> (Option<i64>, Option<i64>) {
        self.instants
    }

    /// Measured in hours or minutes.
    pub(super) fn is_exact(&self) -> bool {
        self.days == DayBounds::Unknown
    }

    /// Bounds as days, for dates and anniversaries; `None` for a stretch in hours or minutes.
    pub(super) fn day_bounds(&self) -> Option<(Option<NaiveDate>, Option<NaiveDate>)> {
        match self.days {
            DayBounds::Within(low, high) => Some((low, high)),
            DayBounds::Unknown => None,
        }
    }

    /// The exact test of a packed moment; null when it is missing or known only to the day and that is not enough.
    pub(super) fn time_test(&self, column: &Expr) -> Expr {
        let precision = binary_expr(column.clone(), Operator::BitwiseAnd, lit(3_i64));
        let instant = precision.clone().eq(lit(0_i64)).and(within(
            column,
            self.instants.0.map(|low| lit(packed(low))),
            self.instants.1.map(|high| lit(packed(high))),
        ));
        let is_day = precision.eq(lit(1_i64));
        let day = match self.days {
            DayBounds::Within(low, high) => {
                let pack = |day: NaiveDate| lit(pack_time(When::Day(day)));
                is_day.and(within(column, low.map(pack), high.map(pack)))
            }
            DayBounds::Unknown => is_day.and(unknown()),
        };
        instant.or(day)
    }

    /// The exact test of a packed date; null when it is missing, when it may lie in the stretch or not, and when the stretch is
    /// measured in hours.
    pub(super) fn date_test(&self, column: &Expr) -> Expr {
        match self.days {
            DayBounds::Within(low, high) => date_test(DayRanges::between(low, high), column.clone()),
            DayBounds::Unknown => unknown(),
        }
    }
}

/// An instant as it is stored.
fn packed(micros: i64) -> i64 {
    pack_time(When::Instant(micros))
}

/// UNKNOWN.
fn unknown() -> Expr {
    lit(ScalarValue::Boolean(None))
}

/// Between optional bounds; null when the column is.
fn within(column: &Expr, low: Option<Expr>, high: Option<Expr>) -> Expr {
    let low = low.map(|low| column.clone().gt_eq(low));
    let high = high.map(|high| column.clone().lt_eq(high));
    match (low, high) {
        (Some(low), Some(high)) => low.and(high),
        (Some(one), None) | (None, Some(one)) => one,
        // Something that is TRUE for every value and null for none.
        (None, None) => column.clone().eq(column.clone()),
    }
}

/// What a window means at this clock.
pub(super) fn stretch(window: &Window, clock: &Clock) -> Result<Stretch> {
    let today = clock.today();
    let now = clock.as_of_micros;
    let days = |low, high| Ok(Stretch::days(clock, low, high));
    match window {
        Window::InLast(length) => match exact_micros(*length) {
            Some(micros) => Ok(Stretch::exact(Some(now - micros + 1), Some(now))),
            None => days(Some(minus(today, *length)?), Some(today)),
        },
        Window::InNext(length) => match exact_micros(*length) {
            Some(micros) => Ok(Stretch::exact(Some(now), Some(now + micros - 1))),
            None => days(Some(today), Some(plus(today, *length)?)),
        },
        Window::MoreThanAgo(length) => match exact_micros(*length) {
            Some(micros) => Ok(Stretch::exact(None, Some(now - micros))),
            None => days(None, Some(before(minus(today, *length)?)?)),
        },
        Window::BetweenAgo(near, far) => match (exact_micros(*near), exact_micros(*far)) {
            (Some(near), Some(far)) => Ok(Stretch::exact(Some(now - far + 1), Some(now - near))),
            (None, None) => days(Some(minus(today, *far)?), Some(minus(today, *near)?)),
            (_, _) => internal_err!("hours and days in one window"),
        },
        Window::Since(day) => days(Some(fixed_day(day, clock)?), None),
        Window::Before(day) => days(None, Some(before(fixed_day(day, clock)?)?)),
        Window::After(day) => days(Some(after(fixed_day(day, clock)?)?), None),
        Window::On(day) => days(Some(fixed_day(day, clock)?), Some(fixed_day(day, clock)?)),
        Window::Between(first, last) => days(Some(fixed_day(first, clock)?), Some(fixed_day(last, clock)?)),
        Window::Calendar(turn, period) => {
            let this = first_of(today, *period)?;
            let first = match turn {
                Turn::This => this,
                Turn::Last => first_of(before(this)?, *period)?,
                Turn::Next => first_behind(this, *period)?,
            };
            days(Some(first), Some(before(first_behind(first, *period)?)?))
        }
    }
}

/// First day of the period in which a day lies.
fn first_of(day: NaiveDate, period: Period) -> Result<NaiveDate> {
    let first = match period {
        Period::Week => Some(day.week(Weekday::Mon).first_day()),
        Period::Month => day.with_day(1),
        Period::Quarter => NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1),
        Period::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
    };
    first.ok_or_else(out_of_calendar)
}

/// First day of the period behind the one that starts on a day.
fn first_behind(first: NaiveDate, period: Period) -> Result<NaiveDate> {
    let next = match period {
        Period::Week => first.checked_add_days(Days::new(7)),
        Period::Month => first.checked_add_months(Months::new(1)),
        Period::Quarter => first.checked_add_months(Months::new(3)),
        Period::Year => first.checked_add_months(Months::new(12)),
    };
    next.ok_or_else(out_of_calendar)
}

/// The window can reach what lies after as_of.
pub(super) fn sees_the_future(window: &Window) -> bool {
    match window {
        Window::InNext(_) | Window::After(_) | Window::Calendar(Turn::Next, _) => true,
        Window::InLast(_)
        | Window::MoreThanAgo(_)
        | Window::BetweenAgo(..)
        | Window::Since(_)
        | Window::Before(_)
        | Window::On(_)
        | Window::Between(..)
        | Window::Calendar(Turn::This | Turn::Last, _) => false,
    }
}

/// The date behind an operand.
pub(super) fn day(operand: &Operand) -> Result<NaiveDate> {
    match literal(operand)? {
        Value::Date(day) => Ok(*day),
        _ => internal_err!("a date was expected"),
    }
}

/// The day of an anchor that is none of the contact.
pub(super) fn fixed_day(anchor: &Anchor, clock: &Clock) -> Result<NaiveDate> {
    let start = match &anchor.start {
        Start::Date(date) => day(date)?,
        Start::AsOf => clock.today(),
        Start::Field(_) => return internal_err!("a day of the contact where one of the run was expected"),
    };
    Ok(Shifts(anchor.shifts.clone()).from(start))
}

/// The day before, or the calendar's end.
pub(super) fn before(day: NaiveDate) -> Result<NaiveDate> {
    day.pred_opt().ok_or_else(out_of_calendar)
}

/// The day after, or the calendar's end.
pub(super) fn after(day: NaiveDate) -> Result<NaiveDate> {
    day.succ_opt().ok_or_else(out_of_calendar)
}

fn out_of_calendar() -> datafusion::common::DataFusionError {
    exec_datafusion_err!("a window reaches beyond the calendar")
}

/// Length of hours and minutes, which are exact; `None` for calendar units.
fn exact_micros(length: Duration) -> Option<i64> {
    let minutes = match length.unit {
        DurationUnit::Minute => 1,
        DurationUnit::Hour => 60,
        DurationUnit::Day
        | DurationUnit::Week
        | DurationUnit::Month
        | DurationUnit::Quarter
        | DurationUnit::Year => return None,
    };
    Some(i64::from(length.count) * minutes * 60_000_000)
}

enum Calendar {
    Days(Days),
    Months(Months),
}

fn calendar(length: Duration) -> Result<Calendar> {
    let times = |factor: u32| {
        length.count.checked_mul(factor).ok_or_else(|| internal_datafusion_err!("a length beyond its limit"))
    };
    Ok(match length.unit {
        DurationUnit::Day => Calendar::Days(Days::new(u64::from(length.count))),
        DurationUnit::Week => Calendar::Days(Days::new(u64::from(length.count) * 7)),
        DurationUnit::Month => Calendar::Months(Months::new(length.count)),
        DurationUnit::Quarter => Calendar::Months(Months::new(times(3)?)),
        DurationUnit::Year => Calendar::Months(Months::new(times(12)?)),
        DurationUnit::Minute | DurationUnit::Hour => return internal_err!("hours are not days"),
    })
}

/// Calendar arithmetic; months are clamped to their last day, and what lies before the year 1 to its first: nothing
/// that sources write is older.
fn minus(day: NaiveDate, length: Duration) -> Result<NaiveDate> {
    let first = NaiveDate::from_ymd_opt(1, 1, 1).ok_or_else(out_of_calendar)?;
    let moved = match calendar(length)? {
        Calendar::Days(days) => day.checked_sub_days(days),
        Calendar::Months(months) => day.checked_sub_months(months),
    };
    Ok(moved.map_or(first, |moved| moved.max(first)))
}

/// Calendar arithmetic; what lies behind the year 9999 is clamped to its last day.
fn plus(day: NaiveDate, length: Duration) -> Result<NaiveDate> {
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).ok_or_else(out_of_calendar)?;
    let moved = match calendar(length)? {
        Calendar::Days(days) => day.checked_add_days(days),
        Calendar::Months(months) => day.checked_add_months(months),
    };
    Ok(moved.map_or(last, |moved| moved.min(last)))
}
