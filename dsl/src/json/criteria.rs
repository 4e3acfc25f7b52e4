//! Criteria: and, or, not and the tests between them.

use super::fields::{Fields, Reader};
use super::history::history_of;
use super::ranks::rank_of;
use super::records::{measure_of, one_of, selector_of};
use super::references::reference_of;
use super::sequences::sequence_of;
use super::tails::sample_of;
use super::tests_of_fields::{number_test_of, sign_of, test_of};
use super::tree::Json;
use super::values::{duration_of, number_of, value_of, window_of};
use crate::ast::{Centre, Expr, ExprKind, Members, Span};
use crate::diagnostic::codes;
use crate::segment::{AgeUnit, LengthUnit, Quantity, Which};

/// The fields that tell what a criterion is. Where several of them stand in one, the first of these leads.
const CRITERIA: [&str; 34] = [
    "and",
    "or",
    "not",
    "share",
    "in_list",
    "location_within",
    "turns",
    "member_of_household",
    "in_segment",
    "in_stage",
    "entered_segment",
    "received",
    "not_received",
    "at_least",
    "at_most",
    "exactly",
    "sequence",
    "measure",
    "latest",
    "earliest",
    "nth",
    "days_covered",
    "continuous",
    "has",
    "no",
    "anniversary",
    "changed",
    "was",
    "age",
    "field",
    "define",
    "sample",
    "rank",
    "constant",
];

/// Units of length.
const LENGTHS: [(&str, LengthUnit); 2] = [("mile", LengthUnit::Mile), ("km", LengthUnit::Km)];

/// Criteria as JSON. Parentheses are not kept: the tree says what they said.
pub(super) fn criteria_of(expr: &Expr) -> Json {
    match &expr.kind {
        ExprKind::Or(parts) => Json::object([("or", list_of(parts))]),
        ExprKind::And(parts) => Json::object([("and", list_of(parts))]),
        ExprKind::Of { quantity, number, parts, .. } => {
            Json::object([(quantity_name(*quantity), number_of(&number.text)), ("of", list_of(parts))])
        }
        ExprKind::Not(inner) => Json::object([("not", criteria_of(inner))]),
        ExprKind::Group(inner) => criteria_of(inner),
        ExprKind::Everyone => Json::object([("constant", Json::text("everyone"))]),
        ExprKind::Nobody => Json::object([("constant", Json::text("nobody"))]),
        ExprKind::Name(name) => Json::object([("define", Json::text(name))]),
        ExprKind::Attribute { field, test } => {
            Json::object([("field", Json::text(&field.name)), ("test", test_of(test))])
        }
        ExprKind::Age { unit, on, test } => {
            let mut fields = vec![("age", number_test_of(test))];
            if *unit == AgeUnit::Months {
                fields.push(("unit", Json::text("month")));
            }
            fields.extend(on.iter().map(|day| ("on", value_of(day))));
            Json::object(fields)
        }
        ExprKind::Near { distance, unit, centre } => {
            let word = LENGTHS.iter().find(|(_, length)| length == unit).map_or("km", |(word, _)| *word);
            let far = Json::object([("count", number_of(&distance.text)), ("unit", Json::text(word))]);
            let of = match centre {
                Centre::Zip(zip) => Json::object([("zip", Json::text(&zip.text))]),
                Centre::Point { north, east } => {
                    Json::object([("latitude", number_of(&north.text)), ("longitude", number_of(&east.text))])
                }
            };
            Json::object([("location_within", far), ("of", of)])
        }
        ExprKind::InList { file, by } => {
            Json::object([("in_list", Json::text(&file.text)), ("by", Json::text(&by.name))])
        }
        ExprKind::Turns { age, window } => {
            Json::object([("turns", number_of(&age.text)), ("window", window_of(window))])
        }
        ExprKind::Share { test, selector, cmp, percent, at_least, .. } => {
            let mut fields = vec![
                ("share", criteria_of(test)),
                ("of", selector_of(selector, &[])),
                ("compare", Json::text(sign_of(*cmp))),
                ("percent", number_of(&percent.text)),
            ];
            fields.extend(at_least.iter().map(|least| ("with_at_least", number_of(&least.text))));
            Json::object(fields)
        }
        ExprKind::Anniversary { field, window } => {
            Json::object([("anniversary", Json::text(&field.name)), ("window", window_of(window))])
        }
        ExprKind::History(history) => history_of(history),
        ExprKind::Has { negated, selector, observed } => {
            let mut fields = vec![(if *negated { "no" } else { "has" }, selector_of(selector, &[]))];
            if *observed {
                fields.push(("while_observed", super::tree::Node::Bool(true).into()));
            }
            Json::object(fields)
        }
        ExprKind::DaysCovered { selector, window, cmp, percent } => Json::object([
            ("days_covered", selector_of(selector, &[])),
            ("window", window_of(window)),
            ("compare", Json::text(sign_of(*cmp))),
            ("percent", number_of(&percent.text)),
        ]),
        ExprKind::Continuous { selector, gap, length } => Json::object([
            ("continuous", selector_of(selector, &[])),
            ("gap", duration_of(gap)),
            ("for", duration_of(length)),
        ]),
        ExprKind::Measure { measure, selector, windows, test } => {
            measure_of(measure, selector, windows, test)
        }
        ExprKind::One { which, selector, tie, test } => one_of(*which, selector, *tie, test),
        ExprKind::Sequence { first, steps } => sequence_of(first, steps),
        ExprKind::Rank { end, size, by, among } => rank_of(*end, size, by, among.as_ref()),
        ExprKind::Sample { percent, seed } => Json::object([("sample", sample_of(percent, seed))]),
        ExprKind::Reference(reference) => reference_of(reference),
        ExprKind::Household { which, test, .. } => {
            Json::object([("member_of_household", Json::text(which.word())), ("criteria", criteria_of(test))])
        }
        // Only in texts that do not compile.
        ExprKind::Bad => super::tree::Node::Null.into(),
    }
}

