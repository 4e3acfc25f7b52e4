//! Segments and worlds as text: what a disagreement is shown in, and what can be read again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use hyperseg_dsl::schema::{Field, FieldType, Schema};
use hyperseg_dsl::segment::{
    AgeUnit, Amount, Anchor, Asks, Cmp, CodeSet, ContactTest, Counted, Criteria, Duration, DurationUnit,
    Event, FieldTest, Filter, Link, Logic, NumberTest, Operand, Reference, Relation, Sample, Segment,
    Selector, Sequence, Shift, Size, Start, Test, TextOp, Window,
};
use hyperseg_dsl::semantics::select_all;
use hyperseg_dsl::value::Value;

use super::{CONTACTS, World, rows};
use crate::cases::Reason;

/// The text of a segment: declarations of its parameters and value sets, then the segment.
#[must_use]
pub fn to_text(segment: &Segment) -> String {
    let mut printer = Printer::default();
    let criteria: Vec<String> = segment.criteria.iter().map(|it| printer.inner(&it.test)).collect();
    let exclude = segment.exclude.as_ref().map(|it| printer.criteria(&it.test));
    let by = segment.limit.as_ref().and_then(|limit| limit.by.as_ref());
    let by = by.map(|order| format!(" by {} {}", printer.amount(&order.amount), order.direction.word()));
    // Alone, a disjunction needs no parentheses.
    let alone = match segment.criteria.as_slice() {
        [only] => Some(printer.criteria(&only.test)),
        _ => None,
    };
    let mut text = String::new();
    for (name, set) in &printer.sets {
        let _ = writeln!(text, "valueset {name} = {set}");
    }
    for param in &segment.params {
        let _ = write!(text, "param {}: {}", param.name, type_name(param.ty));
        if let Some(default) = &param.default {
            let _ = write!(text, " = {}", literal(default));
        }
        text.push('\n');
    }
    for (number, stage) in &printer.stages {
        let _ = writeln!(text, "stage stage{number} = {stage}");
    }
    for (name, target) in &printer.targets {
        let _ = writeln!(text, "segment {name}\n  {target}");
    }
    let _ = write!(text, "segment {}", segment.name);
    if let Some(title) = &segment.title {
        let _ = write!(text, " {}", quoted(title));
    }
    if let Some(purpose) = segment.purpose {
        let _ = write!(text, "\n  purpose {purpose}");
    }
    if let Some(channel) = segment.channel {
        let _ = write!(text, "\n  channel {channel}");
    }
    let criteria = alone.unwrap_or_else(|| criteria.join("\n    and "));
    let _ = write!(text, "\n  where {criteria}");
    if let Some(exclude) = exclude {
        let _ = write!(text, "\n  exclude {exclude}");
    }
    if !segment.output.is_empty() {
        let _ = write!(text, "\n  output {}", segment.output.join(", "));
    }
    if let Some(cap) = &segment.cap {
        let _ = write!(text, "\n  cap {} per {}", cap.count, duration(cap.per));
    }
    if let Some(one_per) = &segment.one_per {
        let _ = write!(text, "\n  one per {}", one_per.field);
    }
    if let Some(limit) = &segment.limit {
        let _ = write!(text, "\n  limit {}{}", limit.count, by.unwrap_or_default());
    }
    if let Some(of) = &segment.sample {
        let _ = write!(text, "\n  {}", sample(of));
    }
    // A holdout of the same seed may stand in the split.
    let mut holdout = segment.holdout.as_ref();
    if let Some(split) = &segment.split {
        let percent = |millis: u32| f64::from(millis) / 1_000.0;
        let mut parts: Vec<String> =
            split.arms.iter().map(|arm| format!("{} {}%", arm.name, percent(arm.percent_millis))).collect();
        if let Some(own) = holdout.take_if(|holdout| holdout.seed == split.seed) {
            parts.push(format!("holdout {}%", percent(own.percent_millis)));
        }
        let _ = write!(text, "\n  split {} seed {}", parts.join(", "), quoted(&split.seed));
    }
    if let Some(holdout) = holdout {
        let percent = f64::from(holdout.percent_millis) / 1_000.0;
        let _ = write!(text, "\n  holdout {percent}% seed {}", quoted(&holdout.seed));
    }
    text.push('\n');
    text
}

