//! Pregnancies: onset, estimated delivery, outcome.
//!
//! In: a woman of child-bearing age. Out: conditions (Z34, O09 or SNOMED CT), the estimated delivery date as a lab
//! with LOINC 11778-8 dated on that day, and for those that are over a delivery or a loss. Answers whether she is
//! pregnant on the day of as_of.

use super::clinical::Health;
use super::dice::Dice;
use super::kinds::Kind;
use super::scribe::{HOUR_SECONDS, Scribe};

/// Days from the last period to the estimated delivery.
const TERM_DAYS: i32 = 280;

/// Writes the pregnancies of a person.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) -> bool {
    let person = scribe.person;
    if !person.female || !(18..=45).contains(&person.age) {
        return false;
    }
    let share = match person.age {
        18..21 => 14,
        21..36 => 26,
        36..41 => 12,
        _ => 4,
    };
    let mut expecting = false;
    let mut due = dice.day(scribe.frame.first, last_due(scribe));
    // A second one begins half a year after the first at the earliest.
    while due <= last_due(scribe) && dice.percent(share) {
        let known = due - TERM_DAYS + dice.day(42, 84);
        if (person.start..=person.stop).contains(&known) {
            expecting |= pregnancy(scribe, dice, health, (known, due));
        }
        due += TERM_DAYS + dice.day(180, 500);
    }
    expecting
}

/// The latest delivery that can be expected on the day of as_of.
const fn last_due(scribe: &Scribe<'_>) -> i32 {
    scribe.frame.today + TERM_DAYS - 42
}

fn pregnancy(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health, days: (i32, i32)) -> bool {
    let (known, due) = days;
    let person = scribe.person;
    let lost = dice.percent(12).then(|| known + dice.day(5, 60));
    let over = lost.unwrap_or(due + dice.day(-16, 9));
    let ended = over <= person.stop;
    let code = dice.weighted(&[
        (50, "ICD10CM:Z34.90"),
        (14, "ICD10CM:Z34.80"),
        (14, "ICD10CM:O09.90"),
        (6, "ICD10CM:O24.419"),
        (8, "SNOMED:77386006"),
        (8, "SNOMED:72892002"),
    ]);
    let coded_end = ended && dice.percent(90);
    let row = scribe.on(dice, Kind::Condition, known, if coded_end { "resolved" } else { "active" });
    row.text("code", code).text("verification", "confirmed");
    if coded_end {
        row.day("end", over);
    }
    if let Some(visit) = health.visits.iter().rfind(|visit| visit.day <= known) {
        row.write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
    }
    if !dice.percent(8) {
        let learned = scribe.moment(known, 12 * HOUR_SECONDS);
        let at = scribe.any_moment(due, 12 * HOUR_SECONDS);
        let row = scribe.ahead(dice, Kind::Lab, at, learned, "final");
        row.text("code", "LOINC:11778-8");
    }
    if !ended {
        return true;
    }
    let at = scribe.moment(over, dice.range(0, 86_399));
    if lost.is_some() {
        let row = scribe.on(dice, Kind::Condition, over, "resolved");
        row.text("code", "ICD10CM:O03.9").text("verification", "confirmed").day("end", over);
    } else {
        let code = dice.weighted(&[
            (45, "CPT:59400"),
            (25, "CPT:59510"),
            (20, "ICD10PCS:10E0XZZ"),
            (10, "ICD10PCS:10D00Z1"),
        ]);
        scribe.at(dice, Kind::Procedure, at, "completed").text("code", code);
        let row = scribe.on(dice, Kind::Condition, over, "resolved");
        row.text("code", "ICD10CM:Z37.0").text("verification", "confirmed").day("end", over);
    }
    false
}
