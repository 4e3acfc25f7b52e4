//! Leaves of the grammar as nom parsers over a slice of tokens: signs, keywords, names, values, lengths of time.
//!
//! They look and take, or do not match; they report nothing.

use nom::branch::alt;
use nom::combinator::{map, value};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::{pair, preceded, terminated};
use nom::{IResult, Parser};

use crate::ast::{Ident, Members, Number, Span, Text, Value, ValueKind};
use crate::lex::{Token, TokenKind};
use crate::segment::{Aggregate, Cmp, DurationUnit, ListTest, Period, Quantity, TextOp, Turn};

/// What is left to read.
pub(super) type Input<'t> = &'t [Token];
/// A parser's answer.
pub(super) type Step<'t, T> = IResult<Input<'t>, T, Miss>;

/// The tokens do not match; which ones were expected is the caller's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Miss;

impl ParseError<Input<'_>> for Miss {
    fn from_error_kind(_: Input<'_>, _: ErrorKind) -> Self {
        Self
    }

    fn append(_: Input<'_>, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// A nom parser over tokens.
pub(super) trait Leaf<'t, T>: Parser<Input<'t>, Output = T, Error = Miss> {}
impl<'t, T, P: Parser<Input<'t>, Output = T, Error = Miss>> Leaf<'t, T> for P {}

fn one<'t, T>(take: impl Fn(&'t Token) -> Option<T>) -> impl Leaf<'t, T> {
    move |input: Input<'t>| match input.split_first().and_then(|(token, rest)| Some((rest, take(token)?))) {
        Some(answer) => Ok(answer),
        None => Err(nom::Err::Error(Miss)),
    }
}

/// One sign.
pub(super) fn sign<'t>(text: &'static str) -> impl Leaf<'t, Span> {
    one(move |token| token.is_sign(text).then_some(token.span))
}

/// One keyword.
pub(super) fn word<'t>(text: &'static str) -> impl Leaf<'t, Span> {
    one(move |token| token.is_word(text).then_some(token.span))
}

/// Two keywords in a row.
pub(super) fn words<'t>(first: &'static str, second: &'static str) -> impl Leaf<'t, Span> {
    map(pair(word(first), word(second)), |(a, b)| a.to(b))
}

