//! Portal, pages, forms, downloads, surveys, sign-ups, purchases and custom events.
//!
//! In: a person's activity. Out: web and shop records. A third of the portal's users has stopped using it; forms are
//! started and two in three are completed within a day.

use super::behaviour::presence;
use super::dice::Dice;
use super::kinds::Kind;
use super::rows::Table;
use super::scribe::{HOUR_SECONDS, SECOND, Scribe};

/// Paths of pages, the most read first.
#[rustfmt::skip]
pub(super) const PAGES: &[&str] = &[
    "/", "/portal", "/appointments", "/results", "/find-a-doctor", "/billing", "/flu", "/heart", "/diabetes",
    "/classes", "/pregnancy", "/billing/payment-plan", "/mammogram", "/weight", "/sleep", "/careers", "/joint-pain",
    "/donate", "/clinical-trials", "/bone-marrow",
];

#[rustfmt::skip]
const FORMS: &[&str] = &[
    "appointment_request", "contact_us", "intake", "risk_assessment", "newsletter", "financial_assistance",
    "cpap_feedback", "records_request",
];

#[rustfmt::skip]
const DOWNLOADS: &[&str] =
    &["flu_guide", "diabetes_cookbook", "pregnancy_planner", "advance_directive", "exercise_plan", "heart_handbook"];

const SURVEYS: &[&str] =
    &["visit_satisfaction", "health_risk", "cpap_feedback", "portal_feedback", "food_security"];

const LISTS: &[&str] = &["newsletter", "diabetes_care", "new_parents", "heart_club", "donors"];

const OCCASIONS: &[&str] = &["health_fair", "cooking_class", "birthing_class", "yoga", "heart_walk", "gala"];

/// What the shop sells: article, category, price in hundredths, days until the next one is due (0: never).
type Article = (&'static str, &'static str, i64, i32);

#[rustfmt::skip]
const ARTICLES: &[Article] = &[
    ("VIT-D-90", "vitamins", 1_499, 90), ("LENS-30", "contact_lenses", 4_250, 30), ("CPAP-MASK", "cpap", 8_900, 90),
    ("STRIP-50", "diabetes_supplies", 2_999, 30), ("CPAP-FILTER", "cpap", 1_250, 30), ("BRACE-KNEE", "orthopedics", 3_495, 0),
    ("BP-CUFF", "devices", 5_999, 0), ("THERMO", "devices", 1_999, 0), ("BAT-312", "hearing", 899, 60),
    ("PRENATAL-60", "vitamins", 1_899, 60),
];

/// Custom kinds of events.
const EVENTS: &[&str] = &["app_open", "class_attended", "kiosk_checkin", "wearable_sync", "gift"];

/// Writes web, shop and custom events.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice) {
    let factor = scribe.person.activity * presence(scribe) * scribe.frame.density;
    portal(scribe, dice, factor);
    pages(scribe, dice, factor);
    forms(scribe, dice, factor);
    named(scribe, dice, Kind::Download, 0.34 * factor, DOWNLOADS);
    named(scribe, dice, Kind::SurveyResponse, 0.36 * factor, SURVEYS);
    named(scribe, dice, Kind::ListSignup, 0.16 * factor, LISTS);
    named(scribe, dice, Kind::EventSignup, 0.14 * factor, OCCASIONS);
    shop(scribe, dice, Kind::Purchase, 0.5 * factor);
    shop(scribe, dice, Kind::Order, 0.3 * factor);
    custom(scribe, dice, 0.9 * factor);
}

fn someday(scribe: &Scribe<'_>, dice: &mut Dice, last: i32) -> i64 {
    let day = dice.recent_day(scribe.person.start, last);
    // The mean of two draws: most of it in the afternoon.
    let second = (dice.range(0, 86_399) + dice.range(6 * HOUR_SECONDS, 86_399)) / 2;
    scribe.moment(day, second)
}

fn portal(scribe: &mut Scribe<'_>, dice: &mut Dice, factor: f64) {
    let person = scribe.person;
    let share = match person.age {
        ..14 => 6,
        14..65 => 63,
        _ => 47,
    };
    if !dice.percent(share) {
        return;
    }
    let lapsed = dice.percent(34);
    let last = if lapsed { dice.day(person.start, person.stop) } else { person.stop };
    let logins = dice.count((11.0 * factor).min(900.0 * scribe.frame.density.max(1.0)));
    for _ in 0..logins {
        let at = someday(scribe, dice, last);
        let device = dice.weighted(&[(55, "mobile"), (35, "web"), (6, "kiosk"), (4, "")]);
        let seconds = 20.0 + (600.0 * dice.unit()).round();
        let row = scribe.at(dice, Kind::PortalLogin, at, "done");
        if !device.is_empty() {
            row.text("name", device);
        }
        if seconds < 590.0 {
            row.number("value", seconds);
        }
        row.text("url", "https://portal.example.test/login");
        for _ in 0..dice.weighted(&[(66, 0), (24, 1), (10, 2)]) {
            if let Some(viewed) = scribe.frame.within(at + dice.range(4, 900) * SECOND) {
                view(scribe, dice, viewed);
            }
        }
    }
}

