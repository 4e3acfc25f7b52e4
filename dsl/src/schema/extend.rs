//! What an organisation adds to the schema of its datasets: fields of contacts and records, and categories.
//!
//! In: a schema and additions. Out: the schema with them, or what is wrong with them. Nothing is ever taken away or
//! changed: stored data refers to a category by its place in the list, and files of before an addition are read as if the
//! field were missing in all their rows.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Class, Field, FieldType, Schema};

/// Longest name of a field or category.
const NAME_BYTES_MAX: usize = 63;
/// Most categories of a contact's field: they are one byte each, and one value stands for a missing one.
const CONTACT_CATEGORIES_MAX: usize = 255;
/// Most categories of a record's field.
const RECORD_CATEGORIES_MAX: usize = 32_767;
/// Most fields of contacts, or of one kind of record.
const FIELDS_MAX: usize = 1_000;
/// Columns of files that are no fields.
const OF_FILES: [&str; 8] =
    ["ord", "record_hash", "content_hash", "changed_at", "old", "new", "deleted", "contact_id"];

/// What is to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaAdditions {
    /// Fields of contacts.
    #[serde(default)]
    pub contact: Vec<NewField>,
    /// Fields of records.
    #[serde(default)]
    pub record: Vec<NewRecordField>,
    /// Categories of fields that are there.
    #[serde(default)]
    pub categories: Vec<NewCategories>,
}

/// A new field of contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewField {
    /// Name in the language.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// A sensitivity class that contacts have fields of.
    pub class: Class,
    /// Categories, of a field that has them.
    #[serde(default)]
    pub categories: Vec<String>,
}

/// A new field of a kind of record; its class is that of the kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRecordField {
    /// Kind of record.
    pub kind: String,
    /// Name in the language.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// Categories, of a field that has them.
    #[serde(default)]
    pub categories: Vec<String>,
}

/// New categories of a field that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCategories {
    /// `field` of contacts, or `kind.field` of records.
    pub field: String,
    /// What it can also be.
    pub add: Vec<String>,
}

/// What is wrong with an addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// Field, kind or category.
    pub name: String,
    /// The problem, in words.
    pub what: String,
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.what)
    }
}

impl std::error::Error for SchemaProblem {}

impl SchemaAdditions {
    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.contact.is_empty() && self.record.is_empty() && self.categories.is_empty()
    }
}

impl Schema {
    /// The schema with the additions. What is there already in exactly this form is left as it is, so that the same
    /// additions can be made again.
    ///
    /// # Errors
    /// A name cannot be said in the language or means something else already, a type cannot be that of such a field, or
    /// there would be too many.
    pub fn extended(&self, additions: &SchemaAdditions) -> Result<Self, SchemaProblem> {
        let mut next = self.clone();
        for new in &additions.contact {
            next.add_contact_field(new)?;
        }
        for new in &additions.record {
            next.add_record_field(new)?;
        }
        for new in &additions.categories {
            next.add_categories(new)?;
        }
        Ok(next)
    }

    fn add_contact_field(&mut self, new: &NewField) -> Result<(), SchemaProblem> {
        let field = Field {
            name: new.name.clone(),
            ty: new.ty,
            class: new.class,
            categories: new.categories.clone(),
        };
        if self.contact.contains(&field) {
            return Ok(());
        }
        if self.contact_field(&new.name).is_some() || self.record(&new.name).is_some() {
            return Err(problem(&new.name, "the schema has something else of this name"));
        }
        if matches!(new.ty, FieldType::Time | FieldType::Code | FieldType::Point) {
            return Err(problem(&new.name, "a new field of contacts cannot be a time, a code or a point"));
        }
        if !self.contact.iter().any(|field| field.class == new.class) {
            return Err(problem(&new.name, "contacts have no fields of this class"));
        }
        check_field(&field, CONTACT_CATEGORIES_MAX)?;
        // A point has a column for each of its axes.
        let is_axis = |known: &Field| {
            known.ty == FieldType::Point
                && ["_lat", "_lon"].iter().any(|axis| known.name.clone() + axis == new.name)
        };
        if self.contact.iter().any(is_axis) {
            return Err(problem(&new.name, "files have a column of this name"));
        }
        if self.contact.len() >= FIELDS_MAX {
            return Err(problem(&new.name, "there are too many fields"));
        }
        self.contact.push(field);
        self.can_be_said(&new.name, &format!("{} is known", new.name))
    }

