//! Suppression and consent.

use super::*;

fn reachable() -> Contact {
    person(&[("contact_id", "c1"), ("email", "a@example.org"), ("birth_date", "1980-01-01")])
}

fn mail(purpose: Purpose) -> Segment {
    Segment { purpose: Some(purpose), channel: Some(Channel::Email), ..open_segment(Logic::True) }
}

#[track_caller]
fn blocked(purpose: Purpose, contact: &Contact, expected: Option<Blocked>) {
    let verdict = verdict(&mail(purpose), contact, "2026-01-05T12:00", "2026-01-05T12:00");
    assert!(verdict.matched);
    assert_eq!(verdict.blocked, expected);
}

fn consent(contact: Contact, at: &str, decision: &str, more: &[(&str, &str)]) -> Contact {
    let mut cells = vec![("at", at), ("decision", decision)];
    cells.extend_from_slice(more);
    contact.with("consent", &cells)
}

use Purpose::{Marketing, Treatment};

#[test]
fn reasons_come_in_order() {
    let mut contact = reachable();
    blocked(Treatment, &contact, None);
    blocked(Marketing, &contact, Some(Blocked::NoConsent));
    contact = contact.with("email_unsubscribe", &[("at", "2025-01-01")]);
    blocked(Treatment, &contact, Some(Blocked::Unsubscribed));
    contact = contact.with("email_complaint", &[("at", "2025-01-01")]);
    blocked(Treatment, &contact, Some(Blocked::Complaint));
    contact = contact.with("email_bounce", &[("at", "2025-01-01"), ("bounce", "hard")]);
    blocked(Treatment, &contact, Some(Blocked::HardBounce));
    contact.fields.remove("email");
    blocked(Treatment, &contact, Some(Blocked::NoAddress));
    contact.fields.insert("deceased_on".to_owned(), Value::Date(parse_day("2025-06-01").unwrap()));
    blocked(Treatment, &contact, Some(Blocked::Deceased));
    let exclude = Some(Criterion { label: "everyone".to_owned(), test: Logic::True });
    let segment = Segment { exclude, ..mail(Treatment) };
    let verdict = verdict(&segment, &contact, "2026-01-05", "2026-01-05");
    assert_eq!(verdict.blocked, Some(Blocked::Excluded));
}

#[test]
fn exclude_removes_only_what_is_true() {
    let female = field("gender", Test::Compare(Cmp::Eq, category("female")));
    let exclude = Some(Criterion { label: "gender = female".to_owned(), test: female });
    let segment = Segment { exclude, ..open_segment(Logic::True) };
    assert_eq!(verdict(&segment, &nobody_special(), "2026-01-05", "2026-01-05").blocked, None);
    let woman = person(&[("contact_id", "c1"), ("gender", "female")]);
    assert_eq!(verdict(&segment, &woman, "2026-01-05", "2026-01-05").blocked, Some(Blocked::Excluded));
}

#[test]
fn soft_bounces_and_errors_do_not_suppress_machines_do() {
    let bounce = |cells: &[(&str, &str)]| {
        let mut all = vec![("at", "2025-01-01")];
        all.extend_from_slice(cells);
        reachable().with("email_bounce", &all)
    };
    blocked(Treatment, &bounce(&[("bounce", "soft")]), None);
    blocked(Treatment, &bounce(&[("bounce", "hard"), ("status", "entered_in_error")]), None);
    blocked(Treatment, &bounce(&[("bounce", "hard"), ("machine", "true")]), Some(Blocked::HardBounce));
    // Mail troubles do not keep a letter back.
    let letter = Segment { channel: Some(Channel::Mail), ..mail(Treatment) };
    let mut contact = bounce(&[("bounce", "hard")]);
    contact.fields.insert("address_line".to_owned(), Value::Text("1 Main St".to_owned()));
    assert_eq!(verdict(&letter, &contact, "2026-01-05", "2026-01-05").blocked, None);
}

#[test]
fn a_revocation_in_the_same_second_wins() {
    let at = "2026-01-01T10:00:00Z";
    let both = consent(consent(reachable(), at, "grant", &[]), at, "revoke", &[]);
    blocked(Marketing, &both, Some(Blocked::NoConsent));
    let again = consent(both, "2026-01-01T10:00:00.000001Z", "grant", &[]);
    blocked(Marketing, &again, None);
}

#[test]
fn days_count_against_the_grant() {
    // Revoked on a day, granted some time that day: the revocation may have come later.
    let doubt =
        consent(consent(reachable(), "2026-01-01", "revoke", &[]), "2026-01-01T20:00:00Z", "grant", &[]);
    blocked(Marketing, &doubt, Some(Blocked::NoConsent));
    let reverse =
        consent(consent(reachable(), "2026-01-01", "grant", &[]), "2026-01-01T06:00:00Z", "revoke", &[]);
    blocked(Marketing, &reverse, Some(Blocked::NoConsent));
    blocked(Marketing, &consent(reverse, "2026-01-02", "grant", &[]), None);
}

