//! From a bound segment to a DataFusion logical plan.
//!
//! A criterion becomes one node over sets. Tests of contact fields that lie in files of one class become one
//! predicate; a test of records becomes a leaf over a filtered scan of the kind's files.

mod adherence;
mod anchors;
mod cost;
mod fields;
mod gates;
mod history;
mod households;
mod in_lists;
mod places;
mod records;
mod references;
mod scans;
mod sequences;
mod tails;
mod time;

use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, col, lit};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::lookups::Places;
use hyperseg_dsl::schema::{Class, Schema};
use hyperseg_dsl::segment::{
    Cmp, ContactTest, Criteria, Criterion, Logic, NumberTest, Operand, Segment, Stage, Which,
};
use hyperseg_dsl::value::Value;

pub(crate) use gates::{gate_clock, required_reasons};
pub(crate) use scans::Tables;
pub(crate) use tails::edge;

use self::anchors::Place;
use crate::functions::{NumberOf, in_sample, number_of};
use crate::plan::chance::{Chance, Share};
use crate::plan::node::SetNode;
use crate::plan::ops::Operation;
use crate::plan::ops::measure::{Bound, Bounds, Constant, Relation};
use crate::plan::ops::record_set::CountTest;
use crate::plan::ops::share::ShareTest;
use crate::plan::recipients::RecipientsNode;

/// Lowers the parts of one segment against one generation.
pub(crate) struct Lowering<'a> {
    /// Tables of the generation.
    pub(crate) tables: &'a Tables,
    /// The run's clock.
    pub(crate) clock: Clock,
    /// Only the number of contacts is wanted, not what each criterion says.
    pub(crate) number_only: bool,
    /// Criteria are asked about those whom the others leave.
    pub(crate) narrows: bool,
    /// Stages by which those who match are counted; none when nobody asks.
    pub(crate) stages: &'a [Stage],
}

/// A leaf over records.
struct Leaf<'a> {
    label: Option<&'a str>,
    /// The dates of the contact from which it counts.
    dates: &'a [&'a str],
}

