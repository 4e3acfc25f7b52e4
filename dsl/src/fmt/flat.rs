//! Parts of the tree on one line, spelled the one canonical way.

use crate::ast::{
    AttributeTest, Centre, Clause, ClauseKind, Duration, Event, Expr, ExprKind, History, Measure, Members,
    Modifier, Number, NumberSet, OneTest, OrderBy, OrderKind, Param, Past, Portfolio, Reference, Selector,
    Sent, Set, Size, Stage, Step, StepKind, Text, Value, ValueKind, Valueset, ValuesetCode, ValuesetPart,
    ValuesetPartKind, Window, WindowKind,
};
use crate::lex::text::quote;
use crate::segment::{AgeUnit, Cmp, DurationUnit, End, Quantity, TextOp, Tie};

/// How long lists are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// With every value.
    Whole,
    /// Cut after a few values.
    Short,
}

/// Values of a list that is cut.
const SHOWN: usize = 8;

/// Criteria on one line. `Bad` parts, which only occur in texts that do not compile, are `…`.
pub(super) fn expr(expr: &Expr, lists: Lists) -> String {
    match &expr.kind {
        ExprKind::Or(parts) => joined(parts, " or ", lists),
        ExprKind::And(parts) => joined(parts, " and ", lists),
        ExprKind::Of { quantity, number, parts, .. } => {
            let head = of_head(*quantity, number);
            format!("{head}{})", joined(parts, ", ", lists))
        }
        ExprKind::Not(inner) => format!("not {}", self::expr(inner, lists)),
        ExprKind::Group(inner) => format!("({})", self::expr(inner, lists)),
        ExprKind::Everyone => "everyone".to_owned(),
        ExprKind::Nobody => "nobody".to_owned(),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Attribute { field, test } => format!("{} {}", field.name, attribute(test, lists)),
        ExprKind::Age { unit, on, test } => {
            format!("{} {}", age_head(*unit, on.as_ref()), number_set(test, lists))
        }
        ExprKind::Near { distance, unit, centre } => {
            let centre = match centre {
                Centre::Zip(zip) => format!("zip {}", quote(&zip.text)),
                Centre::Point { north, east } => format!("point({}, {})", north.text, east.text),
            };
            format!("location within {} {} of {centre}", distance.text, unit.word(&distance.text))
        }
        ExprKind::InList { file, by } => format!("in list {} by {}", quote(&file.text), by.name),
        ExprKind::Turns { age, window: at } => format!("turns {} {}", age.text, window(at)),
        ExprKind::Anniversary { field, window: at } => format!("{} anniversary {}", field.name, window(at)),
        ExprKind::History(of) => history(of),
        ExprKind::Has { negated, selector: of, observed } => {
            format!("{}{}{}", has_word(*negated), selector(of, lists), has_tail(*observed))
        }
        ExprKind::DaysCovered { selector: of, window, cmp, percent } => {
            format!("days covered({}){}", selector(of, lists), covered_tail(window, *cmp, percent))
        }
        ExprKind::Continuous { selector: of, gap, length } => {
            format!("continuous {}{}", selector(of, lists), continuous_tail(gap, length))
        }
        ExprKind::Measure { measure, selector: of, windows, test } => {
            format!("{}{}", measured(measure, of, lists), measure_tail(windows, test, lists))
        }
        ExprKind::One { which, selector: of, tie, test } => {
            format!("{} {}{}", which.word(), selector(of, lists), one_tail(*tie, test, lists))
        }
        ExprKind::Sequence { first, steps } => {
            let mut out = event(first, lists);
            for step in steps {
                out.push(' ');
                out.push_str(&self::step(step, lists));
            }
            out
        }
        ExprKind::Share { test, selector: of, cmp, percent, at_least, .. } => {
            let test = self::expr(test, lists);
            format!(
                "share({test} of {}){}",
                selector(of, lists),
                share_tail(*cmp, percent, at_least.as_ref())
            )
        }
        ExprKind::Rank { end, size, by, among } => {
            let among = among.as_ref().map(|among| format!("{})", self::expr(&among.expr, lists)));
            format!("{}{}", rank_head(*end, size, by, lists, among.is_some()), among.unwrap_or_default())
        }
        ExprKind::Sample { percent, seed } => sample(percent, seed),
        ExprKind::Reference(of) => reference(of),
        ExprKind::Household { which, test, .. } => {
            format!("{}{})", household_head(*which), self::expr(test, lists))
        }
        ExprKind::Bad => "…".to_owned(),
    }
}

