//! The logical schema: contact fields, record kinds, categories, code systems, sensitivity classes.
//!
//! Language, importers, generator, storage and engine all use these names. [`Schema::built_in`] is what every
//! dataset starts with.

mod categories;
mod codes;
mod contact;
mod extend;
mod money;
mod parse;
mod records;
mod sensitive;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use codes::CodeSystem;
pub use extend::{NewCategories, NewField, NewRecordField, SchemaAdditions, SchemaProblem};
pub use money::{format_money, parse_money};
pub use parse::ExpectedType;
pub(crate) use parse::{ZIP, is_stored_zip, normal_text};

use crate::value::Value;

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Unicode text, NFC; empty is missing.
    Text,
    /// One of the field's categories.
    Category,
    /// Whole number.
    Int,
    /// Finite number.
    Number,
    /// Amount in hundredths.
    Money,
    /// Truth value.
    Bool,
    /// Calendar day.
    Date,
    /// Instant, or day when the source has no more.
    Time,
    /// Code of a code system.
    Code,
    /// Several of the field's categories.
    Categories,
    /// Degrees north and east.
    Point,
}

/// Sensitivity class: what a key opens and a policy grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Who a contact is: id, names, addresses.
    #[serde(rename = "identity")]
    Identity,
    /// Demography and coverage.
    #[serde(rename = "demographic")]
    Demographic,
    /// Race, ethnicity, religion, culture.
    #[serde(rename = "demographic.sensitive")]
    DemographicSensitive,
    /// Clinical records.
    #[serde(rename = "clinical")]
    Clinical,
    /// Substance use (42 CFR Part 2).
    #[serde(rename = "clinical.sensitive.substance_use")]
    SubstanceUse,
    /// HIV.
    #[serde(rename = "clinical.sensitive.hiv")]
    Hiv,
    /// Mental health.
    #[serde(rename = "clinical.sensitive.mental_health")]
    MentalHealth,
    /// Reproductive health.
    #[serde(rename = "clinical.sensitive.reproductive")]
    Reproductive,
    /// Genetics.
    #[serde(rename = "clinical.sensitive.genetic")]
    Genetic,
    /// Appointments, referrals, bills, enrolment, scores.
    #[serde(rename = "journey")]
    Journey,
    /// Mail, portal, purchases.
    #[serde(rename = "behavioural")]
    Behavioural,
    /// Consent decisions.
    #[serde(rename = "consent")]
    Consent,
}

impl Class {
    /// Every class, in the order in which tables list them.
    pub const ALL: [Self; 12] = [
        Self::Identity,
        Self::Demographic,
        Self::DemographicSensitive,
        Self::Clinical,
        Self::SubstanceUse,
        Self::Hiv,
        Self::MentalHealth,
        Self::Reproductive,
        Self::Genetic,
        Self::Journey,
        Self::Behavioural,
        Self::Consent,
    ];

    /// Name as documents and policies write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Demographic => "demographic",
            Self::DemographicSensitive => "demographic.sensitive",
            Self::Clinical => "clinical",
            Self::SubstanceUse => "clinical.sensitive.substance_use",
            Self::Hiv => "clinical.sensitive.hiv",
            Self::MentalHealth => "clinical.sensitive.mental_health",
            Self::Reproductive => "clinical.sensitive.reproductive",
            Self::Genetic => "clinical.sensitive.genetic",
            Self::Journey => "journey",
            Self::Behavioural => "behavioural",
            Self::Consent => "consent",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which of the four families of criteria a field or kind belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Who they are.
    Demographic,
    /// Their health.
    Clinical,
    /// Where they stand with the organisation.
    Journey,
    /// What they do.
    Behavioural,
}

/// A field of a contact or of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Name in the language.
    pub name: String,
    /// Type.
    pub ty: FieldType,
    /// Sensitivity class; for a record's field that of its kind.
    pub class: Class,
    /// Categories in the order of their stored numbers; only ever appended to. Empty unless the type is
    /// `Category` or `Categories`.
    pub categories: Vec<String>,
}

/// How the rows of a record kind lie in a file: first by this, then by [`Within`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cluster {
    /// Not by any field.
    Time,
    /// By this field.
    Field(String),
    /// By the first of these fields, then by the second: categories.
    Fields(String, String),
}

/// How the rows of a cluster lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// By time, then by contact: windows end where blocks end.
    Time,
    /// By contact, then by time: what is asked of a few contacts is in a few blocks.
    Contact,
}

/// A kind of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordKind {
    /// Name in the language.
    pub name: String,
    /// Class of its rows; a code may put a row into a more sensitive one ([`Schema::class_of`]).
    pub class: Class,
    /// Family of criteria.
    pub family: Family,
    /// Fields, the common ones first: record_id, at, recorded_at, source, status.
    pub fields: Vec<Field>,
    /// Clustering in files.
    pub cluster: Cluster,
    /// Order within a cluster.
    pub within: Within,
    /// Values that keep a record from counting unless its filter names the field.
    pub hidden: Vec<(String, Vec<String>)>,
    /// Statuses that say a record is over; such a record without `end` is not active.
    pub ended: Vec<String>,
    /// Records lie in the future by nature; none is invisible for being dated after as_of.
    pub schedule: bool,
}

