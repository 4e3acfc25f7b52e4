//! The time frame of a population and the pen that writes one contact's records.
//!
//! In: a kind, a moment and a status. Out: an open row that holds the common fields. Can never happen: two records of
//! a contact with one id, a moment outside the frame unless the caller asks for it by name.

use hyperseg_dsl::value::DAY_MICROS;

use super::dice::Dice;
use super::kinds::Kind;
use super::people::Person;
use super::rows::{Table, Tables};

/// Microseconds in a second.
pub(super) const SECOND: i64 = 1_000_000;

/// Seconds in an hour.
pub(super) const HOUR_SECONDS: i64 = 3_600;

/// Day of the year from 0, right to within a day.
pub(super) const fn day_of_year(day: i32) -> i32 {
    (day * 4).rem_euclid(1_461) / 4
}

/// The days and instants between which everything happens.
pub(super) struct Frame {
    /// Seed of the population.
    pub(super) seed: u64,
    /// First day of history.
    pub(super) first: i32,
    /// The day of `as_of`.
    pub(super) today: i32,
    /// Factor on the number of events.
    pub(super) density: f64,
    languages: Vec<String>,
    first_micros: i64,
    last_micros: i64,
}

impl Frame {
    /// History from one day to another, both included.
    pub(super) fn new(seed: u64, first: i32, today: i32, density: f64, languages: Vec<String>) -> Self {
        let first_micros = i64::from(first) * DAY_MICROS;
        let last_micros = (i64::from(today) + 1) * DAY_MICROS - SECOND;
        Self { seed, first, today, density, languages, first_micros, last_micros }
    }

    /// The rare language of one contact in 64, every language of the schema in turn.
    pub(super) fn rare_language(&self, number: u64) -> Option<&str> {
        let turn = usize::try_from(number / 64).unwrap_or(0).checked_rem(self.languages.len())?;
        if number % 64 == 17 { self.languages.get(turn).map(String::as_str) } else { None }
    }

    /// The instant when it has happened by the end of `as_of` and after the beginning of history.
    pub(super) fn within(&self, micros: i64) -> Option<i64> {
        (self.first_micros..=self.last_micros).contains(&micros).then_some(micros)
    }

    /// The nearest instant within history.
    pub(super) fn clamp(&self, micros: i64) -> i64 {
        micros.clamp(self.first_micros, self.last_micros)
    }
}

/// Writes the records of one contact.
pub(super) struct Scribe<'a> {
    /// Time frame.
    pub(super) frame: &'a Frame,
    /// Whose records.
    pub(super) person: &'a Person,
    tables: &'a mut Tables,
    sequence: u32,
}

impl<'a> Scribe<'a> {
    /// A pen for this contact.
    pub(super) fn new(frame: &'a Frame, person: &'a Person, tables: &'a mut Tables) -> Self {
        Self { frame, person, tables, sequence: 0 }
    }

    /// Opens the contact's row.
    pub(super) fn contact(&mut self) -> &mut Table {
        self.tables.contacts.begin()
    }

    /// The instant of a local second of a day, moved by a day where the zone would carry it out of history.
    pub(super) fn moment(&self, day: i32, second: i64) -> i64 {
        let instant = self.any_moment(day, second);
        if instant > self.frame.last_micros {
            instant - DAY_MICROS
        } else if instant < self.frame.first_micros {
            instant + DAY_MICROS
        } else {
            instant
        }
    }

    /// The instant of a local second of any day.
    pub(super) fn any_moment(&self, day: i32, second: i64) -> i64 {
        let offset = self.person.home.place.utc_offset_hours * HOUR_SECONDS;
        i64::from(day) * DAY_MICROS + (second - offset) * SECOND
    }

    /// Opens a row of a kind whose moments are instants. The instant may lie in the future.
    pub(super) fn at(&mut self, dice: &mut Dice, kind: Kind, micros: i64, status: &str) -> &mut Table {
        let delay = if dice.percent(70) { dice.range(1, 600) } else { dice.range(600, 2 * 86_400) };
        let learned = self.frame.clamp(micros + delay * SECOND);
        let row = self.open(dice, kind, learned, status);
        row.instant("at", micros)
    }

    /// Opens a row of a kind whose moments are days.
    pub(super) fn on(&mut self, dice: &mut Dice, kind: Kind, day: i32, status: &str) -> &mut Table {
        let later = if dice.percent(80) { 0 } else { dice.day(1, 9) };
        let second = dice.range(8 * HOUR_SECONDS, 19 * HOUR_SECONDS);
        let learned = self.frame.clamp(self.any_moment(day + later, second));
        let row = self.open(dice, kind, learned, status);
        row.day("at", day)
    }

    /// Opens a row whose moment was learned long before it comes.
    pub(super) fn ahead(
        &mut self,
        dice: &mut Dice,
        kind: Kind,
        micros: i64,
        learned: i64,
        status: &str,
    ) -> &mut Table {
        let row = self.open(dice, kind, learned, status);
        row.instant("at", micros)
    }

    fn open(&mut self, dice: &mut Dice, kind: Kind, learned: i64, status: &str) -> &mut Table {
        let quirk = dice.below(10_000);
        let [usual, other] = kind.sources();
        let (person, sequence) = (self.person, self.sequence);
        self.sequence += 1;
        let row = self.tables.kind(kind).begin();
        row.text("contact_id", &person.id).write("record_id", format_args!("{}-{sequence}", person.id));
        // One draw decides on the rare defects of a source: which of them, if any, this record has.
        let errors = kind.errors_per_myriad();
        if quirk < errors {
            row.text("status", "entered_in_error");
        } else if quirk >= errors + 60 {
            row.text("status", status);
        }
        match quirk {
            9_900.. => {}
            9_000.. => {
                row.text("source", other);
            }
            _ => {
                row.text("source", usual);
            }
        }
        if !(9_700..9_900).contains(&quirk) {
            row.instant("recorded_at", learned);
        }
        row
    }
}
