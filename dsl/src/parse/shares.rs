//! Shares of records: `share(status = no_show of appointment in last 12 months) > 30% with at least 3`.

use super::Parser;
use super::leaf::{cmp, number, sign, word, words};
use crate::ast::{Expr, ExprKind};

const EXAMPLE: &str = "e.g. `share(status = no_show of appointment in last 12 months) > 30%`";

impl Parser<'_> {
    /// From `share` on.
    pub(super) fn share(&mut self) -> Option<ExprKind> {
        self.take(word("share"))?;
        let open = self.take(sign("("))?;
        let start = self.peek().span;
        let test = self.deeper(Self::criteria).unwrap_or(Expr { kind: ExprKind::Bad, span: start });
        let selector = match self.take(word("of")) {
            Some(_) => self.selector(),
            None => {
                self.unexpected_help("`of` and a kind of record", Some(EXAMPLE.to_owned()));
                self.skip_to_sync();
                None
            }
        };
        self.close(open);
        let Some(cmp) = self.take(cmp) else {
            let help = if self.at_window() {
                "windows stand inside, behind the kind of record".to_owned()
            } else {
                EXAMPLE.to_owned()
            };
            self.unexpected_help("a comparison behind `share(...)`", Some(help));
            return None;
        };
        let percent = self.expect(number, "a share such as `30%`")?;
        if self.take(sign("%")).is_none() {
            self.unexpected_help("`%`", Some(format!("write {}%", percent.text)));
            return None;
        }
        let mut at_least = None;
        if self.take((word("with"), words("at", "least"))).is_some() {
            at_least = Some(self.expect(number, "how many records there must be at least")?);
        }
        Some(ExprKind::Share {
            open: open.end,
            test: Box::new(test),
            selector: selector?,
            cmp,
            percent,
            at_least,
        })
    }
}
