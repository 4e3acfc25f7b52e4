//! Windows, visibility, hidden records, intervals, counting, latest and earliest.

use super::*;
use Truth::{False, True, Unknown};

fn opened(at: &str) -> Contact {
    nobody_special().with("email_open", &[("at", at)])
}

#[test]
fn day_windows_include_both_ends() {
    for (at, inside) in [("2025-10-03", true), ("2025-10-02", false), ("2026-01-01", true)] {
        let contact = opened(at);
        says(&has("email_open", &[Window::InLast(days(90))]), &contact, "2026-01-01", Truth::of(inside));
        says(
            &has("email_open", &[Window::MoreThanAgo(days(90))]),
            &contact,
            "2026-01-01",
            Truth::of(!inside),
        );
    }
    let between = has("email_open", &[Window::BetweenAgo(days(30), days(60))]);
    for (at, inside) in
        [("2025-11-01", false), ("2025-11-02", true), ("2025-12-02", true), ("2025-12-03", false)]
    {
        says(&between, &opened(at), "2026-01-01", Truth::of(inside));
    }
}

#[test]
fn months_are_clamped_to_their_end() {
    let month = has("email_open", &[Window::InLast(span(1, DurationUnit::Month))]);
    says(&month, &opened("2026-02-28"), "2026-03-31", True);
    says(&month, &opened("2026-02-27"), "2026-03-31", False);
    says(&month, &opened("2024-02-29"), "2024-03-31", True);
    says(&month, &opened("2024-02-28"), "2024-03-31", False);
    let quarter = has("email_open", &[Window::InLast(span(1, DurationUnit::Quarter))]);
    says(&quarter, &opened("2025-11-27"), "2026-02-28", False);
    says(&quarter, &opened("2025-11-28"), "2026-02-28", True);
}

#[test]
fn an_instant_belongs_to_its_local_day() {
    // 23:59:59.999 in New York is the next day in UTC.
    let late = opened("2026-01-01T04:59:59.999Z");
    let on = |text| has("email_open", &[Window::On(day(text))]);
    says(&on("2025-12-31"), &late, "2026-01-05", True);
    says(&on("2026-01-01"), &late, "2026-01-05", False);
    says(&on("2026-01-01"), &opened("2026-01-01T05:00:00Z"), "2026-01-05", True);
    // A date has no zone.
    says(&on("2026-01-01"), &opened("2026-01-01"), "2026-01-05", True);
}

#[test]
fn days_of_23_and_25_hours_are_days() {
    let yesterday = has("email_open", &[Window::InLast(days(1))]);
    // The clocks go forward on 8 March 2026 and back on 1 November 2026.
    says(&yesterday, &opened("2026-03-08T05:00:00Z"), "2026-03-09T12:00", True);
    says(&yesterday, &opened("2026-03-08T04:59:59Z"), "2026-03-09T12:00", False);
    says(&yesterday, &opened("2026-11-01T04:00:00Z"), "2026-11-02T12:00", True);
    says(&yesterday, &opened("2026-11-01T03:59:59Z"), "2026-11-02T12:00", False);
    // Hours are hours: 24 of them before noon on 9 March it was noon on 8 March, after the change.
    let hours = has("email_open", &[Window::InLast(span(24, DurationUnit::Hour))]);
    says(&hours, &opened("2026-03-08T16:00:00.000001Z"), "2026-03-09T12:00", True);
    says(&hours, &opened("2026-03-08T16:00:00Z"), "2026-03-09T12:00", False);
}

