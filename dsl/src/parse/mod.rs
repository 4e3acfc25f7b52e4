//! Tokens into the tree of what was written.
//!
//! In: the tokens of [`crate::lex`]. Out: a [`File`] and diagnostics, always both. A recursive descent over the slice
//! of tokens with nom parsers for the [`leaf`]s. Where the text leaves the grammar, the parser reports it once, skips
//! to the next `and`, `or`, comma, closing parenthesis or clause keyword, and goes on, so that one reading finds every
//! problem. Every loop takes at least one token per turn; recursion ends at [`DEPTH_MAX`].

mod adherence;
mod amounts;
mod criteria;
mod file;
mod history;
mod households;
mod leaf;
mod measures;
mod mistaken;
mod places;
mod portfolios;
mod ranks;
mod records;
mod references;
mod segment;
mod sequences;
mod shares;
mod tails;
mod tests_of_fields;
mod values;
pub(crate) use values::{COUNT_MAX, SHIFTS_MAX};
mod windows;

use crate::ast::{File, Span};
use crate::diagnostic::{Diagnostic, Rule, codes};
use crate::lex::{Token, TokenKind, lex};
use leaf::{Input, Leaf};

/// How deep parentheses and `not` may nest.
pub(crate) const DEPTH_MAX: usize = 64;
/// Most values of one list.
pub(crate) const LIST_MAX: usize = 100_000;
/// Findings after which the parser only skips; far above what is shown.
const FINDINGS_MAX: usize = 2_000;

/// Words that start a clause of a segment.
const CLAUSES: &[&str] =
    &["purpose", "channel", "where", "exclude", "output", "holdout", "limit", "sample", "split", "cap"];
/// Words that start a declaration.
const DECLARATIONS: &[&str] = &["valueset", "param", "define", "segment", "stage", "portfolio"];

