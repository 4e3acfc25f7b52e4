//! The stages of a journey: those of a file, of a dataset, or the ones that are built in.
//!
//! In: a text that declares stages, with value sets and defines as they need them. Out: typed stages in their order. A contact
//! is in the first stage whose criteria are TRUE; one for whom none is, is in no stage.

use crate::diagnostic::Diagnostic;
use crate::fmt;
use crate::resolve::{Resolved, Size, resolve};
use crate::schema::Schema;
use crate::segment::Stage;
use crate::source::read;

/// The stages that are built in, where neither the file nor the dataset has any.
pub const BUILT_IN_STAGES: &str = include_str!("../docs/stages.seg");

/// Typed stages, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Stages {
    list: Vec<Stage>,
    sizes: Vec<Size>,
    canonical: String,
}

impl Stages {
    /// Reads stages from a text in either form.
    ///
    /// # Errors
    /// What is wrong with the text, warnings apart. None of the findings says that the text has no stage: then there are none.
    pub fn read(source: &str, schema: &Schema) -> Result<Self, Vec<Diagnostic>> {
        let checked = crate::check(source, schema);
        if checked.has_errors() {
            return Err(checked.diagnostics);
        }
        Ok(checked.stages)
    }

    /// Those that are built in; `None` for a schema without the kinds of record that they ask for.
    #[must_use]
    pub fn built_in(schema: &Schema) -> Option<Self> {
        let parsed = read(BUILT_IN_STAGES);
        let resolved = resolve(&parsed.file, schema.into(), true);
        let fine = !parsed.diagnostics.iter().chain(&resolved.diagnostics).any(Diagnostic::is_error);
        fine.then(|| Self::of(&parsed.file, &resolved))
    }

    /// The stages of a file.
    pub(crate) fn of(file: &crate::ast::File, resolved: &Resolved) -> Self {
        match &resolved.stages {
            Some((stages, uses)) => {
                let (list, sizes) = stages.iter().cloned().unzip();
                Self { list, sizes, canonical: fmt::declarations(file, None, uses) }
            }
            None => Self { list: Vec::new(), sizes: Vec::new(), canonical: String::new() },
        }
    }

    /// The stages, the first to be looked at in front.
    #[must_use]
    pub fn list(&self) -> &[Stage] {
        &self.list
    }

    /// No stage was declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Their text with what they use, spelled canonically and without comments.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// How large each is.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = Size> {
        self.sizes.iter().copied()
    }
}
