//! Calendar periods: where they begin and end, and what lies ahead.

use super::*;
use crate::segment::{Period, Turn};
use Truth::{False, True};

#[test]
fn periods_begin_and_end_with_the_calendar() {
    use Period::{Month, Quarter, Week, Year};
    use Turn::{Last, Next, This};
    // 2026-03-01 is a Sunday; 2024 is a leap year.
    for (as_of, turn, period, first, last) in [
        ("2026-03-01", This, Week, "2026-02-23", "2026-03-01"),
        ("2026-03-02", This, Week, "2026-03-02", "2026-03-08"),
        ("2026-03-01", Last, Week, "2026-02-16", "2026-02-22"),
        ("2026-03-01", Next, Week, "2026-03-02", "2026-03-08"),
        ("2024-02-29", This, Month, "2024-02-01", "2024-02-29"),
        ("2026-03-31", Last, Month, "2026-02-01", "2026-02-28"),
        ("2025-12-31", Next, Month, "2026-01-01", "2026-01-31"),
        ("2026-06-30", This, Quarter, "2026-04-01", "2026-06-30"),
        ("2026-01-01", Last, Quarter, "2025-10-01", "2025-12-31"),
        ("2026-11-15", Next, Quarter, "2027-01-01", "2027-03-31"),
        ("2026-12-31", This, Year, "2026-01-01", "2026-12-31"),
        ("2026-01-01", Last, Year, "2025-01-01", "2025-12-31"),
        ("2026-01-01", Next, Year, "2027-01-01", "2027-12-31"),
    ] {
        let inside = field("enrolled_on", Test::Window(Window::Calendar(turn, period)));
        let (first, last) = (parse_day(first).unwrap(), parse_day(last).unwrap());
        for (day, expected) in [
            (first.pred_opt().unwrap(), False),
            (first, True),
            (last, True),
            (last.succ_opt().unwrap(), False),
        ] {
            let enrolled = person(&[("enrolled_on", &day.to_string())]);
            says(&inside, &enrolled, as_of, expected);
        }
    }
}

#[test]
fn only_the_next_period_sees_what_lies_ahead() {
    let ahead = nobody_special().with("visit", &[("at", "2026-01-20")]);
    says(&has("visit", &[Window::Calendar(Turn::This, Period::Month)]), &ahead, "2026-01-10", False);
    says(&has("visit", &[Window::Calendar(Turn::Next, Period::Week)]), &ahead, "2026-01-14", True);
    // Appointments are schedules.
    let booked = nobody_special().with("appointment", &[("at", "2026-01-20")]);
    says(&has("appointment", &[Window::Calendar(Turn::This, Period::Month)]), &booked, "2026-01-10", True);
}

#[test]
fn an_instant_belongs_to_the_period_of_its_local_day() {
    // Half past eight in the evening of 31 January in New York.
    let visit = nobody_special().with("visit", &[("at", "2026-02-01T01:30:00Z")]);
    says(&has("visit", &[Window::Calendar(Turn::Last, Period::Month)]), &visit, "2026-02-10", True);
    says(&has("visit", &[Window::Calendar(Turn::This, Period::Month)]), &visit, "2026-02-10", False);
}
