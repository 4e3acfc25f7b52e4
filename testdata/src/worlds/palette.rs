//! Few values, so that they meet: what contacts have is what segments ask for, and moments lie on the edges of the
//! windows that segments use.

use chrono::{Datelike, Days, Months};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{CodeSystem, Field, FieldType};
use hyperseg_dsl::segment::{Duration, DurationUnit};
use hyperseg_dsl::value::{Code, Day, PartialDate, Value, When};

use super::dice::Dice;

const fn span(count: u32, unit: DurationUnit) -> Duration {
    Duration { count, unit }
}

/// Lengths of windows in days and more.
pub(super) const SPANS: [Duration; 12] = [
    span(0, DurationUnit::Day),
    span(1, DurationUnit::Day),
    span(7, DurationUnit::Day),
    span(30, DurationUnit::Day),
    span(90, DurationUnit::Day),
    span(2, DurationUnit::Week),
    span(1, DurationUnit::Month),
    span(6, DurationUnit::Month),
    span(27, DurationUnit::Month),
    span(1, DurationUnit::Quarter),
    span(1, DurationUnit::Year),
    span(2, DurationUnit::Year),
];

/// Lengths of windows in hours and minutes, with their microseconds.
pub(super) const EXACT_SPANS: [(Duration, i64); 4] = [
    (span(30, DurationUnit::Minute), 30 * 60_000_000),
    (span(1, DurationUnit::Hour), 3_600_000_000),
    (span(24, DurationUnit::Hour), 24 * 3_600_000_000),
    (span(48, DurationUnit::Hour), 48 * 3_600_000_000),
];

const TEXTS: [&str; 9] = [
    "a",
    "A",
    "ab",
    "b",
    "O'Brien",
    "say \"hi\" \\ {x}",
    "Zo\u{eb} \u{1F980}",
    "1; DROP TABLE contact --",
    "%_*?",
];

/// Codes of several systems, among them of every sensitive class.
const CODES: [(CodeSystem, &str); 18] = [
    (CodeSystem::Icd10Cm, "E11.9"),
    (CodeSystem::Icd10Cm, "E11"),
    (CodeSystem::Icd10Cm, "E11.65"),
    (CodeSystem::Icd10Cm, "I10"),
    (CodeSystem::Icd10Cm, "F11.20"),
    (CodeSystem::Icd10Cm, "F32.9"),
    (CodeSystem::Icd10Cm, "Z21"),
    (CodeSystem::Icd10Cm, "O80"),
    (CodeSystem::Icd10Cm, "Z15.01"),
    (CodeSystem::Snomed, "44054006"),
    (CodeSystem::Snomed, "72892002"),
    (CodeSystem::RxNorm, "6813"),
    (CodeSystem::Loinc, "4548-4"),
    (CodeSystem::Loinc, "4548-4"),
    (CodeSystem::Loinc, "2345-7"),
    (CodeSystem::Loinc, "7918-6"),
    (CodeSystem::Cpt, "77067"),
    (CodeSystem::Atc, "A10BA02"),
];

/// Prefixes under which some of [`CODES`] lie.
const PREFIXES: [(CodeSystem, &str); 6] = [
    (CodeSystem::Icd10Cm, "E11"),
    (CodeSystem::Icd10Cm, "E"),
    (CodeSystem::Icd10Cm, "F"),
    (CodeSystem::Icd10Cm, "Z"),
    (CodeSystem::Icd10Cm, "E11.6"),
    (CodeSystem::Atc, "A10"),
];

/// Ages at which rules change.
const AGES: [u32; 9] = [0, 1, 17, 18, 49, 50, 65, 74, 75];

/// Places in which contacts live and from which distances are measured, on the edges of the globe among them.
const PLACES: [(f64, f64); 8] = [
    (42.36, -71.06),
    (42.36, -71.06),
    (42.38, -71.12),
    (40.81, -73.05),
    (0.0, 0.0),
    (0.0, 180.0),
    (0.0, -179.9),
    (-90.0, 0.0),
];

