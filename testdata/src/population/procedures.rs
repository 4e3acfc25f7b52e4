//! Procedures done for an illness: in the office, and surgery with the stay it belongs to.

use super::clinical::{Health, Visit};
use super::dice::Dice;
use super::diseases::Tag;
use super::kinds::Kind;
use super::scribe::{SECOND, Scribe};

/// Done in an office, the most frequent first.
#[rustfmt::skip]
const OFFICE: &[&str] = &[
    "CPT:36415", "CPT:93000", "CPT:71046", "CPT:97110", "CPT:92014", "CPT:94010", "CPT:90834", "CPT:20610",
    "CPT:11102", "SNOMED:29303009", "CPT:73610", "CPT:76700", "HCPCS:G0108", "CPT:92250", "CPT:69210", "CPT:70551",
];

/// Done during a stay.
#[rustfmt::skip]
const SURGERY: &[(u32, &str)] = &[
    (20, "CPT:47562"), (16, "CPT:44970"), (14, "CPT:27447"), (12, "CPT:27130"), (6, "CPT:33533"),
    (6, "CPT:58150"), (8, "ICD10PCS:0SRC0J9"), (8, "ICD10PCS:0FT44ZZ"), (8, "ICD10PCS:0DTJ4ZZ"), (2, "CPT:44150"),
];

/// Writes the procedures that belong to visits.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    for visit in &health.visits {
        match visit.class {
            "inpatient" if scribe.person.age >= 5 && dice.percent(45) => {
                let code = operation(dice, scribe.person.female, health);
                write(scribe, dice, visit, code, (3_600, 18_000));
            }
            "ambulatory" | "emergency" | "observation" if dice.percent(33) => {
                let code = dice.zipf(OFFICE);
                write(scribe, dice, visit, code, (300, 3_000));
            }
            _ => {}
        }
    }
}

fn operation(dice: &mut Dice, female: bool, health: &Health) -> &'static str {
    if health.has(Tag::BreastCancer) && dice.percent(60) {
        // Of one side, of both, and the same in the hospital's system.
        return dice.weighted(&[(55, "CPT:19303"), (30, "ICD10PCS:0HTV0ZZ"), (15, "SNOMED:27865001")]);
    }
    if health.has(Tag::Pain) && dice.percent(50) {
        return dice.weighted(&[(50, "CPT:27447"), (50, "CPT:27130")]);
    }
    let code = dice.weighted(SURGERY);
    if code == "CPT:58150" && !female { "CPT:47562" } else { code }
}

fn write(scribe: &mut Scribe<'_>, dice: &mut Dice, visit: &Visit, code: &str, seconds: (i64, i64)) {
    let person = scribe.person;
    let at = scribe.frame.clamp(visit.start + dice.range(600, 7_200) * SECOND);
    let end = scribe.frame.within(at + dice.range(seconds.0, seconds.1) * SECOND);
    let undone = dice.percent(3);
    let status = match (undone, end) {
        (true, _) => "not_done",
        (false, Some(_)) if !dice.percent(1) => "completed",
        (false, Some(_) | None) => "in_progress",
    };
    let end = end.filter(|_| status == "completed" && !dice.percent(10));
    let row = scribe.at(dice, Kind::Procedure, at, status);
    row.text("code", code).write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
    if let Some(end) = end {
        row.instant("end", end);
    }
}
