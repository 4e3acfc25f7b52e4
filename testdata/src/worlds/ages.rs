//! Random ages and the days that return every year.

use hyperseg_dsl::segment::{AgeUnit, ContactTest, Criteria, Logic, NumberTest, Window};
use hyperseg_dsl::value::Value;

use super::criteria::Maker;
use super::palette;

impl Maker<'_> {
    pub(super) fn anniversary(&mut self) -> Criteria {
        let field = self.dice.one(&["birth_date", "enrolled_on", "deceased_on"]).to_owned();
        let window = loop {
            let params = self.params.len();
            let window = self.window(false);
            match window {
                // A parameter of a window that is not used is not used either.
                Window::MoreThanAgo(_) | Window::Since(_) | Window::Before(_) | Window::After(_) => {
                    self.params.truncate(params);
                }
                Window::InLast(_)
                | Window::InNext(_)
                | Window::BetweenAgo(_, _)
                | Window::On(_)
                | Window::Between(_, _)
                | Window::Calendar(_, _) => break window,
            }
        };
        Logic::Leaf(ContactTest::Anniversary { field, window })
    }

    /// An age today or on a day, in years or months, or the day on which one is reached.
    pub(super) fn age(&mut self) -> Criteria {
        if self.dice.percent(25) {
            let age = u32::try_from(palette::age(&mut self.dice)).unwrap_or(0);
            return Logic::Leaf(ContactTest::Turns { age, window: self.window(false) });
        }
        let on = if self.dice.percent(30) { Some(self.anchor()) } else { None };
        if self.dice.percent(25) {
            let months = |age: i64| Value::Int(age * 12);
            let (one, other) = (palette::age(&mut self.dice), palette::age(&mut self.dice));
            let (low, high) = (months(one.min(other)), months(one.max(other)));
            let test = NumberTest::Range(self.operand(low), self.operand(high));
            return Logic::Leaf(ContactTest::Age { unit: AgeUnit::Months, on, test });
        }
        Logic::Leaf(ContactTest::Age { unit: AgeUnit::Years, on, test: self.number_test(true) })
    }
}
