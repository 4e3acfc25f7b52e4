//! Ranks among contacts: `top 5% by count(email_click) in last 90 days among (engaged)`.

use super::Parser;
use super::leaf::{number, sign, word};
use crate::ast::{Expr, ExprKind, Filter, Size};
use crate::segment::End;

const EXAMPLE: &str = "e.g. `top 5% by count(email_click) in last 90 days among (has email_open)`";

impl Parser<'_> {
    /// From `top` or `bottom` on.
    pub(super) fn rank(&mut self) -> Option<ExprKind> {
        let end = if self.take(word("top")).is_some() { End::Top } else { End::Bottom };
        if end == End::Bottom {
            self.take(word("bottom"))?;
        }
        let count = self.take(number)?;
        let size = if self.take(sign("%")).is_some() { Size::Percent(count) } else { Size::Number(count) };
        if self.take(word("by")).is_none() {
            self.unexpected_help("`by` and what contacts are ordered by", Some(EXAMPLE.to_owned()));
            return None;
        }
        let by = self.amount(EXAMPLE)?;
        let mut among = None;
        if self.take(word("among")).is_some() {
            let Some(open) = self.take(sign("(")) else {
                self.unexpected_help("`(` and criteria", Some(EXAMPLE.to_owned()));
                return None;
            };
            let start = self.peek().span;
            let expr = self.deeper(Self::criteria).unwrap_or(Expr { kind: ExprKind::Bad, span: start });
            self.close(open);
            among = Some(Filter { open: open.end, expr: Box::new(expr) });
        }
        Some(ExprKind::Rank { end, size, by, among })
    }
}