/// The text of criteria. Value sets are referred to by names that are declared nowhere.
#[must_use]
pub fn criteria_text(criteria: &Criteria) -> String {
    Printer::default().criteria(criteria)
}

#[derive(Default)]
struct Printer {
    /// Value sets by name, for sets that a list cannot say.
    sets: BTreeMap<String, String>,
    /// Clauses of segments that are referred to, by name.
    targets: BTreeMap<String, String>,
    /// Criteria of stages by place: up to those that are referred to.
    stages: BTreeMap<usize, String>,
}

impl Printer {
    fn criteria(&mut self, criteria: &Criteria) -> String {
        self.logic(criteria, &|printer, test| printer.contact_test(test))
    }

    /// In parentheses where something stands around it.
    fn inner(&mut self, criteria: &Criteria) -> String {
        self.part(criteria, &|printer, test| printer.contact_test(test))
    }

    fn filter(&mut self, filter: &Filter) -> String {
        self.logic(filter, &|printer, test| format!("{} {}", test.field, printer.field_test(test)))
    }

    fn logic<L>(&mut self, logic: &Logic<L>, leaf: &dyn Fn(&mut Self, &L) -> String) -> String {
        match logic {
            Logic::True => "everyone".to_owned(),
            Logic::False => "nobody".to_owned(),
            Logic::And(parts) => {
                parts.iter().map(|part| self.part(part, leaf)).collect::<Vec<_>>().join(" and ")
            }
            Logic::Or(parts) => {
                parts.iter().map(|part| self.part(part, leaf)).collect::<Vec<_>>().join(" or ")
            }
            Logic::Of { quantity, number, parts } => {
                let parts: Vec<String> = parts.iter().map(|part| self.logic(part, leaf)).collect();
                format!("{} {number} of ({})", quantity.words(), parts.join(", "))
            }
            Logic::Not(inner) => format!("not {}", self.part(inner, leaf)),
            Logic::Leaf(test) => leaf(self, test),
        }
    }

    fn part<L>(&mut self, logic: &Logic<L>, leaf: &dyn Fn(&mut Self, &L) -> String) -> String {
        let text = self.logic(logic, leaf);
        match logic {
            Logic::And(_) | Logic::Or(_) | Logic::Not(_) => format!("({text})"),
            Logic::True | Logic::False | Logic::Of { .. } | Logic::Leaf(_) => text,
        }
    }

