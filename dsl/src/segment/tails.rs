//! What shapes the list behind the criteria.
//!
//! Who matches and is not removed by `exclude`, consent and suppression passes, in this order whatever the order of the
//! text: `cap`, `one per`, `sample`, `limit`, `holdout`, `split`. Everybody who leaves on the way is counted under the
//! first reason. `one per` and `limit` look at all who are left, every other step at one contact.
//!
//! Chance is a keyed hash of the contact's id, never of anything else: the same in every run and on every machine, and
//! for one seed a smaller share lies inside a larger one. For a share of p thousandths of a percent a contact is taken
//! when `h < round(p / 100,000 × 2^64)`, where `h` is the first 8 bytes, big-endian, of
//! `HMAC-SHA-256(key = seed, message)`. The message differs by what is asked, so that one seed can serve all three
//! without one deciding the other:
//!
//! | | message |
//! |---|---|
//! | `holdout` | the contact's id |
//! | `sample`, as a clause and as a criterion | `sample`, a zero byte, the contact's id |
//! | `split` | `split`, a zero byte, the contact's id |

use serde::{Deserialize, Serialize};

use super::{Amount, Direction, Duration};
use crate::schema::FieldType;

/// Most arms of a split.
pub const ARMS_MAX: usize = 20;

/// Greatest number of a limit or a cap.
pub const LIMIT_MAX: u32 = 1_000_000_000;

/// `cap 3 per 1 week`: who was approached that often on the segment's channel lately is left out.
///
/// Counted are records of kind `delivery` on the segment's channel whose `at` lies in `in last` the length of time, at
/// the clock of the gates: the later of as_of and now. Like consent, what is not known blocks: a delivery without a
/// channel counts, and so does one known only to the day against hours or minutes. One entered in error does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Who has had this many or more is left out; 1 to [`LIMIT_MAX`].
    pub count: u32,
    /// How far back, at least one unit.
    pub per: Duration,
}

/// `one per household_id`: of the contacts with one value only the first by the limit's order stays, without a limit's
/// order the one with the least id (bytes of UTF-8). Values are the same when `=` says so. Who has no value shares it
/// with nobody and stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnePer {
    /// A contact field; not a list of categories and not a point.
    pub field: String,
    /// Its type in the schema.
    pub ty: FieldType,
}

/// `limit 500 by income desc`: the first contacts in an order, ties by the least id (bytes of UTF-8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// 1 to [`LIMIT_MAX`].
    pub count: u32,
    /// Who comes first; the least id where the author did not say.
    pub by: Option<Order>,
}

/// Contacts by an amount; those of whom it is UNKNOWN come last, whichever the direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// What contacts are ordered by.
    pub amount: Amount,
    /// Which end comes first.
    pub direction: Direction,
}

/// `holdout 10% seed "text"`: contacts of the list that are kept back for comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdout {
    /// Thousandths of a percent, 1 to 100,000.
    pub percent_millis: u32,
    /// Key of the hash; the segment's name where the author gave none.
    pub seed: String,
}

/// `sample 10% seed "text"`: a share of the contacts by chance. As a clause it thins the list out, as a criterion it is
/// TRUE or FALSE like any other; for one seed both take the same contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Thousandths of a percent, 1 to 100,000.
    pub percent_millis: u32,
    /// Key of the hash.
    pub seed: String,
}

/// `split a 50%, b 50% seed "text"`: every contact of the list is in one arm.
///
/// The arms divide the range of the hash in their order, each from the end of the one before it; the last one ends at
/// 100 %. The holdout of a split is the segment's [`Holdout`] with the same seed: it is taken first, and the arms share
/// what it leaves. Which arm a contact is in does not depend on the size of the holdout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// 1 to [`ARMS_MAX`], whose shares make 100 %.
    pub arms: Vec<Arm>,
    /// Key of the hash.
    pub seed: String,
}

/// A part of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// Unique in its split; what the list's column `arm` says.
    pub name: String,
    /// Thousandths of a percent, 1 to 100,000.
    pub percent_millis: u32,
}
