//! The same criterion, or the same value of a list, written twice.

use std::collections::HashMap;

use super::Part;
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::Operand;
use crate::value::Value;

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

/// What makes two values of a list the same one. Lists of texts grow long: they are compared as they are.
#[derive(PartialEq, Eq, Hash)]
enum Same<'v> {
    Text(&'v str),
    Other(String),
}

impl<'v> From<&'v Value> for Same<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            other => Self::Other(format!("{other:?}")),
        }
    }
}

/// Reports the first value of a list that stands in it twice.
pub(in crate::resolve) fn values(values: &[(Operand, Span)], findings: &mut Vec<Diagnostic>) {
    if ascend(values) {
        return;
    }
    let mut seen: HashMap<Same<'_>, Span> = HashMap::with_capacity(values.len());
    for (operand, span) in values {
        let Operand::Literal(value) = operand else { continue };
        if let Some(first) = seen.insert(value.into(), *span) {
            let finding =
                Diagnostic::new(&codes::DUPLICATE_CRITERION, *span, "this value stands twice in the list");
            findings.push(finding.related(first, "first here"));
            return;
        }
    }
}

/// Every value is a text greater than the one before, as in the long lists that programs write.
fn ascend(values: &[(Operand, Span)]) -> bool {
    values.is_sorted_by(|(a, _), (b, _)| match (a, b) {
        (Operand::Literal(Value::Text(a)), Operand::Literal(Value::Text(b))) => a < b,
        _ => false,
    })
}
