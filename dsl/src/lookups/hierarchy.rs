//! Which codes of a system lie under which.
//!
//! It is kept as one text: a line for every code, ascending, the code, a tab, and the codes that were given as lying under it
//! with blanks between them. Both forms that sources have are taken as they are, pairs of parent and child and pairs of
//! ancestor and descendant: [`Hierarchy::below`] follows the pairs as far as they lead.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::sha256_hex;
use crate::schema::CodeSystem;

/// Most pairs of a hierarchy.
const PAIRS_MAX: usize = 20_000_000;

/// The hierarchy of one code system.
#[derive(Clone, PartialEq, Eq)]
pub struct Hierarchy {
    system: CodeSystem,
    text: Arc<str>,
    /// Where each line starts.
    lines: Arc<[u32]>,
    sha256: String,
}

impl std::fmt::Debug for Hierarchy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hierarchy").field("system", &self.system).field("codes", &self.lines.len()).finish()
    }
}

/// Collects pairs.
#[derive(Debug)]
pub struct HierarchyBuilder {
    system: CodeSystem,
    places: HashMap<String, u32>,
    pairs: Vec<(u32, u32)>,
}

impl HierarchyBuilder {
    /// Without a pair.
    #[must_use]
    pub fn new(system: CodeSystem) -> Self {
        Self { system, places: HashMap::new(), pairs: Vec::new() }
    }

    /// Adds that one code lies under another. A code that is said to lie under itself is known, and no more.
    ///
    /// # Errors
    /// What is wrong, without the codes: one is empty or holds a blank, or there are too many pairs. Nothing of the pair is
    /// known then.
    pub fn add(&mut self, ancestor: &str, descendant: &str) -> Result<(), String> {
        let (ancestor, descendant) = (self.normal(ancestor)?, self.normal(descendant)?);
        if self.pairs.len() >= PAIRS_MAX {
            return Err(format!("there are more than {PAIRS_MAX} pairs"));
        }
        let pair = (self.place(ancestor)?, self.place(descendant)?);
        self.pairs.push(pair);
        Ok(())
    }

    fn normal(&self, code: &str) -> Result<String, String> {
        let code = self.system.normal(code).ok_or("a code is empty")?;
        if code.contains(char::is_whitespace) {
            return Err("a code holds a blank".to_owned());
        }
        Ok(code)
    }

    fn place(&mut self, code: String) -> Result<u32, String> {
        let next = u32::try_from(self.places.len()).map_err(|_| "there are too many codes")?;
        Ok(*self.places.entry(code).or_insert(next))
    }