fn list_of(parts: &[Expr]) -> Json {
    Json::list(parts.iter().map(criteria_of))
}

fn quantity_name(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::AtLeast => "at_least",
        Quantity::AtMost => "at_most",
        Quantity::Exactly => "exactly",
    }
}

/// Criteria that could not be read; a finding says why.
pub(super) fn bad(span: Span) -> Expr {
    Expr { kind: ExprKind::Bad, span }
}

impl Reader {
    /// Criteria that stand alone, or between commas.
    pub(super) fn criteria(&mut self, json: &Json) -> Expr {
        let kind = self.criterion(json).unwrap_or(ExprKind::Bad);
        Expr { kind, span: json.span }
    }

    /// A part that stands beside `and`, `or` or `not`: in parentheses where the text form needs them.
    pub(super) fn part(&mut self, json: &Json) -> Expr {
        let grouped = json.members().iter().any(|member| ["and", "or"].contains(&member.name.text.as_str()));
        if !grouped {
            return self.criteria(json);
        }
        let inner = self.deeper(json.span, |reader| reader.criteria(json));
        inner.map_or_else(|| bad(json.span), in_parentheses)
    }

    fn criterion(&mut self, json: &Json) -> Option<ExprKind> {
        let mut fields = self.object(json, "a criterion")?;
        let kind = match fields.first_of(&CRITERIA) {
            Some("and") => self.parts(&mut fields, "and").map(ExprKind::And),
            Some("or") => self.parts(&mut fields, "or").map(ExprKind::Or),
            Some("not") => self.negated(&mut fields),
            Some("at_least") => self.several(&mut fields, Quantity::AtLeast),
            Some("at_most") => self.several(&mut fields, Quantity::AtMost),
            Some("exactly") => self.several(&mut fields, Quantity::Exactly),
            Some("sequence") => self.sequence(&mut fields),
            Some("measure") => self.measure(&mut fields),
            Some("latest") => self.one(&mut fields, Which::Latest),
            Some("earliest") => self.one(&mut fields, Which::Earliest),
            Some("nth") => {
                let place = fields.take("nth").and_then(|place| self.place(place));
                place.and_then(|place| self.one(&mut fields, place))
            }
            Some("days_covered") => self.days_covered(&mut fields),
            Some("continuous") => self.continuous(&mut fields),
            Some("has") => self.has(&mut fields, false),
            Some("no") => self.has(&mut fields, true),
            Some("anniversary") => self.anniversary(&mut fields),
            Some("changed") => self.changed(&mut fields),
            Some("was") => self.was(&mut fields),
            Some("share") => self.share(&mut fields),
            Some("location_within") => self.near(&mut fields),
            Some("in_list") => {
                let file = fields.take("in_list").and_then(|file| self.text(file, "a file"));
                let by = fields.need(self, "by").and_then(|by| self.name(by, "a field"));
                file.zip(by).map(|(file, by)| ExprKind::InList { file, by })
            }
            Some("turns") => {
                let age = fields.take("turns").and_then(|age| self.number(age, "an age"));
                let window = fields.need(self, "window").and_then(|window| self.window(window));
                age.zip(window).map(|(age, window)| ExprKind::Turns { age, window })
            }
            Some("member_of_household") => {
                let words = Members::ALL.map(|which| (which.word(), which));
                let which = fields.take("member_of_household");
                let which = which.and_then(|which| self.one_of(which, "any, all or no member", &words));
                let test = fields.need(self, "criteria").map(|json| {
                    let test = self.deeper(json.span, |reader| reader.criteria(json));
                    (json.span.start + 1, test.unwrap_or_else(|| bad(json.span)))
                });
                which.zip(test).map(|(which, (open, test))| ExprKind::Household {
                    which,
                    open,
                    test: Box::new(test),
                })
            }
            Some("in_segment") => self.in_segment(&mut fields),
            Some("in_stage") => self.in_stage(&mut fields),
            Some("entered_segment") => self.entered(&mut fields),
            Some("received") => self.received(&mut fields, false),
            Some("not_received") => self.received(&mut fields, true),
            Some("age") => self.age(&mut fields),
            Some("field") => self.attribute(&mut fields),
            Some("define") => {
                let name = fields.take("define").and_then(|name| self.bare_name(name, "a define"));
                name.map(|name| ExprKind::Name(name.name))
            }
            Some("rank") => self.rank(&mut fields),
            Some("sample") => {
                let sample = fields.take("sample").and_then(|sample| self.sample(sample));
                sample.map(|(percent, seed)| ExprKind::Sample { percent, seed })
            }
            Some(_) => self.constant(&mut fields),
            None => {
                fields.nothing_of(self, &CRITERIA);
                return None;
            }
        };
        fields.finish(self);
        kind
    }

