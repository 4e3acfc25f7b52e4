//! Value sets closed: references put in, exclusions carried out.
//!
//! Within one value set exclusion wins over inclusion wherever it stands. A value set that is put into another is
//! closed by itself first, so what it excludes is not lost to a set that includes it again. A closed value set is a
//! list of code sets, joined by or; it has more than one only when an exclusion below an `under` of one part meets an
//! inclusion of another.

use std::collections::BTreeSet;

use super::{Closed, DEPTH_MAX, Resolver, State};
use crate::ast::{Ident, Span, Valueset, ValuesetPart, ValuesetPartKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{CodePattern, CodeSet};
use crate::suggest;
use crate::value::Code;

pub(super) type Patterns = BTreeSet<CodePattern>;

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
            if let Some(found) = self.stored_valueset(name) {
                return found;
            }
            let message = format!("unknown value set `@{}`", crate::lex::short(&name.name));
            let stored = self.lookups.valueset_names();
            let declared = self.declarations.valuesets.keys().copied();
            let names: Vec<&str> = declared.chain(stored.iter().map(String::as_str)).collect();
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
            Some(State::Done(done)) => {
                let Closed { sets, pins } = done.clone()?;
                self.body.uses.pins.extend(pins);
                return Some(sets);
            }
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
        let outer = std::mem::take(&mut self.body.uses.pins);
        let sets = self.close(valueset);
        let pins = std::mem::replace(&mut self.body.uses.pins, outer);
        self.nesting -= 1;
        self.body.uses.pins.extend(pins.iter().cloned());
        let done = sets.clone().map(|sets| Closed { sets, pins });
        self.valuesets.insert(name, State::Done(done));
        sets
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
        let closed = joined(plus, &minus);
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
            ValuesetPartKind::File(name) => self.codes_of_file(name),
            ValuesetPartKind::Codes { system, codes: written, .. } => {
                let mut include = Some(Patterns::new());
                for item in written {
                    let patterns = self.code(system, &item.code, item.under, item.span);
                    match (patterns, &mut include) {
                        (Some(patterns), Some(include)) => include.extend(patterns),
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

/// The sets with these codes taken out of all of them, as few as may be.
pub(super) fn joined(plus: Vec<CodeSet>, minus: &Patterns) -> Vec<CodeSet> {
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
    closed
}

/// Takes out inclusions that are wholly excluded, and exclusions below nothing that is included.
fn trim(set: CodeSet) -> CodeSet {
    let CodeSet { include, exclude } = set;
    let from_below = hierarchical(&exclude);
    let out = |pattern: &CodePattern| {
        !pattern.under && exclude.contains(pattern) || covered_by_hierarchy(&from_below, &pattern.code)
    };
    let include: Patterns = include.into_iter().filter(|pattern| !out(pattern)).collect();
    let below = hierarchical(&include);
    let exclude = exclude.into_iter().filter(|pattern| covered_by_hierarchy(&below, &pattern.code)).collect();
    CodeSet { include, exclude }
}

/// The patterns that take what lies below a code: few, and all that has to be looked at where only these can take one.
fn hierarchical(of: &Patterns) -> Patterns {
    of.iter().filter(|pattern| pattern.under).cloned().collect()
}

/// An exclusion of one set meets an inclusion of the other.
fn disturbs(a: &CodeSet, b: &CodeSet) -> bool {
    if a.exclude.is_empty() {
        return false;
    }
    let from_below = hierarchical(&b.include);
    a.exclude.iter().any(|out| {
        !out.under && b.include.contains(out)
            || covered_by_hierarchy(&from_below, &out.code)
            || out.under && below(&b.include, &out.code)
            || !out.under && b.include.contains(&CodePattern { code: out.code.clone(), under: true })
    })
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
