//! Reads an executed plan: text for people, figures for reports. Scans are shown by table, columns and figures, never
//! with the literals of their predicates.

use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;

use super::amounts::AmountsExec;
use super::exec::SetExec;
use super::recipients::RecipientsExec;
use crate::report::Counters;
use crate::table::{EncryptedScan, SealedFile};

/// A scan of the plan: the files it may read and the columns it asks for.
pub(crate) struct Scan {
    /// Files, all shards together.
    pub(crate) files: Vec<SealedFile>,
    /// Columns that are projected or filtered on.
    pub(crate) columns: Vec<String>,
}

/// Every scan of a plan, in the order of the text.
pub(crate) fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<Scan> {
    let mut found = Vec::new();
    collect(plan, &mut |node| found.extend(scan(node)));
    found
}

/// Visits every node once, also one that stands in several places.
fn collect(plan: &Arc<dyn ExecutionPlan>, visit: &mut impl FnMut(&Arc<dyn ExecutionPlan>)) {
    let mut seen: Vec<*const ()> = Vec::new();
    let mut left = vec![plan];
    while let Some(node) = left.pop() {
        let place = Arc::as_ptr(node).cast::<()>();
        if !seen.contains(&place) {
            seen.push(place);
            visit(node);
            left.extend(node.children().into_iter().rev());
        }
    }
}

fn scan(plan: &Arc<dyn ExecutionPlan>) -> Option<Scan> {
    let order = plan.downcast_ref::<EncryptedScan>()?.order();
    let files = order.source.shards.iter().flatten().cloned().collect();
    Some(Scan { files, columns: order.columns() })
}

/// The plan as indented text; with figures once it was executed.
pub(crate) fn text(plan: &Arc<dyn ExecutionPlan>, analyzed: bool) -> String {
    let mut out = String::new();
    write_node(plan, 0, analyzed, &mut out);
    out
}

fn write_node(plan: &Arc<dyn ExecutionPlan>, depth: usize, analyzed: bool, out: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = write!(out, "{indent}{}", line(plan));
    if analyzed {
        let figures = figures(plan);
        if !figures.is_empty() {
            let _ = write!(out, "  [{figures}]");
        }
    }
    out.push('\n');
    for child in plan.children() {
        write_node(child, depth + 1, analyzed, out);
    }
}

fn line(plan: &Arc<dyn ExecutionPlan>) -> String {
    if is_ours(plan) {
        return datafusion::physical_plan::displayable(plan.as_ref())
            .one_line()
            .to_string()
            .trim_end()
            .to_owned();
    }
    plan.name().to_owned()
}

fn is_ours(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<SetExec>()
        || plan.is::<RecipientsExec>()
        || plan.is::<AmountsExec>()
        || plan.is::<EncryptedScan>()
}

fn figures(plan: &Arc<dyn ExecutionPlan>) -> String {
    if !is_ours(plan) {
        return String::new();
    }
    let parts: Vec<String> =
        counters(plan).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.join(" ")
}

/// The counters of one of our nodes, summed over shards, in the order in which they were first counted.
pub(crate) fn counters(plan: &Arc<dyn ExecutionPlan>) -> Vec<(String, u64)> {
    let mut sums: Vec<(String, u64)> = Vec::new();
    let Some(metrics) = plan.metrics() else { return sums };
    for metric in metrics.iter() {
        if let MetricValue::Count { name, count } = metric.value() {
            let value = count.value() as u64;
            match sums.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += value,
                None => sums.push((name.to_string(), value)),
            }
        }
    }
    sums
}

/// One counter of one of our nodes, 0 when it was never counted.
pub(crate) fn counter(plan: &Arc<dyn ExecutionPlan>, name: &str) -> u64 {
    counters(plan).into_iter().find(|(known, _)| known == name).map_or(0, |(_, value)| value)
}

/// Sum of a counter over a node and everything below it.
pub(crate) fn counter_below(plan: &Arc<dyn ExecutionPlan>, name: &str) -> u64 {
    let mut sum = 0;
    collect(plan, &mut |node| sum += counter(node, name));
    sum
}

/// Figures of all scans of an executed plan.
pub(crate) fn scan_counters(plan: &Arc<dyn ExecutionPlan>) -> Counters {
    let mut sum = Counters::default();
    collect(plan, &mut |node| {
        if node.is::<EncryptedScan>() {
            for (name, value) in counters(node) {
                match name.as_str() {
                    "files" => sum.files_read += value,
                    "blocks" => sum.blocks += value,
                    "blocks_pruned" => sum.blocks_pruned += value,
                    "blocks_known" => sum.blocks_known += value,
                    "rows_decoded" => sum.rows_decoded += value,
                    "pages" => sum.pages_read += value,
                    "bytes" => sum.bytes_read += value,
                    _ => {}
                }
            }
        }
    });
    sum
}

/// The first node of the plan, from the top, for which `wanted` holds.
pub(crate) fn find(
    plan: &Arc<dyn ExecutionPlan>,
    wanted: &impl Fn(&Arc<dyn ExecutionPlan>) -> bool,
) -> Option<Arc<dyn ExecutionPlan>> {
    if wanted(plan) {
        return Some(Arc::clone(plan));
    }
    plan.children().into_iter().find_map(|child| find(child, wanted))
}
