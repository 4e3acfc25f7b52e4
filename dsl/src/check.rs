//! The whole way from a text to typed segments.

use std::collections::BTreeMap;

use crate::diagnostic::{self, Diagnostic};
use crate::fmt;
use crate::resolve::resolve;
use crate::schema::Schema;
use crate::segment::Segment;
use crate::source::read;
use crate::stages::Stages;

/// What [`check`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The segments without an error, in the order of the text.
    pub segments: Vec<Segment>,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The stages that the text declares; none when it has an error.
    pub stages: Stages,
    canonical: BTreeMap<String, String>,
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

    /// The text to hash for a segment of [`Checked::segments`]: itself with every declaration it uses, also through
    /// others, spelled canonically and without comments. Layout, comments, the order of declarations and
    /// declarations it does not use make no difference.
    #[must_use]
    pub fn canonical(&self, segment: &str) -> Option<&str> {
        self.canonical.get(segment).map(String::as_str)
    }
}

/// Reads a segment file, text or JSON form, and resolves it against a schema. Never fails and never panics, whatever the text is: what is wrong
/// is in [`Checked::diagnostics`].
#[must_use]
pub fn check(source: &str, schema: &Schema) -> Checked {
    let parsed = read(source);
    let complete = !parsed.diagnostics.iter().any(Diagnostic::is_error);
    let resolved = resolve(&parsed.file, schema, complete);
    let stages = Stages::of(&parsed.file, &resolved);
    let mut diagnostics = parsed.diagnostics;
    diagnostics.extend(resolved.diagnostics);
    let mut segments = Vec::with_capacity(resolved.segments.len());
    let mut canonical = BTreeMap::new();
    for compiled in resolved.segments {
        let text = fmt::canonical(&parsed.file, compiled.item, &compiled.uses);
        // Of two segments of one name, an error, the first counts.
        canonical.entry(compiled.segment.name.clone()).or_insert(text);
        segments.push(compiled.segment);
    }
    let mut diagnostics = diagnostic::finish(diagnostics);
    if let Some(pointers) = parsed.pointers {
        pointers.name(&mut diagnostics);
    }
    Checked { segments, diagnostics, stages, canonical }
}
