//! Tests of records: the scan of a kind's files with what can be pushed to it, and the leaf above.

use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, col, lit};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Field, FieldType, RecordKind};
use hyperseg_dsl::segment::{
    CodeSet, Counted, FieldTest, Filter, Logic, NumberTest, Selector, Test, Tie, Which, Window,
};
use hyperseg_dsl::value::Value;

use super::anchors::Place;
use super::in_lists::kept_apart;
use super::time::{Stretch, sees_the_future, stretch};
use super::{Leaf, Lowering, bounds, fields, literal, logic_expr, node};
use crate::plan::ops::Operation;
use crate::plan::ops::distinct::Sameness;
use crate::plan::ops::extreme::Extreme;
use crate::plan::ops::placed::{Place as Placement, Placed, ValueTest};
use crate::plan::ops::record_set::CountTest;

/// A selector split into what decides before the leaf and what the leaf decides itself.
struct Split {
    /// Rows for which it is not TRUE never reach the leaf, and are not tallied.
    before: Vec<Expr>,
    /// TRUE, FALSE or UNKNOWN; the leaf tallies UNKNOWN.
    filter: Expr,
}

impl Lowering<'_> {
    /// A leaf over the records that the selector takes; `asked` are its expressions over them.
    pub(super) fn record_leaf(
        &self,
        operation: Operation,
        selector: &Selector,
        asked: Vec<Expr>,
        of: &Leaf<'_>,
    ) -> Result<LogicalPlan> {
        let (scan, filter) = self.selected(selector, of.dates)?;
        let exprs = std::iter::once(filter).chain(asked).collect();
        let label = of.label.map_or_else(|| selector.record.clone(), str::to_owned);
        Ok(node(operation, label, exprs, vec![scan]))
    }

    /// The scan of what a selector can take, with these dates of the contact beside the rows, and the filter that takes it.
    pub(super) fn selected(&self, selector: &Selector, dates: &[&str]) -> Result<(LogicalPlan, Expr)> {
        self.selected_among(selector, dates, Vec::new())
    }

    /// The same, of the records that pass these tests as well.
    pub(super) fn selected_among(
        &self,
        selector: &Selector,
        dates: &[&str],
        tests: Vec<&FieldTest>,
    ) -> Result<(LogicalPlan, Expr)> {
        let kind = self.kind(&selector.record)?;
        let mut split = self.split(kind, selector)?;
        for test in tests {
            split.before.push(self.filter_expr(kind, &Logic::Leaf(test.clone()))?);
        }
        let classes = self.schema().classes_for(kind, narrowing_codes(&selector.filter));
        let mut scan = self.tables.record_scan(kind, &classes, dates)?;
        if let Some(before) = conjunction(split.before) {
            scan = scan.filter(before)?;
        }
        Ok((scan.build()?, split.filter))
    }

    /// The operation of `latest` and `earliest`, and what it asks of records.
    pub(super) fn one(
        &self,
        which: Which,
        selector: &Selector,
        test: &Filter,
    ) -> Result<(Operation, Vec<Expr>)> {
        let latest = self.is_latest(which);
        if let Some(days) = self.days_asked(test)? {
            let (low, high) = days.day_bounds().unwrap_or_default();
            let (low, high) = (low.and_then(|low| low.pred_opt()), high.and_then(|high| high.succ_opt()));
            let beyond = if latest {
                high.map(|after| Stretch::days(&self.clock, Some(after), None))
            } else {
                low.map(|before| Stretch::days(&self.clock, None, Some(before)))
            };
            let at = col("at");
            let beyond = beyond.map_or_else(|| lit(false), |beyond| beyond.time_test(&at));
            return Ok((Operation::ExtremeDay { latest }, vec![beyond, days.time_test(&at)]));
        }
        let extreme = Extreme { latest, zone: self.clock.zone };
        Ok((Operation::ExtremeRecord(extreme), vec![self.record_test(selector, test)?]))
    }

    /// The record of a place, or the one with the lowest or highest value of those at the same time.
    pub(super) fn placed(
        &self,
        which: Which,
        selector: &Selector,
        tie: Option<Tie>,
        test: &Filter,
    ) -> Result<(Operation, Vec<Expr>)> {
        let place = match which {
            Which::Latest => Placement::Latest,
            Which::Earliest => Placement::From(1),
            Which::Nth(place) => Placement::From(place),
        };
        let zone = self.clock.zone;
        let Some(tie) = tie else {
            let placed = Placed { place, zone, value: None };
            return Ok((Operation::PlacedRecord(placed), vec![self.record_test(selector, test)?]));
        };
        let (leaf, negated) = match test {
            Logic::Not(inner) => (inner.as_ref(), true),
            other => (other, false),
        };
        let Logic::Leaf(FieldTest { field, test, .. }) = leaf else {
            return internal_err!("the lowest or highest of something that is no number");
        };
        let (unit, test) = match test {
            Test::Compare(cmp, operand) => (None, NumberTest::Compare(*cmp, operand.clone())),
            Test::Between(low, high) => (None, NumberTest::Range(low.clone(), high.clone())),
            Test::In(operands) => (None, NumberTest::In(operands.clone())),
            Test::Measured { unit, test } => (Some(unit.as_str()), test.clone()),
            Test::CompareField(..)
            | Test::Text(..)
            | Test::Codes(_)
            | Test::List(..)
            | Test::Window(_)
            | Test::Known
            | Test::Missing => return internal_err!("the lowest or highest of something that is no number"),
        };
        let highest = match tie {
            Tie::Lowest => false,
            Tie::Highest => true,
        };
        let value = Some(ValueTest { highest, bounds: bounds(&test)?, negated });
        let asked = self.measured(selector, field, unit)?;
        Ok((Operation::PlacedRecord(Placed { place, zone, value }), asked))
    }

    /// Whether the latest is meant; records of a place are [`Self::placed`].
    pub(super) fn is_latest(&self, which: Which) -> bool {
        match which {
            Which::Latest => true,
            Which::Earliest | Which::Nth(_) => false,
        }
    }

    /// What is asked of a selected record.
    pub(super) fn record_test(&self, selector: &Selector, test: &Filter) -> Result<Expr> {
        self.filter_expr(self.kind(&selector.record)?, test)
    }

    /// The whole days in which `at` has to lie, when that is all that is asked of a record.
    fn days_asked(&self, test: &Filter) -> Result<Option<Stretch>> {
        let Logic::Leaf(FieldTest { field, test, .. }) = test else { return Ok(None) };
        let stretch = match test {
            Test::Window(window) if window.anchors().iter().any(|anchor| anchor.field().is_some()) => {
                return Ok(None);
            }
            Test::Window(window) => stretch(window, &self.clock)?,
            Test::Between(low, high) => match (literal(low)?, literal(high)?) {
                (Value::Date(low), Value::Date(high)) => Stretch::days(&self.clock, Some(*low), Some(*high)),
                _ => return Ok(None),
            },
            Test::Compare(..)
            | Test::CompareField(..)
            | Test::Measured { .. }
            | Test::In(_)
            | Test::List(..)
            | Test::Text(..)
            | Test::Codes(_)
            | Test::Known
            | Test::Missing => return Ok(None),
        };
        Ok(Some(stretch).filter(|stretch| field == "at" && stretch.day_bounds().is_some()))
    }

    /// How records, days or values are counted.
    pub(super) fn counting(&self, counted: &Counted, test: CountTest) -> (Operation, Vec<Expr>) {
        let zone = self.clock.zone;
        match counted {
            Counted::Records => (Operation::CountRecords(test), vec![]),
            Counted::Days => (Operation::CountDistinct(Sameness::Day(zone), test), vec![col("at")]),
            Counted::Distinct { field, ty } => {
                (Operation::CountDistinct(Sameness::of(*ty, zone), test), vec![col(field)])
            }
        }
    }

    /// The value of a record in a unit, and what it says of the number where it may not be that.
    pub(super) fn measured(&self, selector: &Selector, field: &str, unit: Option<&str>) -> Result<Vec<Expr>> {
        let fields = &self.kind(&selector.record)?.fields;
        let reported = fields::reported(field, fields, unit);
        if reported.is_exact() {
            return Ok(vec![col(field)]);
        }
        Ok(vec![reported.number(field), reported.kind(field)])
    }

    fn filter_expr(&self, kind: &RecordKind, filter: &Filter) -> Result<Expr> {
        kept_apart(logic_expr(filter, &|test: &FieldTest| {
            fields::field_test(test, &kind.fields, &self.place(None))
        })?)
    }

    fn split(&self, kind: &RecordKind, selector: &Selector) -> Result<Split> {
        let at = col("at");
        let mut before = Vec::new();
        let mut filter = self.filter_expr(kind, &selector.filter)?;
        let place = self.place(None);
        if !kind.schedule && !selector.windows.iter().any(sees_the_future) {
            before.extend(self.visible(kind));
        }
        if selector.active {
            before.extend(self.active(kind, &selector.windows, &place)?);
        } else {
            for window in &selector.windows {
                if let Some(test) = place.in_window(&at, FieldType::Time, window)? {
                    before.push(test);
                    continue;
                }
                let stretch = stretch(window, &self.clock)?;
                // A day against hours is UNKNOWN, which the leaf has to see in order to tally it.
                if stretch.is_exact() {
                    filter = filter.and(stretch.time_test(&at));
                } else {
                    before.push(stretch.time_test(&at));
                }
            }
        }
        for hidden in &selector.hidden {
            before.push(not_hidden(kind, &hidden.field, &hidden.values)?);
        }
        Ok(Split { before, filter })
    }

    /// The test that a record is not dated after as_of; none when no record of the kind is. Then the plan does not
    /// depend on the moment, and its answers can be kept.
    fn visible(&self, kind: &RecordKind) -> Option<Expr> {
        let latest = self.tables.snapshot().latest(&kind.name);
        let until = Stretch::until(&self.clock);
        let late = latest.is_some_and(|latest| !until.holds_up_to(latest));
        late.then(|| not_after(&self.clock))
    }

    /// The interval from `at` to `end` overlaps every window, or contains as_of when there is none.
    fn active(&self, kind: &RecordKind, windows: &[Window], place: &Place<'_>) -> Result<Vec<Expr>> {
        let (at, end) = (col("at"), col("end"));
        let mut exprs = Vec::new();
        let mut overlap = |starts: Stretch, ends: Stretch| {
            exprs.push(starts.time_test(&at));
            exprs.push(end.clone().is_null().or(ends.time_test(&end)));
        };
        if windows.is_empty() {
            overlap(Stretch::until(&self.clock), Stretch::from(&self.clock));
        }
        let mut of_contact = Vec::new();
        for window in windows {
            if let Some(tests) = place.overlaps(window)? {
                of_contact.extend(tests);
                continue;
            }
            let stretch = stretch(window, &self.clock)?;
            if stretch.is_empty() {
                of_contact.push(lit(false));
            }
            overlap(stretch.not_after_end(&self.clock), stretch.not_before_start(&self.clock));
        }
        exprs.extend(of_contact);
        if !kind.ended.is_empty() {
            let values: Vec<Value> = kind.ended.iter().map(|text| Value::Category(text.clone())).collect();
            exprs.push(col("end").is_not_null().or(not_hidden(kind, "status", &values)?));
        }
        Ok(exprs)
    }
}

