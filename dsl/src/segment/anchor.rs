//! Days from which windows and ages count: a date, as_of, a date of the contact, and lengths of time behind it.

use serde::{Deserialize, Serialize};

use super::{
    Amount, ContactTest, Duration, DurationUnit, FieldTest, Filter, Logic, Operand, Selector, Test, Window,
};
use crate::value::Day;

/// A day. The lengths are added or taken away one after the other: months and longer clamped to the end of the month,
/// what would lie outside of the years 1 to 9999 put on the first or last day of these.
///
/// A test with an anchor at a date that the contact does not have is UNKNOWN as a whole, whatever else it says: no
/// record counts as missing, and none as there, in a window that is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anchor {
    /// Where it starts.
    pub start: Start,
    /// Lengths of days or longer; none behind a literal date.
    pub shifts: Vec<Shift>,
}

/// Where an anchor starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// A date.
    Date(Operand),
    /// The local day of as_of.
    AsOf,
    /// A field of the contact of type date.
    Field(String),
}

/// A length that leads away from a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// To earlier days.
    pub back: bool,
    /// How far.
    pub length: Duration,
}

impl Anchor {
    /// A date.
    #[must_use]
    pub fn date(operand: Operand) -> Self {
        Self { start: Start::Date(operand), shifts: Vec::new() }
    }

    /// The field of the contact that it starts at.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match &self.start {
            Start::Field(name) => Some(name),
            Start::Date(_) | Start::AsOf => None,
        }
    }

    /// The date, when it is nothing but one.
    #[must_use]
    pub fn as_date(&self) -> Option<&Operand> {
        match &self.start {
            Start::Date(operand) if self.shifts.is_empty() => Some(operand),
            Start::Date(_) | Start::AsOf | Start::Field(_) => None,
        }
    }
}

/// The days there are.
fn calendar() -> (Day, Day) {
    let year = |year, month, day| Day::from_ymd_opt(year, month, day);
    (year(1, 1, 1).unwrap_or(Day::MIN), year(9999, 12, 31).unwrap_or(Day::MAX))
}

/// The day to which the lengths lead.
pub(crate) fn shifted(day: Day, shifts: &[Shift]) -> Day {
    let (first, last) = calendar();
    shifts.iter().fold(day, |day, shift| moved(day, *shift).unwrap_or(if shift.back { first } else { last }))
}

/// The day to which a length leads; `None` beyond the calendar. Hours and minutes, which the resolver does not let
/// through, lead nowhere.
pub(crate) fn moved(day: Day, Shift { back, length }: Shift) -> Option<Day> {
    let months = |factor: u32| {
        let months = chrono::Months::new(length.count.saturating_mul(factor));
        if back { day.checked_sub_months(months) } else { day.checked_add_months(months) }
    };
    let days = |factor: u64| {
        let days = chrono::Days::new(u64::from(length.count) * factor);
        if back { day.checked_sub_days(days) } else { day.checked_add_days(days) }
    };
    let moved = match length.unit {
        DurationUnit::Minute | DurationUnit::Hour => Some(day),
        DurationUnit::Day => days(1),
        DurationUnit::Week => days(7),
        DurationUnit::Month => months(1),
        DurationUnit::Quarter => months(3),
        DurationUnit::Year => months(12),
    };
    let (first, last) = calendar();
    moved.filter(|moved| first <= *moved && *moved <= last)
}

impl Window {
    /// The days that it counts from.
    #[must_use]
    pub fn anchors(&self) -> Vec<&Anchor> {
        match self {
            Self::InLast(_)
            | Self::InNext(_)
            | Self::MoreThanAgo(_)
            | Self::BetweenAgo(_, _)
            | Self::Calendar(_, _) => Vec::new(),
            Self::Since(day) | Self::Before(day) | Self::After(day) | Self::On(day) => vec![day],
            Self::Between(first, last) => vec![first, last],
        }
    }

    /// The days that it counts from.
    pub fn anchors_mut(&mut self) -> Vec<&mut Anchor> {
        match self {
            Self::InLast(_)
            | Self::InNext(_)
            | Self::MoreThanAgo(_)
            | Self::BetweenAgo(_, _)
            | Self::Calendar(_, _) => Vec::new(),
            Self::Since(day) | Self::Before(day) | Self::After(day) | Self::On(day) => vec![day],
            Self::Between(first, last) => vec![first, last],
        }
    }
}

impl Amount {
    /// From which records it is made; none of a contact field.
    fn selector(&self) -> Option<&Selector> {
        match self {
            Self::Field { .. } | Self::Age(_) => None,
            Self::Count { selector, .. } | Self::Aggregate { selector, .. } | Self::One { selector, .. } => {
                Some(selector)
            }
        }
    }

    /// The dates of the contact from which it counts, each once.
    #[must_use]
    pub fn dates_of_contact(&self) -> Vec<&str> {
        let mut anchors = Vec::new();
        if let Some(selector) = self.selector() {
            of_selector(selector, &mut anchors);
        }
        fields_of(anchors)
    }