#[test]
fn grants_expire_and_have_a_scope() {
    let grant = |more: &[(&str, &str)]| consent(reachable(), "2025-01-01", "grant", more);
    blocked(Marketing, &grant(&[("end", "2026-01-05")]), None);
    blocked(Marketing, &grant(&[("end", "2026-01-04")]), Some(Blocked::NoConsent));
    blocked(Marketing, &grant(&[("end", "2026-01-05T17:00:00Z")]), Some(Blocked::NoConsent));
    blocked(Marketing, &grant(&[("end", "2026-01-05T17:00:00.000001Z")]), None);
    blocked(Treatment, &grant(&[("end", "2025-02-01")]), None);
    blocked(Marketing, &grant(&[("scope", "newsletter")]), Some(Blocked::NoConsent));
    blocked(Marketing, &grant(&[("scope", "all")]), None);
    blocked(Marketing, &grant(&[("channel", "sms")]), Some(Blocked::NoConsent));
    blocked(Marketing, &grant(&[("purpose", "research")]), Some(Blocked::NoConsent));
    blocked(Marketing, &grant(&[("channel", "email"), ("purpose", "marketing")]), None);
    blocked(Marketing, &grant(&[("status", "draft")]), Some(Blocked::NoConsent));
    // A later grant of limited scope is no decision; a later refusal of limited scope is.
    let scoped = [("scope", "newsletter")];
    blocked(Marketing, &consent(grant(&[]), "2025-06-01", "grant", &scoped), None);
    blocked(Marketing, &consent(grant(&[]), "2025-06-01", "revoke", &scoped), Some(Blocked::NoConsent));
    // The latest decision counts although it has expired.
    let renewed = consent(grant(&[]), "2025-06-01", "grant", &[("end", "2025-07-01")]);
    blocked(Marketing, &renewed, Some(Blocked::NoConsent));
}

#[test]
fn what_is_not_decided_blocks() {
    let grant = consent(reachable(), "2025-01-01", "grant", &[]);
    blocked(Marketing, &consent(grant.clone(), "2025-06-01", "pending", &[]), None);
    blocked(Marketing, &consent(grant.clone(), "2025-06-01", "deny", &[]), Some(Blocked::NoConsent));
    let unsaid = grant.clone().with("consent", &[("at", "2025-06-01")]);
    blocked(Marketing, &unsaid, Some(Blocked::NoConsent));
    blocked(Treatment, &unsaid, Some(Blocked::NoConsent));
    let nameless = Segment { purpose: None, ..mail(Marketing) };
    let verdict = verdict(&nameless, &grant, "2026-01-05", "2026-01-05");
    assert_eq!(verdict.blocked, Some(Blocked::NoConsent));
}

#[test]
fn marketing_is_for_adults() {
    let born = |day: &str| {
        let contact = person(&[("contact_id", "c1"), ("email", "a@example.org"), ("birth_date", day)]);
        consent(contact, "2025-01-01", "grant", &[])
    };
    blocked(Marketing, &born("2008-01-05"), None);
    blocked(Marketing, &born("2008-01-06"), Some(Blocked::Minor));
    blocked(Marketing, &born("2030-01-01"), Some(Blocked::Minor));
    blocked(Treatment, &born("2008-01-06"), None);
    let ageless =
        consent(person(&[("contact_id", "c1"), ("email", "a@example.org")]), "2025-01-01", "grant", &[]);
    blocked(Marketing, &ageless, Some(Blocked::Minor));
}

#[test]
fn gates_use_the_present() {
    let revoked =
        consent(consent(reachable(), "2020-01-01", "grant", &[]), "2026-01-02T10:00:00Z", "revoke", &[]);
    let at = |as_of, now| verdict(&mail(Marketing), &revoked, as_of, now).blocked;
    assert_eq!(at("2025-01-01", "2026-01-05"), Some(Blocked::NoConsent));
    assert_eq!(at("2025-01-01", "2026-01-01"), None);
    // As_of ahead of the present sees what is known for then.
    assert_eq!(at("2026-02-01", "2026-01-01"), Some(Blocked::NoConsent));
}

#[test]
fn a_contact_that_does_not_match_has_no_reason() {
    let verdict = verdict(&open_segment(Logic::False), &nobody_special(), "2026-01-05", "2026-01-05");
    assert_eq!(verdict, Verdict { criteria: vec![Truth::False], matched: false, blocked: None });
}
