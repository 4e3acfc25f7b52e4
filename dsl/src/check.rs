//! The whole way from a text to typed segments.

use crate::ast::File;
use crate::diagnostic::{self, Diagnostic};
use crate::fmt;
use crate::lookups::Known;
use crate::portfolio::{Portfolio, PortfolioOrder};
use crate::resolve::resolve;
use crate::segment::Segment;
use crate::source::read;
use crate::stages::Stages;

/// What [`check`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The segments without an error, in the order of the text.
    pub segments: Vec<Segment>,
    /// The portfolios without an error of their own, in the order of the text.
    pub portfolios: Vec<PortfolioOrder>,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The stages that the text declares; none when it has an error.
    pub stages: Stages,
}

impl Checked {
    /// The text does not compile; nothing of it may run, not even a segment that has no error itself.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The segment of this name, when it has no error.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.name == name)
    }

    /// The portfolio of this name with its segments, when none of it has an error. No segment has this name too.
    #[must_use]
    pub fn portfolio(&self, name: &str) -> Option<Portfolio> {
        self.portfolios.iter().find(|portfolio| portfolio.name == name)?.with(&self.segments)
    }
}

/// Reads a segment file, text or JSON form, and resolves it against a schema, with or without [`crate::lookups`]. Never fails and
/// never panics, whatever the text is: what is wrong is in [`Checked::diagnostics`].
#[must_use]
pub fn check<'a>(source: &str, known: impl Into<Known<'a>>) -> Checked {
    check_with(source, known.into(), |_| Vec::new())
}

/// The same with findings of one's own on what the file declares.
pub(crate) fn check_with(source: &str, known: Known<'_>, own: impl Fn(&File) -> Vec<Diagnostic>) -> Checked {
    let parsed = read(source);
    let complete = !parsed.diagnostics.iter().any(Diagnostic::is_error);
    let resolved = resolve(&parsed.file, known, complete);
    let stages = Stages::of(&parsed.file, &resolved);
    let mut diagnostics = parsed.diagnostics;
    diagnostics.extend(resolved.diagnostics);
    // What could not be read may be what seems to be missing.
    if complete {
        diagnostics.extend(own(&parsed.file));
    }
    let mut segments = Vec::with_capacity(resolved.segments.len());
    for mut compiled in resolved.segments {
        compiled.segment.canonical = fmt::canonical(&parsed.file, compiled.item, &compiled.uses);
        segments.push(compiled.segment);
    }
    let mut diagnostics = diagnostic::finish(diagnostics);
    if let Some(pointers) = parsed.pointers {
        pointers.name(&mut diagnostics);
    }
    Checked { segments, portfolios: resolved.portfolios, diagnostics, stages }
}
