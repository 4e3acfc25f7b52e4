//! Portfolios.

use super::fields::{Fields, Reader};
use super::tree::Json;
use crate::ast::Portfolio;

/// A portfolio as JSON.
pub(super) fn portfolio_of(portfolio: &Portfolio) -> Json {
    let mut fields = vec![("portfolio", Json::text(&portfolio.name.name))];
    fields.extend(portfolio.title.as_ref().map(|title| ("title", Json::text(&title.text))));
    let names = portfolio.segments.iter().map(|segment| Json::text(&segment.name));
    fields.push(("segments", Json::list(names)));
    Json::object(fields)
}

impl Reader {
    /// `portfolio`, `title` and `segments`.
    pub(super) fn portfolio(&mut self, fields: &mut Fields<'_>) -> Option<Portfolio> {
        let name = fields.take("portfolio").and_then(|name| self.name(name, "a portfolio"));
        let title = fields.take("title").map(|title| self.text(title, "a title"));
        let segments = fields.need(self, "segments");
        let segments = segments.and_then(|list| self.list(list, "the segments of a portfolio", 1));
        let segments = segments.map(|list| list.iter().map(|name| self.name(name, "a segment")));
        let segments = segments.and_then(|names| names.collect::<Option<Vec<_>>>());
        let title = match title {
            Some(None) => return None,
            found => found.flatten(),
        };
        Some(Portfolio { name: name?, title, segments: segments?, span: fields.span })
    }
}
