//! One token at the start of a text that is neither empty nor starts with a blank or a comment.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while, take_while_m_n, take_while1};
use nom::combinator::{not, opt, peek, recognize, value, verify};
use nom::sequence::{pair, preceded, terminated};
use nom::{IResult, Parser};

use super::{TokenKind, short, text};
use crate::diagnostic::{Diagnostic, codes};
use crate::value::{PartialDate, parse_day};

/// What was found at the start of a text. Spans count from its first byte.
pub(super) struct Scanned {
    /// Bytes taken, at least one.
    pub(super) length: usize,
    /// None when nothing sensible stands there.
    pub(super) kind: Option<TokenKind>,
    pub(super) findings: Vec<Diagnostic>,
}

impl Scanned {
    fn plain(length: usize, kind: TokenKind) -> Self {
        Self { length, kind: Some(kind), findings: Vec::new() }
    }

    fn with(mut self, finding: Diagnostic) -> Self {
        self.findings.push(finding);
        self
    }
}

/// Scans one token.
pub(super) fn token(input: &str) -> Scanned {
    if let Some(scanned) = text::scan(input) {
        return scanned;
    }
    // Long lists are half commas: what no name, number or other language's spelling starts with is a sign at once.
    if input.starts_with(['(', ')', '{', '}', ',', ':', '@', '+', '-', '%'])
        && let Ok((rest, sign)) = sign(input)
    {
        return Scanned::plain(input.len() - rest.len(), TokenKind::Sign(sign));
    }
    if let Ok((_, word)) = word(input) {
        return Scanned::plain(word.len(), TokenKind::Word(word.to_owned()));
    }
    if let Ok((_, name)) = param(input) {
        return Scanned::plain(name.len() + 1, TokenKind::Param(name.to_owned()));
    }
    if let Ok((_, date)) = date_like(input) {
        return date_token(date);
    }
    if let Ok((_, run)) = number_like(input) {
        return number_token(run);
    }
    if let Ok((rest, (kind, wanted))) = foreign(input) {
        let length = input.len() - rest.len();
        let written = input.get(..length).unwrap_or("");
        let finding = Diagnostic::new(
            &codes::FOREIGN_SPELLING,
            0..length,
            format!("`{written}` is written `{wanted}` here"),
        );
        return Scanned::plain(length, kind).with(finding.help(format!("write `{wanted}`")));
    }
    if let Ok((rest, sign)) = sign(input) {
        return Scanned::plain(input.len() - rest.len(), TokenKind::Sign(sign));
    }
    foreign_characters(input)
}

type Scan<'s, T> = IResult<&'s str, T>;

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A name, a keyword, or one of the code systems whose alias holds hyphens.
fn word(input: &str) -> Scan<'_, &str> {
    let system = alt((tag_no_case("ICD-10-CM"), tag_no_case("ICD-10-PCS"), tag_no_case("SNOMED-CT")));
    let hyphenated = terminated(system, not(peek(take_while1(is_word))));
    let name = recognize(pair(take_while_m_n(1, 1, is_word_start), take_while(is_word)));
    alt((hyphenated, name)).parse(input)
}

fn param(input: &str) -> Scan<'_, &str> {
    preceded(tag("$"), take_while1(is_word)).parse(input)
}

fn digits(input: &str) -> Scan<'_, &str> {
    take_while1(|c: char| c.is_ascii_digit()).parse(input)
}

/// Anything that was meant to be a date: `2026-01-31`, `2026-1-5`, `2026-01-31T09:00`, `2026-01`.
fn date_like(input: &str) -> Scan<'_, &str> {
    let few = |c: char| c.is_ascii_digit();
    let month = || (take_while_m_n(4, 4, few), tag("-"), take_while_m_n(1, 2, few));
    let day = alt((recognize((month(), tag("-"), digits)), recognize(month())));
    let time = pair(
        alt((tag("T"), tag("t"))),
        take_while(|c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '+' | '-')),
    );
    recognize((day, opt(time), take_while(is_word))).parse(input)
}

