//! Numbers that contacts are ordered by.

use super::fields::Reader;
use super::records::{fields_of_measure, selector_of};
use super::tree::Json;
use crate::ast::{OrderBy, OrderKind};
use crate::segment::{AgeUnit, Which};

const AMOUNTS: [&str; 5] = ["measure", "latest", "earliest", "field", "age"];

const AGES: [(&str, AgeUnit); 2] = [("years", AgeUnit::Years), ("months", AgeUnit::Months)];

/// An amount as JSON.
pub(super) fn amount_of(amount: &OrderBy) -> Json {
    match &amount.kind {
        OrderKind::Field(field) => Json::object([("field", Json::text(&field.name))]),
        OrderKind::Age(unit) => {
            let name = AGES.iter().find(|(_, known)| known == unit).map_or("years", |(name, _)| *name);
            Json::object([("age", Json::text(name))])
        }
        OrderKind::Measure { measure, selector, windows } => {
            Json::object(fields_of_measure(measure, selector, windows))
        }
        OrderKind::One { which, selector, field } => {
            let name = match which {
                Which::Latest => "latest",
                Which::Earliest => "earliest",
            };
            Json::object([(name, selector_of(selector, &[])), ("field", Json::text(&field.name))])
        }
    }
}

impl Reader {
    /// An amount.
    pub(super) fn amount(&mut self, json: &Json) -> Option<OrderBy> {
        let mut fields = self.object(json, "an amount")?;
        let kind = match fields.first_of(&AMOUNTS) {
            Some("measure") => self
                .measured(&mut fields)
                .map(|(measure, selector, windows)| OrderKind::Measure { measure, selector, windows }),
            Some(name @ ("latest" | "earliest")) => {
                let (name, which) =
                    if name == "latest" { ("latest", Which::Latest) } else { ("earliest", Which::Earliest) };
                let selector = fields.take(name).and_then(|selector| self.selector(selector));
                let field = fields.need(self, "field").and_then(|field| self.name(field, "a field"));
                selector.zip(field).map(|(selector, field)| OrderKind::One { which, selector, field })
            }
            Some("field") => {
                let field = fields.take("field").and_then(|field| self.bare_name(field, "a field"));
                field.map(OrderKind::Field)
            }
            Some(_) => {
                let unit = fields.take("age");
                unit.and_then(|unit| self.one_of(unit, "years or months", &AGES)).map(OrderKind::Age)
            }
            None => {
                fields.nothing_of(self, &AMOUNTS);
                return None;
            }
        };
        fields.finish(self);
        kind.map(|kind| OrderBy { kind, span: json.span })
    }
}
