//! `funnel`: the waterfall, criterion by criterion and gate by gate.

use clap::Args;
use hyperseg_engine::{ConsentAge, FunnelReport, PortfolioReport, StagesReport};

use super::count::{steps, summary};
use crate::context::{Context, Question};
use crate::failure::{Exit, Outcome};
use crate::interrupt;
use crate::output::{Align, Table, bar, counted, grouped};

const EXAMPLE: &str = "\
Examples:
  hyperseg funnel overdue.seg -d data
  hyperseg funnel overdue.seg -d data --by-stage
  hyperseg funnel overdue.seg -d data --format csv > waterfall.csv

For every criterion by itself: for how many contacts it is TRUE, FALSE, and UNKNOWN because
something it asks for is missing; `remaining` have it and all before it TRUE. Then whom consent
and suppression keep out, each contact under the first reason that holds, and what cap, one per,
sample, limit and holdout take away; a split shows its arms. --by-stage divides those who matched:
each is in the first stage whose criteria are TRUE.

FILE:name of a portfolio shows its segments in their order. Behind consent and suppression stands whom
the segments above have taken, counted by which of them has. --format table, json, ndjson or csv.";

/// Blocks of a full bar.
const BAR_WIDTH: usize = 24;
/// Longest criterion in the table.
const LABEL_CHARS_MAX: usize = 64;

/// Show how each criterion and each exclusion narrows the contacts down.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Funnel {
    /// Segment file, FILE:name for one of several segments or a portfolio; `-` is standard input.
    #[arg(value_name = "FILE[:NAME]")]
    segment: String,
    /// Count those who match by stage, too: the stages that the file declares, else the dataset's own, else those that are built in.
    #[arg(long)]
    by_stage: bool,
}

