//! The tree over several lines: one clause per line, one conjunct per line, and whatever does not fit or holds
//! comments broken at its parentheses.

use super::flat::{self, Lists};
use super::writer::Writer;
use crate::ast::{
    AttributeTest, Clause, ClauseKind, Event, Expr, ExprKind, File, Filter, Item, NumberSet, OneTest,
    Portfolio, Segment, Selector, Set, Step, ValuesetPartKind,
};
use crate::lex::text::quote;
use crate::segment::Tie;

/// Prints a whole file.
pub(super) fn file(file: &File) -> String {
    let mut layout = Layout { w: Writer::new(&file.comments) };
    for (index, item) in file.items.iter().enumerate() {
        let next = file.items.get(index + 1).map_or(usize::MAX, |next| next.span().start);
        let before = index.checked_sub(1).and_then(|before| file.items.get(before));
        // Parameters stand together, everything else apart.
        if !matches!((before, item), (Some(Item::Param(_)), Item::Param(_))) {
            layout.w.gap();
        }
        layout.item(item, next);
    }
    layout.w.finish()
}

struct Layout<'a> {
    w: Writer<'a>,
}

impl Layout<'_> {
    fn item(&mut self, item: &Item, next: usize) {
        let end = item.span().end;
        match item {
            Item::Segment(segment) => return self.segment(segment, next),
            Item::Param(param) => {
                self.w.leading(end, 0);
                self.w.push(&flat::param(param));
            }
            Item::Valueset(valueset) => self.valueset(valueset),
            Item::Define(define) => {
                let head = format!("define {} =", define.name.name);
                self.headed(&head, define.name.span.end, &define.body);
            }
            Item::Stage(stage) => {
                let head_end = stage.title.as_ref().map_or(stage.name.span.end, |title| title.span.end);
                self.headed(&flat::stage_head(stage), head_end, &stage.body);
            }
            Item::Portfolio(portfolio) => {
                self.w.leading(end, 0);
                self.portfolio(portfolio);
            }
        }
        self.end_line(next);
    }

    /// Criteria behind the head of a declaration, whose last name ends there in the source.
    fn headed(&mut self, head: &str, head_end: usize, body: &Expr) {
        let text = flat::expr(body, Lists::Whole);
        let fits = head.chars().count() + 1 + text.chars().count() <= super::writer::WIDTH;
        if fits && !self.w.comments_between(head_end, body.span.end) {
            self.w.leading(body.span.end, 0);
            self.w.push(&format!("{head} {text}"));
        } else {
            // The head stands alone: a comment behind it must not move into the criteria.
            self.w.leading(head_end, 0);
            self.w.push(head);
            self.end_line(body.span.start);
            self.conjuncts(body, 1, "");
        }
    }

    /// On one line, or broken in front of `>`: a name at the start of a line might be taken for a keyword.
    fn portfolio(&mut self, portfolio: &Portfolio) {
        self.w.push(&flat::portfolio_head(portfolio));
        for (place, segment) in portfolio.segments.iter().enumerate() {
            let part = if place == 0 { segment.name.clone() } else { format!("> {}", segment.name) };
            if place > 0 && part.chars().count() + 1 > self.w.room() {
                self.w.end_line();
                self.w.start(1, &part);
            } else {
                self.w.push(&format!(" {part}"));
            }
        }
    }

    /// Ends a line with the comments that stood behind its last part.
    fn end_line(&mut self, before: usize) {
        self.w.trailing(before);
        self.w.end_line();
    }

    fn segment(&mut self, segment: &Segment, next: usize) {
        let title = segment.title.as_ref();
        let head_end = title.map_or(segment.name.span.end, |title| title.span.end);
        self.w.leading(head_end, 0);
        let title = title.map(|title| format!(" {}", quote(&title.text))).unwrap_or_default();
        self.w.push(&format!("segment {}{title}", segment.name.name));
        for clause in &segment.clauses {
            self.end_line(clause.keyword.start);
            self.clause(clause);
        }
        self.end_line(next);
    }

    fn clause(&mut self, clause: &Clause) {
        match &clause.kind {
            ClauseKind::Where(criteria) => self.conjuncts(criteria, 1, "where "),
            ClauseKind::Exclude(criteria) => self.conjuncts(criteria, 1, "exclude "),
            ClauseKind::Output(_) | ClauseKind::Split { .. } => {
                self.w.leading(clause.span.end, 1);
                self.wrapped(1, &flat::clause(clause));
            }
            ClauseKind::Purpose(_)
            | ClauseKind::Channel(_)
            | ClauseKind::Limit { .. }
            | ClauseKind::OnePer(_)
            | ClauseKind::Cap { .. }
            | ClauseKind::Sample { .. }
            | ClauseKind::Holdout { .. }
            | ClauseKind::Bad => {
                self.w.leading(clause.span.end, 1);
                self.w.start(1, &flat::clause(clause));
            }
        }
    }

    /// A line that breaks behind commas where it is too long.
    fn wrapped(&mut self, indent: usize, text: &str) {
        self.w.start(indent, "");
        let mut first = true;
        for part in text.split_inclusive(", ") {
            if !first && part.trim_end().chars().count() > self.w.room() {
                self.w.end_line();
                self.w.start(indent + 1, "");
            }
            self.w.push(part);
            first = false;
        }
    }

    /// Criteria of a clause: each part of a top-level `and` on its own line.
    fn conjuncts(&mut self, expr: &Expr, indent: usize, prefix: &str) {
        let (parts, word) = match &expr.kind {
            ExprKind::And(parts) => (parts, "and "),
            _ => return self.operand(expr, indent, prefix),
        };
        for (index, part) in parts.iter().enumerate() {
            if index == 0 {
                self.operand(part, indent, prefix);
            } else {
                self.end_line(part.span.start);
                // A define has no keyword in front of its criteria and gives no further indentation.
                let deeper = if prefix.is_empty() { indent } else { indent + 1 };
                self.operand(part, deeper, word);
            }
        }
    }

    /// One part on a line of its own, with what stands in front of it, broken when it has to be.
    fn operand(&mut self, expr: &Expr, indent: usize, prefix: &str) {
        let text = flat::expr(expr, Lists::Whole);
        let room = super::writer::WIDTH.saturating_sub(indent * 2 + prefix.len());
        let head = head_end(expr);
        let inside = head < expr.span.end && self.w.comments_between(head, expr.span.end);
        if !inside && (text.chars().count() <= room || head == expr.span.end) {
            self.w.leading(expr.span.end, indent);
            self.w.start(indent, prefix);
            self.w.push(&text);
            return;
        }
        self.w.leading(head, indent);
        self.w.start(indent, prefix);
        self.broken(expr, indent);
    }

    /// Behind the start of a line: a part that is broken at its parentheses.
    fn broken(&mut self, expr: &Expr, indent: usize) {
        match &expr.kind {
            ExprKind::Not(inner) => {
                self.w.push("not ");
                self.broken(inner, indent);
            }
            ExprKind::Group(inner) => {
                self.w.push("(");
                self.body(inner, indent, expr.span.end);
                self.w.push(")");
            }
            ExprKind::Household { which, test, .. } => {
                self.w.push(&flat::household_head(*which));
                self.body(test, indent, expr.span.end);
                self.w.push(")");
            }
            ExprKind::Of { quantity, number, parts, .. } => {
                self.w.push(&flat::of_head(*quantity, number));
                self.several(parts, indent, expr.span.end);
                self.w.push(")");
            }
            ExprKind::Or(parts) => self.parts(parts, indent, "or "),
            ExprKind::And(parts) => self.parts(parts, indent, "and "),
            ExprKind::Has { negated, selector, observed } => {
                self.w.push(flat::has_word(*negated));
                self.selector(selector, indent, expr.span.end);
                self.w.push(flat::has_tail(*observed));
            }
            ExprKind::DaysCovered { selector, window, cmp, percent } => {
                self.w.push("days covered(");
                self.selector(selector, indent, expr.span.end);
                self.w.push(")");
                self.w.push(&flat::covered_tail(window, *cmp, percent));
            }
            ExprKind::Continuous { selector, gap, length } => {
                self.w.push("continuous ");
                self.selector(selector, indent, expr.span.end);
                self.w.push(&flat::continuous_tail(gap, length));
            }
            ExprKind::Measure { measure, selector, windows, test } => {
                self.w.push(&flat::measure_head(measure, selector));
                self.behind_record(selector, indent, expr.span.end);
                self.w.push(")");
                self.w.push(&flat::measure_tail(windows, test, Lists::Whole));
            }
            ExprKind::One { which, selector, tie, test } => {
                self.w.push(&which.word());
                self.w.push(" ");
                self.one(selector, *tie, test, indent, expr.span.end);
            }
            ExprKind::Sequence { first, steps } => {
                self.event(first, indent, first.span.end);
                for step in steps {
                    self.end_line(step.span.start);
                    self.step(step, indent + 1);
                }
            }
            ExprKind::Share { test, selector, cmp, percent, at_least, .. } => {
                self.w.push("share(");
                // The comments up to the filter of the records belong to what is asked of them.
                let filter = selector.filter.as_ref().map(|filter| filter.open);
                self.body(test, indent, filter.unwrap_or(expr.span.end));
                self.w.push("of ");
                self.selector(selector, indent, expr.span.end);
                self.w.push(&format!("){}", flat::share_tail(*cmp, percent, at_least.as_ref())));
            }
            ExprKind::Rank { end, size, by, among: Some(among) } => {
                self.w.push(&flat::rank_head(*end, size, by, Lists::Whole, true));
                self.body(&among.expr, indent, expr.span.end);
                self.w.push(")");
            }
            ExprKind::Attribute {
                field,
                test: AttributeTest::In { negated, set: Set::List { open, values } },
            } => {
                self.w.push(&format!("{} {}in (", field.name, if *negated { "not " } else { "" }));
                let items: Vec<Line> = values
                    .iter()
                    .map(|value| Line {
                        text: flat::value(value),
                        start: value.span.start,
                        end: value.span.end,
                    })
                    .collect();
                self.list(&items, indent, *open, expr.span.end);
                self.w.push(")");
            }
            ExprKind::Age { unit, on, test: NumberSet::In(Set::List { open, values }) } => {
                self.w.push(&format!("{} in (", flat::age_head(*unit, on.as_ref())));
                let items: Vec<Line> = values
                    .iter()
                    .map(|value| Line {
                        text: flat::value(value),
                        start: value.span.start,
                        end: value.span.end,
                    })
                    .collect();
                self.list(&items, indent, *open, expr.span.end);
                self.w.push(")");
            }
            ExprKind::Attribute { .. }
            | ExprKind::Age { .. }
            | ExprKind::Turns { .. }
            | ExprKind::InList { .. }
            | ExprKind::Near { .. }
            | ExprKind::Everyone
            | ExprKind::Nobody
            | ExprKind::Name(_)
            | ExprKind::Anniversary { .. }
            | ExprKind::History(_)
            | ExprKind::Rank { .. }
            | ExprKind::Sample { .. }
            | ExprKind::Reference(_)
            | ExprKind::Bad => self.w.push(&flat::expr(expr, Lists::Whole)),
        }
    }

    /// Parts in the middle of a line; those behind the first start lines of their own.
    fn parts(&mut self, parts: &[Expr], indent: usize, word: &str) {
        for (index, part) in parts.iter().enumerate() {
            if index == 0 {
                let fits = flat::expr(part, Lists::Whole).chars().count() <= self.w.room();
                let head = head_end(part);
                if fits && !self.w.comments_between(head, part.span.end) || head == part.span.end {
                    self.w.push(&flat::expr(part, Lists::Whole));
                } else {
                    self.broken(part, indent);
                }
            } else {
                self.end_line(part.span.start);
                self.operand(part, indent + 1, word);
            }
        }
    }

    fn selector(&mut self, selector: &Selector, indent: usize, end: usize) {
        self.w.push(&selector.record.name);
        self.behind_record(selector, indent, end);
    }

    /// Filter, windows and `active` of a selector.
    fn behind_record(&mut self, selector: &Selector, indent: usize, end: usize) {
        if let Some(filter) = &selector.filter {
            self.filter(filter, indent, end);
        }
        self.w.push(&flat::modifiers(selector));
    }

    fn filter(&mut self, filter: &Filter, indent: usize, end: usize) {
        self.w.push("(");
        self.body(&filter.expr, indent, end);
        self.w.push(")");
    }

    fn one(&mut self, selector: &Selector, tie: Option<Tie>, test: &OneTest, indent: usize, end: usize) {
        match test {
            OneTest::Field { .. } => {
                self.selector(selector, indent, end);
                self.w.push(&flat::one_tail(tie, test, Lists::Whole));
            }
            OneTest::Has(inner) => {
                match &selector.filter {
                    // The comments up to the second parenthesis belong to the first part.
                    Some(_) => self.selector(selector, indent, inner.open),
                    None => {
                        self.w.push(&selector.record.name);
                        self.w.push(&flat::modifiers(selector));
                    }
                }
                if let Some(tie) = tie {
                    self.w.push(" ");
                    self.w.push(tie.word());
                }
                self.w.push(" has ");
                self.filter(inner, indent, end);
            }
        }
    }

    /// A step of a sequence on a line of its own.
    fn step(&mut self, step: &Step, indent: usize) {
        let text = flat::step(step, Lists::Whole);
        let head = step.event.selector.filter.as_ref().map_or(step.span.end, |filter| filter.open);
        let fits = text.chars().count() <= super::writer::WIDTH.saturating_sub(indent * 2);
        if head == step.span.end || fits && !self.w.comments_between(head, step.span.end) {
            self.w.leading(step.span.end, indent);
            self.w.start(indent, &text);
            return;
        }
        self.w.leading(head, indent);
        self.w.start(indent, &flat::step_head(step));
        self.selector(&step.event.selector, indent, step.span.end);
        self.w.push(&flat::clock(&step.event));
        self.w.push(&flat::step_tail(step));
    }

    /// The first event of a sequence, broken only when it has to be.
    fn event(&mut self, event: &Event, indent: usize, end: usize) {
        let text = format!("{}{}", flat::selector(&event.selector, Lists::Whole), flat::clock(event));
        let head = event.selector.filter.as_ref().map_or(end, |filter| filter.open);
        if head == end || text.chars().count() <= self.w.room() && !self.w.comments_between(head, end) {
            self.w.push(&text);
            return;
        }
        self.selector(&event.selector, indent, end);
        self.w.push(&flat::clock(event));
    }

    /// What stands in parentheses, on lines of its own; the next text goes to the line behind it.
    fn body(&mut self, inner: &Expr, indent: usize, end: usize) {
        self.end_line(inner.span.start);
        let parts = match &inner.kind {
            ExprKind::And(parts) => Some((parts, "and ")),
            ExprKind::Or(parts) => Some((parts, "or ")),
            _ => None,
        };
        match parts {
            None => self.operand(inner, indent + 1, ""),
            Some((parts, word)) => {
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        self.end_line(part.span.start);
                    }
                    self.operand(part, indent + 1, if index == 0 { "" } else { word });
                }
            }
        }
        self.end_line(end);
        self.w.leading(end, indent);
        self.w.start(indent, "");
    }

    /// Criteria with commas between them, each on a line of its own; the next text goes to the line behind them.
    fn several(&mut self, parts: &[Expr], indent: usize, end: usize) {
        self.end_line(parts.first().map_or(end, |part| part.span.start));
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.w.push(",");
                self.end_line(part.span.start);
            }
            self.operand(part, indent + 1, "");
        }
        self.end_line(end);
        self.w.leading(end, indent);
        self.w.start(indent, "");
    }

    /// Values, as many to a line as fit, or one to a line when comments stand among them.
    fn list(&mut self, items: &[Line], indent: usize, open: usize, end: usize) {
        let first = items.first().map_or(end, |item| item.start);
        let each = self.w.comments_between(open, end);
        self.end_line(first);
        for (index, item) in items.iter().enumerate() {
            let text = if index + 1 < items.len() { format!("{},", item.text) } else { item.text.clone() };
            if index == 0 {
                self.w.leading(item.end, indent + 1);
                self.w.start(indent + 1, "");
            } else if each || text.chars().count() + 1 > self.w.room() {
                self.end_line(item.start);
                self.w.leading(item.end, indent + 1);
                self.w.start(indent + 1, "");
            } else {
                self.w.push(" ");
            }
            self.w.push(&text);
        }
        self.end_line(end);
        self.w.leading(end, indent);
        self.w.start(indent, "");
    }

    fn valueset(&mut self, valueset: &crate::ast::Valueset) {
        let first = valueset.parts.first().map_or(valueset.span.end, |part| match &part.kind {
            ValuesetPartKind::Codes { open, .. } => *open,
            ValuesetPartKind::Ref(_) | ValuesetPartKind::File(_) => part.span.end,
        });
        let text = flat::valueset(valueset);
        if text.chars().count() <= super::writer::WIDTH && !self.w.comments_between(first, valueset.span.end)
        {
            self.w.leading(valueset.span.end, 0);
            self.w.push(&text);
            return;
        }
        self.w.leading(first, 0);
        self.w.push(&format!("valueset {} =", valueset.name.name));
        for (index, part) in valueset.parts.iter().enumerate() {
            let sign = flat::part_sign(index, part);
            let head = match &part.kind {
                ValuesetPartKind::Codes { open, .. } => *open,
                ValuesetPartKind::Ref(_) | ValuesetPartKind::File(_) => part.span.end,
            };
            if index > 0 {
                self.end_line(part.span.start);
                self.w.leading(head, 1);
                self.w.start(1, sign.trim_start());
            } else {
                self.w.push(sign);
            }
            match &part.kind {
                ValuesetPartKind::Ref(_) | ValuesetPartKind::File(_) => {
                    self.w.push(&flat::valueset_part(part))
                }
                ValuesetPartKind::Codes { system, open, codes } => {
                    let items: Vec<Line> = codes
                        .iter()
                        .map(|code| Line {
                            text: flat::valueset_code(code),
                            start: code.span.start,
                            end: code.span.end,
                        })
                        .collect();
                    let flat: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
                    let flat = format!("{} {{ {} }}", system.name, flat.join(", "));
                    if flat.chars().count() <= self.w.room() && !self.w.comments_between(head, part.span.end)
                    {
                        self.w.push(&flat);
                    } else {
                        self.w.push(&format!("{} {{", system.name));
                        let indent = usize::from(index > 0);
                        self.list(&items, indent, *open, part.span.end);
                        self.w.push("}");
                    }
                }
            }
        }
    }
}