/// Centroids of the ZIP codes that contacts have, all but one.
pub(super) const ZIPS: [(&str, (f64, f64)); 2] =
    [("02138", (42.377, -71.1256)), ("00501", (40.8133, -73.0476))];

pub(super) fn place(dice: &mut Dice) -> (f64, f64) {
    dice.one(&PLACES)
}

/// A value of a field.
pub(super) fn value(dice: &mut Dice, field: &Field, clock: &Clock) -> Value {
    match field.ty {
        FieldType::Text if field.name == "zip" => {
            Value::Text(dice.one(&["02138", "00501", "90210"]).to_owned())
        }
        FieldType::Text if field.name == "unit" => Value::Text(match dice.below(8) {
            // In no unit, and in another spelling of one.
            0 => dice.one(&["a", "MG/DL", "mg/dl"]).to_owned(),
            _ => unit(dice),
        }),
        FieldType::Text => Value::Text(dice.one(&TEXTS).to_owned()),
        FieldType::Category => Value::Category(category(dice, field)),
        FieldType::Int => Value::Int(dice.range(-1, 4)),
        FieldType::Number => Value::Number(dice.one(&[0.0, 0.1, 0.3, 5.7, 6.0, 9.0, 9.5, -1.0, 1e9])),
        FieldType::Money => Value::Money(dice.one(&[0, 1, -5, 5_000_009, 5_000_010, 100])),
        FieldType::Bool => Value::Bool(dice.percent(50)),
        FieldType::Date if field.name == "birth_date" => Value::Date(birth(dice, clock)),
        FieldType::Date => Value::Date(day(dice, clock)),
        FieldType::Time => Value::Time(moment(dice, clock)),
        FieldType::Code => Value::Code(code(dice)),
        FieldType::Categories => {
            let count = 1 + dice.below(2);
            Value::Categories((0..count).map(|_| category(dice, field)).collect())
        }
        FieldType::Point => {
            let (north, east) = place(dice);
            Value::Point(north, east)
        }
    }
}

/// The value, or of a date sometimes only its month or year.
pub(super) fn as_known(dice: &mut Dice, value: Value) -> Value {
    let Value::Date(day) = value else { return value };
    let length = match dice.below(16) {
        0 | 1 => "2026-01".len(),
        2 => "2026".len(),
        _ => return value,
    };
    day.to_string().get(..length).and_then(PartialDate::parse).map_or(value, Value::Partial)
}

/// A day that a date can be, or one next to those.
pub(super) fn day_near(dice: &mut Dice, date: PartialDate) -> Day {
    let range = date.range();
    let day = match dice.below(4) {
        0 => range.first.pred_opt(),
        1 => range.last.succ_opt(),
        2 => Some(range.first),
        _ => Some(range.last),
    };
    day.unwrap_or(range.first)
}

/// A unit in which something is measured; those that can be converted into each other meet.
pub(super) fn unit(dice: &mut Dice) -> String {
    dice.one(&["mg/dL", "mg/dL", "mmol/L", "g/L", "%", "%", "mmol/mol", "Cel", "[degF]"]).to_owned()
}

/// Mostly the first few, so that they meet; sometimes the last.
fn category(dice: &mut Dice, field: &Field) -> String {
    let last = field.categories.len().saturating_sub(1);
    let place = if dice.percent(10) { last } else { dice.below(4.min(field.categories.len())) };
    field.categories.get(place).or_else(|| field.categories.last()).cloned().unwrap_or_default()
}

/// A code of the palette in normal form.
pub(super) fn code(dice: &mut Dice) -> Code {
    normal(dice.pick(&CODES))
}

/// A code under which others lie.
pub(super) fn prefix(dice: &mut Dice) -> Code {
    normal(dice.pick(&PREFIXES))
}

fn normal(entry: Option<&(CodeSystem, &str)>) -> Code {
    let (system, code) = entry.copied().unwrap_or((CodeSystem::Icd10Cm, "E11"));
    Code { system: system.name().to_owned(), code: system.normal(code).unwrap_or_default() }
}

/// The day a length of time before today.
pub(super) fn ago(today: Day, span: Duration) -> Day {
    let days = |count: u32| today.checked_sub_days(Days::new(count.into()));
    let months = |count: u32| today.checked_sub_months(Months::new(count));
    shift(span, days, months).unwrap_or(today)
}

