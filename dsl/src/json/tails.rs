//! What shapes the list: limits, caps, samples and splits.

use super::amounts::amount_of;
use super::fields::Reader;
use super::tree::Json;
use super::values::number_of;
use crate::ast::{Arm, ClauseKind, Number, OrderBy, Text};
use crate::segment::Direction;

/// A limit as JSON.
pub(super) fn limit_of(count: &Number, by: Option<&(OrderBy, Direction)>) -> Json {
    let mut fields = vec![("count", number_of(&count.text))];
    if let Some((amount, direction)) = by {
        fields.push(("by", amount_of(amount)));
        fields.push(("order", Json::text(direction.word())));
    }
    Json::object(fields)
}

/// A sample as JSON.
pub(super) fn sample_of(percent: &Number, seed: &Text) -> Json {
    Json::object([("percent", number_of(&percent.text)), ("seed", Json::text(&seed.text))])
}

/// A split as JSON.
pub(super) fn split_of(arms: &[Arm], holdout: Option<&Number>, seed: &Text) -> Json {
    let arms = arms.iter().map(|arm| {
        Json::object([("name", Json::text(&arm.name.name)), ("percent", number_of(&arm.percent.text))])
    });
    let mut fields = vec![("arms", Json::list(arms))];
    fields.extend(holdout.map(|percent| ("holdout", number_of(&percent.text))));
    fields.push(("seed", Json::text(&seed.text)));
    Json::object(fields)
}

impl Reader {
    /// `count`, and `by` with `order`.
    pub(super) fn limit(&mut self, json: &Json) -> Option<ClauseKind> {
        let mut fields = self.object(json, "a limit")?;
        let count = fields.need(self, "count").and_then(|count| self.number(count, "how many"));
        let by = match fields.take("by") {
            None => None,
            Some(by) => {
                let amount = self.amount(by);
                let words = Direction::ALL.map(|direction| (direction.word(), direction));
                let order = fields.need(self, "order");
                let direction = order.and_then(|order| self.one_of(order, "asc or desc", &words));
                Some(amount.zip(direction))
            }
        };
        fields.finish(self);
        let by = match by {
            Some(None) => return None,
            found => found.flatten(),
        };
        Some(ClauseKind::Limit { count: count?, by })
    }

    /// `count` and `per`.
    pub(super) fn cap(&mut self, json: &Json) -> Option<ClauseKind> {
        let mut fields = self.object(json, "a cap")?;
        let count = fields.need(self, "count").and_then(|count| self.number(count, "how many"));
        let per = fields.need(self, "per").and_then(|per| self.duration(per));
        fields.finish(self);
        Some(ClauseKind::Cap { count: count?, per: per? })
    }

    /// `percent` and `seed`.
    pub(super) fn sample(&mut self, json: &Json) -> Option<(Number, Text)> {
        let mut fields = self.object(json, "a sample")?;
        let percent = fields.need(self, "percent").and_then(|percent| self.number(percent, "a share"));
        let seed = fields.need(self, "seed").and_then(|seed| self.text(seed, "a seed"));
        fields.finish(self);
        Some((percent?, seed?))
    }

    /// `arms`, `holdout` and `seed`.
    pub(super) fn split(&mut self, json: &Json) -> Option<ClauseKind> {
        let mut fields = self.object(json, "a split")?;
        let arms = fields.need(self, "arms").and_then(|arms| self.list(arms, "the arms of a split", 1));
        let arms = arms.map(|arms| arms.iter().map(|arm| self.arm(arm)).collect::<Vec<_>>());
        let holdout = fields.take("holdout").map(|percent| self.number(percent, "a share"));
        let seed = fields.need(self, "seed").and_then(|seed| self.text(seed, "a seed"));
        fields.finish(self);
        let holdout = match holdout {
            Some(None) => return None,
            found => found.flatten(),
        };
        Some(ClauseKind::Split { arms: arms?.into_iter().collect::<Option<_>>()?, holdout, seed: seed? })
    }

    fn arm(&mut self, json: &Json) -> Option<Arm> {
        let mut fields = self.object(json, "an arm of a split")?;
        let name = fields.need(self, "name").and_then(|name| self.name(name, "an arm"));
        let percent = fields.need(self, "percent").and_then(|percent| self.number(percent, "a share"));
        fields.finish(self);
        Some(Arm { name: name?, percent: percent? })
    }
}
