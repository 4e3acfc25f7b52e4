//! Criteria that stand elsewhere and are put in where they are named; the reference and the engine each evaluate them.

use serde::{Deserialize, Serialize};

use super::{Criteria, Window};

/// Contacts for whom criteria under a name hold.
///
/// TRUE when `test` is TRUE and none of `without` is; FALSE when `test` is FALSE or one of `without` is TRUE; else
/// UNKNOWN. So it is TRUE for exactly those whom a segment takes before its tails and before consent and suppression, and those for whom
/// one of the stages is TRUE are in exactly one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The name of the segment or stage.
    pub name: String,
    /// What is asked of them.
    pub asks: Asks,
    /// Its criteria.
    pub test: Criteria,
    /// The exclusion of the segment, or the criteria of the stages in front: contacts for whom one of these is TRUE are not
    /// in it.
    pub without: Vec<Criteria>,
}

/// A stage of a journey: contacts for whom its test is TRUE and none of those in front of it is. It holds no parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Unique among the stages.
    pub name: String,
    /// Free text behind the name.
    pub title: Option<String>,
    /// What must be TRUE.
    pub test: Criteria,
}

/// What is asked of those whom a name stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// `in segment name`: they are in it.
    InSegment,
    /// `in stage name`: they are in it.
    InStage,
    /// `entered segment name window`: they are in it at as_of and were not at the end of the local day before the window
    /// begins, or at as_of when that is earlier. TRUE when it is TRUE now and was not TRUE then; FALSE when it is FALSE now or
    /// was TRUE then; else UNKNOWN. What was then is read from today's data: late arrivals count as if they had been known.
    ///
    /// The window is [`Window::InLast`] in days or longer, or [`Window::Since`].
    Entered(Window),
}
