//! A criterion beside its own negation, and parts of an `or` that leave no number out.

use super::Part;
use super::contradiction::{Bound, Fact, Facts, Subject};
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::Logic;

/// Parts beyond this many are not compared with each other.
const PARTS_MAX: usize = 200;

/// `P and not P`, which is never TRUE; `P or not P`, which is TRUE whenever P is known.
pub(super) fn negated<L: PartialEq>(parts: &[Part<L>], any: bool, findings: &mut Vec<Diagnostic>) {
    let parts = parts.get(..parts.len().min(PARTS_MAX)).unwrap_or(parts);
    let opposite = |a: &Logic<L>, b: &Logic<L>| match (a, b) {
        (Logic::Not(inner), other) | (other, Logic::Not(inner)) => **inner == *other,
        _ => false,
    };
    for (index, part) in parts.iter().enumerate() {
        let before = parts.iter().take(index);
        let Some(first) = before.into_iter().find(|first| opposite(&first.logic, &part.logic)) else {
            continue;
        };
        let finding = if any {
            Diagnostic::new(&codes::ALWAYS_TRUE, part.span, "this is the opposite of another part")
                .help("one of the two always holds where it is known")
        } else {
            Diagnostic::new(&codes::NEVER_TRUE, part.span, "this is the opposite of another part")
                .help("did you mean `or`?")
        };
        findings.push(finding.related(first.span, "the other part"));
        return;
    }
}

/// `age < 65 or age >= 65`: reports the last part that is needed to take every number.
pub(super) fn covered<L: Facts>(parts: &[Part<L>], findings: &mut Vec<Diagnostic>) {
    let parts = parts.get(..parts.len().min(PARTS_MAX)).unwrap_or(parts);
    let mut subjects: Vec<(Subject<'_>, Vec<(Bound, Bound)>)> = Vec::new();
    for part in parts {
        let Logic::Leaf(leaf) = &part.logic else { continue };
        let Some((subject, Fact::Between(low, high))) = leaf.fact() else { continue };
        let place = subjects.iter().position(|(other, _)| *other == subject).unwrap_or_else(|| {
            subjects.push((subject, Vec::new()));
            subjects.len() - 1
        });
        let Some((_, taken)) = subjects.get_mut(place) else { continue };
        taken.push((low, high));
        if taken.len() > 1 && all(taken, subject.whole_from()) {
            let message = format!("together these take every value of {}", subject.name());
            findings.push(
                Diagnostic::new(&codes::ALWAYS_TRUE, part.span, message)
                    .help("did you mean `and`? whether there is a value at all is `is known`"),
            );
            return;
        }
    }
}

/// The intervals leave nothing out; of whole numbers, nothing from `least` on.
fn all(taken: &[(Bound, Bound)], least: Option<f64>) -> bool {
    let mut taken = taken.to_vec();
    taken.sort_by(|(a, _), (b, _)| a.at.total_cmp(&b.at).then(b.inside.cmp(&a.inside)));
    let mut reach = Bound { at: f64::NEG_INFINITY, inside: false };
    let mut first = true;
    for (low, high) in taken {
        let touches = if first {
            match least {
                Some(least) => low.least_whole() <= least,
                None => low.at == f64::NEG_INFINITY,
            }
        } else {
            let step =
                if least.is_some() { low.least_whole() - reach.greatest_whole() } else { f64::INFINITY };
            low.at < reach.at || low.at <= reach.at && (low.inside || reach.inside) || step <= 1.0
        };
        if !touches {
            return false;
        }
        if first || high.at > reach.at || high.at >= reach.at && high.inside {
            reach = high;
        }
        first = false;
    }
    reach.at == f64::INFINITY
}
