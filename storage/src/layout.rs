//! How logical fields lie in Parquet columns.
//!
//! | type | column | encoding |
//! |---|---|---|
//! | text | `Utf8` | as is |
//! | category | `Int16` | place in the field's list of categories |
//! | int | `Int32` | |
//! | number | `Float64` | finite |
//! | money | `Int64` | hundredths |
//! | bool | `Boolean` | |
//! | date | `Int32` | [`hyperseg_dsl::value::pack_date`], [`hyperseg_dsl::value::pack_partial`] |
//! | time | `Int64` | [`hyperseg_dsl::value::pack_time`] |
//! | code | `Utf8` | `SYSTEM:code` in normal form |
//! | categories | `List<Int16>` | places, in the source's order |
//! | point | two `Float64`: `<name>_lat`, `<name>_lon` | degrees |
//!
//! Missing is null everywhere. Every file has the column [`ORDINAL`]: the contact's place within its shard, where those
//! that came in one import lie by [`CONTACT_ORDER`]. Contact files hold the fields of one class; the identity file also
//! has [`CONTENT_HASH`] and, for each text field but `contact_id`, a `has_<name>` column, so that "is known" need not
//! open the texts. Record files also have [`RECORD_HASH`]; their `at` is never missing.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use hyperseg_dsl::schema::{Class, Field, FieldType, RecordKind, Schema};

use crate::dataset::TableId;

/// `UInt32`, not null: place of the contact within its shard.
pub const ORDINAL: &str = "ord";
/// `FixedSizeBinary` of [`RECORD_HASH_BYTES`], not null: keyed hash of source and record id, by which an import finds
/// the stored rows that may be the same record as an incoming one. It decides nothing: those rows are then compared.
pub const RECORD_HASH: &str = "record_hash";
/// Bytes of a [`RECORD_HASH`]. With five, an import of 10,000 rows into a partition of three million meets a stored row
/// by mere chance once in 36 imports, and then reads that partition; each further byte would cost every record a byte.
pub const RECORD_HASH_BYTES: usize = 5;
/// `Utf8`, not null, history only: the field that was changed; of a point its two columns.
pub const CHANGED_FIELD: &str = "field";
/// `Utf8`, history only: what the field said before, as CSV files of a population have it; null when it was missing.
pub const OLD_VALUE: &str = "old";
/// The same of what it said from then on.
pub const NEW_VALUE: &str = "new";
/// `Int64`, not null, history only: when the change was imported, packed like a time.
pub const CHANGED_AT: &str = "changed_at";
/// Time of a record; the one field that no record lacks.
pub const AT: &str = "at";
/// `Int64`, not null, contacts only: keyed hash of everything the row says, to tell a duplicate from a change.
pub const CONTENT_HASH: &str = "content_hash";

/// Fields of contacts, categories and dates, by which an import lays out the new ones of a shard, the first one first.
/// A block of a contact file then spans few of their values, and who is alike lies side by side in every file. Fields
/// that a schema does not have, or has with another type, order nothing.
pub const CONTACT_ORDER: [&str; 3] = ["state", "gender", "birth_date"];

/// Beginning of [`known_column`].
pub(crate) const KNOWN_PREFIX: &str = "has_";

/// Name of the Boolean column that says whether an identity text is known.
#[must_use]
pub fn known_column(field: &str) -> String {
    format!("{KNOWN_PREFIX}{field}")
}

/// The columns that hold a field.
#[must_use]
pub fn columns_of(field: &Field) -> Vec<ArrowField> {
    let one = |data_type| vec![ArrowField::new(&field.name, data_type, true)];
    match field.ty {
        FieldType::Text | FieldType::Code => one(DataType::Utf8),
        FieldType::Category => one(DataType::Int16),
        FieldType::Int | FieldType::Date => one(DataType::Int32),
        FieldType::Number => one(DataType::Float64),
        FieldType::Money | FieldType::Time => one(DataType::Int64),
        FieldType::Bool => one(DataType::Boolean),
        FieldType::Categories => {
            one(DataType::List(Arc::new(ArrowField::new("element", DataType::Int16, false))))
        }
        FieldType::Point => ["lat", "lon"]
            .map(|axis| ArrowField::new(format!("{}_{axis}", field.name), DataType::Float64, true))
            .into(),
    }
}

/// Columns of the contact files of one class.
#[must_use]
pub fn contact_schema(schema: &Schema, class: Class) -> SchemaRef {
    let mut columns = vec![ArrowField::new(ORDINAL, DataType::UInt32, false)];
    for field in schema.contact.iter().filter(|field| field.class == class) {
        columns.extend(columns_of(field));
    }
    if class == Class::Identity {
        for field in schema.contact.iter().filter(|field| field.class == class && field.name != "contact_id")
        {
            columns.push(ArrowField::new(known_column(&field.name), DataType::Boolean, false));
        }
        columns.push(ArrowField::new(CONTENT_HASH, DataType::Int64, false));
    }
    Arc::new(ArrowSchema::new(columns))
}

/// Columns of the files of one record kind.
#[must_use]
pub fn record_schema(kind: &RecordKind) -> SchemaRef {
    let mut columns = vec![ArrowField::new(ORDINAL, DataType::UInt32, false)];
    for field in &kind.fields {
        let nullable = field.name != AT;
        columns.extend(columns_of(field).into_iter().map(|column| column.with_nullable(nullable)));
    }
    columns.push(ArrowField::new(RECORD_HASH, DataType::FixedSizeBinary(RECORD_HASH_BYTES as i32), false));
    Arc::new(ArrowSchema::new(columns))
}

/// Columns of the files of what contact fields said before.
#[must_use]
pub fn history_schema() -> SchemaRef {
    Arc::new(ArrowSchema::new(vec![
        ArrowField::new(ORDINAL, DataType::UInt32, false),
        ArrowField::new(CHANGED_FIELD, DataType::Utf8, false),
        ArrowField::new(OLD_VALUE, DataType::Utf8, true),
        ArrowField::new(NEW_VALUE, DataType::Utf8, true),
        ArrowField::new(CHANGED_AT, DataType::Int64, false),
    ]))
}

/// Columns of the files of a table and class; `None` when the schema has no such table.
#[must_use]
pub fn schema_of(schema: &Schema, table: &TableId, class: Class) -> Option<SchemaRef> {
    match table {
        TableId::Contact => Some(contact_schema(schema, class)),
        TableId::Record(kind) => schema.record(kind).map(record_schema),
        TableId::History => Some(history_schema()),
    }
}

/// The classes that contact fields have, in the order of the schema.
#[must_use]
pub fn contact_classes(schema: &Schema) -> Vec<Class> {
    let mut classes: Vec<Class> = schema.contact.iter().map(|field| field.class).collect();
    classes.sort();
    classes.dedup();
    classes
}
