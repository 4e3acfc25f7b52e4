//! Value sets closed: references put in, exclusions carried out.
//!
//! Within one value set exclusion wins over inclusion wherever it stands. A value set that is put into another is
//! closed by itself first, so what it excludes is not lost to a set that includes it again. A closed value set is a
//! list of code sets, joined by or; it has more than one only when an exclusion below an `under` of one part meets an
//! inclusion of another.

use std::collections::BTreeSet;

use super::{DEPTH_MAX, Resolver, State};
use crate::ast::{Ident, Span, Valueset, ValuesetPart, ValuesetPartKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{CodePattern, CodeSet};
use crate::suggest;
use crate::value::Code;

type Patterns = BTreeSet<CodePattern>;

impl<'a> Resolver<'a> {
    pub(super) fn all_valuesets(&mut self) {
        let all: Vec<&'a Valueset> = self.declarations.valuesets.values().copied().collect();
        for valueset in all {
            let _ = self.valueset(valueset, valueset.name.span);
        }
    }

    /// The closed value set of a name; reports an unknown one, stays silent about one with an error.
    pub(super) fn valueset_of(&mut self, name: &Ident) -> Option<Vec<CodeSet>> {
        if let Some(valueset) = self.declarations.valuesets.get(name.name.as_str()).copied() {
            self.use_valueset(valueset);
        }
        self.valueset_named(name)
    }

    fn valueset_named(&mut self, name: &Ident) -> Option<Vec<CodeSet>> {
        let Some(valueset) = self.declarations.valuesets.get(name.name.as_str()).copied() else {
            let message = format!("unknown value set `@{}`", crate::lex::short(&name.name));
            let names: Vec<&str> = self.declarations.valuesets.keys().copied().collect();
            let help = suggest::help(&name.name, "value sets", names.iter().copied()).unwrap_or_else(|| {
                format!("declare it: valueset {} = ICD10CM {{ \"E11.9\" }}", crate::lex::short(&name.name))
            });
            self.report(Diagnostic::new(&codes::UNKNOWN_VALUESET, name.span, message).help(help));
            return None;
        };
        self.valueset(valueset, name.span)
    }

    /// Notes the use of a value set and of those that it is made of.
    fn use_valueset(&mut self, valueset: &'a Valueset) {
        let mut open = vec![valueset];
        while let Some(next) = open.pop() {
            if !self.body.uses.valuesets.insert(next.name.name.clone()) {
                continue;
            }
            for part in &next.parts {
                if let ValuesetPartKind::Ref(name) = &part.kind {
                    open.extend(self.declarations.valuesets.get(name.name.as_str()));
                }
            }
        }
    }

    fn valueset(&mut self, valueset: &'a Valueset, from: Span) -> Option<Vec<CodeSet>> {
        let name = valueset.name.name.as_str();
        match self.valuesets.get(name) {
            Some(State::Done(done)) => return done.clone(),
            Some(State::Open) => {
                let message = format!("value set `{name}` needs itself");
                let finding = Diagnostic::new(&codes::VALUESET_CYCLE, from, message);
                self.report(finding.related(valueset.name.span, "declared here"));
                return None;
            }
            None => {}
        }
        if self.nesting >= DEPTH_MAX {
            self.too_far(from);
            return None;
        }
        self.valuesets.insert(name, State::Open);
        self.nesting += 1;
        let done = self.close(valueset);
        self.nesting -= 1;
        self.valuesets.insert(name, State::Done(done.clone()));
        done
    }

    fn close(&mut self, valueset: &'a Valueset) -> Option<Vec<CodeSet>> {
        let mut parts = Vec::with_capacity(valueset.parts.len());
        for part in &valueset.parts {
            parts.push(self.part(part));
        }
        let parts: Vec<Vec<CodeSet>> = parts.into_iter().collect::<Option<_>>()?;
        // A value set whose parts could not be read was reported by the parser.
        if parts.is_empty() {
            return None;
        }
        let mut plus: Vec<CodeSet> = Vec::new();
        let mut minus = Patterns::new();
        for (part, sets) in valueset.parts.iter().zip(parts) {
            if !part.minus {
                plus.extend(sets);
            } else if sets.iter().any(|set| !set.exclude.is_empty()) {
                let message = "a value set with exclusions below `under` cannot be taken away from another";
                let finding = Diagnostic::new(&codes::NOT_AVAILABLE, part.span, message);
                self.report(finding.help("list what is to be taken away"));
                return None;
            } else {
                minus.extend(sets.into_iter().flat_map(|set| set.include));
            }
        }
        let mut closed: Vec<CodeSet> = Vec::new();
        for mut set in plus {
            set.exclude.extend(minus.iter().cloned());
            let set = trim(set);
            if set.include.is_empty() {
                continue;
            }
            // Sets of which none excludes what the other includes are one set.
            match closed.iter_mut().find(|other| !disturbs(other, &set) && !disturbs(&set, other)) {
                Some(other) => {
                    other.include.extend(set.include);
                    other.exclude.extend(set.exclude);
                }
                None => closed.push(set),
            }
        }
        if closed.is_empty() {
            let message = format!("no code is left in value set `{}`", valueset.name.name);
            let finding = Diagnostic::new(&codes::EMPTY_VALUESET, valueset.name.span, message);
            self.report(finding.help("what stands behind `-` takes away everything else"));
            return None;
        }
        Some(closed)
    }

    fn part(&mut self, part: &'a ValuesetPart) -> Option<Vec<CodeSet>> {
        match &part.kind {
            ValuesetPartKind::Ref(name) => self.valueset_named(name),
            ValuesetPartKind::Codes { system, codes: written, .. } => {
                let mut include = Some(Patterns::new());
                for item in written {
                    let pattern = self.code(system, &item.code, item.under, item.span);
                    match (pattern, &mut include) {
                        (Some(pattern), Some(include)) => drop(include.insert(pattern)),
                        (None, include) => *include = None,
                        (Some(_), None) => {}
                    }
                }
                let include = include.filter(|include| !include.is_empty())?;
                Some(vec![CodeSet { include, exclude: Patterns::new() }])
            }
        }
    }
}

/// Takes out inclusions that are wholly excluded, and exclusions below nothing that is included.
fn trim(set: CodeSet) -> CodeSet {
    let CodeSet { include, exclude } = set;
    let include: Patterns = include.into_iter().filter(|pattern| !covered(&exclude, pattern)).collect();
    let exclude =
        exclude.into_iter().filter(|pattern| covered_by_hierarchy(&include, &pattern.code)).collect();
    CodeSet { include, exclude }
}

/// An exclusion of one set meets an inclusion of the other.
fn disturbs(a: &CodeSet, b: &CodeSet) -> bool {
    a.exclude.iter().any(|out| {
        covered(&b.include, out)
            || out.under && below(&b.include, &out.code)
            || !out.under && b.include.contains(&CodePattern { code: out.code.clone(), under: true })
    })
}

/// Some pattern takes every code that this one takes.
fn covered(by: &Patterns, pattern: &CodePattern) -> bool {
    !pattern.under && by.contains(pattern) || covered_by_hierarchy(by, &pattern.code)
}

/// Some `under` pattern takes this code.
fn covered_by_hierarchy(by: &Patterns, code: &Code) -> bool {
    if by.is_empty() {
        return false;
    }
    let ends = code.code.char_indices().map(|(at, _)| at).skip(1).chain([code.code.len()]);
    ends.filter_map(|end| code.code.get(..end)).any(|prefix| {
        by.contains(&CodePattern {
            code: Code { system: code.system.clone(), code: prefix.to_owned() },
            under: true,
        })
    })
}

/// Some pattern is this code or lies below it.
fn below(by: &Patterns, code: &Code) -> bool {
    let from = CodePattern { code: code.clone(), under: false };
    by.range(from..)
        .take_while(|pattern| pattern.code.system == code.system && pattern.code.code.starts_with(&code.code))
        .next()
        .is_some()
}
