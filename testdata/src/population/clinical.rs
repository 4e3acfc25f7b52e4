//! Health: encounters, conditions, medication, care plans, allergies; laboratory, procedures, prevention and pregnancy
//! have files of their own.
//!
//! In: a person. Out: clinical records and the [`Health`] on which journey and contact row depend. Age and sex decide
//! on conditions, these on one another (obesity brings diabetes, diabetes brings kidney disease), both on encounters.

use super::dice::Dice;
use super::diseases::{ACUTE, ALLERGIES, DISEASES, DRUGS, DRUGS_ACUTE, Disease, INFLUENZA, Sex, Tag};
use super::kinds::Kind;
use super::people::Person;
use super::scribe::{Scribe, day_of_year};
use super::{encounters, labs, maternity, prevention, procedures};

/// A chronic disease of a person.
pub(super) struct Illness {
    pub(super) tag: Tag,
    pub(super) code: &'static str,
    pub(super) onset: i32,
    pub(super) ongoing: bool,
}

/// A stay or visit.
#[derive(Clone, Copy)]
pub(super) struct Visit {
    /// Number within the contact's encounters.
    pub(super) number: u32,
    pub(super) day: i32,
    pub(super) start: i64,
    pub(super) class: &'static str,
    pub(super) specialty: &'static str,
    /// Day of discharge, for stays that are over.
    pub(super) discharged: Option<i32>,
}

/// What the rest of the population needs to know of a person's health.
pub(super) struct Health {
    /// Number of ongoing chronic diseases.
    pub(super) chronic: u32,
    /// Pregnant on the day of as_of.
    pub(super) expecting: bool,
    /// Encounters that took place, by day.
    pub(super) visits: Vec<Visit>,
    pub(super) illnesses: Vec<Illness>,
}

impl Health {
    /// The person has or had a disease of this group.
    pub(super) fn has(&self, tag: Tag) -> bool {
        self.illnesses.iter().any(|illness| illness.tag == tag)
    }
}

/// Writes the clinical records of a person.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice) -> Health {
    let mut illnesses = illnesses(scribe.person, dice);
    let visits = encounters::record(scribe, dice, &illnesses);
    for illness in &mut illnesses {
        diagnose(scribe, dice, illness, &visits);
    }
    passing(scribe, dice, &visits);
    let chronic = illnesses.iter().filter(|illness| illness.ongoing).count();
    let chronic = u32::try_from(chronic).unwrap_or(u32::MAX);
    let mut health = Health { chronic, expecting: false, visits, illnesses };
    health.expecting = maternity::record(scribe, dice, &health);
    medication(scribe, dice, &health);
    labs::record(scribe, dice, &health);
    procedures::record(scribe, dice, &health);
    prevention::record(scribe, dice, &health);
    allergies(scribe, dice, &health);
    care_plans(scribe, dice, &health);
    health
}

fn illnesses(person: &Person, dice: &mut Dice) -> Vec<Illness> {
    let band = match person.age {
        ..18 => 0,
        18..40 => 1,
        40..65 => 2,
        _ => 3,
    };
    let mut found: Vec<Illness> = Vec::new();
    for disease in DISEASES {
        let suits = match disease.sex {
            Sex::Any => true,
            Sex::Female => person.female,
            Sex::Male => !person.female,
        };
        let share = disease.per_mille.get(band).copied().unwrap_or(0);
        if !suits || share == 0 {
            continue;
        }
        let share = f64::from(share) / 1_000.0 * company(disease, &found) * deprivation(person);
        if dice.chance(share)
            && !(disease.tag == Tag::Diabetes && found.iter().any(|ill| ill.tag == disease.tag))
        {
            let early = dice.percent(55);
            let onset = if early {
                person.start.saturating_add(dice.day(0, 30)).min(person.stop)
            } else {
                dice.day(person.start, person.stop)
            };
            let ongoing = dice.percent(90);
            found.push(Illness { tag: disease.tag, code: dice.weighted(disease.codes), onset, ongoing });
        }
    }
    found
}

