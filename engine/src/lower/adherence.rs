//! How long records last: days covered, without a gap, under observation.

use datafusion::common::{Result, ScalarValue, exec_err, internal_datafusion_err};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, binary_expr, col, lit, when};
use hyperseg_dsl::segment::{Cmp, Duration, Observation, Selector, Window};
use hyperseg_dsl::value::{Value, days_since_epoch};

use super::records::not_hidden;
use super::sequences::reach;
use super::time::stretch;
use super::{Leaf, Lowering, node, relation};
use crate::plan::amounts::{AmountsNode, Making};
use crate::plan::ops::Operation;
use crate::plan::ops::cover::{Cover, Covered};
use crate::plan::ops::share::ShareTest;
use crate::plan::ops::unobserved::Unobserved;
use crate::plan::rows::RowsNode;

impl Lowering<'_> {
    /// `days covered(selector) window > 80%`.
    pub(super) fn days_covered(
        &self,
        selector: &Selector,
        window: &Window,
        cmp: Cmp,
        percent_millis: u32,
        of: &Leaf<'_>,
    ) -> Result<LogicalPlan> {
        let test = ShareTest { relation: relation(cmp), percent_millis, at_least: 0 };
        let windows = std::slice::from_ref(window);
        if let Some(ends) = self.days_of_contact(windows)? {
            return self.covered(Covered::ShareOfContact { test }, selector, ends.into(), of);
        }
        let (first, last) = self.days_of(windows)?;
        self.covered(Covered::Share { first, last, test }, selector, Vec::new(), of)
    }

    /// `continuous selector gap D for D`.
    pub(super) fn continuous(
        &self,
        selector: &Selector,
        gap: Duration,
        length: Duration,
        of: &Leaf<'_>,
    ) -> Result<LogicalPlan> {
        let (first, _) = self.days_of(&[Window::InLast(length)])?;
        self.covered(Covered::Continuous { first, gap: reach(gap) }, selector, Vec::new(), of)
    }

    fn covered(
        &self,
        asked: Covered,
        selector: &Selector,
        ends: Vec<LogicalPlan>,
        of: &Leaf<'_>,
    ) -> Result<LogicalPlan> {
        let cover = Cover { zone: self.clock.zone, today: self.today(), asked };
        let (scan, filter) = self.selected(selector, of.dates)?;
        let exprs = std::iter::once(filter).chain(self.lasting(selector)?).collect();
        let label = of.label.map_or_else(|| selector.record.clone(), str::to_owned);
        let inputs = std::iter::once(scan).chain(ends).collect();
        Ok(node(Operation::DaysCovered(cover), label, exprs, inputs))
    }

    fn today(&self) -> i32 {
        days_since_epoch(self.clock.today())
    }

    /// The end of a record, its days of supply, and whether its status says that it is over.
    fn lasting(&self, selector: &Selector) -> Result<Vec<Expr>> {
        let kind = self.kind(&selector.record)?;
        let end = if kind.has_end() { col("end") } else { lit(ScalarValue::Int64(None)) };
        let supply = match kind.field("days_supply") {
            Some(_) => col("days_supply"),
            None => lit(ScalarValue::Int32(None)),
        };
        let over = if kind.ended.is_empty() {
            lit(false)
        } else {
            let values: Vec<Value> = kind.ended.iter().map(|text| Value::Category(text.clone())).collect();
            !not_hidden(kind, "status", &values)?
        };
        Ok(vec![end, supply, over])
    }

    /// The days that windows have in common, up to today.
    fn days_of(&self, windows: &[Window]) -> Result<(i32, i32)> {
        let (mut first, mut last) = (i32::MIN, self.today());
        for window in windows {
            let Some((from, to)) = stretch(window, &self.clock)?.day_bounds() else {
                return exec_err!("days in a window of hours");
            };
            first = from.map_or(first, |from| first.max(days_since_epoch(from)));
            last = to.map_or(last, |to| last.min(days_since_epoch(to)));
        }
        Ok((first, last))
    }

    /// The first and the last of the days that windows have in common, up to today, where they depend on the contact; `None`
    /// where they do not. Whoever lacks a date that they count from has no such days.
    fn days_of_contact(&self, windows: &[Window]) -> Result<Option<[LogicalPlan; 2]>> {
        let anchors = windows.iter().flat_map(Window::anchors);
        let dates: Vec<&str> = anchors.filter_map(|anchor| anchor.field()).collect();
        let Some(first_date) = dates.first() else { return Ok(None) };
        let field = self.schema().contact_field(first_date);
        let class =
            field.ok_or_else(|| internal_datafusion_err!("a date that the schema does not have"))?.class;
        let place = self.place(Some(class));
        let (mut first, mut last) = (None, Some(lit(self.today())));
        for window in windows {
            let (from, to) = match place.day_bounds(window)? {
                Some(of_contact) => of_contact,
                None => {
                    let Some((from, to)) = stretch(window, &self.clock)?.day_bounds() else {
                        return exec_err!("days in a window of hours");
                    };
                    let number = |day| lit(days_since_epoch(day));
                    (from.map(number), to.map(number))
                }
            };
            first = farther(first, from, Operator::GtEq)?;
            last = farther(last, to, Operator::LtEq)?;
        }
        let number = |day: Option<Expr>| -> Result<LogicalPlan> {
            let Some(day) = day else { return exec_err!("a window without a beginning") };
            let input = self.tables.contact_scan(class, &dates)?.build()?;
            let exprs = vec![lit(true), day];
            Ok(AmountsNode { making: Making::Value, exprs, input, known: None }.into_plan())
        };
        Ok(Some([number(first)?, number(last)?]))
    }

    /// `has selector while observed`: UNKNOWN rather than FALSE for those who were not.
    pub(super) fn observed(
        &self,
        selector: &Selector,
        by: &Observation,
        of: &Leaf<'_>,
    ) -> Result<LogicalPlan> {
        let ends = self.days_of_contact(&selector.windows)?;
        let days = if ends.is_some() { None } else { Some(self.days_of(&selector.windows)?) };
        let mut inputs = Vec::with_capacity(1 + by.contacts.len());
        for (place, selector) in by.selectors().enumerate() {
            let (scan, filter) = self.selected(selector, &[])?;
            let columns: &[&str] = if place == 0 { &["at", "end", "ord"] } else { &["at", "ord"] };
            inputs.push(RowsNode::plan(filter, columns.iter().map(|&name| name.to_owned()).collect(), scan)?);
        }
        inputs.extend(ends.into_iter().flatten());
        let zone = self.clock.zone;
        let operation = Operation::NotObserved(Unobserved { zone, today: self.today(), days });
        let unobserved = node(operation, "observation".to_owned(), Vec::new(), inputs);
        let own = Leaf { label: None, dates: of.dates };
        let has = self.record_leaf(Operation::HasRecord, selector, vec![], &own)?;
        let label = of.label.map_or_else(|| selector.record.clone(), str::to_owned);
        Ok(node(Operation::Or, label, Vec::new(), vec![has, unobserved]))
    }
}

/// Of two days the one that stands so to the other; null where one is.
fn farther(one: Option<Expr>, other: Option<Expr>, stands: Operator) -> Result<Option<Expr>> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return Ok(one.or(other)),
    };
    let wins = binary_expr(one.clone(), stands, other.clone());
    Ok(Some(when(wins.clone(), one).when(!wins, other).end()?))
}
