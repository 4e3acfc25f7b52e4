//! Suppression and consent: who must not be approached although the criteria hold.
//!
//! A contact with its suppression and consent records comes in, the first reason to leave it out goes out. What is
//! not known blocks. The engine asks these functions again, contact by contact, before it releases a list.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::Contact;
use super::field::{agreed, value};
use super::time::{
    age_on, birthday, first_instant, in_window, last_instant, months_on, not_future, not_past,
};
use super::truth::Truth;
use crate::clock::Clock;
use crate::schema::{Channel, Purpose};
use crate::segment::{AgeUnit, Cap, Window};
use crate::value::{DateRange, Day, Value, When};

/// Why a contact for whom the criteria are TRUE is left out, in the order in which reasons are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// The author's `exclude` is TRUE.
    Excluded,
    /// A date of death is known.
    Deceased,
    /// No address on the channel.
    NoAddress,
    /// A mail came back for good.
    HardBounce,
    /// A mail was reported as unwanted.
    Complaint,
    /// Mail was cancelled.
    Unsubscribed,
    /// No valid consent for channel and purpose.
    NoConsent,
    /// Under 18, or of unknown age, and the purpose is for adults.
    Minor,
    /// A higher segment of the portfolio has the contact.
    Taken,
    /// Approached too often lately.
    FrequencyCap,
    /// Another contact with the same value stays.
    OnePer,
    /// Not among those whom `sample` takes.
    NotSampled,
    /// Behind the last contact that the limit takes.
    OverLimit,
    /// Kept back for comparison.
    Holdout,
}

impl Blocked {
    /// Every reason, in order.
    pub const ALL: [Self; 14] = [
        Self::Excluded,
        Self::Deceased,
        Self::NoAddress,
        Self::HardBounce,
        Self::Complaint,
        Self::Unsubscribed,
        Self::NoConsent,
        Self::Minor,
        Self::Taken,
        Self::FrequencyCap,
        Self::OnePer,
        Self::NotSampled,
        Self::OverLimit,
        Self::Holdout,
    ];

    /// Name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Deceased => "deceased",
            Self::NoAddress => "no_address",
            Self::HardBounce => "hard_bounce",
            Self::Complaint => "complaint",
            Self::Unsubscribed => "unsubscribed",
            Self::NoConsent => "no_consent",
            Self::Minor => "minor",
            Self::Taken => "taken",
            Self::FrequencyCap => "frequency_cap",
            Self::OnePer => "one_per",
            Self::NotSampled => "not_sampled",
            Self::OverLimit => "over_limit",
            Self::Holdout => "holdout",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Record kinds that [`gate`] looks at.
pub const GATE_KINDS: [&str; 4] = ["email_bounce", "email_complaint", "email_unsubscribe", "consent"];
/// Contact fields that [`gate`] looks at, besides the channel's address.
pub const GATE_FIELDS: [&str; 2] = ["birth_date", "deceased_on"];

const ADULT_YEARS: i64 = 18;

/// What [`judge`] has to know of a contact.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// The days that the date of death can be, when it is known.
    pub deceased_on: Option<DateRange>,
    /// The days that the date of birth can be, when it is known.
    pub birth_date: Option<DateRange>,
    /// An address on the channel is known.
    pub has_address: bool,
    /// Bounces, complaints and cancellations of e-mail.
    pub suppressions: Vec<Suppression<'a>>,
    /// Consent records.
    pub consents: Vec<Consent<'a>>,
    /// Approaches of before, for a cap.
    pub deliveries: Vec<Delivery<'a>>,
}

/// A record of kind `delivery`.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// When.
    pub at: When,
    /// Category, when it is known.
    pub status: Option<&'a str>,
    /// Channel, when it is known.
    pub channel: Option<&'a str>,
}

/// A record of one of the first three [`GATE_KINDS`].
#[derive(Clone, Copy, Debug)]
pub struct Suppression<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// When.
    pub at: When,
    /// Category, when it is known.
    pub status: Option<&'a str>,
    /// Category of a bounce, when it is known.
    pub bounce: Option<&'a str>,
}

/// A consent record: when, and its categories and texts, when they are known.
#[derive(Clone, Copy, Debug)]
pub struct Consent<'a> {
    /// When.
    pub at: When,
    /// End of a grant.
    pub end: Option<When>,
    /// Category.
    pub status: Option<&'a str>,
    /// Channel it is limited to.
    pub channel: Option<&'a str>,
    /// Purpose it is limited to.
    pub purpose: Option<&'a str>,
    /// Category.
    pub decision: Option<&'a str>,
    /// What it is limited to beyond that.
    pub scope: Option<&'a str>,
}

/// [`judge`] for a contact with its records.
#[must_use]
pub fn gate(
    contact: &Contact,
    purpose: Option<Purpose>,
    channel: Option<Channel>,
    clock: &Clock,
    now_micros: i64,
) -> Option<Blocked> {
    judge(&facts(contact, channel), purpose, channel, clock, now_micros)
}

