//! Criteria that are always or never true by themselves.

use super::Part;
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{Cmp, Logic, NumberTest, Operand};
use crate::value::Value;

/// `everyone` and `nobody` among other criteria.
pub(super) fn parts<L>(parts: &[Part<L>], any: bool, findings: &mut Vec<Diagnostic>) {
    for part in parts {
        let finding = match (&part.logic, any) {
            (Logic::True, true) => Diagnostic::new(
                &codes::ALWAYS_TRUE,
                part.span,
                "`everyone` makes the other criteria pointless",
            ),
            (Logic::True, false) => {
                Diagnostic::new(&codes::ALWAYS_TRUE, part.span, "`everyone` adds nothing here")
            }
            (Logic::False, true) => {
                Diagnostic::new(&codes::NEVER_TRUE, part.span, "`nobody` adds nothing here")
            }
            (Logic::False, false) => {
                Diagnostic::new(&codes::NEVER_TRUE, part.span, "`nobody` makes the other criteria pointless")
            }
            (Logic::And(_) | Logic::Or(_) | Logic::Of { .. } | Logic::Not(_) | Logic::Leaf(_), _) => continue,
        };
        findings.push(finding.help("leave it out, or take it alone"));
    }
}

/// An age below nothing, or of at least nothing.
pub(in crate::resolve) fn age(test: &NumberTest, span: Span, findings: &mut Vec<Diagnostic>) {
    let NumberTest::Compare(cmp, Operand::Literal(Value::Int(0))) = test else { return };
    match cmp {
        Cmp::Lt => findings.push(Diagnostic::new(&codes::NEVER_TRUE, span, "an age is never below 0")),
        Cmp::Ge => findings.push(
            Diagnostic::new(&codes::ALWAYS_TRUE, span, "an age is always at least 0")
                .help("whether it is known: `birth_date is known`"),
        ),
        Cmp::Eq | Cmp::Ne | Cmp::Le | Cmp::Gt => {}
    }
}

/// A count below nothing, or of at least nothing.
pub(in crate::resolve) fn count(test: &NumberTest, span: Span, findings: &mut Vec<Diagnostic>) {
    let NumberTest::Compare(cmp, Operand::Literal(Value::Int(0))) = test else { return };
    match cmp {
        Cmp::Lt => findings.push(
            Diagnostic::new(&codes::NEVER_TRUE, span, "a count is never below 0")
                .help("no records: `= 0`, or `no …`"),
        ),
        Cmp::Ge => findings.push(
            Diagnostic::new(&codes::ALWAYS_TRUE, span, "a count is always at least 0")
                .help("some record: `>= 1`, or `has …`"),
        ),
        Cmp::Eq | Cmp::Ne | Cmp::Le | Cmp::Gt => {}
    }
}
