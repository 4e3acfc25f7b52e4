//! Text into tokens.
//!
//! In: any UTF-8 text. Out: tokens that end with [`TokenKind::End`], the comments, and diagnostics for what is not
//! part of the language; what can be guessed (`==` for `=`) is put in place of it, so that the parser goes on and
//! everything is reported at once. Never fails, never loses a comment.

mod scan;
pub(crate) mod text;

use crate::ast::{Comment, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::value::Day;

/// Largest source text, in bytes.
pub(crate) const SOURCE_BYTES_MAX: usize = 4 << 20;
/// Most tokens of a source text.
pub(crate) const TOKENS_MAX: usize = 1_000_000;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A name or keyword.
    Word(String),
    /// Digits, with at most one point between them.
    Number(String),
    /// A date that exists.
    Date(Day),
    /// A text in quotes, escapes replaced.
    Text(String),
    /// `$name`.
    Param(String),
    /// A value that was reported already.
    Bad,
    /// A sign such as `(` or `<=`.
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
    /// First on its line, blanks and comments apart.
    pub(crate) first_on_line: bool,
}

impl Token {
    pub(crate) fn is_word(&self, text: &str) -> bool {
        matches!(&self.kind, TokenKind::Word(word) if word == text)
    }

    pub(crate) fn is_sign(&self, text: &str) -> bool {
        matches!(&self.kind, TokenKind::Sign(sign) if *sign == text)
    }

    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word(word) => Some(word),
            TokenKind::Number(_)
            | TokenKind::Date(_)
            | TokenKind::Text(_)
            | TokenKind::Param(_)
            | TokenKind::Bad
            | TokenKind::Sign(_)
            | TokenKind::End => None,
        }
    }

    /// For messages.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            TokenKind::Word(word) => format!("`{}`", short(word)),
            TokenKind::Number(number) => format!("`{}`", short(number)),
            TokenKind::Date(day) => format!("`{day}`"),
            TokenKind::Text(_) => "a text".to_owned(),
            TokenKind::Param(name) => format!("`${}`", short(name)),
            TokenKind::Bad => "this".to_owned(),
            TokenKind::Sign(sign) => format!("`{sign}`"),
            TokenKind::End => "the end of the text".to_owned(),
        }
    }
}

/// A word of the source as it may stand in a message: at most 60 characters of it.
pub(crate) fn short(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or("")),
    }
}

/// A text that is read as one name or keyword.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && {
        let scanned = scan::token(text);
        scanned.length == text.len() && matches!(scanned.kind, Some(TokenKind::Word(_)))
    }
}

/// A text that is read as a name behind `$`.
pub(crate) fn is_marked_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(scan::is_word)
}

/// Tokens, comments and findings of a text.
pub(crate) struct Lexed {
    /// Never empty; the last one, and no other, is the end.
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Splits a text into tokens.
pub(crate) fn lex(source: &str) -> Lexed {
    let mut lexer = Lexer {
        source,
        at: 0,
        line_start: true,
        out: Lexed { tokens: Vec::new(), comments: Vec::new(), diagnostics: Vec::new() },
    };
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("the text has {} bytes; at most {SOURCE_BYTES_MAX} are read", source.len());
        lexer.out.diagnostics.push(Diagnostic::new(&codes::TOO_LARGE, 0..0, message));
    } else {
        lexer.all();
    }
    // The end is where the last word or comment ends, so that carets point behind it.
    let end = if lexer.at == 0 { 0 } else { source.trim_end().len() };
    lexer.push(TokenKind::End, Span { start: end, end });
    lexer.out
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    /// Nothing but blanks and comments so far on this line.
    line_start: bool,
    out: Lexed,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn all(&mut self) {
        if self.rest().starts_with('\u{feff}') {
            self.at += '\u{feff}'.len_utf8();
        }
        loop {
            self.trivia();
            if self.rest().is_empty() {
                return;
            }
            if self.out.tokens.len() >= TOKENS_MAX {
                let message = format!("the text has more than {TOKENS_MAX} words and signs");
                let span = Span { start: self.at, end: self.at };
                self.out.diagnostics.push(Diagnostic::new(&codes::TOO_LARGE, span, message));
                return;
            }
            self.token();
        }
    }

    fn push(&mut self, kind: TokenKind, span: Span) {
        self.out.tokens.push(Token { kind, span, first_on_line: self.line_start });
        self.line_start = false;
    }

    /// Skips blanks, keeps comments.
    fn trivia(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            let (blanks, after) = rest.split_at_checked(blank).unwrap_or(("", rest));
            self.line_start |= blanks.contains('\n');
            self.at += blank;
            let length = if after.starts_with("//") {
                after.find('\n').unwrap_or(after.len())
            } else if after.starts_with("/*") {
                match after.get(2..).and_then(|inner| inner.find("*/")) {
                    Some(inner) => inner + 4,
                    None => {
                        let span = Span { start: self.at, end: self.at + 2 };
                        let finding = Diagnostic::new(&codes::UNTERMINATED, span, "the comment has no end")
                            .help("close it with `*/`");
                        self.out.diagnostics.push(finding);
                        after.len()
                    }
                }
            } else {
                return;
            };
            self.comment(length);
        }
    }

    fn comment(&mut self, length: usize) {
        let span = Span { start: self.at, end: self.at + length };
        let text = self.source.get(span.start..span.end).unwrap_or("").trim_end().replace('\r', "");
        let after = self.source.get(span.end..).unwrap_or("");
        let blanks = after.get(..after.len() - after.trim_start().len()).unwrap_or("");
        let blank_after = blanks.matches('\n').count() > 1;
        let own_line = self.line_start;
        // A comment over several lines ends on another line than the one it stands behind.
        self.line_start |= text.contains('\n');
        self.out.comments.push(Comment { text, span, own_line, blank_after });
        self.at = span.end;
    }

    fn token(&mut self) {
        let scanned = scan::token(self.rest());
        let span = Span { start: self.at, end: self.at + scanned.length };
        for mut finding in scanned.findings {
            finding.span = finding.span.start + self.at..finding.span.end + self.at;
            self.out.diagnostics.push(finding);
        }
        if let Some(kind) = scanned.kind {
            self.push(kind, span);
        }
        self.at = span.end;
    }
}
