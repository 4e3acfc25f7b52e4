//! Stages that a dataset has for itself, as they are stored.

use std::sync::Arc;

use super::{Hierarchy, Lookups, Places, Refusal, StoredCodes, sha256_hex};
use crate::schema::CodeSystem;

/// A text that declares stages, in either form, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredStages {
    text: Arc<str>,
    sha256: String,
}

impl StoredStages {
    /// Of a text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let sha256 = sha256_hex(text.as_bytes());
        Self { text, sha256 }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// Lookups for the stages of a dataset: they stand for themselves wherever they are used, so they can name no file, and they have no other
/// stages behind them.
pub(crate) struct WithoutFiles<'a>(pub(crate) &'a dyn Lookups);

impl Lookups for WithoutFiles<'_> {
    fn file(&self, _name: &str) -> Result<Arc<str>, Refusal> {
        Err(Refusal::new("the stages of a dataset can name no file").help(
            "store its codes with `hyperseg import valueset FILE --name NAME` and write `@NAME`, or write the values out",
        ))
    }

    fn valueset(&self, name: &str) -> Result<Option<Arc<StoredCodes>>, Refusal> {
        self.0.valueset(name)
    }

    fn valueset_names(&self) -> Vec<String> {
        self.0.valueset_names()
    }

    fn hierarchy(&self, system: CodeSystem) -> Result<Option<Arc<Hierarchy>>, Refusal> {
        self.0.hierarchy(system)
    }

    fn has_dataset(&self) -> bool {
        self.0.has_dataset()
    }

    fn places(&self) -> Result<Option<Arc<Places>>, Refusal> {
        self.0.places()
    }

    fn stages(&self) -> Result<Option<Arc<StoredStages>>, Refusal> {
        Ok(None)
    }
}