/// How much likelier a disease is with those found before it.
fn company(disease: &Disease, found: &[Illness]) -> f64 {
    let with = |tag: Tag| found.iter().any(|illness| illness.tag == tag);
    match disease.tag {
        Tag::Diabetes | Tag::Apnea if with(Tag::Obesity) => 1.9,
        Tag::Hypertension | Tag::Lipids if with(Tag::Diabetes) => 1.5,
        Tag::Kidney | Tag::Atherosclerosis if with(Tag::Diabetes) => 2.0,
        Tag::HeartFailure if with(Tag::Hypertension) => 1.6,
        Tag::Anxiety if with(Tag::Depression) => 3.0,
        _ => 0.9,
    }
}

fn deprivation(person: &Person) -> f64 {
    1.15 - 0.07 * f64::from(person.home.tier)
}

/// Records a chronic disease at the first encounter after it began.
fn diagnose(scribe: &mut Scribe<'_>, dice: &mut Dice, illness: &mut Illness, visits: &[Visit]) {
    let person = scribe.person;
    let visit = visits.iter().find(|visit| visit.day >= illness.onset);
    illness.onset = visit.map_or(illness.onset, |visit| visit.day);
    let status = if illness.ongoing {
        dice.weighted(&[(92, "active"), (4, "recurrence"), (4, "relapse")])
    } else {
        dice.weighted(&[(40, "resolved"), (30, "remission"), (30, "inactive")])
    };
    let verification = dice.weighted(&[(91, "confirmed"), (4, "provisional"), (2, "refuted"), (3, "")]);
    let end = (!illness.ongoing && dice.percent(75)).then(|| dice.day(illness.onset, person.stop));
    let row = scribe.on(dice, Kind::Condition, illness.onset, status);
    row.text("code", illness.code);
    if !verification.is_empty() {
        row.text("verification", verification);
    }
    if let Some(end) = end {
        row.day("end", end);
    }
    if let Some(visit) = visit {
        row.write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
    }
}

/// Passing illnesses, found at some encounters, with what is given for them.
fn passing(scribe: &mut Scribe<'_>, dice: &mut Dice, visits: &[Visit]) {
    let person = scribe.person;
    for visit in visits {
        let share = if visit.class == "inpatient" { 25 } else { 43 };
        if !dice.percent(share) {
            continue;
        }
        let winter = !(75..320).contains(&day_of_year(visit.day));
        let code = if winter && dice.percent(14) { INFLUENZA } else { dice.zipf(ACUTE) };
        let end = visit.day + dice.day(4, 40);
        let over = end <= person.stop && dice.percent(88);
        let status = if over { "resolved" } else { "active" };
        let verification = dice.weighted(&[(84, "confirmed"), (9, "provisional"), (3, "refuted"), (4, "")]);
        let row = scribe.on(dice, Kind::Condition, visit.day, status);
        row.text("code", code).write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
        if !verification.is_empty() {
            row.text("verification", verification);
        }
        if over {
            row.day("end", end);
        }
        if dice.percent(34) {
            let (drug, days) = dice.zipf(DRUGS_ACUTE);
            let row = scribe.on(dice, Kind::Medication, visit.day, if over { "completed" } else { "active" });
            row.text("code", drug).int("days_supply", days).int("refills", 0);
            row.write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
            if over {
                row.day("end", (visit.day + days).min(person.stop));
            }
        }
    }
}

/// Prescriptions for chronic diseases: the current one and some that it renewed.
fn medication(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    let person = scribe.person;
    for illness in &health.illnesses {
        for (tag, share, drug, days) in DRUGS {
            if *tag != illness.tag || !dice.percent(*share) {
                continue;
            }
            let current = illness.ongoing && dice.percent(80);
            let mut day = if current {
                person.stop - dice.day(0, days + days / 4)
            } else {
                dice.day(illness.onset, person.stop)
            };
            let renewals = 1 + dice.below(3);
            for renewal in 0..renewals {
                if day < illness.onset {
                    break;
                }
                let last = renewal == 0;
                let status = if last && current {
                    dice.weighted(&[
                        (940, "active"),
                        (20, "on_hold"),
                        (15, "draft"),
                        (10, "cancelled"),
                        (15, ""),
                    ])
                } else if last {
                    dice.weighted(&[(55, "stopped"), (45, "completed")])
                } else {
                    "completed"
                };
                prescribe(scribe, dice, (drug, *days, day, status), last && current);
                day -= days * dice.weighted(&[(5, 1), (2, 2), (1, 4)]) + dice.day(-3, 12);
            }
        }
    }
}

