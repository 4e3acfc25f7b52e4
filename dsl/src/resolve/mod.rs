//! What was written into what is meant: names looked up, types checked, defaults made explicit, defines put in.
//!
//! In: the tree of the parser and a schema. Out: typed segments and diagnostics. Every part is looked at even when
//! another is wrong, so that everything is reported at once; a part with an error yields `None` and no segment holds
//! it. `Bad` parts were reported by the parser and stay silent.
//!
//! Choices that readers of [`crate::segment`] rely on: literals against fields of type date and time are
//! [`crate::value::Value::Date`]; whole literals of ages and counts are `Int`; a literal against an int field, or
//! against what is made of its values, is `Int` when it is whole and `Number` otherwise; every test of a code, also `=`, is
//! [`Test::Codes`](crate::segment::Test::Codes), `!=` and `not in` on codes are `Not` of it; `not in` and `not between`
//! are `Not` of the test.

mod adherence;
mod amounts;
mod anchors;
mod body;
mod codes_of;
mod criteria;
mod declarations;
mod field_test;
mod files;
mod history;
mod households;
mod lints;
mod measures;
mod numbers;
mod operands;
mod places;
mod portfolios;
mod ranks;
mod records;
mod references;
mod segment_of;
mod sequences;
mod shares;
mod stages;
mod tails;
mod units;
mod valuesets;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ast;
use crate::diagnostic::Diagnostic;
use crate::lookups::{Known, Lookups, Pin, Refusal};
use crate::portfolio::PortfolioOrder;
use crate::schema::{RecordKind, Schema};
use crate::segment::{CodeSet, Criteria, Param, Segment, Stage};
use crate::stages::Stages;

use body::Body;
pub(crate) use body::{Size, Uses};
use declarations::Declarations;
pub(crate) use operands::greater;

/// How deep criteria may nest once defines are put in.
const DEPTH_MAX: usize = 128;
/// Most tests of a segment once defines are put in.
const TESTS_MAX: usize = 20_000;
/// Most values and codes of a segment once defines and value sets are put in.
const VALUES_MAX: usize = 2_000_000;

/// Most codes that an imported table may put in the place of one `under`.
const UNDER_CODES_MAX: usize = 500_000;

/// Errors after which no more are looked at; far above what is shown.
const ERRORS_MAX: usize = 1_000;
/// Tests as which a regular expression counts: compiling it costs as much.
const REGEX_TESTS: usize = 100;

/// A segment that compiled, and what it takes from its file.
pub(crate) struct Compiled {
    pub(crate) segment: Segment,
    pub(crate) uses: Uses,
    /// Place of its declaration among the items of the file.
    pub(crate) item: usize,
}

/// Segments without errors, and all findings.
pub(crate) struct Resolved {
    pub(crate) segments: Vec<Compiled>,
    /// All stages of the file with what they use together; none when one has an error.
    pub(crate) stages: Option<(Vec<(Stage, Size)>, Uses)>,
    /// Portfolios without an error of their own.
    pub(crate) portfolios: Vec<PortfolioOrder>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Resolves a file. `complete` says that the parser read all of it, so that what looks unused is unused.
pub(crate) fn resolve(file: &ast::File, known: Known<'_>, complete: bool) -> Resolved {
    let mut findings = Vec::new();
    let declarations = Declarations::collect(file, &mut findings);
    let mut resolver = Resolver {
        schema: known.schema,
        lookups: known.lookups,
        declarations,
        findings,
        params: BTreeMap::new(),
        valuesets: BTreeMap::new(),
        defines: BTreeMap::new(),
        segments: BTreeMap::new(),
        stages: BTreeMap::new(),
        stages_outside: None,
        body: Body::default(),
        units: Vec::new(),
        errors: 0,
        files: BTreeMap::new(),
        nesting: 0,
    };
    resolver.all_params();
    resolver.all_valuesets();
    resolver.all_defines();
    let stages = resolver.all_stages();
    let mut segments = Vec::new();
    let mut uses = stages.as_ref().map(|(_, uses)| uses.clone()).unwrap_or_default();
    let mut every = true;
    for (item, declaration) in file.items.iter().enumerate() {
        let ast::Item::Segment(declaration) = declaration else { continue };
        match resolver.segment(declaration) {
            Some(Whole { segment, uses: used, .. }) => {
                uses.merge(&used);
                segments.push(Compiled { segment, uses: used, item });
            }
            None => every = false,
        }
    }
    let portfolios = resolver.all_portfolios(file);
    let fine = complete && every && !resolver.findings.iter().any(Diagnostic::is_error);
    if fine && !segments.is_empty() {
        lints::unused(&resolver.declarations, &uses, &mut resolver.findings);
    }
    Resolved { segments, stages, portfolios, diagnostics: resolver.findings }
}

/// The fields that names refer to at a place.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Contact,
    Record(&'a RecordKind),
}

/// How far the resolution of a declaration has come.
enum State<T> {
    /// Under way; meeting it again is a cycle.
    Open,
    /// Done; `None` after an error.
    Done(Option<T>),
}

/// A value set without references.
#[derive(Clone)]
struct Closed {
    sets: Vec<CodeSet>,
    pins: BTreeSet<Pin>,
}

/// A define put into criteria.
#[derive(Clone)]
struct Defined {
    criteria: Criteria,
    uses: Uses,
    size: Size,
}

/// A segment without an error, to be referred to.
#[derive(Clone)]
struct Whole {
    segment: Segment,
    uses: Uses,
    size: Size,
}

struct Resolver<'a> {
    schema: &'a Schema,
    lookups: &'a dyn Lookups,
    declarations: Declarations<'a>,
    findings: Vec<Diagnostic>,
    /// `None` where the declaration has an error.
    params: BTreeMap<&'a str, Option<Param>>,
    valuesets: BTreeMap<&'a str, State<Closed>>,
    defines: BTreeMap<&'a str, State<Defined>>,
    /// Of several segments with one name the first.
    segments: BTreeMap<&'a str, State<Whole>>,
    stages: BTreeMap<&'a str, State<Defined>>,
    /// Those that hold where the file has none, once they were asked for.
    stages_outside: Option<Result<Arc<Stages>, Refusal>>,
    /// The declaration whose criteria are being resolved.
    body: Body,
    /// Units that were written, and where, until the records are known whose values they are for.
    units: Vec<(ast::Span, String)>,
    /// Errors reported so far.
    errors: usize,
    /// Files read so far, with the SHA-256 of each.
    files: BTreeMap<String, Result<(Arc<str>, String), Refusal>>,
    /// Depth of the recursion, through criteria, defines and value sets.
    nesting: usize,
}

impl Resolver<'_> {
    fn report(&mut self, finding: Diagnostic) {
        self.errors += usize::from(finding.is_error());
        if !self.full() {
            self.findings.push(finding);
        }
    }

    /// So many errors were reported that no more are looked at; the text does not compile in any case.
    fn full(&self) -> bool {
        self.errors > ERRORS_MAX
    }
}
