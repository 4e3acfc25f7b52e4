//! Random criteria: every node of the typed tree, in the shapes that the resolver makes.

use std::collections::BTreeSet;

use hyperseg_dsl::schema::{Field, FieldType, RecordKind, Schema, hidden_value};
use hyperseg_dsl::segment::{
    Cmp, CodePattern, CodeSet, ContactTest, Criteria, Duration, DurationUnit, FieldTest, Filter, Hidden,
    LengthUnit, ListTest, Logic, Near, NumberTest, Operand, OtherField, Param, Period, Quantity, Reference,
    Selector, Test, TextOp, Turn, Window,
};
use hyperseg_dsl::value::{Day, Value};

use super::World;
use super::anchors::window_test;
use super::dice::Dice;
use super::palette::{self, EXACT_SPANS, SPANS};
use super::segments::sample;

pub(super) const COMPARISONS: [Cmp; 6] = [Cmp::Eq, Cmp::Ne, Cmp::Lt, Cmp::Le, Cmp::Gt, Cmp::Ge];

/// Draws criteria over one world.
pub(super) struct Maker<'a> {
    pub(super) dice: Dice,
    pub(super) schema: &'a Schema,
    pub(super) world: &'a World,
    /// Parameters drawn so far; their defaults are the values they stand for.
    pub(super) params: Vec<Param>,
    /// Segments that were referred to so far.
    pub(super) targets: Vec<Reference>,
    /// The stages of the file, drawn once.
    pub(super) stages: Vec<Criteria>,
    /// What is drawn now is the same in every run: it holds no parameter and refers to nothing.
    pub(super) fixed: bool,
    /// Households in which what is drawn now stands.
    pub(super) inside: usize,
}

impl<'w> Maker<'w> {
    /// Criteria over a contact, nested at most this deep.
    pub(super) fn criteria(&mut self, depth: usize) -> Criteria {
        self.logic(depth, &mut |maker| match maker.dice.below(98) {
            0 => Logic::True,
            1 => Logic::False,
            2..=17 => maker.contact_field(),
            18..=20 => maker.age(),
            21 => maker.lives_near(),
            22..=24 => maker.anniversary(),
            25..=37 => Logic::Leaf(ContactTest::Has(maker.selector())),
            38..=43 => maker.count(),
            44..=51 => maker.aggregate(),
            58..=67 => maker.sequence(),
            68..=71 => maker.share(),
            72..=73 => Logic::Leaf(ContactTest::Sample(sample(&mut maker.dice))),
            74..=77 if !maker.fixed => maker.reference(),
            78..=80 => maker.household(),
            81..=84 => maker.adherence(),
            85..=88 if !maker.fixed => maker.rank(),
            93..=97 => maker.history(),
            _ => maker.one(),
        })
    }

    fn logic<L>(&mut self, depth: usize, leaf: &mut impl FnMut(&mut Self) -> Logic<L>) -> Logic<L> {
        if depth == 0 || self.dice.percent(50) {
            return leaf(self);
        }
        let parts = 2 + self.dice.below(2);
        match self.dice.below(7) {
            6 => {
                let quantity = self.dice.pick(&Quantity::ALL).copied().unwrap_or(Quantity::Exactly);
                let number = match quantity {
                    Quantity::AtLeast => 1 + self.dice.below(parts),
                    Quantity::AtMost => self.dice.below(parts),
                    Quantity::Exactly => self.dice.below(parts + 1),
                };
                Logic::Of {
                    quantity,
                    number: u32::try_from(number).unwrap_or(1),
                    parts: (0..parts).map(|_| self.logic(depth - 1, leaf)).collect(),
                }
            }
            0 | 1 => Logic::Not(Box::new(self.logic(depth - 1, leaf))),
            2 | 3 => Logic::And((0..parts).map(|_| self.logic(depth - 1, leaf)).collect()),
            _ => Logic::Or((0..parts).map(|_| self.logic(depth - 1, leaf)).collect()),
        }
    }

