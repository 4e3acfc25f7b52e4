//! The block of changes of contact fields.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::semantics::{Change, Contact};
use hyperseg_dsl::value::Value;

use super::Problem;
use super::markdown::Block;

const COLUMNS: [&str; 5] = ["contact_id", "field", "at", "old", "new"];

/// Adds the changes of a block to their contacts. Those of a field stand in their order, each goes on from the one before, and
/// the last one leads to what the contact says.
pub(super) fn changes(
    block: &Block,
    schema: &Schema,
    zone: Tz,
    contacts: &mut [Contact],
) -> Result<(), Problem> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(block.text.as_bytes());
    let broken = || (block.line, format!("expected the columns {}", COLUMNS.join(", ")));
    if reader.headers().map_err(|_| broken())?.iter().ne(COLUMNS) {
        return Err(broken());
    }
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(|_| broken())?;
        let line = block.line + 2 + number;
        let wrong = |what: &str| (line, what.to_owned());
        let mut cells = record.iter();
        let mut cell = || cells.next().unwrap_or_default();
        let (id, name, at, old, new) = (cell(), cell(), cell(), cell(), cell());
        let contact = contacts.iter_mut().find(|contact| contact.id() == id);
        let contact = contact.ok_or_else(|| (line, format!("no contact `{id}` in this case")))?;
        let field = schema.contact_field(name).ok_or_else(|| (line, format!("unknown field `{name}`")))?;
        let at_micros = Clock::parse(at, zone).map_err(|what| (line, what))?.as_of_micros;
        let value = |cell: &str| field.parse_cell(cell).map_err(|error| (line, format!("`{name}`: {error}")));
        let change = Change { field: name.to_owned(), at_micros, old: value(old)?, new: value(new)? };
        if change.old == change.new {
            return Err(wrong("expected a change"));
        }
        if contact.changes.last().is_some_and(|last| last.at_micros > at_micros) {
            return Err(wrong("expected the changes of a contact in the order of their times"));
        }
        let last = contact.changes.iter().rev().find(|last| last.field == name);
        if last.is_some_and(|last| last.new != change.old) {
            return Err(wrong("expected the value of the change before"));
        }
        contact.changes.push(change);
    }
    for contact in contacts.iter() {
        let ends: BTreeMap<&str, Option<&Value>> =
            contact.changes.iter().map(|change| (change.field.as_str(), change.new.as_ref())).collect();
        if let Some((name, _)) = ends.iter().find(|(name, new)| contact.fields.get(**name) != **new) {
            let what = format!("the last change of `{name}` does not lead to what the contact says");
            return Err((block.line, what));
        }
    }
    Ok(())
}
