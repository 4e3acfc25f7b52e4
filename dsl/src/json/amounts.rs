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
    let mut fields = match &amount.kind {
        OrderKind::Field(field) => vec![("field", Json::text(&field.name))],
        OrderKind::Age(unit) => {
            let name = AGES.iter().find(|(_, known)| known == unit).map_or("years", |(name, _)| *name);
            vec![("age", Json::text(name))]
        }
        OrderKind::Measure { measure, selector, windows } => fields_of_measure(measure, selector, windows),
        OrderKind::One { which, selector, field } => {
            let records = selector_of(selector, &[]);
            let mut fields = match which {
                Which::Latest => vec![("latest", records)],
                Which::Earliest => vec![("earliest", records)],
                // Contacts are ordered by no other place; only a text that does not compile would say so.
                Which::Nth(place) => {
                    vec![("nth", super::values::number_of(&place.to_string())), ("of", records)]
                }
            };
            fields.push(("field", Json::text(&field.name)));
            fields
        }
    };
    fields.extend(amount.unit.as_ref().map(|unit| ("unit", Json::text(&unit.text))));
    Json::object(fields)
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
        let unit = fields.take("unit").map(|unit| self.text(unit, "a unit"));
        fields.finish(self);
        let unit = match unit {
            Some(unit) => Some(unit?),
            None => None,
        };
        kind.map(|kind| OrderBy { kind, unit, span: json.span })
    }
}
