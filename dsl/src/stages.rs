//! The stages of a journey: those of a file, of a dataset, or the ones that are built in.
//!
//! In: a text that declares stages, with value sets and defines as they need them. Out: typed stages in their order. A contact
//! is in the first stage whose criteria are TRUE; one for whom none is, is in no stage.

use std::collections::BTreeSet;

use crate::ast::{File, Item, Span};
use crate::check::{Checked, check_with};
use crate::diagnostic::{Diagnostic, codes};
use crate::fmt;
use crate::lookups::{Known, Pin, PinKind, Refusal, WithoutFiles};
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
    pins: BTreeSet<Pin>,
}

/// What the pin of the dataset's own stages is called.
pub const JOURNEY: &str = "journey";

/// Reads a text, in either form, that is to hold the stages of a dataset: stages, and the value sets and defines that
/// they use. Never fails and never panics: what is wrong is in [`Checked::diagnostics`], and without an error
/// [`Checked::stages`] are those of the text, at least one.
#[must_use]
pub fn check_stages<'a>(source: &str, known: impl Into<Known<'a>>) -> Checked {
    let known = known.into();
    let lookups = WithoutFiles(known.lookups);
    check_with(source, Known::new(known.schema, &lookups), nothing_but_stages)
}

/// What a file of the stages of a dataset must not hold, or lacks.
fn nothing_but_stages(file: &File) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut any = false;
    let mut refuse = |what: &str, name: &str, span: Span, help: &str| {
        let message = format!("{what} `{}` among the stages of a dataset", crate::lex::short(name));
        found.push(Diagnostic::new(&codes::NOT_A_STAGE, span, message).help(help));
    };
    for item in &file.items {
        match item {
            Item::Stage(_) => any = true,
            Item::Valueset(_) | Item::Define(_) => {}
            Item::Param(it) => refuse("parameter", &it.name.name, it.name.span, "write the value itself"),
            Item::Segment(it) => {
                let help = "keep segments in a file of their own; what stages share stands in a `define`";
                refuse("segment", &it.name.name, it.name.span, help);
            }
            Item::Portfolio(it) => {
                refuse("portfolio", &it.name.name, it.name.span, "keep it in the file of its segments");
            }
        }
    }
    if !any && found.is_empty() {
        let finding = Diagnostic::new(&codes::NO_STAGE, Span { start: 0, end: 0 }, "no stage is declared");
        found.push(finding.help("e.g. `stage active = has visit in last 1 year`"));
    }
    found
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

    /// Those that hold where a file declares none: the dataset's own, pinned by their SHA-256, else the ones that are
    /// built in. The dataset's are never passed over because they cannot be had.
    ///
    /// # Errors
    /// Why there are none.
    pub fn outside<'a>(known: impl Into<Known<'a>>) -> Result<Self, Refusal> {
        let known = known.into();
        // Where no dataset is named, what one of its own may say is not known, nor asked.
        let own = if known.lookups.has_dataset() { known.lookups.stages()? } else { None };
        let Some(stored) = own else {
            return Self::built_in(known.schema).ok_or_else(|| {
                Refusal::new("the stages that are built in ask for what this schema does not have")
                    .help("declare stages in the file: `stage active = has visit in last 1 year`")
            });
        };
        let checked = check_stages(stored.text(), known);
        if let Some(error) = checked.diagnostics.iter().find(|finding| finding.is_error()) {
            let what =
                format!("the dataset's own do not compile any more: {} ({})", error.message, error.code);
            let damaged = error.code == codes::DAMAGED.code;
            let help = "`hyperseg stages show` prints them; correct the text and store it with `hyperseg stages set`";
            return Err(Refusal { what, help: (!damaged).then(|| help.to_owned()), damaged });
        }
        let mut stages = checked.stages;
        stages.pins.insert(Pin {
            kind: PinKind::Stages,
            name: JOURNEY.to_owned(),
            sha256: stored.sha256().to_owned(),
        });
        Ok(stages)
    }

    /// The stages of a file.
    pub(crate) fn of(file: &File, resolved: &Resolved) -> Self {
        match &resolved.stages {
            Some((stages, uses)) => {
                let (list, sizes) = stages.iter().cloned().unzip();
                Self { list, sizes, canonical: fmt::declarations(file, None, uses), pins: uses.pins.clone() }
            }
            None => {
                Self { list: Vec::new(), sizes: Vec::new(), canonical: String::new(), pins: BTreeSet::new() }
            }
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

    /// What they were closed against.
    #[must_use]
    pub fn pins(&self) -> &BTreeSet<Pin> {
        &self.pins
    }

    /// How large each is.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = Size> {
        self.sizes.iter().copied()
    }
}
