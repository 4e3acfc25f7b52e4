//! `count`: how many contacts a run would release, with matched beside it.

use clap::Args;
use hyperseg_engine::{ConsentAge, CountReport, PortfolioReport, Reason};

use crate::context::{Context, Question};
use crate::failure::{Exit, Outcome};
use crate::interrupt;
use crate::output::{Align, Table, grouped};

const EXAMPLE: &str = "\
Examples:
  hyperseg count overdue.seg -d data
  hyperseg count overdue.seg:reminder -d data --as-of 2026-01-05 --param min_opens=3
  echo 'segment s where state = MA' | hyperseg count - -d data --format json
  hyperseg count segments/*.seg -d data --format csv

`releasable` is what `run` would release: matched, less everyone whom consent and suppression
keep out. A segment without purpose and channel only has `matched`. Where a distance is asked for,
the line below says how many of them have no location and were placed by their ZIP. Every count is an entry of
the audit log.

FILE:name of a portfolio counts all of its lists at once: each contact goes to the first segment that
takes it, `taken before` are those whom the segments above it have. Every segment has an entry of its own
in the log.

Several segments are counted together, under one entry of the log that names them all: what they have in common
is read once, so that 200 of them take a fraction of the time that they take one by one.
--format table, json, ndjson or csv.";

/// Count whom segments reach, or the lists of a portfolio.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Count {
    /// Segment files, FILE:name for one of several segments or a portfolio; `-` is standard input.
    #[arg(value_name = "FILE[:NAME]", required = true)]
    segments: Vec<String>,
    /// Exit code 7 when nobody is left, on one list at least.
    #[arg(long)]
    fail_empty: bool,
}

impl Count {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.report_format()?;
        let is_empty = |report: &CountReport| report.releasable.unwrap_or(report.matched) == 0;
        let [segment] = self.segments.as_slice() else {
            let (engine, requests) = context.questions(&self.segments, ConsentAge::Unlimited)?;
            let reports = interrupt::block_on(async { Ok(engine.count_all(&requests).await?) })?;
            context.reports(format, &reports, || beside(&reports), || segments_table(&reports))?;
            let empty = self.fail_empty && reports.iter().any(is_empty);
            return Ok(if empty { Exit::Empty } else { Exit::Done });
        };
        let (engine, question) = context.question(segment, ConsentAge::Unlimited)?;
        let empty = match question {
            Question::Segment(request) => {
                let report = interrupt::block_on(async { Ok(engine.count(&request).await?) })?;
                context.report(format, &report, || text(&report), || table(&report))?;
                is_empty(&report)
            }
            Question::Portfolio(request) => {
                let report = interrupt::block_on(async { Ok(engine.count_portfolio(&request).await?) })?;
                let text = || summary(&report, |count| count);
                context.report(format, &report, text, || segments_table(&report.segments))?;
                report.segments.iter().any(|count| count.releasable == Some(0))
            }
        };
        Ok(if self.fail_empty && empty { Exit::Empty } else { Exit::Done })
    }
}

/// The lists of a portfolio beside each other.
pub fn summary<R>(report: &PortfolioReport<R>, count: impl Fn(&R) -> &CountReport) -> String {
    let right = |name: &'static str| (name, Align::Right);
    let columns = [
        (report.portfolio.as_str(), Align::Left),
        right("matched"),
        right("taken before"),
        right("held back"),
        right("releasable"),
    ];
    let mut table = Table::new(&columns);
    for segment in report.segments.iter().map(count) {
        let removed = |reason: Reason| {
            let own = segment.removed.iter().filter(|removed| removed.reason == reason);
            own.map(|removed| removed.contacts).sum()
        };
        table.row([
            segment.segment.clone(),
            grouped(segment.matched),
            grouped(removed(Reason::Taken)),
            grouped(removed(Reason::Holdout)),
            grouped(segment.releasable.unwrap_or(0)),
        ]);
    }
    let blank = String::new;
    table.gap();
    let (held_back, releasable) = (grouped(report.held_back), grouped(report.releasable));
    table.row(["together".to_owned(), blank(), blank(), held_back, releasable]);
    table.row(["in the dataset".to_owned(), blank(), blank(), blank(), grouped(report.contacts)]);
    table.text()
}

/// Segments that were counted together, beside each other.
fn beside(reports: &[CountReport]) -> String {
    let right = |name: &'static str| (name, Align::Right);
    let mut table = Table::new(&[("", Align::Left), right("matched"), right("releasable")]);
    for report in reports {
        let releasable = report.releasable.map(grouped).unwrap_or_default();
        table.row([report.segment.clone(), grouped(report.matched), releasable]);
    }
    if let Some(first) = reports.first() {
        table.gap();
        table.row(["in the dataset".to_owned(), grouped(first.contacts), String::new()]);
    }
    table.text()
}

/// One line per segment and figure.
fn segments_table(reports: &[CountReport]) -> Table {
    let columns = [("segment", Align::Left), ("figure", Align::Left), ("contacts", Align::Right)];
    let mut table = Table::new(&columns);
    for count in reports {
        for (figure, contacts) in figures(count) {
            table.row([count.segment.clone(), figure, contacts.to_string()]);
        }
    }
    table
}

/// The steps at which contacts leave the list; who was taken is counted by who has taken.
pub fn steps(count: &CountReport) -> Vec<(String, u64)> {
    let mut steps = Vec::new();
    for removed in &count.removed {
        if removed.reason == Reason::Taken {
            let by = count.taken.iter();
            steps.extend(by.map(|taken| (format!("taken by {}", taken.segment), taken.contacts)));
        } else {
            steps.push((removed.reason.name().to_owned(), removed.contacts));
        }
    }
    steps
}

fn text(report: &CountReport) -> String {
    let mut table = Table::new(&[("", Align::Left), ("contacts", Align::Right)]);
    if let Some(releasable) = report.releasable {
        table.row(["releasable".to_owned(), grouped(releasable)]);
    }
    table.row(["matched".to_owned(), grouped(report.matched)]);
    if let Some(placed) = report.placed_by_zip {
        table.row(["  placed by their ZIP".to_owned(), grouped(placed)]);
    }
    table.row(["in the dataset".to_owned(), grouped(report.contacts)]);
    let without = if report.releasable.is_none() {
        "\nA list needs `purpose` and `channel` in the segment; this one has not both.\n"
    } else {
        ""
    };
    format!("{}\n{}{without}", report.segment, table.text())
}

/// One line per figure, the gates in their order.
fn table(report: &CountReport) -> Table {
    let mut table = Table::new(&[("figure", Align::Left), ("contacts", Align::Right)]);
    for (figure, contacts) in figures(report) {
        table.row([figure, contacts.to_string()]);
    }
    table
}

fn figures(report: &CountReport) -> Vec<(String, u64)> {
    let mut figures = vec![("contacts".to_owned(), report.contacts), ("matched".to_owned(), report.matched)];
    figures.extend(report.placed_by_zip.map(|placed| ("placed_by_zip".to_owned(), placed)));
    figures.extend(steps(report));
    figures.extend(report.releasable.map(|releasable| ("releasable".to_owned(), releasable)));
    figures
}
