//! The selected records of an input, as far as a chain needs them.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use hyperseg_storage::layout::{AT, ORDINAL};

use super::calendar::Moment;
use super::{Chain, Contacts, IDENTITY};
use crate::functions::days_of;
use crate::plan::exec::{ShardContext, column};
use crate::plan::ops::days::LocalDays;
use crate::plan::ops::distinct::{Keys, Sameness};

/// A record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) ordinal: u32,
    /// Place in the columns beside the rows.
    pub(super) place: u32,
    pub(super) at: Moment,
}

/// Records of one input, and what the links ask of them beside.
pub(super) struct Records {
    pub(super) rows: Vec<Row>,
    /// Where their clocks start; nothing when that is `at`.
    clocks: Option<Vec<Option<Moment>>>,
    /// Keys by link, for links that have them.
    keys: Vec<(usize, Vec<Option<u64>>)>,
    /// Numbers that tell records of several inputs apart; nothing when nobody asks.
    identities: Option<Vec<u64>>,
}

impl Records {
    /// Records at these packed moments, without clocks and keys.
    #[cfg(test)]
    pub(super) fn at(moments: &[(u32, i64)], zone: chrono_tz::Tz) -> Self {
        let mut days = LocalDays::new(zone);
        let rows = moments.iter().zip(0_u32..).map(|(&(ordinal, at), place)| Row {
            ordinal,
            place,
            at: Moment::of(at, &mut days).unwrap(),
        });
        Self { rows: rows.collect(), clocks: None, keys: Vec::new(), identities: None }
    }

    /// Where the clock of a record starts; `None` when that is not known.
    pub(super) fn clock(&self, row: &Row) -> Option<Moment> {
        match &self.clocks {
            None => Some(row.at),
            Some(clocks) => clocks.get(row.place as usize).copied().flatten(),
        }
    }

    /// What the link compares; `None` when a value is missing, a constant when it compares nothing.
    pub(super) fn key(&self, link: usize, row: &Row) -> Option<u64> {
        match self.keys.iter().find(|(of, _)| *of == link) {
            None => Some(0),
            Some((_, keys)) => keys.get(row.place as usize).copied().flatten(),
        }
    }

    /// What makes it another record than others; the same for all when nobody asks.
    pub(super) fn identity(&self, row: &Row) -> Option<u64> {
        let identities = self.identities.as_ref();
        identities.and_then(|identities| identities.get(row.place as usize)).copied()
    }

    /// Drops the rows whose place is not in the set.
    pub(super) fn keep_at(&mut self, kept: Vec<bool>) {
        self.rows.retain(|row| kept.get(row.place as usize).copied().unwrap_or(false));
    }

    /// Rows that were read, kept or not.
    pub(super) fn places(&self) -> usize {
        self.rows.iter().map(|row| row.place as usize + 1).max().unwrap_or(0)
    }
}

/// The dictionaries of every link; both sides of a link use the same.
pub(super) struct LinkKeys {
    links: Vec<Dictionary>,
    identity: Dictionary,
}

/// Numbers for combinations of values: the same for the same ones.
struct Dictionary {
    columns: Vec<(String, Keys)>,
    /// Combinations of two numbers; several columns are combined from the left.
    pairs: HashMap<(u64, Option<u64>), u64>,
}

impl Dictionary {
    fn new<'c>(columns: impl Iterator<Item = (&'c str, Sameness)>) -> Self {
        let columns = columns.map(|(column, same)| (column.to_owned(), Keys::new(same))).collect();
        Self { columns, pairs: HashMap::new() }
    }

    /// The numbers of the chosen rows. A missing value makes a missing number, or counts as a value of its own.
    fn numbers(
        &mut self,
        batch: &RecordBatch,
        chosen: &[usize],
        missing_counts: bool,
    ) -> Result<Vec<Option<u64>>> {
        let mut numbers: Vec<Option<u64>> = vec![Some(0); chosen.len()];
        for (place, (name, keys)) in self.columns.iter_mut().enumerate() {
            let values: &ArrayRef = batch
                .column_by_name(name)
                .ok_or_else(|| internal_datafusion_err!("a column of a chain was not read"))?;
            let mut found: Vec<Option<u64>> = vec![None; batch.num_rows()];
            keys.each(values, |row, key| {
                if let Some(found) = found.get_mut(row) {
                    *found = Some(key);
                }
            })?;
            for (number, &row) in numbers.iter_mut().zip(chosen) {
                let own = found.get(row).copied().flatten();
                *number = match (*number, own) {
                    (Some(_), Some(own)) if place == 0 && !missing_counts => Some(own),
                    (Some(before), own) if own.is_some() || missing_counts => {
                        let next = self.pairs.len() as u64;
                        Some(*self.pairs.entry((before, own)).or_insert(next))
                    }
                    (Some(_) | None, _) => None,
                };
            }
        }
        Ok(numbers)
    }
}