fn date_token(written: &str) -> Scanned {
    let length = written.len();
    if let Some(day) = parse_day(written) {
        return Scanned::plain(length, TokenKind::Date(day));
    }
    let shaped = written.len() == 10;
    let message = if shaped {
        format!("`{written}` is not a day of the calendar")
    } else {
        format!("`{}` is not a date", short(written))
    };
    let help = match PartialDate::parse(written).map(PartialDate::range) {
        Some(range) => format!("for the month write a range of days: `in {}..{}`", range.first, range.last),
        None => "write year-month-day with four, two and two digits and no time, e.g. 2026-01-31".to_owned(),
    };
    let finding = Diagnostic::new(&codes::BAD_DATE, 0..length, message).help(help);
    Scanned::plain(length, TokenKind::Bad).with(finding)
}

/// Digits and whatever sticks to them.
fn number_like(input: &str) -> Scan<'_, &str> {
    let fraction = pair(tag("."), digits);
    recognize((digits, opt(fraction), take_while(is_word))).parse(input)
}

fn number_token(run: &str) -> Scanned {
    let length = run.len();
    let number: Result<_, nom::Err<nom::error::Error<&str>>> =
        recognize(pair(digits, opt(pair(tag("."), digits)))).parse(run);
    match number {
        Ok(("", number)) => return Scanned::plain(length, TokenKind::Number(number.to_owned())),
        // Ordinals are words: `2nd lab` belongs to a later version and is reported as such.
        Ok(("st" | "nd" | "rd" | "th", _)) => return Scanned::plain(length, TokenKind::Word(run.to_owned())),
        Ok(_) | Err(_) => {}
    }
    let finding = Diagnostic::new(&codes::BAD_NUMBER, 0..length, format!("`{}` is not a number", short(run)))
        .help("put a blank between a number and its unit; write codes and ZIPs in double quotes");
    Scanned::plain(length, TokenKind::Bad).with(finding)
}

fn sign(input: &str) -> Scan<'_, &'static str> {
    alt((
        alt((value("!=", tag("!=")), value("<=", tag("<=")), value(">=", tag(">=")), value("..", tag("..")))),
        alt((value("=", tag("=")), value("<", tag("<")), value(">", tag(">")))),
        alt((value("(", tag("(")), value(")", tag(")")), value("{", tag("{")), value("}", tag("}")))),
        alt((value(",", tag(",")), value(":", tag(":")), value(".", tag(".")), value("@", tag("@")))),
        alt((value("+", tag("+")), value("-", tag("-")), value("%", tag("%")))),
    ))
    .parse(input)
}

/// Spellings of other languages, with what they stand for.
fn foreign(input: &str) -> Scan<'_, (TokenKind, &'static str)> {
    let sign =
        |written: &'static str, wanted: &'static str| value((TokenKind::Sign(wanted), wanted), tag(written));
    let word = |written: &'static str, wanted: &'static str| {
        value((TokenKind::Word(wanted.to_owned()), wanted), tag(written))
    };
    alt((
        alt((sign("==", "="), sign("<>", "!="), sign("=<", "<="), sign("=>", ">="))),
        alt((sign("≠", "!="), sign("≤", "<="), sign("≥", ">="), sign("…", ".."), sign("–", "-"))),
        alt((word("&&", "and"), word("||", "or"))),
        verify(word("!", "not"), |_: &(TokenKind, &str)| !input.starts_with("!=")),
    ))
    .parse(input)
}

fn foreign_characters(input: &str) -> Scanned {
    let known = |c: char| is_word(c) || c.is_whitespace() || "$\"'“”‘’=!<>(){},:.@+-%&|≠≤≥…–/".contains(c);
    let rest = input.char_indices().skip(1).find(|(_, c)| known(*c)).map_or(input.len(), |(at, _)| at);
    let written = input.get(..rest).unwrap_or("");
    let noun = if written.chars().count() == 1 { "character" } else { "characters" };
    let finding = Diagnostic::new(
        &codes::FOREIGN_CHARACTER,
        0..rest,
        format!("the {noun} `{}` cannot stand here", short(written).escape_debug()),
    );
    let finding = match written {
        ";" => finding.help("clauses need no separator; leave it out"),
        "[" | "]" => finding.help("lists stand in ( ), codes of a value set in { }"),
        "#" => finding.help("comments start with //"),
        "$" => finding.help("a parameter is written $name"),
        _ => finding
            .help("outside of texts only names, numbers, dates and the signs of the language may stand"),
    };
    Scanned { length: rest.max(1), kind: None, findings: vec![finding] }
}
