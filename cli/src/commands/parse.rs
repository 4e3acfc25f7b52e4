//! `parse`: a segment file from one form into the other.

use clap::{ArgGroup, Args};
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{diagnostic, to_json, to_text};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::segment_file::Source;

const EXAMPLE: &str = "\
Examples:
  hyperseg parse overdue.seg --json > overdue.json
  hyperseg parse overdue.json --text
  hyperseg count overdue.json -d data

Both forms say the same and every command takes either; a file that starts with a brace is JSON. Names and
types are not looked at (`hyperseg check` does that). Comments of a text are not carried into JSON. The JSON
form is described in dsl/docs/json.md; --schema writes its JSON Schema. Exit code 3 when the file cannot be
parsed.";

/// Write a segment file in the JSON form, or as text.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, group = ArgGroup::new("form").required(true).args(["json", "text", "schema"]))]
pub struct Parse {
    /// Segment file in either form; `-` is standard input.
    #[arg(required_unless_present = "schema", conflicts_with = "schema", value_name = "FILE")]
    file: Option<String>,
    /// In the JSON form.
    #[arg(long)]
    json: bool,
    /// As text.
    #[arg(long)]
    text: bool,
    /// The JSON Schema of the JSON form instead of a file.
    #[arg(long)]
    schema: bool,
}

impl Parse {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let Some(file) = self.file else {
            context.terminal.out(hyperseg_dsl::JSON_SCHEMA)?;
            return Ok(Exit::Done);
        };
        let source = Source::read(&file)?;
        let written =
            if self.json { to_json(&source.text, &Schema::built_in()) } else { to_text(&source.text) };
        match written {
            Ok(written) => {
                context.terminal.out(&written)?;
                Ok(Exit::Done)
            }
            Err(found) => {
                let color = context.terminal.color_err();
                let text = diagnostic::render(&source.text, &source.name, &found, color);
                context.terminal.insist(text.trim_end());
                Err(Failure::new(Exit::Compile, format!("{} cannot be parsed", source.name)))
            }
        }
    }
}
