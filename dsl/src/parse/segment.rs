//! The declaration of a segment and its clauses.

use super::leaf::{ident, number, sign, text, word};
use super::{CLAUSES, Parser};
use crate::ast::{Clause, ClauseKind, Ident, Segment, Span};
use crate::diagnostic::{Diagnostic, codes};

/// How far the clauses of a segment have come; they stand in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Header,
    Where,
    Tail,
}

impl Parser<'_> {
    pub(super) fn segment(&mut self) -> Option<Segment> {
        let start = self.take(word("segment"))?;
        let name = match self.expect(ident, "a name for the segment") {
            Some(name) => name,
            None => Ident { name: String::new(), span: self.last },
        };
        let title = self.take(text);
        let mut clauses: Vec<Clause> = Vec::new();
        let mut place = Place::Header;
        let mut seen_where = false;
        while !self.at_end() && !self.at_declaration() {
            let Some(clause) = self.clause() else { continue };
            self.check_place(&clause, &mut place, &clauses);
            seen_where |= matches!(clause.kind, ClauseKind::Where(_));
            clauses.push(clause);
        }
        if !seen_where {
            self.simple(
                &codes::NO_WHERE,
                start.to(name.span),
                format!("segment `{}` does not say whom it takes", crate::lex::short(&name.name)),
                "add `where` and criteria; everyone is `where everyone`",
            );
        }
        Some(Segment { name, title, clauses, span: self.span_from(start) })
    }

    fn clause(&mut self) -> Option<Clause> {
        let keyword = self.peek().span;
        let written = self.peek().word().map(str::to_lowercase);
        let known = written.as_deref().and_then(|written| CLAUSES.iter().find(|clause| **clause == written));
        if let Some(known) = known {
            self.foreign_case(known);
        }
        let kind = match written.as_deref() {
            Some("purpose") => self.named(ClauseKind::Purpose, "a purpose, e.g. `treatment`"),
            Some("channel") => self.named(ClauseKind::Channel, "a channel, e.g. `email`"),
            Some("where") => {
                self.skip();
                ClauseKind::Where(self.criteria())
            }
            Some("exclude") => {
                self.skip();
                ClauseKind::Exclude(self.criteria())
            }
            Some("output") => self.output(),
            Some("holdout") => self.holdout(),
            Some("limit") => {
                let limit = self.limit();
                self.clause_or_bad(limit)
            }
            Some("one") if self.peek_at(1).is_word("per") => {
                let one_per = self.one_per();
                self.clause_or_bad(one_per)
            }
            Some("cap") => {
                let cap = self.cap();
                self.clause_or_bad(cap)
            }
            Some("sample") => {
                let sample = self.sample().map(|(percent, seed)| ClauseKind::Sample { percent, seed });
                self.clause_or_bad(sample)
            }
            Some("split") => {
                let split = self.split();
                self.clause_or_bad(split)
            }
            _ => {
                self.stray();
                return None;
            }
        };
        Some(Clause { kind, keyword, span: self.span_from(keyword) })
    }

    /// Something that is no clause: reports it, skips it; criteria behind it are read for their own findings.
    fn stray(&mut self) {
        let near = self.peek().word().and_then(|word| crate::suggest::nearest(word, CLAUSES.iter().copied()));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        self.unexpected_help(
            "a clause, such as where, exclude, output, limit, sample, split or holdout",
            help,
        );
        self.skip();
        loop {
            self.skip_to_sync();
            if self.take(word("and")).is_some() || self.take(word("or")).is_some() {
                let _ = self.criteria();
            } else if [")", "}", ","].iter().any(|sign| self.peek().is_sign(sign)) {
                self.skip();
            } else {
                return;
            }
        }
    }

    fn named(&mut self, kind: impl FnOnce(Ident) -> ClauseKind, expected: &str) -> ClauseKind {
        self.skip();
        if self.at_clause() && self.peek().first_on_line {
            self.unexpected(expected);
            return ClauseKind::Bad;
        }
        self.expect(ident, expected).map_or(ClauseKind::Bad, kind)
    }

    fn output(&mut self) -> ClauseKind {
        self.skip();
        let mut fields = Vec::new();
        loop {
            match self.expect(ident, "a contact field") {
                Some(field) => fields.push(field),
                None => {
                    self.skip_item(",");
                }
            }
            if self.take(sign(",")).is_none() {
                return ClauseKind::Output(fields);
            }
        }
    }

    fn holdout(&mut self) -> ClauseKind {
        self.skip();
        let Some(percent) = self.expect(number, "a share such as `10%`") else {
            self.skip_to_clause();
            return ClauseKind::Bad;
        };
        if self.take(sign("%")).is_none() {
            self.unexpected("`%`");
        }
        let mut seed = None;
        if self.take(word("seed")).is_some() {
            seed = self.expect(text, "a text behind `seed`");
            if seed.is_none() {
                self.skip_to_clause();
                return ClauseKind::Bad;
            }
        }
        ClauseKind::Holdout { percent, seed }
    }

    /// Reports a clause that stands twice or before its turn.
    fn check_place(&mut self, clause: &Clause, place: &mut Place, before: &[Clause]) {
        let (name, own) = match &clause.kind {
            ClauseKind::Purpose(_) => ("purpose", Place::Header),
            ClauseKind::Channel(_) => ("channel", Place::Header),
            ClauseKind::Where(_) => ("where", Place::Where),
            ClauseKind::Exclude(_) => ("exclude", Place::Tail),
            ClauseKind::Output(_) => ("output", Place::Tail),
            ClauseKind::Limit { .. } => ("limit", Place::Tail),
            ClauseKind::OnePer(_) => ("one per", Place::Tail),
            ClauseKind::Cap { .. } => ("cap", Place::Tail),
            ClauseKind::Sample { .. } => ("sample", Place::Tail),
            ClauseKind::Split { .. } => ("split", Place::Tail),
            ClauseKind::Holdout { .. } => ("holdout", Place::Tail),
            ClauseKind::Bad => return,
        };
        let same =
            |other: &&Clause| std::mem::discriminant(&other.kind) == std::mem::discriminant(&clause.kind);
        if let Some(first) = before.iter().find(same) {
            let first: Span = first.keyword;
            let message = format!("`{name}` stands twice in this segment");
            let finding = Diagnostic::new(&codes::DUPLICATE_CLAUSE, clause.keyword, message);
            self.report(finding.related(first, "first here").help("a clause stands once"));
        } else if own < *place {
            let behind = if own == Place::Header {
                "`where`"
            } else {
                "`exclude`, `output`, `holdout` and their like"
            };
            self.simple(
                &codes::MISPLACED_CLAUSE,
                clause.keyword,
                format!("`{name}` stands before {behind}"),
                "the order is purpose, channel, where, then what shapes the list: exclude, output, cap, one per, sample, limit, split, holdout",
            );
        }
        *place = own.max(*place);
    }
}
