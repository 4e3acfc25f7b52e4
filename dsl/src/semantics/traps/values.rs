//! Ages, anniversaries, missing values, types.

use super::*;
use Truth::{False, True, Unknown};

#[test]
fn a_leap_day_birth_ages_on_28_february() {
    let leap = person(&[("contact_id", "c1"), ("birth_date", "2004-02-29")]);
    says(&age(Cmp::Ge, 18), &leap, "2022-02-27", False);
    says(&age(Cmp::Ge, 18), &leap, "2022-02-28", True);
    says(&age(Cmp::Ge, 18), &leap, "2022-03-01", True);
    says(&age(Cmp::Ge, 20), &leap, "2024-02-28", False);
    says(&age(Cmp::Ge, 20), &leap, "2024-02-29", True);
}

#[test]
fn age_is_frozen_at_death_and_unknown_before_birth() {
    let died = person(&[("contact_id", "c1"), ("birth_date", "1950-06-15"), ("deceased_on", "2000-06-14")]);
    says(&age(Cmp::Eq, 49), &died, "2026-01-01", True);
    says(&age(Cmp::Eq, 39), &died, "1990-01-01", True);
    let unborn = person(&[("contact_id", "c1"), ("birth_date", "2026-01-02")]);
    says(&age(Cmp::Ge, 0), &unborn, "2026-01-01", Unknown);
    says(&age(Cmp::Eq, 0), &unborn, "2026-01-02", True);
    says(&age(Cmp::Ge, 0), &nobody_special(), "2026-01-01", Unknown);
}

#[test]
fn age_counts_local_days() {
    let born = person(&[("contact_id", "c1"), ("birth_date", "2000-01-01")]);
    says(&age(Cmp::Eq, 25), &born, "2026-01-01T04:59:59Z", True);
    says(&age(Cmp::Eq, 26), &born, "2026-01-01T05:00:00Z", True);
}

#[test]
fn anniversaries_return_every_year_after_the_first() {
    let birthday = |window| Logic::Leaf(ContactTest::Anniversary { field: "birth_date".to_owned(), window });
    let leap = person(&[("contact_id", "c1"), ("birth_date", "2020-02-29")]);
    let soon = birthday(Window::InNext(days(7)));
    says(&soon, &leap, "2025-02-20", False);
    says(&soon, &leap, "2025-02-21", True);
    says(&soon, &leap, "2025-02-28", True);
    says(&soon, &leap, "2025-03-01", False);
    says(&soon, &leap, "2024-02-22", True);
    says(&soon, &leap, "2024-02-21", False);
    // The day itself is not a return of it.
    says(&soon, &leap, "2020-02-25", False);
    // Over the turn of the year.
    let new_year = person(&[("contact_id", "c1"), ("birth_date", "1990-01-02")]);
    says(&soon, &new_year, "2025-12-28", True);
    says(&birthday(Window::InLast(days(7))), &new_year, "2026-01-09", True);
    says(&birthday(Window::InLast(days(7))), &new_year, "2026-01-10", False);
    says(&birthday(Window::On(day("2026-01-02"))), &new_year, "2020-06-01", True);
    says(&birthday(Window::InNext(span(2, DurationUnit::Year))), &new_year, "2026-06-01", True);
    says(&soon, &nobody_special(), "2026-01-01", Unknown);
}

