//! Tests of one field, of an age, of a number made of records.

use super::fields::{Fields, Reader};
use super::tree::Json;
use super::values::{bounds_of, set_of, value_of, window_of};
use crate::ast::{AttributeTest, NumberSet, TextTest};
use crate::diagnostic::codes;
use crate::segment::{Cmp, ListTest, TextOp};

const COMPARISONS: [(&str, Cmp); 6] =
    [("=", Cmp::Eq), ("!=", Cmp::Ne), ("<", Cmp::Lt), ("<=", Cmp::Le), (">", Cmp::Gt), (">=", Cmp::Ge)];

const TEXT_TESTS: [(&str, TextOp); 4] = [
    ("contains", TextOp::Contains),
    ("starts_with", TextOp::StartsWith),
    ("ends_with", TextOp::EndsWith),
    ("matches", TextOp::Matches),
];

/// The fields that tell what a test is.
const TESTS: [&str; 15] = [
    "compare",
    "in",
    "not_in",
    "between",
    "not_between",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "under",
    "is",
    "window",
    "has_any",
    "has_all",
    "has_none",
];

const LIST_TESTS: [(&str, ListTest); 3] =
    [("has_any", ListTest::Any), ("has_all", ListTest::All), ("has_none", ListTest::None)];

fn compare_of(cmp: Cmp, to: Json) -> Json {
    Json::object([("compare", Json::text(sign_of(cmp))), ("value", to)])
}

/// Sign of a comparison.
pub(super) fn sign_of(cmp: Cmp) -> &'static str {
    COMPARISONS.iter().find(|(_, known)| *known == cmp).map_or("=", |(sign, _)| *sign)
}

/// A test as JSON.
pub(super) fn test_of(test: &AttributeTest) -> Json {
    match test {
        AttributeTest::Compare(cmp, to) => compare_of(*cmp, value_of(to)),
        AttributeTest::In { negated, set } => {
            Json::object([(if *negated { "not_in" } else { "in" }, set_of(set))])
        }
        AttributeTest::Between { negated, low, high } => {
            let name = if *negated { "not_between" } else { "between" };
            Json::object([(name, Json::object(bounds_of(low, high)))])
        }
        AttributeTest::Text(TextTest { op, value }) => {
            let name = TEXT_TESTS.iter().find(|(_, known)| known == op).map_or("contains", |(name, _)| *name);
            Json::object([(name, value_of(value))])
        }
        AttributeTest::Under(code) => Json::object([("under", under_of(value_of(code)))]),
        AttributeTest::Known => Json::object([("is", Json::text("known"))]),
        AttributeTest::Missing => Json::object([("is", Json::text("missing"))]),
        AttributeTest::Window(window) => Json::object([("window", window_of(window))]),
        AttributeTest::List { test, values } => {
            let name =
                LIST_TESTS.iter().find(|(_, known)| known == test).map_or("has_any", |(name, _)| *name);
            Json::object([(name, Json::list(values.iter().map(value_of)))])
        }
    }
}

/// The code behind `under`: that it goes under it is said once.
fn under_of(code: Json) -> Json {
    let mut code = code;
    if let super::tree::Node::Object(members) = &mut code.node {
        for member in members.iter_mut().filter(|member| member.name.text == "under") {
            "code".clone_into(&mut member.name.text);
        }
    }
    code
}

/// A test of a number as JSON.
pub(super) fn number_test_of(test: &NumberSet) -> Json {
    match test {
        NumberSet::Compare(cmp, to) => compare_of(*cmp, value_of(to)),
        NumberSet::In(set) => Json::object([("in", set_of(set))]),
    }
}

