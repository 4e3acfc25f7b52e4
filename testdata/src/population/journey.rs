//! Where a person stands with the organisation: coverage, appointments, referrals, visits, bills.
//!
//! In: a person and its encounters. Out: journey records. Appointments lie on both sides of as_of.

use super::clinical::{Health, Visit};
use super::contact::site;
use super::dice::Dice;
use super::kinds::Kind;
use super::scribe::{HOUR_SECONDS, SECOND, Scribe, day_of_year};

/// Specialties, the most frequent first.
#[rustfmt::skip]
const SPECIALTIES: &[&str] = &[
    "primary_care", "imaging", "lab", "dental", "vision", "cardiology", "dermatology", "orthopedics",
    "behavioral_health", "obstetrics", "oncology", "nephrology", "other",
];

/// Writes journey records.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    coverage(scribe, dice);
    appointments(scribe, dice, health);
    referrals(scribe, dice, health);
    for visit in &health.visits {
        if visit.class == "ambulatory" && dice.percent(24) {
            attended(scribe, dice, visit);
        }
        if dice.percent(19) {
            bill(scribe, dice, visit);
        }
    }
}

/// One to three periods of insurance, the last one current for most.
fn coverage(scribe: &mut Scribe<'_>, dice: &mut Dice) {
    let person = scribe.person;
    let listed = match person.insurance {
        "uninsured" => 12,
        "self_pay" => 30,
        _ => 97,
    };
    if !dice.percent(listed) {
        return;
    }
    let days = (person.stop - person.start).max(0);
    let periods = if days < 400 { 1 } else { dice.weighted(&[(62, 1), (28, 2), (10, 3)]) };
    let mut start = person.start;
    for period in 1..=periods {
        let last = period == periods;
        let until = if last { person.stop } else { start + days / periods };
        let end = if last { last_end(scribe, dice, start) } else { Some(until - 1) };
        let kind = if last || dice.percent(70) {
            person.insurance
        } else {
            dice.weighted(&[(60, "commercial"), (25, "medicaid"), (15, "self_pay")])
        };
        period_of_insurance(scribe, dice, kind, start, end);
        // Some are without insurance between two periods.
        start = until + if dice.percent(15) { dice.day(20, 200) } else { 0 };
        if start > person.stop {
            break;
        }
    }
}

fn last_end(scribe: &Scribe<'_>, dice: &mut Dice, start: i32) -> Option<i32> {
    let (person, today) = (scribe.person, scribe.frame.today);
    if person.deceased.is_some() {
        return Some(person.stop);
    }
    if dice.percent(6) {
        return Some(dice.day(start, today));
    }
    match person.insurance {
        // Medicaid is redetermined once a year, on any day of it.
        "medicaid" if dice.percent(80) => Some(today + dice.day(0, 365)),
        "commercial" | "medicare_advantage" if dice.percent(55) => Some(today - day_of_year(today) + 364),
        _ => None,
    }
}

fn period_of_insurance(scribe: &mut Scribe<'_>, dice: &mut Dice, kind: &str, start: i32, end: Option<i32>) {
    let person = scribe.person;
    let status = dice.weighted(&[(95, "active"), (3, "cancelled"), (2, "draft")]);
    let plan = match kind {
        "commercial" => dice.zipf(&["HMO Silver", "PPO Gold", "HMO Bronze", "HDHP", "PPO Platinum"]),
        "medicare" => "Part A and B",
        "medicare_advantage" => dice.zipf(&["Advantage HMO", "Advantage PPO", "Dual Care"]),
        "medicaid" => dice.zipf(&["Family Care", "Adult Expansion", "Children"]),
        "military" => "Standard",
        _ => "",
    };
    let payer =
        if kind == person.insurance { person.payer } else { dice.zipf(&["Atlas Mutual", "Cobalt Care"]) };
    let (plan_known, member_known) = (!dice.percent(8), !dice.percent(6));
    let row = scribe.on(dice, Kind::Coverage, start, status);
    row.text("type", kind);
    if !payer.is_empty() && kind != "self_pay" && kind != "uninsured" {
        row.text("payer", payer);
        if member_known {
            row.write("member_id", format_args!("M{:09}", person.number * 7_919 % 1_000_000_007));
        }
    }
    if plan_known && !plan.is_empty() {
        row.text("plan", plan);
    }
    if let Some(end) = end {
        row.day("end", end.max(start));
    }
}

