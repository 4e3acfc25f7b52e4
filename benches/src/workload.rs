//! Texts of the segments that are measured.

/// A segment and its name in the tables.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Short name.
    pub name: &'static str,
    /// Text.
    pub source: &'static str,
}

const fn named(name: &'static str, source: &'static str) -> Named {
    Named { name, source }
}

/// One criterion of each kind of leaf, without purpose and channel: no gate.
pub const LEAVES: &[Named] = &[
    named("field_category", "segment s where gender = female"),
    named("field_age", "segment s where age in 50..74"),
    named("field_text", "segment s where zip in (\"02139\", \"02140\", \"10001\")"),
    named("field_anniversary", "segment s where birth_date anniversary in next 7 days"),
    named("has_code", "segment s where has condition(code under ICD10CM:\"E11\")"),
    named("has_active", "segment s where has medication(code = RXNORM:\"6809\") active"),
    named(
        "no_procedure",
        "segment s where no procedure(code in (CPT:\"77067\", CPT:\"77066\")) in last 27 months",
    ),
    named("count_events", "segment s where count(email_open) in last 90 days >= 3"),
    named("latest_lab", "segment s where latest lab(code = LOINC:\"4548-4\") has (value > 9)"),
    named("earliest_visit", "segment s where earliest encounter.at in last 30 days"),
];

/// Whole segments with their gates.
pub const SEGMENTS: &[Named] = &[
    named(
        "demographic",
        "segment demographic purpose operations channel email
           where gender = female and age in 50..74 and state in (MA, NH, ME)",
    ),
    named(
        "clinical",
        "segment clinical purpose treatment channel voice
           where has condition(code under ICD10CM:\"E11\") and latest lab(code = LOINC:\"4548-4\") has (value > 9)",
    ),
    named(
        "journey",
        "segment journey purpose operations channel sms
           where count(appointment(status = no_show)) in last 12 months >= 2",
    ),
    named(
        "behavioural",
        "segment behavioural purpose marketing channel email
           where count(email_open) in last 90 days >= 3",
    ),
    named(
        "everything",
        "segment everything purpose marketing channel email
           where gender = female and age in 40..79
             and has condition(code under ICD10CM:\"E11\")
             and count(appointment) in last 24 months >= 1
             and count(email_open) in last 180 days >= 2
           output first_name, preferred_language",
    ),
];
