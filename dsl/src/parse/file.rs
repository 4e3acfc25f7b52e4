//! Declarations: `valueset`, `param`, `define`, `stage`, `segment`, `portfolio`.

use super::leaf::{any_value, ident, sign, text, word};
use super::{DECLARATIONS, LIST_MAX, Parser};
use crate::ast::{
    Define, Expr, ExprKind, Ident, Item, Param, Span, Stage, Valueset, ValuesetCode, ValuesetPart,
    ValuesetPartKind,
};
use crate::diagnostic::codes;

impl Parser<'_> {
    pub(super) fn file(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        while !self.at_end() {
            let start = self.peek().span;
            let item = match self.peek().word() {
                Some("valueset") => self.valueset().map(Item::Valueset),
                Some("param") => self.param().map(Item::Param),
                Some("define") => self.define().map(Item::Define),
                Some("stage") => self.stage().map(Item::Stage),
                Some("segment") => self.segment().map(Item::Segment),
                Some("portfolio") => self.portfolio().map(Item::Portfolio),
                _ => {
                    self.outside();
                    None
                }
            };
            items.extend(item);
            // Whatever went wrong, the next turn starts behind this place, at a declaration.
            if self.peek().span == start {
                self.skip();
            }
            if !self.at_end() && !self.at_declaration() {
                self.outside();
            }
        }
        items
    }

    /// Reports what stands outside of declarations and skips to the next one.
    fn outside(&mut self) {
        let help =
            self.peek().word().and_then(|word| crate::suggest::nearest(word, DECLARATIONS.iter().copied()));
        let help = help.map(|near| format!("did you mean `{near}`?"));
        self.unexpected_help("`segment`, `portfolio`, `stage`, `define`, `param` or `valueset`", help);
        self.skip();
        while !self.at_end() && !self.at_declaration() {
            self.skip();
        }
    }

    pub(super) fn declared_name(&mut self, of: &str) -> Option<Ident> {
        self.expect(ident, &format!("a name for the {of}"))
    }

    fn define(&mut self) -> Option<Define> {
        let start = self.take(word("define"))?;
        let name = self.declared_name("define")?;
        let body = match self.expect(sign("="), "`=` and criteria") {
            Some(_) => self.criteria(),
            None => {
                self.skip_to_clause();
                Expr { kind: ExprKind::Bad, span: self.last }
            }
        };
        Some(Define { name, body, span: self.span_from(start) })
    }

    fn stage(&mut self) -> Option<Stage> {
        let start = self.take(word("stage"))?;
        let name = self.declared_name("stage")?;
        let title = self.take(text);
        let body = match self.expect(sign("="), "`=` and criteria") {
            Some(_) => self.criteria(),
            None => {
                self.skip_to_clause();
                Expr { kind: ExprKind::Bad, span: self.last }
            }
        };
        Some(Stage { name, title, body, span: self.span_from(start) })
    }

    fn param(&mut self) -> Option<Param> {
        let start = self.take(word("param"))?;
        let name = self.declared_name("parameter")?;
        if self.expect(sign(":"), "`:` and a type").is_none() {
            self.skip_to_clause();
            return None;
        }
        let ty = self.expect(ident, "a type: text, int, number, money, bool or date")?;
        let default = match self.take(sign("=")) {
            Some(_) => Some(self.value("a default value")?),
            None => None,
        };
        Some(Param { name, ty, default, span: self.span_from(start) })
    }

    fn valueset(&mut self) -> Option<Valueset> {
        let start = self.take(word("valueset"))?;
        let name = self.declared_name("value set")?;
        if self.expect(sign("="), "`=` and codes").is_none() {
            self.skip_to_clause();
        }
        let mut parts = Vec::new();
        let mut minus = false;
        loop {
            match self.valueset_part(minus) {
                Some(part) => parts.push(part),
                None => self.skip_to_part(),
            }
            minus = if self.take(sign("+")).is_some() {
                false
            } else if self.take(sign("-")).is_some() {
                true
            } else {
                break;
            };
        }
        Some(Valueset { name, parts, span: self.span_from(start) })
    }

    fn skip_to_part(&mut self) {
        while !self.at_end()
            && !self.at_declaration()
            && !self.peek().is_sign("+")
            && !self.peek().is_sign("-")
        {
            self.skip();
        }
    }

    fn valueset_part(&mut self, minus: bool) -> Option<ValuesetPart> {
        let start = self.peek().span;
        let kind = if self.take(sign("@")).is_some() {
            ValuesetPartKind::Ref(self.expect(ident, "the name of a value set behind `@`")?)
        } else if self.ahead((word("file"), text)) {
            let _ = self.take(word("file"));
            ValuesetPartKind::File(self.take(text)?)
        } else {
            let system =
                self.expect(ident, "a code system with codes in { }, @name, or file and its name")?;
            let open = self.expect(sign("{"), "`{` and codes in double quotes")?;
            let codes = self.valueset_codes(open);
            ValuesetPartKind::Codes { system, open: open.end, codes }
        };
        Some(ValuesetPart { minus, kind, span: self.span_from(start) })
    }

    fn valueset_codes(&mut self, open: Span) -> Vec<ValuesetCode> {
        let mut found = Vec::new();
        let mut broken = false;
        loop {
            if self.take(sign("}")).is_some() {
                if found.is_empty() && !broken {
                    self.unexpected_empty(open, "codes in double quotes");
                }
                return found;
            }
            match self.valueset_code() {
                Some(code) if found.len() < LIST_MAX => found.push(code),
                Some(code) => {
                    self.too_long(code.span);
                    self.skip_list("}");
                    return found;
                }
                None => {
                    broken = true;
                    self.skip_item("}");
                }
            }
            if self.take(sign(",")).is_none() && !self.close_list("}", open) {
                return found;
            }
        }
    }

    fn valueset_code(&mut self) -> Option<ValuesetCode> {
        let start = self.peek().span;
        let under = self.take(word("under")).is_some();
        match self.take(text) {
            Some(code) => Some(ValuesetCode { under, code, span: self.span_from(start) }),
            None => {
                let bare = self.ahead(any_value);
                let help = bare.then(|| "write codes in double quotes: \"77065\"".to_owned());
                self.unexpected_help("a code in double quotes", help);
                None
            }
        }
    }

    pub(super) fn unexpected_empty(&mut self, open: Span, what: &str) {
        let span = self.span_from(open);
        self.simple(
            &codes::UNEXPECTED,
            span,
            format!("expected {what}, found nothing"),
            "an empty list takes nobody",
        );
    }
}
