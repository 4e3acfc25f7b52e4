//! The one clock of a run: an instant and the zone in which its days are counted.

use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::value::{Day, When};

/// The instant a run looks at the world from, and the zone whose days it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub as_of_micros: i64,
    /// Zone of local days.
    #[serde(with = "zone_name")]
    pub zone: Tz,
}

impl Clock {
    /// The local day of `as_of`.
    #[must_use]
    pub fn today(&self) -> Day {
        self.local_day(self.as_of_micros)
    }

    /// The local day on which an instant falls.
    #[must_use]
    pub fn local_day(&self, micros: i64) -> Day {
        let utc = DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MIN_UTC);
        utc.with_timezone(&self.zone).date_naive()
    }

    /// The local day of a moment; a moment known only to the day is that day in every zone.
    #[must_use]
    pub fn day_of(&self, when: When) -> Day {
        match when {
            When::Instant(micros) => self.local_day(micros),
            When::Day(day) => day,
        }
    }

    /// First instant of a local day, in microseconds since the epoch. Where midnight is skipped by a change of the
    /// clocks, the day starts at the first instant that exists.
    #[must_use]
    pub fn start_of_day(&self, day: Day) -> i64 {
        start_of_day(self.zone, day)
    }

    /// The clock at the end of the local day before a day, in the same zone, but never later than this one and not before
    /// the calendar: what a window that begins on the day has left behind.
    #[must_use]
    pub fn before(&self, day: Day) -> Self {
        let first = NaiveDate::from_ymd_opt(*YEARS.start(), 1, 2).unwrap_or(day);
        let end = self.start_of_day(day.max(first)) - 1;
        Self { as_of_micros: end.min(self.as_of_micros), zone: self.zone }
    }

    /// Parses `2026-01-05`, `2026-01-05T09:00[:30]`, either with `[America/New_York]` behind it, or an RFC 3339
    /// instant with an offset. A day alone means its last microsecond: what happened on that day is known.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str, default_zone: Tz) -> Result<Self, String> {
        let (moment, zone) = match text.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
            Some((moment, name)) => {
                let zone = name.parse::<Tz>().map_err(|_| {
                    format!("unknown time zone `{name}`; expected an IANA name such as America/New_York")
                })?;
                (moment, zone)
            }
            None => (text, default_zone),
        };
        let as_of_micros = parse_moment(moment, zone).ok_or_else(|| {
            format!("`{text}` is not a time; expected 2026-01-05, 2026-01-05T09:00 or 2026-01-05T09:00[Europe/Paris]")
        })?;
        let clock = Self { as_of_micros, zone };
        if YEARS.contains(&clock.today().year()) {
            Ok(clock)
        } else {
            Err(format!("`{text}` lies outside the years {} to {}", YEARS.start(), YEARS.end()))
        }
    }
}

/// Years that a run can look from: those that dates are written in.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

fn parse_moment(text: &str, zone: Tz) -> Option<i64> {
    if let Some(day) = crate::value::parse_day(text) {
        return Some(start_of_day(zone, day.succ_opt()?) - 1);
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_micros());
    }
    // chrono's `%Y` also takes signs, and more or fewer than four digits.
    crate::value::parse_day(text.get(..10)?)?;
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    first_instant(zone, local)
}

fn start_of_day(zone: Tz, day: NaiveDate) -> i64 {
    let midnight = day.and_time(NaiveTime::MIN);
    first_instant(zone, midnight).unwrap_or_else(|| midnight.and_utc().timestamp_micros())
}