    /// Calls `take` with every day that it counts from.
    pub fn each_anchor_mut(&mut self, take: &mut impl FnMut(&mut Anchor)) {
        match self {
            Self::Field { .. } | Self::Age(_) => {}
            Self::Count { selector, .. } | Self::Aggregate { selector, .. } | Self::One { selector, .. } => {
                each_of_selector(selector, take);
            }
        }
    }
}

/// The dates of the contact among these, each once.
fn fields_of(anchors: Vec<&Anchor>) -> Vec<&str> {
    let mut fields: Vec<&str> = anchors.into_iter().filter_map(Anchor::field).collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

impl ContactTest {
    /// The dates of the contact from which it counts, each once; not those of criteria under a name.
    #[must_use]
    pub fn dates_of_contact(&self) -> Vec<&str> {
        let mut anchors: Vec<&Anchor> = Vec::new();
        match self {
            Self::Field(test) => of_field(test, &mut anchors),
            Self::Age { on, .. } => anchors.extend(on),
            Self::Turns { window, .. } | Self::Anniversary { window, .. } => anchors.extend(window.anchors()),
            Self::History(history) => anchors.extend(history.window.anchors()),
            Self::Has(selector)
            | Self::Observed { selector, .. }
            | Self::Continuous { selector, .. }
            | Self::Count { selector, .. }
            | Self::Aggregate { selector, .. } => {
                of_selector(selector, &mut anchors);
            }
            Self::DaysCovered { selector, window, .. } => {
                of_selector(selector, &mut anchors);
                anchors.extend(window.anchors());
            }
            Self::One { selector, test, .. } | Self::Share { selector, test, .. } => {
                of_selector(selector, &mut anchors);
                of_filter(test, &mut anchors);
            }
            Self::Sequence(sequence) => {
                sequence.selectors().for_each(|selector| of_selector(selector, &mut anchors));
            }
            // Their own tests, and the amount of a rank, are UNKNOWN each by itself; windows of entry begin on one day for all.
            Self::Reference(_) | Self::Rank(_) | Self::Household(_) | Self::Sample(_) | Self::Near(_) => {}
        }
        fields_of(anchors)
    }

    /// Calls `take` with every day that it counts from, not with those of criteria under a name.
    pub fn each_anchor_mut(&mut self, take: &mut impl FnMut(&mut Anchor)) {
        match self {
            Self::Field(test) => each_of_field(test, take),
            Self::Age { on, .. } => on.iter_mut().for_each(take),
            Self::Turns { window, .. } | Self::Anniversary { window, .. } => {
                window.anchors_mut().into_iter().for_each(take);
            }
            Self::History(history) => history.window.anchors_mut().into_iter().for_each(take),
            Self::Has(selector)
            | Self::Observed { selector, .. }
            | Self::Continuous { selector, .. }
            | Self::Count { selector, .. }
            | Self::Aggregate { selector, .. } => {
                each_of_selector(selector, take);
            }
            Self::DaysCovered { selector, window, .. } => {
                each_of_selector(selector, take);
                window.anchors_mut().into_iter().for_each(take);
            }
            Self::One { selector, test, .. } | Self::Share { selector, test, .. } => {
                each_of_selector(selector, take);
                each_of_filter(test, take);
            }
            Self::Sequence(sequence) => {
                sequence.selectors_mut().for_each(|selector| each_of_selector(selector, take));
            }
            Self::Reference(_) | Self::Rank(_) | Self::Household(_) | Self::Sample(_) | Self::Near(_) => {}
        }
    }
}

fn of_field<'t>(test: &'t FieldTest, anchors: &mut Vec<&'t Anchor>) {
    if let Test::Window(window) = &test.test {
        anchors.extend(window.anchors());
    }
}

fn of_selector<'t>(selector: &'t Selector, anchors: &mut Vec<&'t Anchor>) {
    anchors.extend(selector.windows.iter().flat_map(Window::anchors));
    of_filter(&selector.filter, anchors);
}

fn of_filter<'t>(filter: &'t Filter, anchors: &mut Vec<&'t Anchor>) {
    match filter {
        Logic::True | Logic::False => {}
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().for_each(|part| of_filter(part, anchors));
        }
        Logic::Not(inner) => of_filter(inner, anchors),
        Logic::Leaf(test) => of_field(test, anchors),
    }
}

fn each_of_field(test: &mut FieldTest, take: &mut impl FnMut(&mut Anchor)) {
    if let Test::Window(window) = &mut test.test {
        window.anchors_mut().into_iter().for_each(take);
    }
}

fn each_of_selector(selector: &mut Selector, take: &mut impl FnMut(&mut Anchor)) {
    selector.windows.iter_mut().flat_map(Window::anchors_mut).for_each(&mut *take);
    each_of_filter(&mut selector.filter, take);
}

fn each_of_filter(filter: &mut Filter, take: &mut impl FnMut(&mut Anchor)) {
    match filter {
        Logic::True | Logic::False => {}
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter_mut().for_each(|part| each_of_filter(part, take));
        }
        Logic::Not(inner) => each_of_filter(inner, take),
        Logic::Leaf(test) => each_of_field(test, take),
    }
}