    fn negated(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let json = fields.take("not")?;
        let inner = self.deeper(json.span, |reader| reader.part(json));
        Some(ExprKind::Not(Box::new(inner.unwrap_or_else(|| bad(json.span)))))
    }

    fn age(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let test = fields.take("age").and_then(|test| self.number_test(test));
        let months = fields.take("unit").map(|unit| self.one_of(unit, "a unit of age", &[("month", ())]));
        let unit = match months {
            None => Some(AgeUnit::Years),
            Some(found) => found.map(|()| AgeUnit::Months),
        };
        let on = match fields.take("on").map(|on| self.value(on)) {
            Some(None) => return None,
            on => on.flatten(),
        };
        Some(ExprKind::Age { unit: unit?, on, test: test? })
    }

    fn share(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let json = fields.take("share")?;
        let test = self.deeper(json.span, |reader| reader.criteria(json));
        let selector = fields.need(self, "of").and_then(|of| self.selector(of));
        let cmp = self.sign(fields);
        let percent = fields.need(self, "percent").and_then(|percent| self.number(percent, "a percentage"));
        let at_least = match fields.take("with_at_least").map(|least| self.number(least, "how many")) {
            Some(None) => return None,
            least => least.flatten(),
        };
        Some(ExprKind::Share {
            open: json.span.start + 1,
            test: Box::new(test?),
            selector: selector?,
            cmp: cmp?,
            percent: percent?,
            at_least,
        })
    }

