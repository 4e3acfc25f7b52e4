//! A segment: header, criteria, exclusions, output.

use super::lints;
use super::{Resolver, Scope, State, Whole};
use crate::ast::{self, Clause, ClauseKind, Expr, ExprKind, Ident};
use crate::diagnostic::{Diagnostic, codes};
use crate::fmt::label;
use crate::schema::{Channel, Purpose};
use crate::segment::{Criterion, Segment};
use crate::suggest;

impl<'a> Resolver<'a> {
    /// The typed segment, worked out once, also when others refer to it; `None` after an error.
    pub(super) fn segment(&mut self, written: &'a ast::Segment) -> Option<Whole> {
        let name = written.name.name.as_str();
        // Of two segments of one name, an error, the first is meant wherever the name stands.
        let first = self.declarations.segments.get(name).is_some_and(|first| std::ptr::eq(*first, written));
        if first {
            if let Some(State::Done(done)) = self.segments.get(name) {
                return done.clone();
            }
            self.segments.insert(name, State::Open);
        }
        let outer = std::mem::take(&mut self.body);
        let done = self.new_segment(written);
        self.body = outer;
        if first {
            self.segments.insert(name, State::Done(done.clone()));
        }
        done
    }

    fn new_segment(&mut self, written: &'a ast::Segment) -> Option<Whole> {
        let mut fine = !written.name.name.is_empty();
        let mut segment = Segment {
            name: written.name.name.clone(),
            title: written.title.as_ref().map(|title| title.text.clone()),
            purpose: None,
            channel: None,
            criteria: Vec::new(),
            exclude: None,
            output: Vec::new(),
            cap: None,
            one_per: None,
            sample: None,
            limit: None,
            split: None,
            holdout: None,
            params: Vec::new(),
            pins: Vec::new(),
            canonical: String::new(),
        };
        let mut seen_where = false;
        for clause in &written.clauses {
            seen_where |= matches!(clause.kind, ClauseKind::Where(_));
            fine &= self.clause(clause, &mut segment).is_some();
        }
        let body = std::mem::take(&mut self.body);
        self.negation_findings(&body);
        for name in &self.declarations.param_order {
            if body.uses.params.contains(*name) {
                segment.params.extend(self.params.get(name).cloned().flatten());
            }
        }
        segment.pins = body.uses.pins.iter().cloned().collect();
        if !(fine && seen_where) {
            return None;
        }
        self.sensitive(written, &segment);
        Some(Whole { segment, uses: body.uses, size: body.size })
    }

    /// The lint on sensitive data, with the places of the criteria and of the output fields.
    fn sensitive(&mut self, written: &ast::Segment, segment: &Segment) {
        let mut used = Vec::new();
        for clause in &written.clauses {
            match &clause.kind {
                ClauseKind::Where(expr) => {
                    let parts = match &expr.kind {
                        ExprKind::And(parts) => parts.as_slice(),
                        _ => std::slice::from_ref(expr),
                    };
                    let parts = parts.iter().zip(&segment.criteria);
                    used.extend(parts.map(|(part, it)| lints::Used::Criterion(&it.test, part.span)));
                }
                ClauseKind::Output(fields) => {
                    used.extend(fields.iter().map(|field| lints::Used::Output(&field.name, field.span)));
                }
                ClauseKind::Purpose(_)
                | ClauseKind::Channel(_)
                | ClauseKind::Exclude(_)
                | ClauseKind::Limit { .. }
                | ClauseKind::OnePer(_)
                | ClauseKind::Cap { .. }
                | ClauseKind::Sample { .. }
                | ClauseKind::Split { .. }
                | ClauseKind::Holdout { .. }
                | ClauseKind::Bad => {}
            }
        }
        lints::sensitive(segment, &used, self.schema, &mut self.findings);
    }

