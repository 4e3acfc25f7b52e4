//! Segment files, text or JSON form: `FILE`, `FILE:name` of a segment or portfolio, or `-` for standard input.

use std::io::{IsTerminal, Read};
use std::path::Path;

use hyperseg_dsl::diagnostic::{self, Diagnostic, Severity, codes};
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::segment::Segment;
use hyperseg_dsl::{Checked, Portfolio};

use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::Terminal;

/// Longest segment file.
const SOURCE_BYTES_MAX: u64 = hyperseg_dsl::SOURCE_BYTES_MAX as u64;

/// Where a segment or portfolio is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File, or `-`.
    pub file: String,
    /// Segment or portfolio within it; the two share one namespace.
    pub segment: Option<String>,
}

/// Text of a segment file; in the JSON form when it starts with a brace.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name for messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What a name of a file stands for.
#[derive(Clone, Debug)]
pub enum Chosen {
    /// A segment.
    Segment(Box<Segment>),
    /// A portfolio with its segments.
    Portfolio(Box<Portfolio>),
}

impl Place {
    /// Splits `FILE:segment`; a file whose whole name exists is taken as such.
    pub fn parse(given: &str) -> Self {
        let whole = Self { file: given.to_owned(), segment: None };
        if Path::new(given).exists() {
            return whole;
        }
        match given.rsplit_once(':') {
            Some((file, segment)) if !file.is_empty() && is_name(segment) => {
                Self { file: file.to_owned(), segment: Some(segment.to_owned()) }
            }
            _ => whole,
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Source {
    /// Reads a file, or standard input for `-`.
    pub fn read(file: &str) -> Outcome<Self> {
        let (name, bytes) = if file == "-" {
            if std::io::stdin().is_terminal() {
                return Err(Failure::usage(
                    "`-` reads a segment from standard input, and nothing is piped into it",
                ));
            }
            ("standard input".to_owned(), limited(std::io::stdin().lock(), Path::new("standard input"))?)
        } else {
            let path = Path::new(file);
            let open = std::fs::File::open(path).map_err(|error| Failure::file("read", path, &error))?;
            (file.to_owned(), limited(open, path)?)
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Failure::new(
                Exit::Compile,
                format!("{name}: byte {at} is not UTF-8; segment files are UTF-8 text"),
            )
        })?;
        Ok(Self { name, text })
    }

    /// The segments and portfolios of the text; diagnostics go to standard error, and errors among them end the command.
    pub fn compile<'a>(&self, known: impl Into<Known<'a>>, terminal: &Terminal) -> Outcome<Checked> {
        let checked = hyperseg_dsl::check(&self.text, known);
        self.tell(&checked.diagnostics, terminal)?;
        Ok(checked)
    }

    /// Writes diagnostics to standard error; errors among them end the command.
    pub fn tell(&self, diagnostics: &[Diagnostic], terminal: &Terminal) -> Outcome<()> {
        let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
        if !diagnostics.is_empty() {
            let text = diagnostic::render(&self.text, &self.name, diagnostics, terminal.color_err());
            if errors > 0 { terminal.insist(text.trim_end()) } else { terminal.say(text.trim_end()) }
        }
        if errors == 0 {
            return Ok(());
        }
        let plural = if errors == 1 { "error" } else { "errors" };
        let failure = format!("{} does not compile: {errors} {plural}", self.name);
        Err(Failure::new(exit_of(diagnostics), failure))
    }

    /// The segment or portfolio that was asked for, or the only segment. Of several nothing is chosen by itself, and a
    /// file with a portfolio holds several.
    pub fn select(&self, checked: Checked, wanted: Option<&str>) -> Outcome<Chosen> {
        let portfolio = wanted.and_then(|name| checked.portfolio(name));
        let Checked { mut segments, portfolios, .. } = checked;
        let of_segments = segments.iter().map(|segment| segment.name.clone());
        let names: Vec<String> =
            of_segments.chain(portfolios.iter().map(|portfolio| portfolio.name.clone())).collect();
        let what = if portfolios.is_empty() { "segment" } else { "segment or portfolio" };
        let Some(name) = wanted else {
            return match (segments.pop(), segments.is_empty() && portfolios.is_empty()) {
                (Some(segment), true) => Ok(Chosen::Segment(Box::new(segment))),
                (Some(_), false) => {
                    let several =
                        if portfolios.is_empty() { "several segments" } else { "segments and portfolios" };
                    let hints: Vec<String> =
                        names.iter().map(|name| format!("{}:{name}", self.name)).collect();
                    Err(Failure::usage(format!("{} holds {several}", self.name))
                        .hint(format!("say which: {}", hints.join(", "))))
                }
                (None, _) => Err(Failure::new(Exit::Compile, format!("{} declares no segment", self.name))),
            };
        };
        if let Some(place) = segments.iter().position(|segment| segment.name == name) {
            return Ok(Chosen::Segment(Box::new(segments.swap_remove(place))));
        }
        if let Some(portfolio) = portfolio {
            return Ok(Chosen::Portfolio(Box::new(portfolio)));
        }
        let failure = Failure::usage(format!("{} has no {what} `{name}`", self.name));
        Err(if names.is_empty() { failure } else { failure.hint(format!("it has {}", names.join(", "))) })
    }
}

/// How a text with these errors ends a command: what is damaged is no mistake of the text.
pub fn exit_of(diagnostics: &[Diagnostic]) -> Exit {
    let damaged = diagnostics.iter().any(|found| found.code == codes::DAMAGED.code);
    if damaged { Exit::Integrity } else { Exit::Compile }
}

fn limited(from: impl Read, path: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(SOURCE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file("read", path, &error))?;
    if bytes.len() as u64 > SOURCE_BYTES_MAX {
        return Err(Failure::usage(format!("{} is longer than {SOURCE_BYTES_MAX} bytes", path.display())));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place = |text| {
            let Place { file, segment } = Place::parse(text);
            (file, segment)
        };
        assert_eq!(place("a.seg"), ("a.seg".to_owned(), None));
        assert_eq!(place("a.seg:b"), ("a.seg".to_owned(), Some("b".to_owned())));
        assert_eq!(place("-:b"), ("-".to_owned(), Some("b".to_owned())));
        assert_eq!(place("-"), ("-".to_owned(), None));
        assert_eq!(place("dir:x/a.seg"), ("dir:x/a.seg".to_owned(), None));
    }
}
