//! What is asked of all who live with a contact; the reference and the engine each gather them.

use serde::{Deserialize, Serialize};

use super::Criteria;

/// The contact field that says who lives together.
pub const HOUSEHOLD_ID: &str = "household_id";

/// Criteria over the members of the contact's household: the contact itself and every other contact of the dataset with the
/// same `household_id`, compared as `=` compares texts.
///
/// For `any` the answers for the members are joined by Kleene's or, for `all` by Kleene's and. Who else is in the household of
/// a contact without `household_id` is not known: then `any` is TRUE when it is TRUE of the contact itself, `all` FALSE when it
/// is FALSE of the contact itself, and both are UNKNOWN otherwise. `no member` is `Not` of `any`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Household {
    /// All of them, rather than any.
    pub all: bool,
    /// What is asked of each.
    pub test: Criteria,
}