impl Lowering<'_> {
    fn schema(&self) -> &Schema {
        self.tables.snapshot().schema()
    }

    /// All criteria, TRUE for each; the cheapest first when nobody asks for each of them. Where they narrow each other, those of
    /// contact fields that lie in files of one class are one.
    pub(crate) fn criteria(&self, segment: &Segment) -> Result<LogicalPlan> {
        let mut criteria: Vec<&Criterion> = segment.criteria.iter().collect();
        if self.number_only {
            criteria.sort_by_key(|criterion| cost::rows(self.tables.snapshot(), &criterion.test));
        }
        let mut inputs = if self.narrows {
            let tests: Vec<Criteria> = criteria.into_iter().map(|it| it.test.clone()).collect();
            self.inputs(&Operation::And, &tests)?
        } else {
            let one = |it: &Criterion| self.criterion(&it.label, &it.test);
            criteria.into_iter().map(one).collect::<Result<Vec<_>>>()?
        };
        let table = segment.criteria.iter().find_map(|criterion| places::table_of(&criterion.test));
        if let Some(table) = table {
            inputs.push(self.placed_by_zip(table)?);
        }
        let operation =
            Operation::Criteria { stops: self.number_only, narrows: self.narrows, placed: table.is_some() };
        let criteria = node(operation, segment.name.clone(), Vec::new(), inputs);
        if self.stages.is_empty() {
            return Ok(criteria);
        }
        let mut inputs = vec![criteria];
        for stage in self.stages {
            inputs.push(self.set(&stage.test, Some(&format!("stage {}", stage.name)))?);
        }
        Ok(node(Operation::ByStage, String::new(), Vec::new(), inputs))
    }

    /// Who has no location and a ZIP with a place.
    fn placed_by_zip(&self, table: &Places) -> Result<LogicalPlan> {
        let Some(location) = self.schema().contact_field("location") else {
            return internal_err!("the schema has no location");
        };
        let scan = self.tables.contact_scan(location.class, &[])?.build()?;
        let predicate = fields::placed_by_zip(table);
        Ok(node(Operation::FieldSet, "placed by ZIP".to_owned(), vec![predicate], vec![scan]))
    }

    /// A criterion under its own label.
    pub(crate) fn criterion(&self, label: &str, test: &Criteria) -> Result<LogicalPlan> {
        self.set(test, Some(label))
    }

    /// The list: gate, scans of the output columns, what chance decides.
    pub(crate) fn list(&self, gate: LogicalPlan, columns: &[String], chance: Chance) -> Result<LogicalPlan> {
        let mut classes: Vec<Class> = Vec::new();
        for field in columns.iter().filter_map(|name| self.tables.contact_field_of_column(name)) {
            if !classes.contains(&field.class) {
                classes.push(field.class);
            }
        }
        let scans = classes
            .into_iter()
            .map(|class| self.tables.contact_scan(class, &[])?.build())
            .collect::<Result<Vec<_>>>()?;
        RecipientsNode::plan(gate, scans, columns.to_vec(), chance)
    }

    fn set(&self, test: &Criteria, label: Option<&str>) -> Result<LogicalPlan> {
        if let Some(class) = self.single_class(test) {
            return self.field_set(class, test, label);
        }
        let name = |fallback: &str| label.unwrap_or(fallback).to_owned();
        match test {
            Logic::True => Ok(node(Operation::Constant(true), name("everyone"), Vec::new(), Vec::new())),
            Logic::False => Ok(node(Operation::Constant(false), name("nobody"), Vec::new(), Vec::new())),
            Logic::And(parts) => self.combined(Operation::And, parts, label),
            Logic::Or(parts) => self.combined(Operation::Or, parts, label),
            Logic::Of { quantity, number, parts } => {
                let number = NumberOf { quantity: *quantity, number: *number };
                let inputs = parts.iter().map(|part| self.set(part, None)).collect::<Result<Vec<_>>>()?;
                Ok(node(Operation::NumberOf(number), name(""), Vec::new(), inputs))
            }
            Logic::Not(inner) => {
                let input = self.set(inner, None)?;
                Ok(node(Operation::Not, name(""), Vec::new(), vec![input]))
            }
            Logic::Leaf(leaf) => self.leaf(leaf, label),
        }
    }

    /// And or or.
    fn combined(&self, operation: Operation, parts: &[Criteria], label: Option<&str>) -> Result<LogicalPlan> {
        let inputs = self.inputs(&operation, parts)?;
        if inputs.is_empty() {
            return internal_err!("an empty combination of criteria");
        }
        Ok(node(operation, label.unwrap_or_default().to_owned(), Vec::new(), inputs))
    }

    /// What and or or is over: tests of the fields of one class go into one predicate, whatever else stands between them.
    fn inputs(&self, operation: &Operation, parts: &[Criteria]) -> Result<Vec<LogicalPlan>> {
        let together = |parts: Vec<Criteria>| match operation {
            Operation::Or => Logic::Or(parts),
            _ => Logic::And(parts),
        };
        let mut by_class: Vec<(Class, Vec<Criteria>)> = Vec::new();
        let mut inputs = Vec::new();
        for part in parts {
            match self.single_class(part) {
                Some(class) => match by_class.iter_mut().find(|(known, _)| *known == class) {
                    Some((_, tests)) => tests.push(part.clone()),
                    None => by_class.push((class, vec![part.clone()])),
                },
                None => inputs.push(self.set(part, None)?),
            }
        }
        for (class, tests) in by_class {
            inputs.push(self.field_set(class, &together(tests), None)?);
        }
        Ok(inputs)
    }

    /// The class whose files alone answer the test, when it speaks of nothing but contact fields of one class.
    fn single_class(&self, test: &Criteria) -> Option<Class> {
        match test {
            Logic::True | Logic::False => None,
            Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
                let mut classes = parts.iter().map(|part| self.single_class(part));
                let first = classes.next()??;
                classes.all(|class| class == Some(first)).then_some(first)
            }
            Logic::Not(inner) => self.single_class(inner),
            Logic::Leaf(ContactTest::Field(test)) => {
                self.schema().contact_field(&test.field).map(|field| field.class)
            }
            Logic::Leaf(ContactTest::Near(_)) => {
                // Location and ZIP lie in files of one class; a test of the schema says so.
                self.schema().contact_field("location").map(|field| field.class)
            }
            Logic::Leaf(ContactTest::Age { .. } | ContactTest::Turns { .. }) => {
                self.schema().contact_field("birth_date").map(|field| field.class)
            }
            Logic::Leaf(ContactTest::Sample(_)) => {
                self.schema().contact_field("contact_id").map(|field| field.class)
            }
            Logic::Leaf(ContactTest::Anniversary { field, .. }) => {
                self.schema().contact_field(field).map(|field| field.class)
            }
            Logic::Leaf(
                ContactTest::Has(_)
                | ContactTest::Count { .. }
                | ContactTest::Aggregate { .. }
                | ContactTest::One { .. }
                | ContactTest::Observed { .. }
                | ContactTest::DaysCovered { .. }
                | ContactTest::Continuous { .. }
                | ContactTest::Sequence(_)
                | ContactTest::Share { .. }
                | ContactTest::Rank(_)
                | ContactTest::Reference(_)
                | ContactTest::History(_)
                | ContactTest::Household(_),
            ) => None,
        }
    }

    fn field_set(&self, class: Class, test: &Criteria, label: Option<&str>) -> Result<LogicalPlan> {
        let predicate = in_lists::kept_apart(self.contact_predicate(class, test)?)?;
        let scan = self.tables.contact_scan(class, &dates_of(test))?.build()?;
        let label = label.map_or_else(|| class.name().to_owned(), str::to_owned);
        Ok(node(Operation::FieldSet, label, vec![predicate], vec![scan]))
    }

    /// Kleene's logic is SQL's: null is UNKNOWN.
    fn contact_predicate(&self, class: Class, test: &Criteria) -> Result<Expr> {
        let place = self.place(Some(class));
        logic_expr(test, &|leaf| Ok(place.where_known(leaf, self.contact_test(leaf, &place)?)))
    }

    /// Where the files of a class, or those of records, are scanned.
    fn place(&self, class: Option<Class>) -> Place<'_> {
        Place { clock: &self.clock, schema: self.schema(), class }
    }

    fn contact_test(&self, test: &ContactTest, place: &Place<'_>) -> Result<Expr> {
        match test {
            ContactTest::Field(test) => fields::field_test(test, &self.schema().contact, place),
            ContactTest::Age { unit, on, test } => {
                let ages = count_test(test)?.0;
                match on {
                    None => Ok(fields::age_in(*unit, self.clock.today(), ages)),
                    Some(on) => fields::age_on(*unit, on, ages, place),
                }
            }
            ContactTest::Near(near) => Ok(fields::near_test(near)),
            ContactTest::Turns { age, window } => fields::turns_test(*age, window, place),
            ContactTest::Anniversary { field, window } => fields::anniversary_test(field, window, place),
            ContactTest::Sample(sample) => Ok(in_sample(Share::from(sample), col("contact_id"))),
            ContactTest::Has(_)
            | ContactTest::Count { .. }
            | ContactTest::Aggregate { .. }
            | ContactTest::One { .. }
            | ContactTest::Observed { .. }
            | ContactTest::DaysCovered { .. }
            | ContactTest::Continuous { .. }
            | ContactTest::Sequence(_)
            | ContactTest::Share { .. }
            | ContactTest::Rank(_)
            | ContactTest::Reference(_)
            | ContactTest::History(_)
            | ContactTest::Household(_) => internal_err!("another test among those of contact fields"),
        }
    }

    /// A test of records; UNKNOWN for contacts without a date that it counts from, or where that is not known to the day.
    fn leaf(&self, leaf: &ContactTest, label: Option<&str>) -> Result<LogicalPlan> {
        let dates = leaf.dates_of_contact();
        if dates.is_empty() {
            return self.records(leaf, &Leaf { label, dates: &dates });
        }
        let inputs =
            vec![self.records(leaf, &Leaf { label: None, dates: &dates })?, self.days_known(&dates)?];
        let label = label.map_or_else(|| dates.join(", "), str::to_owned);
        Ok(node(Operation::WhereKnown, label, Vec::new(), inputs))
    }

    fn records(&self, leaf: &ContactTest, of: &Leaf<'_>) -> Result<LogicalPlan> {
        match leaf {
            ContactTest::Has(selector) => self.record_leaf(Operation::HasRecord, selector, vec![], of),
            ContactTest::Count { counted, selector, test } => {
                let (operation, asked) = self.counting(counted, count_test(test)?);
                self.record_leaf(operation, selector, asked, of)
            }
            ContactTest::Aggregate { function, selector, field, unit, test, .. } => {
                let operation = Operation::Measure(*function, bounds(test)?);
                let asked = self.measured(selector, field, unit.as_deref())?;
                self.record_leaf(operation, selector, asked, of)
            }
            ContactTest::Observed { selector, by } => self.observed(selector, by, of),
            ContactTest::DaysCovered { selector, window, cmp, percent_millis } => {
                self.days_covered(selector, window, *cmp, *percent_millis, of)
            }
            ContactTest::Continuous { selector, gap, length } => self.continuous(selector, *gap, *length, of),
            ContactTest::One { which, selector, tie, test } => {
                let (operation, asked) = match (which, tie) {
                    (Which::Latest | Which::Earliest, None) => self.one(*which, selector, test)?,
                    (_, _) => self.placed(*which, selector, *tie, test)?,
                };
                self.record_leaf(operation, selector, asked, of)
            }
            ContactTest::Sequence(sequence) => self.sequence(sequence, of),
            ContactTest::Rank(rank) => self.rank(rank, of.label),
            ContactTest::Reference(reference) => self.reference(reference, of.label),
            ContactTest::Household(household) => self.household(household, of.label),
            ContactTest::History(history) => self.history(history, of.label),
            ContactTest::Share { selector, test, cmp, percent_millis, at_least } => {
                let operation = Operation::ShareOfRecords(ShareTest {
                    relation: relation(*cmp),
                    percent_millis: *percent_millis,
                    at_least: at_least.unwrap_or(0),
                });
                let asked = vec![self.record_test(selector, test)?];
                self.record_leaf(operation, selector, asked, of)
            }
            ContactTest::Field(_)
            | ContactTest::Age { .. }
            | ContactTest::Turns { .. }
            | ContactTest::Near(_)
            | ContactTest::Sample(_)
            | ContactTest::Anniversary { .. } => {
                internal_err!("a field of no known class")
            }
        }
    }
}

