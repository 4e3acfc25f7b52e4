//! Parameters replaced by values.

use std::collections::BTreeMap;
use std::fmt;

use super::{
    ContactTest, Criterion, FieldTest, Filter, Logic, NumberTest, Operand, Segment, Selector, Test, Window,
};
use crate::schema::FieldType;
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
        }
    }
}

impl std::error::Error for BindError {}

impl Segment {
    /// Replaces every parameter by its given or default value.
    ///
    /// # Errors
    /// A parameter without value and default, a name that the segment does not have, a text that is not a value of
    /// the parameter's type.
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
            binder.logic(test, &|binder, leaf| binder.contact_test(leaf))?;
        }
        Ok(BoundSegment { segment, params })
    }
}

/// Reads a parameter's value; `None` when the text is not of the type.
fn parse_param(ty: &FieldType, text: &str) -> Option<Value> {
    match ty {
        FieldType::Text => (!text.is_empty()).then(|| Value::Text(text.to_owned())),
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
            Logic::And(parts) | Logic::Or(parts) => {
                parts.iter_mut().try_for_each(|part| self.logic(part, leaf))
            }
            Logic::Not(inner) => self.logic(inner, leaf),
            Logic::Leaf(test) => leaf(self, test),
        }
    }

    fn contact_test(&self, test: &mut ContactTest) -> Result2 {
        match test {
            ContactTest::Field(test) => self.field_test(test),
            ContactTest::Age(test) => self.number_test(test),
            ContactTest::Anniversary { window, .. } => self.window(window),
            ContactTest::Has(selector) => self.selector(selector),
            ContactTest::Count(selector, test) => {
                self.selector(selector)?;
                self.number_test(test)
            }
            ContactTest::One { selector, test, .. } => {
                self.selector(selector)?;
                self.filter(test)
            }
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
            Test::In(operands) => operands.iter_mut().try_for_each(|operand| self.operand(operand)),
            Test::Between(low, high) => {
                self.operand(low)?;
                self.operand(high)
            }
            Test::Window(window) => self.window(window),
            Test::Codes(_) | Test::Known | Test::Missing => Ok(()),
        }
    }

    fn number_test(&self, test: &mut NumberTest) -> Result2 {
        match test {
            NumberTest::Compare(_, operand) => self.operand(operand),
            NumberTest::Range(low, high) => {
                self.operand(low)?;
                self.operand(high)
            }
            NumberTest::In(operands) => operands.iter_mut().try_for_each(|operand| self.operand(operand)),
        }
    }

    fn window(&self, window: &mut Window) -> Result2 {
        match window {
            Window::InLast(_) | Window::InNext(_) | Window::MoreThanAgo(_) | Window::BetweenAgo(_, _) => {
                Ok(())
            }
            Window::Since(date) | Window::Before(date) | Window::After(date) | Window::On(date) => {
                self.operand(date)
            }
            Window::Between(low, high) => {
                self.operand(low)?;
                self.operand(high)
            }
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