struct Line {
    text: String,
    start: usize,
    end: usize,
}

/// Where the first line of a part ends in the source when the part is broken; its end when it cannot be broken.
fn head_end(expr: &Expr) -> usize {
    let selector = |selector: &Selector| selector.filter.as_ref().map(|filter| filter.open);
    let head = match &expr.kind {
        ExprKind::Or(parts) | ExprKind::And(parts) => parts.first().map(head_end),
        ExprKind::Not(inner) => {
            let head = head_end(inner);
            (head < inner.span.end).then_some(head)
        }
        ExprKind::Group(_) => Some(expr.span.start + 1),
        ExprKind::Of { open, .. } | ExprKind::Share { open, .. } | ExprKind::Household { open, .. } => {
            Some(*open)
        }
        ExprKind::Has { selector: of, .. }
        | ExprKind::DaysCovered { selector: of, .. }
        | ExprKind::Continuous { selector: of, .. }
        | ExprKind::Measure { selector: of, .. } => selector(of),
        ExprKind::One { selector: of, test, .. } => selector(of).or(match test {
            OneTest::Has(filter) => Some(filter.open),
            OneTest::Field { .. } => None,
        }),
        ExprKind::Sequence { first, .. } => selector(&first.selector).or(Some(first.span.end)),
        ExprKind::Attribute { test: AttributeTest::In { set: Set::List { open, .. }, .. }, .. }
        | ExprKind::Age { test: NumberSet::In(Set::List { open, .. }), .. } => Some(*open),
        ExprKind::Attribute { .. }
        | ExprKind::Age { .. }
        | ExprKind::Turns { .. }
        | ExprKind::InList { .. }
        | ExprKind::Near { .. }
        | ExprKind::Everyone
        | ExprKind::Nobody
        | ExprKind::Name(_)
        | ExprKind::Anniversary { .. }
        | ExprKind::History(_)
        | ExprKind::Sample { .. }
        | ExprKind::Reference(_)
        | ExprKind::Bad => None,
        ExprKind::Rank { among, .. } => among.as_ref().map(|among| among.open),
    };
    head.unwrap_or(expr.span.end)
}
