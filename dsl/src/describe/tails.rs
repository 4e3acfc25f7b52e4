//! What shapes the list, in words and in the order in which it happens.

use super::{listed, one_line};
use crate::segment::Segment;

/// A sentence for each clause.
pub(super) fn tails(segment: &Segment) -> String {
    let mut out = String::new();
    if let Some(sample) = &segment.sample {
        let (percent, seed) = (percent(sample.percent_millis), one_line(&sample.seed));
        out.push_str(&format!("Keeps {percent}% of them by chance (seed \"{seed}\").\n"));
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
