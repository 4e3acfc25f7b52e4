//! Fields that a dataset did not have when its first rows came.

use std::collections::BTreeSet;

use hyperseg_dsl::schema::{
    Cluster, Field, FieldType, NewField, NewRecordField, RecordKind, Schema, SchemaAdditions,
};

/// Fields of contacts of every type that can be added.
const OF_CONTACTS: [&str; 9] = [
    "city",
    "preferred_language",
    "spoken_languages",
    "household_size",
    "income",
    "enrolled_on",
    "risk_score",
    "religion",
    "last_name",
];

/// The schema as it was, what was added, and the names of that: of contacts, and of records.
pub struct Late {
    pub before: Schema,
    pub additions: SchemaAdditions,
    contact: BTreeSet<String>,
    records: BTreeSet<(String, String)>,
}

impl Late {
    /// Of the built-in schema some fields of contacts, and every second one of records that can be missing.
    pub fn new() -> Self {
        let mut before = Schema::built_in();
        let mut additions = SchemaAdditions::default();
        let (mut contact, mut records) = (BTreeSet::new(), BTreeSet::new());
        before.contact.retain(|field| {
            let is_late = OF_CONTACTS.contains(&field.name.as_str());
            if is_late {
                contact.insert(field.name.clone());
                let Field { name, ty, class, categories } = field.clone();
                additions.contact.push(NewField { name, ty, class, categories });
            }
            !is_late
        });
        assert_eq!(contact.len(), OF_CONTACTS.len());
        for kind in &mut before.records {
            let late: Vec<Field> =
                kind.fields.iter().filter(|field| can_be_late(kind, field)).cloned().collect();
            for field in late.into_iter().step_by(2) {
                kind.fields.retain(|own| own.name != field.name);
                records.insert((kind.name.clone(), field.name.clone()));
                let Field { name, ty, categories, .. } = field;
                additions.record.push(NewRecordField { kind: kind.name.clone(), name, ty, categories });
            }
        }
        assert!(records.len() > 20, "{records:?}");
        Self { before, additions, contact, records }
    }

    /// Whether a field was added.
    pub fn has(&self, table: &str, field: &str) -> bool {
        // A record's field can be named like one of contacts.
        let is_contact = table == hyperseg_testdata::worlds::CONTACTS;
        if is_contact {
            self.contact.contains(field)
        } else {
            self.records.contains(&(table.to_owned(), field.to_owned()))
        }
    }
}

fn can_be_late(kind: &RecordKind, field: &Field) -> bool {
    const COMMON: [&str; 7] = ["record_id", "contact_id", "at", "recorded_at", "source", "status", "end"];
    let clusters = match &kind.cluster {
        Cluster::Time => Vec::new(),
        Cluster::Field(name) => vec![name],
        Cluster::Fields(one, two) => vec![one, two],
    };
    !COMMON.contains(&field.name.as_str())
        && !matches!(field.ty, FieldType::Code | FieldType::Point)
        && !clusters.contains(&&field.name)
        && kind.hidden.iter().all(|(name, _)| *name != field.name)
}