fn prescribe(scribe: &mut Scribe<'_>, dice: &mut Dice, what: (&str, i32, i32, &str), current: bool) {
    let (drug, days, day, status) = what;
    let stop = scribe.person.stop;
    let refills = dice.weighted(&[(20, 0), (15, 1), (15, 2), (30, 3), (10, 5), (5, 11)]);
    let end = if current {
        // Some systems know until when a running prescription holds.
        dice.percent(25).then_some(day + days * (refills + 1))
    } else {
        dice.percent(92).then_some((day + days).min(stop))
    };
    let (supply_known, refills_known) = (!dice.percent(5), !dice.percent(7));
    let row = scribe.on(dice, Kind::Medication, day, if status.is_empty() { "active" } else { status });
    row.text("code", drug);
    if supply_known {
        row.int("days_supply", days);
    }
    if refills_known {
        row.int("refills", refills);
    }
    if let Some(end) = end {
        row.day("end", end);
    }
}

fn allergies(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    let person = scribe.person;
    let number = if dice.percent(72) { 0 } else { 1 + dice.below(2) };
    for _ in 0..number {
        let day = dice.day(person.start, person.stop);
        let visit = health.visits.iter().find(|visit| visit.day >= day);
        let day = visit.map_or(day, |visit| visit.day);
        let at = scribe.moment(day, dice.range(28_800, 64_800));
        let status = dice.weighted(&[(90, "active"), (6, "inactive"), (4, "resolved")]);
        let code = dice.zipf(ALLERGIES);
        let criticality = dice.weighted(&[(55, "low"), (25, "high"), (8, "unable_to_assess"), (12, "")]);
        let end = (status != "active" && dice.percent(70)).then(|| dice.day(day, person.stop));
        let end = end.map(|end| scribe.moment(end, 61_200).max(at));
        let row = scribe.at(dice, Kind::Allergy, at, status);
        row.text("code", code);
        if !criticality.is_empty() {
            row.text("criticality", criticality);
        }
        if let Some(end) = end {
            row.instant("end", end);
        }
        if let Some(visit) = visit {
            row.write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
        }
    }
}

/// Care plans (SNOMED CT): diabetes self management, positive airway pressure, weight, asthma, heart failure, smoking.
fn care_plans(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    const PLANS: &[(Tag, u32, &str)] = &[
        (Tag::Diabetes, 45, "SNOMED:698360004"),
        (Tag::Apnea, 70, "SNOMED:47545007"),
        (Tag::Obesity, 12, "SNOMED:408289007"),
        (Tag::Asthma, 30, "SNOMED:699728000"),
        (Tag::HeartFailure, 45, "SNOMED:735984001"),
    ];
    let person = scribe.person;
    for (tag, share, code) in PLANS {
        let Some(illness) = health.illnesses.iter().find(|illness| illness.tag == *tag) else { continue };
        if !dice.percent(*share) {
            continue;
        }
        let day = dice.recent_day(illness.onset, person.stop);
        let at = scribe.moment(day, dice.range(28_800, 61_200));
        let status = dice.weighted(&[(66, "active"), (25, "completed"), (7, "revoked"), (2, "draft")]);
        let over = matches!(status, "completed" | "revoked");
        let end = if over { dice.day(day, person.stop) } else { day + dice.day(90, 365) };
        let end = scribe.any_moment(end, 61_200).max(at);
        let end_known = if over { dice.percent(85) } else { dice.percent(20) };
        let row = scribe.at(dice, Kind::CarePlan, at, status);
        row.text("code", code);
        if end_known {
            row.instant("end", end);
        }
        if let Some(visit) = health.visits.iter().rfind(|visit| visit.day <= day) {
            row.write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
        }
    }
}
