//! Ranks: where a contact stands among others.

use super::Resolver;
use crate::ast;
use crate::segment::{ContactTest, Criteria, End, Logic, Rank};

impl<'a> Resolver<'a> {
    /// Those at one end of the order; every problem of its parts is told.
    pub(super) fn rank(
        &mut self,
        end: End,
        size: &ast::Size,
        by: &'a ast::OrderBy,
        among: Option<&'a ast::Filter>,
    ) -> Option<Criteria> {
        let amount = self.order_amount(by);
        let among = among.map(|among| self.criteria(&among.expr));
        let size = self.rank_size(size)?;
        let among = match among {
            Some(among) => Some(among?),
            None => None,
        };
        let rank = Rank { end, size, amount: amount?, among };
        Some(Logic::Leaf(ContactTest::Rank(Box::new(rank))))
    }
}