    fn contact_field(&mut self) -> Criteria {
        let contact = self.dice.pick(&self.world.contacts);
        let known: Vec<&Field> = self
            .schema
            .contact
            .iter()
            .filter(|field| contact.is_some_and(|contact| contact.fields.contains_key(&field.name)))
            .collect();
        let field = if self.dice.percent(80) {
            self.dice.pick(&known).copied()
        } else {
            self.dice.pick(&self.schema.contact)
        };
        let Some(field) = field else { return Logic::True };
        let sample = contact.and_then(|contact| contact.fields.get(&field.name)).cloned();
        let of_class: Vec<Field> =
            self.schema.contact.iter().filter(|other| other.class == field.class).cloned().collect();
        match self.field_test(field, &of_class, sample) {
            Logic::Leaf(test) => Logic::Leaf(ContactTest::Field(test)),
            Logic::Not(inner) => match *inner {
                Logic::Leaf(test) => Logic::Not(Box::new(Logic::Leaf(ContactTest::Field(test)))),
                _ => Logic::True,
            },
            _ => Logic::True,
        }
    }

    /// Tests of the fields of a record of the kind.
    pub(super) fn filter(&mut self, kind: &RecordKind, depth: usize) -> Filter {
        let records: Vec<_> = self
            .world
            .contacts
            .iter()
            .flat_map(|contact| &contact.records)
            .filter(|record| record.kind == kind.name)
            .collect();
        self.logic(depth, &mut |maker| {
            let record = maker.dice.pick(&records);
            let favourites: Vec<&Field> = ["code", "status", "value", "decision", "class", "machine"]
                .iter()
                .filter_map(|name| kind.field(name))
                .collect();
            let field = if maker.dice.percent(50) { maker.dice.pick(&favourites).copied() } else { None };
            let Some(field) = field.or_else(|| maker.dice.pick(&kind.fields)) else { return Logic::True };
            let sample = record.and_then(|record| record.fields.get(&field.name)).cloned();
            maker.field_test(field, &kind.fields, sample)
        })
    }

    /// A test of a field, or `Not` of one; around the sample when there is one.
    pub(super) fn field_test(&mut self, field: &Field, others: &[Field], sample: Option<Value>) -> Filter {
        let leaf = |test| Logic::Leaf(FieldTest { field: field.name.clone(), ty: field.ty, test });
        if self.dice.percent(8)
            && let Some(test) = self.against_field(field, others)
        {
            return leaf(test);
        }
        // Without other fields there is none for a unit.
        let unit = others.iter().any(|other| other.name == "unit") && field.ty == FieldType::Number;
        if unit && self.dice.percent(40) {
            let unit = palette::unit(&mut self.dice);
            return leaf(Test::Measured { unit, test: self.reported(field, sample.as_ref()) });
        }
        match self.dice.below(12) {
            0 => return leaf(Test::Known),
            1 => return leaf(Test::Missing),
            _ => {}
        }
        match field.ty {
            FieldType::Categories => {
                let how = self.dice.pick(&ListTest::ALL).copied().unwrap_or(ListTest::Any);
                let mut values: Vec<Value> = match &sample {
                    Some(Value::Categories(known)) if self.dice.percent(60) => {
                        known.iter().take(2).cloned().map(Value::Category).collect()
                    }
                    _ => Vec::new(),
                };
                if values.is_empty() || self.dice.percent(50) {
                    values.extend(
                        field
                            .categories
                            .iter()
                            .take(3)
                            .skip(self.dice.below(2))
                            .cloned()
                            .map(Value::Category),
                    );
                }
                let mut operands: Vec<Operand> = Vec::new();
                for value in values.into_iter().map(Operand::Literal) {
                    if !operands.contains(&value) {
                        operands.push(value);
                    }
                }
                leaf(Test::List(how, operands))
            }
            FieldType::Point => leaf(Test::Known),
            FieldType::Code => {
                let test = leaf(Test::Codes(self.codes(sample.as_ref())));
                if self.dice.percent(20) { Logic::Not(Box::new(test)) } else { test }
            }
            FieldType::Date | FieldType::Time if self.dice.percent(50) => {
                leaf(window_test(self.window(field.ty == FieldType::Time)))
            }
            FieldType::Text if self.dice.percent(40) => leaf(self.text_test(sample.as_ref())),
            FieldType::Text | FieldType::Category | FieldType::Bool => {
                if self.dice.percent(60) {
                    let cmp = if self.dice.percent(70) { Cmp::Eq } else { Cmp::Ne };
                    let value = self.literal(field, sample.as_ref());
                    leaf(Test::Compare(cmp, self.operand(value)))
                } else {
                    leaf(Test::In(self.list(field, sample.as_ref())))
                }
            }
            FieldType::Int | FieldType::Number | FieldType::Money | FieldType::Date | FieldType::Time => {
                match self.dice.below(4) {
                    0 => leaf(Test::In(self.list(field, sample.as_ref()))),
                    1 => {
                        let one = self.literal(field, sample.as_ref());
                        let other = self.literal(field, None);
                        let (low, high) = if greater(&one, &other) { (other, one) } else { (one, other) };
                        leaf(Test::Between(self.operand(low), self.operand(high)))
                    }
                    _ => {
                        let cmp = self.dice.pick(&COMPARISONS).copied().unwrap_or(Cmp::Eq);
                        let value = self.literal(field, sample.as_ref());
                        leaf(Test::Compare(cmp, self.operand(value)))
                    }
                }
            }
        }
    }

