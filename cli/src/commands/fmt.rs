//! `fmt`: the canonical layout of segment files.

use std::path::Path;

use clap::Args;
use hyperseg_dsl::diagnostic;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::list;
use crate::output::counted;
use crate::segment_file::Source;

const EXAMPLE: &str = "\
Examples:
  hyperseg fmt segments/*.seg            rewrites the files in place
  hyperseg fmt --check segments/*.seg    exit code 8 when a file is not canonical
  hyperseg fmt - < a.seg > b.seg

A text stays text with its comments, a file in the JSON form stays JSON; `hyperseg parse` goes from one to
the other. A file that cannot be parsed is left as it is (exit code 3).";

/// Rewrite segment files in canonical layout.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Fmt {
    /// Segment files; `-` is standard input, written to standard output.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Change nothing; list the files that would change.
    #[arg(long)]
    check: bool,
}

impl Fmt {
    pub fn run(self, context: &Context) -> Outcome<Exit> {
        let mut broken = 0_usize;
        let mut differ = 0_usize;
        for file in &self.files {
            let source = Source::read(file)?;
            let canonical = match hyperseg_dsl::format(&source.text) {
                Ok(text) => text,
                Err(found) => {
                    let color = context.terminal.color_err();
                    let text = diagnostic::render(&source.text, &source.name, &found, color);
                    context.terminal.insist(text.trim_end());
                    broken += 1;
                    continue;
                }
            };
            let same = canonical == source.text;
            differ += usize::from(!same);
            if self.check {
                if !same {
                    context.terminal.out(&format!("{}\n", source.name))?;
                }
            } else if file == "-" {
                context.terminal.out(&canonical)?;
            } else if !same {
                list::replace(Path::new(file), &canonical)?;
                context.terminal.say(&format!("formatted {file}"));
            }
        }
        if broken > 0 {
            return Err(Failure::new(
                Exit::Compile,
                format!("{broken} of {} cannot be parsed", counted(self.files.len() as u64, "file")),
            ));
        }
        Ok(if self.check && differ > 0 { Exit::Differs } else { Exit::Done })
    }
}