#[test]
fn hours_are_exact_and_days_do_not_fit_them() {
    let as_of = "2026-01-05T14:00:00Z";
    let six = span(6, DurationUnit::Hour);
    let last = has("email_open", &[Window::InLast(six)]);
    let older = has("email_open", &[Window::MoreThanAgo(six)]);
    for (at, inside) in [("2026-01-05T08:00:00Z", false), ("2026-01-05T08:00:00.000001Z", true)] {
        says(&last, &opened(at), as_of, Truth::of(inside));
        says(&older, &opened(at), as_of, Truth::of(!inside));
    }
    says(&last, &opened(as_of), as_of, True);
    // Not selected, rather than unknown.
    says(&last, &opened("2026-01-05"), as_of, False);
    says(&older, &opened("2026-01-05"), as_of, False);
    let next = has("appointment", &[Window::InNext(six)]);
    let booked = |at| nobody_special().with("appointment", &[("at", at)]);
    says(&next, &booked(as_of), as_of, True);
    says(&next, &booked("2026-01-05T19:59:59.999999Z"), as_of, True);
    says(&next, &booked("2026-01-05T20:00:00Z"), as_of, False);
}

#[test]
fn the_future_is_invisible_unless_looked_for() {
    let lab = nobody_special().with("lab", &[("at", "2026-01-02"), ("value", "9")]);
    says(&has("lab", &[]), &lab, "2026-01-01", False);
    says(&has("lab", &[Window::Since(day("2025-01-01"))]), &lab, "2026-01-01", False);
    says(&has("lab", &[Window::InNext(days(1))]), &lab, "2026-01-01", True);
    says(&has("lab", &[Window::After(day("2025-01-01"))]), &lab, "2026-01-01", True);
    says(&has("lab", &[]), &lab, "2026-01-02T00:00", True);
    // Earlier and later today.
    let noon = nobody_special().with("lab", &[("at", "2026-01-01T17:00:00Z")]);
    says(&has("lab", &[]), &noon, "2026-01-01T11:59:59", False);
    says(&has("lab", &[]), &noon, "2026-01-01T12:00", True);
    says(&has("lab", &[Window::InNext(days(0))]), &noon, "2026-01-01T23:00", True);
    // Appointments are made for the future.
    let visit = nobody_special().with("appointment", &[("at", "2026-02-01"), ("status", "booked")]);
    says(&has("appointment", &[]), &visit, "2026-01-01", True);
    says(&has("appointment", &[Window::InLast(days(30))]), &visit, "2026-01-01", False);
}

#[test]
fn what_did_not_happen_counts_only_by_name() {
    for status in ["cancelled", "entered_in_error"] {
        let lab = nobody_special().with("lab", &[("at", "2026-01-01"), ("status", status)]);
        says(&has("lab", &[]), &lab, "2026-01-02", False);
        let named = its("lab", "status", Test::Compare(Cmp::Eq, category(status)));
        says(&has_where("lab", named), &lab, "2026-01-02", True);
    }
    // A missing status hides nothing.
    says(&has("lab", &[]), &nobody_special().with("lab", &[("at", "2026-01-01")]), "2026-01-02", True);
    let refuted = nobody_special().with("condition", &[("at", "2020-01-01"), ("verification", "refuted")]);
    says(&has("condition", &[]), &refuted, "2026-01-02", False);
    let by_name = its("condition", "verification", Test::Compare(Cmp::Eq, category("refuted")));
    says(&has_where("condition", by_name), &refuted, "2026-01-02", True);
}

#[test]
fn machines_do_not_open_mail() {
    let machine = nobody_special().with("email_open", &[("at", "2026-01-01"), ("machine", "true")]);
    says(&has("email_open", &[]), &machine, "2026-01-02", False);
    says(&count("email_open", Cmp::Eq, 0), &machine, "2026-01-02", True);
    let any = its("email_open", "machine", Test::Known);
    says(&has_where("email_open", any), &machine, "2026-01-02", True);
    let click = nobody_special().with("email_click", &[("at", "2026-01-01"), ("machine", "true")]);
    says(&has("email_click", &[]), &click, "2026-01-02", True);
}

