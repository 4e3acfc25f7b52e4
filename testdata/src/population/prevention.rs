//! Screening and immunization: what guidelines ask for, done by some.
//!
//! In: age, anatomy, seasons. Out: procedures, labs and immunizations. How much a person follows recommendations is
//! drawn once and moves all of them, so that those without a mammogram also lack the flu shot more often.

use super::clinical::{Health, Visit};
use super::dice::Dice;
use super::kinds::Kind;
use super::labs;
use super::scribe::{HOUR_SECONDS, Scribe, day_of_year};

/// Doses of infancy: CVX code and the day of life from which it is due.
#[rustfmt::skip]
const INFANCY: &[(&str, i32, i32)] = &[
    ("CVX:08", 1, 1), ("CVX:08", 2, 45), ("CVX:08", 3, 190), ("CVX:119", 1, 60), ("CVX:116", 2, 120),
    ("CVX:10", 1, 60), ("CVX:10", 2, 120), ("CVX:10", 3, 190), ("CVX:49", 1, 60), ("CVX:49", 2, 120),
    ("CVX:133", 1, 60), ("CVX:133", 2, 120), ("CVX:215", 3, 180), ("CVX:133", 4, 400), ("CVX:03", 1, 370),
    ("CVX:21", 1, 370), ("CVX:83", 1, 380), ("CVX:83", 2, 570), ("CVX:94", 2, 1_500), ("CVX:114", 1, 4_050),
    ("CVX:165", 1, 4_060), ("CVX:165", 2, 4_260), ("CVX:115", 1, 4_050),
];

/// Days of life from which the doses against diphtheria, tetanus and pertussis are due.
const DTAP_DAYS: [i32; 5] = [60, 120, 180, 460, 1_500];

/// First of September as a day of the year, when vaccination against influenza begins.
const SEASON_START: i32 = 243;

/// Writes screening and immunizations.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    let mut heed = 0.25 + 0.75 * dice.unit();
    if health.visits.is_empty() {
        heed *= 0.35;
    }
    screening(scribe, dice, heed);
    seasons(scribe, dice, health, heed);
    if scribe.person.age < 16 {
        childhood(scribe, dice, health);
    } else {
        adult(scribe, dice, health, heed);
    }
}

fn screening(scribe: &mut Scribe<'_>, dice: &mut Dice, heed: f64) {
    let (female, age) = (scribe.person.female, scribe.person.age);
    for year in 0..3 {
        let day = scribe.frame.first + 365 * year + dice.day(0, 365);
        if female && (40..80).contains(&age) && dice.chance(0.72 * heed) {
            mammogram(scribe, dice, day);
        }
        if age >= 65 && dice.chance(0.62 * heed) {
            let code = if year == 0 { "HCPCS:G0438" } else { "HCPCS:G0439" };
            procedure(scribe, dice, day + 40, code);
        }
        if (45..76).contains(&age) {
            if dice.chance(0.07 * heed) {
                let code = dice.weighted(&[
                    (35, "CPT:45378"),
                    (25, "CPT:45380"),
                    (20, "CPT:45385"),
                    (12, "HCPCS:G0121"),
                    (8, "HCPCS:G0105"),
                ]);
                procedure(scribe, dice, day - 60, code);
            }
            if dice.chance(0.12 * heed) {
                let code = dice.weighted(&[(75, "LOINC:29771-3"), (25, "LOINC:77353-1")]);
                let positive = dice.percent(6);
                observed(scribe, dice, day + 90, code, positive);
            }
        }
        if female && (21..66).contains(&age) && dice.chance(0.36 * heed) {
            match dice.below(4) {
                0 => procedure(scribe, dice, day + 20, "CPT:88142"),
                1 => procedure(scribe, dice, day + 20, "CPT:88175"),
                2 => observed(scribe, dice, day + 20, "LOINC:10524-7", false),
                _ => {
                    let positive = dice.percent(9);
                    observed(scribe, dice, day + 20, "LOINC:21440-3", positive);
                }
            }
        }
        if !female && (50..72).contains(&age) && dice.chance(0.13 * heed) {
            procedure(scribe, dice, day + 10, "HCPCS:G0103");
        }
    }
}

fn mammogram(scribe: &mut Scribe<'_>, dice: &mut Dice, day: i32) {
    let code = dice.weighted(&[
        (72, "CPT:77067"),
        (7, "CPT:77066"),
        (6, "CPT:77065"),
        (7, "SNOMED:71651007"),
        (8, "LOINC:24606-6"),
    ]);
    if code == "LOINC:24606-6" {
        let positive = dice.percent(9);
        observed(scribe, dice, day, code, positive);
    } else {
        procedure(scribe, dice, day, code);
    }
}

fn during(scribe: &Scribe<'_>, day: i32) -> bool {
    (scribe.person.start..=scribe.person.stop).contains(&day)
}

fn procedure(scribe: &mut Scribe<'_>, dice: &mut Dice, day: i32, code: &str) {
    if during(scribe, day) {
        let at = scribe.moment(day, dice.range(8 * HOUR_SECONDS, 17 * HOUR_SECONDS));
        let status = if dice.percent(3) { "not_done" } else { "completed" };
        scribe.at(dice, Kind::Procedure, at, status).text("code", code);
    }
}

fn observed(scribe: &mut Scribe<'_>, dice: &mut Dice, day: i32, code: &'static str, positive: bool) {
    if during(scribe, day) {
        let at = scribe.moment(day, dice.range(8 * HOUR_SECONDS, 17 * HOUR_SECONDS));
        labs::coded(scribe, dice, None, at, code, positive);
    }
}