    /// A comparison with another field that can be compared.
    fn against_field(&mut self, field: &Field, others: &[Field]) -> Option<Test> {
        let family = |field: &Field| match field.ty {
            FieldType::Date | FieldType::Time => 1,
            FieldType::Int | FieldType::Number => 2,
            FieldType::Text | FieldType::Category | FieldType::Bool => 3,
            FieldType::Money => 4,
            FieldType::Code | FieldType::Categories | FieldType::Point => 0,
        };
        let alike: Vec<&Field> = others
            .iter()
            .filter(|other| other.name != field.name && family(other) == family(field) && family(field) > 0)
            .filter(|other| {
                family(field) != 3 || other.ty == field.ty && other.categories == field.categories
            })
            .collect();
        let other = self.dice.pick(&alike)?;
        // A word that is a category of the field is one.
        if field.categories.contains(&other.name) {
            return None;
        }
        let comparisons = if family(field) == 3 { &COMPARISONS[..2] } else { &COMPARISONS[..] };
        let cmp = self.dice.pick(comparisons).copied()?;
        Some(Test::CompareField(cmp, OtherField { field: other.name.clone(), ty: other.ty }))
    }

    fn list(&mut self, field: &Field, sample: Option<&Value>) -> Vec<Operand> {
        let mut values: Vec<Value> = Vec::new();
        for place in 0..1 + self.dice.below(3) {
            let value = self.literal(field, sample.filter(|_| place == 0));
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values.into_iter().map(|value| self.operand(value)).collect()
    }

    /// A value as the text of a segment can say it: the sample mostly, days for moments.
    pub(super) fn literal(&mut self, field: &Field, sample: Option<&Value>) -> Value {
        let value = match sample {
            Some(sample) if self.dice.percent(80) => sample.clone(),
            _ => palette::value(&mut self.dice, field, &self.world.clock),
        };
        match value {
            Value::Time(when) => Value::Date(self.world.clock.day_of(when)),
            Value::Partial(date) => Value::Date(palette::day_near(&mut self.dice, date)),
            Value::Int(n) if self.dice.percent(10) => {
                Value::Number(f64::from(i32::try_from(n).unwrap_or(0)) + 0.5)
            }
            other => other,
        }
    }

    /// The value, or a parameter that stands for it.
    pub(super) fn operand(&mut self, value: Value) -> Operand {
        let ty = match &value {
            Value::Text(_) => Some(FieldType::Text),
            Value::Int(_) => Some(FieldType::Int),
            Value::Number(_) => Some(FieldType::Number),
            Value::Money(_) => Some(FieldType::Money),
            Value::Bool(_) => Some(FieldType::Bool),
            Value::Date(_) => Some(FieldType::Date),
            Value::Category(_)
            | Value::Partial(_)
            | Value::Time(_)
            | Value::Code(_)
            | Value::Categories(_)
            | Value::Point(_, _) => None,
        };
        match ty {
            Some(ty) if !self.fixed && self.params.len() < 9 && self.dice.percent(4) => {
                let name = format!("p{}", self.params.len() + 1);
                self.params.push(Param { name: name.clone(), ty, default: Some(value) });
                Operand::Param(name)
            }
            _ => Operand::Literal(value),
        }
    }

    fn text_test(&mut self, sample: Option<&Value>) -> Test {
        let text = match sample {
            Some(Value::Text(text)) => text.clone(),
            _ => "a".to_owned(),
        };
        let half = text.chars().count().div_ceil(2);
        let start: String = text.chars().take(half).collect();
        let end: String = text.chars().skip(half / 2).collect();
        let (op, wanted) = match self.dice.below(4) {
            0 => (TextOp::Contains, end),
            1 => (TextOp::StartsWith, start),
            2 => (TextOp::EndsWith, end),
            _ => {
                let pattern = self.dice.one(&["^a", "b$", "[A-Z]", "^.$", "\u{eb}|'", "\\d"]);
                let wanted = Operand::Literal(Value::Text(pattern.to_owned()));
                return Test::Text(TextOp::Matches, wanted);
            }
        };
        Test::Text(op, self.operand(Value::Text(wanted)))
    }

    /// A set that holds the sample, when there is one, and is never empty.
    fn codes(&mut self, sample: Option<&Value>) -> CodeSet {
        let exact = |code| CodePattern { code, under: false };
        let mut include = BTreeSet::new();
        let mut exclude = BTreeSet::new();
        match sample {
            Some(Value::Code(code)) if self.dice.percent(60) => {
                include.insert(exact(code.clone()));
            }
            _ => {
                let pattern = CodePattern { code: palette::prefix(&mut self.dice), under: true };
                // What is taken out lies strictly below, so that something is left.
                if pattern.code.code.starts_with('E') && pattern.code.code.len() < 4 && self.dice.percent(40)
                {
                    let mut code = pattern.code.clone();
                    code.code = "E1165".to_owned();
                    exclude.insert(CodePattern { code, under: self.dice.percent(50) });
                }
                include.insert(pattern);
            }
        }
        if exclude.is_empty() && self.dice.percent(30) {
            include.insert(exact(palette::code(&mut self.dice)));
        }
        CodeSet { include, exclude }
    }

    /// A whole number against bounds: an age or a small count.
    pub(super) fn number_test(&mut self, age: bool) -> NumberTest {
        let mut number = || {
            Value::Int(if age { palette::age(&mut self.dice) } else { self.dice.one(&[0, 1, 1, 1, 2, 2, 3]) })
        };
        let (one, other) = (number(), number());
        match self.dice.below(6) {
            0 => {
                let (low, high) = if greater(&one, &other) { (other, one) } else { (one, other) };
                NumberTest::Range(self.operand(low), self.operand(high))
            }
            1 => {
                let mut values = vec![one];
                if !values.contains(&other) {
                    values.push(other);
                }
                NumberTest::In(values.into_iter().map(|value| self.operand(value)).collect())
            }
            _ => {
                let cmp = self.dice.pick(&COMPARISONS).copied().unwrap_or(Cmp::Eq);
                NumberTest::Compare(cmp, self.operand(one))
            }
        }
    }

    /// A kind that has records mostly; the built-in schema has kinds.
    pub(super) fn kind(&mut self) -> Option<&'w RecordKind> {
        let present: Vec<&str> = self
            .world
            .contacts
            .iter()
            .flat_map(|contact| contact.records.iter().map(|record| record.kind.as_str()))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let present = if self.dice.percent(90) { self.dice.pick(&present).copied() } else { None };
        present.and_then(|name| self.schema.record(name)).or_else(|| self.dice.pick(&self.schema.records))
    }