/// A rank up to the criteria of those among whom it is, and their parenthesis.
pub(super) fn rank_head(end: End, size: &Size, by: &OrderBy, lists: Lists, among: bool) -> String {
    let size = match size {
        Size::Number(number) => number.text.clone(),
        Size::Percent(percent) => format!("{}%", percent.text),
    };
    let among = if among { " among (" } else { "" };
    format!("{} {size} by {}{among}", end.word(), amount(by, lists))
}

/// What stands in front of the criteria on a household.
pub(super) fn household_head(which: Members) -> String {
    format!("{} member of household (", which.word())
}

/// `sample 10% seed "text"`.
fn sample(percent: &Number, seed: &Text) -> String {
    format!("sample {}% seed {}", percent.text, quote(&seed.text))
}

/// A number that contacts are ordered by.
pub(super) fn amount(of: &OrderBy, lists: Lists) -> String {
    let number = match &of.kind {
        OrderKind::Field(field) => field.name.clone(),
        OrderKind::Age(unit) => age_head(*unit, None),
        OrderKind::Measure { measure, selector, windows } => {
            format!("{}{}", measured(measure, selector, lists), windows_tail(windows))
        }
        OrderKind::One { which, selector: of, field } => {
            format!("{} {}.{}", which.word(), selector(of, lists), field.name)
        }
    };
    match &of.unit {
        Some(unit) => format!("{number} {}", quote(&unit.text)),
        None => number,
    }
}

fn history(of: &History) -> String {
    let past = match &of.past {
        Past::Changed { from, to } => {
            let behind = |word: &str, it: &Option<Value>| {
                it.as_ref().map(|it| format!(" {word} {}", value(it))).unwrap_or_default()
            };
            format!("changed{}{}", behind("from", from), behind("to", to))
        }
        Past::Was(was) => format!("was {}", value(was)),
    };
    format!("{} {past} {}", of.field.name, window(&of.window))
}

fn reference(of: &Reference) -> String {
    match of {
        Reference::Segment(name) => format!("in segment {}", name.name),
        Reference::Stage(name) => format!("in stage {}", name.name),
        Reference::Entered { segment, window: at } => {
            format!("entered segment {} {}", segment.name, window(at))
        }
        Reference::Received { negated, sent, windows } => {
            let what = match sent {
                Sent::Segment(name) => format!("segment {}", name.name),
                Sent::Campaign(name) => format!("campaign {}", value(name)),
            };
            format!("{}received {what}{}", not(*negated), windows_tail(windows))
        }
    }
}

/// `count(selector)` and its like.
fn measured(measure: &Measure, of: &Selector, lists: Lists) -> String {
    let filter = of.filter.as_ref().map(|filter| format!("({})", expr(&filter.expr, lists)));
    format!("{}{}{})", measure_head(measure, of), filter.unwrap_or_default(), modifiers(of))
}

fn windows_tail(windows: &[Window]) -> String {
    windows.iter().map(|at| format!(" {}", window(at))).collect()
}

/// What follows `share(...)`.
pub(super) fn share_tail(op: Cmp, percent: &Number, at_least: Option<&Number>) -> String {
    let least = at_least.map(|number| format!(" with at least {}", number.text));
    format!(" {} {}%{}", cmp(op), percent.text, least.unwrap_or_default())
}

/// A step of a sequence.
pub(super) fn step(of: &Step, lists: Lists) -> String {
    format!("{}{}{}", step_head(of), event(&of.event, lists), step_tail(of))
}

/// What stands in front of the selector of a step.
pub(super) fn step_head(of: &Step) -> String {
    match of.kind {
        StepKind::Then { .. } => "then ".to_owned(),
        StepKind::NotFollowed { .. } => "not followed by ".to_owned(),
        StepKind::Near(side) => format!("within {} {} ", duration(&of.within), side.word()),
    }
}

