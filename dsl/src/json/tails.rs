//! What shapes the list: samples and splits.

use super::fields::Reader;
use super::tree::Json;
use super::values::number_of;
use crate::ast::{Arm, ClauseKind, Number, Text};

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
