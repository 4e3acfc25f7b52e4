//! The declarations of a file by name; parameters and defines resolved.

use std::collections::BTreeMap;

use super::{DEPTH_MAX, Defined, Resolver, State};
use crate::ast::{
    Define, File, Ident, Item, Param, Portfolio, Segment, Span, Stage, Value, ValueKind, Valueset,
};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::FieldType;
use crate::segment;
use crate::suggest;
use crate::value::Value as Typed;

/// Declarations by name; of two with one name the first.
pub(super) struct Declarations<'a> {
    pub(super) valuesets: BTreeMap<&'a str, &'a Valueset>,
    pub(super) params: BTreeMap<&'a str, &'a Param>,
    pub(super) defines: BTreeMap<&'a str, &'a Define>,
    pub(super) segments: BTreeMap<&'a str, &'a Segment>,
    pub(super) stages: BTreeMap<&'a str, &'a Stage>,
    /// None has the name of a segment: `FILE:name` is one thing.
    pub(super) portfolios: BTreeMap<&'a str, &'a Portfolio>,
    /// Stages in the order of the file.
    pub(super) stage_order: Vec<&'a Stage>,
    /// Parameters in the order of the file.
    pub(super) param_order: Vec<&'a str>,
}

impl<'a> Declarations<'a> {
    pub(super) fn collect(file: &'a File, findings: &mut Vec<Diagnostic>) -> Self {
        let mut all = Self {
            valuesets: BTreeMap::new(),
            params: BTreeMap::new(),
            defines: BTreeMap::new(),
            segments: BTreeMap::new(),
            stages: BTreeMap::new(),
            portfolios: BTreeMap::new(),
            stage_order: Vec::new(),
            param_order: Vec::new(),
        };
        for item in &file.items {
            let (name, first, what) = match item {
                Item::Valueset(new) => (&new.name, add(&mut all.valuesets, &new.name, new), "value set"),
                Item::Param(new) => {
                    let first = add(&mut all.params, &new.name, new);
                    if first.is_none() {
                        all.param_order.push(&new.name.name);
                    }
                    (&new.name, first, "parameter")
                }
                Item::Define(new) => (&new.name, add(&mut all.defines, &new.name, new), "define"),
                Item::Stage(new) => {
                    let first = add(&mut all.stages, &new.name, new);
                    if first.is_none() {
                        all.stage_order.push(new);
                    }
                    (&new.name, first, "stage")
                }
                Item::Segment(new) if new.name.name.is_empty() => continue,
                Item::Segment(new) => {
                    let other = all.portfolios.get(new.name.name.as_str()).map(|other| other.name.span);
                    let first = add(&mut all.segments, &new.name, new);
                    let what = if first.is_none() { "segment or portfolio" } else { "segment" };
                    (&new.name, first.or(other), what)
                }
                Item::Portfolio(new) => {
                    let other = all.segments.get(new.name.name.as_str()).map(|other| other.name.span);
                    let first = add(&mut all.portfolios, &new.name, new);
                    let what = if first.is_none() { "segment or portfolio" } else { "portfolio" };
                    (&new.name, first.or(other), what)
                }
            };
            if let Some(first) = first
                && findings.len() < super::ERRORS_MAX
            {
                let message = format!("{what} `{}` is declared twice", name.name);
                let finding = Diagnostic::new(&codes::DUPLICATE_NAME, name.span, message);
                findings.push(finding.related(first, "first here").help("give each its own name"));
            }
        }
        all
    }
}

trait Named {
    fn name_span(&self) -> Span;
}

macro_rules! named {
    ($($ty:ty),+) => { $(impl Named for $ty { fn name_span(&self) -> Span { self.name.span } })+ };
}
named!(Valueset, Param, Define, Stage, Segment, Portfolio);

/// Adds a declaration unless its name is taken; then answers where it was.
fn add<'a, T: Named>(all: &mut BTreeMap<&'a str, &'a T>, name: &'a Ident, new: &'a T) -> Option<Span> {
    match all.get(name.name.as_str()) {
        Some(first) => Some(first.name_span()),
        None => {
            all.insert(&name.name, new);
            None
        }
    }
}

/// The types that parameters can have.
const PARAM_TYPES: &[(&str, FieldType)] = &[
    ("text", FieldType::Text),
    ("int", FieldType::Int),
    ("number", FieldType::Number),
    ("money", FieldType::Money),
    ("bool", FieldType::Bool),
    ("date", FieldType::Date),
];

impl<'a> Resolver<'a> {
    pub(super) fn all_params(&mut self) {
        let params: Vec<&'a Param> = self.declarations.params.values().copied().collect();
        for param in params {
            let resolved = self.param(param);
            self.params.insert(&param.name.name, resolved);
        }
    }

    fn param(&mut self, param: &Param) -> Option<segment::Param> {
        let written = &param.ty.name;
        let Some((_, ty)) = PARAM_TYPES.iter().find(|(name, _)| name == written) else {
            let names = PARAM_TYPES.iter().map(|(name, _)| *name);
            let message = format!("unknown parameter type `{}`", crate::lex::short(written));
            let finding = Diagnostic::new(&codes::UNKNOWN_PARAM_TYPE, param.ty.span, message);
            self.report(finding.help_opt(suggest::help(written, "types", names)));
            return None;
        };
        let default = match &param.default {
            None => None,
            Some(value) => Some(self.default(*ty, value)?),
        };
        Some(segment::Param { name: param.name.name.clone(), ty: *ty, default })
    }

    fn default(&mut self, ty: FieldType, value: &Value) -> Option<Typed> {
        if matches!(value.kind, ValueKind::Bad) {
            return None;
        }
        let literal = self.literal_of_type(ty, value);
        if literal.is_none() {
            let message = format!("the default is not {}", super::operands::expected(ty));
            self.report(Diagnostic::new(&codes::BAD_DEFAULT, value.span, message));
        }
        literal
    }

    pub(super) fn all_defines(&mut self) {
        let defines: Vec<&'a Define> = self.declarations.defines.values().copied().collect();
        for define in defines {
            let _ = self.define(define, define.name.span);
        }
    }

    /// The criteria of a define, asked for at `from`; `None` after an error.
    pub(super) fn define(&mut self, define: &'a Define, from: Span) -> Option<Defined> {
        let name = define.name.name.as_str();
        match self.defines.get(name) {
            Some(State::Done(done)) => return done.clone(),
            Some(State::Open) => {
                let message = format!("define `{name}` needs itself");
                let finding = Diagnostic::new(&codes::DEFINE_CYCLE, from, message);
                self.report(finding.related(define.name.span, "declared here"));
                return None;
            }
            None => {}
        }
        if self.nesting >= DEPTH_MAX {
            self.too_far(from);
            return None;
        }
        self.defines.insert(name, State::Open);
        self.nesting += 1;
        let outer = std::mem::take(&mut self.body);
        let criteria = self.criteria(&define.body);
        let body = std::mem::replace(&mut self.body, outer);
        self.nesting -= 1;
        self.negation_findings(&body);
        let done = criteria.map(|criteria| Defined { criteria, uses: body.uses, size: body.size });
        self.defines.insert(name, State::Done(done.clone()));
        done
    }

    pub(super) fn too_far(&mut self, span: Span) {
        let finding = Diagnostic::new(
            &codes::EXPANDS_TOO_FAR,
            span,
            "the criteria are too large once defines are put in",
        );
        self.report(finding.help(codes::EXPANDS_TOO_FAR.explanation));
    }
}