impl LinkKeys {
    pub(super) fn new(chain: &Chain) -> Self {
        let links = chain
            .links
            .iter()
            .map(|link| Dictionary::new(link.same.iter().map(|(column, same)| (column.as_str(), *same))));
        let identity = Dictionary::new(IDENTITY.into_iter().map(|column| (column, Sameness::Value)));
        Self { links: links.collect(), identity }
    }
}

/// Reads the records of these contacts.
pub(super) async fn gather(
    mut stream: SendableRecordBatchStream,
    input: usize,
    chain: &Chain,
    keys: &mut LinkKeys,
    contacts: &Contacts,
    shard: &ShardContext,
) -> Result<Records> {
    let clock_column = chain.clocks.get(input).and_then(Option::as_deref);
    let keyed: Vec<(usize, bool)> =
        chain.keyed(input).map(|(place, link)| (place, link.tells_apart())).collect();
    let mut records = Records {
        rows: Vec::new(),
        clocks: clock_column.map(|_| Vec::new()),
        keys: keyed
            .iter()
            .filter(|(link, _)| chain.links.get(*link).is_some_and(|link| !link.same.is_empty()))
            .map(|(link, _)| (*link, Vec::new()))
            .collect(),
        identities: keyed.iter().any(|(_, told_apart)| *told_apart).then(Vec::new),
    };
    let per_row = size_of::<Row>()
        + records.clocks.as_ref().map_or(0, |_| size_of::<Option<Moment>>())
        + records.keys.len() * size_of::<Option<u64>>()
        + records.identities.as_ref().map_or(0, |_| size_of::<u64>());
    let mut days = LocalDays::new(chain.zone);
    let rows = shard.counter("rows");
    let mut chosen = Vec::new();
    while let Some(batch) = stream.try_next().await? {
        let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
        let at: &Int64Array = column(&batch, AT)?;
        rows.add(batch.num_rows());
        chosen.clear();
        chosen.extend(
            ordinals
                .values()
                .iter()
                .enumerate()
                .filter(|(_, ordinal)| contacts.holds(**ordinal))
                .map(|(row, _)| row),
        );
        if chosen.is_empty() {
            continue;
        }
        // The lists of the merges are of about the same size again.
        shard.reservation.try_grow(chosen.len() * 2 * per_row)?;
        for &row in &chosen {
            let (Some(&ordinal), Some(&at)) = (ordinals.values().get(row), at.values().get(row)) else {
                return internal_err!("a row beyond its batch");
            };
            let place = u32::try_from(records.rows.len())
                .map_err(|_| internal_datafusion_err!("too many records in one shard"))?;
            records.rows.push(Row { ordinal, place, at: Moment::of(at, &mut days)? });
        }
        if let (Some(clocks), Some(name)) = (&mut records.clocks, clock_column) {
            let values = batch
                .column_by_name(name)
                .ok_or_else(|| internal_datafusion_err!("a column of a chain was not read"))?;
            for &row in &chosen {
                clocks.push(moment(values, row, &mut days)?);
            }
        }
        for (link, found) in &mut records.keys {
            let dictionary = keys.links.get_mut(*link);
            let dictionary = dictionary.ok_or_else(|| internal_datafusion_err!("no keys for a link"))?;
            found.extend(dictionary.numbers(&batch, &chosen, false)?);
        }
        if let Some(identities) = &mut records.identities {
            let found = keys.identity.numbers(&batch, &chosen, true)?;
            identities.extend(found.into_iter().map(|number| number.unwrap_or(0)));
        }
    }
    Ok(records)
}

/// A value of a column of dates or times; a date that is not known to the day starts no clock.
fn moment(values: &ArrayRef, row: usize, days: &mut LocalDays) -> Result<Option<Moment>> {
    if values.is_null(row) {
        return Ok(None);
    }
    match values.data_type() {
        DataType::Int64 => match values.as_any().downcast_ref::<Int64Array>() {
            Some(times) => Moment::of(times.value(row), days).map(Some),
            None => internal_err!("times of another type"),
        },
        DataType::Int32 => {
            let date = values.as_any().downcast_ref::<Int32Array>().map(|dates| dates.value(row));
            let days = date.and_then(days_of);
            let (first, last) =
                days.ok_or_else(|| internal_datafusion_err!("a date of unknown precision"))?;
            Ok((first == last).then(|| Moment::on(first)))
        }
        _ => internal_err!("a clock that is no time"),
    }
}
