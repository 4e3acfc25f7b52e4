//! The contact row: what is known of a person, and what is not.
//!
//! In: a person and the health that was drawn for it. Out: one row. Every field but the id is missing for some.

use super::clinical::Health;
use super::dice::Dice;
use super::names::Culture;
use super::people::{Person, Shape};
use super::rows::Table;
use super::scribe::{Frame, Scribe};

/// Writes the contact's row.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    let (frame, person) = (scribe.frame, scribe.person);
    let row = scribe.contact();
    identity(row, dice, person);
    place(row, dice, person);
    standing(row, dice, person, health);
    heritage(row, dice, frame, person);
    journey(row, dice, frame, person, health);
}

fn identity(row: &mut Table, dice: &mut Dice, person: &Person) {
    let home = &person.home;
    row.text("contact_id", &person.id);
    if let Some(email) = &person.email {
        row.text("email", email);
    }
    if person.has_phone {
        let area =
            AREA_CODES.iter().find(|(state, _)| *state == home.place.state).map_or("800", |(_, code)| code);
        row.write("phone", format_args!("+1-{area}-555-{:04}", dice.below(10_000)));
    }
    if !dice.percent(1) {
        row.text("first_name", person.first_name);
    }
    if !dice.percent(1) {
        row.text("last_name", home.surname);
    }
    if person.has_address {
        row.write("address_line", format_args!("{} {}", home.house, home.street));
    }
    if dice.below(1_000) >= 12 {
        row.day("birth_date", person.birth);
    }
    if let Some(day) = person.deceased {
        row.day("deceased_on", day);
    }
    match dice.below(1_000) {
        0..8 => row.text("gender", "nonbinary"),
        8..12 => row.text("gender", "other"),
        12..22 => row,
        _ => row.text("gender", if person.female { "female" } else { "male" }),
    };
}

fn place(row: &mut Table, dice: &mut Dice, person: &Person) {
    let home = &person.home;
    if person.has_address {
        row.text("city", home.place.city);
        if !dice.percent(6) {
            row.text("county", home.place.county);
        }
    }
    if !dice.percent(1) {
        row.text("state", home.place.state);
    }
    if !dice.percent(2) {
        row.text("zip", home.place.zip);
    }
    if !dice.percent(3) {
        row.text("country", "US");
    }
    if !dice.percent(5) {
        row.text("time_zone", home.place.zone);
    }
    if person.has_address && !dice.percent(10) {
        row.number("location_lat", home.latitude).number("location_lon", home.longitude);
    }
    if !dice.percent(6) {
        row.write("site", format_args!("{} {}", home.place.city, site(person.home.house)));
    }
    if !dice.percent(15) {
        row.write("primary_provider", format_args!("pr-{}-{:02}", home.place.zip, person.provider));
    }
}

/// The kind of site a household of this house number goes to.
pub(super) const fn site(house: u32) -> &'static str {
    match house % 8 {
        0..5 => "Family Health",
        5 | 6 => "Medical Center",
        _ => "Community Clinic",
    }
}

fn standing(row: &mut Table, dice: &mut Dice, person: &Person, health: &Health) {
    let home = &person.home;
    if let Some(level) = education(dice, person) {
        row.text("education_level", level);
    }
    if let Some(status) = employment(dice, person, health) {
        row.text("employment_status", status);
    }
    if let Some(status) = marital(dice, person) {
        row.text("marital_status", status);
    }
    if let Some(status) = family(dice, person, health) {
        row.text("family_status", status);
    }
    if !dice.percent(4) {
        row.write("household_id", format_args!("H{:08}", home.number));
    }
    if !dice.percent(9) {
        row.int("household_size", i32::try_from(home.size).unwrap_or(i32::MAX));
    }
    if !dice.percent(28) {
        row.money("income", home.income);
    }
    if !dice.percent(18) {
        let status = ["low", "lower_middle", "middle", "upper_middle", "high"].get(home.tier as usize);
        row.text("socioeconomic_status", status.copied().unwrap_or("middle"));
    }
    if !dice.percent(3) {
        row.text("insurance_type", person.insurance);
        if !person.payer.is_empty() && !dice.percent(3) {
            row.text("insurance_payer", person.payer);
        }
    }
    if let Some(guardian) = person.guardian.filter(|_| !dice.percent(4)) {
        row.write("guardian_id", format_args!("P{guardian:08}"));
    }
}