/// The test that a record is not dated after as_of.
pub(super) fn not_after(clock: &Clock) -> Expr {
    Stretch::until(clock).time_test(&col("at"))
}

/// The field has none of these values; missing is fine.
pub(super) fn not_hidden(kind: &RecordKind, name: &str, values: &[Value]) -> Result<Expr> {
    let field = field_of(kind, name)?;
    let column = col(name);
    let mut constants = Vec::with_capacity(values.len());
    for value in values {
        constants.push(match value {
            Value::Bool(flag) => lit(*flag),
            Value::Category(category) => {
                let place = field.categories.iter().position(|known| known == category);
                let place = place.and_then(|place| i16::try_from(place).ok());
                lit(place
                    .ok_or_else(|| internal_datafusion_err!("a hidden value that the field does not have"))?)
            }
            _ => return Err(internal_datafusion_err!("a hidden value of another type")),
        });
    }
    Ok(column.clone().is_null().or(column.in_list(constants, true)))
}

fn field_of<'a>(kind: &'a RecordKind, name: &str) -> Result<&'a Field> {
    kind.field(name).ok_or_else(|| internal_datafusion_err!("a field that the record kind does not have"))
}

/// The tests that all have to be TRUE, at the top of a filter.
pub(super) fn conjuncts(filter: &Filter) -> Vec<&FieldTest> {
    match filter {
        Logic::Leaf(test) => vec![test],
        Logic::And(parts) => parts.iter().flat_map(conjuncts).collect(),
        Logic::True | Logic::False | Logic::Or(_) | Logic::Of { .. } | Logic::Not(_) => Vec::new(),
    }
}

/// The code set that every selected record is in, when the filter says so at its top.
fn narrowing_codes(filter: &Filter) -> Option<&CodeSet> {
    conjuncts(filter).into_iter().find_map(|test| match &test.test {
        Test::Codes(set) if test.field == "code" => Some(set),
        _ => None,
    })
}
