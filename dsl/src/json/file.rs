//! The whole file, its declarations and the clauses of segments.

use super::criteria::{bad, conjuncts_of, criteria_of};
use super::fields::{Fields, Reader};
use super::portfolios::portfolio_of;
use super::tails::{limit_of, sample_of, split_of};
use super::tree::{Json, Node};
use super::values::{duration_of, number_of, value_of};
use crate::ast::{
    Clause, ClauseKind, Define, File, Item, Param, Segment, Span, Stage, Valueset, ValuesetCode,
    ValuesetPart, ValuesetPartKind,
};
use crate::diagnostic::{Diagnostic, codes};

/// The version of the form; it grows when a reader of the version before could misread a file.
pub(super) const VERSION: &str = "1";

const DECLARATIONS: [&str; 6] = ["valueset", "define", "stage", "portfolio", "segment", "param"];

/// A file as JSON. Comments are not carried.
pub(super) fn file_of(file: &File) -> Json {
    let declarations = file.items.iter().map(|item| match item {
        Item::Valueset(valueset) => valueset_of(valueset),
        Item::Param(param) => param_of(param),
        Item::Define(define) => {
            Json::object([("define", Json::text(&define.name.name)), ("criteria", criteria_of(&define.body))])
        }
        Item::Stage(stage) => {
            let mut fields = vec![("stage", Json::text(&stage.name.name))];
            fields.extend(stage.title.as_ref().map(|title| ("title", Json::text(&title.text))));
            fields.push(("criteria", criteria_of(&stage.body)));
            Json::object(fields)
        }
        Item::Segment(segment) => segment_of(segment),
        Item::Portfolio(portfolio) => portfolio_of(portfolio),
    });
    Json::object([("hyperseg", number_of(VERSION)), ("declarations", Json::list(declarations))])
}

fn param_of(param: &Param) -> Json {
    let mut fields = vec![("param", Json::text(&param.name.name)), ("type", Json::text(&param.ty.name))];
    fields.extend(param.default.as_ref().map(|default| ("default", value_of(default))));
    Json::object(fields)
}

fn valueset_of(valueset: &Valueset) -> Json {
    let parts = valueset.parts.iter().map(|part| {
        let mut fields = match &part.kind {
            ValuesetPartKind::Ref(name) => vec![("valueset", Json::text(&name.name))],
            ValuesetPartKind::File(file) => vec![("file", Json::text(&file.text))],
            ValuesetPartKind::Codes { system, codes, .. } => {
                let codes = codes.iter().map(|code| {
                    let text = Json::text(&code.code.text);
                    if code.under { Json::object([("under", text)]) } else { text }
                });
                vec![("system", Json::text(&system.name)), ("codes", Json::list(codes))]
            }
        };
        if part.minus {
            fields.push(("minus", Node::Bool(true).into()));
        }
        Json::object(fields)
    });
    Json::object([("valueset", Json::text(&valueset.name.name)), ("parts", Json::list(parts))])
}

fn segment_of(segment: &Segment) -> Json {
    let mut fields = vec![("segment", Json::text(&segment.name.name))];
    fields.extend(segment.title.as_ref().map(|title| ("title", Json::text(&title.text))));
    let mut clauses: Vec<&Clause> = segment.clauses.iter().collect();
    clauses.sort_by_key(|clause| crate::fmt::order(&clause.kind));
    fields.extend(clauses.into_iter().filter_map(|clause| {
        Some(match &clause.kind {
            ClauseKind::Purpose(name) => ("purpose", Json::text(&name.name)),
            ClauseKind::Channel(name) => ("channel", Json::text(&name.name)),
            ClauseKind::Where(criteria) => ("where", conjuncts_of(criteria)),
            ClauseKind::Exclude(criteria) => ("exclude", criteria_of(criteria)),
            ClauseKind::Output(names) => {
                ("output", Json::list(names.iter().map(|name| Json::text(&name.name))))
            }
            ClauseKind::Holdout { percent, seed } => {
                let mut fields = vec![("percent", number_of(&percent.text))];
                fields.extend(seed.as_ref().map(|seed| ("seed", Json::text(&seed.text))));
                ("holdout", Json::object(fields))
            }
            ClauseKind::Limit { count, by } => ("limit", limit_of(count, by.as_ref())),
            ClauseKind::OnePer(field) => ("one_per", Json::text(&field.name)),
            ClauseKind::Cap { count, per } => {
                ("cap", Json::object([("count", number_of(&count.text)), ("per", duration_of(per))]))
            }
            ClauseKind::Sample { percent, seed } => ("sample", sample_of(percent, seed)),
            ClauseKind::Split { arms, holdout, seed } => ("split", split_of(arms, holdout.as_ref(), seed)),
            // Only in texts that do not compile.
            ClauseKind::Bad => return None,
        })
    }));
    Json::object(fields)
}

