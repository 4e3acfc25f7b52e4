//! The same criterion, or the same value of a list, written twice.

use std::collections::BTreeMap;

use super::Part;
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::Operand;

/// Parts beyond this many are not compared with each other.
const PARTS_MAX: usize = 200;

pub(super) fn parts<L: PartialEq>(parts: &[Part<L>], findings: &mut Vec<Diagnostic>) {
    let parts = parts.get(..parts.len().min(PARTS_MAX)).unwrap_or(parts);
    for (index, part) in parts.iter().enumerate() {
        if let Some(first) = parts.iter().take(index).find(|first| first.logic == part.logic) {
            let finding =
                Diagnostic::new(&codes::DUPLICATE_CRITERION, part.span, "this criterion stands twice");
            findings.push(finding.related(first.span, "first here"));
        }
    }
}

/// Reports the first value of a list that stands in it twice.
pub(in crate::resolve) fn values(values: &[(Operand, Span)], findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for (operand, span) in values {
        let Operand::Literal(value) = operand else { continue };
        if let Some(first) = seen.insert(format!("{value:?}"), *span) {
            let finding =
                Diagnostic::new(&codes::DUPLICATE_CRITERION, *span, "this value stands twice in the list");
            findings.push(finding.related(first, "first here"));
            return;
        }
    }
}