/// The dates of the contact from which tests of contact fields count.
fn dates_of(test: &Criteria) -> Vec<&str> {
    match test {
        Logic::True | Logic::False => Vec::new(),
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().flat_map(dates_of).collect()
        }
        Logic::Not(inner) => dates_of(inner),
        Logic::Leaf(test) => test.dates_of_contact(),
    }
}

/// A node over sets.
fn node(operation: Operation, label: String, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> LogicalPlan {
    SetNode { operation, label, exprs, inputs }.into_plan()
}

/// Logic over leaves as one expression.
fn logic_expr<L>(logic: &Logic<L>, leaf: &impl Fn(&L) -> Result<Expr>) -> Result<Expr> {
    let all =
        |parts: &[Logic<L>]| parts.iter().map(|part| logic_expr(part, leaf)).collect::<Result<Vec<_>>>();
    match logic {
        Logic::True => Ok(lit(true)),
        Logic::False => Ok(lit(false)),
        Logic::And(parts) => Ok(all(parts)?.into_iter().reduce(Expr::and).unwrap_or_else(|| lit(true))),
        Logic::Or(parts) => Ok(all(parts)?.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false))),
        Logic::Of { quantity, number, parts } => {
            Ok(number_of(NumberOf { quantity: *quantity, number: *number }, all(parts)?))
        }
        Logic::Not(inner) => Ok(!logic_expr(inner, leaf)?),
        Logic::Leaf(test) => leaf(test),
    }
}

