//! Mail, text messages and calls.
//!
//! In: a person's activity, heavy-tailed over the population. Out: message records and what came of them. A hard
//! bounce, a complaint or an unsubscribe ends the mail a person gets. Some mail programs open every message
//! themselves: those openings are marked as made by a machine.

use super::dice::Dice;
use super::kinds::Kind;
use super::rows::Table;
use super::scribe::{HOUR_SECONDS, SECOND, Scribe, day_of_year};

/// Most messages of one channel to a person, at density 1.
const MESSAGES_MAX: f64 = 600.0;

/// Campaigns, the busiest first.
#[rustfmt::skip]
const CAMPAIGNS: &[&str] = &[
    "newsletter", "appointment_reminder", "wellness_tips", "portal_news", "billing_notice", "patient_survey",
    "healthy_eating", "heart_health", "annual_checkup", "diabetes_care", "women_health", "physical_therapy",
    "mental_wellness", "sleep_well", "open_enrollment", "back_to_school", "summer_safety", "community_events",
    "new_clinic", "weight_management", "smoking_cessation", "screening_reminder", "allergy_season", "donor_update",
    "volunteer_call", "caregiver_support", "joint_pain", "telehealth_launch", "medication_refill", "spring_wellness",
    "loyalty_program", "heart_walk", "vision_week", "holiday_greeting", "gala_invitation", "bone_marrow_drive",
];

/// What a message says of itself, repeated in every record about it.
#[derive(Clone, Copy)]
struct Message {
    campaign: &'static str,
    step: &'static str,
    number: u32,
    channel: char,
}

/// Writes mail, text messages and calls.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice) {
    mail(scribe, dice);
    texts(scribe, dice);
    calls(scribe, dice);
}

/// Part of the three years in which the person was there.
pub(super) fn presence(scribe: &Scribe<'_>) -> f64 {
    f64::from((scribe.person.stop - scribe.person.start).max(0)) / 1_096.0
}

fn mail(scribe: &mut Scribe<'_>, dice: &mut Dice) {
    let person = scribe.person;
    if person.email.is_none() {
        return;
    }
    let density = scribe.frame.density;
    let mean = (21.0 * person.activity * presence(scribe)).min(MESSAGES_MAX) * density;
    let mut days: Vec<i32> =
        (0..dice.count(mean)).map(|_| dice.recent_day(person.start, person.stop)).collect();
    days.sort_unstable();
    let reader = Reader::draw(dice);
    let mut number = 0;
    if person.joined == person.start && scribe.frame.density > 0.0 {
        for (step, wait) in [("1", 0), ("2", 7)] {
            if person.joined + wait <= person.stop {
                let message = Message { campaign: "welcome", step, number, channel: 'm' };
                number += 1;
                if !send(scribe, dice, &reader, message, person.joined + wait) {
                    return;
                }
            }
        }
    }
    for day in days {
        let message = Message {
            campaign: campaign(dice, day),
            step: dice.pick(&["1", "1", "2", "3"]),
            number,
            channel: 'm',
        };
        number += 1;
        if !send(scribe, dice, &reader, message, day) {
            return;
        }
    }
}

fn campaign(dice: &mut Dice, day: i32) -> &'static str {
    let autumn = (240..320).contains(&day_of_year(day));
    if autumn && dice.percent(30) { "flu_shot" } else { dice.zipf(CAMPAIGNS) }
}

/// How a person treats mail.
struct Reader {
    opens: f64,
    clicks: f64,
    machine: bool,
    hard_bounce: f64,
}

impl Reader {
    fn draw(dice: &mut Dice) -> Self {
        let opens = if dice.percent(24) { 0.0 } else { 0.15 + 0.5 * dice.unit() };
        let clicks = 0.04 + 0.3 * dice.unit();
        let machine = dice.percent(20);
        let hard_bounce = if dice.percent(4) { 0.06 } else { 0.0006 };
        Self { opens, clicks, machine, hard_bounce }
    }
}

/// Sends one mail and follows it; FALSE when it was the last one this person gets.
fn send(scribe: &mut Scribe<'_>, dice: &mut Dice, reader: &Reader, message: Message, day: i32) -> bool {
    let at = scribe.moment(day, dice.range(6 * HOUR_SECONDS, 20 * HOUR_SECONDS));
    if dice.percent(7) {
        let row = scribe.at(dice, Kind::Delivery, at - 120 * SECOND, "released");
        delivery(row, message, "email");
    }
    describe(scribe, dice, Kind::EmailSent, at, message);
    if dice.chance(reader.hard_bounce) {
        bounced(scribe, dice, at, message, "hard");
        return false;
    }
    if dice.below(1_000) < 9 {
        bounced(scribe, dice, at, message, "soft");
        return true;
    }
    let Some(arrived) = scribe.frame.within(at + dice.range(1, 90) * SECOND) else { return true };
    describe(scribe, dice, Kind::EmailDelivered, arrived, message);
    if reader.machine
        && dice.percent(88)
        && let Some(opened) = scribe.frame.within(arrived + dice.range(1, 120) * SECOND)
    {
        describe(scribe, dice, Kind::EmailOpen, opened, message).flag("machine", true);
    }
    if !dice.chance(reader.opens) {
        return true;
    }
    opened(scribe, dice, reader, message, arrived)
}

