//! JSON text (RFC 8259) into a tree with places.
//!
//! Written here because every finding of the resolver must point at bytes of the text, and names that stand twice
//! must be seen; readers of JSON that are at hand give neither. The tests hold it to `serde_json`: both take the same
//! texts. The first thing that is not JSON ends the reading.

use super::tree::{Json, Member, Node};
use crate::ast::{Span, Text};
use crate::diagnostic::{Diagnostic, Rule, codes};

/// Largest JSON form, in bytes.
pub(crate) const JSON_BYTES_MAX: usize = 16 << 20;
/// Most values and names of a JSON form.
pub(crate) const JSON_VALUES_MAX: usize = 1_000_000;
/// How deep lists and objects may nest; more than criteria that nest as deep as they may need.
pub(crate) const JSON_DEPTH_MAX: usize = 160;

/// Reads a text.
pub(super) fn read(source: &str) -> Result<Json, Box<Diagnostic>> {
    if source.len() > JSON_BYTES_MAX {
        let message = format!("the text has {} bytes; at most {JSON_BYTES_MAX} are read", source.len());
        return Err(Box::new(Diagnostic::new(&codes::TOO_LARGE, 0..0, message)));
    }
    let mut reader = Reader { source, at: 0, depth: 0, values: 0 };
    if source.starts_with('\u{feff}') {
        reader.at = '\u{feff}'.len_utf8();
    }
    reader.blanks();
    let value = reader.value()?;
    reader.blanks();
    if reader.at < source.len() {
        return Err(reader.unexpected("the end of the text"));
    }
    Ok(value)
}

struct Reader<'s> {
    source: &'s str,
    at: usize,
    depth: usize,
    values: usize,
}

/// Findings in boxes: the reader is on the stack once for every level.
type Read<T> = Result<T, Box<Diagnostic>>;

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn error(&self, rule: &'static Rule, message: impl Into<String>) -> Box<Diagnostic> {
        let end = self.source.get(self.at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        Box::new(Diagnostic::new(rule, self.at..self.at + end, message))
    }

    fn unexpected(&self, expected: &str) -> Box<Diagnostic> {
        let found = match self.source.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => "the end of the text".to_owned(),
            Some(c) => format!("`{}`", c.escape_debug()),
        };
        let finding = self.error(&codes::BAD_JSON, format!("expected {expected}, found {found}"));
        match self.byte() {
            Some(b'/') => Box::new(finding.help("JSON has no comments")),
            Some(b'\'') => Box::new(finding.help("strings stand in double quotes")),
            Some(b'}' | b']') => Box::new(finding.help("no comma stands behind the last of several")),
            _ => finding,
        }
    }

    fn value(&mut self) -> Read<Json> {
        self.count()?;
        let start = self.at;
        let node = match self.byte() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Node::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Node::Bool(true))?,
            Some(b'f') => self.word("false", Node::Bool(false))?,
            Some(b'n') => self.word("null", Node::Null)?,
            Some(_) | None => return Err(self.unexpected("a value")),
        };
        Ok(Json { node, span: Span { start, end: self.at } })
    }

    fn count(&mut self) -> Read<()> {
        self.values += 1;
        if self.values > JSON_VALUES_MAX {
            let message = format!("the text has more than {JSON_VALUES_MAX} values and names");
            return Err(self.error(&codes::TOO_LARGE, message));
        }
        Ok(())
    }

    fn nested(&mut self, part: impl FnOnce(&mut Self) -> Read<Node>) -> Read<Node> {
        if self.depth >= JSON_DEPTH_MAX {
            let message = format!("lists and objects nest more than {JSON_DEPTH_MAX} levels deep");
            let finding = self.error(&codes::TOO_DEEP, message);
            return Err(Box::new(finding.help("give inner parts a name with a define")));
        }
        self.depth += 1;
        self.at += 1;
        let node = part(self);
        self.depth -= 1;
        node
    }

    fn list(&mut self) -> Read<Node> {
        let mut items = Vec::new();
        self.blanks();
        if self.take(b']') {
            return Ok(Node::List(items));
        }
        loop {
            self.blanks();
            items.push(self.value()?);
            self.blanks();
            if self.take(b']') {
                return Ok(Node::List(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Read<Node> {
        let mut members = Vec::new();
        self.blanks();
        if self.take(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            self.blanks();
            if self.byte() != Some(b'"') {
                return Err(self.unexpected("a name in double quotes"));
            }
            self.count()?;
            let start = self.at;
            let text = self.string()?;
            let name = Text { text, span: Span { start, end: self.at } };
            self.blanks();
            if !self.take(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.blanks();
            members.push(Member { name, value: self.value()? });
            self.blanks();
            if self.take(b'}') {
                return Ok(Node::Object(members));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn word(&mut self, word: &str, node: Node) -> Read<Node> {
        if self.source.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(node);
        }
        Err(self.unexpected("a value"))
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at > start
    }

    fn number(&mut self) -> Read<Node> {
        let start = self.at;
        self.take(b'-');
        let first = self.at;
        if !self.digits() {
            return Err(self.unexpected("a digit"));
        }
        if self.source.as_bytes().get(first) == Some(&b'0') && self.at > first + 1 {
            self.at = first;
            let finding = self.error(&codes::BAD_JSON, "a number of JSON does not start with zeros");
            return Err(Box::new(finding.help("write ZIPs and codes as strings")));
        }
        if self.take(b'.') && !self.digits() {
            return Err(self.unexpected("a digit"));
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            if !self.digits() {
                return Err(self.unexpected("a digit"));
            }
        }
        Ok(Node::Number(self.source.get(start..self.at).unwrap_or("").to_owned()))
    }

    /// From the opening quote to behind the closing one.
    fn string(&mut self) -> Read<String> {
        let open = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let run = self.at;
            while matches!(self.byte(), Some(byte) if byte != b'"' && byte != b'\\' && byte >= 0x20) {
                self.at += 1;
            }
            text.push_str(self.source.get(run..self.at).unwrap_or(""));
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => {
                    let finding =
                        self.error(&codes::BAD_JSON, "a control character cannot stand in a string");
                    return Err(Box::new(finding.help("write it as an escape: \\n, \\t, \\u0000")));
                }
                None => {
                    self.at = open;
                    return Err(self.error(&codes::BAD_JSON, "the string has no end"));
                }
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let start = self.at;
        self.at += 1;
        let plain = match self.byte() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            Some(_) | None => {
                self.at = start;
                return Err(self.error(&codes::BAD_JSON, "unknown escape in a string"));
            }
        };
        self.at += 1;
        Ok(plain)
    }

    /// `\uXXXX`, or two of them for characters beyond U+FFFF.
    fn unicode(&mut self, start: usize) -> Read<char> {
        self.at += 1;
        let mut c = self.hex().and_then(char::from_u32);
        if c.is_none() {
            self.at = start + 2;
            let high = self.hex().filter(|unit| (0xd800..0xdc00).contains(unit));
            let low = if self.take(b'\\') && self.take(b'u') { self.hex() } else { None };
            let low = low.filter(|unit| (0xdc00..0xe000).contains(unit));
            c = high
                .zip(low)
                .and_then(|(high, low)| char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)));
        }
        c.ok_or_else(|| {
            self.at = start;
            self.error(&codes::BAD_JSON, "the escape is not a character of Unicode")
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.source.get(self.at..self.at + 4)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unit = u32::from_str_radix(digits, 16).ok().filter(|_| all)?;
        self.at += 4;
        Some(unit)
    }
}
