//! Encounters: how often someone is seen, where, and what for.
//!
//! In: a person and its chronic diseases. Out: encounter rows, and the [`Visit`]s that other records hang on. A stay
//! that is not over on the day of as_of is in progress and has no end.

use super::clinical::{Illness, Visit};
use super::contact::site;
use super::dice::Dice;
use super::diseases::{ACUTE, Tag};
use super::kinds::Kind;
use super::scribe::{HOUR_SECONDS, SECOND, Scribe};

/// Most encounters of a person over three years.
const ENCOUNTERS_MAX: u32 = 120;

/// Writes the encounters of a person and answers those that took place, by day.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice, illnesses: &[Illness]) -> Vec<Visit> {
    let person = scribe.person;
    let span = f64::from((person.stop - person.start).max(0)) / 1_096.0;
    let burden = 4.0 + 2.2 * f64::from(u32::try_from(illnesses.len()).unwrap_or(0));
    let usage = if dice.percent(8) { 0.0 } else { 0.35 + dice.unit() + 0.25 * dice.heavy().min(6.0) };
    let number = dice.count(burden * usage * (0.15 + 0.85 * span)).min(ENCOUNTERS_MAX);
    let mut days: Vec<i32> = (0..number).map(|_| dice.day(person.start, person.stop)).collect();
    days.sort_unstable();

    let mut visits = Vec::with_capacity(days.len());
    let mut next = 0;
    for day in days {
        let class = class(dice, illnesses);
        let visit = encounter(scribe, dice, illnesses, (next, day, class));
        next += 1;
        if let Some(visit) = visit {
            visits.push(visit);
            // One stay in eight is followed by another within a month.
            let again = visit.discharged.filter(|_| class == "inpatient" && dice.below(8) == 0);
            if let Some(day) = again.map(|home| home + dice.day(2, 29)).filter(|day| *day <= person.stop) {
                visits.extend(encounter(scribe, dice, illnesses, (next, day, "inpatient")));
                next += 1;
            }
        }
    }
    visits.sort_by_key(|visit| visit.start);
    visits
}

fn class(dice: &mut Dice, illnesses: &[Illness]) -> &'static str {
    let burden = u32::try_from(illnesses.len()).unwrap_or(0).min(8);
    // Heart failure takes people to hospital like no other of these diseases.
    let heart = if illnesses.iter().any(|illness| illness.tag == Tag::HeartFailure) { 6 } else { 0 };
    dice.weighted(&[
        (72, "ambulatory"),
        (11, "virtual"),
        (8, "emergency"),
        (2 + burden / 2 + heart, "inpatient"),
        (1 + burden / 3, "home"),
        (2, "observation"),
    ])
}

