//! Reads an executed plan: text for people, figures for reports. Scans are shown by table, columns and figures, never
//! with the literals of their predicates.

use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};

use super::exec::SetExec;
use super::recipients::RecipientsExec;
use crate::report::Counters;
use crate::table::SealedFile;

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

fn collect(plan: &Arc<dyn ExecutionPlan>, visit: &mut impl FnMut(&Arc<dyn ExecutionPlan>)) {
    visit(plan);
    for child in plan.children() {
        collect(child, visit);
    }
}

fn scan(plan: &Arc<dyn ExecutionPlan>) -> Option<Scan> {
    let exec = plan.downcast_ref::<DataSourceExec>()?;
    let config = exec.data_source().downcast_ref::<FileScanConfig>()?;
    let mut columns: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
    let schema = config.file_schema();
    if let Some(predicate) = config.file_source().filter() {
        for column in datafusion::physical_expr::utils::collect_columns(&predicate) {
            if schema.field_with_name(column.name()).is_ok() {
                columns.push(column.name().to_owned());
            }
        }
    }
    columns.sort();
    columns.dedup();
    let files = config.file_groups.iter().flat_map(|group| group.files());
    Some(Scan { files: files.filter_map(|file| file.extension::<SealedFile>().cloned()).collect(), columns })
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
    if let Some(scan) = scan(plan) {
        let table = scan.files.first().map_or_else(
            || "no files".to_owned(),
            |file| format!("{} ({})", file.entry.table, file.entry.class),
        );
        let rows: u64 = scan.files.iter().map(|file| file.entry.rows).sum();
        return format!(
            "EncryptedScan: {table}, files={}, rows={rows}, columns={}",
            scan.files.len(),
            scan.columns.join(" ")
        );
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let mut columns: Vec<String> = datafusion::physical_expr::utils::collect_columns(filter.predicate())
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        columns.sort();
        return format!("FilterExec: on {}", columns.join(" "));
    }
    if plan.is::<SetExec>() || plan.is::<RecipientsExec>() {
        return datafusion::physical_plan::displayable(plan.as_ref())
            .one_line()
            .to_string()
            .trim_end()
            .to_owned();
    }
    plan.name().to_owned()
}

fn figures(plan: &Arc<dyn ExecutionPlan>) -> String {
    let Some(metrics) = plan.metrics() else { return String::new() };
    let mut parts: Vec<String> = Vec::new();
    if plan.is::<DataSourceExec>() {
        let scan = scan_figures(&metrics);
        parts.push(format!("rows={}", scan.rows_decoded));
        parts.push(format!("row_groups={}", scan.row_groups));
        parts.push(format!("row_groups_pruned={}", scan.row_groups_pruned));
        parts.push(format!("bytes_decrypted={}", scan.bytes_read));
    } else if plan.is::<SetExec>() || plan.is::<RecipientsExec>() {
        for (name, value) in counters(plan) {
            parts.push(format!("{name}={value}"));
        }
    } else if let Some(rows) = metrics.output_rows() {
        parts.push(format!("rows={rows}"));
    }
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
        if let Some(metrics) = node.metrics().filter(|_| node.is::<DataSourceExec>()) {
            let scan = scan_figures(&metrics);
            sum.files_read += scan.files_read;
            sum.row_groups += scan.row_groups;
            sum.row_groups_pruned += scan.row_groups_pruned;
            sum.rows_decoded += scan.rows_decoded;
            sum.bytes_read += scan.bytes_read;
        }
    });
    sum
}

fn scan_figures(metrics: &MetricsSet) -> Counters {
    let mut figures = Counters::default();
    for metric in metrics.iter() {
        match metric.value() {
            MetricValue::OutputRows(count) => figures.rows_decoded += count.value() as u64,
            MetricValue::Count { name, count } if name == "bytes_scanned" => {
                let bytes = count.value() as u64;
                figures.bytes_read += bytes;
                figures.files_read += u64::from(bytes > 0);
            }
            MetricValue::PruningMetrics { name, pruning_metrics }
                if name == "row_groups_pruned_statistics" =>
            {
                figures.row_groups_pruned += pruning_metrics.pruned() as u64;
                figures.row_groups += (pruning_metrics.pruned() + pruning_metrics.matched()) as u64;
            }
            _ => {}
        }
    }
    figures
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
