//! A behaviour counted over all of history: `count(email_open) >= 3`.

use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Family, FieldType, RecordKind};
use crate::segment::{Filter, Logic, Selector};

/// Looks at a count of records. What somebody once did stays true for good and the longer the history, the more
/// contacts a count takes; `has` and `no` say `ever` and `never` and mean it.
pub(in crate::resolve) fn unbounded(
    selector: &Selector,
    kind: &RecordKind,
    span: Span,
    findings: &mut Vec<Diagnostic>,
) {
    let behaviour = match kind.family {
        Family::Behavioural => true,
        Family::Demographic | Family::Clinical | Family::Journey => false,
    };
    if behaviour && selector.windows.is_empty() && !selector.active && !dated(&selector.filter) {
        let name = &kind.name;
        let message = format!("`{name}` is counted over all of history");
        findings.push(
            Diagnostic::new(&codes::UNBOUNDED_COUNT, span, message)
                .help(format!("add a window, e.g. `count({name}) in last 90 days`")),
        );
    }
}

/// The filter tests a time.
fn dated(filter: &Filter) -> bool {
    match filter {
        Logic::True | Logic::False => false,
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => parts.iter().any(dated),
        Logic::Not(inner) => dated(inner),
        Logic::Leaf(test) => matches!(test.ty, FieldType::Date | FieldType::Time),
    }
}