/// What stands behind the event of a step.
pub(super) fn step_tail(of: &Step) -> String {
    match of.kind {
        StepKind::Then { after: None } => format!(" within {}", duration(&of.within)),
        StepKind::Then { after: Some(after) } => {
            format!(" after {} within {}", duration(&after), duration(&of.within))
        }
        StepKind::NotFollowed { or_open } => {
            let open = if or_open { " or still open" } else { "" };
            format!(" within {}{open}", duration(&of.within))
        }
        StepKind::Near(_) => String::new(),
    }
}

fn event(of: &Event, lists: Lists) -> String {
    format!("{}{}", selector(&of.selector, lists), clock(of))
}

/// The field at which the clock of an event starts.
pub(super) fn clock(of: &Event) -> String {
    of.clock.as_ref().map(|field| format!(".{}", field.name)).unwrap_or_default()
}

fn joined(parts: &[Expr], word: &str, lists: Lists) -> String {
    let parts: Vec<String> = parts.iter().map(|part| expr(part, lists)).collect();
    parts.join(word)
}

/// `age in months on date`.
pub(super) fn age_head(unit: AgeUnit, on: Option<&Value>) -> String {
    let unit = match unit {
        AgeUnit::Years => "",
        AgeUnit::Months => " in months",
    };
    let on = on.map(|day| format!(" on {}", value(day)));
    format!("age{unit}{}", on.unwrap_or_default())
}

/// `at least 2 of (`.
pub(super) fn of_head(quantity: Quantity, number: &Number) -> String {
    format!("{} {} of (", quantity.words(), number.text)
}

pub(super) fn has_word(negated: bool) -> &'static str {
    if negated { "no " } else { "has " }
}

/// What follows the selector of `has` and `no`.
pub(super) fn has_tail(observed: bool) -> &'static str {
    if observed { " while observed" } else { "" }
}

/// What follows `days covered(...)`.
pub(super) fn covered_tail(at: &Window, op: Cmp, percent: &Number) -> String {
    format!(" {} {} {}%", window(at), cmp(op), percent.text)
}

/// What follows the selector of `continuous`.
pub(super) fn continuous_tail(gap: &Duration, length: &Duration) -> String {
    format!(" gap {} for {}", duration(gap), duration(length))
}

/// `count(record`, `sum(record.field` and so on, up to the filter.
pub(super) fn measure_head(measure: &Measure, of: &Selector) -> String {
    let what = match measure {
        Measure::Records | Measure::Values(_, _) => "",
        Measure::Days => "days of ",
        Measure::Distinct(_) => "distinct ",
    };
    let field = measure.field().map(|field| format!(".{}", field.name)).unwrap_or_default();
    format!("{}({what}{}{field}", measure.word(), of.record.name)
}

/// What follows `count(...)` and its like.
pub(super) fn measure_tail(windows: &[Window], test: &NumberSet, lists: Lists) -> String {
    format!("{} {}", windows_tail(windows), number_set(test, lists))
}

/// What follows the selector of `latest` and `earliest`.
pub(super) fn one_tail(tie: Option<Tie>, test: &OneTest, lists: Lists) -> String {
    let tie = tie.map(|tie| format!(" {}", tie.word())).unwrap_or_default();
    match test {
        OneTest::Field { field, test } => format!("{tie}.{} {}", field.name, attribute(test, lists)),
        OneTest::Has(filter) => format!("{tie} has ({})", expr(&filter.expr, lists)),
    }
}

pub(super) fn selector(of: &Selector, lists: Lists) -> String {
    let filter = of.filter.as_ref().map(|filter| format!("({})", expr(&filter.expr, lists)));
    format!("{}{}{}", of.record.name, filter.unwrap_or_default(), modifiers(of))
}

/// Everything behind the filter of a selector.
pub(super) fn modifiers(of: &Selector) -> String {
    let mut out = String::new();
    for modifier in &of.modifiers {
        out.push(' ');
        match modifier {
            Modifier::Window(at) => out.push_str(&window(at)),
            Modifier::Active(_) => out.push_str("active"),
            Modifier::Recorded(at) => out.push_str(&format!("recorded {}", window(at))),
            Modifier::With(field) => out.push_str(&format!("with {}", field.name)),
            Modifier::Same { field, of } => out.push_str(&format!("same {} as {}", field.name, of.name)),
        }
    }
    out
}

