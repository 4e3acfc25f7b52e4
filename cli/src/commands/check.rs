//! `check`: what is wrong, or doubtful, in segment files.

mod sarif;

use clap::Args;
use hyperseg_dsl::diagnostic::{self, Diagnostic, Severity};
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::schema::Schema;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::lookups::FileLookups;
use crate::output::{self, Format, counted};
use crate::segment_file::{Source, exit_of};

const EXAMPLE: &str = "\
Examples:
  hyperseg check segments/*.seg
  hyperseg check --deny warnings overdue.seg
  hyperseg check --format json overdue.seg | jq '.files[].diagnostics[].code'

Every problem of every file is reported at once, with the place and the nearest right thing.
Text and JSON form are taken alike. Needs a dataset (-d) only for segments that refer to stored
value sets, hierarchies, places or stages; CSV files are looked for in the segment file's folder. Exit code 3 when a file does not compile;
warnings do not count unless --deny warnings. --format table (or text), json, or sarif (2.1.0) for
editors and code hosts. `hyperseg explain-code CODE` says more about a finding.";

/// Check segment files: names, types, windows, codes, and what is likely a mistake.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Check {
    /// Segment files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Let warnings fail the command too.
    #[arg(long, value_name = "WHAT", value_parser = ["warnings"])]
    deny: Option<String>,
}

#[derive(Serialize)]
pub struct Report {
    errors: usize,
    warnings: usize,
    files: Vec<FileReport>,
}

#[derive(Serialize)]
pub struct FileReport {
    file: String,
    segments: Vec<String>,
    portfolios: Vec<String>,
    diagnostics: Vec<Located>,
}

/// A diagnostic with the line and column that people and editors count by, from 1.
#[derive(Serialize)]
pub struct Located {
    line: usize,
    column: usize,
    /// Behind the last character.
    end_line: usize,
    end_column: usize,
    #[serde(flatten)]
    diagnostic: Diagnostic,
}

impl Check {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json, Format::Sarif])?;
        let schema = Schema::built_in();
        let mut report = Report { errors: 0, warnings: 0, files: Vec::new() };
        let mut exit = Exit::Compile;
        for file in &self.files {
            let source = Source::read(file)?;
            let lookups = FileLookups::lazy(file, context);
            let checked = hyperseg_dsl::check(&source.text, Known::new(&schema, &lookups));
            if exit_of(&checked.diagnostics) == Exit::Integrity {
                exit = Exit::Integrity;
            }
            for found in &checked.diagnostics {
                match found.severity {
                    Severity::Error => report.errors += 1,
                    Severity::Warning => report.warnings += 1,
                }
            }
            if format == Format::Table && !checked.diagnostics.is_empty() {
                let color = context.terminal.color_out();
                let text = diagnostic::render(&source.text, &source.name, &checked.diagnostics, color);
                context.terminal.out(&(text.trim_end().to_owned() + "\n\n"))?;
            }
            let locate = |diagnostic: Diagnostic| {
                let (line, column) = position(&source.text, diagnostic.span.start);
                let (end_line, end_column) = position(&source.text, diagnostic.span.end);
                Located { line, column, end_line, end_column, diagnostic }
            };
            report.files.push(FileReport {
                file: source.name.clone(),
                segments: checked.segments.iter().map(|segment| segment.name.clone()).collect(),
                portfolios: checked.portfolios.iter().map(|portfolio| portfolio.name.clone()).collect(),
                diagnostics: checked.diagnostics.into_iter().map(locate).collect(),
            });
        }
        match format {
            Format::Json => context.terminal.out(&output::json(&report)?)?,
            Format::Sarif => context.terminal.out(&output::json(&sarif::log(&report))?)?,
            Format::Table | Format::Ndjson | Format::Csv | Format::Parquet => {}
        }
        let segments: usize = report.files.iter().map(|file| file.segments.len()).sum();
        let portfolios: usize = report.files.iter().map(|file| file.portfolios.len()).sum();
        let portfolios = match portfolios {
            0 => String::new(),
            number => format!(", {}", counted(number as u64, "portfolio")),
        };
        context.terminal.say(&format!(
            "{}, {}{portfolios}, {}, {}",
            counted(report.files.len() as u64, "file"),
            counted(segments as u64, "segment"),
            counted(report.errors as u64, "error"),
            counted(report.warnings as u64, "warning")
        ));
        if report.errors > 0 || (self.deny.is_some() && report.warnings > 0) {
            return Err(Failure::silent(exit));
        }
        Ok(Exit::Done)
    }
}

/// Line and column of a byte, both from 1; columns count characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn positions() {
        assert_eq!(position("ab\ncdé f", 0), (1, 1));
        assert_eq!(position("ab\ncdé f", 3), (2, 1));
        assert_eq!(position("ab\ncdé f", 8), (2, 5));
    }
}