impl Reader {
    /// A whole file.
    pub(super) fn file(&mut self, json: &Json) -> Vec<Item> {
        let Some(mut fields) = self.object(json, "a segment file") else { return Vec::new() };
        let Some(version) = fields.need(self, "hyperseg") else { return Vec::new() };
        if version.node != Node::Number(VERSION.to_owned()) {
            // What another version means is not known, so nothing else is said about it.
            let message = format!("`hyperseg` is the version of the form; this version reads {VERSION}");
            self.wrong(&codes::JSON_VERSION, version.span, message);
            return Vec::new();
        }
        let declarations = fields.need(self, "declarations");
        fields.finish(self);
        let Some(Json { node: Node::List(declarations), .. }) = declarations else {
            if let Some(other) = declarations {
                let _ = self.list(other, "the declarations", 0);
            }
            return Vec::new();
        };
        declarations.iter().filter_map(|declaration| self.declaration(declaration)).collect()
    }

    fn declaration(&mut self, json: &Json) -> Option<Item> {
        let mut fields = self.object(json, "a declaration")?;
        let item = match fields.first_of(&DECLARATIONS) {
            Some("valueset") => self.valueset(&mut fields).map(Item::Valueset),
            Some("param") => self.param(&mut fields).map(Item::Param),
            Some("define") => self.define(&mut fields).map(Item::Define),
            Some("stage") => self.stage(&mut fields).map(Item::Stage),
            Some("portfolio") => self.portfolio(&mut fields).map(Item::Portfolio),
            Some(_) => self.segment(&mut fields).map(Item::Segment),
            None => {
                fields.nothing_of(self, &DECLARATIONS);
                return None;
            }
        };
        fields.finish(self);
        item
    }

    fn define(&mut self, fields: &mut Fields<'_>) -> Option<Define> {
        let name = fields.take("define").and_then(|name| self.name(name, "a define"));
        let body = fields.need(self, "criteria").map(|body| self.criteria(body));
        Some(Define { name: name?, body: body.unwrap_or_else(|| bad(fields.span)), span: fields.span })
    }

    fn stage(&mut self, fields: &mut Fields<'_>) -> Option<Stage> {
        let name = fields.take("stage").and_then(|name| self.name(name, "a stage"));
        let title = fields.take("title").map(|title| self.text(title, "a title"));
        let body = fields.need(self, "criteria").map(|body| self.criteria(body));
        let title = match title {
            Some(None) => return None,
            Some(found) => found,
            None => None,
        };
        let body = body.unwrap_or_else(|| bad(fields.span));
        Some(Stage { name: name?, title, body, span: fields.span })
    }

    fn param(&mut self, fields: &mut Fields<'_>) -> Option<Param> {
        let name = fields.take("param").and_then(|name| self.name(name, "a parameter"));
        let ty = fields.need(self, "type").and_then(|ty| self.name(ty, "a type"));
        let default = fields.take("default").map(|default| self.value(default));
        let default = match default {
            Some(None) => return None,
            Some(found) => found,
            None => None,
        };
        Some(Param { name: name?, ty: ty?, default, span: fields.span })
    }

    fn valueset(&mut self, fields: &mut Fields<'_>) -> Option<Valueset> {
        let name = fields.take("valueset").and_then(|name| self.name(name, "a value set"));
        let parts =
            fields.need(self, "parts").and_then(|parts| self.list(parts, "the parts of a value set", 1));
        let parts: Vec<_> = parts
            .unwrap_or(&[])
            .iter()
            .enumerate()
            .filter_map(|(index, part)| self.valueset_part(part, index == 0))
            .collect();
        Some(Valueset { name: name?, parts, span: fields.span })
    }