/// Any name.
pub(super) fn ident(input: Input<'_>) -> Step<'_, Ident> {
    one(|token| token.word().map(|name| Ident { name: name.to_owned(), span: token.span })).parse(input)
}

/// A text.
pub(super) fn text(input: Input<'_>) -> Step<'_, Text> {
    one(|token| match &token.kind {
        TokenKind::Text(text) => Some(Text { text: text.clone(), span: token.span }),
        TokenKind::Word(_)
        | TokenKind::Number(_)
        | TokenKind::Date(_)
        | TokenKind::Param(_)
        | TokenKind::Bad
        | TokenKind::Sign(_)
        | TokenKind::End => None,
    })
    .parse(input)
}

fn digits(input: Input<'_>) -> Step<'_, Number> {
    one(|token| match &token.kind {
        TokenKind::Number(text) => Some(Number { text: text.clone(), span: token.span }),
        TokenKind::Word(_)
        | TokenKind::Text(_)
        | TokenKind::Date(_)
        | TokenKind::Param(_)
        | TokenKind::Bad
        | TokenKind::Sign(_)
        | TokenKind::End => None,
    })
    .parse(input)
}

/// A number with an optional sign.
pub(super) fn number(input: Input<'_>) -> Step<'_, Number> {
    let negative = map(pair(sign("-"), digits), |(minus, number)| Number {
        text: format!("-{}", number.text),
        span: minus.to(number.span),
    });
    alt((negative, digits)).parse(input)
}

/// `has any of`, `has all of`, `has none of`.
pub(super) fn list_test(input: Input<'_>) -> Step<'_, ListTest> {
    let test = one(|token| {
        let word = token.word()?;
        ListTest::ALL.into_iter().find(|test| test.word() == word)
    });
    map((word("has"), test, word("of")), |(_, test, _)| test).parse(input)
}

/// `any`, `all`, `no` in front of `member of household`.
pub(super) fn members(input: Input<'_>) -> Step<'_, Members> {
    one(|token| {
        let word = token.word()?;
        Members::ALL.into_iter().find(|which| which.word() == word)
    })
    .parse(input)
}

/// A comparison sign.
pub(super) fn cmp(input: Input<'_>) -> Step<'_, Cmp> {
    alt((
        value(Cmp::Eq, sign("=")),
        value(Cmp::Ne, sign("!=")),
        value(Cmp::Le, sign("<=")),
        value(Cmp::Lt, sign("<")),
        value(Cmp::Ge, sign(">=")),
        value(Cmp::Gt, sign(">")),
    ))
    .parse(input)
}

/// `contains`, `starts with`, `ends with`, `matches`.
pub(super) fn text_op(input: Input<'_>) -> Step<'_, TextOp> {
    alt((
        value(TextOp::Contains, word("contains")),
        value(TextOp::StartsWith, words("starts", "with")),
        value(TextOp::EndsWith, words("ends", "with")),
        value(TextOp::Matches, word("matches")),
    ))
    .parse(input)
}

/// `sum`, `avg`, `min`, `max`, `median`.
pub(super) fn aggregate(input: Input<'_>) -> Step<'_, Aggregate> {
    one(|token| {
        let word = token.word()?;
        Aggregate::ALL.into_iter().find(|function| function.name() == word)
    })
    .parse(input)
}

/// `at least`, `at most`, `exactly`.
pub(super) fn quantity(input: Input<'_>) -> Step<'_, Quantity> {
    alt((
        value(Quantity::AtLeast, words("at", "least")),
        value(Quantity::AtMost, words("at", "most")),
        value(Quantity::Exactly, word("exactly")),
    ))
    .parse(input)
}

/// `SYSTEM:"code"`.
fn code(input: Input<'_>) -> Step<'_, Value> {
    map(pair(terminated(ident, sign(":")), text), |(system, code)| {
        let span = system.span.to(code.span);
        Value { kind: ValueKind::Code { system, code, under: false }, span }
    })
    .parse(input)
}

/// `under SYSTEM:"code"`.
fn code_under(input: Input<'_>) -> Step<'_, Value> {
    map(pair(word("under"), code), |(under, value)| Value {
        span: under.to(value.span),
        kind: match value.kind {
            ValueKind::Code { system, code, .. } => ValueKind::Code { system, code, under: true },
            other @ (ValueKind::Text(_)
            | ValueKind::Number(_)
            | ValueKind::Date(_)
            | ValueKind::Word(_)
            | ValueKind::Category(_)
            | ValueKind::Name(_)
            | ValueKind::Param(_)
            | ValueKind::Shifted { .. }
            | ValueKind::Quantity { .. }
            | ValueKind::Bad) => other,
        },
    })
    .parse(input)
}

/// Any value.
pub(super) fn any_value(input: Input<'_>) -> Step<'_, Value> {
    let simple = one(|token| {
        let kind = match &token.kind {
            TokenKind::Word(word) => ValueKind::Word(word.clone()),
            TokenKind::Date(day) => ValueKind::Date(*day),
            TokenKind::Text(text) => ValueKind::Text(text.clone()),
            TokenKind::Param(name) => ValueKind::Param(name.clone()),
            TokenKind::Bad => ValueKind::Bad,
            TokenKind::Number(_) | TokenKind::Sign(_) | TokenKind::End => return None,
        };
        Some(Value { kind, span: token.span })
    });
    let numeric = map(number, |number| Value { kind: ValueKind::Number(number.text), span: number.span });
    alt((code_under, code, numeric, simple)).parse(input)
}

/// A sign and a number behind a value: a length of time is added or taken away.
pub(super) fn shift_ahead(input: Input<'_>) -> Step<'_, ()> {
    value((), (alt((sign("+"), sign("-"))), digits)).parse(input)
}

/// A unit of time in singular or plural.
pub(super) fn unit(input: Input<'_>) -> Step<'_, (DurationUnit, Span)> {
    one(|token| {
        let unit = match token.word()? {
            "minute" | "minutes" => DurationUnit::Minute,
            "hour" | "hours" => DurationUnit::Hour,
            "day" | "days" => DurationUnit::Day,
            "week" | "weeks" => DurationUnit::Week,
            "month" | "months" => DurationUnit::Month,
            "quarter" | "quarters" => DurationUnit::Quarter,
            "year" | "years" => DurationUnit::Year,
            _ => return None,
        };
        Some((unit, token.span))
    })
    .parse(input)
}

/// `this month`, `last week`, `next year`.
pub(super) fn calendar(input: Input<'_>) -> Step<'_, (Turn, Period)> {
    let turn = one(|token| {
        let word = token.word()?;
        Turn::ALL.into_iter().find(|turn| turn.word() == word)
    });
    let period = one(|token| {
        let word = token.word()?;
        Period::ALL.into_iter().find(|period| period.word() == word)
    });
    pair(turn, period).parse(input)
}

/// `between N [unit] and N unit ago` starts here: a number follows `between`, and `ago` ends it.
pub(super) fn between_ago_ahead(input: Input<'_>) -> Step<'_, ()> {
    let whole = |input| -> Step<'_, ()> { value((), (digits, nom::combinator::opt(unit))).parse(input) };
    value((), (preceded(word("between"), whole), word("and"), whole, word("ago"))).parse(input)
}
