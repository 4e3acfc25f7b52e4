//! Stages: each stands for its criteria, without those who are in a stage in front of it.

use std::sync::Arc;

use super::body::{Size, Uses};
use super::{DEPTH_MAX, Defined, Resolver, State};
use crate::ast::{self, Ident, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::lookups::{Known, Refusal};
use crate::segment::{Asks, ContactTest, Criteria, Logic, Reference, Stage};
use crate::stages::Stages;
use crate::suggest;

impl<'a> Resolver<'a> {
    /// Every stage of the file, with what they use together; `None` when one has an error.
    pub(super) fn all_stages(&mut self) -> Option<(Vec<(Stage, Size)>, Uses)> {
        let mut uses = Uses::default();
        let mut all = Vec::new();
        for written in self.declarations.stage_order.clone() {
            let stage = self.stage(written, written.name.span).map(|defined| {
                uses.merge(&defined.uses);
                uses.stages.insert(written.name.name.clone());
                let name = written.name.name.clone();
                let title = written.title.as_ref().map(|title| title.text.clone());
                (Stage { name, title, test: defined.criteria }, defined.size)
            });
            all.push(stage);
        }
        let all: Option<Vec<_>> = all.into_iter().collect();
        all.map(|all| (all, uses))
    }

    /// The criteria of a stage of the file, asked for at `from`; `None` after an error.
    fn stage(&mut self, stage: &'a ast::Stage, from: Span) -> Option<Defined> {
        let name = stage.name.name.as_str();
        match self.stages.get(name) {
            Some(State::Done(done)) => return done.clone(),
            Some(State::Open) => {
                let message = format!("stage `{name}` needs itself");
                let finding = Diagnostic::new(&codes::SEGMENT_CYCLE, from, message);
                self.report(finding.related(stage.name.span, "declared here"));
                return None;
            }
            None => {}
        }
        if self.nesting >= DEPTH_MAX {
            self.too_far(from);
            return None;
        }
        self.stages.insert(name, State::Open);
        self.nesting += 1;
        let outer = std::mem::take(&mut self.body);
        let criteria = self.criteria(&stage.body);
        let body = std::mem::replace(&mut self.body, outer);
        self.nesting -= 1;
        self.negation_findings(&body);
        let mut done = criteria.map(|criteria| Defined { criteria, uses: body.uses, size: body.size });
        if let Some(param) = done.as_ref().and_then(|done| done.uses.params.first()) {
            let message = format!("stage `{name}` depends on the parameter `${param}`");
            let finding = Diagnostic::new(&codes::STAGE_PARAM, stage.name.span, message);
            self.report(finding.help("write the value itself"));
            done = None;
        }
        self.stages.insert(name, State::Done(done.clone()));
        done
    }

    /// `in stage name`: of the file's stages, or of those outside when it has none.
    pub(super) fn in_stage(&mut self, name: &'a Ident, span: Span) -> Option<Criteria> {
        let stages = if self.declarations.stage_order.is_empty() {
            self.outside_up_to(name)?
        } else {
            self.own_up_to(name)?
        };
        let mut without: Vec<Criteria> = Vec::with_capacity(stages.len());
        for stage in stages {
            self.put_in(&stage.uses, stage.size, span)?;
            without.push(stage.criteria);
        }
        let test = without.pop()?;
        let reference = Reference { name: name.name.clone(), asks: Asks::InStage, test, without };
        Some(Logic::Leaf(ContactTest::Reference(Box::new(reference))))
    }

    /// The stage of the file and all in front of it.
    fn own_up_to(&mut self, name: &'a Ident) -> Option<Vec<Defined>> {
        let order = self.declarations.stage_order.clone();
        let Some(last) = order.iter().position(|stage| stage.name.name == name.name) else {
            self.unknown_stage(
                name,
                "stages of this file",
                order.iter().map(|stage| stage.name.name.as_str()),
            );
            return None;
        };
        let mut found = Vec::with_capacity(last + 1);
        for stage in order.into_iter().take(last + 1) {
            let mut defined = self.stage(stage, name.span)?;
            defined.uses.stages.insert(stage.name.name.clone());
            found.push(defined);
        }
        Some(found)
    }

    fn outside_up_to(&mut self, name: &Ident) -> Option<Vec<Defined>> {
        let stages = match self.outside() {
            Ok(stages) => stages,
            Err(refusal) => {
                self.refused(&format!("stage `{}`", crate::lex::short(&name.name)), &refusal, name.span);
                return None;
            }
        };
        let names = || stages.list().iter().map(|stage| stage.name.as_str());
        let Some(last) = names().position(|known| known == name.name) else {
            self.unknown_stage(name, "stages", names());
            return None;
        };
        let uses = Uses {
            stages_outside: Some(stages.canonical().to_owned()),
            pins: stages.pins().clone(),
            ..Uses::default()
        };
        let of_stage =
            |(stage, size): (&Stage, _)| Defined { criteria: stage.test.clone(), uses: uses.clone(), size };
        Some(stages.list().iter().zip(stages.sizes()).take(last + 1).map(of_stage).collect())
    }

    /// The stages that hold where the file declares none.
    fn outside(&mut self) -> Result<Arc<Stages>, Refusal> {
        let known = Known::new(self.schema, self.lookups);
        let find = || Stages::outside(known).map(Arc::new);
        self.stages_outside.get_or_insert_with(find).clone()
    }

    fn unknown_stage<'n>(&mut self, name: &Ident, what: &str, names: impl Iterator<Item = &'n str> + Clone) {
        let message = format!("unknown stage `{}`", crate::lex::short(&name.name));
        let mut help = suggest::help(&name.name, what, names);
        if !self.lookups.has_dataset() && self.declarations.stage_order.is_empty() {
            let own = "for the stages of a dataset, name it with -d DIR";
            help = Some(help.map_or_else(|| own.to_owned(), |help| format!("{help}; {own}")));
        }
        self.report(Diagnostic::new(&codes::UNKNOWN_STAGE, name.span, message).help_opt(help));
    }
}
