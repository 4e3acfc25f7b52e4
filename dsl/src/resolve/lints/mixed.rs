//! `a and b or c` without parentheses.

use crate::ast::{Expr, ExprKind};
use crate::diagnostic::{Diagnostic, codes};

/// Looks at the parts of an `or`.
pub(in crate::resolve) fn mixed(parts: &[Expr], findings: &mut Vec<Diagnostic>) {
    if let Some(part) = parts.iter().find(|part| matches!(part.kind, ExprKind::And(_))) {
        let message = "`and` and `or` are mixed without parentheses; this part is taken together";
        findings.push(
            Diagnostic::new(&codes::MIXED_AND_OR, part.span, message)
                .help("put it, or what was meant, in ( )"),
        );
    }
}
