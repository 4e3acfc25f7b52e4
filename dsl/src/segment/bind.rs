//! Parameters replaced by values.

use std::collections::BTreeMap;
use std::fmt;

use super::anchor::shifted;
use super::{
    Amount, Anchor, Asks, ContactTest, Criteria, Criterion, FieldTest, Filter, Logic, NumberTest, Operand,
    Segment, Selector, Start, Test, Window,
};
use crate::resolve::greater;
use crate::schema::{FieldType, ZIP, is_stored_zip};
use crate::value::{Value, parse_day};

/// Values for parameters as a user gives them: `name` → text.
pub type ParamValues = BTreeMap<String, String>;

/// A segment without parameters. Only [`Segment::bind`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundSegment {
    segment: Segment,
    /// Values that were put in, by parameter name.
    params: BTreeMap<String, Value>,
}

impl BoundSegment {
    /// The segment; every [`Operand`] in it is a literal.
    #[must_use]
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// The value of every parameter of the segment, given or default.
    #[must_use]
    pub fn params(&self) -> &BTreeMap<String, Value> {
        &self.params
    }
}

/// Why parameters could not be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindError {
    /// No value given and no default.
    Missing {
        /// The parameter.
        name: String,
    },
    /// The segment has no such parameter.
    Unknown {
        /// The name that was given.
        name: String,
        /// The parameters there are.
        known: Vec<String>,
    },
    /// The text is not a value of the declared type.
    Invalid {
        /// The parameter.
        name: String,
        /// What was expected, e.g. `a number`.
        expected: &'static str,
    },
    /// With this value the lower bound of a range lies above the upper one.
    Reversed {
        /// The parameter; both names when each bound is one.
        name: String,
    },
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name } => {
                write!(f, "parameter `{name}` has no value and no default; give it with --param {name}=VALUE")
            }
            Self::Unknown { name, known } if known.is_empty() => {
                write!(f, "unknown parameter `{name}`; this segment has none")
            }
            Self::Unknown { name, known } => {
                write!(f, "unknown parameter `{name}`; this segment has {}", known.join(", "))
            }
            Self::Invalid { name, expected } => write!(f, "parameter `{name}` expects {expected}"),
            Self::Reversed { name } => write!(
                f,
                "the value of parameter `{name}` turns the bounds of a range around; the lower one comes first"
            ),
        }
    }
}

impl std::error::Error for BindError {}

impl Segment {
    /// Replaces every parameter by its given or default value.
    ///
    /// # Errors
    /// A parameter without value and default, a name that the segment does not have, a text that is not a value of
    /// the parameter's type, or not one of the field it is compared with, bounds the wrong way round.
    pub fn bind(&self, given: &ParamValues) -> Result<BoundSegment, BindError> {
        let mut params = BTreeMap::new();
        for name in given.keys() {
            if !self.params.iter().any(|param| param.name == *name) {
                let known = self.params.iter().map(|param| param.name.clone()).collect();
                return Err(BindError::Unknown { name: name.clone(), known });
            }
        }
        for param in &self.params {
            let value = match given.get(&param.name) {
                Some(text) => parse_param(&param.ty, text).ok_or_else(|| BindError::Invalid {
                    name: param.name.clone(),
                    expected: expected(&param.ty),
                })?,
                None => {
                    param.default.clone().ok_or_else(|| BindError::Missing { name: param.name.clone() })?
                }
            };
            params.insert(param.name.clone(), value);
        }
        let binder = Binder { params: &params };
        let mut segment = self.clone();
        for Criterion { test, .. } in segment.criteria.iter_mut().chain(segment.exclude.as_mut()) {
            binder.criteria(test)?;
        }
        if let Some(order) = segment.limit.as_mut().and_then(|limit| limit.by.as_mut()) {
            binder.amount(&mut order.amount)?;
        }
        Ok(BoundSegment { segment, params })
    }
}

/// Reads a parameter's value; `None` when the text is not of the type.
fn parse_param(ty: &FieldType, text: &str) -> Option<Value> {
    match ty {
        // As literals are read, and as stored text is.
        FieldType::Text => (!text.is_empty()).then(|| Value::Text(crate::schema::normal_text(text))),
        FieldType::Int => text.parse().ok().map(Value::Int),
        FieldType::Number => text.parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Number),
        FieldType::Money => crate::schema::parse_money(text).map(Value::Money),
        FieldType::Bool => text.parse().ok().map(Value::Bool),
        FieldType::Date => parse_day(text).map(Value::Date),
        FieldType::Category
        | FieldType::Categories
        | FieldType::Time
        | FieldType::Code
        | FieldType::Point => None,
    }
}