/// The earliest instant with this local time; where the clocks skip it, the first instant after the gap.
fn first_instant(zone: Tz, local: NaiveDateTime) -> Option<i64> {
    const STEP_MINUTES: i64 = 15;
    const GAP_MINUTES_MAX: i64 = 24 * 60 + STEP_MINUTES;
    const STEP_MICROS: i64 = STEP_MINUTES * 60 * 1_000_000;
    if let Some(at) = earliest(zone, local) {
        return Some(at);
    }
    // It is in a gap. Most gaps end at a quarter of an hour, those that end local mean time do not: the end
    // lies after the last step that does not exist and at the latest at the first that does.
    let ahead = |micros| local.checked_add_signed(Duration::microseconds(micros));
    let found = (1..=GAP_MINUTES_MAX / STEP_MINUTES)
        .find(|step| ahead(step * STEP_MICROS).is_some_and(|local| earliest(zone, local).is_some()))?;
    let (mut skipped, mut exists) = ((found - 1) * STEP_MICROS, found * STEP_MICROS);
    while exists - skipped > 1 {
        let middle = skipped + (exists - skipped) / 2;
        if earliest(zone, ahead(middle)?).is_some() { exists = middle } else { skipped = middle }
    }
    earliest(zone, ahead(exists)?)
}

/// The earliest instant with this local time, unless the clocks skip it.
fn earliest(zone: Tz, local: NaiveDateTime) -> Option<i64> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.timestamp_micros()),
        LocalResult::None => None,
    }
}

/// Time zones in serde forms, as IANA names: `#[serde(with = "hyperseg_dsl::clock::zone_name")]`.
pub mod zone_name {
    use chrono_tz::Tz;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the name.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(zone.name())
    }

    /// Reads the name.
    ///
    /// # Errors
    /// There is no such zone.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| D::Error::custom("unknown time zone"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn a_day_that_starts_late() {
        let zone: Tz = "America/Sao_Paulo".parse().unwrap();
        let day = NaiveDate::from_ymd_opt(2018, 11, 4).unwrap();
        let clock = Clock { as_of_micros: 0, zone };
        let start = clock.start_of_day(day);
        assert_eq!(clock.local_day(start), day);
        assert_eq!(clock.local_day(start - 1), day.pred_opt().unwrap());
    }

    #[test]
    fn a_gap_that_ends_at_an_odd_second() {
        let zone: Tz = "Africa/Monrovia".parse().unwrap();
        let clock = Clock { as_of_micros: 0, zone };
        let start = clock.start_of_day(NaiveDate::from_ymd_opt(1972, 1, 7).unwrap());
        let start_rfc = DateTime::from_timestamp_micros(start).unwrap().to_rfc3339();
        assert_eq!(start_rfc, "1972-01-07T00:44:30+00:00");
        assert_eq!(clock.local_day(start - 1).to_string(), "1972-01-06");
        let within = Clock::parse("1972-01-07T00:10:00.5", zone).unwrap();
        assert_eq!(within.as_of_micros, start);
    }

    #[test]
    fn years_have_four_digits() {
        let utc: Tz = "UTC".parse().unwrap();
        for text in [
            "+99999-01-01T00:00",
            "+2026-01-01T00:00",
            "-0001-01-01T00:00",
            "0000-12-31",
            "0000-12-31T09:00",
            "0000-12-31T09:00:00Z",
            "26-01-01T09:00",
            "10000-01-01",
        ] {
            assert!(Clock::parse(text, utc).is_err(), "{text}");
        }
        for text in ["0001-01-01", "0001-01-01T00:00", "9999-12-31", "9999-12-31T23:59:59.999999Z"] {
            assert!(Clock::parse(text, utc).is_ok(), "{text}");
        }
    }

    #[test]
    fn parses_every_form() {
        let utc: Tz = "UTC".parse().unwrap();
        let day = Clock::parse("2026-01-05", utc).unwrap();
        assert_eq!(day.today().to_string(), "2026-01-05");
        let ny = Clock::parse("2026-01-05T09:00[America/New_York]", utc).unwrap();
        let z = Clock::parse("2026-01-05T14:00:00Z", utc).unwrap();
        assert_eq!(ny.as_of_micros, z.as_of_micros);
        assert!(Clock::parse("2026-13-05", utc).is_err());
        assert!(Clock::parse("2026-01-05[Mars/Base]", utc).is_err());
    }
}
