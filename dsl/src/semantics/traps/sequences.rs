//! Records that follow each other: order, reach, closed time, chains, keys.

use super::*;
use Truth::{False, True};

/// The criterion as it is written.
fn written(criterion: &str) -> Criteria {
    let source = format!("segment s where {criterion}");
    let found = crate::check(&source, &Schema::built_in());
    let errors: Vec<_> = found.diagnostics.iter().filter(|finding| finding.is_error()).collect();
    assert!(errors.is_empty(), "{criterion}: {errors:?}");
    found.segments.into_iter().next().unwrap().criteria.remove(0).test
}

/// Records of kinds at moments.
fn journey(records: &[(&str, &str)]) -> Contact {
    records.iter().fold(nobody_special(), |contact, (kind, at)| contact.with(kind, &[("at", at)]))
}

#[track_caller]
fn table(criterion: &str, as_of: &str, rows: &[(&[(&str, &str)], bool)]) {
    let criterion = written(criterion);
    for (records, expected) in rows {
        let found = evaluate(&criterion, &journey(records), &Schema::built_in(), &clock(as_of));
        assert_eq!(found, Truth::of(*expected), "{records:?}");
    }
}

const SENT: &str = "email_sent";
const CLICK: &str = "email_click";

#[test]
fn later_and_within_reach() {
    table(
        "email_sent then email_click within 7 days",
        "2026-01-31",
        &[
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-01T15:01:00Z")], true),
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-01T15:00:00Z")], false),
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-01T14:59:00Z")], false),
            // Days are whole local days: the seventh ends at five in the morning of the ninth in UTC.
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-09T04:59:00Z")], true),
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-09T05:00:00Z")], false),
            // Whole days when either is a date.
            (&[(SENT, "2026-01-01"), (CLICK, "2026-01-01T23:00:00Z")], false),
            (&[(SENT, "2026-01-01"), (CLICK, "2026-01-01")], false),
            (&[(SENT, "2026-01-01"), (CLICK, "2026-01-02")], true),
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-02")], true),
            (&[(SENT, "2026-01-01"), (CLICK, "2026-01-08")], true),
            (&[(SENT, "2026-01-01"), (CLICK, "2026-01-09")], false),
            // Not yet.
            (&[(SENT, "2026-01-30T15:00:00Z"), (CLICK, "2026-02-01T15:00:00Z")], false),
            (&[(CLICK, "2026-01-08")], false),
            (&[], false),
        ],
    );
}

#[test]
fn hours_are_exact_and_days_known_only_as_such_count_whole() {
    table(
        "email_sent then email_click within 24 hours",
        "2026-01-31",
        &[
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-02T15:00:00Z")], true),
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-02T15:00:00.000001Z")], false),
            // Somewhere in the next day may be more than a day later.
            (&[(SENT, "2026-01-01"), (CLICK, "2026-01-02")], false),
            (&[(SENT, "2026-01-01T15:00:00Z"), (CLICK, "2026-01-02")], false),
        ],
    );
    table(
        "email_sent then email_click within 48 hours",
        "2026-01-31",
        &[
            (&[(SENT, "2026-01-01"), (CLICK, "2026-01-02")], true),
            (&[(SENT, "2026-01-01"), (CLICK, "2026-01-03")], false),
        ],
    );
    // Months are clamped, from where the clock starts.
    table(
        "email_sent then email_click within 1 month",
        "2026-06-30",
        &[
            (&[(SENT, "2026-01-31"), (CLICK, "2026-02-28")], true),
            (&[(SENT, "2026-01-31"), (CLICK, "2026-03-01")], false),
        ],
    );
}

#[test]
fn at_least_and_at_most() {
    table(
        "encounter then encounter after 90 days within 1 year",
        "2026-12-31",
        &[
            (&[("encounter", "2025-01-01"), ("encounter", "2025-04-01")], true),
            (&[("encounter", "2025-01-01"), ("encounter", "2025-03-31")], false),
            (&[("encounter", "2025-01-01"), ("encounter", "2026-01-01")], true),
            (&[("encounter", "2025-01-01"), ("encounter", "2026-01-02")], false),
            // The one in between is no obstacle.
            (&[("encounter", "2025-01-01"), ("encounter", "2025-02-01"), ("encounter", "2025-04-15")], true),
            (&[("encounter", "2025-01-01")], false),
        ],
    );
    table(
        "email_sent then email_click after 2 hours within 3 hours",
        "2026-12-31",
        &[
            (&[(SENT, "2026-01-01T10:00:00Z"), (CLICK, "2026-01-01T12:00:00Z")], true),
            (&[(SENT, "2026-01-01T10:00:00Z"), (CLICK, "2026-01-01T11:59:00Z")], false),
            (&[(SENT, "2026-01-01T10:00:00Z"), (CLICK, "2026-01-01T13:00:00Z")], true),
            (&[(SENT, "2026-01-01T10:00:00Z"), (CLICK, "2026-01-01T13:01:00Z")], false),
        ],
    );
}