#[test]
fn missing_values_are_unknown_until_asked_for() {
    let female = field("gender", Test::Compare(Cmp::Eq, category("female")));
    let not_female = field("gender", Test::Compare(Cmp::Ne, category("female")));
    let listed = field("gender", Test::In(vec![category("female"), category("male")]));
    let adult = field("household_size", Test::Between(number(1.0), number(3.0)));
    let nobody = nobody_special();
    for test in [&female, &not_female, &listed, &adult] {
        says(test, &nobody, "2026-01-01", Unknown);
        says(&not(test.clone()), &nobody, "2026-01-01", Unknown);
    }
    says(&Logic::Or(vec![female.clone(), Logic::True]), &nobody, "2026-01-01", True);
    says(&Logic::Or(vec![female.clone(), Logic::False]), &nobody, "2026-01-01", Unknown);
    says(&Logic::And(vec![female.clone(), Logic::False]), &nobody, "2026-01-01", False);
    says(&Logic::And(vec![]), &nobody, "2026-01-01", True);
    says(&Logic::Or(vec![]), &nobody, "2026-01-01", False);
    says(&field("gender", Test::Known), &nobody, "2026-01-01", False);
    says(&field("gender", Test::Missing), &nobody, "2026-01-01", True);
    let man = person(&[("contact_id", "c1"), ("gender", "male")]);
    says(&not_female, &man, "2026-01-01", True);
    says(&not(female), &man, "2026-01-01", True);
}

#[test]
fn numbers_and_texts_compare_as_written() {
    let one = person(&[
        ("contact_id", "c1"),
        ("household_size", "3"),
        ("risk_score", "0.3"),
        ("income", "50000.10"),
        ("city", "Sa\u{303}o Paulo"),
    ]);
    says(&field("household_size", Test::Compare(Cmp::Eq, number(3.0))), &one, "2026-01-01", True);
    says(&field("household_size", Test::Compare(Cmp::Lt, number(3.5))), &one, "2026-01-01", True);
    says(&field("risk_score", Test::Between(number(0.3), number(0.3))), &one, "2026-01-01", True);
    let money = |cents| Operand::Literal(Value::Money(cents));
    says(&field("income", Test::Compare(Cmp::Gt, money(5_000_009))), &one, "2026-01-01", True);
    says(&field("income", Test::Compare(Cmp::Gt, money(5_000_010))), &one, "2026-01-01", False);
    let text =
        |op, wanted: &str| field("city", Test::Text(op, Operand::Literal(Value::Text(wanted.to_owned()))));
    use crate::segment::TextOp::{Contains, EndsWith, Matches, StartsWith};
    says(&text(StartsWith, "S\u{e3}o"), &one, "2026-01-01", True);
    says(&text(StartsWith, "s\u{e3}o"), &one, "2026-01-01", False);
    says(&text(Contains, " "), &one, "2026-01-01", True);
    says(&text(EndsWith, "Paulo"), &one, "2026-01-01", True);
    says(&text(Matches, "^S.o P"), &one, "2026-01-01", True);
}

#[test]
fn date_fields_take_windows_and_the_future_is_theirs() {
    let joins = person(&[("contact_id", "c1"), ("enrolled_on", "2026-02-01")]);
    let enrolled = |window| field("enrolled_on", Test::Window(window));
    says(&enrolled(Window::InNext(days(31))), &joins, "2026-01-01", True);
    says(&enrolled(Window::InNext(days(30))), &joins, "2026-01-01", False);
    says(&enrolled(Window::Since(day("2026-02-01"))), &joins, "2026-01-01", True);
    says(&enrolled(Window::After(day("2026-02-01"))), &joins, "2026-01-01", False);
    says(&enrolled(Window::Before(day("2026-02-01"))), &joins, "2026-01-01", False);
    says(&enrolled(Window::InLast(days(30))), &joins, "2026-01-01", False);
    // A day has no hours.
    says(&enrolled(Window::InLast(span(24, DurationUnit::Hour))), &joins, "2026-02-01", Unknown);
    says(&enrolled(Window::InLast(days(1))), &nobody_special(), "2026-02-01", Unknown);
}

#[test]
fn spans_beyond_the_calendar_reach_its_end() {
    let born = person(&[("contact_id", "c1"), ("birth_date", "1900-01-01")]);
    let ever = field("birth_date", Test::Window(Window::InLast(span(1_000_000, DurationUnit::Year))));
    says(&ever, &born, "2026-01-01", True);
    let never = field("birth_date", Test::Window(Window::MoreThanAgo(span(u32::MAX, DurationUnit::Week))));
    says(&never, &born, "2026-01-01", False);
    assert_eq!(Schema::built_in().contact_field("birth_date").unwrap().ty, FieldType::Date);
}
