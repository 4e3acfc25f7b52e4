//! Findings about texts that compile but may not mean what their author thinks. One lint, one file; each gets typed
//! parts with their spans, or the tree of what was written, and adds warnings.

mod contradiction;
mod mixed;
mod opposites;
mod repeated;
mod sensitive;
mod trivial;
mod unbounded;
mod unused;
mod windows;

use crate::ast::Span;
use crate::diagnostic::Diagnostic;
use crate::segment::Logic;

pub(super) use contradiction::Facts;
pub(super) use mixed::mixed;
pub(super) use repeated::values as repeated_values;
pub(super) use sensitive::{Used, sensitive};
pub(super) use trivial::{age, count};
pub(super) use unbounded::unbounded;
pub(super) use unused::unused;
pub(super) use windows::windows;

/// A typed part and where it was written.
pub(super) struct Part<L> {
    pub(super) span: Span,
    pub(super) logic: Logic<L>,
}

/// The lints on parts that are counted.
pub(super) fn several<L: PartialEq>(parts: &[Part<L>], findings: &mut Vec<Diagnostic>) {
    repeated::parts(parts, findings);
}

/// The lints on parts joined by `and`, or by `or` when `any`.
pub(super) fn join<L: Facts + PartialEq>(parts: &[Part<L>], any: bool, findings: &mut Vec<Diagnostic>) {
    repeated::parts(parts, findings);
    trivial::parts(parts, any, findings);
    opposites::negated(parts, any, findings);
    if any {
        opposites::covered(parts, findings);
    } else {
        contradiction::contradiction(parts, findings);
    }
}