fn pages(scribe: &mut Scribe<'_>, dice: &mut Dice, factor: f64) {
    for _ in 0..dice.count((2.8 * factor).min(900.0)) {
        let at = someday(scribe, dice, scribe.person.stop);
        view(scribe, dice, at);
    }
}

fn view(scribe: &mut Scribe<'_>, dice: &mut Dice, at: i64) {
    let page = dice.zipf(PAGES);
    let campaign = dice.weighted(&[(90, ""), (5, "newsletter"), (3, "heart_health"), (2, "flu_shot")]);
    let seconds = dice.below(400);
    let row = scribe.at(dice, Kind::PageView, at, "done");
    let name = page.trim_start_matches('/');
    if !name.is_empty() {
        row.text("name", name);
    }
    row.write("url", format_args!("https://www.example.test{page}"));
    if !campaign.is_empty() {
        row.text("campaign", campaign);
    }
    if seconds < 300 {
        row.number("value", f64::from(seconds));
    }
}

fn forms(scribe: &mut Scribe<'_>, dice: &mut Dice, factor: f64) {
    for _ in 0..dice.count(1.1 * factor) {
        let started = someday(scribe, dice, scribe.person.stop);
        let form = dice.zipf(FORMS);
        let row = scribe.at(dice, Kind::FormStart, started, "done");
        page(row, form);
        let wait = match dice.below(100) {
            0..58 => dice.range(60, 3_600),
            58..66 => dice.range(3_600, 86_000),
            // Too late for a form that should be done within a day.
            66..71 => dice.range(90_000, 600_000),
            _ => continue,
        };
        if let Some(completed) = scribe.frame.within(started + wait * SECOND) {
            let value = f64::from(dice.below(101));
            let row = scribe.at(dice, Kind::FormComplete, completed, "done");
            page(row, form).number("value", value);
        }
    }
}

fn page<'t>(row: &'t mut Table, form: &'static str) -> &'t mut Table {
    row.text("name", form).write("url", format_args!("https://www.example.test/forms/{form}"))
}

fn named(scribe: &mut Scribe<'_>, dice: &mut Dice, kind: Kind, mean: f64, names: &[&'static str]) {
    for _ in 0..dice.count(mean) {
        let at = someday(scribe, dice, scribe.person.stop);
        let name = dice.zipf(names);
        let campaign =
            dice.weighted(&[(55, ""), (25, "newsletter"), (12, "patient_survey"), (8, "community_events")]);
        let value = (dice.percent(70) && kind == Kind::SurveyResponse).then(|| f64::from(dice.below(11)));
        let url_known = dice.percent(80);
        let row = scribe.at(dice, kind, at, "done");
        row.text("name", name);
        if url_known {
            row.write("url", format_args!("https://www.example.test/{name}"));
        }
        if !campaign.is_empty() {
            row.text("campaign", campaign);
        }
        if let Some(value) = value {
            row.number("value", value);
        }
    }
}

fn shop(scribe: &mut Scribe<'_>, dice: &mut Dice, kind: Kind, mean: f64) {
    for _ in 0..dice.count(mean) {
        let at = someday(scribe, dice, scribe.person.stop);
        let (sku, category, price, days) = dice.zipf(ARTICLES);
        let status = dice.weighted(&[
            (12, "placed"),
            (16, "shipped"),
            (62, "delivered"),
            (6, "returned"),
            (4, "cancelled"),
        ]);
        let pieces = i64::from(dice.weighted(&[(80, 1), (15, 2), (5, 3)]));
        let known = dice.below(100);
        let row = scribe.at(dice, kind, at, status);
        row.text("sku", sku);
        if known >= 4 {
            row.text("category", category);
        }
        if known != 50 {
            row.money("amount", price * pieces);
        }
        if days > 0 && known < 92 {
            let day = i32::try_from(at.div_euclid(hyperseg_dsl::value::DAY_MICROS)).unwrap_or(0);
            row.day("next_due", day + days);
        }
    }
}

fn custom(scribe: &mut Scribe<'_>, dice: &mut Dice, mean: f64) {
    for _ in 0..dice.count(mean) {
        let at = someday(scribe, dice, scribe.person.stop);
        let kind = dice.zipf(EVENTS);
        let name = match kind {
            "class_attended" => dice.zipf(OCCASIONS),
            "kiosk_checkin" => "lobby",
            _ => "",
        };
        let value = f64::from(dice.below(12_000));
        let known = dice.below(100);
        let row = scribe.at(dice, Kind::Event, at, "done");
        row.text("kind", kind);
        if !name.is_empty() {
            row.text("name", name);
        }
        if matches!(kind, "wearable_sync" | "gift") {
            row.number("value", value);
        }
        if known < 8 {
            row.text("campaign", "community_events").text("url", "https://app.example.test/events");
        }
    }
}
