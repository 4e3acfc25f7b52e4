//! Criteria on records: selectors, measures, the latest and the earliest.

use super::criteria::criteria_of;
use super::fields::{Fields, Reader};
use super::tests_of_fields::{number_test_of, test_of};
use super::tree::{Json, Node};
use super::values::window_of;
use crate::ast::{ExprKind, Filter, Measure, Modifier, NumberSet, OneTest, Selector, Window};
use crate::segment::{Aggregate, Which};

/// What can be made of records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Records,
    Days,
    Distinct,
    Values(Aggregate),
}

const MEASURES: [(&str, Made); 8] = [
    ("count", Made::Records),
    ("count_days", Made::Days),
    ("count_distinct", Made::Distinct),
    ("sum", Made::Values(Aggregate::Sum)),
    ("avg", Made::Values(Aggregate::Avg)),
    ("min", Made::Values(Aggregate::Min)),
    ("max", Made::Values(Aggregate::Max)),
    ("median", Made::Values(Aggregate::Median)),
];

/// A selector as JSON, with windows that stand behind it.
pub(super) fn selector_of(selector: &Selector, behind: &[Window]) -> Json {
    let inside = selector.modifiers.iter().filter_map(|modifier| match modifier {
        Modifier::Window(window) => Some(window),
        Modifier::Active(_) => None,
    });
    let windows: Vec<Json> = inside.chain(behind).map(window_of).collect();
    let active = selector.modifiers.iter().any(|modifier| matches!(modifier, Modifier::Active(_)));
    let mut fields = vec![("record", Json::text(&selector.record.name))];
    fields.extend(selector.filter.iter().map(|filter| ("filter", criteria_of(&filter.expr))));
    if !windows.is_empty() {
        fields.push(("windows", Json::list(windows)));
    }
    if active {
        fields.push(("active", Node::Bool(true).into()));
    }
    Json::object(fields)
}

/// A measure as JSON.
pub(super) fn measure_of(
    measure: &Measure,
    selector: &Selector,
    windows: &[Window],
    test: &NumberSet,
) -> Json {
    let made = match measure {
        Measure::Records => Made::Records,
        Measure::Days => Made::Days,
        Measure::Distinct(_) => Made::Distinct,
        Measure::Values(function, _) => Made::Values(*function),
    };
    let name = MEASURES.iter().find(|(_, known)| *known == made).map_or("count", |(name, _)| *name);
    let mut fields = vec![("measure", Json::text(name)), ("of", selector_of(selector, windows))];
    fields.extend(measure.field().map(|field| ("field", Json::text(&field.name))));
    fields.push(("test", number_test_of(test)));
    Json::object(fields)
}

/// The latest or earliest record as JSON.
pub(super) fn one_of(which: Which, selector: &Selector, test: &OneTest) -> Json {
    let name = match which {
        Which::Latest => "latest",
        Which::Earliest => "earliest",
    };
    let mut fields = vec![(name, selector_of(selector, &[]))];
    match test {
        OneTest::Field { field, test } => {
            fields.extend([("field", Json::text(&field.name)), ("test", test_of(test))]);
        }
        OneTest::Has(filter) => fields.push(("has", criteria_of(&filter.expr))),
    }
    Json::object(fields)
}

impl Reader {
    /// A selector and its windows.
    fn parts_of_selector(&mut self, json: &Json) -> Option<(Selector, Vec<Window>)> {
        let mut fields = self.object(json, "a selector of records")?;
        let record = fields.need(self, "record").and_then(|record| self.name(record, "a kind of record"));
        let mut fine = true;
        let filter = fields.take("filter").map(|filter| self.filter(filter));
        let mut windows = Vec::new();
        if let Some(list) = fields.take("windows") {
            let list = self.list(list, "windows", 1);
            fine &= list.is_some();
            for window in list.unwrap_or(&[]) {
                match self.window(window) {
                    Some(window) => windows.push(window),
                    None => fine = false,
                }
            }
        }
        let active = fields.take("active");
        let mut modifiers = Vec::new();
        if self.mark(active, "`active`") {
            modifiers.push(Modifier::Active(active.map_or(json.span, |active| active.span)));
        }
        fields.finish(self);
        let selector = Selector { record: record?, filter, modifiers, span: json.span };
        fine.then_some((selector, windows))
    }

    fn selector(&mut self, json: &Json) -> Option<Selector> {
        let (mut selector, windows) = self.parts_of_selector(json)?;
        selector.modifiers.splice(0..0, windows.into_iter().map(Modifier::Window));
        Some(selector)
    }

    fn filter(&mut self, json: &Json) -> Filter {
        let expr = self.deeper(json.span, |reader| reader.criteria(json));
        let expr = expr.unwrap_or_else(|| super::criteria::bad(json.span));
        Filter { open: json.span.start + 1, expr: Box::new(expr) }
    }

    /// `has` and `no`.
    pub(super) fn has(&mut self, fields: &mut Fields<'_>, negated: bool) -> Option<ExprKind> {
        let json = fields.take(if negated { "no" } else { "has" })?;
        Some(ExprKind::Has { negated, selector: self.selector(json)? })
    }

    /// `measure`, `of`, `field` and `test`.
    pub(super) fn measure(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let made = fields.take("measure").and_then(|made| self.one_of(made, "a measure", &MEASURES));
        let of = fields.need(self, "of").and_then(|of| self.parts_of_selector(of));
        let needs_field = matches!(made, Some(Made::Distinct | Made::Values(_)));
        let field = if needs_field {
            fields.need(self, "field").and_then(|field| self.name(field, "a field"))
        } else {
            if made.is_none() {
                // Whether a field belongs here is not known.
                let _ = fields.take("field");
            }
            None
        };
        let test = fields.need(self, "test").and_then(|test| self.number_test(test));
        let measure = match made? {
            Made::Records => Measure::Records,
            Made::Days => Measure::Days,
            Made::Distinct => Measure::Distinct(field?),
            Made::Values(function) => Measure::Values(function, field?),
        };
        let (selector, windows) = of?;
        Some(ExprKind::Measure { measure, selector, windows, test: test? })
    }

    /// `latest` or `earliest`, with `field` and `test`, or `has`.
    pub(super) fn one(&mut self, fields: &mut Fields<'_>, which: Which) -> Option<ExprKind> {
        let name = match which {
            Which::Latest => "latest",
            Which::Earliest => "earliest",
        };
        let selector = fields.take(name).and_then(|selector| self.selector(selector));
        let test = if let Some(filter) = fields.take("has") {
            Some(OneTest::Has(self.filter(filter)))
        } else {
            let field = fields.need(self, "field").and_then(|field| self.name(field, "a field"));
            let test = fields.need(self, "test").and_then(|test| self.test(test));
            field.zip(test).map(|(field, test)| OneTest::Field { field, test })
        };
        Some(ExprKind::One { which, selector: selector?, test: test? })
    }
}