fn encounter(
    scribe: &mut Scribe<'_>,
    dice: &mut Dice,
    illnesses: &[Illness],
    what: (u32, i32, &'static str),
) -> Option<Visit> {
    let (number, day, class) = what;
    let person = scribe.person;
    let office = !matches!(class, "emergency" | "inpatient");
    let second = if office { dice.range(8 * HOUR_SECONDS, 17 * HOUR_SECONDS) } else { dice.range(0, 86_399) };
    let start = scribe.moment(day, second / 300 * 300);
    let seconds = match class {
        "emergency" => dice.range(2, 14) * HOUR_SECONDS,
        "observation" => dice.range(8, 40) * HOUR_SECONDS,
        "inpatient" => dice.range(24, 60) * HOUR_SECONDS + dice.range(0, 6) * dice.range(0, 1) * 86_400,
        _ => dice.range(2, 10) * 600,
    };
    let end = scribe.frame.within(start + seconds * SECOND);
    let cancelled = office && dice.percent(3);
    let status = match (cancelled, end) {
        (true, _) => "cancelled",
        (false, Some(_)) => "finished",
        (false, None) => "in_progress",
    };
    let reason = reason(dice, illnesses, day, class);
    let specialty = specialty(dice, illnesses, class);
    let kind = kind(dice, class);
    let discharge = dice.weighted(&[
        (78, "home"),
        (9, "skilled_nursing"),
        (8, "home_health"),
        (3, "rehabilitation"),
        (1, "left_against_advice"),
        (1, ""),
    ]);
    let other = dice.percent(30);
    let other_provider = dice.below(40);
    let (provider_known, site_known) = (!dice.percent(4), !dice.percent(4));

    let row = scribe.at(dice, Kind::Encounter, start, status);
    row.write("encounter_id", format_args!("{}-E{number}", person.id)).text("class", class);
    if !kind.is_empty() {
        row.text("type", kind);
    }
    if let Some(end) = end.filter(|_| !cancelled) {
        row.instant("end", end);
        if class == "inpatient" && !discharge.is_empty() {
            row.text("discharge_to", discharge);
        }
    }
    if provider_known {
        let provider = if other { other_provider } else { person.provider };
        row.write("provider", format_args!("pr-{}-{provider:02}", person.home.place.zip));
    }
    if site_known {
        let house = if office { person.home.house } else { 5 };
        row.write("site", format_args!("{} {}", person.home.place.city, site(house)));
    }
    if !reason.is_empty() {
        row.text("reason", reason);
    }
    let stay = i32::try_from(seconds / 86_400).unwrap_or(0);
    let discharged = end.map(|_| day + stay);
    (!cancelled).then_some(Visit { number, day, start, class, specialty, discharged })
}

fn reason(dice: &mut Dice, illnesses: &[Illness], day: i32, class: &str) -> &'static str {
    if dice.percent(12) {
        return "";
    }
    if class == "inpatient"
        && let Some(heart) = illnesses.iter().find(|illness| illness.tag == Tag::HeartFailure)
        && dice.percent(50)
    {
        return heart.code;
    }
    let place = dice.below(u32::try_from(illnesses.len()).unwrap_or(0)) as usize;
    match illnesses.get(place) {
        Some(illness) if illness.onset <= day && dice.percent(60) => illness.code,
        Some(_) | None if dice.percent(45) => "ICD10CM:Z00.00",
        Some(_) | None => dice.zipf(ACUTE),
    }
}

fn kind(dice: &mut Dice, class: &str) -> &'static str {
    match class {
        "ambulatory" => dice.weighted(&[
            (40, "CPT:99213"),
            (28, "CPT:99214"),
            (8, "CPT:99203"),
            (8, "CPT:99396"),
            (12, "SNOMED:185349003"),
            (4, ""),
        ]),
        "emergency" => {
            dice.weighted(&[(40, "CPT:99284"), (35, "CPT:99283"), (20, "SNOMED:50849002"), (5, "")])
        }
        "inpatient" => dice.weighted(&[(70, "CPT:99223"), (30, "SNOMED:32485007")]),
        "virtual" => dice.weighted(&[(70, "CPT:99442"), (30, "SNOMED:448337001")]),
        "home" => "CPT:99348",
        _ => "CPT:99219",
    }
}

fn specialty(dice: &mut Dice, illnesses: &[Illness], class: &str) -> &'static str {
    let place = dice.below(2 + u32::try_from(illnesses.len()).unwrap_or(0)) as usize;
    let own = match illnesses.get(place).map(|illness| illness.tag) {
        Some(Tag::HeartFailure | Tag::Atherosclerosis | Tag::Fibrillation | Tag::Hypertension) => {
            "cardiology"
        }
        Some(Tag::Kidney) => "nephrology",
        Some(Tag::BreastCancer) => "oncology",
        Some(Tag::Pain | Tag::Bones) => "orthopedics",
        Some(Tag::Depression | Tag::Anxiety | Tag::Alcohol | Tag::Opioid) => "behavioral_health",
        _ => "",
    };
    if !own.is_empty() && class != "emergency" && dice.percent(45) {
        return own;
    }
    dice.weighted(&[
        (62, "primary_care"),
        (7, "lab"),
        (7, "imaging"),
        (6, "dental"),
        (5, "vision"),
        (5, "dermatology"),
        (3, "orthopedics"),
        (2, "oncology"),
        (3, "other"),
    ])
}