/// Influenza and COVID-19, once in a season.
fn seasons(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health, heed: f64) {
    let age = scribe.person.age;
    let first_january = scribe.frame.first - day_of_year(scribe.frame.first);
    for year in -1..4 {
        let september = first_january + year * 1_461 / 4 + SEASON_START;
        // The mean of three draws: most come in October and November.
        let wait = f64::from(135) * (dice.unit() + dice.unit() + dice.unit()) / 3.0;
        let day = september + wait as i32;
        let share = match age {
            ..18 => 0.75,
            18..50 => 0.52,
            50..65 => 0.72,
            _ => 0.95,
        };
        let code = match age {
            ..5 => "CVX:161",
            5..65 => dice.zipf(&[
                "CVX:150", "CVX:140", "CVX:158", "CVX:171", "CVX:185", "CVX:141", "CVX:186", "CVX:155",
            ]),
            _ => dice.zipf(&["CVX:197", "CVX:205", "CVX:168"]),
        };
        if dice.chance(share * heed) {
            dose(scribe, dice, health, day, code, 1);
        } else if dice.percent(50) {
            // Half of the others were offered it.
            immunization(scribe, dice, health, day, code, Err("patient_refused"));
        }
        if age >= 1 && dice.chance(0.45 * heed) {
            let code = dice.zipf(&["CVX:309", "CVX:208", "CVX:312", "CVX:300", "CVX:229", "CVX:207"]);
            let number = 1 + year.max(0);
            dose(scribe, dice, health, day + gap_days(year), code, number);
        }
    }
}

/// The second shot of the season comes with the first in some years and weeks later in others.
const fn gap_days(year: i32) -> i32 {
    if year % 2 == 0 { 0 } else { 23 }
}

fn childhood(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    let birth = scribe.person.birth;
    let diligent = dice.percent(78);
    let given = if diligent { 97 } else { 60 };
    let series =
        dice.weighted(&[(40, "CVX:20"), (20, "CVX:106"), (20, "CVX:110"), (15, "CVX:120"), (5, "CVX:107")]);
    for (number, due) in (1..).zip(DTAP_DAYS) {
        if dice.percent(given) {
            let late = dice.day(0, if diligent { 20 } else { 90 });
            dose(scribe, dice, health, birth + due + late, series, number);
        }
    }
    for (code, number, due) in INFANCY {
        if dice.percent(given) {
            let late = dice.day(0, if diligent { 20 } else { 90 });
            dose(scribe, dice, health, birth + due + late, code, *number);
        }
    }
}

fn adult(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health, heed: f64) {
    let (age, first, today) = (scribe.person.age, scribe.frame.first, scribe.frame.today);
    let some_day = |dice: &mut Dice| dice.day(first, today);
    if dice.chance(0.16 * heed) {
        let day = some_day(dice);
        let code = dice.weighted(&[(80, "CVX:115"), (20, "CVX:113")]);
        dose(scribe, dice, health, day, code, 1);
    }
    if age >= 50 && dice.chance(0.34 * heed) {
        let day = some_day(dice);
        dose(scribe, dice, health, day, "CVX:187", 1);
        if dice.percent(80) {
            let gap = dice.day(60, 180);
            dose(scribe, dice, health, day + gap, "CVX:187", 2);
        }
    }
    if age >= 65 && dice.chance(0.4 * heed) {
        let day = some_day(dice);
        let code = dice.weighted(&[(60, "CVX:216"), (25, "CVX:33"), (15, "CVX:133")]);
        dose(scribe, dice, health, day, code, 1);
    }
    if age >= 60 && dice.chance(0.2 * heed) {
        let day = some_day(dice);
        let code = dice.weighted(&[(60, "CVX:303"), (40, "CVX:305")]);
        dose(scribe, dice, health, day, code, 1);
    }
}

/// Records a dose, at a visit when one lies within the three weeks after it is due.
/// A dose that was to be given, and nearly always was.
fn dose(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health, day: i32, code: &str, number: i32) {
    let reason = dice.weighted(&[(65, "patient_refused"), (15, "immune"), (10, "out_of_stock"), (10, "")]);
    let given = if dice.percent(5) { Err(reason) } else { Ok(number) };
    immunization(scribe, dice, health, day, code, given);
}

/// The number of the dose that was given, or why it was not.
fn immunization(
    scribe: &mut Scribe<'_>,
    dice: &mut Dice,
    health: &Health,
    day: i32,
    code: &str,
    given: Result<i32, &str>,
) {
    let person = scribe.person;
    let near = |visit: &&Visit| visit.class == "ambulatory" && (0..21).contains(&(visit.day - day));
    let visit = health.visits.iter().find(near);
    let day = visit.map_or(day, |visit| visit.day);
    if !during(scribe, day) {
        return;
    }
    let at = scribe.moment(day, dice.range(8 * HOUR_SECONDS, 18 * HOUR_SECONDS));
    let number_known = !dice.percent(14);
    let status = if given.is_ok() { "completed" } else { "not_done" };
    let row = scribe.at(dice, Kind::Immunization, at, status);
    row.text("code", code);
    match given {
        Ok(number) if number_known => {
            row.int("dose", number);
        }
        Err(reason) if !reason.is_empty() => {
            row.text("status_reason", reason);
        }
        Ok(_) | Err(_) => {}
    }
    if let Some(visit) = visit {
        row.write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
    }
}
