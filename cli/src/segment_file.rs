//! Segment files, text or JSON form: `FILE`, `FILE:segment`, or `-` for standard input.

use std::io::{IsTerminal, Read};
use std::path::Path;

use hyperseg_dsl::diagnostic::{self, Diagnostic, Severity, codes};
use hyperseg_dsl::lookups::Known;
use hyperseg_dsl::segment::Segment;

use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::Terminal;

/// Longest segment file.
const SOURCE_BYTES_MAX: u64 = hyperseg_dsl::SOURCE_BYTES_MAX as u64;

/// Where a segment is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File, or `-`.
    pub file: String,
    /// Segment within it.
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

    /// The segments of the text; diagnostics go to standard error, and errors among them end the command.
    pub fn compile<'a>(&self, known: impl Into<Known<'a>>, terminal: &Terminal) -> Outcome<Vec<Segment>> {
        let checked = hyperseg_dsl::check(&self.text, known);
        self.tell(&checked.diagnostics, terminal)?;
        Ok(checked.segments)
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

    /// The segment that was asked for, or the only one.
    pub fn select(&self, segments: Vec<Segment>, wanted: Option<&str>) -> Outcome<Segment> {
        let names: Vec<String> = segments.iter().map(|segment| segment.name.clone()).collect();
        let mut found = match wanted {
            Some(name) => segments.into_iter().filter(|segment| segment.name == name).collect::<Vec<_>>(),
            None => segments,
        };
        match (found.pop(), found.is_empty(), wanted) {
            (Some(segment), true, _) => Ok(segment),
            (Some(_), false, _) => {
                let hints: Vec<String> = names.iter().map(|name| format!("{}:{name}", self.name)).collect();
                Err(Failure::usage(format!("{} holds several segments", self.name))
                    .hint(format!("say which: {}", hints.join(", "))))
            }
            (None, _, Some(name)) => {
                let failure = Failure::usage(format!("{} has no segment `{name}`", self.name));
                Err(if names.is_empty() {
                    failure
                } else {
                    failure.hint(format!("it has {}", names.join(", ")))
                })
            }
            (None, _, None) => Err(Failure::new(Exit::Compile, format!("{} declares no segment", self.name))),
        }
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