    /// The hierarchy; none when it is empty or its text would have more than 4 GiB.
    #[must_use]
    pub fn finish(self) -> Option<Hierarchy> {
        let mut codes: Vec<(String, u32)> = self.places.into_iter().collect();
        codes.sort_unstable();
        let mut ranks = vec![0_u32; codes.len()];
        for (rank, (_, place)) in (0_u32..).zip(&codes) {
            *ranks.get_mut(usize::try_from(*place).ok()?)? = rank;
        }
        let rank = |place: u32| ranks.get(usize::try_from(place).ok()?).copied();
        let mut pairs = Vec::with_capacity(self.pairs.len());
        for (above, below) in self.pairs {
            let (above, below) = (rank(above)?, rank(below)?);
            if above != below {
                pairs.push((above, below));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut pairs = pairs.into_iter().peekable();
        let mut text = String::new();
        for (rank, (code, _)) in (0_u32..).zip(&codes) {
            text.push_str(code);
            let mut mark = '\t';
            while let Some((_, below)) = pairs.next_if(|(above, _)| *above == rank) {
                let (below, _) = codes.get(usize::try_from(below).ok()?)?;
                text.push(mark);
                text.push_str(below);
                mark = ' ';
            }
            text.push('\n');
        }
        Hierarchy::from_document(self.system, text)
    }
}

impl Hierarchy {
    /// Inverse of [`Self::document`]; none when the text is of another form.
    #[must_use]
    pub fn from_document(system: CodeSystem, text: impl Into<Arc<str>>) -> Option<Self> {
        let text = text.into();
        let mut lines = Vec::new();
        let mut start = 0;
        let mut before = "";
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            let end = rest.find('\n')?;
            let code = rest.get(..end)?.split('\t').next()?;
            if code.is_empty() || code <= before {
                return None;
            }
            before = code;
            lines.push(u32::try_from(start).ok()?);
            start += end + 1;
        }
        let sha256 = sha256_hex(text.as_bytes());
        (!lines.is_empty()).then(|| Self { system, lines: lines.into(), sha256, text: Arc::clone(&text) })
    }

    /// The system whose codes these are.
    #[must_use]
    pub fn system(&self) -> CodeSystem {
        self.system
    }

    /// The text that is stored.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the stored text, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Codes that it knows.
    #[must_use]
    pub fn codes(&self) -> usize {
        self.lines.len()
    }

    /// A code in normal form with everything under it, however far; none for a code that it does not know. Stops behind `max`
    /// codes: then more than `max` are given.
    #[must_use]
    pub fn below(&self, code: &str, max: usize) -> Option<BTreeSet<&str>> {
        let (code, _) = self.line(code)?;
        let mut found = BTreeSet::from([code]);
        let mut open = vec![code];
        while let Some(next) = open.pop() {
            if found.len() > max {
                break;
            }
            let Some((_, under)) = self.line(next) else { continue };
            open.extend(under.split(' ').filter(|under| !under.is_empty() && found.insert(under)));
        }
        Some(found)
    }

    /// A code and what was given as lying under it.
    fn line(&self, code: &str) -> Option<(&str, &str)> {
        let at = |start: u32| {
            let rest = self.text.get(usize::try_from(start).ok()?..)?;
            let line = rest.get(..rest.find('\n')?)?;
            Some(line.split_once('\t').unwrap_or((line, "")))
        };
        let place =
            self.lines.binary_search_by(|start| at(*start).map_or("", |(code, _)| code).cmp(code)).ok()?;
        at(*self.lines.get(place)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Hierarchy {
        let mut builder = HierarchyBuilder::new(CodeSystem::Snomed);
        pairs.iter().for_each(|(above, below)| builder.add(above, below).unwrap());
        builder.finish().unwrap()
    }

    fn below(of: &Hierarchy, code: &str) -> Option<Vec<String>> {
        of.below(code, 100).map(|codes| codes.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn parents_and_ancestors_come_to_the_same() {
        let parents = of(&[("1", "2"), ("2", "3"), ("2", "4"), ("10", "4")]);
        let ancestors = of(&[
            ("1", "1"),
            ("1", "2"),
            ("1", "3"),
            ("1", "4"),
            ("2", "3"),
            ("2", "4"),
            ("10", "4"),
            ("4", "4"),
        ]);
        for of in [&parents, &ancestors] {
            assert_eq!(below(of, "1").unwrap(), ["1", "2", "3", "4"]);
            assert_eq!(below(of, "10").unwrap(), ["10", "4"]);
            assert_eq!(below(of, "3").unwrap(), ["3"], "a leaf is known");
            assert_eq!(below(of, "5"), None);
            assert!(of.below("1", 2).unwrap().len() > 2);
            let again = Hierarchy::from_document(of.system(), of.document()).unwrap();
            assert_eq!(&again, of);
        }
        assert_ne!(parents.sha256(), ancestors.sha256());
        assert_eq!(below(&of(&[("1", "2"), ("2", "1")]), "1").unwrap(), ["1", "2"], "a cycle ends");
    }

    #[test]
    fn other_texts_are_none() {
        for wrong in ["", "1\t2", "2\n1\n", "1\n1\n", "\t2\n"] {
            assert_eq!(Hierarchy::from_document(CodeSystem::Snomed, wrong), None, "{wrong:?}");
        }
        let mut builder = HierarchyBuilder::new(CodeSystem::Snomed);
        assert!(builder.add("1", " ").is_err() && builder.add("1 2", "3").is_err());
        assert_eq!(builder.finish(), None);
    }
}
