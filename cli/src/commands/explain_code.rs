//! `explain-code`: what a diagnostic code stands for.

use clap::Args;
use hyperseg_dsl::diagnostic::{Severity, codes};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{self, Align, Format, Table};

const EXAMPLE: &str = "\
Examples:
  hyperseg explain-code HS0101
  hyperseg explain-code                  every code, one to a line
  hyperseg explain-code --format json

The page of a code says why it is reported and shows an example that is wrong and one that is right. Needs no
dataset. --format table or json.";

/// Explain a diagnostic code, or list them all.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct ExplainCode {
    /// Code as `check` shows it, in any case; without it all are listed.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

#[derive(Serialize)]
struct Explained {
    code: &'static str,
    severity: Severity,
    title: &'static str,
    explanation: &'static str,
    /// Markdown.
    page: &'static str,
}

impl ExplainCode {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let format = context.format(&[Format::Table, Format::Json])?;
        let chosen = match &self.code {
            None => codes::ALL.to_vec(),
            Some(code) => vec![codes::rule(code).ok_or_else(|| {
                Failure::usage(format!("there is no code `{code}`"))
                    .hint("`hyperseg explain-code` lists them all")
            })?],
        };
        let text = match (format, self.code, chosen.first()) {
            (Format::Json, _, _) => {
                let explained: Vec<Explained> = chosen
                    .iter()
                    .map(|rule| Explained {
                        code: rule.code,
                        severity: rule.severity,
                        title: rule.title,
                        explanation: rule.explanation,
                        page: rule.page(),
                    })
                    .collect();
                output::json(&explained)?
            }
            (_, Some(_), Some(rule)) => rule.page().to_owned(),
            (_, _, _) => {
                let mut table = Table::new(&["code", "weight", "stands for"].map(|name| (name, Align::Left)));
                for rule in chosen {
                    table.row([rule.code, rule.severity.name(), rule.title].map(str::to_owned));
                }
                table.text()
            }
        };
        context.terminal.out(&text)?;
        Ok(Exit::Done)
    }
}
