//! Criteria under a name: lowered where they are named, at the clock that is meant.

use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::LogicalPlan;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::segment::{Asks, Reference, Window};

use super::{Lowering, node, time};
use crate::plan::ops::Operation;

impl Lowering<'_> {
    /// Those whom a name stands for, or who came to be among them.
    pub(super) fn reference(&self, of: &Reference, label: Option<&str>) -> Result<LogicalPlan> {
        match &of.asks {
            Asks::InSegment | Asks::InStage => self.members(of, label),
            Asks::Entered(window) => {
                let clock = self.clock.before(first_day(window, &self.clock)?);
                let then = Lowering { clock, ..*self };
                let inputs = vec![self.members(of, None)?, then.members(of, None)?];
                let label = label.map_or_else(|| format!("entered {}", of.name), str::to_owned);
                Ok(node(Operation::Without, label, Vec::new(), inputs))
            }
        }
    }

    /// The criteria without the exclusion. Leaves that stand elsewhere too, at the same clock, are planned once.
    fn members(&self, of: &Reference, label: Option<&str>) -> Result<LogicalPlan> {
        let label = label.unwrap_or(&of.name);
        if of.without.is_empty() {
            return self.set(&of.test, Some(label));
        }
        let mut inputs = vec![self.set(&of.test, None)?];
        for criteria in &of.without {
            inputs.push(self.set(criteria, None)?);
        }
        Ok(node(Operation::Without, label.to_owned(), Vec::new(), inputs))
    }
}

/// The day on which a window begins.
fn first_day(window: &Window, clock: &Clock) -> Result<chrono::NaiveDate> {
    match time::stretch(window, clock)?.day_bounds() {
        Some((Some(first), _)) => Ok(first),
        Some((None, _)) | None => internal_err!("a window that does not begin on a day"),
    }
}
