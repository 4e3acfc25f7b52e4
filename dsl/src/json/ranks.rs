//! Ranks among contacts.

use super::amounts::amount_of;
use super::criteria::{bad, criteria_of};
use super::fields::{Fields, Reader};
use super::tree::Json;
use super::values::number_of;
use crate::ast::{ExprKind, Filter, OrderBy, Size};
use crate::segment::End;

/// A rank as JSON.
pub(super) fn rank_of(end: End, size: &Size, by: &OrderBy, among: Option<&Filter>) -> Json {
    let size = match size {
        Size::Number(number) => ("count", number_of(&number.text)),
        Size::Percent(percent) => ("percent", number_of(&percent.text)),
    };
    let mut fields = vec![("rank", Json::text(end.word())), size, ("by", amount_of(by))];
    fields.extend(among.map(|among| ("among", criteria_of(&among.expr))));
    Json::object(fields)
}

impl Reader {
    /// `rank`, `count` or `percent`, `by`, `among`.
    pub(super) fn rank(&mut self, fields: &mut Fields<'_>) -> Option<ExprKind> {
        let words = End::ALL.map(|end| (end.word(), end));
        let end = fields.take("rank").and_then(|end| self.one_of(end, "top or bottom", &words));
        let size = if let Some(percent) = fields.take("percent") {
            self.number(percent, "a percentage").map(Size::Percent)
        } else {
            let count = fields.need(self, "count");
            count.and_then(|count| self.number(count, "how many")).map(Size::Number)
        };
        let by = fields.need(self, "by").and_then(|by| self.amount(by));
        let among = fields.take("among").map(|among| {
            let expr = self.deeper(among.span, |reader| reader.criteria(among));
            let expr = expr.unwrap_or_else(|| bad(among.span));
            Filter { open: among.span.start + 1, expr: Box::new(expr) }
        });
        Some(ExprKind::Rank { end: end?, size: size?, by: by?, among })
    }
}
