//! Local days of packed moments, looked up once for as long as moments lie on one day.

use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::value::{When, days_since_epoch, unpack_time};

/// Days of a zone.
pub(super) struct LocalDays {
    clock: Clock,
    /// Instants of the local day looked up last: rows lie in time order, so that most are of the same day.
    cached: Option<(i64, i64, i32)>,
}

impl LocalDays {
    pub(super) fn new(zone: Tz) -> Self {
        Self { clock: Clock { as_of_micros: 0, zone }, cached: None }
    }

    /// Days since the epoch of a packed moment, and the instant in microseconds when it is known.
    pub(super) fn of(&mut self, packed: i64) -> Result<(i32, Option<i64>)> {
        match unpack(packed)? {
            When::Instant(micros) => Ok((self.day_of(micros), Some(micros))),
            When::Day(day) => Ok((days_since_epoch(day), None)),
        }
    }

    /// A packed moment as an instant; a day is its start.
    pub(super) fn start(&self, packed: i64) -> Result<i64> {
        Ok(match unpack(packed)? {
            When::Instant(micros) => micros,
            When::Day(day) => self.clock.start_of_day(day),
        })
    }

    fn day_of(&mut self, micros: i64) -> i32 {
        match self.cached {
            Some((start, end, day)) if start <= micros && micros < end => day,
            _ => {
                let day = self.clock.local_day(micros);
                let number = days_since_epoch(day);
                let start = self.clock.start_of_day(day);
                let end = day.succ_opt().map_or(start, |next| self.clock.start_of_day(next));
                self.cached = Some((start, end, number));
                number
            }
        }
    }
}

fn unpack(packed: i64) -> Result<When> {
    unpack_time(packed).ok_or_else(|| internal_datafusion_err!("a moment of unknown precision"))
}
