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
    Json::object(fields_of_selector(selector, behind))
}

/// The fields of a selector. What the text form says in any order has its place here.
pub(super) fn fields_of_selector(selector: &Selector, behind: &[Window]) -> Vec<(&'static str, Json)> {
    let (mut windows, mut recorded, mut with, mut same) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut active = false;
    for modifier in &selector.modifiers {
        match modifier {
            Modifier::Window(window) => windows.push(window_of(window)),
            Modifier::Active(_) => active = true,
            Modifier::Recorded(window) => recorded.push(window_of(window)),
            Modifier::With(field) => with.push(Json::text(&field.name)),
            Modifier::Same { field, of } => {
                same.push(Json::object([("field", Json::text(&field.name)), ("as", Json::text(&of.name))]));
            }
        }
    }
    windows.extend(behind.iter().map(window_of));
    let mut fields = vec![("record", Json::text(&selector.record.name))];
    fields.extend(selector.filter.iter().map(|filter| ("filter", criteria_of(&filter.expr))));
    let mut add = |name: &'static str, list: Vec<Json>| {
        if !list.is_empty() {
            fields.push((name, Json::list(list)));
        }
    };
    add("windows", windows);
    add("recorded", recorded);
    add("with", with);
    add("same", same);
    if active {
        fields.push(("active", Node::Bool(true).into()));
    }
    fields
}

/// A measure as JSON.
pub(super) fn measure_of(
    measure: &Measure,
    selector: &Selector,
    windows: &[Window],
    test: &NumberSet,
) -> Json {
    let mut fields = fields_of_measure(measure, selector, windows);
    fields.push(("test", number_test_of(test)));
    Json::object(fields)
}

/// The fields of a measure, without its test.
pub(super) fn fields_of_measure(
    measure: &Measure,
    selector: &Selector,
    windows: &[Window],
) -> Vec<(&'static str, Json)> {
    let made = match measure {
        Measure::Records => Made::Records,
        Measure::Days => Made::Days,
        Measure::Distinct(_) => Made::Distinct,
        Measure::Values(function, _) => Made::Values(*function),
    };
    let name = MEASURES.iter().find(|(_, known)| *known == made).map_or("count", |(name, _)| *name);
    let mut fields = vec![("measure", Json::text(name)), ("of", selector_of(selector, windows))];
    fields.extend(measure.field().map(|field| ("field", Json::text(&field.name))));
    fields
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
        let fields = self.object(json, "a selector of records")?;
        self.parts_of_fields(fields)
    }

    fn parts_of_fields(&mut self, mut fields: Fields<'_>) -> Option<(Selector, Vec<Window>)> {
        let span = fields.span;
        let record = fields.need(self, "record").and_then(|record| self.name(record, "a kind of record"));
        let filter = fields.take("filter").map(|filter| self.filter(filter));
        let windows = self.each(fields.take("windows"), "windows", Self::window);
        let active = fields.take("active");
        let mut modifiers = Vec::new();
        if self.mark(active, "`active`") {
            modifiers.push(Modifier::Active(active.map_or(span, |active| active.span)));
        }
        let recorded = self.each(fields.take("recorded"), "windows", Self::window);
        let with = self.each(fields.take("with"), "fields", |reader, field| reader.name(field, "a field"));
        let same = self.each(fields.take("same"), "what is the same", Self::same);
        fields.finish(self);
        modifiers.extend(recorded?.into_iter().map(Modifier::Recorded));
        modifiers.extend(with?.into_iter().map(Modifier::With));
        modifiers.extend(same?);
        Some((Selector { record: record?, filter, modifiers, span }, windows?))
    }

    /// The items of a list that may be missing; `None` when one cannot be read.
    pub(super) fn each<T>(
        &mut self,
        list: Option<&Json>,
        what: &str,
        item: impl Fn(&mut Self, &Json) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(list) = list else { return Some(Vec::new()) };
        let items: Vec<Option<T>> = self.list(list, what, 1)?.iter().map(|json| item(self, json)).collect();
        items.into_iter().collect()
    }

    fn same(&mut self, json: &Json) -> Option<Modifier> {
        let mut fields = self.object(json, "what is the same")?;
        let field = fields.need(self, "field").and_then(|field| self.name(field, "a field"));
        let of = fields.need(self, "as").and_then(|of| self.name(of, "a kind of record"));
        fields.finish(self);
        Some(Modifier::Same { field: field?, of: of? })
    }

    /// A selector.
    pub(super) fn selector(&mut self, json: &Json) -> Option<Selector> {
        let fields = self.object(json, "a selector of records")?;
        self.selector_fields(fields)
    }

    /// A selector by its fields.
    pub(super) fn selector_fields(&mut self, fields: Fields<'_>) -> Option<Selector> {
        let (mut selector, windows) = self.parts_of_fields(fields)?;
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
        let measured = self.measured(fields);
        let test = fields.need(self, "test").and_then(|test| self.number_test(test));
        let (measure, selector, windows) = measured?;
        Some(ExprKind::Measure { measure, selector, windows, test: test? })
    }

    /// `measure`, `of` and `field`.
    pub(super) fn measured(&mut self, fields: &mut Fields<'_>) -> Option<(Measure, Selector, Vec<Window>)> {
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
        let measure = match made? {
            Made::Records => Measure::Records,
            Made::Days => Measure::Days,
            Made::Distinct => Measure::Distinct(field?),
            Made::Values(function) => Measure::Values(function, field?),
        };
        let (selector, windows) = of?;
        Some((measure, selector, windows))
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
