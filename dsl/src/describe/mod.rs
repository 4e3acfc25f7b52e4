//! A typed segment in plain English.
//!
//! In: a segment, bound or not, and the schema. Out: a few sentences, the same for the same segment every time; they
//! go into the audit record, so nothing that the segment tests is left out, long lists of codes and values apart:
//! those say how many there are. Parameters that are not bound yet show as `$name`.

mod portfolios;
mod tails;
mod tests_in_words;
mod values;
mod windows;

pub use portfolios::{describe_in_portfolio, describe_order, describe_portfolio};

use crate::lookups::{Pin, PinKind};
use crate::schema::Schema;
use crate::segment::{ContactTest, Criteria, Logic, Segment};

/// Describes a segment.
#[must_use]
pub fn describe(segment: &Segment, schema: &Schema) -> String {
    let mut out = segment.name.clone();
    if let Some(title) = &segment.title {
        out.push_str(&format!(": {}", one_line(title)));
    }
    out.push('\n');
    out.push_str(&approach(segment));
    match segment.criteria.as_slice() {
        [] => {}
        [only] => out.push_str(&format!("Takes contacts for whom {}.\n", words(&only.test, schema))),
        all => {
            out.push_str("Takes contacts for whom all of this holds:\n");
            for criterion in all {
                out.push_str(&format!("- {}\n", words(&criterion.test, schema)));
            }
        }
    }
    if let Some(exclude) = &segment.exclude {
        out.push_str(&format!("Leaves out contacts for whom {}.\n", words(&exclude.test, schema)));
    }
    out.push_str(&tails::tails(segment, schema));
    if segment.output.is_empty() {
        out.push_str("The list holds the contact's id and the address.\n");
    } else {
        let fields: Vec<String> = segment.output.iter().map(|field| values::spaced(field)).collect();
        out.push_str(&format!("The list holds the contact's id, the address, {}.\n", listed(&fields, "and")));
    }
    let (stages, sets): (Vec<&Pin>, _) = segment.pins.iter().partition(|pin| pin.kind == PinKind::Stages);
    if !sets.is_empty() {
        let sets: Vec<String> = sets.into_iter().map(pin).collect();
        out.push_str(&format!("Sets were closed against {}.\n", listed(&sets, "and")));
    }
    if let [stages] = stages.as_slice() {
        out.push_str(&format!("Stages are those of the dataset (SHA-256 {}).\n", stages.sha256));
    }
    out
}

fn pin(pin: &Pin) -> String {
    format!("{} \"{}\" (SHA-256 {})", pin.kind.word(), pin.name.escape_debug(), pin.sha256)
}

fn approach(segment: &Segment) -> String {
    match (segment.purpose, segment.channel) {
        (Some(purpose), Some(channel)) => {
            format!("For {} by {}.\n", values::spaced(purpose.name()), values::channel(channel))
        }
        (Some(purpose), None) => {
            format!("For {}; without a channel nothing is released.\n", values::spaced(purpose.name()))
        }
        (None, Some(channel)) => {
            format!("By {}; without a purpose nothing is released.\n", values::channel(channel))
        }
        (None, None) => "Without purpose and channel nothing is released.\n".to_owned(),
    }
}

/// Criteria as a clause that follows "contacts for whom".
fn words(criteria: &Criteria, schema: &Schema) -> String {
    logic(criteria, Place::Alone, &|test, negated| tests_in_words::contact(test, negated, schema))
}

/// One test as a clause that follows "contacts for whom".
pub(crate) fn test(test: &ContactTest, schema: &Schema) -> String {
    tests_in_words::contact(test, false, schema)
}

/// What surrounds a part, for the parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Alone,
    Inside,
}

/// Logic over leaves that can say themselves and their negation.
fn logic<L>(of: &Logic<L>, place: Place, leaf: &dyn Fn(&L, bool) -> String) -> String {
    let several = |parts: &[Logic<L>], word: &str| {
        let parts: Vec<String> = parts.iter().map(|part| logic(part, Place::Inside, leaf)).collect();
        let text = parts.join(&format!(" {word} "));
        if place == Place::Inside { format!("({text})") } else { text }
    };
    match of {
        Logic::True => "nothing is asked".to_owned(),
        Logic::False => "nothing can hold".to_owned(),
        Logic::And(parts) => several(parts, "and"),
        Logic::Or(parts) => several(parts, "or"),
        Logic::Of { quantity, number, parts } => {
            let parts: Vec<String> = parts.iter().map(|part| logic(part, Place::Inside, leaf)).collect();
            let verb = if *number == 1 { "holds" } else { "hold" };
            format!("{} {number} of these {verb} ({})", quantity.words(), parts.join("; "))
        }
        Logic::Not(inner) => match inner.as_ref() {
            Logic::Leaf(test) => leaf(test, true),
            Logic::True | Logic::False | Logic::And(_) | Logic::Or(_) | Logic::Of { .. } | Logic::Not(_) => {
                format!("it is not so that {}", logic(inner, Place::Inside, leaf))
            }
        },
        Logic::Leaf(test) => leaf(test, false),
    }
}

/// `a, b and c`.
fn listed(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [all @ .., last] => format!("{} {word} {last}", all.join(", ")),
    }
}

/// Text of the author on one line of a description.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