#[test]
fn one_choice_serves_a_whole_chain() {
    let chain = "email_sent then email_open within 1 day then email_click within 1 day";
    const OPEN: &str = "email_open";
    table(
        chain,
        "2026-01-31",
        &[
            (&[(SENT, "2026-01-01"), (OPEN, "2026-01-02"), (CLICK, "2026-01-03")], true),
            // Taking the first open, or the last, leads nowhere alone.
            (
                &[
                    (SENT, "2026-01-01"),
                    (OPEN, "2026-01-02"),
                    (SENT, "2026-01-05"),
                    (OPEN, "2026-01-06"),
                    (CLICK, "2026-01-03"),
                ],
                true,
            ),
            (
                &[
                    (SENT, "2026-01-01"),
                    (OPEN, "2026-01-02"),
                    (SENT, "2026-01-05"),
                    (OPEN, "2026-01-06"),
                    (CLICK, "2026-01-07"),
                ],
                true,
            ),
            // Each link has its pair, but no open serves both.
            (
                &[(SENT, "2026-01-01"), (OPEN, "2026-01-02"), (OPEN, "2026-01-08"), (CLICK, "2026-01-09")],
                false,
            ),
        ],
    );
}

#[test]
fn what_must_not_follow_has_had_its_time() {
    let abandoned = "form_start not followed by form_complete within 24 hours";
    const START: &str = "form_start";
    const DONE: &str = "form_complete";
    let as_of = "2026-01-10T12:00[UTC]";
    table(
        abandoned,
        as_of,
        &[
            (&[(START, "2026-01-09T12:00:00Z")], true),
            (&[(START, "2026-01-09T12:00:00.000001Z")], false),
            (&[(START, "2026-01-08T12:00:00Z"), (DONE, "2026-01-09T12:00:00Z")], false),
            (&[(START, "2026-01-08T12:00:00Z"), (DONE, "2026-01-09T12:01:00Z")], true),
            (&[(START, "2026-01-08T12:00:00Z"), (DONE, "2026-01-08T11:00:00Z")], true),
            // One abandoned start is enough.
            (
                &[
                    (START, "2026-01-05T12:00:00Z"),
                    (START, "2026-01-08T12:00:00Z"),
                    (DONE, "2026-01-08T13:00:00Z"),
                ],
                true,
            ),
            // Perhaps within 24 hours: nobody is approached because it is not known.
            (&[(START, "2026-01-05T12:00:00Z"), (DONE, "2026-01-06")], false),
            (&[(START, "2026-01-05T12:00:00Z"), (DONE, "2026-01-07")], true),
            // A start known only to the day may have been at its end.
            (&[(START, "2026-01-09")], false),
            (&[(START, "2026-01-08")], true),
            (&[], false),
        ],
    );
    table(
        "form_start not followed by form_complete within 24 hours or still open",
        as_of,
        &[
            (&[(START, "2026-01-10T11:00:00Z")], true),
            (&[(START, "2026-01-10T11:00:00Z"), (DONE, "2026-01-10T11:30:00Z")], false),
        ],
    );
    table(
        "form_start not followed by form_complete within 14 days",
        "2026-01-31",
        &[
            // The last of the days must be over too.
            (&[(START, "2026-01-17T12:00:00Z")], false),
            (&[(START, "2026-01-16T12:00:00Z")], true),
        ],
    );
}

