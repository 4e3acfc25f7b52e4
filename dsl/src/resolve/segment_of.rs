//! A segment: header, criteria, exclusions, output, holdout.

use super::lints;
use super::{Resolver, Scope, State, Whole};
use crate::ast::{self, Clause, ClauseKind, Expr, ExprKind, Ident, Number, Text};
use crate::diagnostic::{Diagnostic, codes};
use crate::fmt::label;
use crate::schema::{Channel, Purpose};
use crate::segment::{Criterion, Holdout, Segment};
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
                segment.holdout = Some(self.holdout(percent, seed.as_ref(), &segment.name)?);
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

    fn holdout(&mut self, percent: &Number, seed: Option<&Text>, name: &str) -> Option<Holdout> {
        let share = match percent_millis(&percent.text) {
            Ok(share) => Some(share),
            Err(finding) => {
                self.report(Diagnostic::new(finding.0, percent.span, finding.1).help("e.g. `holdout 10%`"));
                None
            }
        };
        if let Some(seed) = seed
            && seed.text.is_empty()
        {
            let finding = Diagnostic::new(&codes::EMPTY_TEXT, seed.span, "the seed is empty");
            self.report(finding.help("leave `seed` out to use the segment's name"));
            return None;
        }
        let seed = seed.map_or_else(|| name.to_owned(), |seed| seed.text.clone());
        Some(Holdout { percent_millis: share?, seed })
    }
}

/// Thousandths of a percent.
pub(super) fn percent_millis(text: &str) -> Result<u32, (&'static crate::diagnostic::Rule, &'static str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    const DECIMALS: usize = 3;
    if fraction.len() > DECIMALS {
        return Err((&codes::TOO_PRECISE, "a share has at most three decimals"));
    }
    let range = (&codes::OUT_OF_RANGE, "a share lies above 0% and is at most 100%");
    let millis: Option<u32> = format!("{whole}{fraction:0<3}").parse().ok();
    match millis {
        Some(share @ 1..=100_000) => Ok(share),
        Some(_) | None => Err(range),
    }
}