#[test]
fn without_rows_there_is_an_answer() {
    let nobody = nobody_special();
    says(&has("lab", &[]), &nobody, "2026-01-01", False);
    says(&not(has("lab", &[])), &nobody, "2026-01-01", True);
    says(&count("lab", Cmp::Eq, 0), &nobody, "2026-01-01", True);
    says(&count("lab", Cmp::Le, 2), &nobody, "2026-01-01", True);
    says(&count("lab", Cmp::Ge, 1), &nobody, "2026-01-01", False);
    let high = its("lab", "value", Test::Compare(Cmp::Gt, number(9.0)));
    says(&one(Which::Latest, "lab", &[], high.clone()), &nobody, "2026-01-01", Unknown);
    says(&not(one(Which::Latest, "lab", &[], high.clone())), &nobody, "2026-01-01", Unknown);
    // A row whose own test is unknown does not match, in the positive and in the negative.
    let empty = nobody_special().with("lab", &[("at", "2026-01-01")]);
    says(&has_where("lab", high.clone()), &empty, "2026-01-01", False);
    says(&has_where("lab", Logic::Not(Box::new(high))), &empty, "2026-01-01", False);
}

#[test]
fn conditions_end() {
    let had = |cells: &[(&str, &str)]| {
        let mut all = vec![("at", "2020-05-01")];
        all.extend_from_slice(cells);
        nobody_special().with("condition", &all)
    };
    let now = active("condition", &[]);
    says(&now, &had(&[]), "2026-01-01", True);
    says(&now, &had(&[("status", "resolved")]), "2026-01-01", False);
    says(&now, &had(&[("status", "resolved"), ("end", "2026-01-01")]), "2026-01-01", True);
    says(&now, &had(&[("end", "2025-12-31")]), "2026-01-01", False);
    says(&now, &had(&[]), "2020-04-30", False);
    // Overlap with a window.
    let in_2021 = active("condition", &[Window::Between(day("2021-01-01"), day("2021-12-31"))]);
    says(&in_2021, &had(&[]), "2026-01-01", True);
    says(&in_2021, &had(&[("end", "2021-01-01")]), "2026-01-01", True);
    says(&in_2021, &had(&[("end", "2020-12-31")]), "2026-01-01", False);
    says(&in_2021, &had(&[("status", "inactive")]), "2026-01-01", False);
    says(&active("condition", &[Window::Before(day("2020-05-01"))]), &had(&[]), "2026-01-01", False);
    says(&active("condition", &[Window::Before(day("2020-05-02"))]), &had(&[]), "2026-01-01", True);
    // Without `active` the start counts.
    says(&has("condition", &[Window::On(day("2020-05-01"))]), &had(&[]), "2026-01-01", True);
    says(&has("condition", &[Window::InLast(days(30))]), &had(&[]), "2026-01-01", False);
}

#[test]
fn coverage_lasts_through_its_last_day() {
    let covered = |end: &str| nobody_special().with("coverage", &[("at", "2025-01-01"), ("end", end)]);
    let now = active("coverage", &[]);
    says(&now, &covered("2025-12-31"), "2026-01-01T09:00", False);
    says(&now, &covered("2026-01-01"), "2026-01-01T09:00", True);
    says(&now, &covered("2026-01-01T14:00:00Z"), "2026-01-01T09:00", True);
    says(&now, &covered("2026-01-01T13:59:59.999999Z"), "2026-01-01T09:00", False);
    // Against hours a day is there from its first to its last instant.
    let recent = active("coverage", &[Window::InLast(span(9, DurationUnit::Hour))]);
    says(&recent, &covered("2025-12-31"), "2026-01-01T09:00", False);
    says(&recent, &covered("2025-12-31"), "2026-01-01T08:59", True);
}

#[test]
fn the_latest_lab_decides() {
    let high = its("lab", "value", Test::Compare(Cmp::Gt, number(9.0)));
    let latest = one(Which::Latest, "lab", &[], high.clone());
    let earliest = one(Which::Earliest, "lab", &[], high.clone());
    let two = nobody_special()
        .with("lab", &[("at", "2025-01-01T10:00:00Z"), ("value", "9.5")])
        .with("lab", &[("at", "2025-06-01T10:00:00Z"), ("value", "6")]);
    says(&latest, &two, "2026-01-01", False);
    says(&earliest, &two, "2026-01-01", True);
    // A lab without a value is still the latest, and says nothing.
    let silent = two.with("lab", &[("at", "2025-07-01")]);
    says(&latest, &silent, "2026-01-01", Unknown);
    // The window comes first, then the order.
    let then = one(Which::Latest, "lab", &[Window::Before(day("2025-02-01"))], high);
    says(&then, &silent, "2026-01-01", True);
}

