//! Kleene's and, or, not over sets, and the two constant sets.

use async_trait::async_trait;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::plan::exec::{SetOperator, ShardContext, read_sets};
use crate::sets::ShardSet;

/// A bit operation over the inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Logic {
    /// TRUE when all are.
    And,
    /// TRUE when one is.
    Or,
    /// The complement, UNKNOWN staying UNKNOWN.
    Not,
    /// Without inputs: everyone or nobody.
    Constant(bool),
}

#[async_trait]
impl SetOperator for Logic {
    fn name(&self) -> &'static str {
        match self {
            Self::And => "AndExec",
            Self::Or => "OrExec",
            Self::Not => "NotExec",
            Self::Constant(_) => "ConstantExec",
        }
    }

    fn is_pointwise(&self) -> bool {
        true
    }

    fn likely(&self, inputs: &[u64], contacts: u64) -> u64 {
        let each = inputs.iter().copied();
        match self {
            Self::And => each.min().unwrap_or(contacts),
            Self::Or => each.sum::<u64>().min(contacts),
            Self::Not => contacts.saturating_sub(each.sum()),
            Self::Constant(value) => u64::from(*value).saturating_mul(contacts),
        }
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        let sets = read_sets(inputs, shard).await?.into_iter();
        let answer = match self {
            Self::And => sets.reduce(|left, right| left.and(&right)),
            Self::Or => sets.reduce(|left, right| left.or(&right)),
            Self::Not => sets.map(|set| set.not()).next(),
            Self::Constant(value) => Some(ShardSet::constant(shard.contacts, *value)),
        };
        answer.ok_or_else(|| internal_datafusion_err!("{} without inputs", self.name()))
    }
}