/// The day a length of time after today.
pub(super) fn ahead(today: Day, span: Duration) -> Day {
    let days = |count: u32| today.checked_add_days(Days::new(count.into()));
    let months = |count: u32| today.checked_add_months(Months::new(count));
    shift(span, days, months).unwrap_or(today)
}

fn shift(
    span: Duration,
    days: impl Fn(u32) -> Option<Day>,
    months: impl Fn(u32) -> Option<Day>,
) -> Option<Day> {
    match span.unit {
        DurationUnit::Minute | DurationUnit::Hour => None,
        DurationUnit::Day => days(span.count),
        DurationUnit::Week => days(span.count * 7),
        DurationUnit::Month => months(span.count),
        DurationUnit::Quarter => months(span.count * 3),
        DurationUnit::Year => months(span.count * 12),
    }
}

/// A day on the edge of some window, or next to it.
pub(super) fn day(dice: &mut Dice, clock: &Clock) -> Day {
    let today = clock.today();
    if dice.percent(10) {
        return calendar_edge(dice, today);
    }
    let length = dice.pick(&SPANS).copied().unwrap_or(span(0, DurationUnit::Day));
    let edge = if dice.percent(75) { ago(today, length) } else { ahead(today, length) };
    match dice.below(4) {
        0 => edge.pred_opt(),
        1 => edge.succ_opt(),
        _ => None,
    }
    .unwrap_or(edge)
}

/// The first day of a week, month, quarter or year near today, or the one before.
fn calendar_edge(dice: &mut Dice, today: Day) -> Day {
    let period = dice.below(4);
    let starts = |day: &Day| match period {
        0 => day.weekday() == chrono::Weekday::Mon,
        1 => day.day() == 1,
        2 => day.day() == 1 && day.month() % 3 == 1,
        _ => day.ordinal() == 1,
    };
    let from = dice.below(3);
    let first = if dice.percent(50) {
        today.iter_days().rev().filter(starts).nth(from)
    } else {
        today.iter_days().skip(1).find(starts)
    };
    let first = first.unwrap_or(today);
    if dice.percent(50) { first } else { first.pred_opt().unwrap_or(first) }
}

/// A moment on the edge of some window, or next to it: a day, the ends of a day, or close to as_of.
pub(super) fn moment(dice: &mut Dice, clock: &Clock) -> When {
    let day = day(dice, clock);
    let start = clock.start_of_day(day);
    let end = clock.start_of_day(day.succ_opt().unwrap_or(day)) - 1;
    let step = dice.range(-1, 1);
    match dice.below(10) {
        0..=2 => When::Day(day),
        3 => When::Instant(start),
        4 => When::Instant(start - 1),
        5 => When::Instant(end),
        6 => When::Instant(dice.range(start, end)),
        7 => When::Instant(clock.as_of_micros + step),
        8 => {
            let length = dice.pick(&EXACT_SPANS).map_or(0, |(_, micros)| *micros);
            let away = if dice.percent(75) { -length } else { length };
            When::Instant(clock.as_of_micros + away + step)
        }
        _ => When::Instant(clock.as_of_micros - dice.range(0, 400 * 86_400_000_000)),
    }
}

/// A birth on the edge of an age, on a leap day, or in the future.
fn birth(dice: &mut Dice, clock: &Clock) -> Day {
    if dice.percent(20) {
        let leap = dice.one(&[1952, 1976, 2004, 2008, 2020]);
        return Day::from_ymd_opt(leap, 2, 29).unwrap_or(Day::MIN);
    }
    let years = dice.pick(&AGES).copied().unwrap_or(0);
    let birthday = ago(clock.today(), span(years, DurationUnit::Year));
    match dice.below(3) {
        0 => birthday.pred_opt(),
        1 => birthday.succ_opt(),
        _ => None,
    }
    .unwrap_or(birthday)
}

/// An age at which rules change.
pub(super) fn age(dice: &mut Dice) -> i64 {
    dice.pick(&AGES).copied().unwrap_or(0).into()
}