    fn valueset_part(&mut self, json: &Json, first: bool) -> Option<ValuesetPart> {
        const PARTS: [&str; 3] = ["valueset", "file", "system"];
        let mut fields = self.object(json, "a part of a value set")?;
        let kind = match fields.first_of(&PARTS) {
            Some("valueset") => {
                let name = fields.take("valueset").and_then(|name| self.name(name, "a value set"));
                name.map(ValuesetPartKind::Ref)
            }
            Some("file") => {
                let file = fields.take("file").and_then(|file| self.text(file, "a file"));
                file.map(ValuesetPartKind::File)
            }
            Some(_) => self.codes(&mut fields),
            None => {
                fields.nothing_of(self, &PARTS);
                return None;
            }
        };
        let minus = fields.take("minus");
        if first && let Some(minus) = minus {
            let message = "the first part of a value set has nothing to be taken from";
            self.wrong(&codes::JSON_SHAPE, minus.span, message);
            return None;
        }
        let minus = self.mark(minus, "`minus`");
        fields.finish(self);
        kind.map(|kind| ValuesetPart { minus, kind, span: json.span })
    }

    fn codes(&mut self, fields: &mut Fields<'_>) -> Option<ValuesetPartKind> {
        let system = fields.take("system").and_then(|system| self.name(system, "a code system"));
        let list = fields.need(self, "codes").and_then(|list| self.list(list, "codes", 1))?;
        let mut codes = Vec::with_capacity(list.len());
        for item in list {
            let under = matches!(item.node, Node::Object(_));
            let code = if under {
                let mut fields = self.object(item, "a code")?;
                let code = fields.need(self, "under").and_then(|code| self.text(code, "a code"));
                fields.finish(self);
                code
            } else {
                self.text(item, "a code")
            };
            codes.extend(code.map(|code| ValuesetCode { under, code, span: item.span }));
        }
        Some(ValuesetPartKind::Codes { system: system?, open: fields.span.start + 1, codes })
    }

    fn segment(&mut self, fields: &mut Fields<'_>) -> Option<Segment> {
        let json = fields.take("segment")?;
        let name = self.name(json, "a segment");
        let title = fields.take("title").map(|title| self.text(title, "a title"));
        let mut clauses = Vec::new();
        let mut clause = |kind: Option<ClauseKind>, span: Span| {
            clauses.push(Clause { kind: kind.unwrap_or(ClauseKind::Bad), keyword: span, span });
        };
        if let Some(json) = fields.take("purpose") {
            clause(self.name(json, "a purpose").map(ClauseKind::Purpose), json.span);
        }
        if let Some(json) = fields.take("channel") {
            clause(self.name(json, "a channel").map(ClauseKind::Channel), json.span);
        }
        if let Some(json) = fields.take("where") {
            clause(self.conjuncts(json).map(ClauseKind::Where), json.span);
        } else {
            let message = "the segment does not say whom it takes";
            let finding = Diagnostic::new(&codes::NO_WHERE, json.span, message);
            self.report(finding.help("add `where`; everyone is [{\"constant\": \"everyone\"}]"));
        }
        if let Some(json) = fields.take("exclude") {
            clause(Some(ClauseKind::Exclude(self.criteria(json))), json.span);
        }
        if let Some(json) = fields.take("output") {
            let names = self.list(json, "the output fields", 1);
            let names = names.map(|names| names.iter().map(|name| self.name(name, "a field")));
            let names = names.and_then(|names| names.collect::<Option<Vec<_>>>());
            clause(names.map(ClauseKind::Output), json.span);
        }
        if let Some(json) = fields.take("cap") {
            clause(self.cap(json), json.span);
        }
        if let Some(json) = fields.take("one_per") {
            clause(self.name(json, "a field").map(ClauseKind::OnePer), json.span);
        }
        if let Some(json) = fields.take("limit") {
            clause(self.limit(json), json.span);
        }
        if let Some(json) = fields.take("sample") {
            let sample = self.sample(json).map(|(percent, seed)| ClauseKind::Sample { percent, seed });
            clause(sample, json.span);
        }
        if let Some(json) = fields.take("split") {
            clause(self.split(json), json.span);
        }
        if let Some(json) = fields.take("holdout") {
            clause(self.holdout(json), json.span);
        }
        let title = match title {
            Some(None) => return None,
            Some(found) => found,
            None => None,
        };
        Some(Segment { name: name?, title, clauses, span: fields.span })
    }

    fn holdout(&mut self, json: &Json) -> Option<ClauseKind> {
        let mut fields = self.object(json, "a holdout")?;
        let percent = fields.need(self, "percent").and_then(|percent| self.number(percent, "a share"));
        let seed = fields.take("seed").map(|seed| self.text(seed, "a seed"));
        fields.finish(self);
        let seed = match seed {
            Some(None) => return None,
            Some(found) => found,
            None => None,
        };
        Some(ClauseKind::Holdout { percent: percent?, seed })
    }
}