/// A person opens a mail, maybe again, clicks, complains, unsubscribes.
fn opened(scribe: &mut Scribe<'_>, dice: &mut Dice, reader: &Reader, message: Message, arrived: i64) -> bool {
    let mut at = arrived;
    let times = dice.weighted(&[(84, 1), (12, 2), (4, 3)]);
    for _ in 0..times {
        let u = dice.unit();
        let wait = 40 + (8.0 * 3_600.0 * u * u * dice.heavy()) as i64;
        let Some(next) = scribe.frame.within(at + wait * SECOND) else { return true };
        at = next;
        let known = !dice.percent(8);
        let row = describe(scribe, dice, Kind::EmailOpen, at, message);
        if known {
            row.flag("machine", false);
        }
    }
    if dice.chance(reader.clicks) {
        let clicks = dice.weighted(&[(88, 1), (12, 2)]);
        for _ in 0..clicks {
            if let Some(clicked) = scribe.frame.within(at + dice.range(3, 900) * SECOND) {
                let page = dice.zipf(super::web::PAGES);
                let scanner = dice.percent(4);
                let row = describe(scribe, dice, Kind::EmailClick, clicked, message);
                row.write("url", format_args!("https://www.example.test{page}")).flag("machine", scanner);
            }
        }
    }
    let leaves = dice.below(10_000);
    let kind = match leaves {
        0..8 => Kind::EmailComplaint,
        8..85 => Kind::EmailUnsubscribe,
        _ => return true,
    };
    if let Some(left) = scribe.frame.within(at + dice.range(5, 600) * SECOND) {
        let row = describe(scribe, dice, kind, left, message);
        if kind == Kind::EmailUnsubscribe {
            row.text("url", "https://www.example.test/preferences");
        }
    }
    false
}

fn bounced(scribe: &mut Scribe<'_>, dice: &mut Dice, at: i64, message: Message, bounce: &str) {
    if let Some(at) = scribe.frame.within(at + dice.range(1, 7_200) * SECOND) {
        let known = !dice.percent(4);
        let row = describe(scribe, dice, Kind::EmailBounce, at, message);
        if known {
            row.text("bounce", bounce);
        }
    }
}

/// Opens a record about a message.
fn describe<'s>(
    scribe: &'s mut Scribe<'_>,
    dice: &mut Dice,
    kind: Kind,
    at: i64,
    message: Message,
) -> &'s mut Table {
    let person = scribe.person;
    let known = dice.below(1_000);
    let row = scribe.at(dice, kind, at, "done");
    if known >= 15 {
        row.text("campaign", message.campaign);
        if known >= 40 {
            row.text("step", message.step);
        }
    }
    if known != 20 {
        row.write("message_id", format_args!("{}-{}{}", person.id, message.channel, message.number));
    }
    row
}

fn delivery(row: &mut Table, message: Message, channel: &str) {
    row.text("campaign", message.campaign).text("step", message.step).text("channel", channel);
    row.write("list", format_args!("{}_{}", message.campaign, message.step));
    if !message.number.is_multiple_of(3) {
        row.write("segment", format_args!("{}_audience", message.campaign));
    }
}

fn texts(scribe: &mut Scribe<'_>, dice: &mut Dice) {
    let person = scribe.person;
    if !person.has_phone || person.age < 16 {
        return;
    }
    let mean = (3.4 * person.activity * presence(scribe)).min(MESSAGES_MAX) * scribe.frame.density;
    let replies = dice.below(30);
    for number in 0..dice.count(mean) {
        let day = dice.recent_day(person.start, person.stop);
        let at = scribe.moment(day, dice.range(9 * HOUR_SECONDS, 19 * HOUR_SECONDS));
        let message = Message { campaign: campaign(dice, day), step: "1", number, channel: 's' };
        if dice.percent(6) {
            let row = scribe.at(dice, Kind::Delivery, at - 60 * SECOND, "released");
            delivery(row, message, if number % 5 == 4 { "push" } else { "sms" });
        }
        describe(scribe, dice, Kind::SmsSent, at, message);
        if dice.percent(replies)
            && let Some(answered) = scribe.frame.within(at + dice.range(20, 9_000) * SECOND)
        {
            describe(scribe, dice, Kind::SmsReply, answered, message);
        }
    }
}

fn calls(scribe: &mut Scribe<'_>, dice: &mut Dice) {
    let person = scribe.person;
    let mean = (0.55 * person.activity.min(8.0) * presence(scribe)).min(MESSAGES_MAX) * scribe.frame.density;
    for number in 0..dice.count(mean) {
        let day = dice.recent_day(person.start, person.stop);
        let at = scribe.moment(day, dice.range(9 * HOUR_SECONDS, 18 * HOUR_SECONDS));
        let message = Message { campaign: dice.zipf(CAMPAIGNS), step: "1", number, channel: 'c' };
        if dice.percent(12) {
            let row = scribe.at(dice, Kind::Delivery, at, "released");
            delivery(row, message, if number % 2 == 0 { "voice" } else { "mail" });
        }
        if person.has_phone {
            describe(scribe, dice, Kind::Call, at, message);
        }
    }
}
