//! What is gathered while one declaration's criteria are resolved.

use std::collections::BTreeSet;

use crate::ast::Span;
use crate::lookups::Pin;

/// Names of declarations that something uses, also through others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    pub(crate) valuesets: BTreeSet<String>,
    pub(crate) params: BTreeSet<String>,
    pub(crate) defines: BTreeSet<String>,
    /// What sets were closed against.
    pub(crate) pins: BTreeSet<Pin>,
    /// Segments that are referred to.
    pub(crate) segments: BTreeSet<String>,
    /// Stages of the file that are referred to, and those in front of them.
    pub(crate) stages: BTreeSet<String>,
    /// The stages of the dataset, canonical, when one of them is referred to.
    pub(crate) stages_outside: Option<String>,
}

impl Uses {
    pub(super) fn merge(&mut self, other: &Self) {
        self.valuesets.extend(other.valuesets.iter().cloned());
        self.params.extend(other.params.iter().cloned());
        self.defines.extend(other.defines.iter().cloned());
        self.pins.extend(other.pins.iter().cloned());
        self.segments.extend(other.segments.iter().cloned());
        self.stages.extend(other.stages.iter().cloned());
        if self.stages_outside.is_none() {
            self.stages_outside.clone_from(&other.stages_outside);
        }
    }
}

/// How large criteria are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(super) tests: usize,
    pub(super) values: usize,
    /// Deepest nesting.
    pub(super) height: usize,
}

/// A field for the lint on negations: the record kind, empty for contacts, and the name.
pub(super) type FieldKey = (String, String);

/// A negation over a field that may be missing.
pub(super) struct Negation {
    pub(super) field: FieldKey,
    /// A number made of the field's values in several records, missing when all of them are.
    pub(super) several: bool,
    pub(super) span: Span,
}

/// The declaration whose criteria are being resolved.
#[derive(Default)]
pub(super) struct Body {
    pub(super) uses: Uses,
    pub(super) size: Size,
    /// Current nesting inside of this declaration.
    pub(super) depth: usize,
    /// The tests met now stand under an odd number of `not`.
    pub(super) negated: bool,
    pub(super) negations: Vec<Negation>,
    /// Fields for which the author wrote `is known` or `is missing`.
    pub(super) decided: BTreeSet<FieldKey>,
}
