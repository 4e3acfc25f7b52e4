//! Sets of codes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::value::Code;

/// A closed set of codes: those that a pattern of `include` takes and none of `exclude` does. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSet {
    /// Patterns that bring codes in.
    pub include: BTreeSet<CodePattern>,
    /// Patterns that keep codes out; they win.
    pub exclude: BTreeSet<CodePattern>,
}

/// One code, or a code with all below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CodePattern {
    /// The code in normal form.
    pub code: Code,
    /// Also every code of the same system that starts with it (systems whose hierarchy is the prefix).
    pub under: bool,
}
