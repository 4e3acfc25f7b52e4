//! Places in the order of time, and how long records last.

use super::*;
use crate::segment::{Observation, Tie};
use Truth::{False, True, Unknown};

const NOW: &str = "2026-01-01";

fn nth(which: Which, test: Test) -> Criteria {
    one(which, "lab", &[], its("lab", "value", test))
}

fn is(than: f64) -> Test {
    Test::Compare(Cmp::Eq, number(than))
}

fn labs(rows: &[(&str, &str, &str)]) -> Contact {
    rows.iter().fold(nobody_special(), |contact, (at, recorded, value)| {
        let mut cells = vec![("at", *at), ("recorded_at", *recorded), ("value", *value)];
        cells.retain(|(_, cell)| !cell.is_empty());
        contact.with("lab", &cells)
    })
}

#[test]
fn places_are_counted_from_the_earliest() {
    let four = labs(&[
        ("2025-03-01", "", "3"),
        ("2025-01-01", "", "1"),
        ("2025-04-01", "", "4"),
        ("2025-02-01", "", "2"),
    ]);
    for place in 2..=4 {
        says(&nth(Which::Nth(place), is(f64::from(place))), &four, NOW, True);
        says(&nth(Which::Nth(place), is(1.0)), &four, NOW, False);
    }
    says(&nth(Which::Nth(5), is(4.0)), &four, NOW, Unknown);
    // Two at one time share the second and the third place.
    let shared = labs(&[
        ("2025-01-01", "", "1"),
        ("2025-02-01", "", "2"),
        ("2025-02-01", "", "3"),
        ("2025-03-01", "", "4"),
    ]);
    for place in [2, 3] {
        says(&nth(Which::Nth(place), is(2.0)), &shared, NOW, True);
        says(&nth(Which::Nth(place), is(3.0)), &shared, NOW, True);
        says(&nth(Which::Nth(place), is(4.0)), &shared, NOW, False);
    }
    says(&nth(Which::Nth(4), is(4.0)), &shared, NOW, True);
    // By when they were recorded; one that does not say it comes last.
    let recorded = labs(&[
        ("2025-01-01", "", "3"),
        ("2025-01-01", "2025-01-03", "2"),
        ("2025-01-01", "2025-01-02", "1"),
    ]);
    says(&nth(Which::Nth(2), is(2.0)), &recorded, NOW, True);
    says(&nth(Which::Nth(3), is(3.0)), &recorded, NOW, True);
    // A day without a time stands with the first instant of that day.
    let mixed = labs(&[
        ("2025-01-01T16:00:00Z", "", "2"),
        ("2025-01-01", "", "0"),
        ("2025-01-01T15:00:00Z", "", "1"),
    ]);
    says(&nth(Which::Nth(2), is(0.0)), &mixed, NOW, True);
    says(&nth(Which::Nth(2), is(1.0)), &mixed, NOW, True);
    says(&nth(Which::Nth(3), is(2.0)), &mixed, NOW, True);
    assert_eq!(
        [2, 3, 4, 11, 12, 21, 22, 100].map(|place| Which::Nth(place).word()),
        ["2nd", "3rd", "4th", "11th", "12th", "21st", "22nd", "100th"]
    );
}

#[test]
fn the_lowest_and_the_highest_of_those_at_one_time() {
    let tie = |tie, test| {
        let (selector, test) = (selector("lab", Logic::True, &[]), its("lab", "value", test));
        Logic::Leaf(ContactTest::One { which: Which::Latest, selector, tie: Some(tie), test })
    };
    let two = labs(&[
        ("2025-01-01", "", "5"),
        ("2025-01-01", "", "10"),
        ("2025-01-01", "", ""),
        ("2024-01-01", "", "1"),
    ]);
    says(&tie(Tie::Lowest, is(5.0)), &two, NOW, True);
    says(&tie(Tie::Highest, is(10.0)), &two, NOW, True);
    says(&tie(Tie::Highest, Test::Compare(Cmp::Lt, number(10.0))), &two, NOW, False);
    says(&tie(Tie::Lowest, is(5.0)), &labs(&[("2025-01-01", "", "")]), NOW, Unknown);
    says(&tie(Tie::Lowest, is(5.0)), &nobody_special(), NOW, Unknown);
    let below = two.with("lab", &[("at", "2025-01-01"), ("value", "7"), ("comparator", "<")]);
    says(&tie(Tie::Lowest, Test::Compare(Cmp::Le, number(5.0))), &below, NOW, True);
    says(&tie(Tie::Lowest, is(5.0)), &below, NOW, Unknown);
    says(&tie(Tie::Highest, is(10.0)), &below, NOW, True);
}

fn covered(window: Window, cmp: Cmp, percent_millis: u32) -> Criteria {
    let selector = selector("medication", Logic::True, &[]);
    Logic::Leaf(ContactTest::DaysCovered { selector, window, cmp, percent_millis })
}