/// The literal behind an operand of a bound segment.
fn literal(operand: &Operand) -> Result<&Value> {
    match operand {
        Operand::Literal(value) => Ok(value),
        Operand::Param(_) => internal_err!("a parameter that was not bound"),
    }
}

/// A number behind an operand.
fn number(operand: &Operand) -> Result<f64> {
    match literal(operand)? {
        // Counts, ages and literals lie far below 2^53.
        Value::Int(int) => Ok(*int as f64),
        // Stored numbers have no negative zero; columns compare it as another number.
        Value::Number(number) => Ok(*number + 0.0),
        Value::Text(_)
        | Value::Category(_)
        | Value::Money(_)
        | Value::Bool(_)
        | Value::Date(_)
        | Value::Partial(_)
        | Value::Time(_)
        | Value::Code(_)
        | Value::Categories(_)
        | Value::Point(..) => internal_err!("a number was expected"),
    }
}

fn relation(cmp: Cmp) -> Relation {
    match cmp {
        Cmp::Eq => Relation::Equal,
        Cmp::Ne => Relation::Unequal,
        Cmp::Lt => Relation::Less,
        Cmp::Le => Relation::AtMost,
        Cmp::Gt => Relation::Greater,
        Cmp::Ge => Relation::AtLeast,
    }
}