/// The first reason of suppression or consent to leave a contact out: deceased, no address, hard bounce, complaint,
/// unsubscribed, no consent, minor.
///
/// Judged at the later of as_of and `now_micros`, in the clock's zone: whatever past the list describes, it must not
/// reach someone who has revoked since. A segment without purpose or channel has no consent to show.
#[must_use]
pub fn judge(
    facts: &Facts<'_>,
    purpose: Option<Purpose>,
    channel: Option<Channel>,
    clock: &Clock,
    now_micros: i64,
) -> Option<Blocked> {
    GATES.into_iter().find(|gate| closed(*gate, facts, purpose, channel, clock, now_micros))
}

/// What [`judge`] asks, in order.
pub(super) const GATES: [Blocked; 7] = [
    Blocked::Deceased,
    Blocked::NoAddress,
    Blocked::HardBounce,
    Blocked::Complaint,
    Blocked::Unsubscribed,
    Blocked::NoConsent,
    Blocked::Minor,
];

/// One of [`GATES`] keeps the contact out, whatever the others say.
pub(super) fn closed(
    gate: Blocked,
    facts: &Facts<'_>,
    purpose: Option<Purpose>,
    channel: Option<Channel>,
    clock: &Clock,
    now_micros: i64,
) -> bool {
    let clock = Clock { as_of_micros: clock.as_of_micros.max(now_micros), zone: clock.zone };
    let has = |kind: &str, takes: &dyn Fn(&Suppression<'_>) -> bool| {
        channel == Some(Channel::Email)
            && facts
                .suppressions
                .iter()
                .any(|record| record.kind == kind && counts(record, &clock) && takes(record))
    };
    match gate {
        Blocked::Deceased => facts.deceased_on.is_some(),
        Blocked::NoAddress => channel.is_some() && !facts.has_address,
        Blocked::HardBounce => has("email_bounce", &|record| record.bounce == Some("hard")),
        Blocked::Complaint => has("email_complaint", &|_| true),
        Blocked::Unsubscribed => has("email_unsubscribe", &|_| true),
        Blocked::NoConsent => {
            let asked = purpose.zip(channel);
            !asked.is_some_and(|(purpose, channel)| consented(&facts.consents, purpose, channel, &clock))
        }
        Blocked::Minor => {
            // Whoever may be younger is taken for younger.
            let age = facts.birth_date.and_then(|born| age_on(born.last, clock.today()));
            purpose.is_some_and(Purpose::adults_only) && age.is_none_or(|years| years < ADULT_YEARS)
        }
        // Not gates of consent and suppression.
        Blocked::Excluded
        | Blocked::Taken
        | Blocked::FrequencyCap
        | Blocked::OnePer
        | Blocked::NotSampled
        | Blocked::OverLimit
        | Blocked::Holdout => false,
    }
}

pub(super) fn facts(contact: &Contact, channel: Option<Channel>) -> Facts<'_> {
    let address = channel.and_then(|channel| value(&contact.fields, channel.address_field()));
    let mut facts = Facts {
        deceased_on: date(contact, "deceased_on"),
        birth_date: date(contact, "birth_date"),
        has_address: address.is_some(),
        ..Facts::default()
    };
    for record in &contact.records {
        // What has no time never happened.
        let Some(at) = record.at() else { continue };
        let status = record.category("status");
        match record.kind.as_str() {
            kind @ ("email_bounce" | "email_complaint" | "email_unsubscribe") => {
                let bounce = record.category("bounce");
                facts.suppressions.push(Suppression { kind, at, status, bounce });
            }
            "consent" => facts.consents.push(Consent {
                at,
                end: record.moment("end"),
                status,
                channel: record.category("channel"),
                purpose: record.category("purpose"),
                decision: record.category("decision"),
                scope: record.category("scope"),
            }),
            "delivery" => facts.deliveries.push(Delivery {
                at,
                status: record.category("status"),
                channel: record.category("channel"),
            }),
            _ => {}
        }
    }
    facts
}

/// The contact has had too many deliveries on the channel ([`Cap`]); judged at the clock of [`judge`].
#[must_use]
pub fn capped(
    cap: &Cap,
    deliveries: &[Delivery<'_>],
    channel: Option<Channel>,
    clock: &Clock,
    now_micros: i64,
) -> bool {
    let clock = Clock { as_of_micros: clock.as_of_micros.max(now_micros), zone: clock.zone };
    let counts = |delivery: &&Delivery<'_>| {
        delivery.status != Some("entered_in_error")
            && delivery.channel.is_none_or(|own| channel.is_none_or(|channel| channel.name() == own))
            && not_future(delivery.at, &clock)
            && in_window(delivery.at, &Window::InLast(cap.per), &clock) != Truth::False
    };
    deliveries.iter().filter(counts).count() >= cap.count as usize
}