fn education(dice: &mut Dice, person: &Person) -> Option<&'static str> {
    let known = if person.age < 18 { 60 } else { 80 };
    if !dice.percent(known) {
        return None;
    }
    match person.age {
        ..6 => None,
        6..12 => Some("none"),
        12..18 => Some("primary"),
        _ => {
            let tier = person.home.tier;
            let low = 10_u32.saturating_sub(2 * tier);
            Some(dice.weighted(&[
                (low / 4, "none"),
                (low, "primary"),
                (30, "high_school"),
                (18, "some_college"),
                (10, "associate"),
                (12 + 5 * tier, "bachelor"),
                (4 + 4 * tier, "graduate"),
            ]))
        }
    }
}

fn employment(dice: &mut Dice, person: &Person, health: &Health) -> Option<&'static str> {
    if dice.percent(17) {
        return None;
    }
    let ill = if health.chronic > 4 { 12 } else { 2 };
    match person.age {
        ..6 => None,
        6..18 => Some("student"),
        18..23 => Some(dice.weighted(&[(45, "student"), (45, "employed"), (10, "unemployed")])),
        23..65 => Some(dice.weighted(&[
            (66, "employed"),
            (10, "self_employed"),
            (8, "unemployed"),
            (ill, "disabled"),
            (if person.female { 8 } else { 2 }, "homemaker"),
            (3, "student"),
            (if person.age > 58 { 15 } else { 0 }, "retired"),
        ])),
        _ => {
            Some(dice.weighted(&[(82, "retired"), (9, "employed"), (4, "self_employed"), (ill, "disabled")]))
        }
    }
}

fn marital(dice: &mut Dice, person: &Person) -> Option<&'static str> {
    if person.age < 18 || dice.percent(13) {
        return None;
    }
    Some(match person.home.shape {
        Shape::Couple | Shape::ElderCouple | Shape::Family => {
            dice.weighted(&[(80, "married"), (20, "partnered")])
        }
        Shape::ElderSingle => {
            dice.weighted(&[(60, "widowed"), (22, "divorced"), (14, "single"), (4, "separated")])
        }
        Shape::Single | Shape::SingleParent | Shape::Shared => dice.weighted(&[
            (64, "single"),
            (22, "divorced"),
            (6, "separated"),
            (3, "widowed"),
            (5, "partnered"),
        ]),
    })
}

fn family(dice: &mut Dice, person: &Person, health: &Health) -> Option<&'static str> {
    if person.age < 18 || dice.percent(24) {
        return None;
    }
    if health.expecting && dice.percent(85) {
        return Some("expecting");
    }
    if dice.percent(4) {
        return Some("caregiver");
    }
    Some(match person.home.youngest_child {
        Some(0) => "infant",
        Some(1..6) => "young_children",
        Some(_) => "school_children",
        None if person.age > 50 && dice.percent(70) => "adult_children",
        None => "no_children",
    })
}

fn heritage(row: &mut Table, dice: &mut Dice, frame: &Frame, person: &Person) {
    let home = &person.home;
    let rare = frame.rare_language(person.number);
    if !dice.percent(3) || rare.is_some() {
        row.text("preferred_language", rare.unwrap_or(home.language));
    }
    if !dice.percent(12) || rare.is_some() {
        match (rare, home.language) {
            (Some(rare), _) => row.write("spoken_languages", format_args!("{rare}|{}", home.language)),
            (None, "en") if dice.percent(9) => row.text("spoken_languages", "en|es"),
            (None, "en") => row.text("spoken_languages", "en"),
            (None, own) if dice.percent(35) => row.text("spoken_languages", own),
            (None, own) => row.write("spoken_languages", format_args!("{own}|en")),
        };
    }
    let race = race(dice, home.culture);
    if !dice.percent(14) {
        row.text("race", race);
    }
    if !dice.percent(16) {
        row.text("ethnicity", if home.culture == Culture::Hispanic { "hispanic" } else { "not_hispanic" });
    }
    if dice.percent(42) {
        row.text("religion", religion(dice, home.culture));
    }
    if dice.percent(50) {
        row.text("cultural_affiliation", affiliation(dice, home.culture, home.place.hispanic));
    }
}

fn race(dice: &mut Dice, culture: Culture) -> &'static str {
    match culture {
        Culture::White => "white",
        Culture::Black => "black",
        Culture::Hispanic => dice.weighted(&[(60, "white"), (25, "other"), (8, "multiracial"), (7, "black")]),
        Culture::Asian => "asian",
        Culture::Native => "american_indian",
        Culture::Pacific => "pacific_islander",
        Culture::Several => "multiracial",
        Culture::Other => "other",
    }
}