/// A file and everything that is wrong with its spelling.
pub(crate) struct Parsed {
    pub(crate) file: File,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads a text.
pub(crate) fn parse(source: &str) -> Parsed {
    let lexed = lex(source);
    let mut parser = Parser {
        rest: &lexed.tokens,
        last: Span { start: 0, end: 0 },
        depth: 0,
        diagnostics: lexed.diagnostics,
    };
    let items = parser.file();
    let diagnostics = parser.diagnostics;
    Parsed { file: File { items, comments: lexed.comments }, diagnostics }
}

/// A token that stands where no other is left.
static END: Token = Token { kind: TokenKind::End, span: Span { start: 0, end: 0 }, first_on_line: true };

struct Parser<'t> {
    rest: Input<'t>,
    /// The token read last.
    last: Span,
    depth: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> &'t Token {
        self.rest.first().unwrap_or(&END)
    }

    fn peek_at(&self, ahead: usize) -> &'t Token {
        self.rest.get(ahead).unwrap_or(&END)
    }

    fn at_end(&self) -> bool {
        self.peek().kind == TokenKind::End
    }

    /// Takes what the parser matches.
    fn take<T>(&mut self, mut leaf: impl Leaf<'t, T>) -> Option<T> {
        let before = self.rest;
        let (rest, value) = leaf.parse(before).ok()?;
        let taken = before.len() - rest.len();
        if let Some(token) = taken.checked_sub(1).and_then(|index| before.get(index)) {
            self.last = token.span;
        }
        self.rest = rest;
        Some(value)
    }

    /// The parser matches here.
    fn ahead<T>(&self, mut leaf: impl Leaf<'t, T>) -> bool {
        leaf.parse(self.rest).is_ok()
    }

    /// Takes what the parser matches, or reports that it is missing.
    fn expect<T>(&mut self, leaf: impl Leaf<'t, T>, expected: &str) -> Option<T> {
        let taken = self.take(leaf);
        if taken.is_none() {
            self.unexpected(expected);
        }
        taken
    }

    /// Skips one token; never the end.
    fn skip(&mut self) {
        if let Some((token, rest)) = self.rest.split_first()
            && token.kind != TokenKind::End
        {
            self.last = token.span;
            self.rest = rest;
        }
    }

    fn report(&mut self, finding: Diagnostic) {
        if self.diagnostics.len() < FINDINGS_MAX {
            self.diagnostics.push(finding);
        }
    }

    fn unexpected(&mut self, expected: &str) {
        self.unexpected_help(expected, None);
    }

    fn unexpected_help(&mut self, expected: &str, help: Option<String>) {
        let token = self.peek();
        // A bad token has been reported by the lexer.
        if token.kind == TokenKind::Bad {
            return;
        }
        let case = token.word().filter(|word| keyword(&word.to_lowercase()) && **word != word.to_lowercase());
        let finding = match case {
            Some(word) => Diagnostic::new(
                &codes::FOREIGN_SPELLING,
                token.span,
                format!("keywords are lower case: `{}`", word.to_lowercase()),
            ),
            None => Diagnostic::new(
                &codes::UNEXPECTED,
                token.span,
                format!("expected {expected}, found {}", token.describe()),
            ),
        };
        self.report_syntax(finding.help_opt(help));
    }

    /// Reports a syntax error unless the last one stands at the same place: one is enough there.
    fn report_syntax(&mut self, finding: Diagnostic) {
        let last = self.diagnostics.last().filter(|last| last.code == codes::UNEXPECTED.code);
        if last.is_none_or(|last| last.span != finding.span) {
            self.report(finding);
        }
    }

    fn simple(
        &mut self,
        rule: &'static Rule,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(Diagnostic::new(rule, span, message).help(help));
    }

    /// Takes a keyword where nothing else can stand, also in capitals, which are reported.
    fn take_keyword(&mut self, keyword: &'static str) -> bool {
        self.foreign_case(keyword);
        self.peek().word().is_some_and(|word| word.eq_ignore_ascii_case(keyword)) && {
            self.skip();
            true
        }
    }

    /// Reports a keyword in capitals.
    fn foreign_case(&mut self, keyword: &str) {
        let token = self.peek();
        if token.word().is_some_and(|word| word != keyword && word.eq_ignore_ascii_case(keyword)) {
            let message = format!("keywords are lower case: `{keyword}`");
            self.simple(&codes::FOREIGN_SPELLING, token.span, message, format!("write `{keyword}`"));
        }
    }

    /// From `start` to the token read last.
    fn span_from(&self, start: Span) -> Span {
        Span { start: start.start, end: self.last.end.max(start.start) }
    }

    /// Runs a part of the grammar one level deeper; at the limit reports it, skips the part and answers `None`.
    fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= DEPTH_MAX {
            let span = self.peek().span;
            self.simple(
                &codes::TOO_DEEP,
                span,
                format!("nested more than {DEPTH_MAX} levels deep"),
                "give inner parts a name with `define`",
            );
            self.skip_to_sync();
            return None;
        }
        self.depth += 1;
        let value = part(self);
        self.depth -= 1;
        Some(value)
    }

    /// A declaration starts here: its keyword, and a name behind it.
    fn at_declaration(&self) -> bool {
        let token = self.peek();
        token.word().is_some_and(|word| DECLARATIONS.contains(&word))
            && (token.first_on_line || self.peek_at(1).word().is_some())
    }

    /// A clause starts here, seen from behind a complete clause.
    fn at_clause(&self) -> bool {
        let token = self.peek();
        token.word().is_some_and(|word| CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(word)))
            || self.ahead(leaf::words("one", "per"))
    }

    /// Skips to the next place at this level of parentheses where reading can go on: `and`, `or`, a comma, a
    /// closing sign, a clause or a declaration. Takes nothing when it stands there already.
    fn skip_to_sync(&mut self) {
        let mut open = 0_usize;
        while !self.at_end() {
            let token = self.peek();
            if open == 0 {
                let stop = ["and", "or"].iter().any(|word| token.is_word(word))
                    || [")", "}", ","].iter().any(|sign| token.is_sign(sign));
                if stop || self.at_clause() {
                    return;
                }
            }
            // A declaration at the start of a line ends every parenthesis that was left open.
            if token.first_on_line && self.at_declaration() {
                return;
            }
            if token.is_sign("(") || token.is_sign("{") {
                open += 1;
            } else if token.is_sign(")") || token.is_sign("}") {
                open = open.saturating_sub(1);
            }
            self.skip();
        }
    }

    /// Skips to the next clause or declaration.
    fn skip_to_clause(&mut self) {
        while !self.at_end() && !self.at_clause() && !self.at_declaration() {
            self.skip();
        }
    }
}

/// Words that mean something of their own somewhere in the language.
pub(crate) fn is_keyword(word: &str) -> bool {
    keyword(word) || word == "at" || word == "exactly"
}

fn keyword(word: &str) -> bool {
    const OTHERS: &[&str] = &[
        "and",
        "or",
        "not",
        "in",
        "has",
        "no",
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "median",
        "distinct",
        "latest",
        "earliest",
        "between",
        "is",
        "known",
        "missing",
        "last",
        "next",
        "more",
        "than",
        "ago",
        "since",
        "before",
        "after",
        "on",
        "active",
        "everyone",
        "nobody",
        "under",
        "seed",
        "contains",
        "starts",
        "ends",
        "with",
        "matches",
        "age",
        "anniversary",
        "then",
        "followed",
        "within",
        "around",
    ];
    CLAUSES.contains(&word) || DECLARATIONS.contains(&word) || OTHERS.contains(&word)
}
