//! Random measures of records: counts, sums and their like, compared with numbers that contacts of the world have.

use hyperseg_dsl::schema::{Field, FieldType, RecordKind};
use hyperseg_dsl::segment::{Aggregate, ContactTest, Counted, Criteria, Logic, NumberTest};
use hyperseg_dsl::value::Value;

use super::criteria::{COMPARISONS, Maker, greater};
use super::palette;

impl Maker<'_> {
    /// A count of records, of days or of different values.
    pub(super) fn count(&mut self) -> Criteria {
        let kind = self.kind();
        let Some(kind) = kind else { return Logic::True };
        let counted = match self.dice.below(8) {
            0..=3 => Counted::Records,
            4..=5 => Counted::Days,
            _ => {
                let records = self.world.contacts.iter().flat_map(|contact| &contact.records);
                let records: Vec<_> = records.filter(|record| record.kind == kind.name).collect();
                let known =
                    |field: &Field| records.iter().any(|record| record.fields.contains_key(&field.name));
                let fields: Vec<&Field> =
                    kind.fields.iter().filter(|field| comparable(field.ty) && known(field)).collect();
                match self.dice.pick(&fields) {
                    Some(field) => Counted::Distinct { field: field.name.clone(), ty: field.ty },
                    None => Counted::Records,
                }
            }
        };
        let selector = self.selector_of(kind, if counted == Counted::Records { 60 } else { 30 });
        Logic::Leaf(ContactTest::Count { counted, selector, test: self.number_test(false) })
    }

    /// A sum, average, least, greatest or median value of a field of numbers.
    pub(super) fn aggregate(&mut self) -> Criteria {
        let schema = self.schema;
        let with_numbers = |kind: &&RecordKind| kind.fields.iter().any(|field| numeric(field.ty));
        let present = |kind: &&RecordKind| {
            let mut records = self.world.contacts.iter().flat_map(|contact| &contact.records);
            records.any(|record| record.kind == kind.name)
        };
        let all: Vec<&RecordKind> = schema.records.iter().filter(with_numbers).collect();
        let here: Vec<&RecordKind> = all.iter().copied().filter(present).collect();
        let some = if self.dice.percent(95) { self.dice.pick(&here).copied() } else { None };
        let Some(kind) = some.or_else(|| self.dice.pick(&all).copied()) else { return Logic::True };
        let fields: Vec<&Field> = kind.fields.iter().filter(|field| numeric(field.ty)).collect();
        let first = if self.dice.percent(50) { fields.first() } else { None };
        let Some(field) = first.or_else(|| self.dice.pick(&fields)).copied() else { return Logic::True };
        let Some(function) = self.dice.pick(&Aggregate::ALL).copied() else { return Logic::True };
        let selector = self.selector_of(kind, 30);
        let test = self.measured(function, kind, field);
        let unit = self.unit_of(kind, field);
        let (field, ty) = (field.name.clone(), field.ty);
        Logic::Leaf(ContactTest::Aggregate { function, selector, field, ty, unit, test })
    }

    /// A test of a number that is asked for in a unit.
    pub(super) fn reported(&mut self, field: &Field, sample: Option<&Value>) -> NumberTest {
        let (one, other) = (self.literal(field, sample), self.literal(field, None));
        match self.dice.below(5) {
            0 => {
                let (low, high) = if greater(&one, &other) { (other, one) } else { (one, other) };
                NumberTest::Range(self.operand(low), self.operand(high))
            }
            1 => NumberTest::In(vec![self.operand(one)]),
            _ => {
                let cmp = self.dice.pick(&COMPARISONS).copied().unwrap_or(COMPARISONS[0]);
                NumberTest::Compare(cmp, self.operand(one))
            }
        }
    }

    pub(super) fn measured(&mut self, function: Aggregate, kind: &RecordKind, field: &Field) -> NumberTest {
        let (one, other) = (self.near(function, kind, field), self.near(function, kind, field));
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
                let cmp = self.dice.pick(&COMPARISONS).copied().unwrap_or(COMPARISONS[0]);
                NumberTest::Compare(cmp, self.operand(one))
            }
        }
    }

    /// What the function makes of all values of some contact, or any value of the field.
    fn near(&mut self, function: Aggregate, kind: &RecordKind, field: &Field) -> Value {
        let values: Vec<Vec<f64>> = self
            .world
            .contacts
            .iter()
            .map(|contact| {
                let records = contact.records.iter().filter(|record| record.kind == kind.name);
                records.filter_map(|record| number(record.fields.get(&field.name)?)).collect()
            })
            .filter(|values: &Vec<f64>| !values.is_empty())
            .collect();
        let values = if self.dice.percent(75) { self.dice.pick(&values).cloned() } else { None };
        match values.and_then(|values| made_of(function, values)) {
            Some(made) => typed(made, field.ty),
            None => palette::value(&mut self.dice, field, &self.world.clock),
        }
    }
}

fn comparable(ty: FieldType) -> bool {
    !matches!(ty, FieldType::Categories | FieldType::Point)
}

fn numeric(ty: FieldType) -> bool {
    matches!(ty, FieldType::Int | FieldType::Number | FieldType::Money)
}

#[allow(clippy::cast_precision_loss)]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) | Value::Money(n) => Some(*n as f64),
        Value::Number(number) => Some(*number),
        Value::Text(_)
        | Value::Category(_)
        | Value::Bool(_)
        | Value::Date(_)
        | Value::Partial(_)
        | Value::Time(_)
        | Value::Code(_)
        | Value::Categories(_)
        | Value::Point(_, _) => None,
    }
}

/// Roughly what the language means; it only has to lie near.
#[allow(clippy::cast_precision_loss)]
fn made_of(function: Aggregate, mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    match function {
        Aggregate::Sum => Some(values.iter().sum()),
        Aggregate::Avg => Some(values.iter().sum::<f64>() / values.len() as f64),
        Aggregate::Min => values.first().copied(),
        Aggregate::Max => values.last().copied(),
        Aggregate::Median => {
            let (lower, upper) = (values.get((values.len() - 1) / 2)?, values.get(values.len() / 2)?);
            Some((lower + upper) / 2.0)
        }
    }
}

/// The number as a literal against a field of the type.
#[allow(clippy::cast_possible_truncation)]
fn typed(made: f64, ty: FieldType) -> Value {
    match ty {
        FieldType::Money => Value::Money(made.round() as i64),
        FieldType::Int if made.fract() == 0.0 => Value::Int(made as i64),
        _ => Value::Number(made),
    }
}