    fn contact_test(&mut self, test: &ContactTest) -> String {
        match test {
            ContactTest::Field(test) => format!("{} {}", test.field, self.field_test(test)),
            ContactTest::Age { unit, on, test } => {
                let unit = if *unit == AgeUnit::Months { " in months" } else { "" };
                let on = on.as_ref().map(|on| format!(" on {}", anchor(on))).unwrap_or_default();
                format!("age{unit}{on} {}", number_test(test))
            }
            ContactTest::Near(near) => {
                let number = near.distance.to_string();
                let centre = match &near.zip {
                    Some(zip) => format!("zip \"{zip}\""),
                    None => format!("point({}, {})", near.north, near.east),
                };
                format!("location within {number} {} of {centre}", near.unit.word(&number))
            }
            ContactTest::Turns { age, window } => format!("turns {age} {}", window_text(window)),
            ContactTest::Anniversary { field, window } => {
                format!("{field} anniversary {}", window_text(window))
            }
            ContactTest::History(history) => super::history::text(history),
            ContactTest::Has(selector) => format!("has {}", self.selector(selector)),
            ContactTest::Count { counted, selector, test } => {
                format!("count({}) {}", self.counted(counted, selector), number_test(test))
            }
            ContactTest::Aggregate { function, selector, field, unit, test, .. } => {
                let test = number_test_in(test, unit.as_deref());
                format!("{}({}) {test}", function.name(), self.field_of(selector, field))
            }
            ContactTest::Observed { selector, .. } => {
                format!("has {} while observed", self.selector(selector))
            }
            ContactTest::DaysCovered { selector, window, cmp, percent_millis } => {
                let percent = f64::from(*percent_millis) / 1_000.0;
                let selector = self.selector(selector);
                format!("days covered({selector}) {} {} {percent}%", window_text(window), sign(*cmp))
            }
            ContactTest::Continuous { selector, gap, length } => {
                let selector = self.selector(selector);
                format!("continuous {selector} gap {} for {}", duration(*gap), duration(*length))
            }
            ContactTest::One { which, selector, tie, test } => {
                let tie = tie.map(|tie| format!(" {}", tie.word())).unwrap_or_default();
                let (which, selector) = (which.word(), self.selector(selector));
                match test {
                    Logic::Leaf(test) => {
                        format!("{which} {selector}{tie} .{} {}", test.field, self.field_test(test))
                    }
                    other => format!("{which} {selector} has ({})", self.filter(other)),
                }
            }
            ContactTest::Rank(rank) => {
                let size = match rank.size {
                    Size::Number(number) => number.to_string(),
                    Size::PercentMillis(millis) => format!("{}%", f64::from(millis) / 1_000.0),
                };
                let among = rank.among.as_ref().map(|among| format!(" among ({})", self.criteria(among)));
                let amount = self.amount(&rank.amount);
                format!("{} {size} by {amount}{}", rank.end.word(), among.unwrap_or_default())
            }
            ContactTest::Sample(of) => sample(of),
            ContactTest::Sequence(sequence) => self.sequence(sequence),
            ContactTest::Share { selector, test, cmp, percent_millis, at_least } => {
                let percent = f64::from(*percent_millis) / 1_000.0;
                let least = at_least.map(|number| format!(" with at least {number}")).unwrap_or_default();
                let (test, selector) = (self.filter(test), self.selector(selector));
                format!("share({test} of {selector}) {} {percent}%{least}", sign(*cmp))
            }
            ContactTest::Reference(reference) => self.reference(reference),
            ContactTest::Household(household) => {
                let which = if household.all { "all" } else { "any" };
                format!("{which} member of household ({})", self.criteria(&household.test))
            }
        }
    }

    fn reference(&mut self, of: &Reference) -> String {
        if of.asks == Asks::InStage {
            for (place, stage) in of.without.iter().chain([&of.test]).enumerate() {
                let stage = self.criteria(stage);
                self.stages.insert(place + 1, stage);
            }
            return format!("in stage {}", of.name);
        }
        let mut clauses = format!("where {}", self.criteria(&of.test));
        for criteria in &of.without {
            let _ = write!(clauses, "\n  exclude {}", self.criteria(criteria));
        }
        self.targets.insert(of.name.clone(), clauses);
        match &of.asks {
            Asks::InSegment | Asks::InStage => format!("in segment {}", of.name),
            Asks::Entered(window) => format!("entered segment {} {}", of.name, window_text(window)),
        }
    }

    /// A number that contacts are ordered by.
    fn amount(&mut self, of: &Amount) -> String {
        match of {
            Amount::Field { field, .. } => field.clone(),
            Amount::Age(AgeUnit::Years) => "age".to_owned(),
            Amount::Age(AgeUnit::Months) => "age in months".to_owned(),
            Amount::Count { counted, selector } => format!("count({})", self.counted(counted, selector)),
            Amount::Aggregate { function, selector, field, unit, .. } => {
                format!("{}({}){}", function.name(), self.field_of(selector, field), in_unit(unit))
            }
            Amount::One { which, selector, field, unit, .. } => {
                format!("{} {} .{field}{}", which.word(), self.selector(selector), in_unit(unit))
            }
        }
    }

