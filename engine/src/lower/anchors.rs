//! Days that depend on the contact: columns of their dates beside the rows, and windows between them.

use chrono::NaiveDate;
use datafusion::common::{Column, Result, ScalarValue, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, col, lit};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Class, FieldType, Schema};
use hyperseg_dsl::segment::{Anchor, ContactTest, Start, Window};
use hyperseg_dsl::value::days_since_epoch;

use super::time::{Stretch, after, before, fixed_day};
use super::{Lowering, node};
use crate::functions::{Shifts, date_between, is_full, local_day, shifted_day};
use crate::plan::ops::Operation;
use crate::table::beside;

/// Where tests are evaluated: when it is, and which dates of the contact lie in the columns of the scan itself.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) clock: &'a Clock,
    pub(super) schema: &'a Schema,
    /// The class of the contact files that are scanned; none over records.
    pub(super) class: Option<Class>,
}

/// One end of a window, included.
enum End {
    Open,
    Day(NaiveDate),
    /// Days since 1970-01-01; null where the contact lacks the date, or it is not known to the day.
    OfContact(Expr),
}

impl End {
    /// As days since 1970-01-01.
    fn number(&self) -> Option<Expr> {
        match self {
            Self::Open => None,
            Self::Day(day) => Some(lit(days_since_epoch(*day))),
            Self::OfContact(day) => Some(day.clone()),
        }
    }
}

impl Place<'_> {
    /// The packed date of the contact.
    fn date(&self, field: &str) -> Expr {
        let own = self.schema.contact_field(field).map(|field| field.class);
        if own.is_some() && own == self.class {
            return col(field);
        }
        Expr::Column(Column::from_name(beside(field)))
    }

    /// An anchor as days since 1970-01-01.
    pub(super) fn day(&self, anchor: &Anchor) -> Result<Expr> {
        match &anchor.start {
            Start::Field(field) => Ok(shifted_day(Shifts(anchor.shifts.clone()), self.date(field))),
            Start::Date(_) | Start::AsOf => Ok(lit(days_since_epoch(fixed_day(anchor, self.clock)?))),
        }
    }

    fn end(
        &self,
        anchor: &Anchor,
        fixed: impl FnOnce(NaiveDate) -> Result<NaiveDate>,
        by: i32,
    ) -> Result<End> {
        if anchor.field().is_none() {
            return Ok(End::Day(fixed(fixed_day(anchor, self.clock)?)?));
        }
        let day = self.day(anchor)?;
        Ok(End::OfContact(if by == 0 { day } else { day + lit(by) }))
    }

    /// Both ends of a window that depends on the contact; `None` for one that does not.
    fn ends(&self, window: &Window) -> Result<Option<(End, End)>> {
        if window.anchors().iter().all(|anchor| anchor.field().is_none()) {
            return Ok(None);
        }
        let same = |anchor| self.end(anchor, Ok, 0);
        Ok(Some(match window {
            Window::InLast(_)
            | Window::InNext(_)
            | Window::MoreThanAgo(_)
            | Window::BetweenAgo(..)
            | Window::Calendar(..) => return Ok(None),
            Window::Since(day) => (same(day)?, End::Open),
            Window::Before(day) => (End::Open, self.end(day, before, -1)?),
            Window::After(day) => (self.end(day, after, 1)?, End::Open),
            Window::On(day) => (same(day)?, same(day)?),
            Window::Between(first, last) => (same(first)?, same(last)?),
        }))
    }

    /// Whether the value of a date or time lies in a window that depends on the contact; `None` for one that does
    /// not. Ends that do not depend on it stay tests of the column, for whole blocks.
    pub(super) fn in_window(&self, column: &Expr, ty: FieldType, window: &Window) -> Result<Option<Expr>> {
        let Some((low, high)) = self.ends(window)? else { return Ok(None) };
        if ty == FieldType::Date {
            // Together: a date that is not fully known may lie on either side of both ends.
            return Ok(Some(date_between(column.clone(), low.number(), high.number())));
        }
        let day = self.local_day(column);
        let fixed = |low, high| Stretch::days(self.clock, low, high).time_test(column);
        let low = match low {
            End::Open => None,
            End::Day(low) => Some(fixed(Some(low), None)),
            End::OfContact(low) => Some(day.clone().gt_eq(low)),
        };
        let high = match high {
            End::Open => None,
            End::Day(high) => Some(fixed(None, Some(high))),
            End::OfContact(high) => Some(day.lt_eq(high)),
        };
        Ok(low.into_iter().chain(high).reduce(Expr::and))
    }

    /// Whether the interval from `at` to `end` has a day in common with a window that depends on the contact; `None` for
    /// one that does not.
    pub(super) fn overlaps(&self, window: &Window) -> Result<Option<Vec<Expr>>> {
        let Some((low, high)) = self.ends(window)? else { return Ok(None) };
        let (at, end) = (col("at"), col("end"));
        let mut tests = Vec::new();
        if let (Some(low), Some(high)) = (low.number(), high.number()) {
            // Without a day it has none in common with anything.
            tests.push(low.lt_eq(high));
        }
        match high {
            End::Open => {}
            End::Day(high) => tests.push(Stretch::days(self.clock, None, Some(high)).time_test(&at)),
            End::OfContact(high) => tests.push(self.local_day(&at).lt_eq(high)),
        }
        let lasts = match low {
            End::Open => None,
            End::Day(low) => Some(Stretch::days(self.clock, Some(low), None).time_test(&end)),
            End::OfContact(low) => Some(self.local_day(&end).gt_eq(low)),
        };
        tests.extend(lasts.map(|lasts| end.clone().is_null().or(lasts)));
        Ok(Some(tests))
    }

    /// Both ends of a window that depends on the contact, as days since 1970-01-01.
    pub(super) fn day_bounds(&self, window: &Window) -> Result<Option<(Option<Expr>, Option<Expr>)>> {
        Ok(self.ends(window)?.map(|(low, high)| (low.number(), high.number())))
    }

    fn local_day(&self, column: &Expr) -> Expr {
        local_day(self.clock.zone, column.clone())
    }

    /// The test of a contact, UNKNOWN where a date is missing that it counts from, or not known to the day.
    pub(super) fn where_known(&self, test: &ContactTest, expr: Expr) -> Expr {
        let full = |field| self.date(field).is_not_null().and(is_full(self.date(field)));
        let known = test.dates_of_contact().into_iter().map(full);
        let Some(known) = known.reduce(Expr::and) else { return expr };
        let unknown = lit(ScalarValue::Boolean(None));
        known.clone().and(expr).or((!known).and(unknown))
    }
}

impl Lowering<'_> {
    /// Those of whom every one of these dates is known to the day.
    pub(super) fn days_known(&self, fields: &[&str]) -> Result<LogicalPlan> {
        let mut by_class: Vec<(Class, Expr)> = Vec::new();
        for name in fields {
            let class = self.contact_field(name)?.class;
            let full = is_full(col(*name));
            match by_class.iter_mut().find(|(known, _)| *known == class) {
                Some((_, test)) => *test = test.clone().and(full),
                None => by_class.push((class, full)),
            }
        }
        let mut sets = Vec::with_capacity(by_class.len());
        for (class, test) in by_class {
            let scan = self.tables.contact_scan(class, &[])?.build()?;
            sets.push(node(Operation::FieldSet, class.name().to_owned(), vec![test], vec![scan]));
        }
        match (sets.pop(), sets.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                sets.push(last);
                Ok(node(Operation::And, String::new(), Vec::new(), sets))
            }
            (None, _) => internal_err!("no date to count from"),
        }
    }
}