fn religion(dice: &mut Dice, culture: Culture) -> &'static str {
    match culture {
        Culture::Asian => dice.weighted(&[
            (30, "none"),
            (26, "christian"),
            (20, "hindu"),
            (12, "buddhist"),
            (8, "muslim"),
            (4, "sikh"),
        ]),
        Culture::Hispanic | Culture::Pacific => {
            dice.weighted(&[(80, "christian"), (18, "none"), (2, "other")])
        }
        Culture::White | Culture::Black | Culture::Native | Culture::Several | Culture::Other => dice
            .weighted(&[
                (64, "christian"),
                (26, "none"),
                (3, "jewish"),
                (2, "muslim"),
                (1, "buddhist"),
                (4, "other"),
            ]),
    }
}

fn affiliation(dice: &mut Dice, culture: Culture, hispanic_share: u32) -> &'static str {
    match culture {
        Culture::White => dice.weighted(&[(86, "european"), (4, "arab_american"), (10, "other")]),
        Culture::Black => dice.weighted(&[(84, "african_american"), (16, "caribbean")]),
        Culture::Hispanic if hispanic_share > 90 => "puerto_rican",
        Culture::Hispanic if hispanic_share > 24 => {
            dice.weighted(&[(80, "mexican_american"), (10, "puerto_rican"), (10, "caribbean")])
        }
        Culture::Hispanic => {
            dice.weighted(&[(30, "mexican_american"), (42, "puerto_rican"), (28, "caribbean")])
        }
        Culture::Asian => dice.weighted(&[
            (30, "chinese_american"),
            (25, "indian_american"),
            (18, "filipino_american"),
            (14, "vietnamese_american"),
            (10, "korean_american"),
            (3, "other"),
        ]),
        Culture::Native => "native_american",
        Culture::Pacific | Culture::Several | Culture::Other => "other",
    }
}

fn journey(row: &mut Table, dice: &mut Dice, frame: &Frame, person: &Person, health: &Health) {
    if !dice.percent(4) {
        row.day("enrolled_on", person.joined);
    }
    if !dice.percent(5) {
        let source = if person.joined_within(frame, 400) {
            dice.zipf(&["web_form", "referral", "health_fair", "physician", "employer"])
        } else {
            dice.zipf(&["ehr_migration", "physician", "web_form", "payer_roster", "health_fair"])
        };
        row.text("source", source);
    }
    if !dice.percent(8) {
        let illness = 0.07 * f64::from(health.chronic.min(10)) + 0.003 * f64::from(person.age);
        row.number("risk_score", score(illness + 0.05 * dice.normal()));
    }
    if !dice.percent(12) {
        row.number("no_show_score", score(person.no_show + 0.04 * dice.normal()));
    }
}

/// Between 0 and 1, three decimals.
fn score(value: f64) -> f64 {
    (value.clamp(0.0, 1.0) * 1_000.0).round() / 1_000.0
}

/// A telephone area code of each state and territory.
#[rustfmt::skip]
const AREA_CODES: &[(&str, &str)] = &[
    ("AL", "205"), ("AK", "907"), ("AZ", "602"), ("AR", "501"), ("CA", "213"), ("CO", "303"), ("CT", "860"),
    ("DE", "302"), ("DC", "202"), ("FL", "305"), ("GA", "404"), ("HI", "808"), ("ID", "208"), ("IL", "312"),
    ("IN", "317"), ("IA", "515"), ("KS", "316"), ("KY", "502"), ("LA", "504"), ("ME", "207"), ("MD", "410"),
    ("MA", "617"), ("MI", "313"), ("MN", "612"), ("MS", "601"), ("MO", "314"), ("MT", "406"), ("NE", "402"),
    ("NV", "702"), ("NH", "603"), ("NJ", "973"), ("NM", "505"), ("NY", "212"), ("NC", "704"), ("ND", "701"),
    ("OH", "614"), ("OK", "405"), ("OR", "503"), ("PA", "215"), ("RI", "401"), ("SC", "803"), ("SD", "605"),
    ("TN", "615"), ("TX", "713"), ("UT", "801"), ("VT", "802"), ("VA", "804"), ("WA", "206"), ("WV", "304"),
    ("WI", "414"), ("WY", "307"), ("AS", "684"), ("GU", "671"), ("MP", "670"), ("PR", "787"), ("VI", "340"),
];
