//! Texts in quotes.

use super::TokenKind;
use super::scan::Scanned;
use crate::diagnostic::{Diagnostic, codes};

/// A text at the start of the input; `None` when no quote stands there.
pub(super) fn scan(input: &str) -> Option<Scanned> {
    let open = input.chars().next()?;
    let closes: &[char] = match open {
        '"' => &['"'],
        '\'' => &['\''],
        '“' | '”' => &['”', '“'],
        '‘' | '’' => &['’', '‘'],
        _ => return None,
    };
    if let Some(plain) = plain(input) {
        return Some(plain);
    }
    let mut text = String::new();
    let mut findings = Vec::new();
    if open != '"' {
        let finding = Diagnostic::new(
            &codes::FOREIGN_SPELLING,
            0..open.len_utf8(),
            format!("a text stands in double quotes \", not in {open}"),
        );
        findings.push(finding.help("write \"text\""));
    }
    let mut chars = input.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if closes.contains(&c) => {
                return Some(Scanned {
                    length: at + c.len_utf8(),
                    kind: Some(TokenKind::Text(text)),
                    findings,
                });
            }
            '\n' => return Some(unterminated(input, at, text, findings)),
            '\\' => {
                let rest = input.get(at..).unwrap_or("");
                let (length, replaced) = escape(rest);
                match replaced {
                    Some(replaced) => text.push(replaced),
                    None => findings.push(
                        Diagnostic::new(
                            &codes::BAD_ESCAPE,
                            at..at + length,
                            format!("`{}` is not an escape", rest.get(..length).unwrap_or("").escape_debug()),
                        )
                        .help("write \\\\ for a backslash, \\\" for a quote"),
                    ),
                }
                while chars.next_if(|(next, _)| *next < at + length).is_some() {}
            }
            _ => text.push(c),
        }
    }
    Some(unterminated(input, input.len(), text, findings))
}

/// A text in double quotes that holds no escape, as nearly all are.
fn plain(input: &str) -> Option<Scanned> {
    let inner = input.strip_prefix('"')?;
    let end = inner.find(['"', '\\', '\n'])?;
    let text = inner.get(..end).filter(|_| inner.as_bytes().get(end) == Some(&b'"'))?;
    Some(Scanned { length: end + 2, kind: Some(TokenKind::Text(text.to_owned())), findings: Vec::new() })
}

fn unterminated(input: &str, end: usize, text: String, mut findings: Vec<Diagnostic>) -> Scanned {
    let end = input.get(..end).map_or(end, |line| line.trim_end_matches('\r').len());
    findings.push(
        Diagnostic::new(&codes::UNTERMINATED, 0..end, "the text has no end on this line")
            .help("close it with a double quote; write \\n for a line break"),
    );
    Scanned { length: end.max(1), kind: Some(TokenKind::Text(text)), findings }
}

/// Bytes of the escape at the start, and what it stands for. The newline of a broken line is never part of it.
fn escape(rest: &str) -> (usize, Option<char>) {
    let Some(c) = rest.chars().nth(1) else { return (rest.len(), None) };
    match c {
        '"' => (2, Some('"')),
        '\\' => (2, Some('\\')),
        'n' => (2, Some('\n')),
        't' => (2, Some('\t')),
        'u' => {
            const HEX_MAX: usize = 6;
            let inner = rest.get(2..).and_then(|after| after.strip_prefix('{'));
            let hex = inner.and_then(|inner| inner.find('}').and_then(|end| inner.get(..end)));
            match hex.filter(|hex| hex.len() <= HEX_MAX && hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
                Some(hex) => (hex.len() + 4, u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)),
                None => (2, None),
            }
        }
        '\n' | '\r' => (1, None),
        _ => (1 + c.len_utf8(), None),
    }
}

/// Writes a text with its quotes, so that [`scan`] reads it back.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
