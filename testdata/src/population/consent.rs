//! Consent: who may be approached, on which channel, what for.
//!
//! In: a person. Out: `consent` records. Marketing e-mail reaches somewhat more than half of all contacts: most
//! adults grant it, some deny, revoke or let it expire, some are pending.

use super::dice::Dice;
use super::kinds::Kind;
use super::scribe::Scribe;

/// A channel and purpose that is asked for now and then: channel, purpose (empty: any), percentage of adults asked.
#[rustfmt::skip]
const ASKED: &[(&str, &str, u32)] = &[
    ("sms", "treatment", 38), ("sms", "marketing", 22), ("email", "treatment", 24), ("voice", "operations", 12),
    ("mail", "fundraising", 10), ("email", "marketing_paid", 9), ("", "research", 15), ("push", "operations", 8),
    ("email", "fundraising", 9), ("mail", "payment", 4), ("mail", "marketing", 9), ("voice", "treatment", 5),
    ("push", "marketing", 5), ("email", "research", 4), ("sms", "", 3),
];

/// Writes the consent records of a person.
pub(super) fn record(scribe: &mut Scribe<'_>, dice: &mut Dice) {
    if scribe.person.age < 18 {
        // Guardians agree to messages about care.
        if dice.percent(22) {
            let day = dice.day(scribe.person.start, scribe.person.stop);
            let decision = dice.weighted(&[(90, "grant"), (5, "deny"), (5, "pending")]);
            decide(scribe, dice, day, ("email", "treatment", decision));
        }
        return;
    }
    if scribe.person.email.is_some() && !dice.percent(5) {
        let decision = dice.weighted(&[(870, "grant"), (60, "deny"), (50, "pending"), (20, "revoke")]);
        asked(scribe, dice, ("email", "marketing", decision));
    }
    for (channel, purpose, share) in ASKED {
        if dice.percent(*share) {
            let decision =
                dice.weighted(&[(790, "grant"), (110, "deny"), (80, "pending"), (15, "revoke"), (5, "")]);
            asked(scribe, dice, (channel, purpose, decision));
        }
    }
    if dice.below(1_000) < 14 {
        let day = dice.recent_day(scribe.person.start, scribe.person.stop);
        let decision = if dice.percent(70) { "revoke" } else { "deny" };
        decide(scribe, dice, day, ("", "", decision));
    }
}

/// A decision soon after joining, and a change of mind for some.
fn asked(scribe: &mut Scribe<'_>, dice: &mut Dice, what: (&str, &str, &str)) {
    let (channel, purpose, decision) = what;
    let person = scribe.person;
    let day =
        if dice.percent(60) { person.start + dice.day(0, 45) } else { dice.day(person.start, person.stop) };
    let day = day.min(person.stop);
    decide(scribe, dice, day, (channel, purpose, decision));
    let change = match decision {
        "grant" if dice.percent(7) => "revoke",
        "deny" | "revoke" | "pending" if dice.percent(22) => "grant",
        _ => return,
    };
    let later = dice.day(day, person.stop);
    decide(scribe, dice, later, (channel, purpose, change));
}

fn decide(scribe: &mut Scribe<'_>, dice: &mut Dice, day: i32, what: (&str, &str, &str)) {
    let (channel, purpose, decision) = what;
    let person = scribe.person;
    let at = scribe.moment(day, dice.range(0, 86_399));
    let expires = (decision == "grant" && dice.percent(13)).then(|| day + dice.day(365, 1_460));
    let end = expires.map(|day| scribe.any_moment(day, 86_399));
    let scope = dice.weighted(&[(640, ""), (320, "all"), (25, "cardiology"), (15, "newsletter")]);
    let basis = dice.weighted(&[
        (40, "web_form"),
        (25, "written"),
        (12, "verbal"),
        (15, "hipaa_authorization"),
        (8, ""),
    ]);
    let (draft, document) = (dice.below(1_000) < 6, dice.percent(55));
    let row = scribe.at(dice, Kind::Consent, at, if draft { "draft" } else { "active" });
    for (name, value) in [
        ("channel", channel),
        ("purpose", purpose),
        ("scope", scope),
        ("decision", decision),
        ("basis", basis),
    ] {
        if !value.is_empty() {
            row.text(name, value);
        }
    }
    if let Some(end) = end {
        row.instant("end", end);
    }
    if document {
        row.write("document", format_args!("doc-{}-{}", person.number, day));
    }
}
