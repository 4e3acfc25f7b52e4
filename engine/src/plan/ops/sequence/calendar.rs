//! Moments as numbers that can be compared, and lengths of time added to them.

use chrono::Months;
use datafusion::common::{Result, internal_datafusion_err};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::value::{day_from_epoch, days_since_epoch};

use super::Reach;
use crate::plan::ops::days::LocalDays;

/// A moment: its local day, and the instant when that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Days since the epoch.
    pub(super) day: i32,
    /// Microseconds since the epoch, or [`Moment::DAY`].
    instant: i64,
}

impl Moment {
    /// Stands for an instant that is not known.
    const DAY: i64 = i64::MIN;

    pub(super) fn of(packed: i64, days: &mut LocalDays) -> Result<Self> {
        let (day, instant) = days.of(packed)?;
        Ok(Self { day, instant: instant.unwrap_or(Self::DAY) })
    }

    /// A day.
    pub(super) fn on(day: i32) -> Self {
        Self { day, instant: Self::DAY }
    }

    /// One moment comes before another when this of the one is less than [`Moment::late`] of the other.
    pub(super) fn early(self) -> (i32, i64) {
        (self.day, if self.instant == Self::DAY { i64::MAX } else { self.instant })
    }

    /// See [`Moment::early`].
    pub(super) fn late(self) -> (i32, i64) {
        (self.day, self.instant)
    }

    /// Known only to the day.
    pub(super) fn is_day(self) -> bool {
        self.instant == Self::DAY
    }
}

/// Lengths of time against moments.
pub(in crate::plan::ops) struct Calendar {
    clock: Clock,
    /// The day, reach and direction shifted last.
    shifted: Option<((i32, Reach, bool), i32)>,
}

impl Calendar {
    pub(in crate::plan::ops) fn new(clock: Clock) -> Self {
        Self { clock, shifted: None }
    }

    /// First instant.
    pub(super) fn first(&self, moment: Moment) -> Result<i64> {
        if moment.is_day() { self.start(moment.day) } else { Ok(moment.instant) }
    }

    /// Last instant.
    pub(super) fn last(&self, moment: Moment) -> Result<i64> {
        if moment.is_day() { Ok(self.start(moment.day.saturating_add(1))? - 1) } else { Ok(moment.instant) }
    }

    fn start(&self, day: i32) -> Result<i64> {
        let day = day_from_epoch(day).ok_or_else(|| internal_datafusion_err!("a day beyond the calendar"))?;
        Ok(self.clock.start_of_day(day))
    }

    /// The local day of an instant.
    pub(super) fn day_of(&self, micros: i64) -> i32 {
        days_since_epoch(self.clock.local_day(micros))
    }

    /// The day so much later or earlier; the last or first number where the calendar ends before that.
    pub(in crate::plan::ops) fn shift(&mut self, day: i32, reach: Reach, later: bool) -> i32 {
        let beyond = if later { i32::MAX } else { i32::MIN };
        match reach {
            Reach::Days(days) => {
                let days = i32::try_from(days).unwrap_or(i32::MAX);
                if later { day.saturating_add(days) } else { day.saturating_sub(days) }
            }
            Reach::Months(months) => {
                let key = (day, reach, later);
                if let Some((known, shifted)) = self.shifted
                    && known == key
                {
                    return shifted;
                }
                let months = Months::new(months);
                let moved = day_from_epoch(day).and_then(|day| {
                    if later { day.checked_add_months(months) } else { day.checked_sub_months(months) }
                });
                let shifted = moved.map_or(beyond, days_since_epoch);
                self.shifted = Some((key, shifted));
                shifted
            }
            Reach::Exact(_) => day,
        }
    }
}
