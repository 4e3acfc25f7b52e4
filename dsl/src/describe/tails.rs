//! What shapes the list, in words and in the order in which it happens.

use super::tests_in_words::amount;
use super::values::spaced;
use super::windows::length;
use super::{listed, one_line};
use crate::schema::Schema;
use crate::segment::{Direction, Segment};

/// A sentence for each clause.
pub(super) fn tails(segment: &Segment, schema: &Schema) -> String {
    let mut out = String::new();
    if let Some(cap) = &segment.cap {
        out.push_str(&format!(
            "Leaves out contacts with {} or more deliveries on the channel in the last {}.\n",
            cap.count,
            length(cap.per)
        ));
    }
    let order = segment.limit.as_ref().and_then(|limit| limit.by.as_ref());
    let first = order.map(|order| {
        let end = match order.direction {
            Direction::Asc => "least",
            Direction::Desc => "greatest",
        };
        format!("{end} {} first, then the least id", amount(&order.amount, schema))
    });
    let first = first.unwrap_or_else(|| "least id first".to_owned());
    if let Some(one_per) = &segment.one_per {
        let field = spaced(&one_per.field);
        out.push_str(&format!("Keeps one contact for each {field} ({first}).\n"));
    }
    if let Some(sample) = &segment.sample {
        let (percent, seed) = (percent(sample.percent_millis), one_line(&sample.seed));
        out.push_str(&format!("Keeps {percent}% of them by chance (seed \"{seed}\").\n"));
    }
    if let Some(limit) = &segment.limit {
        out.push_str(&format!("Keeps at most {} of them ({first}).\n", limit.count));
    }
    if let Some(holdout) = &segment.holdout {
        let (percent, seed) = (percent(holdout.percent_millis), one_line(&holdout.seed));
        out.push_str(&format!("Holds back {percent}% of them by chance (seed \"{seed}\").\n"));
    }
    if let Some(split) = &segment.split {
        let arms: Vec<String> =
            split.arms.iter().map(|arm| format!("{} ({}%)", arm.name, percent(arm.percent_millis))).collect();
        let (arms, seed) = (listed(&arms, "and"), one_line(&split.seed));
        out.push_str(&format!("Divides the list by chance into {arms} (seed \"{seed}\").\n"));
    }
    out
}

fn percent(millis: u32) -> f64 {
    f64::from(millis) / 1000.0
}
