//! Windows that count from a day of the contact: what a missing day does to a criterion, and where windows end.

use super::*;
use crate::segment::{Event, Link, Relation, Sequence, Shift, Start};
use Truth::{False, True, Unknown};

fn born(shifts: &[(bool, Duration)]) -> Anchor {
    let shifts = shifts.iter().map(|(back, length)| Shift { back: *back, length: *length }).collect();
    Anchor { start: Start::Field("birth_date".to_owned()), shifts }
}

fn plus(length: Duration) -> Anchor {
    born(&[(false, length)])
}

#[test]
fn a_window_that_is_not_known_leaves_everything_unknown() {
    let window = Window::Between(born(&[]), plus(days(42)));
    let windows = std::slice::from_ref(&window);
    let selector = || selector("visit", Logic::True, windows);
    let counted = |cmp, number| {
        let test = NumberTest::Compare(cmp, Operand::Literal(Value::Int(number)));
        Logic::Leaf(ContactTest::Count { counted: Counted::Records, selector: selector(), test })
    };
    let event = |selector| Event { selector, clock: None };
    let links = vec![Link {
        relation: Relation::NotFollowed { or_open: true },
        within: days(1),
        same: Vec::new(),
        event: event(super::selector("lab", Logic::True, &[])),
    }];
    let share = ContactTest::Share {
        selector: selector(),
        test: its("visit", "at", Test::Known),
        cmp: Cmp::Ge,
        percent_millis: 50_000,
        at_least: Some(1),
    };
    let in_filter = has_where("visit", its("visit", "at", Test::Window(window.clone())));
    let all = [
        (has("visit", windows), True, False),
        (not(has("visit", windows)), False, True),
        (counted(Cmp::Eq, 0), False, True),
        (counted(Cmp::Le, 5), True, True),
        (Logic::Leaf(share), True, False),
        (Logic::Leaf(ContactTest::Sequence(Sequence { first: event(selector()), links })), True, False),
        (not(in_filter), False, True),
    ];
    let with_date = person(&[("birth_date", "2024-01-31")]);
    let visited = |contact: &Contact| contact.clone().with("visit", &[("at", "2024-02-10")]);
    for (criteria, with, without) in all {
        says(&criteria, &visited(&with_date), "2026-01-01", with);
        says(&criteria, &with_date, "2026-01-01", without);
        says(&criteria, &visited(&nobody_special()), "2026-01-01", Unknown);
        says(&criteria, &nobody_special(), "2026-01-01", Unknown);
    }
}

#[test]
fn ends_are_whole_days_and_included() {
    let window = Window::Between(plus(days(42)), plus(span(2, DurationUnit::Year)));
    for (at, expected) in [
        ("2024-03-12", False),
        ("2024-03-13", True),
        ("2024-03-13T04:30:00Z", True),
        ("2024-03-13T03:30:00Z", False),
        ("2026-01-31", True),
        ("2026-02-01T04:59:59Z", True),
        ("2026-02-01T05:00:00Z", False),
    ] {
        let child = person(&[("birth_date", "2024-01-31")]).with("visit", &[("at", at)]);
        says(&has("visit", std::slice::from_ref(&window)), &child, "2026-06-01", expected);
    }
}

#[test]
fn a_leap_day_counts_to_the_28th_and_lengths_one_after_the_other() {
    let on = |anchor| has("visit", &[Window::On(anchor)]);
    let leap = |at: &str| person(&[("birth_date", "2024-02-29")]).with("visit", &[("at", at)]);
    says(&on(plus(span(1, DurationUnit::Year))), &leap("2025-02-28"), "2026-06-01", True);
    says(&on(plus(span(1, DurationUnit::Year))), &leap("2025-03-01"), "2026-06-01", False);
    let month = span(1, DurationUnit::Month);
    let there_and_back = born(&[(false, month), (true, month)]);
    let last = person(&[("birth_date", "2026-03-31")]).with("visit", &[("at", "2026-03-30")]);
    says(&on(there_and_back), &last, "2026-06-01", True);
}

#[test]
fn an_empty_window_holds_nothing_and_overlaps_nothing() {
    let reversed = Window::Between(plus(days(42)), born(&[]));
    let child = person(&[("birth_date", "2024-01-31")])
        .with("visit", &[("at", "2024-02-10")])
        .with("coverage", &[("at", "2020-01-01")]);
    says(&has("visit", std::slice::from_ref(&reversed)), &child, "2026-01-01", False);
    says(&active("coverage", &[reversed]), &child, "2026-01-01", False);
    says(&active("coverage", &[Window::On(born(&[]))]), &child, "2026-01-01", True);
}

#[test]
fn an_age_on_a_day_of_ones_own() {
    let at_joining = |cmp, years| {
        let on = Some(Anchor { start: Start::Field("enrolled_on".to_owned()), shifts: Vec::new() });
        let test = NumberTest::Compare(cmp, Operand::Literal(Value::Int(years)));
        Logic::Leaf(ContactTest::Age { unit: AgeUnit::Years, on, test })
    };
    let joined = |day: &str| person(&[("birth_date", "2000-02-29"), ("enrolled_on", day)]);
    says(&at_joining(Cmp::Ge, 18), &joined("2018-02-28"), "2026-01-01", True);
    says(&at_joining(Cmp::Ge, 18), &joined("2018-02-27"), "2026-01-01", False);
    says(&at_joining(Cmp::Ge, 0), &joined("2000-02-28"), "2026-01-01", Unknown);
    says(&at_joining(Cmp::Ge, 0), &person(&[("birth_date", "2000-02-29")]), "2026-01-01", Unknown);
}