fn appointments(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    let person = scribe.person;
    for visit in &health.visits {
        if !matches!(visit.class, "emergency" | "inpatient" | "observation") && dice.percent(45) {
            appointment(scribe, dice, visit.start, visit.specialty, "kept");
        }
    }
    let wanted = 1.5 + health.visits.len() as f64;
    let span = f64::from(person.stop - person.start) / 1_096.0;
    let missed =
        [("no_show", person.no_show * 1.1), ("cancelled", 0.07), ("rescheduled", 0.05), ("booked", 0.004)];
    for (status, share) in missed {
        for _ in 0..dice.count(share * wanted * (0.3 + 0.7 * span)) {
            let day = dice.recent_day(person.start, person.stop);
            let at = scribe.moment(day, dice.range(32, 67) * 900);
            let specialty = specialty(dice, health);
            appointment(scribe, dice, at, specialty, status);
        }
    }
    if person.deceased.is_some() {
        return;
    }
    let ahead = 0.12 + 0.05 * wanted.min(16.0);
    for _ in 0..dice.count(ahead) {
        let wait = dice.unit() * dice.unit();
        let day = scribe.frame.today + 1 + (wait * 180.0) as i32;
        let at = scribe.any_moment(day, dice.range(32, 67) * 900);
        let status = dice.weighted(&[(88, "booked"), (7, "cancelled"), (5, "rescheduled")]);
        let specialty = specialty(dice, health);
        appointment(scribe, dice, at, specialty, status);
    }
}

fn specialty(dice: &mut Dice, health: &Health) -> &'static str {
    if health.expecting && dice.percent(55) {
        return "obstetrics";
    }
    let place = dice.below(2 + u32::try_from(health.visits.len()).unwrap_or(0)) as usize;
    health.visits.get(place).map_or_else(|| dice.zipf(SPECIALTIES), |visit| visit.specialty)
}

fn appointment(scribe: &mut Scribe<'_>, dice: &mut Dice, at: i64, specialty: &str, status: &str) {
    let person = scribe.person;
    let early = dice.range(1, 90 * 24) * HOUR_SECONDS * SECOND;
    let booked = scribe.frame.clamp(at - early).min(at);
    let future = scribe.frame.within(at).is_none();
    let confirmed = if future { dice.percent(35) } else { dice.percent(72) && status != "no_show" };
    let known = dice.below(1_000);
    let second = i64::from(dice.below(4_000));
    let learned = scribe.frame.clamp(booked + second * SECOND);
    let row = scribe.ahead(dice, Kind::Appointment, at, learned, status);
    if known >= 30 {
        row.instant("booked_at", booked);
    }
    if !specialty.is_empty() && known % 40 != 1 {
        row.text("specialty", specialty);
    }
    if known < 950 {
        row.write("provider", format_args!("pr-{}-{:02}", person.home.place.zip, person.provider));
    }
    if known % 25 != 2 {
        row.write("site", format_args!("{} {}", person.home.place.city, site(person.home.house)));
    }
    if !known.is_multiple_of(6) {
        row.flag("confirmed", confirmed);
    }
}

fn referrals(scribe: &mut Scribe<'_>, dice: &mut Dice, health: &Health) {
    let person = scribe.person;
    for visit in &health.visits {
        if !dice.percent(6) {
            continue;
        }
        let status =
            dice.weighted(&[(25, "requested"), (20, "scheduled"), (48, "completed"), (7, "cancelled")]);
        let specialty = dice.zipf(SPECIALTIES);
        let number = dice.below(40);
        let (provider_known, site_known, specialty_known) =
            (!dice.percent(25), !dice.percent(12), !dice.percent(4));
        let row = scribe.at(dice, Kind::Referral, visit.start, status);
        if specialty_known {
            row.text("specialty", specialty);
        }
        if provider_known {
            row.write("provider", format_args!("pr-{}-{number:02}", person.home.place.zip));
        }
        if site_known {
            row.write("site", format_args!("{} {}", person.home.place.city, site(6)));
        }
    }
}

fn attended(scribe: &mut Scribe<'_>, dice: &mut Dice, visit: &Visit) {
    let person = scribe.person;
    let status = if dice.percent(94) { "kept" } else { "cancelled" };
    let known = dice.below(100);
    let row = scribe.at(dice, Kind::Visit, visit.start, status);
    if known >= 5 {
        row.write("provider", format_args!("pr-{}-{:02}", person.home.place.zip, person.provider));
    }
    if known < 96 {
        row.write("site", format_args!("{} {}", person.home.place.city, site(person.home.house)));
    }
}

fn bill(scribe: &mut Scribe<'_>, dice: &mut Dice, visit: &Visit) {
    let day = visit.day + dice.day(3, 30);
    if day > scribe.person.stop {
        return;
    }
    let at = scribe.moment(day, dice.range(28_800, 64_800));
    let base: i64 = if visit.class == "inpatient" { 180_000 } else { 9_000 };
    let amount = (base as f64 * (0.3 + dice.heavy())) as i64;
    // Old bills are mostly settled.
    let age = scribe.frame.today - day;
    let settled = if age > 120 { 84 } else { 45 };
    let status = if dice.percent(7) {
        "denied"
    } else if dice.percent(settled) {
        "paid"
    } else {
        "open"
    };
    let balance = match status {
        "paid" => 0,
        "open" if dice.percent(30) => amount / 3,
        _ => amount,
    };
    let (due_known, balance_known) = (!dice.percent(4), !dice.percent(3));
    let row = scribe.at(dice, Kind::Bill, at, status);
    row.money("amount", amount);
    if balance_known {
        row.money("balance", balance);
    }
    if due_known {
        row.day("due_on", day + 30);
    }
}
