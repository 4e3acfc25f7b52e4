//! Texts of the segments that are measured: here, by the criterion benches, and beside other engines (`peers/`).

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
    named("share_no_show", "segment s where share(status = no_show of appointment in last 2 years) > 30%"),
    named(
        "click_after_send",
        "segment s where email_sent(campaign = \"flu_shot\") then email_click within 7 days",
    ),
    named(
        "abandoned_form",
        "segment s where form_start in last 90 days not followed by form_complete same name as form_start within 24 hours",
    ),
    named(
        "readmission",
        "segment s where encounter(class = inpatient).end then encounter(class = inpatient) within 30 days",
    ),
    named(
        "days_since_birth",
        "segment s where count(days of immunization from birth_date + 42 days to birth_date + 2 years) >= 4",
    ),
    named("no_visit_after_joining", "segment s where no visit from enrolled_on to enrolled_on + 90 days"),
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

/// A segment of the workload that other engines run as well, as its criteria.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Short name; the peers keep their SQL under it.
    pub name: &'static str,
    /// What is asked, in words.
    pub title: &'static str,
    /// Everything behind `where`.
    pub criteria: &'static str,
}

impl Asked {
    /// The segment without purpose and channel: it can be counted, and no gate applies.
    #[must_use]
    pub fn count_text(&self) -> String {
        format!("segment {} where {}", self.name, self.criteria)
    }

    /// The segment as a list for this purpose on this channel, with every gate.
    #[must_use]
    pub fn list_text(&self, purpose: &str, channel: &str) -> String {
        format!("segment {} purpose {purpose} channel {channel} where {}", self.name, self.criteria)
    }
}

const fn asked(name: &'static str, title: &'static str, criteria: &'static str) -> Asked {
    Asked { name, title, criteria }
}

/// The workload: what organisations ask for most, from one column to everything at once.
pub const WORKLOAD: &[Asked] = &[
    asked(
        "women_in_states",
        "women 50–74 in three states",
        "gender = female and age in 50..74 and state in (MA, NH, ME)",
    ),
    asked(
        "seven_demographic",
        "seven demographic criteria",
        "gender = female and age in 40..64 and state in (MA, CA, TX, NY) and income > 50000
           and insurance_type in (commercial, medicare_advantage) and preferred_language = en
           and household_size in 2..5",
    ),
    asked("birthday", "birthday in the next 7 days", "birth_date anniversary in next 7 days"),
    // Other engines know no centroids of ZIPs, which stand for a location that is missing.
    asked(
        "near",
        "within 25 miles of a point",
        "location is known and location within 25 miles of point(42.3601, -71.0589)",
    ),
    asked(
        "diabetes",
        "unresolved E11*, 40 or older",
        "age >= 40 and has condition(code under ICD10CM:\"E11\") active",
    ),
    asked(
        "latest_hba1c",
        "latest HbA1c > 9",
        "latest lab(code in (LOINC:\"4548-4\", LOINC:\"17856-6\")).value > 9",
    ),
    asked(
        "no_mammogram",
        "women 50–74, no mammogram in 2 years",
        "gender = female and age in 50..74
           and no procedure(code in (CPT:\"77065\", CPT:\"77066\", CPT:\"77067\", SNOMED:\"71651007\")) in last 2 years",
    ),
    asked(
        "two_conditions",
        "diabetes and hypertension, on metformin, on no statin",
        "has condition(code under ICD10CM:\"E11\") active and has condition(code = ICD10CM:\"I10\") active
           and has medication(code = RXNORM:\"6809\") active
           and no medication(code in (RXNORM:\"83367\", RXNORM:\"301542\", RXNORM:\"36567\")) active",
    ),
    asked("no_shows", "2 or more no-shows in 12 months", "count(appointment(status = no_show)) in last 12 months >= 2"),
    asked("opened_mail", "opened 3 or more mails in 90 days", "count(email_open) in last 90 days >= 3"),
    asked(
        "no_login",
        "no portal login in 60 days, opted in",
        "no portal_login in last 60 days
           and latest consent(channel = email and purpose = marketing).decision = grant",
    ),
    asked(
        "no_event",
        "no event of any kind in 180 days",
        "no email_sent in last 180 days and no email_delivered in last 180 days
           and no email_open in last 180 days and no email_click in last 180 days
           and no email_bounce in last 180 days and no email_complaint in last 180 days
           and no email_unsubscribe in last 180 days and no sms_sent in last 180 days
           and no sms_reply in last 180 days and no call in last 180 days
           and no portal_login in last 180 days and no page_view in last 180 days
           and no form_start in last 180 days and no form_complete in last 180 days
           and no download in last 180 days and no survey_response in last 180 days
           and no list_signup in last 180 days and no event_signup in last 180 days
           and no purchase in last 180 days and no order in last 180 days and no event in last 180 days",
    ),
    asked("first_encounter", "first encounter ever within 30 days", "earliest encounter.at in last 30 days"),
    asked(
        "click_after_send",
        "click within 7 days of a send of one campaign",
        "email_sent(campaign = \"flu_shot\") then email_click same campaign as email_sent within 7 days",
    ),
    asked("top_clicks", "top 5 % by clicks of 12 months", "top 5% by count(email_click) in last 12 months"),
    asked(
        "all_of_it",
        "all of it: demographic, clinical, journey, behavioural",
        "gender = female and age in 40..79 and state in (MA, NH, ME)
           and has condition(code under ICD10CM:\"E11\") active
           and latest lab(code in (LOINC:\"4548-4\", LOINC:\"17856-6\")).value > 7
           and count(appointment(status = no_show)) in last 12 months >= 1
           and count(email_open) in last 90 days >= 2
           and no portal_login in last 60 days",
    ),
];

/// What saved segments ask of records, and of whom.
const ASKED_OF_RECORDS: [&str; 10] = [
    "has condition(code under ICD10CM:\"E11\") active",
    "has condition(code = ICD10CM:\"I10\") active",
    "has medication(code = RXNORM:\"6809\") active",
    "latest lab(code in (LOINC:\"4548-4\", LOINC:\"17856-6\")).value > 8",
    "no procedure(code in (CPT:\"77065\", CPT:\"77066\", CPT:\"77067\")) in last 2 years",
    "count(appointment(status = no_show)) in last 12 months >= 1",
    "count(email_open) in last 90 days >= 2",
    "no portal_login in last 60 days",
    "earliest encounter.at in last 30 days",
    "no encounter in last 12 months",
];
const STATES: [&str; 5] = ["MA", "NH", "ME", "CA", "TX"];
const AGES: [&str; 4] = ["18..39", "40..59", "60..74", "75..110"];

/// Lists that an organisation has saved, of which many ask the same: 200 of them, for operations by e-mail.
#[must_use]
pub fn saved() -> Vec<String> {
    let mut texts = Vec::with_capacity(ASKED_OF_RECORDS.len() * STATES.len() * AGES.len());
    for (number, records) in ASKED_OF_RECORDS.iter().enumerate() {
        for state in STATES {
            for (place, ages) in AGES.iter().enumerate() {
                texts.push(format!(
                    "segment saved_{number}_{state}_{place} purpose operations channel email
                       where state = {state} and age in {ages} and {records}"
                ));
            }
        }
    }
    texts
}