/// A test of a number as bounds.
fn bounds(test: &NumberTest) -> Result<Bounds> {
    let constant = |operand: &Operand| match literal(operand)? {
        Value::Int(whole) | Value::Money(whole) => Ok(Constant::Whole(*whole)),
        Value::Number(number) => Ok(Constant::Real((*number + 0.0).to_bits())),
        _ => internal_err!("a number was expected"),
    };
    let one = |relation, operand| Ok::<_, DataFusionError>(Bound(vec![(relation, constant(operand)?)]));
    Ok(Bounds(match test {
        NumberTest::Compare(cmp, operand) => {
            vec![one(relation(*cmp), operand)?]
        }
        NumberTest::Range(low, high) => {
            vec![Bound(vec![(Relation::AtLeast, constant(low)?), (Relation::AtMost, constant(high)?)])]
        }
        NumberTest::In(operands) => {
            operands.iter().map(|operand| one(Relation::Equal, operand)).collect::<Result<_>>()?
        }
    }))
}

/// The whole numbers from 0 on that satisfy the test.
fn count_test(test: &NumberTest) -> Result<CountTest> {
    let range = |low: f64, high: f64| {
        let (low, high) = (low.ceil().max(0.0), high.floor());
        // Casts of numbers beyond the range saturate, as counts do.
        (low <= high && high >= 0.0).then_some((low as u32, high as u32))
    };
    const MOST: f64 = u32::MAX as f64;
    let below = |bound: f64| if bound.fract() == 0.0 { bound - 1.0 } else { bound.floor() };
    let above = |bound: f64| if bound.fract() == 0.0 { bound + 1.0 } else { bound.ceil() };
    let ranges = match test {
        NumberTest::Compare(cmp, operand) => {
            let bound = number(operand)?;
            match cmp {
                Cmp::Eq => vec![range(bound, bound)],
                Cmp::Ne if bound.fract() == 0.0 => vec![range(0.0, bound - 1.0), range(bound + 1.0, MOST)],
                Cmp::Ne => vec![range(0.0, MOST)],
                Cmp::Lt => vec![range(0.0, below(bound))],
                Cmp::Le => vec![range(0.0, bound)],
                Cmp::Gt => vec![range(above(bound), MOST)],
                Cmp::Ge => vec![range(bound, MOST)],
            }
        }
        NumberTest::Range(low, high) => vec![range(number(low)?, number(high)?)],
        NumberTest::In(values) => {
            values.iter().map(|value| number(value).map(|n| range(n, n))).collect::<Result<Vec<_>>>()?
        }
    };
    Ok(CountTest(ranges.into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_tests_are_ranges_of_whole_numbers() {
        let compare = |cmp, bound: f64| {
            count_test(&NumberTest::Compare(cmp, Operand::Literal(Value::Number(bound)))).unwrap().0
        };
        assert_eq!(compare(Cmp::Ge, 3.0), [(3, u32::MAX)]);
        assert_eq!(compare(Cmp::Gt, 2.5), [(3, u32::MAX)]);
        assert_eq!(compare(Cmp::Lt, 2.5), [(0, 2)]);
        assert_eq!(compare(Cmp::Lt, 0.0), []);
        assert_eq!(compare(Cmp::Le, 0.0), [(0, 0)]);
        assert_eq!(compare(Cmp::Eq, 2.5), []);
        assert_eq!(compare(Cmp::Ne, 0.0), [(1, u32::MAX)]);
        assert_eq!(compare(Cmp::Ge, -4.0), [(0, u32::MAX)]);
        assert_eq!(compare(Cmp::Eq, -1.0), []);
    }
}
