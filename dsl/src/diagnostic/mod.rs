//! What is wrong, or doubtful, in a text: data here, the words for a terminal in [`render`].
//!
//! In: a rule of the registry in [`codes`], a span and a sentence. Out: [`Diagnostic`] values in the order of the
//! text. A diagnostic speaks of the analyst's text only; what goes wrong with files or keys is an error, never this.

pub mod codes;
mod pages;
mod render;

use std::ops::Range;

use serde::Serialize;

pub use codes::Rule;
pub use render::render;

/// Most diagnostics kept of one text; behind it stands one that says so.
pub const DIAGNOSTICS_MAX: usize = 200;

/// How much weight a diagnostic has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The text does not compile.
    Error,
    /// The text compiles, but may not mean what its author thinks.
    Warning,
}

impl Severity {
    /// The word in front of the code.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable code, e.g. `HS0101`; [`codes::rule`] explains it.
    pub code: &'static str,
    /// Weight.
    pub severity: Severity,
    /// Bytes of the source that it speaks of; never past its end, always between characters.
    pub span: Range<usize>,
    /// In the JSON form, the JSON Pointer (RFC 6901) of the value that it speaks of; empty for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// One line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that belong to it.
    pub related: Vec<Related>,
}

/// A second place of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Bytes of the source.
    pub span: Range<usize>,
    /// What is there.
    pub message: String,
}

impl Diagnostic {
    /// A finding under a rule of the registry.
    #[must_use]
    pub fn new(rule: &'static Rule, span: impl Into<Range<usize>>, message: impl Into<String>) -> Self {
        Self {
            code: rule.code,
            severity: rule.severity,
            span: span.into(),
            path: None,
            message: message.into(),
            help: None,
            related: Vec::new(),
        }
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With advice when there is some.
    #[must_use]
    pub fn help_opt(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// With a second place.
    #[must_use]
    pub fn related(mut self, span: impl Into<Range<usize>>, message: impl Into<String>) -> Self {
        self.related.push(Related { span: span.into(), message: message.into() });
        self
    }

    /// The text does not compile because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Puts findings into the order of the text, drops repetitions and cuts the rest at [`DIAGNOSTICS_MAX`].
pub(crate) fn finish(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by(|a, b| {
        (a.span.start, a.span.end, a.severity, a.code, &a.message).cmp(&(
            b.span.start,
            b.span.end,
            b.severity,
            b.code,
            &b.message,
        ))
    });
    diagnostics.dedup_by(|a, b| a.code == b.code && a.span == b.span && a.message == b.message);
    let total = diagnostics.len();
    if total > DIAGNOSTICS_MAX {
        // Errors stay before warnings: a text that does not compile must never look as if it did.
        let errors = diagnostics.iter().filter(|finding| finding.is_error()).count();
        let mut room = DIAGNOSTICS_MAX.saturating_sub(errors);
        let mut errors_left = DIAGNOSTICS_MAX;
        diagnostics.retain(|finding| {
            let left = if finding.is_error() { &mut errors_left } else { &mut room };
            let keep = *left > 0;
            *left = left.saturating_sub(1);
            keep
        });
        let rule = if errors > 0 { &codes::TOO_MANY_FINDINGS } else { &codes::MORE_WARNINGS };
        let end = diagnostics.last().map_or(0..0, |last| last.span.end..last.span.end);
        let more = total - diagnostics.len();
        diagnostics.push(Diagnostic::new(
            rule,
            end,
            format!("{more} more findings are not shown; mend these first"),
        ));
    }
    diagnostics
}