fn date(contact: &Contact, field: &str) -> Option<DateRange> {
    value(&contact.fields, field).and_then(Value::date_range)
}

/// Visible and not withdrawn as an error. Machines count here: a bounce is a bounce.
fn counts(record: &Suppression<'_>, clock: &Clock) -> bool {
    record.status != Some("entered_in_error") && not_future(record.at, clock)
}

/// The completed years or months that the contact can have on a day, or at death when that came first: one, unless the
/// birth or the death is not known to the day. `None` when that is unknown, or the birth can lie behind the day.
///
/// Who was born later is younger and who died later grew older, by no more than one from day to day: every age between the
/// least and the greatest belongs to some of the days.
pub(super) fn ages(unit: AgeUnit, contact: &Contact, day: Day) -> Option<RangeInclusive<i64>> {
    let born = date(contact, "birth_date")?;
    let died = date(contact, "deceased_on");
    let until = |died: Option<Day>| died.map_or(day, |died| died.min(day));
    let completed = match unit {
        AgeUnit::Years => age_on,
        AgeUnit::Months => months_on,
    };
    let youngest = completed(born.last, until(died.map(|died| died.first)))?;
    let oldest = completed(born.first, until(died.map(|died| died.last)))?;
    Some(youngest..=oldest)
}

/// The day on which the contact completes so many years lies in the window, and in life.
pub(super) fn turns(contact: &Contact, age: u32, window: &Window, clock: &Clock) -> Truth {
    let Some(born) = date(contact, "birth_date") else { return Truth::Unknown };
    // Of the days on which somebody may have died, the first and the last make all the difference there is.
    let died: Vec<Option<Day>> = match date(contact, "deceased_on") {
        Some(died) => vec![Some(died.first), Some(died.last)],
        None => vec![None],
    };
    let says = |born: Day, died: Option<Day>| {
        let day = birthday(born, age);
        if died.is_some_and(|died| died < day) {
            return Truth::False;
        }
        in_window(When::Day(day), window, clock)
    };
    agreed(born.days().flat_map(|born| died.iter().map(move |died| says(born, *died))))
}

/// What the consent records say for a channel and a purpose: the decision of the latest moment, a refusal winning
/// over a grant of the same moment. Where the purpose needs no authorization, silence is consent.
fn consented(records: &[Consent<'_>], purpose: Purpose, channel: Channel, clock: &Clock) -> bool {
    let decisions = records
        .iter()
        .filter(|record| record.channel.is_none_or(|own| own == channel.name()))
        .filter(|record| record.purpose.is_none_or(|own| own == purpose.name()))
        .filter(|record| !matches!(record.status, Some("draft" | "entered_in_error")))
        .filter_map(|record| decision(record, clock));
    let Some(latest) = decisions.clone().map(|decision| decision.moment).max() else {
        return !purpose.needs_authorization();
    };
    let mut last = decisions.filter(|decision| decision.moment == latest);
    if last.clone().any(|decision| !decision.grants) {
        return false;
    }
    !purpose.needs_authorization() || last.any(|decision| !decision.expired)
}

struct Decision {
    moment: i64,
    grants: bool,
    expired: bool,
}

/// A consent record as a decision; `None` when it is invisible, pending, or a grant of limited scope. A refusal
/// known to the day holds from the day's end, a grant from its start: in doubt the refusal came later.
fn decision(record: &Consent<'_>, clock: &Clock) -> Option<Decision> {
    let at = Some(record.at).filter(|at| not_future(*at, clock))?;
    match record.decision {
        Some("pending") => None,
        Some("grant") => {
            let scoped = record.scope.is_some_and(|scope| scope != "all");
            let expired = record.end.is_some_and(|end| match end {
                When::Instant(micros) => micros <= clock.as_of_micros,
                When::Day(_) => !not_past(end, clock),
            });
            (!scoped).then(|| Decision { moment: first_instant(at, clock), grants: true, expired })
        }
        Some(_) | None => Some(Decision { moment: last_instant(at, clock), grants: false, expired: false }),
    }
}

/// Gates that only e-mail has.
pub(super) fn email_only(gate: Blocked) -> bool {
    match gate {
        Blocked::HardBounce | Blocked::Complaint | Blocked::Unsubscribed => true,
        Blocked::Excluded
        | Blocked::Deceased
        | Blocked::NoAddress
        | Blocked::NoConsent
        | Blocked::Minor
        | Blocked::Taken
        | Blocked::FrequencyCap
        | Blocked::OnePer
        | Blocked::NotSampled
        | Blocked::OverLimit
        | Blocked::Holdout => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_in_waterfall_order() {
        for reason in Blocked::ALL {
            assert_eq!(Blocked::parse(reason.name()), Some(reason));
        }
        assert!(Blocked::ALL.is_sorted());
    }
}
