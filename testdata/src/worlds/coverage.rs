//! Which operators of the language random segments used, and how often their criteria told contacts apart.
//!
//! Every node of the typed tree has a name here; a new one is asked for by the compiler, and must stand in [`OPERATORS`]
//! too. A criterion tells contacts apart when its values over the contacts of the world are not all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::segment::{
    AgeUnit, Aggregate, Amount, Anchor, Asks, ContactTest, Counted, Criteria, End, FieldTest, Filter,
    ListTest, Logic, NumberTest, Operand, Past, Quantity, Relation, Segment, Selector, Sequence, Size, Start,
    Test, TextOp, Turn, Which, Window,
};
use hyperseg_dsl::semantics::evaluate_all;

use super::World;

/// Every operator that random segments must use.
pub const OPERATORS: &[&str] = &[
    "active",
    "age in months",
    "age in years",
    "age on a day",
    "all member of household",
    "and",
    "anniversary",
    "any member of household",
    "around",
    "at least of",
    "at most of",
    "avg",
    "before",
    "bottom number",
    "bottom percent",
    "changed from",
    "changed to",
    "changed",
    "clock of an event",
    "code under",
    "codes without codes",
    "codes",
    "compare with a field",
    "compare",
    "contains",
    "continuous",
    "count days",
    "count distinct",
    "count",
    "day: as_of",
    "day: date",
    "day: of the contact",
    "day: shifted back",
    "day: shifted forward",
    "days covered",
    "days of the contact covered",
    "earliest",
    "ends with",
    "entered segment",
    "everyone",
    "exactly of",
    "field",
    "has all of",
    "has any of",
    "has none of",
    "has",
    "highest",
    "in segment",
    "in",
    "in stage",
    "is known",
    "is missing",
    "latest",
    "lowest",
    "matches",
    "max",
    "median",
    "min",
    "near a point",
    "near a zip",
    "nobody",
    "not followed by",
    "not followed by, open",
    "not",
    "number compare",
    "number in",
    "number range",
    "or",
    "parameter",
    "place",
    "range",
    "rank among",
    "rank by a number from a date of the contact",
    "rank in a unit",
    "same field",
    "sample",
    "sequence",
    "share of some",
    "share",
    "starts with",
    "sum",
    "then after",
    "then",
    "top number",
    "top percent",
    "turns",
    "unit of a measure",
    "unit",
    "was",
    "while observed",
    "while observed from a date of the contact",
    "window: after",
    "window: before",
    "window: between ago",
    "window: between",
    "window: in last",
    "window: in next",
    "window: last period",
    "window: more than ago",
    "window: next period",
    "window: on",
    "window: since",
    "window: this period",
];

/// How often an operator was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Criteria that use it.
    pub criteria: u64,
    /// Those of them that tell contacts apart.
    pub telling: u64,
}

/// The operators of many segments.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<&'static str, Drawn>);

impl Coverage {
    /// Adds a segment over a world.
    pub fn add(&mut self, segment: &Segment, world: &World) {
        let schema = Schema::built_in();
        let Ok(bound) = segment.bind(&BTreeMap::new()) else { return };
        let bound = bound.segment().criteria.iter().chain(&bound.segment().exclude);
        for (criterion, bound) in segment.criteria.iter().chain(&segment.exclude).zip(bound) {
            let mut truths = evaluate_all(&bound.test, &world.contacts, &schema, &world.clock).into_iter();
            let first = truths.next();
            let telling = truths.any(|other| Some(other) != first);
            for operator in used(&criterion.test) {
                let drawn = self.0.entry(operator).or_default();
                drawn.criteria += 1;
                drawn.telling += u64::from(telling);
            }
        }
    }

    /// Operators that no segment used.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        OPERATORS.iter().copied().filter(|operator| !self.0.contains_key(operator)).collect()
    }

    /// Operators with a name that [`OPERATORS`] does not have.
    #[must_use]
    pub fn unlisted(&self) -> Vec<&'static str> {
        self.0.keys().copied().filter(|operator| !OPERATORS.contains(operator)).collect()
    }

    /// The numbers of an operator.
    #[must_use]
    pub fn of(&self, operator: &str) -> Drawn {
        self.0.get(operator).copied().unwrap_or_default()
    }
}

impl fmt::Display for Coverage {
    /// One operator to a line: criteria that use it, and the share of those that tell contacts apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (operator, Drawn { criteria, telling }) in &self.0 {
            let share = telling * 100 / (*criteria).max(1);
            writeln!(f, "{operator:24} {criteria:6} criteria, {share:3} % tell contacts apart")?;
        }
        Ok(())
    }
}

/// The operators of criteria.
#[must_use]
pub fn used(criteria: &Criteria) -> BTreeSet<&'static str> {
    let mut found = Found(BTreeSet::new());
    found.logic(criteria, &mut |found, test| found.contact_test(test));
    found.0
}

