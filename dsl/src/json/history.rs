//! Tests of what a contact field said before.

use super::fields::{Fields, Reader};
use super::tree::Json;
use super::values::{value_of, window_of};
use crate::ast::{ExprKind, History, Past, Value};

/// A test of history as JSON.
pub(super) fn history_of(of: &History) -> Json {
    let field = Json::text(&of.field.name);
    let mut fields = Vec::with_capacity(4);
    match &of.past {
        Past::Changed { from, to } => {
            fields.push(("changed", field));
            fields.extend(from.iter().map(|value| ("from", value_of(value))));
            fields.extend(to.iter().map(|value| ("to", value_of(value))));
        }
        Past::Was(value) => fields.extend([("was", field), ("value", value_of(value))]),
    }
    fields.push(("window", window_of(&of.window)));
    Json::object(fields)
}

impl Reader {
    /// `changed`, and values where they are given.
    pub(super) fn changed(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let field = fields.take("changed").and_then(|field| self.name(field, "a field"));
        let (from, to) = (self.past_value(fields, "from"), self.past_value(fields, "to"));
        let window = fields.need(self, "window").and_then(|window| self.window(window));
        let past = Past::Changed { from: from?, to: to? };
        Some(ExprKind::History(Box::new(History { field: field?, past, window: window? })))
    }

    /// `was` and its value.
    pub(super) fn was(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let field = fields.take("was").and_then(|field| self.name(field, "a field"));
        let value = fields.need(self, "value").and_then(|value| self.value(value));
        let window = fields.need(self, "window").and_then(|window| self.window(window));
        Some(ExprKind::History(Box::new(History { field: field?, past: Past::Was(value?), window: window? })))
    }

    /// A value that may be left out; `None` when it is wrong.
    fn past_value(&mut self, fields: &mut Fields<'_>, name: &'static str) -> Option<Option<Value>> {
        match fields.take(name) {
            None => Some(None),
            Some(json) => self.value(json).map(Some),
        }
    }
}
