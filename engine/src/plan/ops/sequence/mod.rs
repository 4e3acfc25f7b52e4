//! Records that follow each other in time.
//!
//! ```text
//! in:   sends     ord 4 1 Mar, ord 4 9 Mar, ord 7 2 Mar        one input for each record of the chain
//!       clicks    ord 4 20 Mar, ord 7 5 Mar                    then: within 7 days
//! out:  TRUE for 7
//! ```
//!
//! Link by link, the records that a chain can have reached are kept: every contact's by itself, in order of time, so
//! that a link is one merge of two sorted lists. Rows of contacts that no chain has reached are dropped as they come,
//! and inputs behind an empty one are not read at all. The state is as large as the selected records of the contacts that
//! are still in question.

pub(super) mod calendar;
mod gather;
mod relate;

use arrow::buffer::{BooleanBuffer, Buffer};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use hyperseg_dsl::clock::Clock;

use self::calendar::Calendar;
use self::gather::{Records, gather};
use super::distinct::Sameness;
use crate::plan::exec::{SetOperator, ShardContext};
use crate::sets::ShardSet;

/// A chain of records: the first, and links to the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chain {
    /// Zone of local days.
    pub(crate) zone: Tz,
    /// Column in which the clock of each record starts, where it is not `at`; one for each input.
    pub(crate) clocks: Vec<Option<String>>,
    /// One fewer than inputs: link *i* leads to input *i* + 1.
    pub(crate) links: Vec<Link>,
}

/// A link to a record from the last one before it that is not one that must not follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) relation: Relation,
    /// How far it reaches.
    pub(crate) within: Reach,
    /// Columns that have the same value on both sides.
    pub(crate) same: Vec<(String, Sameness)>,
}

impl Link {
    /// Both sides may be the same record, and must not.
    fn tells_apart(&self) -> bool {
        self.relation == Relation::Around { of_one_kind: true }
    }
}

/// How the other record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Relation {
    /// Later, at least so much.
    Then { after: Option<Reach> },
    /// There is none later; with an as_of, only where all of the time for it lies before that.
    NotFollowed { over_at: Option<i64> },
    /// Earlier.
    Before,
    /// Earlier, later or at the same time, and another record, where both are of one kind.
    Around { of_one_kind: bool },
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Microseconds.
    Exact(i64),
    /// Calendar days.
    Days(u32),
    /// Calendar months, clamped to the month's end.
    Months(u32),
}

/// Columns that make a record itself and no other.
const IDENTITY: [&str; 2] = ["record_id", "source"];

impl Chain {
    /// The input from which each link starts.
    fn starts(&self) -> Vec<usize> {
        let mut start = 0;
        let mut starts = Vec::with_capacity(self.links.len());
        for (place, link) in self.links.iter().enumerate() {
            starts.push(start);
            if let Relation::Then { .. } = link.relation {
                start = place + 1;
            }
        }
        starts
    }

    /// The links for which an input has to have its keys.
    fn keyed(&self, input: usize) -> impl Iterator<Item = (usize, &Link)> {
        let starts = self.starts();
        self.links.iter().enumerate().filter(move |&(place, link)| {
            let touches = place + 1 == input || starts.get(place) == Some(&input);
            touches && (!link.same.is_empty() || link.tells_apart())
        })
    }

    /// The columns that are read of an input.
    pub(crate) fn columns(&self, input: usize) -> Vec<&str> {
        let mut columns = vec!["ord", "at"];
        columns.extend(self.clocks.get(input).and_then(Option::as_deref));
        for (_, link) in self.keyed(input) {
            columns.extend(link.same.iter().map(|(column, _)| column.as_str()));
            if link.tells_apart() {
                columns.extend(IDENTITY);
            }
        }
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

/// Contacts with a chain of records.
#[derive(Debug)]
pub(crate) struct RecordChain {
    pub(crate) chain: Chain,
}

#[async_trait]
impl SetOperator for RecordChain {
    fn name(&self) -> &'static str {
        "RecordChainExec"
    }

    async fn run(&self, inputs: Vec<SendableRecordBatchStream>, shard: &ShardContext) -> Result<ShardSet> {
        if inputs.len() != self.chain.links.len() + 1 || self.chain.clocks.len() != inputs.len() {
            return internal_err!("a chain of records without an input for each");
        }
        let mut calendar = Calendar::new(Clock { as_of_micros: 0, zone: self.chain.zone });
        let mut keys = gather::LinkKeys::new(&self.chain);
        let mut inputs = inputs.into_iter().enumerate();
        let (_, first) = inputs.next().ok_or_else(|| internal_datafusion_err!("a chain without records"))?;
        let everyone = Contacts::all(shard.contacts);
        let mut reached = gather(first, 0, &self.chain, &mut keys, &everyone, shard).await?;
        for ((input, stream), (place, link)) in inputs.zip(self.chain.links.iter().enumerate()) {
            if reached.rows.is_empty() {
                break;
            }
            let contacts = reached.contacts(shard)?;
            let mut others = gather(stream, input, &self.chain, &mut keys, &contacts, shard).await?;
            match link.relation {
                Relation::Then { after } => {
                    others.keep_at(relate::followers(
                        &reached,
                        &others,
                        place,
                        link.within,
                        after,
                        &mut calendar,
                    )?);
                    reached = others;
                }
                Relation::NotFollowed { over_at } => {
                    let fine = relate::unfollowed(&reached, &others, place, link, over_at, &mut calendar)?;
                    reached.keep_at(fine);
                }
                Relation::Before => {
                    reached.keep_at(relate::preceded(&reached, &others, place, link.within, &mut calendar)?);
                }
                Relation::Around { .. } => {
                    reached.keep_at(relate::surrounded(
                        &reached,
                        &others,
                        place,
                        link.within,
                        &mut calendar,
                    )?);
                }
            }
        }
        let found = reached.contacts(shard)?;
        Ok(ShardSet::two_valued(found.into_bits(shard.contacts)))
    }
}

/// A bit for each contact of a shard.
struct Contacts(Vec<u64>);

impl Contacts {
    fn all(contacts: usize) -> Self {
        Self(vec![u64::MAX; contacts.div_ceil(64)])
    }

    fn holds(&self, ordinal: u32) -> bool {
        self.0.get(ordinal as usize >> 6).is_some_and(|word| word >> (ordinal & 63) & 1 == 1)
    }

    fn into_bits(self, contacts: usize) -> BooleanBuffer {
        BooleanBuffer::new(Buffer::from_vec(self.0), 0, contacts)
    }
}

impl Records {
    /// The contacts that have a record here.
    fn contacts(&self, shard: &ShardContext) -> Result<Contacts> {
        let mut words = vec![0_u64; shard.contacts.div_ceil(64)];
        for row in &self.rows {
            if row.ordinal as usize >= shard.contacts {
                return internal_err!("an ordinal beyond its shard");
            }
            if let Some(word) = words.get_mut(row.ordinal as usize >> 6) {
                *word |= 1 << (row.ordinal & 63);
            }
        }
        Ok(Contacts(words))
    }
}
