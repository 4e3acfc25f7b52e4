//! Random days to count from: dates, as_of, dates of the contact, and lengths behind them.

use hyperseg_dsl::segment::{Anchor, Duration, DurationUnit, Operand, Shift, Start, Test, Window};
use hyperseg_dsl::value::Value;

use super::criteria::Maker;
use super::palette::SPANS;

/// Contact fields that hold a date.
const DATES: [&str; 4] = ["birth_date", "enrolled_on", "enrolled_on", "deceased_on"];

impl Maker<'_> {
    /// A day.
    pub(super) fn anchor(&mut self) -> Anchor {
        match self.dice.below(10) {
            0..=4 => self.date(),
            5 => Anchor { start: Start::AsOf, shifts: self.shifts() },
            _ => Anchor { start: self.date_of_contact(), shifts: self.shifts() },
        }
    }

    /// Two days, both included; those that count from one and the same day never the wrong way round.
    pub(super) fn between(&mut self) -> Window {
        let params = self.params.len();
        let one = self.anchor();
        let other = self.anchor();
        if let (Start::Date(one), Start::Date(other)) = (&one.start, &other.start) {
            let day = |operand: &Operand| match operand {
                Operand::Literal(Value::Date(day)) => Some(*day),
                Operand::Literal(_) | Operand::Param(_) => None,
            };
            if let (Some(one), Some(other)) = (day(one), day(other)) {
                let literal = |day| Anchor::date(Operand::Literal(Value::Date(day)));
                return Window::Between(literal(one.min(other)), literal(one.max(other)));
            }
        }
        // Parameters could turn out to lie the wrong way round.
        let fine = |anchor: &Anchor| !matches!(anchor.start, Start::Date(Operand::Param(_)));
        if one.start != other.start && fine(&one) && fine(&other) {
            return Window::Between(one, other);
        }
        // One that is not used is not there.
        self.params.truncate(params);
        let start = match self.dice.below(4) {
            0 => Start::AsOf,
            _ => self.date_of_contact(),
        };
        let (back, ahead) = (self.shift(true), self.shift(false));
        let shifts = |shift| vec![shift];
        Window::Between(
            Anchor { start: start.clone(), shifts: shifts(back) },
            Anchor { start, shifts: shifts(ahead) },
        )
    }

    fn date(&mut self) -> Anchor {
        let day = self.day();
        let start = Start::Date(self.operand(Value::Date(day)));
        // What stands behind a literal is added up where it is read.
        let shifts = if let Start::Date(Operand::Param(_)) = start { self.shifts() } else { Vec::new() };
        Anchor { start, shifts }
    }

    fn date_of_contact(&mut self) -> Start {
        Start::Field(self.dice.one(&DATES).to_owned())
    }

    fn shifts(&mut self) -> Vec<Shift> {
        let count = self.dice.one(&[0, 1, 1, 1, 2]);
        (0..count)
            .map(|_| {
                let back = self.dice.percent(40);
                self.shift(back)
            })
            .collect()
    }

    fn shift(&mut self, back: bool) -> Shift {
        let nothing = Duration { count: 1, unit: DurationUnit::Day };
        Shift { back, length: self.dice.pick(&SPANS).copied().unwrap_or(nothing) }
    }
}

/// A window as the test of a field: between two dates the two are one, and the resolver makes the test.
pub(super) fn window_test(window: Window) -> Test {
    if let Window::Between(first, last) = &window
        && let (Some(first), Some(last)) = (first.as_date(), last.as_date())
    {
        return Test::Between(first.clone(), last.clone());
    }
    Test::Window(window)
}