    fn add_record_field(&mut self, new: &NewRecordField) -> Result<(), SchemaProblem> {
        let Some(kind) = self.records.iter_mut().find(|kind| kind.name == new.kind) else {
            return Err(problem(&new.kind, "the schema has no such kind of record"));
        };
        let field = Field {
            name: new.name.clone(),
            ty: new.ty,
            class: kind.class,
            categories: new.categories.clone(),
        };
        if kind.fields.contains(&field) {
            return Ok(());
        }
        if kind.field(&new.name).is_some() {
            return Err(problem(&new.name, "the kind has another field of this name"));
        }
        if matches!(new.ty, FieldType::Code | FieldType::Point) {
            return Err(problem(&new.name, "a new field of records cannot be a code or a point"));
        }
        check_field(&field, RECORD_CATEGORIES_MAX)?;
        if kind.fields.len() >= FIELDS_MAX {
            return Err(problem(&new.name, "there are too many fields"));
        }
        kind.fields.push(field);
        self.can_be_said(&new.name, &format!("no {}({} is known)", new.kind, new.name))
    }

    fn add_categories(&mut self, new: &NewCategories) -> Result<(), SchemaProblem> {
        let (fields, name, max) = match new.field.split_once('.') {
            None => (&mut self.contact, new.field.as_str(), CONTACT_CATEGORIES_MAX),
            Some((kind, name)) => match self.records.iter_mut().find(|known| known.name == kind) {
                // What decides who may be approached has no words that the gates do not know.
                Some(kind) if kind.class == Class::Consent => {
                    return Err(problem(&new.field, "what consent can say is fixed"));
                }
                Some(kind) => (&mut kind.fields, name, RECORD_CATEGORIES_MAX),
                None => return Err(problem(kind, "the schema has no such kind of record")),
            },
        };
        let Some(field) = fields.iter_mut().find(|field| field.name == name) else {
            return Err(problem(&new.field, "the schema has no such field"));
        };
        if field.categories.is_empty() {
            return Err(problem(&new.field, "it has no categories"));
        }
        for category in &new.add {
            if !field.categories.contains(category) {
                field.categories.push(category.clone());
            }
        }
        check_categories(field, max)
    }

    /// Whether the language reads a name as this field.
    fn can_be_said(&self, name: &str, criterion: &str) -> Result<(), SchemaProblem> {
        let checked = crate::check(&format!("segment s\n  where {criterion}\n"), self);
        if checked.has_errors() {
            return Err(problem(name, "the language reads this word as something else; choose another name"));
        }
        Ok(())
    }
}

fn check_field(field: &Field, categories_max: usize) -> Result<(), SchemaProblem> {
    check_name(&field.name)?;
    if OF_FILES.contains(&field.name.as_str()) || field.name.starts_with("has_") {
        return Err(problem(&field.name, "files have a column of this name"));
    }
    let wants = matches!(field.ty, FieldType::Category | FieldType::Categories);
    match (wants, field.categories.is_empty()) {
        (true, true) => Err(problem(&field.name, "its categories are missing")),
        (false, false) => Err(problem(&field.name, "a field of this type has no categories")),
        _ => check_categories(field, categories_max),
    }
}

fn check_categories(field: &Field, max: usize) -> Result<(), SchemaProblem> {
    if field.categories.len() > max {
        return Err(problem(&field.name, &format!("it can have {max} categories at most")));
    }
    for (place, category) in field.categories.iter().enumerate() {
        check_category(category)?;
        if field.categories.iter().take(place).any(|before| before == category) {
            return Err(problem(category, "the category is there twice"));
        }
    }
    Ok(())
}

/// Lower-case words of letters, digits and underscores, as all names are.
fn check_name(name: &str) -> Result<(), SchemaProblem> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let begins = name.chars().next().is_some_and(|first| first.is_ascii_lowercase());
    if !begins || !name.chars().all(is_part) || name.len() > NAME_BYTES_MAX {
        let what = format!("a name is a lower-case word of letters, digits and _, {NAME_BYTES_MAX} at most");
        return Err(problem(name, &what));
    }
    Ok(())
}

