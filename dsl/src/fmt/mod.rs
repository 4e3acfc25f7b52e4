//! The canonical spelling of a text.
//!
//! In: a text that parses. Out: the same declarations in the same order, one clause and one conjunct to a line, at
//! most 110 columns where something can be broken, every comment kept. Formatting its own output changes nothing,
//! and never changes what a text means.

mod flat;
mod layout;
mod writer;

use crate::ast::{Clause, ClauseKind, Expr, ExprKind, File, Item, Portfolio, Segment};
use crate::diagnostic::{self, Diagnostic};
use crate::json;
use crate::resolve::Uses;
use crate::schema::Schema;
use crate::source::read;
use flat::Lists;

/// Formats a text.
///
/// The JSON form stays JSON: [`to_text`] and [`to_json`] go from one form to the other.
///
/// # Errors
/// The syntax errors of a text that does not parse; names and types are not looked at.
pub fn format(source: &str) -> Result<String, Vec<Diagnostic>> {
    if json::is_json(source) { readable(source).map(|file| json::print(&file)) } else { to_text(source) }
}

/// The canonical text of a segment file in either form.
///
/// # Errors
/// As [`format()`].
pub fn to_text(source: &str) -> Result<String, Vec<Diagnostic>> {
    readable(source).map(|file| print(&file))
}

/// The canonical JSON of a segment file in either form. Comments of a text are not carried. The schema tells fields
/// from categories, which a text does not.
///
/// # Errors
/// As [`format()`].
pub fn to_json(source: &str, schema: &Schema) -> Result<String, Vec<Diagnostic>> {
    let file = readable(source)?;
    Ok(if json::is_json(source) { json::print(&file) } else { json::print_text(file, schema) })
}

fn readable(source: &str) -> Result<File, Vec<Diagnostic>> {
    let parsed = read(source);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        let mut findings = diagnostic::finish(parsed.diagnostics);
        if let Some(pointers) = parsed.pointers {
            pointers.name(&mut findings);
        }
        return Err(findings);
    }
    Ok(parsed.file)
}

/// A file as text.
pub(crate) fn print(file: &File) -> String {
    layout::file(file)
}

/// One criterion on one line, without parentheses around the whole; lists of more than nine values are cut.
pub(crate) fn label(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Group(inner) => label(inner),
        ExprKind::Or(_)
        | ExprKind::And(_)
        | ExprKind::Of { .. }
        | ExprKind::Not(_)
        | ExprKind::Everyone
        | ExprKind::Nobody
        | ExprKind::Name(_)
        | ExprKind::Attribute { .. }
        | ExprKind::Age { .. }
        | ExprKind::Turns { .. }
        | ExprKind::InList { .. }
        | ExprKind::Near { .. }
        | ExprKind::Anniversary { .. }
        | ExprKind::History(_)
        | ExprKind::Has { .. }
        | ExprKind::DaysCovered { .. }
        | ExprKind::Continuous { .. }
        | ExprKind::Measure { .. }
        | ExprKind::One { .. }
        | ExprKind::Sequence { .. }
        | ExprKind::Share { .. }
        | ExprKind::Rank { .. }
        | ExprKind::Sample { .. }
        | ExprKind::Reference(_)
        | ExprKind::Household { .. }
        | ExprKind::Bad => flat::expr(expr, Lists::Short),
    }
}

/// A segment with the declarations it uses, comments left out, in an order that does not depend on where they stand:
/// value sets, parameters, defines by name, stages in their order, the segments that it refers to by name, then the segment
/// itself; clauses in one order. Stages of the dataset stand in front of it all. A comment for
/// each of its pins ends it.
pub(crate) fn canonical(file: &File, item: usize, uses: &Uses) -> String {
    let mut out = uses.stages_outside.clone().unwrap_or_default();
    out.push_str(&declarations(file, Some(item), uses));
    for pin in &uses.pins {
        out.push_str(&format!("// {pin}\n"));
    }
    out.shrink_to_fit();
    out
}

/// The declarations that something uses, and the segment at this place among the items, in the order of [`canonical`].
pub(crate) fn declarations(file: &File, item: Option<usize>, uses: &Uses) -> String {
    let mut lines: Vec<(u8, String, String)> = Vec::new();
    for (index, declaration) in file.items.iter().enumerate() {
        match declaration {
            Item::Valueset(it) if uses.valuesets.contains(&it.name.name) => {
                lines.push((0, it.name.name.clone(), flat::valueset(it)));
            }
            Item::Param(it) if uses.params.contains(&it.name.name) => {
                lines.push((1, it.name.name.clone(), flat::param(it)));
            }
            Item::Define(it) if uses.defines.contains(&it.name.name) => {
                let text = format!("define {} = {}", it.name.name, flat::expr(&it.body, Lists::Whole));
                lines.push((2, it.name.name.clone(), text));
            }
            Item::Stage(it) if uses.stages.contains(&it.name.name) => {
                let text = format!("{} {}", flat::stage_head(it), flat::expr(&it.body, Lists::Whole));
                // What stands in front of a stage is part of its meaning.
                lines.push((3, format!("{index:010}"), text));
            }
            Item::Segment(it) if item == Some(index) => lines.push((5, it.name.name.clone(), segment(it))),
            Item::Segment(it) if uses.segments.contains(&it.name.name) => {
                lines.push((4, it.name.name.clone(), segment(it)));
            }
            // Which portfolios a segment stands in is no part of its own meaning.
            Item::Portfolio(_)
            | Item::Valueset(_)
            | Item::Param(_)
            | Item::Define(_)
            | Item::Stage(_)
            | Item::Segment(_) => {}
        }
    }
    lines.sort();
    lines.into_iter().map(|(_, _, text)| text + "\n").collect()
}

/// A portfolio, on one line.
pub(crate) fn portfolio(of: &Portfolio) -> String {
    let names: Vec<&str> = of.segments.iter().map(|segment| segment.name.as_str()).collect();
    format!("{} {}", flat::portfolio_head(of), names.join(" > "))
}

fn segment(of: &Segment) -> String {
    let title = of.title.as_ref().map(|title| format!(" {}", crate::lex::text::quote(&title.text)));
    let mut text = format!("segment {}{}", of.name.name, title.unwrap_or_default());
    let mut clauses: Vec<&Clause> = of.clauses.iter().collect();
    clauses.sort_by_key(|clause| order(&clause.kind));
    for clause in clauses {
        text.push_str("\n  ");
        text.push_str(&flat::clause(clause));
    }
    text
}

/// The order in which clauses stand.
pub(crate) fn order(kind: &ClauseKind) -> u8 {
    match kind {
        ClauseKind::Purpose(_) => 0,
        ClauseKind::Channel(_) => 1,
        ClauseKind::Where(_) => 2,
        ClauseKind::Exclude(_) => 3,
        ClauseKind::Output(_) => 4,
        ClauseKind::Cap { .. } => 5,
        ClauseKind::OnePer(_) => 6,
        ClauseKind::Sample { .. } => 7,
        ClauseKind::Limit { .. } => 8,
        ClauseKind::Split { .. } => 9,
        ClauseKind::Holdout { .. } => 10,
        ClauseKind::Bad => 11,
    }
}