pub(super) fn attribute(test: &AttributeTest, lists: Lists) -> String {
    match test {
        AttributeTest::Compare(op, to) => format!("{} {}", cmp(*op), value(to)),
        AttributeTest::In { negated, set: of } => format!("{}in {}", not(*negated), set(of, lists)),
        AttributeTest::Between { negated, low, high } => {
            format!("{}between {} and {}", not(*negated), value(low), value(high))
        }
        AttributeTest::Text(test) => format!("{} {}", text_op(test.op), value(&test.value)),
        AttributeTest::Under(code) => value(code),
        AttributeTest::Known => "is known".to_owned(),
        AttributeTest::Missing => "is missing".to_owned(),
        AttributeTest::Window(at) => window(at),
        AttributeTest::List { test, values } => {
            let values = set(&Set::List { open: 0, values: values.clone() }, lists);
            format!("has {} of {values}", test.word())
        }
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "not " } else { "" }
}

fn number_set(test: &NumberSet, lists: Lists) -> String {
    match test {
        NumberSet::Compare(op, to) => format!("{} {}", cmp(*op), value(to)),
        NumberSet::In(of) => format!("in {}", set(of, lists)),
    }
}

fn set(of: &Set, lists: Lists) -> String {
    match of {
        Set::List { values, .. } => {
            let cut = lists == Lists::Short && values.len() > SHOWN + 1;
            let shown = if cut { SHOWN } else { values.len() };
            let mut parts: Vec<String> = values.iter().take(shown).map(value).collect();
            if cut {
                parts.push(format!("… {} more", values.len() - shown));
            }
            format!("({})", parts.join(", "))
        }
        Set::Range(low, high) => format!("{}..{}", value(low), value(high)),
        Set::Ref(name) => format!("@{}", name.name),
        Set::File(file) => format!("@{}", quote(&file.text)),
    }
}

pub(super) fn value(of: &Value) -> String {
    match &of.kind {
        ValueKind::Text(text) => quote(text),
        ValueKind::Number(text)
        | ValueKind::Word(text)
        | ValueKind::Category(text)
        | ValueKind::Name(text) => text.clone(),
        ValueKind::Date(day) => day.to_string(),
        ValueKind::Code { system, code, under } => {
            format!("{}{}:{}", if *under { "under " } else { "" }, system.name, quote(&code.text))
        }
        ValueKind::Param(name) => format!("${name}"),
        ValueKind::Shifted { from, shifts } => {
            let shifts = shifts
                .iter()
                .map(|shift| format!(" {} {}", if shift.back { "-" } else { "+" }, duration(&shift.length)));
            format!("{}{}", value(from), shifts.collect::<String>())
        }
        ValueKind::Quantity { amount, unit } => {
            format!("{} {}", value(&amount.value(of.span)), quote(&unit.text))
        }
        ValueKind::Bad => "…".to_owned(),
    }
}

pub(super) fn cmp(op: Cmp) -> &'static str {
    match op {
        Cmp::Eq => "=",
        Cmp::Ne => "!=",
        Cmp::Lt => "<",
        Cmp::Le => "<=",
        Cmp::Gt => ">",
        Cmp::Ge => ">=",
    }
}

fn text_op(op: TextOp) -> &'static str {
    match op {
        TextOp::Contains => "contains",
        TextOp::StartsWith => "starts with",
        TextOp::EndsWith => "ends with",
        TextOp::Matches => "matches",
    }
}

fn window(at: &Window) -> String {
    match &at.kind {
        WindowKind::InLast(length) => format!("in last {}", duration(length)),
        WindowKind::InNext(length) => format!("in next {}", duration(length)),
        WindowKind::MoreThanAgo(length) => format!("more than {} ago", duration(length)),
        WindowKind::BetweenAgo(near, far) if near.unit == far.unit => {
            format!("between {} and {} ago", near.count, duration(far))
        }
        WindowKind::BetweenAgo(near, far) => format!("between {} and {} ago", duration(near), duration(far)),
        WindowKind::Since(date) => format!("since {}", value(date)),
        WindowKind::Before(date) => format!("before {}", value(date)),
        WindowKind::After(date) => format!("after {}", value(date)),
        WindowKind::On(date) => format!("on {}", value(date)),
        WindowKind::Between(low, high) => format!("between {} and {}", value(low), value(high)),
        WindowKind::FromTo(low, high) => format!("from {} to {}", value(low), value(high)),
        WindowKind::Calendar(turn, period) => format!("{} {}", turn.word(), period.word()),
    }
}