    fn counted(&mut self, counted: &Counted, selector: &Selector) -> String {
        match counted {
            Counted::Records => self.selector(selector),
            Counted::Days => format!("days of {}", self.selector(selector)),
            Counted::Distinct { field, .. } => format!("distinct {}", self.field_of(selector, field)),
        }
    }

    fn sequence(&mut self, of: &Sequence) -> String {
        if let [link] = of.links.as_slice()
            && let Some(side) = match link.relation {
                Relation::Before => Some("before"),
                Relation::Around => Some("around"),
                Relation::Then { .. } | Relation::NotFollowed { .. } => None,
            }
        {
            let same = same_text(link, &of.first);
            let near = self.selector(&link.event.selector);
            return format!("{near}{same} within {} {side} {}", duration(link.within), self.event(&of.first));
        }
        let mut text = self.event(&of.first);
        let mut from = &of.first;
        for link in &of.links {
            let same = same_text(link, from);
            let event = self.selector(&link.event.selector);
            let (start, end) = match link.relation {
                Relation::NotFollowed { or_open } => {
                    ("not followed by", if or_open { " or still open" } else { "" })
                }
                Relation::Then { .. } | Relation::Before | Relation::Around => ("then", ""),
            };
            let _ = write!(text, " {start} {event}{same}{}", clock_text(&link.event));
            if let Relation::Then { after: Some(after) } = link.relation {
                let _ = write!(text, " after {}", duration(after));
            }
            let _ = write!(text, " within {}{end}", duration(link.within));
            if let Relation::Then { .. } = link.relation {
                from = &link.event;
            }
        }
        text
    }

    fn event(&mut self, event: &Event) -> String {
        format!("{}{}", self.selector(&event.selector), clock_text(event))
    }

    fn selector(&mut self, selector: &Selector) -> String {
        self.records(selector.record.clone(), selector)
    }

    /// A field of the records that a selector takes.
    fn field_of(&mut self, selector: &Selector, field: &str) -> String {
        self.records(format!("{}.{field}", selector.record), selector)
    }

    fn records(&mut self, mut text: String, selector: &Selector) -> String {
        match &selector.filter {
            Logic::True => {}
            filter => {
                let _ = write!(text, "({})", self.filter(filter));
            }
        }
        for window in &selector.windows {
            let _ = write!(text, " {}", window_text(window));
        }
        if selector.active {
            text.push_str(" active");
        }
        text
    }

    fn field_test(&mut self, test: &FieldTest) -> String {
        match &test.test {
            Test::Compare(cmp, value) => format!("{} {}", sign(*cmp), operand(value)),
            Test::CompareField(cmp, other) => format!("{} {}", sign(*cmp), other.field),
            Test::In(values) => format!("in ({})", list(values)),
            Test::Between(low, high) => format!("between {} and {}", operand(low), operand(high)),
            Test::Measured { unit, test } => number_test_in(test, Some(unit)),
            Test::Text(op, value) => {
                let op = match op {
                    TextOp::Contains => "contains",
                    TextOp::StartsWith => "starts with",
                    TextOp::EndsWith => "ends with",
                    TextOp::Matches => "matches",
                };
                format!("{op} {}", operand(value))
            }
            Test::Codes(set) => self.codes(set),
            Test::List(how, values) => format!("has {} of ({})", how.word(), list(values)),
            Test::Window(window) => window_text(window),
            Test::Known => "is known".to_owned(),
            Test::Missing => "is missing".to_owned(),
        }
    }