/// As names, but that languages and states are also written in capitals and with a hyphen.
fn check_category(category: &str) -> Result<(), SchemaProblem> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let begins = category.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
    if !begins || !category.chars().all(is_part) || category.len() > NAME_BYTES_MAX {
        let what = format!("a category is a word of letters, digits, _ and -, {NAME_BYTES_MAX} at most");
        return Err(problem(category, &what));
    }
    Ok(())
}

fn problem(name: &str, what: &str) -> SchemaProblem {
    SchemaProblem { name: name.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn contact(name: &str, ty: FieldType, class: Class, categories: &[&str]) -> SchemaAdditions {
        let categories = categories.iter().map(|&text| text.to_owned()).collect();
        let new = NewField { name: name.to_owned(), ty, class, categories };
        SchemaAdditions { contact: vec![new], ..SchemaAdditions::default() }
    }

    fn refused(additions: &SchemaAdditions) -> String {
        Schema::built_in().extended(additions).unwrap_err().to_string()
    }

    #[test]
    fn what_is_added_comes_last_and_can_be_added_again() {
        let schema = Schema::built_in();
        let mut additions = contact("loyalty", FieldType::Category, Class::Demographic, &["basic", "gold"]);
        additions.record.push(NewRecordField {
            kind: "appointment".to_owned(),
            name: "room".to_owned(),
            ty: FieldType::Text,
            categories: Vec::new(),
        });
        let podiatry = || vec!["podiatry".to_owned()];
        additions
            .categories
            .push(NewCategories { field: "appointment.specialty".to_owned(), add: podiatry() });
        additions
            .categories
            .push(NewCategories { field: "gender".to_owned(), add: vec!["unknown".to_owned()] });
        let next = schema.extended(&additions).unwrap();
        assert_eq!(next.contact.last().unwrap().name, "loyalty");
        assert_eq!(next.contact_field("gender").unwrap().categories.last().unwrap(), "unknown");
        let appointment = next.record("appointment").unwrap();
        assert_eq!(appointment.field("specialty").unwrap().categories.last().unwrap(), "podiatry");
        assert_eq!(appointment.field("room").unwrap().class, appointment.class);
        assert_eq!(next.extended(&additions).unwrap(), next);
        for (old, new) in schema.contact.iter().zip(&next.contact) {
            assert_eq!(old.name, new.name);
            assert!(new.categories.starts_with(&old.categories));
        }
    }

    #[test]
    fn what_cannot_be_is_told() {
        use Class::{Clinical, Demographic, Identity};
        use FieldType::{Category, Code, Int, Text};
        let cases = [
            (contact("gender", Text, Demographic, &[]), "something else"),
            (contact("encounter", Text, Demographic, &[]), "something else"),
            (contact("Gold", Text, Demographic, &[]), "lower-case"),
            (contact("a b", Text, Demographic, &[]), "lower-case"),
            (contact("", Text, Demographic, &[]), "lower-case"),
            (contact("has_email", Text, Identity, &[]), "column"),
            (contact("ord", Int, Demographic, &[]), "column"),
            (contact("location_lat", Int, Demographic, &[]), "column"),
            (contact("no", Text, Demographic, &[]), "something else"),
            (contact("not", Text, Demographic, &[]), "something else"),
            (contact("tier", Category, Demographic, &[]), "missing"),
            (contact("tier", Category, Demographic, &["a", "a"]), "twice"),
            (contact("tier", Category, Demographic, &["a b"]), "category is a word"),
            (contact("tier", Text, Demographic, &["a"]), "no categories"),
            (contact("tier", Code, Demographic, &[]), "cannot be"),
            (contact("tier", Text, Clinical, &[]), "no fields of this class"),
        ];
        for (additions, words) in cases {
            let told = refused(&additions);
            assert!(told.contains(words), "{additions:?}: {told}");
        }
        let many: Vec<String> = (0..256).map(|number| format!("c{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(refused(&contact("tier", Category, Demographic, &many)).contains("255"));
        let more = |field: &str| SchemaAdditions {
            categories: vec![NewCategories { field: field.to_owned(), add: vec!["x".to_owned()] }],
            ..SchemaAdditions::default()
        };
        assert!(refused(&more("zip")).contains("no categories"));
        assert!(refused(&more("consent.decision")).contains("fixed"));
        assert!(refused(&more("nothing")).contains("no such field"));
        assert!(refused(&more("nothing.at_all")).contains("no such kind"));
    }
}