    fn near(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let mut far = fields.take("location_within").and_then(|far| self.object(far, "a distance"))?;
        let distance = far.need(self, "count").and_then(|count| self.number(count, "a distance"));
        let unit = far.need(self, "unit").and_then(|unit| self.one_of(unit, "a unit of length", &LENGTHS));
        far.finish(self);
        let mut of = fields.need(self, "of").and_then(|of| self.object(of, "a place"))?;
        let centre = if of.first_of(&["zip"]).is_some() {
            of.take("zip").and_then(|zip| self.text(zip, "a ZIP code")).map(Centre::Zip)
        } else {
            let north = of.need(self, "latitude").and_then(|north| self.number(north, "degrees"));
            let east = of.need(self, "longitude").and_then(|east| self.number(east, "degrees"));
            north.zip(east).map(|(north, east)| Centre::Point { north, east })
        };
        of.finish(self);
        Some(ExprKind::Near { distance: distance?, unit: unit?, centre: centre? })
    }

    fn anniversary(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let field = fields.take("anniversary").and_then(|field| self.name(field, "a field"));
        let window = fields.need(self, "window").and_then(|window| self.window(window));
        Some(ExprKind::Anniversary { field: field?, window: window? })
    }

    fn attribute(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let field = fields.take("field").and_then(|field| self.bare_name(field, "a field"));
        let test = fields.need(self, "test").and_then(|test| self.test(test));
        Some(ExprKind::Attribute { field: field?, test: test? })
    }

    fn constant(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let words = [("everyone", true), ("nobody", false)];
        let word = fields.take("constant")?;
        let all = self.one_of(word, "everyone or nobody", &words)?;
        Some(if all { ExprKind::Everyone } else { ExprKind::Nobody })
    }

    fn parts(&mut self, fields: &mut Fields<'_>, name: &'static str) -> Option<Vec<Expr>> {
        let list = fields.take(name)?;
        let list = self.list(list, "criteria that are joined", 2)?;
        Some(list.iter().map(|part| self.part(part)).collect())
    }

    fn several(&mut self, fields: &mut Fields<'_>, quantity: Quantity) -> Option<ExprKind> {
        let number = fields.take(quantity_name(quantity)).and_then(|number| self.number(number, "how many"));
        let list = fields.need(self, "of")?;
        let parts = self.list(list, "criteria that are counted", 1);
        let parts = parts.map(|parts| {
            self.deeper(list.span, |reader| {
                parts.iter().map(|part| reader.criteria(part)).collect::<Vec<_>>()
            })
        });
        Some(ExprKind::Of { quantity, number: number?, open: list.span.start + 1, parts: parts?? })
    }

    /// The criteria of `where`: each is reported by itself, all must hold.
    pub(super) fn conjuncts(&mut self, json: &Json) -> Option<Expr> {
        let list = self.list(json, "the criteria of a segment", 1)?;
        let kind = if let [only] = list {
            // Alone, a conjunction would be taken apart.
            let whole = only.members().iter().any(|member| member.name.text == "and");
            return Some(if whole { self.part(only) } else { self.criteria(only) });
        } else {
            ExprKind::And(list.iter().map(|part| self.part(part)).collect())
        };
        Some(Expr { kind, span: json.span })
    }
}

fn in_parentheses(inner: Expr) -> Expr {
    let span = inner.span;
    match inner.kind {
        ExprKind::Bad => inner,
        _ => Expr { kind: ExprKind::Group(Box::new(inner)), span },
    }
}

/// The criteria of `where` as JSON.
pub(super) fn conjuncts_of(expr: &Expr) -> Json {
    match &expr.kind {
        ExprKind::And(parts) => list_of(parts),
        _ => Json::list([criteria_of(expr)]),
    }
}

/// The name of a define that stands in for something else is reported by whoever reads the text again.
pub(super) fn report_doubtful(reader: &mut Reader) {
    let doubtful = std::mem::take(&mut reader.doubtful);
    let Some(first) = doubtful.first() else {
        let nowhere = Span { start: 0, end: 0 };
        reader.wrong(&codes::JSON_NAME, nowhere, "this cannot be written in the text form");
        return;
    };
    let message = format!("`{}` is a word of the language and cannot stand here", first.name);
    reader.wrong(&codes::JSON_NAME, first.span, message);
}
