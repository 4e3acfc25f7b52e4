//! `plan`: how a segment is answered, and what is unlocked for it.

use clap::Args;
use hyperseg_engine::{ConsentAge, PlanReport, SegmentPlan, UnlockedColumn};

use crate::commands::funnel::waterfall;
use crate::context::{Context, Question};
use crate::failure::{Exit, Outcome};
use crate::interrupt;
use crate::output::{Align, Format, Table, bytes, grouped, json};

const EXAMPLE: &str = "\
Examples:
  hyperseg plan overdue.seg -d data
  hyperseg plan --analyze overdue.seg -d data

Shows the logical and the physical plan and every column whose key the plan asks for; nothing
else can be decrypted while it runs. With --analyze the plan is carried out, with rows, bytes
and times of its parts. As for a funnel, each criterion is answered for everybody; count and run open the
same columns, and read of each criterion what concerns those whom the others leave. The segments of a portfolio have a plan each, in their order; a later one asks
whom those before it have taken. --format table or json.";

/// Show how a segment is answered and which columns and keys it opens.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Plan {
    /// Segment file, FILE:name for one of several segments or a portfolio; `-` is standard input.
    #[arg(value_name = "FILE[:NAME]")]
    segment: String,
    /// Carry the plan out and show what it did.
    #[arg(long)]
    analyze: bool,
}

impl Plan {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json])?;
        let (engine, question) = context.question(&self.segment, ConsentAge::Unlimited)?;
        let text = match question {
            Question::Segment(request) => {
                let report = interrupt::block_on(async { Ok(engine.plan(&request, self.analyze).await?) })?;
                if format == Format::Json { json(&report)? } else { text(&report) }
            }
            Question::Portfolio(request) => {
                let plans =
                    interrupt::block_on(async { Ok(engine.plan_portfolio(&request, self.analyze).await?) })?;
                let each = |plan: &SegmentPlan| format!("Segment {}\n\n{}", plan.segment, text(&plan.plan));
                let texts = || plans.iter().map(each).collect::<Vec<_>>().join("\n");
                if format == Format::Json { json(&plans)? } else { texts() }
            }
        };
        context.terminal.out(&text)?;
        Ok(Exit::Done)
    }
}

fn text(report: &PlanReport) -> String {
    let mut text = format!(
        "Logical plan\n{}\nPhysical plan\n{}\nColumns unlocked\n{}",
        indented(&report.logical),
        indented(&report.physical),
        indented(&unlocked(&report.columns).text())
    );
    if let Some(funnel) = &report.analyzed {
        let counters = &funnel.count.scope.counters;
        let times = &report.times;
        text.push_str(&format!(
            "\nLowered in {} µs, optimized in {} µs, planned in {} µs\nCarried out in {} ms: {} files, {} blocks of rows judged, {} ruled out, {} without a doubt; {} pages, {} rows decoded, {} of ciphertext\n\n{}",
            grouped(times.lower_micros),
            grouped(times.optimize_micros),
            grouped(times.plan_micros),
            counters.elapsed_ms,
            grouped(counters.files_read),
            grouped(counters.blocks),
            grouped(counters.blocks_pruned),
            grouped(counters.blocks_known),
            grouped(counters.pages_read),
            grouped(counters.rows_decoded),
            bytes(counters.bytes_read),
            waterfall(funnel)
        ));
    }
    text
}

fn unlocked(columns: &[UnlockedColumn]) -> Table {
    let mut table = Table::new(&[
        ("table", Align::Left),
        ("column", Align::Left),
        ("class", Align::Left),
        ("keys", Align::Right),
    ]);
    for column in columns {
        table.row([
            column.table.clone(),
            column.column.clone(),
            column.class.name().to_owned(),
            grouped(column.keys),
        ]);
    }
    table
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("  {line}\n")).collect()
}
