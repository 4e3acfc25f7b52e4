//! Random tests of how long records last, and of the lowest and highest value at one time.

use hyperseg_dsl::schema::{Field, FieldType, RecordKind};
use hyperseg_dsl::segment::{
    ContactTest, Criteria, Duration, DurationUnit, FieldTest, Filter, Logic, Observation, Selector, Test,
    Tie, Turn, Which, Window,
};

use super::criteria::{COMPARISONS, Maker};
use super::palette::SPANS;

impl Maker<'_> {
    /// The latest, the earliest or another record, or one of several at the same time.
    pub(super) fn one(&mut self) -> Criteria {
        let selector = self.selector();
        let which = match self.dice.below(10) {
            0..=4 => Which::Latest,
            5..=7 => Which::Earliest,
            _ => Which::Nth(self.dice.one(&[2, 2, 3])),
        };
        if self.dice.percent(30)
            && let Some(test) = self.one_number(&selector)
        {
            let tie = Some(if self.dice.percent(50) { Tie::Lowest } else { Tie::Highest });
            return Logic::Leaf(ContactTest::One { which, selector, tie, test });
        }
        let test = match self.schema.record(&selector.record) {
            Some(kind) => match kind.field("at").filter(|_| self.dice.percent(30)) {
                Some(at) => self.field_test(at, &[], None),
                None => self.filter(kind, 1),
            },
            None => Logic::True,
        };
        Logic::Leaf(ContactTest::One { which, selector, tie: None, test })
    }

    /// Days covered, without a gap, or under observation.
    pub(super) fn adherence(&mut self) -> Criteria {
        if self.dice.percent(35) {
            return self.observed();
        }
        let schema = self.schema;
        let lasting: Vec<&RecordKind> = schema.records.iter().filter(|kind| kind.has_end()).collect();
        let here: Vec<&RecordKind> = lasting
            .iter()
            .copied()
            .filter(|kind| {
                let mut records = self.world.contacts.iter().flat_map(|contact| &contact.records);
                records.any(|record| record.kind == kind.name)
            })
            .collect();
        let Some(kind) = self.dice.pick(&here).or_else(|| self.dice.pick(&lasting)).copied() else {
            return Logic::True;
        };
        let windows = usize::from(self.dice.percent(15));
        let selector = self.selector_with(kind, 20, windows, false);
        if self.dice.percent(50) {
            let window = self.past();
            let cmp = self.dice.pick(&COMPARISONS).copied().unwrap_or(COMPARISONS[0]);
            let percent_millis = self.dice.one(&[0, 1_000, 10_000, 33_333, 50_000, 80_000, 100_000]);
            return Logic::Leaf(ContactTest::DaysCovered { selector, window, cmp, percent_millis });
        }
        let (gap, length) = (self.span(), self.span());
        Logic::Leaf(ContactTest::Continuous { selector, gap, length })
    }

    fn observed(&mut self) -> Criteria {
        let (Some(kind), Some(by)) = (self.kind(), Observation::built_in(self.schema)) else {
            return Logic::True;
        };
        let mut selector = self.selector_with(kind, 20, 0, false);
        selector.windows.push(self.past());
        Logic::Leaf(ContactTest::Observed { selector, by })
    }

    fn span(&mut self) -> Duration {
        self.dice.pick(&SPANS).copied().unwrap_or(Duration { count: 1, unit: DurationUnit::Day })
    }

    /// A window in days that has a beginning and does not look ahead.
    fn past(&mut self) -> Window {
        loop {
            let params = self.params.len();
            let window = self.window(false);
            match window {
                Window::InLast(_)
                | Window::BetweenAgo(_, _)
                | Window::Since(_)
                | Window::On(_)
                | Window::Between(_, _)
                | Window::Calendar(Turn::This | Turn::Last, _) => return window,
                // A parameter of a window that is not used is not used either.
                Window::InNext(_)
                | Window::MoreThanAgo(_)
                | Window::Before(_)
                | Window::After(_)
                | Window::Calendar(Turn::Next, _) => self.params.truncate(params),
            }
        }
    }

    /// A test of a number of the selected records.
    pub(super) fn one_number(&mut self, selector: &Selector) -> Option<Filter> {
        let kind = self.schema.record(&selector.record)?;
        let number =
            |field: &&Field| matches!(field.ty, FieldType::Int | FieldType::Number | FieldType::Money);
        let fields: Vec<&Field> = kind.fields.iter().filter(number).collect();
        let field = self.dice.pick(&fields).copied()?;
        let records: Vec<_> = self
            .world
            .contacts
            .iter()
            .flat_map(|contact| &contact.records)
            .filter(|record| record.kind == kind.name)
            .collect();
        let sample = self.dice.pick(&records).and_then(|record| record.fields.get(&field.name)).cloned();
        let params = self.params.len();
        // The unit is one of the fields beside it; no other field is compared with.
        let unit: Vec<Field> = kind.field("unit").cloned().into_iter().collect();
        match self.field_test(field, &unit, sample) {
            Logic::Leaf(FieldTest { test: Test::Known | Test::Missing, .. }) => {
                self.params.truncate(params);
                None
            }
            test => Some(test),
        }
    }
}