    fn codes(&mut self, set: &CodeSet) -> String {
        let mut only = set.include.iter();
        if let (Some(one), None, true) = (only.next(), only.next(), set.exclude.is_empty()) {
            let word = if one.under { "under" } else { "=" };
            return format!("{word} {}:{}", one.code.system, quoted(&one.code.code));
        }
        let mut text = String::new();
        for (mark, patterns) in [(" + ", &set.include), (" - ", &set.exclude)] {
            for pattern in patterns {
                if !text.is_empty() {
                    text.push_str(mark);
                }
                let under = if pattern.under { "under " } else { "" };
                let _ = write!(text, "{} {{ {under}{} }}", pattern.code.system, quoted(&pattern.code.code));
            }
        }
        let known = self.sets.iter().find(|(_, other)| **other == text).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| format!("set{}", self.sets.len() + 1));
        self.sets.insert(name.clone(), text);
        format!("in @{name}")
    }
}

fn sample(of: &Sample) -> String {
    format!("sample {}% seed {}", f64::from(of.percent_millis) / 1_000.0, quoted(&of.seed))
}

fn same_text(link: &Link, from: &Event) -> String {
    let of = &from.selector.record;
    link.same.iter().map(|same| format!(" same {} as {of}", same.field)).collect()
}

fn clock_text(event: &Event) -> String {
    event.clock.as_ref().map(|field| format!(".{field}")).unwrap_or_default()
}

fn number_test(test: &NumberTest) -> String {
    number_test_in(test, None)
}

/// With a unit behind every number.
fn number_test_in(test: &NumberTest, unit: Option<&str>) -> String {
    let behind = unit.map(|unit| format!(" {}", quoted(unit))).unwrap_or_default();
    let operand = |value| format!("{}{behind}", operand(value));
    match test {
        NumberTest::Compare(cmp, value) => format!("{} {}", sign(*cmp), operand(value)),
        NumberTest::Range(low, high) => format!("in {}..{}", operand(low), operand(high)),
        NumberTest::In(values) => {
            let values: Vec<String> = values.iter().map(operand).collect();
            format!("in ({})", values.join(", "))
        }
    }
}

pub(super) fn window_text(window: &Window) -> String {
    match window {
        Window::InLast(span) => format!("in last {}", duration(*span)),
        Window::InNext(span) => format!("in next {}", duration(*span)),
        Window::MoreThanAgo(span) => format!("more than {} ago", duration(*span)),
        Window::BetweenAgo(near, far) => format!("between {} and {} ago", duration(*near), duration(*far)),
        Window::Since(day) => format!("since {}", anchor(day)),
        Window::Before(day) => format!("before {}", anchor(day)),
        Window::After(day) => format!("after {}", anchor(day)),
        Window::On(day) => format!("on {}", anchor(day)),
        Window::Between(low, high) => format!("between {} and {}", anchor(low), anchor(high)),
        Window::Calendar(turn, period) => format!("{} {}", turn.word(), period.word()),
    }
}

fn anchor(of: &Anchor) -> String {
    let start = match &of.start {
        Start::Date(date) => operand(date),
        Start::AsOf => "as_of".to_owned(),
        Start::Field(name) => name.clone(),
    };
    let shift = |shift: &Shift| format!(" {} {}", if shift.back { "-" } else { "+" }, duration(shift.length));
    format!("{start}{}", of.shifts.iter().map(shift).collect::<String>())
}

fn duration(span: Duration) -> String {
    let unit = match span.unit {
        DurationUnit::Minute => "minute",
        DurationUnit::Hour => "hour",
        DurationUnit::Day => "day",
        DurationUnit::Week => "week",
        DurationUnit::Month => "month",
        DurationUnit::Quarter => "quarter",
        DurationUnit::Year => "year",
    };
    let plural = if span.count == 1 { "" } else { "s" };
    format!("{} {unit}{plural}", span.count)
}

fn sign(cmp: Cmp) -> &'static str {
    match cmp {
        Cmp::Eq => "=",
        Cmp::Ne => "!=",
        Cmp::Lt => "<",
        Cmp::Le => "<=",
        Cmp::Gt => ">",
        Cmp::Ge => ">=",
    }
}

