//! CSV blocks into contacts and records.

use std::collections::BTreeMap;

use hyperseg_dsl::schema::{Field, Schema};
use hyperseg_dsl::semantics::{Contact, Record};
use hyperseg_dsl::value::Value;

use super::Problem;
use super::markdown::Block;

/// The contacts of a block; ids are there and unique.
pub(super) fn contacts(block: &Block, schema: &Schema) -> Result<Vec<Contact>, Problem> {
    let mut contacts: Vec<Contact> = Vec::new();
    for (line, fields) in rows(block, |name| schema.contact_field(name))? {
        let contact = Contact { fields, records: Vec::new(), changes: Vec::new() };
        if contact.id().is_empty() || contacts.iter().any(|other| other.id() == contact.id()) {
            return Err((line, "expected a contact_id of its own".to_owned()));
        }
        contacts.push(contact);
    }
    Ok(contacts)
}

/// Adds the records of a block to their contacts.
pub(super) fn records(
    block: &Block,
    kind: &str,
    schema: &Schema,
    contacts: &mut [Contact],
) -> Result<(), Problem> {
    let record = schema.record(kind).ok_or((block.line, format!("unknown record kind `{kind}`")))?;
    let owner = schema.contact_field("contact_id");
    let find = |name: &str| if name == "contact_id" { owner } else { record.field(name) };
    for (number, (line, mut fields)) in rows(block, find)?.into_iter().enumerate() {
        let Some(Value::Text(id)) = fields.remove("contact_id") else {
            return Err((line, "expected a contact_id".to_owned()));
        };
        if !fields.contains_key("at") {
            return Err((line, "expected a time in `at`".to_owned()));
        }
        fields.entry("record_id".to_owned()).or_insert_with(|| Value::Text(format!("{kind}-{number:03}")));
        let contact = contacts
            .iter_mut()
            .find(|contact| contact.id() == id)
            .ok_or((line, format!("no contact `{id}` in this case")))?;
        contact.records.push(Record { kind: kind.to_owned(), fields });
    }
    Ok(())
}

type Row = (usize, BTreeMap<String, Value>);

/// The rows of a block, with their lines; missing values have no entry.
fn rows<'a>(block: &Block, find: impl Fn(&str) -> Option<&'a Field>) -> Result<Vec<Row>, Problem> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(block.text.as_bytes());
    let broken = |error: &csv::Error| {
        let line = error.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
        (block.line + line, "rows and heading differ in length, or a quote is open".to_owned())
    };
    let headers = reader.headers().map_err(|error| broken(&error))?.clone();
    let mut fields = Vec::new();
    for name in &headers {
        let field = find(name).ok_or_else(|| (block.line + 1, format!("unknown field `{name}`")))?;
        fields.push(field);
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
        let line = block.line + line;
        let mut row = BTreeMap::new();
        for (field, cell) in fields.iter().zip(&record) {
            let value =
                field.parse_cell(cell).map_err(|error| (line, format!("`{}`: {error}", field.name)))?;
            if let Some(value) = value {
                row.insert(field.name.clone(), value);
            }
        }
        rows.push((line, row));
    }
    Ok(rows)
}