    fn clause(&mut self, clause: &'a Clause, segment: &mut Segment) -> Option<()> {
        match &clause.kind {
            ClauseKind::Purpose(name) => segment.purpose = Some(self.purpose(name)?),
            ClauseKind::Channel(name) => segment.channel = Some(self.channel(name)?),
            ClauseKind::Where(expr) => segment.criteria = self.conjuncts(expr)?,
            ClauseKind::Exclude(expr) => {
                segment.exclude = Some(Criterion { label: label(expr), test: self.criteria(expr)? });
            }
            ClauseKind::Output(fields) => segment.output = self.output(fields)?,
            ClauseKind::Holdout { percent, seed } => {
                let holdout = self.holdout(percent, seed.as_ref(), &segment.name);
                self.one_holdout(segment, clause.keyword)?;
                segment.holdout = Some(holdout?);
            }
            ClauseKind::Limit { count, by } => {
                segment.limit = Some(self.limit(count, by.as_ref())?);
            }
            ClauseKind::OnePer(field) => segment.one_per = Some(self.one_per(field)?),
            ClauseKind::Cap { count, per } => segment.cap = Some(self.cap(count, *per)?),
            ClauseKind::Sample { percent, seed } => segment.sample = Some(self.sample(percent, seed)?),
            ClauseKind::Split { arms, holdout, seed } => {
                let (split, holdout) = self.split(arms, holdout.as_ref(), seed)?;
                segment.split = Some(split);
                if let Some((holdout, span)) = holdout {
                    self.one_holdout(segment, span)?;
                    segment.holdout = Some(holdout);
                }
            }
            ClauseKind::Bad => return None,
        }
        Some(())
    }

    /// The parts that a top-level `and` joins; the whole when there is none.
    fn conjuncts(&mut self, expr: &'a Expr) -> Option<Vec<Criterion>> {
        let ExprKind::And(parts) = &expr.kind else {
            let test = self.criteria(expr)?;
            return Some(vec![Criterion { label: label(expr), test }]);
        };
        let mut tests = Vec::with_capacity(parts.len());
        for part in parts {
            tests.push(self.criteria(part).map(|logic| lints::Part { span: part.span, logic }));
        }
        let tests: Vec<_> = tests.into_iter().collect::<Option<_>>()?;
        lints::join(&tests, false, &mut self.findings);
        let criteria =
            parts.iter().zip(tests).map(|(part, test)| Criterion { label: label(part), test: test.logic });
        Some(criteria.collect())
    }

    fn purpose(&mut self, name: &Ident) -> Option<Purpose> {
        let known = Purpose::parse(&name.name);
        if known.is_none() {
            let message = format!("unknown purpose `{}`", crate::lex::short(&name.name));
            let names = Purpose::ALL.iter().map(|purpose| purpose.name());
            let finding = Diagnostic::new(&codes::UNKNOWN_PURPOSE, name.span, message);
            self.report(finding.help_opt(suggest::help(&name.name, "purposes", names)));
        }
        known
    }

    fn channel(&mut self, name: &Ident) -> Option<Channel> {
        let known = Channel::parse(&name.name);
        if known.is_none() {
            let message = format!("unknown channel `{}`", crate::lex::short(&name.name));
            let names = Channel::ALL.iter().map(|channel| channel.name());
            let finding = Diagnostic::new(&codes::UNKNOWN_CHANNEL, name.span, message);
            self.report(finding.help_opt(suggest::help(&name.name, "channels", names)));
        }
        known
    }

    fn output(&mut self, fields: &'a [Ident]) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        let mut fine = !fields.is_empty();
        for field in fields {
            match self.field(Scope::Contact, field) {
                None => fine = false,
                Some(known) if known.name == "contact_id" || names.contains(&known.name) => {
                    let message = format!("`{}` is in the list already", known.name);
                    let finding = Diagnostic::new(&codes::REPEATED_OUTPUT, field.span, message);
                    self.report(finding.help("leave it out"));
                }
                Some(known) => names.push(known.name.clone()),
            }
        }
        fine.then_some(names)
    }
}