    /// A distance from a ZIP or a point; never one on whose edge a place lies.
    fn lives_near(&mut self) -> Criteria {
        let zip = if self.dice.percent(40) { self.dice.pick(&palette::ZIPS).copied() } else { None };
        let lives =
            self.dice.pick(&self.world.contacts).and_then(|contact| match contact.fields.get("location") {
                Some(Value::Point(north, east)) => Some((*north, *east)),
                _ => None,
            });
        let point = lives.unwrap_or_else(|| palette::place(&mut self.dice));
        let (north, east) = zip.map_or(point, |(_, place)| place);
        Logic::Leaf(ContactTest::Near(Near {
            north,
            east,
            zip: zip.map(|(zip, _)| zip.to_owned()),
            distance: self.dice.one(&[0.0, 1.5, 25.0, 300.0, 300.0, 6_000.0, 9_000.0, 11_000.0]),
            unit: self.dice.pick(&LengthUnit::ALL).copied().unwrap_or(LengthUnit::Km),
            places: super::lookups().places.map(|places| (*places).clone()),
        }))
    }

    fn share(&mut self) -> Criteria {
        let Some(kind) = self.kind() else { return Logic::True };
        let selector = self.selector_of(kind, 15);
        let test = self.filter(kind, 1);
        let cmp = self.dice.pick(&COMPARISONS).copied().unwrap_or(Cmp::Gt);
        let percent_millis = self.dice.one(&[0, 20_000, 25_000, 33_333, 50_000, 50_000, 66_700, 100_000]);
        let at_least = if self.dice.percent(40) { Some(self.dice.one(&[1, 2, 3])) } else { None };
        Logic::Leaf(ContactTest::Share { selector, test, cmp, percent_millis, at_least })
    }

