//! Laboratory results and vital signs.
//!
//! In: visits and diseases. Out: `lab` and `vital` rows whose values follow the disease: a diabetic's HbA1c wanders
//! around a level of its own. Some results have a comparator, some no value, some a coded value.

use super::clinical::{Health, Visit};
use super::dice::Dice;
use super::diseases::Tag;
use super::kinds::Kind;
use super::scribe::{HOUR_SECONDS, SECOND, Scribe};

/// A numeric test: LOINC code, unit, lower and upper limit of the normal range, decimals as a power of ten.
#[derive(Clone, Copy, Default)]
struct Test {
    code: &'static str,
    unit: &'static str,
    range: Option<(f64, f64)>,
    scale: f64,
}

const fn test(code: &'static str, unit: &'static str, range: Option<(f64, f64)>, scale: f64) -> Test {
    Test { code, unit, range, scale }
}

const A1C: Test = test("LOINC:4548-4", "%", Some((4.0, 5.6)), 10.0);
const A1C_HPLC: Test = test("LOINC:17856-6", "%", Some((4.0, 5.6)), 10.0);
const EGFR: Test = test("LOINC:33914-3", "mL/min/{1.73_m2}", Some((60.0, 120.0)), 1.0);
const PSA: Test = test("LOINC:2857-1", "ng/mL", Some((0.0, 4.0)), 100.0);
const TROPONIN: Test = test("LOINC:6598-7", "ng/mL", Some((0.0, 0.04)), 100.0);
const TSH: Test = test("LOINC:3016-3", "m[IU]/L", Some((0.4, 4.5)), 100.0);
const VIRAL_LOAD: Test = test("LOINC:25836-8", "{copies}/mL", None, 1.0);
const GLUCOSE: Test = test("LOINC:2345-7", "mg/dL", Some((70.0, 99.0)), 1.0);
const LDL: Test = test("LOINC:13457-7", "mg/dL", Some((0.0, 129.0)), 1.0);

/// Tests of the usual panel with mean and deviation in the healthy.
const PANEL: &[(Test, f64, f64)] = &[
    (GLUCOSE, 92.0, 9.0),
    (test("LOINC:2160-0", "mg/dL", Some((0.6, 1.3)), 100.0), 0.95, 0.2),
    (test("LOINC:718-7", "g/dL", Some((12.0, 17.0)), 10.0), 14.1, 1.3),
    (test("LOINC:2823-3", "mmol/L", Some((3.5, 5.1)), 10.0), 4.2, 0.4),
    (LDL, 112.0, 30.0),
    (test("LOINC:2093-3", "mg/dL", Some((0.0, 199.0)), 1.0), 186.0, 36.0),
    (test("LOINC:2085-9", "mg/dL", Some((40.0, 90.0)), 1.0), 54.0, 13.0),
    (test("LOINC:6690-2", "10*3/uL", Some((4.0, 11.0)), 10.0), 7.0, 1.8),
];

/// Writes laboratory results and vital signs.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    let diabetic = health.has(Tag::Diabetes);
    // One diabetic in five is poorly controlled.
    let level =
        if diabetic { 6.3 + dice.unit() + 0.75 * dice.heavy().min(5.0) } else { 5.1 + 0.5 * dice.unit() };
    for visit in &health.visits {
        let seen = matches!(visit.class, "ambulatory" | "emergency" | "inpatient" | "observation");
        if !seen {
            continue;
        }
        if dice.percent(28) {
            panel(scribe, dice, visit, diabetic, health.has(Tag::Lipids));
        }
        let tested = if diabetic { 45 } else { 7 };
        if visit.class == "ambulatory" && scribe.person.age >= 18 && dice.percent(tested) {
            let value = (level + 0.45 * dice.normal()).max(4.1);
            let test = if dice.percent(88) { A1C } else { A1C_HPLC };
            result(scribe, dice, visit, test, value, if value > 14.0 { ">" } else { "" });
        }
        special(scribe, dice, visit, health);
        if dice.percent(19) {
            vitals(scribe, dice, visit, health);
        }
    }
}

fn panel(scribe: &mut Scribe<'_>, dice: &mut Dice, visit: &Visit, diabetic: bool, lipids: bool) {
    for (test, mean, deviation) in PANEL {
        if !dice.percent(60) {
            continue;
        }
        let shift = match test.code {
            "LOINC:2345-7" if diabetic => 55.0,
            "LOINC:13457-7" if lipids => 28.0,
            _ => 0.0,
        };
        let value = (mean + shift + deviation * dice.normal()).max(0.3);
        result(scribe, dice, visit, *test, value, "");
    }
}

/// Tests that only some diseases or complaints call for.
fn special(scribe: &mut Scribe<'_>, dice: &mut Dice, visit: &Visit, health: &Health) {
    if health.has(Tag::Kidney) && dice.percent(45) {
        let value = (42.0 + 13.0 * dice.normal()).max(6.0);
        result(scribe, dice, visit, EGFR, value, "");
    } else if dice.percent(6) {
        // Laboratories report a good filtration as "above 90" or "at least 60".
        let comparator = dice.weighted(&[(70, ">"), (30, ">=")]);
        let limit = if comparator == ">" { 90.0 } else { 60.0 };
        result(scribe, dice, visit, EGFR, limit, comparator);
    }
    if health.has(Tag::Thyroid) && dice.percent(30) {
        let value = (3.0 + 2.0 * dice.normal()).max(0.05);
        result(scribe, dice, visit, TSH, value, "");
    }
    if health.has(Tag::Hiv) && dice.percent(40) {
        let comparator = dice.weighted(&[(75, "<"), (25, "")]);
        let value = if comparator.is_empty() { 50.0 + 900.0 * dice.heavy() } else { 20.0 };
        result(scribe, dice, visit, VIRAL_LOAD, value, comparator);
    }
    if matches!(visit.class, "emergency" | "inpatient") && dice.percent(25) {
        let comparator = dice.weighted(&[(60, "<"), (20, "<="), (20, "")]);
        let value = if comparator.is_empty() { 0.03 + 0.05 * dice.heavy() } else { 0.02 };
        result(scribe, dice, visit, TROPONIN, value, comparator);
    }
    if !scribe.person.female && scribe.person.age >= 50 && dice.percent(5) {
        let value = 1.2 * dice.heavy();
        result(scribe, dice, visit, PSA, value, "");
    }
    if dice.percent(5) {
        let positive = dice.percent(13);
        coded(scribe, dice, Some(visit), visit.start, "LOINC:94500-6", positive);
    }
}