impl Funnel {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.report_format()?;
        let (engine, question) = context.question(&self.segment, ConsentAge::Unlimited)?;
        let stages = |source: &str| match self.by_stage {
            true => context.stages(&self.segment, &engine, source).map(Some),
            false => Ok(None),
        };
        match question {
            Question::Segment(request) => {
                let stages = stages(&request.source)?;
                let report = interrupt::block_on(async {
                    Ok(match &stages {
                        Some(stages) => engine.funnel_by_stage(&request, stages).await?,
                        None => engine.funnel(&request).await?,
                    })
                })?;
                context.report(format, &report, || waterfall(&report), || table(&report))?;
            }
            Question::Portfolio(request) => {
                let stages = stages(&request.source)?;
                let report = interrupt::block_on(async {
                    Ok(engine.funnel_portfolio(&request, stages.as_ref()).await?)
                })?;
                context.report(format, &report, || waterfalls(&report), || portfolio_table(&report))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The waterfalls of a portfolio's segments in their order, then the lists beside each other.
fn waterfalls(report: &PortfolioReport<FunnelReport>) -> String {
    let each: String = report.segments.iter().map(|funnel| waterfall(funnel) + "\n").collect();
    each + &summary(report, |funnel| &funnel.count)
}

fn portfolio_table(report: &PortfolioReport<FunnelReport>) -> Table {
    let mut columns = vec![("segment", Align::Left)];
    columns.extend(COLUMNS);
    let mut table = Table::new(&columns);
    for funnel in &report.segments {
        for row in rows(funnel) {
            let [step, label, is_true, is_false, unknown, removed, remaining, unknown_rows] = row;
            let segment = funnel.count.segment.clone();
            table.row([segment, step, label, is_true, is_false, unknown, removed, remaining, unknown_rows]);
        }
    }
    table
}

/// The waterfall for people.
pub fn waterfall(report: &FunnelReport) -> String {
    let count = &report.count;
    let whole = count.contacts;
    let columns = [
        (count.segment.as_str(), Align::Left),
        ("TRUE", Align::Right),
        ("FALSE", Align::Right),
        ("UNKNOWN", Align::Right),
        ("removed", Align::Right),
        ("remaining", Align::Right),
        ("", Align::Left),
    ];
    let mut table = Table::new(&columns);
    let blank = String::new;
    let line = |left: u64| [grouped(left), bar(left, whole, BAR_WIDTH)];
    let plain = |label: &str, removed: String, [left, blocks]: [String; 2]| {
        [label.to_owned(), blank(), blank(), blank(), removed, left, blocks]
    };
    table.row(plain("everyone in the dataset", blank(), line(whole)));
    for criterion in &report.criteria {
        let [left, blocks] = line(criterion.cumulative);
        table.row([
            shortened(&criterion.label),
            grouped(criterion.is_true),
            grouped(criterion.is_false),
            grouped(criterion.is_unknown),
            blank(),
            left,
            blocks,
        ]);
    }
    table.gap();
    let mut left = count.matched;
    table.row(plain("matched", blank(), line(left)));
    for (step, removed) in steps(count) {
        left = left.saturating_sub(removed);
        table.row(plain(&format!("  {step}"), grouped(removed), line(left)));
    }
    if let Some(releasable) = count.releasable {
        table.row(plain("releasable", blank(), line(releasable)));
    }
    for arm in &count.arms {
        table.row(plain(&format!("  arm {}", arm.arm), blank(), line(arm.contacts)));
    }
    if let Some(stages) = &report.stages {
        table.gap();
        for (name, contacts) in by_stage(stages) {
            table.row(plain(&format!("in {name}"), blank(), line(contacts)));
        }
    }
    let mut text = table.text();
    let tallied: u64 = report.criteria.iter().map(|criterion| criterion.unknown_rows).sum();
    if tallied > 0 {
        text.push_str(&format!(
            "\nNot counted because their filter was UNKNOWN: {}.\n",
            counted(tallied, "record")
        ));
    }
    if let Some(placed) = report.count.placed_by_zip {
        text.push_str(&format!(
            "\nOf those who matched, without a location and placed by their ZIP: {}.\n",
            grouped(placed)
        ));
    }
    text
}

/// Names of the stages with their contacts, those in none of them last.
fn by_stage(stages: &StagesReport) -> impl Iterator<Item = (String, u64)> {
    let named = stages.stages.iter().map(|stage| (format!("stage {}", stage.name), stage.contacts));
    named.chain([("no stage".to_owned(), stages.in_none)])
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS_MAX {
        return label.to_owned();
    }
    label.chars().take(LABEL_CHARS_MAX - 1).chain(['…']).collect()
}

const COLUMNS: [(&str, Align); 8] = [
    ("step", Align::Left),
    ("label", Align::Left),
    ("true", Align::Right),
    ("false", Align::Right),
    ("unknown", Align::Right),
    ("removed", Align::Right),
    ("remaining", Align::Right),
    ("unknown_rows", Align::Right),
];

fn table(report: &FunnelReport) -> Table {
    let mut table = Table::new(&COLUMNS);
    rows(report).into_iter().for_each(|row| table.row(row));
    table
}

fn rows(report: &FunnelReport) -> Vec<[String; COLUMNS.len()]> {
    let mut rows = Vec::new();
    let count = &report.count;
    let blank = String::new;
    let plain = |step: &str, label: &str, removed: String, left: u64| {
        [step.to_owned(), label.to_owned(), blank(), blank(), blank(), removed, left.to_string(), blank()]
    };
    rows.push(plain("contacts", "", blank(), count.contacts));
    for criterion in &report.criteria {
        rows.push([
            "criterion".to_owned(),
            criterion.label.clone(),
            criterion.is_true.to_string(),
            criterion.is_false.to_string(),
            criterion.is_unknown.to_string(),
            blank(),
            criterion.cumulative.to_string(),
            criterion.unknown_rows.to_string(),
        ]);
    }
    rows.push(plain("matched", "", blank(), count.matched));
    if let Some(placed) = count.placed_by_zip {
        rows.push(plain("placed_by_zip", "", blank(), placed));
    }
    let mut left = count.matched;
    for (step, removed) in steps(count) {
        left = left.saturating_sub(removed);
        rows.push(plain("removed", &step, removed.to_string(), left));
    }
    if let Some(releasable) = count.releasable {
        rows.push(plain("releasable", "", blank(), releasable));
    }
    for arm in &count.arms {
        rows.push(plain("arm", &arm.arm, blank(), arm.contacts));
    }
    for (name, contacts) in report.stages.iter().flat_map(by_stage) {
        rows.push(plain("stage", name.trim_start_matches("stage "), blank(), contacts));
    }
    rows
}
