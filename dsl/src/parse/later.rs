//! Constructs that the language has a place for and this version does not carry out.
//!
//! Each is recognised by its keywords where they would stand, reported as such and skipped. Nothing here ever
//! yields a part of the tree: what is not understood is never silently left out of a segment.

use nom::Parser as _;

use super::Parser;
use super::leaf::word;
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};

/// Reports a construct; the next token is where it starts.
fn report(parser: &mut Parser<'_>, what: &str, tokens: usize, help: &str) {
    let start = parser.peek().span;
    let end = parser.peek_at(tokens.saturating_sub(1)).span;
    let span = if end.end > start.start { start.to(end) } else { start };
    let finding =
        Diagnostic::new(&codes::NOT_AVAILABLE, span, format!("{what} is not available in this version"));
    parser.report(if help.is_empty() { finding } else { finding.help(help) });
}

fn any<'t, T>(leaf: impl super::leaf::Leaf<'t, T>, parser: &Parser<'t>) -> bool {
    parser.ahead(leaf)
}

/// Tests of later versions, seen from behind a field's name.
pub(super) fn field_test(parser: &mut Parser<'_>) -> bool {
    let p = &*parser;
    let (what, tokens, help) = if any(word("changed"), p) {
        ("`changed`", 1, "")
    } else if any(word("was"), p) {
        ("`was`", 1, "")
    } else if any((word("in"), super::leaf::calendar), p) {
        return window(parser);
    } else {
        return false;
    };
    report(parser, what, tokens, help);
    true
}

/// `in this month`: reports the `in` that must not stand there, and skips it all.
fn calendar_with_in(parser: &mut Parser<'_>) -> bool {
    let Ok((_, (_, (turn, period)))) = (word("in"), super::leaf::calendar).parse(parser.rest) else {
        return false;
    };
    let span = parser.peek().span.to(parser.peek_at(2).span);
    let (turn, period) = (turn.word(), period.word());
    let message = format!("`in {turn} {period}` is not a window");
    let length = match turn {
        "this" => String::new(),
        turn => format!(", or a length: `in {turn} 1 {period}`"),
    };
    let help = format!("write the calendar's: `{turn} {period}`{length}");
    parser.report(Diagnostic::new(&codes::UNEXPECTED, span, message).help(help));
    (0..3).for_each(|_| parser.skip());
    true
}

/// What looks like a window and is none; skips it.
pub(super) fn window(parser: &mut Parser<'_>) -> bool {
    calendar_with_in(parser)
}

/// Reports a field where only a value can stand; the resolver finds it.
pub(crate) fn field_against_field(span: Span) -> Diagnostic {
    Diagnostic::new(&codes::NOT_AVAILABLE, span, "a field as a value is not available here in this version")
}