fn result(scribe: &mut Scribe<'_>, dice: &mut Dice, visit: &Visit, test: Test, value: f64, comparator: &str) {
    let person = scribe.person;
    let at = scribe.frame.clamp(visit.start + dice.range(300, 5 * HOUR_SECONDS) * SECOND);
    let status = dice.weighted(&[(940, "final"), (30, "amended"), (22, "preliminary"), (8, "cancelled")]);
    let value = (value * test.scale).round() / test.scale;
    let known = dice.below(1_000);
    let row = scribe.at(dice, Kind::Lab, at, status);
    row.text("code", test.code).write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
    if known < 22 {
        return;
    }
    row.number("value", value);
    if !comparator.is_empty() {
        row.text("comparator", comparator);
    }
    if known >= 40 {
        row.text("unit", test.unit);
    }
    if let Some((low, high)) = test.range {
        if known >= 120 {
            row.number("range_low", low).number("range_high", high);
        }
        if known < 850 {
            row.text("interpretation", interpretation(value, low, high));
        }
    }
}

fn interpretation(value: f64, low: f64, high: f64) -> &'static str {
    if value > 2.2 * high {
        "critical"
    } else if value > high {
        "high"
    } else if value < low {
        "low"
    } else {
        "normal"
    }
}

/// A result that is a code: detected or not detected.
pub(super) fn coded(
    scribe: &mut Scribe<'_>,
    dice: &mut Dice,
    visit: Option<&Visit>,
    at: i64,
    code: &'static str,
    positive: bool,
) {
    let person = scribe.person;
    let known = !dice.percent(6);
    let row = scribe.at(dice, Kind::Lab, at, "final");
    row.text("code", code);
    if known {
        row.text("value_code", if positive { "SNOMED:260373001" } else { "SNOMED:260415000" });
        row.text("interpretation", if positive { "abnormal" } else { "normal" });
    }
    if let Some(visit) = visit {
        row.write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
    }
}

fn vitals(scribe: &mut Scribe<'_>, dice: &mut Dice, visit: &Visit, health: &Health) {
    let person = scribe.person;
    let grown = person.age_on(visit.day) >= 16;
    let pressure = if health.has(Tag::Hypertension) {
        139.0
    } else if grown {
        121.0
    } else {
        104.0
    };
    let weight = match (grown, health.has(Tag::Obesity)) {
        (false, _) => 5.0 + 3.1 * f64::from(person.age_on(visit.day).max(0)),
        (true, false) => 72.0,
        (true, true) => 101.0,
    };
    let systolic = pressure + 13.0 * dice.normal();
    let signs = [
        ("LOINC:8480-6", "mm[Hg]", systolic, Some((90.0, 139.0)), 100),
        ("LOINC:8462-4", "mm[Hg]", systolic * 0.62 + 5.0 * dice.normal(), Some((60.0, 89.0)), 100),
        ("LOINC:29463-7", "kg", weight * (1.0 + 0.12 * dice.normal()), None, 55),
        ("LOINC:8867-4", "/min", 74.0 + 10.0 * dice.normal(), Some((50.0, 100.0)), 40),
        ("LOINC:8310-5", "Cel", 36.8 + 0.4 * dice.normal(), Some((36.0, 38.0)), 15),
    ];
    let at = scribe.frame.clamp(visit.start + dice.range(60, 1_200) * SECOND);
    for (code, unit, value, range, share) in signs {
        if !dice.percent(share) {
            continue;
        }
        let odd = dice.below(1_000);
        let status = match odd {
            0..20 => "preliminary",
            20..45 => "amended",
            45..55 => "cancelled",
            _ => "final",
        };
        let value = (value * 10.0).round() / 10.0;
        let row = scribe.at(dice, Kind::Vital, at, status);
        row.text("code", code).write("encounter_id", format_args!("{}-E{}", person.id, visit.number));
        match odd {
            // A pulse that could not be measured, and one read off a scale that ends.
            980.. => {
                row.text("value_code", "SNOMED:385432009");
                continue;
            }
            960..980 => {
                row.text(
                    "comparator",
                    if odd < 965 {
                        "<"
                    } else if odd < 970 {
                        "<="
                    } else if odd < 975 {
                        ">"
                    } else {
                        ">="
                    },
                );
            }
            _ => {}
        }
        row.number("value", value);
        if odd % 50 != 7 {
            row.text("unit", unit);
        }
        if let Some((low, high)) = range {
            row.number("range_low", low).number("range_high", high);
            let word = if odd % 100 == 3 { "abnormal" } else { interpretation(value, low, high) };
            row.text("interpretation", if value > 1.25 * high { "critical" } else { word });
        }
    }
}