impl RecordKind {
    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Records of this kind last from `at` to `end`.
    #[must_use]
    pub fn has_end(&self) -> bool {
        self.field("end").is_some()
    }
}

/// Everything that names in a segment can refer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Contact fields.
    pub contact: Vec<Field>,
    /// Record kinds.
    pub records: Vec<RecordKind>,
}

impl Schema {
    /// The schema every dataset starts with.
    #[must_use]
    pub fn built_in() -> Self {
        Self { contact: contact::fields(), records: records::kinds() }
    }

    /// The contact field of this name.
    #[must_use]
    pub fn contact_field(&self, name: &str) -> Option<&Field> {
        self.contact.iter().find(|field| field.name == name)
    }

    /// The record kind of this name.
    #[must_use]
    pub fn record(&self, name: &str) -> Option<&RecordKind> {
        self.records.iter().find(|kind| kind.name == name)
    }

    /// The class in whose files a record of this kind with this code lies.
    #[must_use]
    pub fn class_of(&self, kind: &RecordKind, code: Option<&crate::value::Code>) -> Class {
        sensitive::class_of(kind.class, code)
    }

    /// The classes in whose files records of this kind selected by this code set can lie; `None` when the
    /// filter does not narrow the code.
    #[must_use]
    pub fn classes_for(&self, kind: &RecordKind, codes: Option<&crate::segment::CodeSet>) -> Vec<Class> {
        sensitive::classes_for(kind, codes)
    }
}

/// The hidden values of a kind as typed values.
#[must_use]
pub fn hidden_value(field: &Field, text: &str) -> Value {
    if field.ty == FieldType::Bool { Value::Bool(text == "true") } else { Value::Category(text.to_owned()) }
}

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name in the language.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value of this name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named_enum! {
    /// Why contacts are approached.
    Purpose {
        /// Care of the person.
        Treatment = "treatment",
        /// Health care operations.
        Operations = "operations",
        /// Payment for care.
        Payment = "payment",
        /// Marketing.
        Marketing = "marketing",
        /// Marketing that a third party pays for.
        MarketingPaid = "marketing_paid",
        /// Fundraising.
        Fundraising = "fundraising",
        /// Research.
        Research = "research",
    }
}

impl Purpose {
    /// Needs an unexpired grant; the others only honour opt-outs.
    #[must_use]
    pub const fn needs_authorization(self) -> bool {
        match self {
            Self::Treatment | Self::Operations | Self::Payment => false,
            Self::Marketing | Self::MarketingPaid | Self::Fundraising | Self::Research => true,
        }
    }

    /// Minors, and contacts whose age is unknown, are never approached.
    #[must_use]
    pub const fn adults_only(self) -> bool {
        match self {
            Self::Marketing | Self::MarketingPaid | Self::Fundraising => true,
            Self::Treatment | Self::Operations | Self::Payment | Self::Research => false,
        }
    }
}

named_enum! {
    /// How contacts are approached.
    Channel {
        /// Electronic mail.
        Email = "email",
        /// Text message.
        Sms = "sms",
        /// Telephone call.
        Voice = "voice",
        /// Letter.
        Mail = "mail",
        /// Notification of an application, addressed by contact id.
        Push = "push",
    }
}

impl Channel {
    /// The contact field that holds the address on this channel.
    #[must_use]
    pub const fn address_field(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms | Self::Voice => "phone",
            Self::Mail => "address_line",
            Self::Push => "contact_id",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn names_are_unique_and_lists_fit() {
        let schema = Schema::built_in();
        let unique = |names: Vec<&String>| {
            let mut sorted = names.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), names.len());
        };
        unique(schema.contact.iter().map(|field| &field.name).collect());
        unique(schema.records.iter().map(|kind| &kind.name).collect());
        for kind in &schema.records {
            unique(kind.fields.iter().map(|field| &field.name).collect());
            let by = match &kind.cluster {
                Cluster::Time => vec![],
                Cluster::Field(name) => vec![name],
                Cluster::Fields(first, second) => vec![first, second],
            };
            for name in &by {
                let field = kind.field(name).unwrap_or_else(|| panic!("{} clusters by {name}", kind.name));
                assert!(by.len() == 1 || field.ty == FieldType::Category, "{name}");
            }
            for (name, values) in &kind.hidden {
                let field = kind.field(name).unwrap();
                for value in values {
                    assert!(field.ty == FieldType::Bool || field.categories.contains(value), "{value}");
                }
            }
            let status = kind.field("status").unwrap();
            for value in &kind.ended {
                assert!(status.categories.contains(value), "{}: {value}", kind.name);
            }
        }
        let lists = schema.records.iter().flat_map(|kind| &kind.fields).chain(&schema.contact);
        for field in lists {
            let listed = matches!(field.ty, FieldType::Category | FieldType::Categories);
            assert_eq!(listed, !field.categories.is_empty(), "{}", field.name);
            assert!(field.categories.len() < 32_768);
        }
    }
}