fn duration(length: &Duration) -> String {
    let unit = match length.unit {
        DurationUnit::Minute => "minute",
        DurationUnit::Hour => "hour",
        DurationUnit::Day => "day",
        DurationUnit::Week => "week",
        DurationUnit::Month => "month",
        DurationUnit::Quarter => "quarter",
        DurationUnit::Year => "year",
    };
    format!("{} {unit}{}", length.count, if length.count == 1 { "" } else { "s" })
}

/// A clause on one line, without its keyword's indentation.
pub(super) fn clause(clause: &Clause) -> String {
    match &clause.kind {
        ClauseKind::Purpose(name) => format!("purpose {}", name.name),
        ClauseKind::Channel(name) => format!("channel {}", name.name),
        ClauseKind::Where(criteria) => format!("where {}", expr(criteria, Lists::Whole)),
        ClauseKind::Exclude(criteria) => format!("exclude {}", expr(criteria, Lists::Whole)),
        ClauseKind::Output(fields) => {
            let fields: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            format!("output {}", fields.join(", "))
        }
        ClauseKind::Holdout { percent, seed } => {
            let seed = seed.as_ref().map(|seed| format!(" seed {}", quote(&seed.text)));
            format!("holdout {}%{}", percent.text, seed.unwrap_or_default())
        }
        ClauseKind::Limit { count, by } => {
            let by = by
                .as_ref()
                .map(|(by, direction)| format!(" by {} {}", amount(by, Lists::Whole), direction.word()));
            format!("limit {}{}", count.text, by.unwrap_or_default())
        }
        ClauseKind::OnePer(field) => format!("one per {}", field.name),
        ClauseKind::Cap { count, per } => format!("cap {} per {}", count.text, duration(per)),
        ClauseKind::Sample { percent, seed } => sample(percent, seed),
        ClauseKind::Split { arms, holdout, seed } => {
            let mut parts: Vec<String> =
                arms.iter().map(|arm| format!("{} {}%", arm.name.name, arm.percent.text)).collect();
            parts.extend(holdout.iter().map(|percent| format!("holdout {}%", percent.text)));
            format!("split {} seed {}", parts.join(", "), quote(&seed.text))
        }
        ClauseKind::Bad => "…".to_owned(),
    }
}

/// What stands in front of the criteria of a stage.
pub(super) fn stage_head(of: &Stage) -> String {
    let title = of.title.as_ref().map(|title| format!(" {}", quote(&title.text)));
    format!("stage {}{} =", of.name.name, title.unwrap_or_default())
}

/// What stands in front of the segments of a portfolio.
pub(super) fn portfolio_head(of: &Portfolio) -> String {
    let title = of.title.as_ref().map(|title| format!(" {}", quote(&title.text)));
    format!("portfolio {}{} =", of.name.name, title.unwrap_or_default())
}

/// A parameter's declaration.
pub(super) fn param(of: &Param) -> String {
    let default = of.default.as_ref().map(|default| format!(" = {}", value(default)));
    format!("param {}: {}{}", of.name.name, of.ty.name, default.unwrap_or_default())
}

/// A value set's declaration.
pub(super) fn valueset(of: &Valueset) -> String {
    let mut out = format!("valueset {} =", of.name.name);
    for (index, part) in of.parts.iter().enumerate() {
        out.push_str(part_sign(index, part));
        out.push_str(&valueset_part(part));
    }
    out
}

/// The sign in front of a part of a value set.
pub(super) fn part_sign(index: usize, part: &ValuesetPart) -> &'static str {
    match (index, part.minus) {
        (0, _) => " ",
        (_, false) => " + ",
        (_, true) => " - ",
    }
}

pub(super) fn valueset_part(part: &ValuesetPart) -> String {
    match &part.kind {
        ValuesetPartKind::Ref(name) => format!("@{}", name.name),
        ValuesetPartKind::File(file) => format!("file {}", quote(&file.text)),
        ValuesetPartKind::Codes { system, codes, .. } => {
            let codes: Vec<String> = codes.iter().map(valueset_code).collect();
            format!("{} {{ {} }}", system.name, codes.join(", "))
        }
    }
}

pub(super) fn valueset_code(code: &ValuesetCode) -> String {
    format!("{}{}", if code.under { "under " } else { "" }, quote(&code.code.text))
}
