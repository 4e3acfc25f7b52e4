//! `count`: how many contacts a run would release, with matched beside it.

use clap::Args;
use hyperseg_engine::{ConsentAge, CountReport};

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::interrupt;
use crate::output::{Align, Table, grouped};

const EXAMPLE: &str = "\
Examples:
  hyperseg count overdue.seg -d data
  hyperseg count overdue.seg:reminder -d data --as-of 2026-01-05 --param min_opens=3
  echo 'segment s where state = MA' | hyperseg count - -d data --format json

`releasable` is what `run` would release: matched, less everyone whom consent and suppression
keep out. A segment without purpose and channel only has `matched`. Where a distance is asked for,
the line below says how many of them have no location and were placed by their ZIP. Every count is an entry of
the audit log. --format table, json, ndjson or csv.";

/// Count whom a segment reaches.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Count {
    /// Segment file, FILE:segment for one of several; `-` is standard input.
    #[arg(value_name = "FILE[:SEGMENT]")]
    segment: String,
    /// Exit code 7 when nobody is left.
    #[arg(long)]
    fail_empty: bool,
}

impl Count {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.report_format()?;
        let (engine, request) = context.request(&self.segment, ConsentAge::Unlimited)?;
        let report = interrupt::block_on(async { Ok(engine.count(&request).await?) })?;
        context.report(format, &report, || text(&report), || table(&report))?;
        let left = report.releasable.unwrap_or(report.matched);
        Ok(if self.fail_empty && left == 0 { Exit::Empty } else { Exit::Done })
    }
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
    table.row(["contacts".to_owned(), report.contacts.to_string()]);
    table.row(["matched".to_owned(), report.matched.to_string()]);
    if let Some(placed) = report.placed_by_zip {
        table.row(["placed_by_zip".to_owned(), placed.to_string()]);
    }
    for removed in &report.removed {
        table.row([removed.reason.name().to_owned(), removed.contacts.to_string()]);
    }
    if let Some(releasable) = report.releasable {
        table.row(["releasable".to_owned(), releasable.to_string()]);
    }
    table
}
