//! `why`: what decided whether one contact is on the list of a segment.

use clap::Args;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::semantics::{Evidence, Fact, Row, Step, Trace, TracedCriterion, TracedGate, Truth};
use hyperseg_engine::{ConsentAge, PortfolioWhyReport, Reason, SegmentTrace, WhyReport};

use crate::context::{Context, Question};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{self, Format};

const EXAMPLE: &str = "\
Examples:
  hyperseg why --contact c-000042 overdue.seg -d data --as-of 2026-01-01
  hyperseg why --contact c-000042 overdue.seg:reminder -d data --format json

Every criterion with ✓ TRUE, ✗ FALSE or ? UNKNOWN, the values and records that decided it, and the gates of
consent and suppression: ✓ open, ✗ closed, and which of the closed ones removes the contact. Only fields that
the segment names are read and shown. The answer comes from the reference semantics, which share nothing
with the query engine. That you looked at this contact is an entry of the audit log; what you saw is not.
An id that the dataset does not have is exit code 2.

FILE:name of a portfolio says which of its segments takes the contact, or that none does, and what each of
them says of it. --format table or json.";

/// Show why a contact is on a list, or is not.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Why {
    /// Segment file, FILE:name for one of several segments or a portfolio; `-` is standard input.
    #[arg(value_name = "FILE[:NAME]")]
    segment: String,
    /// Id of the contact.
    #[arg(long, value_name = "ID")]
    contact: String,
}

impl Why {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json])?;
        let (engine, question) = context.question(&self.segment, ConsentAge::Unlimited)?;
        let refused = |error| {
            let unknown = matches!(error, hyperseg_engine::Error::UnknownContact);
            let failure = Failure::from(error);
            if unknown { failure.hint("ids are compared character by character") } else { failure }
        };
        let json = format == Format::Json;
        let rendered = match question {
            Question::Segment(request) => {
                let report = engine.why_blocking(&request, &self.contact).map_err(refused)?;
                if json { output::json(&report)? } else { text(&report) }
            }
            Question::Portfolio(request) => {
                let report = engine.why_portfolio_blocking(&request, &self.contact).map_err(refused)?;
                if json { output::json(&report)? } else { portfolio_text(&report) }
            }
        };
        context.terminal.out(&rendered)?;
        Ok(Exit::Done)
    }
}

fn text(report: &WhyReport) -> String {
    let outcome = outcome(&report.trace, None);
    format!("{}: {outcome}\n{}\nmoment: {}\n", report.segment, traced(&report.trace), moment(&report.clock))
}

/// Who takes the contact, then what each segment says of it.
fn portfolio_text(report: &PortfolioWhyReport) -> String {
    let taker = match (&report.taken_by, report.held_back) {
        (None, _) => "no segment takes the contact".to_owned(),
        (Some(segment), false) => format!("taken by {segment}, on its list"),
        (Some(segment), true) => format!("taken by {segment}, held back for comparison and on no list"),
    };
    let mut text = format!("{}: {taker}\n", report.portfolio);
    for SegmentTrace { segment, taken_by, trace } in &report.segments {
        let outcome = outcome(trace, taken_by.as_deref());
        text.push_str(&format!("\n{segment}: {outcome}\n{}", traced(trace)));
    }
    text.push_str(&format!("\nmoment: {}\n", moment(&report.clock)));
    text
}

fn traced(trace: &Trace) -> String {
    let mut text = String::new();
    for criterion in &trace.criteria {
        text.push('\n');
        push_criterion(&mut text, "", criterion);
    }
    if let Some(exclude) = &trace.exclude {
        text.push('\n');
        push_criterion(&mut text, "exclude ", exclude);
    }
    if trace.gates.is_empty() {
        text.push_str("\nNo gates: a list needs `purpose` and `channel`; this segment has not both.\n");
    } else {
        text.push_str("\nconsent and suppression\n");
        for gate in &trace.gates {
            push_gate(&mut text, gate);
        }
    }
    text
}

