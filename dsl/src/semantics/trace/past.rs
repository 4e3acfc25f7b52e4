//! Tests of what a field said before: the changes that decided, and the others of the field.

use std::cmp::Reverse;

use super::super::Change;
use super::super::history::{changes, is_asked_for, is_seen, lies_in_window};
use super::{Evidence, PassedOver, Passing, ROWS_MAX, Row, Teller, named};
use crate::schema::Field;
use crate::segment::{History, Past};
use crate::value::{Value, When};

impl Teller<'_> {
    /// The changes that `changed` asks for, or what `was` follows: what the field says, and all its changes up to as_of.
    pub(super) fn history(&self, of: &History) -> Evidence {
        let mut changes = changes(of, self.contact);
        // Of those at one time the one imported last comes first.
        changes.reverse();
        changes.sort_by_key(|change| Reverse(change.at_micros));
        let was = matches!(of.past, Past::Was(_));
        let fate = |change: &Change| {
            if !is_seen(change, self.clock) {
                Some(Passing::NotYet)
            } else if was || is_asked_for(of, change, self.clock) {
                None
            } else if lies_in_window(of, change, self.clock) {
                Some(Passing::Filter)
            } else {
                Some(Passing::Time)
            }
        };
        let with = |wanted: Option<Passing>| {
            changes
                .iter()
                .filter(|change| fate(change) == wanted)
                .map(|change| row(change))
                .collect::<Vec<_>>()
        };
        let decided = with(None);
        let passed_over = [Passing::NotYet, Passing::Filter, Passing::Time].map(|reason| {
            let rows = with(Some(reason));
            PassedOver { reason, count: rows.len(), records: rows.into_iter().take(ROWS_MAX).collect() }
        });
        Evidence {
            facts: was.then(|| self.fact(&of.field)).into_iter().collect(),
            records_more: decided.len().saturating_sub(ROWS_MAX),
            records: decided.into_iter().take(ROWS_MAX).collect(),
            passed_over: passed_over.into_iter().filter(|passed| passed.count > 0).collect(),
        }
    }
}

/// When, from what, to what.
fn row(change: &Change) -> Row {
    let said = |value: &Option<Value>| value.as_ref().map(Field::render);
    let at = Field::render(&Value::Time(When::Instant(change.at_micros)));
    let fields =
        vec![named("at", Some(at)), named("from", said(&change.old)), named("to", said(&change.new))];
    Row { record: format!("change of {}", change.field), fields }
}