#[test]
fn the_clock_can_start_at_the_end() {
    let stay = |end: &str, follow_up: &str| {
        let mut cells = vec![("at", "2026-01-01"), ("class", "inpatient")];
        if !end.is_empty() {
            cells.push(("end", end));
        }
        nobody_special().with("encounter", &cells).with("visit", &[("at", follow_up)])
    };
    let followed = written("encounter(class = inpatient).end then visit within 7 days");
    let not = written("encounter(class = inpatient).end not followed by visit within 7 days");
    for (end, visit, expected, negated) in [
        ("2026-01-10", "2026-01-17", True, False),
        ("2026-01-10", "2026-01-18", False, True),
        ("2026-01-10", "2026-01-05", False, True),
        // Without an end nothing starts, and nothing can be missed.
        ("", "2026-01-05", False, False),
        // The time for it is not over.
        ("2026-01-25", "2026-01-05", False, False),
    ] {
        says(&followed, &stay(end, visit), "2026-01-31", expected);
        says(&not, &stay(end, visit), "2026-01-31", negated);
    }
    // A follow-up that is booked counts, although it lies ahead.
    let booked = written("encounter.end not followed by appointment within 7 days or still open");
    let home = nobody_special().with("encounter", &[("at", "2026-01-20"), ("end", "2026-01-30")]);
    says(&booked, &home, "2026-01-31", True);
    says(&booked, &home.with("appointment", &[("at", "2026-02-04")]), "2026-01-31", False);
}

#[test]
fn near_on_either_side() {
    let rows: [(&str, bool, bool, bool); 7] = [
        ("2026-01-06", false, false, false),
        ("2026-01-07", true, false, true),
        ("2026-01-09", true, false, true),
        ("2026-01-10", false, false, true),
        ("2026-01-11", false, true, true),
        ("2026-01-13", false, true, true),
        ("2026-01-14", false, false, false),
    ];
    for (at, before, after, around) in rows {
        let contact = journey(&[("visit", "2026-01-10"), ("call", at)]);
        for (side, expected) in [("before", before), ("after", after), ("around", around)] {
            let near = written(&format!("call within 3 days {side} visit"));
            says(&near, &contact, "2026-01-31", Truth::of(expected));
        }
        let then = written("visit then call within 3 days");
        says(&then, &contact, "2026-01-31", Truth::of(after));
    }
    // Counted back from the one behind: the 28th is a month before the 31st of March.
    let month = written("call within 1 month before visit");
    says(&month, &journey(&[("visit", "2026-03-31"), ("call", "2026-02-28")]), "2026-06-30", True);
    says(&month, &journey(&[("visit", "2026-03-31"), ("call", "2026-02-27")]), "2026-06-30", False);
    // A record is not near itself.
    let two = written("visit within 3 days around visit");
    says(&two, &journey(&[("visit", "2026-01-10")]), "2026-01-31", False);
    says(&two, &journey(&[("visit", "2026-01-10"), ("visit", "2026-01-10")]), "2026-01-31", True);
    says(&two, &journey(&[("visit", "2026-01-10"), ("visit", "2026-01-20")]), "2026-01-31", False);
}

#[test]
fn the_same_and_a_missing_key() {
    let form = |name: Option<&str>| {
        let mut cells = vec![("at", "2026-01-10T10:00:00Z")];
        cells.extend(name.map(|name| ("name", name)));
        nobody_special().with("form_start", &cells)
    };
    let done = |contact: Contact, name: Option<&str>| {
        let mut cells = vec![("at", "2026-01-10T11:00:00Z")];
        cells.extend(name.map(|name| ("name", name)));
        contact.with("form_complete", &cells)
    };
    let followed = written("form_start then form_complete same name as form_start within 1 day");
    let not = written("form_start not followed by form_complete same name as form_start within 1 day");
    for (contact, expected, negated) in [
        (done(form(Some("intake")), Some("intake")), True, False),
        (done(form(Some("intake")), Some("Intake")), False, True),
        (done(form(Some("intake")), None), False, True),
        (form(Some("intake")), False, True),
        // Without a key it cannot be told whether something followed.
        (done(form(None), None), False, False),
        (form(None), False, False),
    ] {
        says(&followed, &contact, "2026-01-31", expected);
        says(&not, &contact, "2026-01-31", negated);
    }
}

#[test]
fn what_must_not_follow_inside_a_chain() {
    // No open within a day of the mail, and a call within a week of the mail.
    let chain = "email_sent not followed by email_open within 1 day then call within 7 days";
    table(
        chain,
        "2026-01-31",
        &[
            (&[(SENT, "2026-01-01"), ("call", "2026-01-08")], true),
            (&[(SENT, "2026-01-01"), ("call", "2026-01-09")], false),
            (&[(SENT, "2026-01-01"), ("email_open", "2026-01-02"), ("call", "2026-01-05")], false),
            (&[(SENT, "2026-01-01"), ("email_open", "2026-01-03"), ("call", "2026-01-05")], true),
        ],
    );
}