#[test]
fn two_labs_in_one_minute() {
    let high = its("lab", "value", Test::Compare(Cmp::Gt, number(9.0)));
    let latest = one(Which::Latest, "lab", &[], high.clone());
    let earliest = one(Which::Earliest, "lab", &[], high);
    let lab = |contact: Contact, at, recorded: &str, value| {
        let mut cells = vec![("at", at), ("value", value)];
        if !recorded.is_empty() {
            cells.push(("recorded_at", recorded));
        }
        contact.with("lab", &cells)
    };
    let at = "2025-01-01T10:00:00Z";
    // A tie: one that satisfies suffices.
    let tie = lab(lab(nobody_special(), at, "", "10"), at, "", "5");
    says(&latest, &tie, "2026-01-01", True);
    // Recorded later wins, and a record that does not say when it was recorded loses at both ends.
    let later = lab(lab(nobody_special(), at, "2025-01-02", "10"), at, "2025-01-03", "5");
    says(&latest, &later, "2026-01-01", False);
    says(&earliest, &later, "2026-01-01", True);
    let unsaid = lab(lab(nobody_special(), at, "2025-01-02", "5"), at, "", "10");
    says(&latest, &unsaid, "2026-01-01", False);
    says(&earliest, &unsaid, "2026-01-01", False);
    // A day without a time ties with the last and with the first instant of that day, not with the others.
    let day = "2025-01-01";
    let mixed = lab(lab(nobody_special(), at, "", "5"), day, "", "10");
    says(&latest, &mixed, "2026-01-01", True);
    says(&earliest, &mixed, "2026-01-01", True);
    let second = lab(lab(mixed, "2025-01-01T11:00:00Z", "", "5"), "2025-01-01T09:00:00Z", "", "5");
    says(&latest, &second, "2026-01-01", True);
    // A tie of no and do-not-know is do-not-know.
    let unknown = lab(nobody_special(), at, "", "5").with("lab", &[("at", at)]);
    says(&latest, &unknown, "2026-01-01", Unknown);
}

#[test]
fn a_record_is_taken_when_all_that_its_result_can_be_is() {
    let low = its("lab", "value", Test::Compare(Cmp::Lt, number(6.0)));
    let below = nobody_special().with("lab", &[("at", "2025-01-01"), ("value", "5.7"), ("comparator", "<")]);
    says(&has_where("lab", low.clone()), &below, "2026-01-01", True);
    says(&one(Which::Latest, "lab", &[], low), &below, "2026-01-01", True);
    let lower = its("lab", "value", Test::Compare(Cmp::Lt, number(5.0)));
    says(&has_where("lab", lower.clone()), &below, "2026-01-01", False);
    says(&one(Which::Latest, "lab", &[], lower), &below, "2026-01-01", Unknown);
    says(&has_where("lab", its("lab", "value", Test::Known)), &below, "2026-01-01", True);
}

#[test]
fn codes_are_exact_or_below() {
    use crate::segment::{CodePattern, CodeSet};
    use crate::value::Code;
    let pattern = |code: &str, under| CodePattern {
        code: Code { system: "ICD10CM".to_owned(), code: code.to_owned() },
        under,
    };
    let set = CodeSet {
        include: [pattern("E11", true), pattern("I10", false)].into(),
        exclude: [pattern("E1165", true)].into(),
    };
    let test = has_where("condition", its("condition", "code", Test::Codes(set)));
    for (code, inside) in [
        ("ICD10CM:E11", true),
        ("ICD10CM:E11.9", true),
        ("icd-10-cm:e119", true),
        ("ICD10CM:E11.65", false),
        ("ICD10CM:I10", true),
        ("ICD10CM:I10.1", false),
        ("SNOMED:E11", false),
    ] {
        let ill = nobody_special().with("condition", &[("at", "2025-01-01"), ("code", code)]);
        says(&test, &ill, "2026-01-01", Truth::of(inside));
    }
}