fn moment(clock: &Clock) -> String {
    let instant = chrono::DateTime::from_timestamp_micros(clock.as_of_micros).unwrap_or_default();
    instant.with_timezone(&clock.zone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn outcome(trace: &Trace, taken_by: Option<&str>) -> String {
    let truths = trace.criteria.iter().map(|criterion| criterion.step.truth);
    match (trace.listed, trace.blocked, truths.fold(Truth::True, Truth::and)) {
        (Some(true), _, _) => "on the list".to_owned(),
        (_, Some(Reason::Taken), _) => {
            format!(
                "not on the list: the criteria hold, but the contact is taken by {}",
                taken_by.unwrap_or("another segment")
            )
        }
        (_, Some(reason), _) => format!("not on the list: the criteria hold, but {}", words(reason)),
        (_, None, Truth::False) => "not on the list: the criteria are FALSE".to_owned(),
        (_, None, Truth::Unknown) => "not on the list: the criteria are UNKNOWN".to_owned(),
        (_, None, Truth::True) => {
            "the criteria hold; without purpose and channel there is no list".to_owned()
        }
    }
}

fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Excluded => "the contact is excluded by the segment",
        Reason::Deceased => "the contact has died",
        Reason::NoAddress => "there is no address on the channel",
        Reason::HardBounce => "mail came back for good",
        Reason::Complaint => "mail was reported as unwanted",
        Reason::Unsubscribed => "mail was cancelled",
        Reason::NoConsent => "there is no valid consent for channel and purpose",
        Reason::Minor => "the contact is under 18, or of unknown age",
        Reason::Taken => "the contact is taken by another segment of the portfolio",
        Reason::FrequencyCap => "the contact was approached too often lately",
        Reason::OnePer => "another contact with the same value comes first",
        Reason::OverLimit => "enough other contacts come first",
        Reason::NotSampled => "the contact is not in the sample",
        Reason::Holdout => "the contact is held back for comparison",
    }
}

const fn mark(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "✓",
        Truth::False => "✗",
        Truth::Unknown => "?",
    }
}

fn push_criterion(text: &mut String, keyword: &str, criterion: &TracedCriterion) {
    let step = &criterion.step;
    text.push_str(&format!("{} {keyword}{}\n", mark(step.truth), criterion.label));
    // The label says what a single test asks.
    match &step.evidence {
        Some(evidence) => push_evidence(text, 1, evidence),
        None => step.parts.iter().for_each(|part| push_step(text, 1, part)),
    }
}

fn push_step(text: &mut String, depth: usize, step: &Step) {
    text.push_str(&format!("{}{} {}\n", "  ".repeat(depth), mark(step.truth), step.asks));
    if let Some(evidence) = &step.evidence {
        push_evidence(text, depth + 1, evidence);
    }
    step.parts.iter().for_each(|part| push_step(text, depth + 1, part));
}

fn push_evidence(text: &mut String, depth: usize, evidence: &Evidence) {
    let indent = "  ".repeat(depth);
    for Fact { name, value } in &evidence.facts {
        text.push_str(&format!("{indent}{name}: {}\n", value.as_deref().map_or("missing".to_owned(), shown)));
    }
    for row in &evidence.records {
        text.push_str(&format!("{indent}{}\n", line(row)));
    }
    if evidence.records_more > 0 {
        text.push_str(&format!("{indent}and {} more\n", evidence.records_more));
    }
    for passed in &evidence.passed_over {
        text.push_str(&format!("{indent}not taken, {}: {}\n", passed.reason.words(), passed.count));
        for row in &passed.records {
            text.push_str(&format!("{indent}  {}\n", line(row)));
        }
    }
}

fn push_gate(text: &mut String, gate: &TracedGate) {
    let state = if gate.closed { "✗" } else { "✓" };
    let removes = if gate.removes { "  ← removes the contact" } else { "" };
    text.push_str(&format!("{state} {}{removes}\n", gate.reason.name()));
    push_evidence(text, 1, &gate.evidence);
}

fn line(row: &Row) -> String {
    let fields = row.fields.iter().map(|field| {
        format!("{} {}", field.name, field.value.as_deref().map_or("missing".to_owned(), shown))
    });
    format!("{}: {}", row.record, fields.collect::<Vec<_>>().join(", "))
}

/// A stored text cannot steer the terminal.
fn shown(value: &str) -> String {
    value.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