impl Reader {
    /// A test of a field.
    pub(super) fn test(&mut self, json: &Json) -> Option<AttributeTest> {
        let mut fields = self.object(json, "a test")?;
        let test = match fields.first_of(&TESTS) {
            Some("compare") => self.compare(&mut fields).map(|(cmp, to)| AttributeTest::Compare(cmp, to)),
            Some("in") => fields
                .take("in")
                .and_then(|set| self.set(set))
                .map(|set| AttributeTest::In { negated: false, set }),
            Some("not_in") => fields
                .take("not_in")
                .and_then(|set| self.set(set))
                .map(|set| AttributeTest::In { negated: true, set }),
            Some("between") => fields
                .take("between")
                .and_then(|bounds| self.bounds(bounds))
                .map(|(low, high)| AttributeTest::Between { negated: false, low, high }),
            Some("not_between") => fields
                .take("not_between")
                .and_then(|bounds| self.bounds(bounds))
                .map(|(low, high)| AttributeTest::Between { negated: true, low, high }),
            Some("under") => fields.take("under").and_then(|code| self.under(code)),
            Some("is") => {
                let words = [("known", true), ("missing", false)];
                let known = fields.take("is").and_then(|is| self.one_of(is, "known or missing", &words));
                known.map(|known| if known { AttributeTest::Known } else { AttributeTest::Missing })
            }
            Some("window") => {
                fields.take("window").and_then(|window| self.window(window)).map(AttributeTest::Window)
            }
            Some("has_any" | "has_all" | "has_none") => {
                let known = LIST_TESTS.iter().find(|(name, _)| fields.first_of(&[name]).is_some());
                known.and_then(|(name, test)| {
                    let list = fields.take(name).and_then(|list| self.list(list, "categories", 1))?;
                    let values: Vec<_> = list.iter().map(|value| self.value(value)).collect();
                    let values = values.into_iter().collect::<Option<_>>()?;
                    Some(AttributeTest::List { test: *test, values })
                })
            }
            Some(_) => {
                let known = TEXT_TESTS.iter().find(|(name, _)| fields.first_of(&[name]).is_some());
                known.and_then(|(name, op)| {
                    let value = self.needed_value(&mut fields, name)?;
                    Some(AttributeTest::Text(TextTest { op: *op, value }))
                })
            }
            None => {
                fields.nothing_of(self, &TESTS);
                return None;
            }
        };
        fields.finish(self);
        test
    }

    /// `compare` and `value`.
    fn compare(&mut self, fields: &mut Fields<'_>) -> Option<(Cmp, crate::ast::Value)> {
        let cmp = self.sign(fields);
        let value = self.needed_value(fields, "value");
        cmp.zip(value)
    }

    /// `compare`.
    pub(super) fn sign(&mut self, fields: &mut Fields<'_>) -> Option<Cmp> {
        fields.need(self, "compare").and_then(|cmp| self.one_of(cmp, "a comparison", &COMPARISONS))
    }

    fn under(&mut self, json: &Json) -> Option<AttributeTest> {
        let mut fields = self.object(json, "a code")?;
        let system = fields.need(self, "system").and_then(|system| self.name(system, "a code system"));
        let code = fields.need(self, "code").and_then(|code| self.text(code, "a code"));
        fields.finish(self);
        let kind = crate::ast::ValueKind::Code { system: system?, code: code?, under: true };
        Some(AttributeTest::Under(crate::ast::Value { kind, span: json.span }))
    }

    /// A test of an age or of a number made of records.
    pub(super) fn number_test(&mut self, json: &Json) -> Option<NumberSet> {
        const TESTS: [&str; 2] = ["compare", "in"];
        let mut fields = self.object(json, "a test of a number")?;
        let test = match fields.first_of(&TESTS) {
            Some("compare") => self.compare(&mut fields).map(|(cmp, to)| NumberSet::Compare(cmp, to)),
            Some(_) => self.set_of_numbers(&mut fields),
            None => {
                fields.nothing_of(self, &TESTS);
                return None;
            }
        };
        fields.finish(self);
        test
    }

    fn set_of_numbers(&mut self, fields: &mut Fields<'_>) -> Option<NumberSet> {
        let json = fields.need(self, "in")?;
        let set = self.set(json)?;
        if let crate::ast::Set::Ref(name) = &set {
            self.wrong(&codes::CODE_OUTSIDE, name.span, "a value set holds codes, not numbers");
            return None;
        }
        Some(NumberSet::In(set))
    }
}