    pub(super) fn selector(&mut self) -> Selector {
        let Some(kind) = self.kind() else {
            // Without a kind nothing is selected.
            return Selector {
                record: String::new(),
                filter: Logic::True,
                windows: Vec::new(),
                active: false,
                hidden: Vec::new(),
            };
        };
        self.selector_of(kind, 60)
    }

    /// A selector of records of the kind, this often with a filter.
    pub(super) fn selector_of(&mut self, kind: &RecordKind, filtered: usize) -> Selector {
        let windows = match self.dice.below(10) {
            0..=4 => 0,
            5..=8 => 1,
            _ => 2,
        };
        let active = kind.has_end() && self.dice.percent(40);
        self.selector_with(kind, filtered, windows, active)
    }

    /// A selector with so many windows, this often with a filter.
    pub(super) fn selector_with(
        &mut self,
        kind: &RecordKind,
        filtered: usize,
        windows: usize,
        active: bool,
    ) -> Selector {
        let filter = if self.dice.percent(filtered) { self.filter(kind, 2) } else { Logic::True };
        let windows = (0..windows).map(|_| self.window(true)).collect();
        let hidden = hidden(kind, &filter);
        Selector { record: kind.name.clone(), filter, windows, active, hidden }
    }

    /// A window; hours and minutes only where moments have them.
    pub(super) fn window(&mut self, hours: bool) -> Window {
        let exact = hours && self.dice.percent(25);
        let nothing = Duration { count: 1, unit: DurationUnit::Day };
        let mut span = || {
            if exact {
                self.dice.pick(&EXACT_SPANS).map_or(nothing, |(span, _)| *span)
            } else {
                self.dice.pick(&SPANS).copied().unwrap_or(nothing)
            }
        };
        let (one, other) = (span(), span());
        if exact {
            return match self.dice.below(4) {
                0 => Window::InLast(one),
                1 => Window::InNext(one),
                2 => Window::MoreThanAgo(one),
                _ => between_ago(one, other),
            };
        }
        match self.dice.below(17) {
            12..=14 => {
                let turn = self.dice.pick(&Turn::ALL).copied().unwrap_or(Turn::This);
                let period = self.dice.pick(&Period::ALL).copied().unwrap_or(Period::Month);
                Window::Calendar(turn, period)
            }
            0..=2 => Window::InLast(one),
            3..=4 => Window::InNext(one),
            5 => Window::MoreThanAgo(one),
            6 => between_ago(one, other),
            7 => Window::Since(self.anchor()),
            8 => Window::Before(self.anchor()),
            9 => Window::After(self.anchor()),
            10 => Window::On(self.anchor()),
            _ => self.between(),
        }
    }

    pub(super) fn day(&mut self) -> Day {
        palette::day(&mut self.dice, &self.world.clock)
    }
}

fn between_ago(one: Duration, other: Duration) -> Window {
    let minutes = |span: Duration| {
        let unit = match span.unit {
            DurationUnit::Minute => 1,
            DurationUnit::Hour => 60,
            DurationUnit::Day => 1_440,
            DurationUnit::Week => 7 * 1_440,
            DurationUnit::Month => 30 * 1_440,
            DurationUnit::Quarter => 91 * 1_440,
            DurationUnit::Year => 365 * 1_440,
        };
        u64::from(span.count) * unit
    };
    if minutes(one) <= minutes(other) {
        Window::BetweenAgo(one, other)
    } else {
        Window::BetweenAgo(other, one)
    }
}

/// What the schema hides and the filter does not name.
pub(super) fn hidden(kind: &RecordKind, filter: &Filter) -> Vec<Hidden> {
    kind.hidden
        .iter()
        .filter(|(name, _)| !names(filter, name))
        .filter_map(|(name, values)| {
            let field = kind.field(name)?;
            let values = values.iter().map(|text| hidden_value(field, text)).collect();
            Some(Hidden { field: name.clone(), values })
        })
        .collect()
}

fn names(filter: &Filter, field: &str) -> bool {
    match filter {
        Logic::True | Logic::False => false,
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().any(|part| names(part, field))
        }
        Logic::Not(inner) => names(inner, field),
        Logic::Leaf(test) => test.field == field,
    }
}

/// The first is the greater one; for values of one type, and whole against other numbers.
pub(super) fn greater(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Int(n) => i32::try_from(*n).ok().map(f64::from),
        Value::Number(n) => Some(*n),
        _ => None,
    };
    match (one, other) {
        (Value::Money(one), Value::Money(other)) => one > other,
        (Value::Date(one), Value::Date(other)) => one > other,
        _ => number(one) > number(other),
    }
}