#[test]
fn days_are_covered_once() {
    // Ten days: 23 December to 1 January.
    let ten = || Window::InLast(days(9));
    let fill = |contact: Contact, at: &str, supply: &str| {
        contact.with("medication", &[("at", at), ("days_supply", supply)])
    };
    let share = |contact: &Contact, tenths: u32| {
        says(&covered(ten(), Cmp::Eq, tenths * 10_000), contact, NOW, True);
        says(&covered(ten(), Cmp::Gt, tenths * 10_000), contact, NOW, False);
        says(&covered(ten(), Cmp::Ge, tenths * 10_000), contact, NOW, True);
    };
    share(&nobody_special(), 0);
    share(&fill(nobody_special(), "2025-12-23", "3"), 3);
    share(&fill(nobody_special(), "2025-12-20", "3"), 0);
    share(&fill(nobody_special(), "2025-12-21", "3"), 1);
    share(&fill(nobody_special(), "2025-12-31", "30"), 2);
    share(&fill(nobody_special(), "2025-12-25", "0"), 0);
    let overlapping =
        fill(fill(fill(nobody_special(), "2025-12-23", "3"), "2025-12-24", "3"), "2025-12-24", "1");
    share(&overlapping, 4);
    // The local day of an instant: still the 22nd in New York.
    share(&fill(nobody_special(), "2025-12-23T04:30:00Z", "2"), 1);
    // Neither supply nor end: it goes on, unless it is over and does not say since when.
    let bare = |status| nobody_special().with("medication", &[("at", "2025-12-29"), ("status", status)]);
    share(&bare("active"), 4);
    says(&covered(ten(), Cmp::Ge, 10_000), &bare("stopped"), NOW, True);
    says(&covered(ten(), Cmp::Gt, 10_000), &bare("stopped"), NOW, Unknown);
    says(&covered(ten(), Cmp::Gt, 40_000), &bare("stopped"), NOW, False);
    says(&covered(Window::Since(day("2026-01-02")), Cmp::Ge, 0), &bare("active"), NOW, Unknown);
}

#[test]
fn gaps_are_counted_between_records() {
    let continuous = |gap, length| {
        let selector = selector("coverage", Logic::True, &[]);
        Logic::Leaf(ContactTest::Continuous { selector, gap, length })
    };
    let member = |rows: &[(&str, &str)]| {
        rows.iter().fold(nobody_special(), |contact, (at, end)| {
            let mut cells = vec![("at", *at), ("end", *end)];
            cells.retain(|(_, cell)| !cell.is_empty());
            contact.with("coverage", &cells)
        })
    };
    let gap_of_two = member(&[("2025-12-25", ""), ("2025-01-01", "2025-12-22")]);
    says(&continuous(days(2), days(100)), &gap_of_two, NOW, True);
    says(&continuous(days(1), days(100)), &gap_of_two, NOW, False);
    says(&continuous(days(1), days(7)), &gap_of_two, NOW, True);
    says(&continuous(days(1), days(8)), &gap_of_two, NOW, False);
    // A gap may lie at the beginning, if something lies before it.
    says(&continuous(days(2), days(9)), &gap_of_two, NOW, True);
    says(&continuous(days(9), days(9)), &member(&[("2025-12-25", "")]), NOW, False);
    // The end is today.
    says(&continuous(days(9), days(9)), &member(&[("2025-01-01", "2025-12-31")]), NOW, False);
    says(&continuous(days(0), days(0)), &member(&[("2025-01-01", "2026-01-01")]), NOW, True);
    // One inside another changes nothing.
    let inside = member(&[("2025-01-01", ""), ("2025-02-01", "2025-02-02")]);
    says(&continuous(days(0), span(11, DurationUnit::Month)), &inside, NOW, True);
    says(&continuous(days(0), days(0)), &nobody_special(), NOW, False);
}

#[test]
fn absence_means_something_while_observed() {
    let schema = Schema::built_in();
    let observed = |windows: &[Window]| {
        let by = Observation::built_in(&schema).unwrap();
        Logic::Leaf(ContactTest::Observed { selector: selector("procedure", Logic::True, windows), by })
    };
    let year = [Window::InLast(span(1, DurationUnit::Year))];
    let covered = nobody_special()
        .with("coverage", &[("at", "2024-01-01"), ("end", "2025-06-30")])
        .with("coverage", &[("at", "2025-07-01")]);
    says(&observed(&year), &covered, NOW, False);
    let done = nobody_special().with("procedure", &[("at", "2025-05-05")]);
    says(&observed(&year), &done, NOW, True);
    let holes = nobody_special()
        .with("coverage", &[("at", "2024-01-01"), ("end", "2025-06-30")])
        .with("coverage", &[("at", "2025-07-02")])
        .with("visit", &[("at", "2020-01-01")])
        .with("appointment", &[("at", "2027-01-01")]);
    says(&observed(&year), &holes, NOW, Unknown);
    // Two windows: the days they have in common.
    let both = [Window::InLast(span(1, DurationUnit::Year)), Window::Before(day("2025-07-01"))];
    says(&observed(&both), &holes, NOW, False);
    let nothing = [Window::Since(day("2025-06-01")), Window::Before(day("2025-01-01"))];
    says(&observed(&nothing), &nobody_special(), NOW, False);
    // Without coverage those count who were seen before and after.
    let seen =
        nobody_special().with("visit", &[("at", "2024-12-31")]).with("appointment", &[("at", "2026-01-01")]);
    says(&observed(&year), &seen, NOW, False);
    let not_yet =
        nobody_special().with("visit", &[("at", "2025-01-02")]).with("appointment", &[("at", "2026-01-01")]);
    says(&observed(&year), &not_yet, NOW, Unknown);
    says(&observed(&year), &nobody_special(), NOW, Unknown);
}