struct Found(BTreeSet<&'static str>);

impl Found {
    fn add(&mut self, operator: &'static str) {
        self.0.insert(operator);
    }

    fn logic<L>(&mut self, logic: &Logic<L>, leaf: &mut dyn FnMut(&mut Self, &L)) {
        match logic {
            Logic::True => self.add("everyone"),
            Logic::False => self.add("nobody"),
            Logic::And(parts) => {
                self.add("and");
                parts.iter().for_each(|part| self.logic(part, leaf));
            }
            Logic::Or(parts) => {
                self.add("or");
                parts.iter().for_each(|part| self.logic(part, leaf));
            }
            Logic::Of { quantity, parts, .. } => {
                self.add(match quantity {
                    Quantity::AtLeast => "at least of",
                    Quantity::AtMost => "at most of",
                    Quantity::Exactly => "exactly of",
                });
                parts.iter().for_each(|part| self.logic(part, leaf));
            }
            Logic::Not(inner) => {
                self.add("not");
                self.logic(inner, leaf);
            }
            Logic::Leaf(test) => leaf(self, test),
        }
    }

    fn contact_test(&mut self, test: &ContactTest) {
        match test {
            ContactTest::Field(test) => {
                self.add("field");
                self.field_test(test);
            }
            ContactTest::Age { unit, on, test } => {
                self.add(match unit {
                    AgeUnit::Years => "age in years",
                    AgeUnit::Months => "age in months",
                });
                if let Some(on) = on {
                    self.add("age on a day");
                    self.anchor(on);
                }
                self.number_test(test);
            }
            ContactTest::Turns { window, .. } => {
                self.add("turns");
                self.window(window);
            }
            ContactTest::Anniversary { window, .. } => {
                self.add("anniversary");
                self.window(window);
            }
            ContactTest::History(history) => {
                match &history.past {
                    Past::Changed { from, to } => {
                        self.add("changed");
                        from.iter().for_each(|_| self.add("changed from"));
                        to.iter().for_each(|_| self.add("changed to"));
                    }
                    Past::Was(_) => self.add("was"),
                }
                history.past.operands().for_each(|operand| self.operand(operand));
                self.window(&history.window);
            }
            ContactTest::Has(selector) => {
                self.add("has");
                self.selector(selector);
            }
            ContactTest::Count { counted, selector, test } => {
                self.add(match counted {
                    Counted::Records => "count",
                    Counted::Days => "count days",
                    Counted::Distinct { .. } => "count distinct",
                });
                self.selector(selector);
                self.number_test(test);
            }
            ContactTest::Aggregate { function, selector, unit, test, .. } => {
                if unit.is_some() {
                    self.add("unit of a measure");
                }
                self.add(match function {
                    Aggregate::Sum => "sum",
                    Aggregate::Avg => "avg",
                    Aggregate::Min => "min",
                    Aggregate::Max => "max",
                    Aggregate::Median => "median",
                });
                self.selector(selector);
                self.number_test(test);
            }
            ContactTest::Observed { selector, .. } => {
                self.add("while observed");
                if selector.windows.iter().any(of_contact) {
                    self.add("while observed from a date of the contact");
                }
                self.selector(selector);
            }
            ContactTest::DaysCovered { selector, window, .. } => {
                self.add("days covered");
                if of_contact(window) {
                    self.add("days of the contact covered");
                }
                self.window(window);
                self.selector(selector);
            }
            ContactTest::Continuous { selector, .. } => {
                self.add("continuous");
                self.selector(selector);
            }
            ContactTest::One { which, selector, tie, test } => {
                self.add(match which {
                    Which::Latest => "latest",
                    Which::Earliest => "earliest",
                    Which::Nth(_) => "place",
                });
                if let Some(tie) = tie {
                    self.add(tie.word());
                }
                self.selector(selector);
                self.filter(test);
            }
            ContactTest::Sequence(sequence) => self.sequence(sequence),
            ContactTest::Rank(rank) => {
                self.add(match (rank.end, rank.size) {
                    (End::Top, Size::Number(_)) => "top number",
                    (End::Top, Size::PercentMillis(_)) => "top percent",
                    (End::Bottom, Size::Number(_)) => "bottom number",
                    (End::Bottom, Size::PercentMillis(_)) => "bottom percent",
                });
                if !rank.amount.dates_of_contact().is_empty() {
                    self.add("rank by a number from a date of the contact");
                }
                if let Amount::Aggregate { unit: Some(_), .. } | Amount::One { unit: Some(_), .. } =
                    rank.amount
                {
                    self.add("rank in a unit");
                }
                if let Some(among) = &rank.among {
                    self.add("rank among");
                    self.logic(among, &mut |found, test| found.contact_test(test));
                }
            }
            ContactTest::Near(near) => self.add(match near.zip {
                Some(_) => "near a zip",
                None => "near a point",
            }),
            ContactTest::Sample(_) => self.add("sample"),
            ContactTest::Household(household) => {
                self.add(if household.all { "all member of household" } else { "any member of household" });
                self.logic(&household.test, &mut |found, test| found.contact_test(test));
            }
            ContactTest::Reference(reference) => {
                match &reference.asks {
                    Asks::InSegment => self.add("in segment"),
                    Asks::InStage => self.add("in stage"),
                    Asks::Entered(window) => {
                        self.add("entered segment");
                        self.window(window);
                    }
                }
                for criteria in std::iter::once(&reference.test).chain(&reference.without) {
                    self.logic(criteria, &mut |found, test| found.contact_test(test));
                }
            }
            ContactTest::Share { selector, test, at_least, .. } => {
                self.add(if at_least.is_some() { "share of some" } else { "share" });
                self.selector(selector);
                self.filter(test);
            }
        }
    }

    fn sequence(&mut self, sequence: &Sequence) {
        self.add("sequence");
        let events = std::iter::once(&sequence.first).chain(sequence.links.iter().map(|link| &link.event));
        for event in events {
            if event.clock.is_some() {
                self.add("clock of an event");
            }
            self.selector(&event.selector);
        }
        for link in &sequence.links {
            self.add(match link.relation {
                Relation::Then { after: None } => "then",
                Relation::Then { after: Some(_) } => "then after",
                Relation::NotFollowed { or_open: false } => "not followed by",
                Relation::NotFollowed { or_open: true } => "not followed by, open",
                Relation::Before => "before",
                Relation::Around => "around",
            });
            if !link.same.is_empty() {
                self.add("same field");
            }
        }
    }

    fn selector(&mut self, selector: &Selector) {
        let Selector { filter, windows, active, .. } = selector;
        if *active {
            self.add("active");
        }
        windows.iter().for_each(|window| self.window(window));
        if *filter != Logic::True {
            self.filter(filter);
        }
    }

    fn filter(&mut self, filter: &Filter) {
        self.logic(filter, &mut |found, test| found.field_test(test));
    }

    fn field_test(&mut self, test: &FieldTest) {
        match &test.test {
            Test::Compare(_, operand) => {
                self.add("compare");
                self.operand(operand);
            }
            Test::CompareField(_, _) => self.add("compare with a field"),
            Test::In(operands) => {
                self.add("in");
                operands.iter().for_each(|operand| self.operand(operand));
            }
            Test::Between(low, high) => {
                self.add("range");
                self.operand(low);
                self.operand(high);
            }
            Test::Text(op, operand) => {
                self.add(match op {
                    TextOp::Contains => "contains",
                    TextOp::StartsWith => "starts with",
                    TextOp::EndsWith => "ends with",
                    TextOp::Matches => "matches",
                });
                self.operand(operand);
            }
            Test::Codes(set) => {
                self.add(if set.exclude.is_empty() { "codes" } else { "codes without codes" });
                if set.include.iter().any(|pattern| pattern.under) {
                    self.add("code under");
                }
            }
            Test::List(how, _) => self.add(match how {
                ListTest::Any => "has any of",
                ListTest::All => "has all of",
                ListTest::None => "has none of",
            }),
            Test::Measured { test, .. } => {
                self.add("unit");
                self.number_test(test);
            }
            Test::Window(window) => self.window(window),
            Test::Known => self.add("is known"),
            Test::Missing => self.add("is missing"),
        }
    }

    fn number_test(&mut self, test: &NumberTest) {
        match test {
            NumberTest::Compare(_, operand) => {
                self.add("number compare");
                self.operand(operand);
            }
            NumberTest::Range(low, high) => {
                self.add("number range");
                self.operand(low);
                self.operand(high);
            }
            NumberTest::In(operands) => {
                self.add("number in");
                operands.iter().for_each(|operand| self.operand(operand));
            }
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Literal(_) => {}
            Operand::Param(_) => self.add("parameter"),
        }
    }

    fn window(&mut self, window: &Window) {
        self.add(match window {
            Window::InLast(_) => "window: in last",
            Window::InNext(_) => "window: in next",
            Window::MoreThanAgo(_) => "window: more than ago",
            Window::BetweenAgo(_, _) => "window: between ago",
            Window::Since(_) => "window: since",
            Window::Before(_) => "window: before",
            Window::After(_) => "window: after",
            Window::On(_) => "window: on",
            Window::Between(_, _) => "window: between",
            Window::Calendar(Turn::This, _) => "window: this period",
            Window::Calendar(Turn::Last, _) => "window: last period",
            Window::Calendar(Turn::Next, _) => "window: next period",
        });
        window.anchors().into_iter().for_each(|anchor| self.anchor(anchor));
    }

    fn anchor(&mut self, anchor: &Anchor) {
        match &anchor.start {
            Start::Date(operand) => {
                self.add("day: date");
                self.operand(operand);
            }
            Start::AsOf => self.add("day: as_of"),
            Start::Field(_) => self.add("day: of the contact"),
        }
        for shift in &anchor.shifts {
            self.add(if shift.back { "day: shifted back" } else { "day: shifted forward" });
        }
    }
}

/// The window counts from a date of the contact.
fn of_contact(window: &Window) -> bool {
    window.anchors().iter().any(|anchor| anchor.field().is_some())
}