fn expected(ty: &FieldType) -> &'static str {
    match ty {
        FieldType::Text => "a text that is not empty",
        FieldType::Int => "a whole number",
        FieldType::Number => "a number",
        FieldType::Money => "an amount with at most two decimals",
        FieldType::Bool => "true or false",
        FieldType::Date => "a date such as 2026-01-31",
        FieldType::Category
        | FieldType::Categories
        | FieldType::Time
        | FieldType::Code
        | FieldType::Point => "a type that parameters cannot have",
    }
}

struct Binder<'a> {
    params: &'a BTreeMap<String, Value>,
}

type Result2 = Result<(), BindError>;

impl Binder<'_> {
    fn logic<L>(&self, logic: &mut Logic<L>, leaf: &impl Fn(&Self, &mut L) -> Result2) -> Result2 {
        match logic {
            Logic::True | Logic::False => Ok(()),
            Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
                parts.iter_mut().try_for_each(|part| self.logic(part, leaf))
            }
            Logic::Not(inner) => self.logic(inner, leaf),
            Logic::Leaf(test) => leaf(self, test),
        }
    }

    fn criteria(&self, criteria: &mut Criteria) -> Result2 {
        self.logic(criteria, &|binder, leaf| binder.contact_test(leaf))
    }

    fn contact_test(&self, test: &mut ContactTest) -> Result2 {
        match test {
            ContactTest::Field(test) => {
                self.zip(test)?;
                self.field_test(test)
            }
            ContactTest::Age { on, test, .. } => {
                on.as_mut().map_or(Ok(()), |on| self.anchor(on))?;
                self.number_test(test)
            }
            ContactTest::Near(_) => Ok(()),
            ContactTest::Anniversary { window, .. } | ContactTest::Turns { window, .. } => {
                self.window(window)
            }
            ContactTest::History(history) => {
                for operand in history.past.operands_mut() {
                    self.whole_zip(&history.field, operand)?;
                    self.operand(operand)?;
                }
                self.window(&mut history.window)
            }
            ContactTest::Has(selector)
            | ContactTest::Observed { selector, .. }
            | ContactTest::Continuous { selector, .. } => self.selector(selector),
            ContactTest::DaysCovered { selector, window, .. } => {
                self.selector(selector)?;
                self.window(window)
            }
            ContactTest::Count { selector, test, .. } | ContactTest::Aggregate { selector, test, .. } => {
                self.selector(selector)?;
                self.number_test(test)
            }
            ContactTest::One { selector, test, .. } | ContactTest::Share { selector, test, .. } => {
                self.selector(selector)?;
                self.filter(test)
            }
            ContactTest::Rank(rank) => {
                self.amount(&mut rank.amount)?;
                rank.among.as_mut().map_or(Ok(()), |among| self.criteria(among))
            }
            ContactTest::Sample(_) => Ok(()),
            ContactTest::Sequence(sequence) => {
                sequence.selectors_mut().try_for_each(|selector| self.selector(selector))
            }
            ContactTest::Household(household) => self.criteria(&mut household.test),
            ContactTest::Reference(reference) => {
                match &mut reference.asks {
                    Asks::InSegment | Asks::InStage => {}
                    Asks::Entered(window) => self.window(window)?,
                }
                self.criteria(&mut reference.test)?;
                reference.without.iter_mut().try_for_each(|criteria| self.criteria(criteria))
            }
        }
    }

    fn amount(&self, amount: &mut Amount) -> Result2 {
        match amount {
            Amount::Field { .. } | Amount::Age(_) => Ok(()),
            Amount::Count { selector, .. }
            | Amount::Aggregate { selector, .. }
            | Amount::One { selector, .. } => self.selector(selector),
        }
    }

    fn filter(&self, filter: &mut Filter) -> Result2 {
        self.logic(filter, &|binder, test| binder.field_test(test))
    }

    fn selector(&self, selector: &mut Selector) -> Result2 {
        self.filter(&mut selector.filter)?;
        selector.windows.iter_mut().try_for_each(|window| self.window(window))
    }

    fn field_test(&self, test: &mut FieldTest) -> Result2 {
        match &mut test.test {
            Test::Compare(_, operand) | Test::Text(_, operand) => self.operand(operand),
            Test::In(operands) | Test::List(_, operands) => {
                operands.iter_mut().try_for_each(|operand| self.operand(operand))
            }
            Test::Between(low, high) => self.bounds(low, high),
            Test::Window(window) => self.window(window),
            Test::Measured { test, .. } => self.number_test(test),
            Test::CompareField(_, _) | Test::Codes(_) | Test::Known | Test::Missing => Ok(()),
        }
    }

    fn number_test(&self, test: &mut NumberTest) -> Result2 {
        match test {
            NumberTest::Compare(_, operand) => self.operand(operand),
            NumberTest::Range(low, high) => self.bounds(low, high),
            NumberTest::In(operands) => operands.iter_mut().try_for_each(|operand| self.operand(operand)),
        }
    }

    fn window(&self, window: &mut Window) -> Result2 {
        match window {
            Window::InLast(_)
            | Window::InNext(_)
            | Window::MoreThanAgo(_)
            | Window::BetweenAgo(_, _)
            | Window::Calendar(_, _) => Ok(()),
            Window::Since(day) | Window::Before(day) | Window::After(day) | Window::On(day) => {
                self.anchor(day)
            }
            Window::Between(first, last) => self.days(first, last),
        }
    }

    /// A parameter that a whole ZIP is compared with has the form of one, as literals must; before it is replaced.
    fn zip(&self, test: &FieldTest) -> Result2 {
        let compared = match &test.test {
            Test::Compare(_, operand) => std::slice::from_ref(operand),
            Test::In(operands) => operands.as_slice(),
            Test::CompareField(_, _)
            | Test::Between(_, _)
            | Test::Measured { .. }
            | Test::Text(_, _)
            | Test::Codes(_)
            | Test::List(_, _)
            | Test::Window(_)
            | Test::Known
            | Test::Missing => &[],
        };
        compared.iter().try_for_each(|operand| self.whole_zip(&test.field, operand))
    }

    /// What the field is compared with as a whole.
    fn whole_zip(&self, field: &str, operand: &Operand) -> Result2 {
        match operand {
            Operand::Param(name) if field == ZIP => match self.params.get(name) {
                Some(Value::Text(text)) if !is_stored_zip(text) => {
                    Err(BindError::Invalid { name: name.clone(), expected: "a ZIP code of five digits" })
                }
                Some(_) | None => Ok(()),
            },
            Operand::Param(_) | Operand::Literal(_) => Ok(()),
        }
    }

    fn anchor(&self, anchor: &mut Anchor) -> Result2 {
        let Start::Date(operand) = &mut anchor.start else { return Ok(()) };
        self.operand(operand)?;
        if let Operand::Literal(Value::Date(day)) = operand {
            *day = shifted(*day, &anchor.shifts);
            anchor.shifts.clear();
        }
        Ok(())
    }

    /// Both days of a window. Those that have no parameter were compared when the segment was compiled.
    fn days(&self, first: &mut Anchor, last: &mut Anchor) -> Result2 {
        let names: Vec<String> = [&*first, &*last]
            .into_iter()
            .filter_map(|anchor| match &anchor.start {
                Start::Date(Operand::Param(name)) => Some(name.clone()),
                Start::Date(Operand::Literal(_)) | Start::AsOf | Start::Field(_) => None,
            })
            .collect();
        self.anchor(first)?;
        self.anchor(last)?;
        match (first.as_date(), last.as_date()) {
            (Some(Operand::Literal(first)), Some(Operand::Literal(last)))
                if !names.is_empty() && greater(first, last) =>
            {
                Err(BindError::Reversed { name: names.join("` and `") })
            }
            _ => Ok(()),
        }
    }

    /// Both bounds of a range. Bounds that are both literals were compared when the segment was compiled.
    fn bounds(&self, low: &mut Operand, high: &mut Operand) -> Result2 {
        let names: Vec<String> = [&*low, &*high]
            .into_iter()
            .filter_map(|operand| match operand {
                Operand::Param(name) => Some(name.clone()),
                Operand::Literal(_) => None,
            })
            .collect();
        self.operand(low)?;
        self.operand(high)?;
        match (low, high) {
            (Operand::Literal(low), Operand::Literal(high)) if !names.is_empty() && greater(low, high) => {
                Err(BindError::Reversed { name: names.join("` and `") })
            }
            (Operand::Literal(_) | Operand::Param(_), Operand::Literal(_) | Operand::Param(_)) => Ok(()),
        }
    }

    fn operand(&self, operand: &mut Operand) -> Result2 {
        if let Operand::Param(name) = operand {
            let value =
                self.params.get(name.as_str()).ok_or_else(|| BindError::Missing { name: name.clone() })?;
            *operand = Operand::Literal(value.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::schema::Schema;

    fn bound(source: &str, given: &[(&str, &str)]) -> Result<BoundSegment, BindError> {
        let found = crate::check(source, &Schema::built_in());
        assert!(found.diagnostics.iter().all(|it| !it.is_error()), "{:?}", found.diagnostics);
        let given = given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        found.segments[0].bind(&given)
    }

    #[test]
    fn text_is_read_as_literals_are() {
        let source = "param city: text\nsegment s where city = $city\n";
        let segment = bound(source, &[("city", "Orle\u{301}ans")]).unwrap();
        assert_eq!(segment.params()["city"], Value::Text("Orl\u{e9}ans".to_owned()));
        assert!(bound(source, &[("city", "")]).is_err());
    }

    #[test]
    fn a_zip_has_five_digits() {
        for test in ["zip = $z", "zip != $z", "zip in (\"02139\", $z)", "not (zip = $z)"] {
            let source = format!("param z: text\nsegment s where {test}\n");
            assert!(bound(&source, &[("z", "02138")]).is_ok(), "{test}");
            for wrong in ["2138", "02138-1234", "0213x", "\u{661}2345"] {
                let error = bound(&source, &[("z", wrong)]).unwrap_err();
                let expected = "a ZIP code of five digits";
                assert_eq!(error, BindError::Invalid { name: "z".to_owned(), expected }, "{test} {wrong}");
            }
        }
        assert!(bound("param z: text = \"2138\"\nsegment s where zip = $z\n", &[]).is_err());
        assert!(bound("param z: text\nsegment s where zip starts with $z\n", &[("z", "021")]).is_ok());
    }

    #[test]
    fn bounds_the_wrong_way_round() {
        for (ty, test, low, high) in [
            ("int", "age in $a..$b", "50", "60"),
            ("int", "count(email_open) in $a..$b", "1", "2"),
            ("int", "count(days of email_open) in $a..$b", "1", "2"),
            ("money", "sum(bill.amount) in $a..$b", "-10.01", "-10.00"),
            ("number", "avg(lab.value) in $a..$b", "0.5", "0.75"),
            ("number", "avg(lab.value) in $a..$b \"%\"", "0.5", "0.75"),
            ("number", "has lab(value between $a and $b \"mg/dL\")", "0.5", "0.75"),
            ("date", "enrolled_on between $a and $b", "2025-01-01", "2025-01-02"),
            ("date", "has lab between $a and $b", "2025-01-01", "2025-01-02"),
            ("date", "birth_date anniversary between $a and $b", "2025-01-01", "2025-01-02"),
            ("number", "risk_score between $a and $b", "0.5", "0.75"),
            ("money", "income between $a and $b", "10.00", "10.01"),
        ] {
            let source = format!("param a: {ty}\nparam b: {ty}\nsegment s where {test}\n");
            for (a, b) in [(low, high), (low, low)] {
                assert!(bound(&source, &[("a", a), ("b", b)]).is_ok(), "{test}");
            }
            let error = bound(&source, &[("a", high), ("b", low)]).unwrap_err();
            assert_eq!(error, BindError::Reversed { name: "a` and `b".to_owned() }, "{test}");
        }
        let source = "param a: number\nsegment s where age >= 18 and risk_score between $a and 0.5\n";
        let error = bound(source, &[("a", "0.75")]).unwrap_err();
        assert_eq!(error, BindError::Reversed { name: "a".to_owned() });
        assert!(error.to_string().contains("parameter `a`"));
    }
}
