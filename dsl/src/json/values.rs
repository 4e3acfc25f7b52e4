//! Values, sets, lengths of time and windows.

use super::fields::{Fields, Reader};
use super::tree::{Json, Node};
use crate::ast::{Amount, Duration, Set, Shift, Value, ValueKind, Window, WindowKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::parse::{COUNT_MAX, SHIFTS_MAX};
use crate::segment::{DurationUnit, Period, Turn};
use crate::value::parse_day;

const UNITS: [(&str, DurationUnit); 7] = [
    ("minute", DurationUnit::Minute),
    ("hour", DurationUnit::Hour),
    ("day", DurationUnit::Day),
    ("week", DurationUnit::Week),
    ("month", DurationUnit::Month),
    ("quarter", DurationUnit::Quarter),
    ("year", DurationUnit::Year),
];

/// The word for the day of the run.
pub(super) const AS_OF: &str = "as_of";

/// A number without zeros in front, which JSON does not have.
pub(super) fn number_of(text: &str) -> Json {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let rest = digits.trim_start_matches('0');
    let zero = if rest.is_empty() || rest.starts_with('.') { "0" } else { "" };
    Node::Number(format!("{sign}{zero}{rest}")).into()
}

/// A value as JSON.
pub(super) fn value_of(value: &Value) -> Json {
    match &value.kind {
        ValueKind::Text(text) => Json::text(text),
        ValueKind::Number(text) => number_of(text),
        ValueKind::Date(day) => Json::object([("date", Json::text(&day.to_string()))]),
        ValueKind::Word(word) if word == "true" => Node::Bool(true).into(),
        ValueKind::Word(word) if word == "false" => Node::Bool(false).into(),
        ValueKind::Word(word) | ValueKind::Category(word) => Json::object([("category", Json::text(word))]),
        ValueKind::Name(word) if word == AS_OF => Json::object([("day", Json::text(word))]),
        ValueKind::Name(word) => Json::object([("field", Json::text(word))]),
        ValueKind::Shifted { from, shifts } => {
            let by = shifts.iter().map(|shift| {
                let name = if shift.back { "minus" } else { "plus" };
                Json::object([(name, duration_of(&shift.length))])
            });
            Json::object([("shifted", value_of(from)), ("by", Json::list(by))])
        }
        ValueKind::Code { system, code, under } => Json::object([
            ("system", Json::text(&system.name)),
            (if *under { "under" } else { "code" }, Json::text(&code.text)),
        ]),
        ValueKind::Param(name) => Json::object([("param", Json::text(name))]),
        ValueKind::Quantity { amount, unit } => Json::object([
            ("quantity", value_of(&amount.value(value.span))),
            ("unit", Json::text(&unit.text)),
        ]),
        // Only in texts that do not compile.
        ValueKind::Bad => Node::Null.into(),
    }
}

/// A set as JSON.
pub(super) fn set_of(set: &Set) -> Json {
    match set {
        Set::List { values, .. } => Json::object([("values", Json::list(values.iter().map(value_of)))]),
        Set::Range(low, high) => Json::object(bounds_of(low, high)),
        Set::Ref(name) => Json::object([("valueset", Json::text(&name.name))]),
        Set::File(file) => Json::object([("file", Json::text(&file.text))]),
    }
}

/// Two ends as fields.
pub(super) fn bounds_of(low: &Value, high: &Value) -> [(&'static str, Json); 2] {
    [("from", value_of(low)), ("to", value_of(high))]
}

pub(super) fn duration_of(length: &Duration) -> Json {
    let unit = UNITS.iter().find(|(_, unit)| *unit == length.unit).map_or("day", |(word, _)| *word);
    Json::object([("count", number_of(&length.count.to_string())), ("unit", Json::text(unit))])
}

/// A window as JSON.
pub(super) fn window_of(window: &Window) -> Json {
    let (name, inside) = match &window.kind {
        WindowKind::InLast(length) => ("in_last", duration_of(length)),
        WindowKind::InNext(length) => ("in_next", duration_of(length)),
        WindowKind::MoreThanAgo(length) => ("more_than_ago", duration_of(length)),
        WindowKind::BetweenAgo(near, far) => {
            ("between_ago", Json::object([("from", duration_of(near)), ("to", duration_of(far))]))
        }
        WindowKind::Since(date) => ("since", value_of(date)),
        WindowKind::Before(date) => ("before", value_of(date)),
        WindowKind::After(date) => ("after", value_of(date)),
        WindowKind::On(date) => ("on", value_of(date)),
        WindowKind::Between(low, high) => ("between", Json::object(bounds_of(low, high))),
        WindowKind::FromTo(low, high) => ("from_to", Json::object(bounds_of(low, high))),
        WindowKind::Calendar(turn, period) => (turn.word(), Json::text(period.word())),
    };
    Json::object([(name, inside)])
}

/// Every kind of window.
const WINDOWS: [&str; 13] = [
    "in_last",
    "in_next",
    "more_than_ago",
    "between_ago",
    "since",
    "before",
    "after",
    "on",
    "between",
    "from_to",
    "this",
    "last",
    "next",
];

const VALUES: [&str; 9] =
    ["category", "field", "date", "day", "shifted", "system", "param", "quantity", "code"];

impl Reader {
    /// A value: string, number, truth value, or an object that says what it is.
    pub(super) fn value(&mut self, json: &Json) -> Option<Value> {
        let kind = match &json.node {
            Node::Text(text) => ValueKind::Text(text.clone()),
            Node::Number(_) => ValueKind::Number(self.number(json, "a value")?.text),
            Node::Bool(truth) => ValueKind::Word(truth.to_string()),
            Node::Null | Node::List(_) | Node::Object(_) => self.special_value(json)?,
        };
        Some(Value { kind, span: json.span })
    }

    fn special_value(&mut self, json: &Json) -> Option<ValueKind> {
        let mut fields = self.object(json, "a value")?;
        let kind = match fields.first_of(&VALUES) {
            Some("category") => {
                let word = fields.take("category").and_then(|word| self.name(word, "a category"));
                match word {
                    Some(word) if word.name == "true" || word.name == "false" => {
                        let message = format!("`{}` is a truth value, not a category", word.name);
                        let finding = Diagnostic::new(&codes::JSON_SHAPE, json.span, message);
                        self.report(finding.help(format!("write {} without an object", word.name)));
                        None
                    }
                    word => word.map(|word| ValueKind::Category(word.name)),
                }
            }
            Some("field") => {
                let name = fields.take("field").and_then(|name| self.name(name, "a field"));
                match name {
                    Some(name) if ["true", "false", AS_OF].contains(&name.name.as_str()) => {
                        let message = format!("`{}` is no field", name.name);
                        let finding = Diagnostic::new(&codes::JSON_SHAPE, json.span, message);
                        let day = (name.name == AS_OF).then(|| "write {\"day\": \"as_of\"}".to_owned());
                        self.report(finding.help_opt(day));
                        None
                    }
                    name => name.map(|name| ValueKind::Name(name.name)),
                }
            }
            Some("day") => {
                let word = fields.take("day").and_then(|day| self.one_of(day, "a day", &[(AS_OF, ())]));
                word.map(|()| ValueKind::Name(AS_OF.to_owned()))
            }
            Some("shifted") => self.shifted(&mut fields),
            Some("date") => fields.take("date").and_then(|date| self.date(date)),
            Some("param") => {
                let name = fields.take("param").and_then(|name| self.marked_name(name, "a parameter"));
                name.map(|name| ValueKind::Param(name.name))
            }
            Some("quantity") => self.quantity(&mut fields),
            Some(_) => self.code(&mut fields),
            None => {
                fields.nothing_of(self, &VALUES);
                return None;
            }
        };
        fields.finish(self);
        kind
    }

    /// `shifted` and `by`.
    fn shifted(&mut self, fields: &mut Fields<'_>) -> Option<ValueKind> {
        let from = fields.take("shifted").and_then(|from| {
            let value = self.value(from)?;
            if let ValueKind::Shifted { .. } = value.kind {
                let finding = Diagnostic::new(&codes::JSON_SHAPE, from.span, "lengths stand in one list");
                self.report(finding.help("put all of them into `by`"));
                return None;
            }
            Some(value)
        });
        let by = fields.need(self, "by").and_then(|by| {
            let list = self.list(by, "lengths of time", 1)?;
            if list.len() > SHIFTS_MAX {
                let message = format!("more than {SHIFTS_MAX} lengths of time behind one date");
                self.wrong(&codes::OUT_OF_RANGE, by.span, message);
                return None;
            }
            let shifts: Vec<Option<Shift>> = list.iter().map(|shift| self.shift(shift)).collect();
            shifts.into_iter().collect::<Option<Vec<_>>>()
        });
        Some(ValueKind::Shifted { from: Box::new(from?), shifts: by? })
    }

    fn shift(&mut self, json: &Json) -> Option<Shift> {
        const SHIFTS: [&str; 2] = ["plus", "minus"];
        let mut fields = self.object(json, "what is added to a day")?;
        let Some(name) = fields.first_of(&SHIFTS) else {
            fields.nothing_of(self, &SHIFTS);
            return None;
        };
        let length = self.length(&mut fields, name);
        fields.finish(self);
        Some(Shift { back: name == "minus", length: length? })
    }

    fn date(&mut self, json: &Json) -> Option<ValueKind> {
        let text = self.text(json, "a date")?;
        let day = parse_day(&text.text);
        if day.is_none() {
            let message = format!("`{}` is not a date", crate::lex::short(&text.text).escape_debug());
            let finding = Diagnostic::new(&codes::BAD_DATE, json.span, message);
            self.report(finding.help("a day of the calendar, such as 2026-01-31"));
        }
        day.map(ValueKind::Date)
    }

    fn quantity(&mut self, fields: &mut Fields<'_>) -> Option<ValueKind> {
        let amount = fields.take("quantity");
        let unit = fields.need(self, "unit").and_then(|unit| self.text(unit, "a unit"));
        let amount = match &amount?.node {
            Node::Object(_) => {
                let mut inner = self.object(amount?, "a parameter")?;
                let name = inner.need(self, "param").and_then(|name| self.marked_name(name, "a parameter"));
                inner.finish(self);
                Amount::Param(name?.name)
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
                Amount::Number(self.number(amount?, "a quantity")?.text)
            }
        };
        Some(ValueKind::Quantity { amount, unit: unit? })
    }

    fn code(&mut self, fields: &mut Fields<'_>) -> Option<ValueKind> {
        let system = fields.need(self, "system").and_then(|system| self.name(system, "a code system"));
        let under = fields.first_of(&["under"]).is_some();
        let code = if under { fields.take("under") } else { fields.need(self, "code") };
        let code = code.and_then(|code| self.text(code, "a code"));
        Some(ValueKind::Code { system: system?, code: code?, under })
    }

    /// A value that must be there.
    pub(super) fn needed_value(&mut self, fields: &mut Fields<'_>, name: &'static str) -> Option<Value> {
        let json = fields.need(self, name)?;
        self.value(json)
    }

    /// `{"from": …, "to": …}`.
    pub(super) fn bounds(&mut self, json: &Json) -> Option<(Value, Value)> {
        let mut fields = self.object(json, "a range")?;
        let (low, high) = (self.needed_value(&mut fields, "from"), self.needed_value(&mut fields, "to"));
        fields.finish(self);
        low.zip(high)
    }

    /// A list, a range or a value set.
    pub(super) fn set(&mut self, json: &Json) -> Option<Set> {
        const SETS: [&str; 4] = ["values", "valueset", "file", "from"];
        let mut fields = self.object(json, "a set")?;
        let set = match fields.first_of(&SETS) {
            Some("values") => {
                let list = fields.take("values").and_then(|list| self.list(list, "a list", 1));
                let values = list.map(|list| list.iter().map(|item| self.value(item)).collect::<Vec<_>>());
                let values = values.and_then(|values| values.into_iter().collect::<Option<Vec<_>>>());
                values.map(|values| Set::List { open: fields.span.start + 1, values })
            }
            Some("valueset") => {
                let name = fields.take("valueset").and_then(|name| self.name(name, "a value set"));
                name.map(Set::Ref)
            }
            Some("file") => fields.take("file").and_then(|file| self.text(file, "a file")).map(Set::File),
            Some(_) => {
                let low = self.needed_value(&mut fields, "from");
                let high = self.needed_value(&mut fields, "to");
                low.zip(high).map(|(low, high)| Set::Range(low, high))
            }
            None => {
                fields.nothing_of(self, &SETS);
                return None;
            }
        };
        fields.finish(self);
        set
    }

    pub(super) fn duration(&mut self, json: &Json) -> Option<Duration> {
        let mut fields = self.object(json, "a length of time")?;
        let count = fields.need(self, "count").and_then(|count| self.count(count));
        let unit = fields.need(self, "unit").and_then(|unit| self.one_of(unit, "a unit of time", &UNITS));
        fields.finish(self);
        Some(Duration { count: count?, unit: unit?, span: json.span })
    }

    fn count(&mut self, json: &Json) -> Option<u32> {
        let number = self.number(json, "a number of units")?;
        let count = number.text.parse::<u32>().ok().filter(|count| *count <= COUNT_MAX);
        if count.is_none() {
            let short = crate::lex::short(&number.text);
            let message = format!("`{short}` is not a whole number from 0 to {COUNT_MAX}");
            self.wrong(&codes::OUT_OF_RANGE, json.span, message);
        }
        count
    }

    /// A window.
    pub(super) fn window(&mut self, json: &Json) -> Option<Window> {
        let mut fields = self.object(json, "a window")?;
        let kind = match fields.first_of(&WINDOWS) {
            Some("in_last") => self.length(&mut fields, "in_last").map(WindowKind::InLast),
            Some("in_next") => self.length(&mut fields, "in_next").map(WindowKind::InNext),
            Some("more_than_ago") => self.length(&mut fields, "more_than_ago").map(WindowKind::MoreThanAgo),
            Some("between_ago") => {
                let inside = fields.take("between_ago");
                let lengths = inside.and_then(|inside| self.object(inside, "a range of lengths"));
                lengths.and_then(|mut lengths| {
                    let near = self.length(&mut lengths, "from");
                    let far = self.length(&mut lengths, "to");
                    lengths.finish(self);
                    Some(WindowKind::BetweenAgo(near?, far?))
                })
            }
            Some("since") => self.needed_value(&mut fields, "since").map(WindowKind::Since),
            Some("before") => self.needed_value(&mut fields, "before").map(WindowKind::Before),
            Some("after") => self.needed_value(&mut fields, "after").map(WindowKind::After),
            Some("on") => self.needed_value(&mut fields, "on").map(WindowKind::On),
            Some("between") => {
                let bounds = fields.take("between").and_then(|bounds| self.bounds(bounds));
                bounds.map(|(low, high)| WindowKind::Between(low, high))
            }
            Some("from_to") => {
                let days = fields.take("from_to").and_then(|days| self.bounds(days));
                days.map(|(low, high)| WindowKind::FromTo(low, high))
            }
            Some("this") => self.period(&mut fields, "this", Turn::This),
            Some("last") => self.period(&mut fields, "last", Turn::Last),
            Some(_) => self.period(&mut fields, "next", Turn::Next),
            None => {
                fields.nothing_of(self, &WINDOWS);
                return None;
            }
        };
        fields.finish(self);
        kind.map(|kind| Window { kind, span: json.span })
    }

    fn period(&mut self, fields: &mut Fields<'_>, name: &'static str, turn: Turn) -> Option<WindowKind> {
        let words = Period::ALL.map(|period| (period.word(), period));
        let period = fields.take(name).and_then(|word| self.one_of(word, "a period of the calendar", &words));
        Some(WindowKind::Calendar(turn, period?))
    }

    fn length(&mut self, fields: &mut Fields<'_>, name: &'static str) -> Option<Duration> {
        let json = fields.need(self, name)?;
        self.duration(json)
    }
}
