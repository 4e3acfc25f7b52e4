//! Consent and suppression once more, recipient by recipient, before anything is released.
//!
//! The plan's gate works on bitmaps; this check reads the same columns again without DataFusion and asks the
//! reference semantics about each recipient. The two share no code. One disagreement, and nothing is released.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use hyperseg_dsl::schema::{Channel, Class, FieldType, Purpose, RecordKind};
use hyperseg_dsl::semantics::{Contact, Record, gate};
use hyperseg_dsl::value::{Value, unpack_date, unpack_time};
use hyperseg_storage::layout::ORDINAL;
use hyperseg_storage::{Dataset, FileEntry, KeyScope, Snapshot};

use crate::error::{Error, Result};
use crate::request::Request;

/// What the check reads with.
pub(super) struct Recheck<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) snapshot: &'a Snapshot,
    pub(super) scope: &'a KeyScope,
    pub(super) request: &'a Request,
    pub(super) purpose: Purpose,
    pub(super) channel: Channel,
}

impl Recheck<'_> {
    /// Asks about every recipient of a shard; `rows` are the list's rows of that shard, still as stored.
    pub(super) fn shard(&self, shard: u32, rows: &RecordBatch) -> Result<()> {
        let ordinals: &UInt32Array = column(rows, ORDINAL)?;
        let addresses: &StringArray = column(rows, self.channel.address_field())?;
        let mut contacts: Vec<Contact> = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let mut fields = BTreeMap::new();
            if addresses.is_valid(row) {
                let address = Value::Text(addresses.value(row).to_owned());
                fields.insert(self.channel.address_field().to_owned(), address);
            }
            contacts.push(Contact { fields, records: Vec::new() });
        }
        let places: HashMap<u32, usize> =
            ordinals.values().iter().enumerate().map(|(row, &ordinal)| (ordinal, row)).collect();
        self.dates(shard, &places, &mut contacts)?;
        for (kind, columns) in self.kinds() {
            self.records(shard, kind, columns, &places, &mut contacts)?;
        }
        let blocked = contacts
            .iter()
            .filter(|contact| {
                let request = self.request;
                gate(contact, Some(self.purpose), Some(self.channel), &request.clock, request.now_micros)
                    .is_some()
            })
            .count();
        if blocked > 0 { Err(Error::Recheck { contacts: blocked as u64 }) } else { Ok(()) }
    }

    /// The kinds that matter for the channel, and their columns that do.
    fn kinds(&self) -> Vec<(&'static str, &'static [&'static str])> {
        let mut kinds: Vec<(&str, &[&str])> =
            vec![("consent", &["at", "status", "channel", "purpose", "decision", "scope", "end"])];
        if self.channel == Channel::Email {
            kinds.push(("email_bounce", &["at", "status", "bounce"]));
            kinds.push(("email_complaint", &["at", "status"]));
            kinds.push(("email_unsubscribe", &["at", "status"]));
        }
        kinds
    }

    fn dates(&self, shard: u32, places: &HashMap<u32, usize>, contacts: &mut [Contact]) -> Result<()> {
        let names: &[&str] =
            if self.purpose.adults_only() { &["deceased_on", "birth_date"] } else { &["deceased_on"] };
        for entry in self.snapshot.contact_files(Class::Demographic, shard) {
            self.rows(entry, names, |batch, row, ordinal| {
                let Some(contact) = places.get(&ordinal).and_then(|&place| contacts.get_mut(place)) else {
                    return Ok(());
                };
                for name in names {
                    let dates: &Int32Array = column(batch, name)?;
                    if dates.is_valid(row) {
                        let day = unpack_date(dates.value(row)).ok_or_else(unreadable)?;
                        contact.fields.insert((*name).to_owned(), Value::Date(day));
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn records(
        &self,
        shard: u32,
        kind: &str,
        names: &[&str],
        places: &HashMap<u32, usize>,
        contacts: &mut [Contact],
    ) -> Result<()> {
        let kind = self.snapshot.schema().record(kind).ok_or_else(unreadable)?;
        for entry in self.snapshot.record_files(&kind.name, shard, &[kind.class]) {
            self.rows(entry, names, |batch, row, ordinal| {
                let Some(contact) = places.get(&ordinal).and_then(|&place| contacts.get_mut(place)) else {
                    return Ok(());
                };
                let mut fields = BTreeMap::new();
                for name in names {
                    if let Some(value) = value(kind, name, batch, row)? {
                        fields.insert((*name).to_owned(), value);
                    }
                }
                contact.records.push(Record { kind: kind.name.clone(), fields });
                Ok(())
            })?;
        }
        Ok(())
    }

    fn rows(
        &self,
        entry: &FileEntry,
        names: &[&str],
        mut take: impl FnMut(&RecordBatch, usize, u32) -> Result<()>,
    ) -> Result<()> {
        let columns: Vec<&str> = std::iter::once(ORDINAL).chain(names.iter().copied()).collect();
        for batch in self.scope.read(self.dataset, entry, &columns, None)? {
            let batch = batch?;
            let ordinals: &UInt32Array = column(&batch, ORDINAL)?;
            for (row, &ordinal) in ordinals.values().iter().enumerate() {
                take(&batch, row, ordinal)?;
            }
        }
        Ok(())
    }
}

fn value(kind: &RecordKind, name: &str, batch: &RecordBatch, row: usize) -> Result<Option<Value>> {
    let field = kind.field(name).ok_or_else(unreadable)?;
    Ok(match field.ty {
        FieldType::Time => {
            let column: &Int64Array = column(batch, name)?;
            let when = column.is_valid(row).then(|| unpack_time(column.value(row)).ok_or_else(unreadable));
            when.transpose()?.map(Value::Time)
        }
        FieldType::Category => {
            let column: &Int16Array = column(batch, name)?;
            let place = column.is_valid(row).then(|| usize::try_from(column.value(row)));
            match place {
                None => None,
                Some(place) => {
                    let category = place.ok().and_then(|place| field.categories.get(place));
                    Some(Value::Category(category.ok_or_else(unreadable)?.clone()))
                }
            }
        }
        FieldType::Text => {
            let column: &StringArray = column(batch, name)?;
            column.is_valid(row).then(|| Value::Text(column.value(row).to_owned()))
        }
        FieldType::Int
        | FieldType::Number
        | FieldType::Money
        | FieldType::Bool
        | FieldType::Date
        | FieldType::Code
        | FieldType::Categories
        | FieldType::Point => return Err(unreadable()),
    })
}

fn column<'a, A: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A> {
    batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref()).ok_or_else(unreadable)
}

fn unreadable() -> Error {
    Error::Query { doing: "checking consent row by row", kind: "a column of another type" }
}
