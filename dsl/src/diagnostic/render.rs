//! Diagnostics for a terminal: file, line and column, in the JSON form the JSON Pointer, the source line, carets below
//! what is meant.
//!
//! ```text
//! error[HS0104]: unknown category `femail` of field `gender`
//!  --> mammogram.seg:9:18
//!   |
//! 9 |   where gender = femail
//!   |                  ^^^^^^
//!   = help: did you mean `female`? categories: female, male, nonbinary, other
//! ```

use std::fmt::Write as _;
use std::ops::Range;

use super::{Diagnostic, Severity};

/// Columns to which a tab advances.
const TAB: usize = 4;
/// Longest part of a source line that is shown; longer lines are cut around the span.
const LINE_MAX: usize = 160;

/// Writes all diagnostics, a blank line between them; empty when there are none.
///
/// `file_name` is shown as given; `color` adds ANSI colours. Control characters of the source are shown as `?`, so
/// that a text cannot steer the terminal.
#[must_use]
pub fn render(source: &str, file_name: &str, diagnostics: &[Diagnostic], color: bool) -> String {
    let lines = Lines::new(source);
    let mut out = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = one(&mut out, &lines, file_name, diagnostic, &Paint { on: color });
    }
    out
}

fn one(
    out: &mut String,
    lines: &Lines<'_>,
    file: &str,
    diagnostic: &Diagnostic,
    paint: &Paint,
) -> std::fmt::Result {
    let word = format!("{}[{}]", diagnostic.severity.name(), diagnostic.code);
    writeln!(
        out,
        "{}{}",
        paint.severity(diagnostic.severity, &word),
        paint.bold(&format!(": {}", shown(&diagnostic.message)))
    )?;
    let last =
        diagnostic.related.iter().map(|related| related.span.start).chain([diagnostic.span.start]).max();
    let width = (lines.place(last.unwrap_or(0)).line + 1).to_string().len();
    let bar = paint.frame(&format!("{:width$} |", ""));
    let place = lines.place(diagnostic.span.start);
    writeln!(
        out,
        "{:width$}{} {}:{}:{}{}",
        "",
        paint.frame("-->"),
        shown(file),
        place.line + 1,
        place.column + 1,
        diagnostic.path.as_ref().map(|path| format!(" at \"{}\"", shown(path))).unwrap_or_default()
    )?;
    writeln!(out, "{bar}")?;
    let own = |text: &str| paint.severity(diagnostic.severity, text);
    let other = |text: &str| paint.frame(text);
    type Marker<'m> = &'m dyn Fn(&str) -> String;
    let mut excerpts: Vec<(&Range<usize>, char, &str, Marker<'_>)> = vec![(&diagnostic.span, '^', "", &own)];
    for related in &diagnostic.related {
        excerpts.push((&related.span, '-', &related.message, &other));
    }
    // Lines in the order of the text; on one line the diagnostic's own place comes first.
    excerpts.sort_by_key(|(span, ..)| lines.place(span.start).line);
    for (span, mark, label, marker) in excerpts {
        excerpt(out, lines, span, width, mark, label, marker, paint)?;
    }
    if let Some(help) = &diagnostic.help {
        writeln!(out, "{:width$} {} {}", "", paint.frame("="), shown(&format!("help: {help}")))?;
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one place of use, all of it the layout of one excerpt")]
fn excerpt(
    out: &mut String,
    lines: &Lines<'_>,
    span: &Range<usize>,
    width: usize,
    mark: char,
    label: &str,
    marker: &dyn Fn(&str) -> String,
    paint: &Paint,
) -> std::fmt::Result {
    let place = lines.place(span.start);
    let line = lines.text(place.line);
    let start = span.start.saturating_sub(place.start).min(line.len());
    let end = span.end.saturating_sub(place.start).min(line.len()).max(start);
    let more =
        span.end > place.start + line.len() && lines.place(span.end.saturating_sub(1)).line > place.line;
    let (before, inside, after) = (part(line, 0, start), part(line, start, end), part(line, end, line.len()));
    // A line can have megabytes: all but the last part of it is dropped before anything else is done.
    let (before, long) = tail(before, LINE_MAX);
    let (before, cut) = tail(&expand(&before, 0), LINE_MAX / 2);
    let cut = cut || long;
    let column = width_of(&before);
    let inside = head(&expand(&head(inside, 2 * LINE_MAX), column), LINE_MAX);
    let after = head(&expand(&head(after, LINE_MAX), column + width_of(&inside)), LINE_MAX / 2);
    let dots = if cut { "…" } else { "" };
    let number = paint.frame(&format!("{:>width$} |", place.line + 1));
    writeln!(out, "{}", format!("{number} {dots}{before}{inside}{after}").trim_end())?;
    let mut marks: String = std::iter::repeat_n(mark, width_of(&inside).max(1)).collect();
    if more {
        marks.push_str("...");
    }
    if !label.is_empty() {
        marks.push(' ');
        marks.push_str(&shown(label));
    }
    let bar = paint.frame(&format!("{:width$} |", ""));
    writeln!(out, "{bar} {:column$}{}", "", marker(&marks), column = column + width_of(dots))
}

fn part(line: &str, start: usize, end: usize) -> &str {
    line.get(start..end).unwrap_or("")
}

/// Tabs to blanks, other control characters to `?`.
fn expand(text: &str, column: usize) -> String {
    let mut out = String::new();
    let mut at = column;
    for c in text.chars() {
        if c == '\t' {
            let step = TAB - at % TAB;
            out.extend(std::iter::repeat_n(' ', step));
            at += step;
        } else {
            let c = if hostile(c) { '?' } else { c };
            at += width_of_char(c);
            out.push(c);
        }
    }
    out
}

fn shown(text: &str) -> String {
    text.chars().map(|c| if hostile(c) { '?' } else { c }).collect()
}

/// Control characters, and those that turn the direction of writing.
fn hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn tail(text: &str, keep: usize) -> (String, bool) {
    match text.char_indices().rev().nth(keep.saturating_sub(1)) {
        Some((at, _)) if at > 0 => (text.get(at..).unwrap_or("").to_owned(), true),
        Some(_) | None => (text.to_owned(), false),
    }
}

fn head(text: &str, keep: usize) -> String {
    match text.char_indices().nth(keep) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or("")),
    }
}

fn width_of(text: &str) -> usize {
    text.chars().map(width_of_char).sum()
}

/// Columns of a character on a terminal, near enough for carets: combining marks 0, East Asian and emoji 2.
fn width_of_char(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60 => 2,
        0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Where a byte lies; counted from 0.
struct Place {
    line: usize,
    /// Characters before it on its line.
    column: usize,
    /// Byte at which the line starts.
    start: usize,
}

struct Lines<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(source: &'a str) -> Self {
        let starts = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { source, starts }
    }

    fn place(&self, at: usize) -> Place {
        let at = at.min(self.source.len());
        let line = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let column = self.source.get(start..at).map_or(0, |text| text.chars().count());
        Place { line, column, start }
    }

    fn text(&self, line: usize) -> &'a str {
        let start = self.starts.get(line).copied().unwrap_or(0);
        let end = self.starts.get(line + 1).copied().unwrap_or(self.source.len());
        self.source.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }
}

struct Paint {
    on: bool,
}

impl Paint {
    fn wrap(&self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn severity(&self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Error => self.wrap("1;31", text),
            Severity::Warning => self.wrap("1;33", text),
        }
    }

    fn bold(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn frame(&self, text: &str) -> String {
        self.wrap("34", text)
    }
}
