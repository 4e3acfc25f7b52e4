//! What looks like a construct of the language and is none.
//!
//! It is recognised where it would stand, reported and skipped. Nothing here ever yields a part of the tree: what is not
//! understood is never silently left out of a segment.

use nom::Parser as _;

use super::Parser;
use super::leaf::word;
use crate::diagnostic::{Diagnostic, codes};

/// What looks like a window: `in this month`, with an `in` that must not stand there.
pub(super) fn window(parser: &mut Parser<'_>) -> bool {
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
