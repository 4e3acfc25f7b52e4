//! References to segments: three values of the exclusion, clocks that are turned back over zones and leap days.

use super::*;
use Truth::{False, True, Unknown};

/// The last segment of a text asked of a contact.
#[track_caller]
fn asked(text: &str, contact: &Contact, as_of: &str) -> Truth {
    let found = crate::check(text, &Schema::built_in());
    let errors: Vec<_> = found.diagnostics.iter().filter(|finding| finding.is_error()).collect();
    assert!(errors.is_empty(), "{text}: {errors:?}");
    let segment = found.segments.last().unwrap();
    evaluate(&segment.criteria[0].test, contact, &Schema::built_in(), &clock(as_of))
}

#[test]
fn an_exclusion_removes_when_it_is_true() {
    let text = "segment a where city = \"X\" exclude county = \"Y\" segment s where in segment a";
    let values = [("X", True), ("Z", False), ("", Unknown)];
    for (city, test) in values {
        for (county, out) in [("Y", True), ("Z", False), ("", Unknown)] {
            let cells = [("contact_id", "c1"), ("city", city), ("county", county)];
            let known: Vec<_> = cells.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            let contact = person(&known);
            let expected = if out == True { False } else { test };
            assert_eq!(asked(text, &contact, "2026-01-31"), expected, "{city:?} {county:?}");
            assert_eq!(
                asked(&text.replace("where in", "where not in"), &contact, "2026-01-31"),
                expected.negate()
            );
        }
    }
}

#[test]
fn the_first_stage_that_is_true_takes_a_contact() {
    let text = "stage one = city = \"X\" stage two = county = \"Y\" stage three = everyone\n";
    let stage = |name: &str, contact: &Contact| {
        asked(&format!("{text}segment s where in stage {name}"), contact, "2026-01-31")
    };
    for (city, county, expected) in [
        ("X", "Y", [True, False, False]),
        ("Z", "Y", [False, True, False]),
        ("Z", "Z", [False, False, True]),
        // What is not known keeps nobody from a later stage.
        ("", "Y", [Unknown, True, False]),
        ("", "Z", [Unknown, False, True]),
        ("", "", [Unknown, Unknown, True]),
        ("X", "", [True, False, False]),
    ] {
        let cells = [("contact_id", "c1"), ("city", city), ("county", county)];
        let known: Vec<_> = cells.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let contact = person(&known);
        let found = ["one", "two", "three"].map(|name| stage(name, &contact));
        assert_eq!(found, expected, "{city:?} {county:?}");
    }
}

#[test]
fn the_day_before_the_window_ends_at_midnight_there() {
    let text = "segment a where has visit segment s where entered segment a in last 1 day";
    // Midnight in New York is five in the morning in UTC; the last microsecond of the day belongs to it.
    for (at, expected) in [
        ("2026-01-30T05:00:00Z", True),
        ("2026-01-30T04:59:59.999999Z", False),
        ("2026-01-31T10:00:00Z", True),
        ("2026-01-30", True),
        ("2026-01-29", False),
    ] {
        let contact = nobody_special().with("visit", &[("at", at)]);
        assert_eq!(asked(text, &contact, "2026-01-31T09:00[America/New_York]"), expected, "{at}");
    }
}

#[test]
fn months_before_are_clamped_and_change_of_clocks_makes_no_difference() {
    let contact = nobody_special().with("visit", &[("at", "2026-02-28")]);
    let text = "segment a where has visit segment s where entered segment a in last 1 month";
    for (as_of, expected) in
        [("2026-03-28", True), ("2026-03-29", True), ("2026-03-31", True), ("2026-04-01", False)]
    {
        assert_eq!(asked(text, &contact, as_of), expected, "{as_of}");
    }
    // 2026-03-08 has 23 hours in New York.
    let contact = nobody_special().with("visit", &[("at", "2026-03-08T04:59:59Z")]);
    let text = "segment a where has visit segment s where entered segment a since 2026-03-08";
    assert_eq!(asked(text, &contact, "2026-03-09[America/New_York]"), False);
    let text = "segment a where has visit segment s where entered segment a since 2026-03-07";
    assert_eq!(asked(text, &contact, "2026-03-09[America/New_York]"), True);
}

#[test]
fn a_window_older_than_the_calendar() {
    let contact = nobody_special().with("visit", &[("at", "2026-01-01")]);
    let text = "segment a where has visit segment s where entered segment a in last 1000000 years";
    assert_eq!(asked(text, &contact, "2026-03-28"), True);
    let text = "segment a where age >= 0 segment s where entered segment a since 0001-01-01";
    assert_eq!(asked(text, &nobody_special(), "2026-03-28"), Unknown);
}