fn list(values: &[Operand]) -> String {
    values.iter().map(operand).collect::<Vec<_>>().join(", ")
}

pub(super) fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Param(name) => format!("${name}"),
        Operand::Literal(value) => literal(value),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Category(name) if !name.chars().all(|c| c.is_alphanumeric() || c == '_') => quoted(name),
        Value::Code(code) => format!("{}:{}", code.system, quoted(&code.code)),
        Value::Category(_)
        | Value::Int(_)
        | Value::Number(_)
        | Value::Money(_)
        | Value::Bool(_)
        | Value::Date(_)
        | Value::Partial(_)
        | Value::Time(_)
        | Value::Categories(_)
        | Value::Point(_, _) => Field::render(value),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn type_name(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Int => "int",
        FieldType::Number => "number",
        FieldType::Money => "money",
        FieldType::Bool => "bool",
        FieldType::Date => "date",
        FieldType::Text
        | FieldType::Category
        | FieldType::Time
        | FieldType::Code
        | FieldType::Categories
        | FieldType::Point => "text",
    }
}

/// An instant as it is read again.
pub(super) fn instant(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
        .to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A file for the case corpus, with what the reference says.
#[must_use]
pub fn to_case(world: &World, segment: &Segment) -> String {
    let mut text = format!("# {}\n\nFound by chance.\n\n", segment.name);
    for (table, rows) in rows(world) {
        let head = if table == CONTACTS { "contacts".to_owned() } else { format!("records {table}") };
        let _ = write!(text, "```{head}\n{}```\n\n", csv_text(&rows));
    }
    let _ = write!(text, "{}", super::history::block(world));
    let zone = world.clock.zone.name();
    let _ = write!(text, "```as-of\n{}[{zone}]\n```\n\n", instant(world.clock.as_of_micros));
    let _ = write!(text, "```now\n{}\n```\n\n", instant(world.now_micros));
    let source = to_text(segment);
    if source.contains("location within") {
        let lines = super::lookups().places.map(|places| places.document().to_owned());
        let _ = write!(text, "```zip\n{}```\n\n", lines.unwrap_or_default());
    }
    let _ = write!(text, "```segment\n{source}```\n");
    let schema = Schema::built_in();
    let Ok(bound) = segment.bind(&BTreeMap::new()) else { return text };
    let mut recipients = BTreeSet::new();
    let mut why_not = BTreeMap::new();
    let verdicts = select_all(&bound, &world.contacts, &schema, &world.clock, world.now_micros);
    for (contact, verdict) in world.contacts.iter().zip(verdicts) {
        match Reason::of(&verdict) {
            None => {
                recipients.insert(contact.id());
            }
            Some(reason) => {
                why_not.insert(contact.id(), reason);
            }
        }
    }
    text.push_str("\n```recipients\n");
    recipients.iter().for_each(|id| {
        let _ = writeln!(text, "{id}");
    });
    text.push_str("```\n\n```why-not\n");
    why_not.iter().for_each(|(id, reason)| {
        let _ = writeln!(text, "{id} {}", reason.name());
    });
    text.push_str("```\n");
    text
}

fn csv_text(rows: &[BTreeMap<String, Value>]) -> String {
    let names: BTreeSet<&String> = rows.iter().flat_map(BTreeMap::keys).collect();
    // Writing to memory does not fail, and fields are text.
    let mut writer = csv::Writer::from_writer(Vec::new());
    let _ = writer.write_record(&names);
    for row in rows {
        let cell = |name: &&String| row.get(*name).map(Field::render).unwrap_or_default();
        let _ = writer.write_record(names.iter().map(cell));
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// The unit behind a number.
fn in_unit(unit: &Option<String>) -> String {
    unit.as_ref().map(|unit| format!(" {unit:?}")).unwrap_or_default()
}
