//! Records that follow each other in time.
//!
//! ```text
//! in:   sends     ord 4 1 Mar, ord 4 9 Mar, ord 7 2 Mar        one input for each record of the chain
//!       clicks    ord 4 20 Mar, ord 7 5 Mar                    then: within 7 days
//! out:  TRUE for 7
//! ```
//!
//! The input with the fewest rows of those that every chain needs is read first; the others read what concerns its
//! contacts. Then, link by link, the records that a chain can have reached are kept: every contact's by itself, in order of
//! time, so that a link is one merge of two sorted lists. Rows of contacts that no chain has reached are dropped as they
//! come, and inputs behind an empty one are not read at all. The state is as large as the selected records of the contacts
//! that are still in question.

pub(super) mod calendar;
mod gather;
mod relate;

use std::sync::Arc;

use arrow::buffer::{BooleanBuffer, Buffer};
use async_trait::async_trait;
use chrono_tz::Tz;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use hyperseg_dsl::clock::Clock;

use self::calendar::Calendar;
use self::gather::{Records, gather};
use super::distinct::Sameness;
use crate::plan::exec::{SetOperator, ShardContext};
use crate::sets::ShardSet;
use crate::table::{Candidates, EncryptedScan};

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
    pub(crate) fn starts(&self) -> Vec<usize> {
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
    /// Where the scans learn whose records matter.
    pub(crate) candidates: Arc<Candidates>,
    /// The scans of its inputs.
    pub(crate) scans: Vec<Arc<dyn ExecutionPlan>>,
}

impl RecordChain {
    /// The input that is read first: of those that every chain has a record of, the one with the fewest rows left in this shard.
    fn leader(&self, shard: usize) -> Result<usize> {
        let links = self.chain.links.iter().enumerate();
        let needed = links.filter(|(_, link)| !matches!(link.relation, Relation::NotFollowed { .. }));
        let mut needed = std::iter::once(0).chain(needed.map(|(place, _)| place + 1)).peekable();
        let mut best = (0, u64::MAX);
        while let Some(input) = needed.next() {
            if input == 0 && needed.peek().is_none() {
                break;
            }
            let scan = self.scans.get(input).and_then(|scan| scan.downcast_ref::<EncryptedScan>());
            let scan = scan.ok_or_else(|| internal_datafusion_err!("a chain of records without a scan"))?;
            let rows = scan.rows_possible(shard)?;
            if rows < best.1 {
                best = (input, rows);
            }
        }
        Ok(best.0)
    }
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
        let mut inputs = Inputs {
            chain: &self.chain,
            shard,
            keys: gather::LinkKeys::new(&self.chain),
            streams: inputs.into_iter().map(Some).collect(),
            ahead: None,
        };
        let leader = self.leader(shard.shard as usize)?;
        let leading = inputs.gather(leader, &Contacts::all(shard.contacts)).await?;
        let contacts = leading.contacts(shard)?;
        let of_leader = contacts.bits(shard.contacts);
        if !self.candidates.say(shard.shard as usize, &of_leader) {
            return internal_err!("a chain with other contacts than before");
        }
        if leading.rows.is_empty() {
            return Ok(ShardSet::two_valued(of_leader));
        }
        inputs.ahead = Some((leader, leading));
        let mut reached = inputs.gather(0, &contacts).await?;
        for (place, link) in self.chain.links.iter().enumerate() {
            if reached.rows.is_empty() {
                break;
            }
            let contacts = reached.contacts(shard)?;
            let mut others = inputs.gather(place + 1, &contacts).await?;
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
        Ok(ShardSet::two_valued(found.bits(shard.contacts)))
    }
}

/// The inputs of a chain in one shard.
struct Inputs<'a> {
    chain: &'a Chain,
    shard: &'a ShardContext,
    keys: gather::LinkKeys,
    streams: Vec<Option<SendableRecordBatchStream>>,
    /// The one that was read first.
    ahead: Option<(usize, Records)>,
}

impl Inputs<'_> {
    /// The records of an input of at least these contacts; each can be asked for once.
    async fn gather(&mut self, input: usize, contacts: &Contacts) -> Result<Records> {
        if let Some((_, records)) = self.ahead.take_if(|(leader, _)| *leader == input) {
            return Ok(records);
        }
        let stream = self.streams.get_mut(input).and_then(Option::take);
        let stream = stream.ok_or_else(|| internal_datafusion_err!("records that were read before"))?;
        gather(stream, input, self.chain, &mut self.keys, contacts, self.shard).await
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

    fn bits(&self, contacts: usize) -> BooleanBuffer {
        BooleanBuffer::new(Buffer::from_slice_ref(self.0.as_slice()), 0, contacts)
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
