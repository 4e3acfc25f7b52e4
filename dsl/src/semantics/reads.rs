//! What the reference looks at: the fields of a contact and of its records that can change what a segment says.
//!
//! Whoever gathers a contact for [`super::select`] or [`super::trace`] needs these and no others.

use std::collections::{BTreeMap, BTreeSet};

use super::{GATE_FIELDS, GATE_KINDS};
use crate::schema::{Channel, Class, RecordKind, Schema};
use crate::segment::{
    Amount, CodeSet, ContactTest, Counted, Criteria, FieldTest, Filter, HOUSEHOLD_ID, Logic, Past, Segment,
    Selector, Test,
};

/// What says how long a record lasts.
const LASTING: &[&str] = &["end", "days_supply", "status"];

/// Fields that a segment looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Contact fields, `contact_id` among them, the address of the channel apart.
    pub contact: BTreeSet<String>,
    /// The address of the channel: only whether it is known matters.
    pub address: Option<String>,
    /// Contact fields whose changes are looked at.
    pub changes: BTreeSet<String>,
    /// Record kinds by name.
    pub records: BTreeMap<String, RecordReads>,
    /// All of this is also looked at of the other members of the contact's household.
    pub household: bool,
}

/// What is looked at of a record kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordReads {
    /// Fields, `record_id` and `at` among them.
    pub fields: BTreeSet<String>,
    /// Classes in which rows that matter can lie.
    pub classes: BTreeSet<Class>,
}

impl Reads {
    /// What a segment looks at.
    #[must_use]
    pub fn of(segment: &Segment, schema: &Schema) -> Self {
        let mut reads = Self::default();
        reads.contact.insert("contact_id".to_owned());
        for criterion in segment.criteria.iter().chain(&segment.exclude) {
            reads.criteria(&criterion.test, schema);
        }
        if let (Some(_), Some(channel)) = (segment.purpose, segment.channel) {
            reads.gates(channel, schema);
            if let (Some(_), Some(kind)) = (&segment.cap, schema.record("delivery")) {
                reads.kind(kind, &["status", "channel"], None, schema);
            }
        }
        reads.contact.extend(segment.one_per.iter().map(|one_per| one_per.field.clone()));
        if let Some(order) = segment.limit.as_ref().and_then(|limit| limit.by.as_ref()) {
            reads.amount(&order.amount, schema);
        }
        reads
    }

    fn gates(&mut self, channel: Channel, schema: &Schema) {
        self.contact.extend(GATE_FIELDS.map(str::to_owned));
        self.address = Some(channel.address_field().to_owned());
        for name in GATE_KINDS {
            let Some(kind) = schema.record(name) else { continue };
            if name == "consent" {
                let fields = ["status", "channel", "purpose", "decision", "scope", "end"];
                self.kind(kind, &fields, None, schema);
            } else if channel == Channel::Email {
                self.kind(kind, &["status", "bounce"], None, schema);
            }
        }
    }

    fn criteria(&mut self, criteria: &Criteria, schema: &Schema) {
        each(criteria, &mut |test| {
            self.contact.extend(test.dates_of_contact().into_iter().map(str::to_owned));
            self.contact_test(test, schema);
        });
    }

    fn contact_test(&mut self, test: &ContactTest, schema: &Schema) {
        match test {
            ContactTest::Field(test) => self.contact.extend(fields_of(test)),
            ContactTest::Near(near) => {
                self.contact.insert("location".to_owned());
                if near.places.is_some() {
                    self.contact.insert("zip".to_owned());
                }
            }
            ContactTest::Age { .. } | ContactTest::Turns { .. } => {
                self.contact.extend(["birth_date".to_owned(), "deceased_on".to_owned()]);
            }
            ContactTest::Anniversary { field, .. } => self.contact.extend([field.clone()]),
            ContactTest::History(history) => {
                self.changes.insert(history.field.clone());
                if let Past::Was(_) = history.past {
                    // What has no change says what it always said.
                    self.contact.insert(history.field.clone());
                }
            }
            ContactTest::Has(selector) => self.selector(selector, &[], schema),
            ContactTest::Observed { selector, by } => {
                self.selector(selector, &[], schema);
                self.selector(&by.coverage, LASTING, schema);
                by.contacts.iter().for_each(|selector| self.selector(selector, &[], schema));
            }
            ContactTest::DaysCovered { selector, .. } | ContactTest::Continuous { selector, .. } => {
                self.selector(selector, LASTING, schema);
            }
            ContactTest::Count { counted, selector, .. } => match counted {
                Counted::Records | Counted::Days => self.selector(selector, &[], schema),
                Counted::Distinct { field, .. } => self.selector(selector, &[field], schema),
            },
            ContactTest::Aggregate { selector, field, unit, .. } => {
                let mut fields = vec![field.as_str(), "comparator"];
                if unit.is_some() {
                    fields.extend(["unit", "code"]);
                }
                self.selector(selector, &fields, schema);
            }
            ContactTest::One { selector, test, .. } | ContactTest::Share { selector, test, .. } => {
                let mut fields = Vec::new();
                each(test, &mut |test| fields.extend(fields_of(test)));
                let mut fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                fields.extend(["recorded_at", "comparator"]);
                self.selector(selector, &fields, schema);
            }
            ContactTest::Rank(rank) => {
                self.amount(&rank.amount, schema);
                if let Some(among) = &rank.among {
                    self.criteria(among, schema);
                }
            }
            // The id is always among the fields.
            ContactTest::Sample(_) => {}
            ContactTest::Sequence(sequence) => {
                let clocks =
                    [&sequence.first].into_iter().chain(sequence.links.iter().map(|link| &link.event));
                let clocks = clocks.filter_map(|event| event.clock.as_deref());
                let same = sequence.links.iter().flat_map(|link| &link.same).map(|same| same.field.as_str());
                // Of every kind that has them: what is compared is in both.
                let fields: Vec<&str> = clocks.chain(same).collect();
                for selector in sequence.selectors() {
                    self.selector(selector, &fields, schema);
                }
            }
            ContactTest::Household(household) => {
                self.contact.insert(HOUSEHOLD_ID.to_owned());
                self.household = true;
                self.criteria(&household.test, schema);
            }
            ContactTest::Reference(reference) => {
                for criteria in std::iter::once(&reference.test).chain(&reference.without) {
                    self.criteria(criteria, schema);
                }
            }
        }
    }

    fn amount(&mut self, amount: &Amount, schema: &Schema) {
        self.contact.extend(amount.dates_of_contact().into_iter().map(str::to_owned));
        match amount {
            Amount::Field { field, .. } => self.contact.extend([field.clone()]),
            Amount::Age(_) => self.contact.extend(["birth_date".to_owned(), "deceased_on".to_owned()]),
            Amount::Count { counted, selector } => match counted {
                Counted::Records | Counted::Days => self.selector(selector, &[], schema),
                Counted::Distinct { field, .. } => self.selector(selector, &[field], schema),
            },
            Amount::Aggregate { selector, field, unit, .. } | Amount::One { selector, field, unit, .. } => {
                let mut fields = vec![field.as_str(), "comparator", "recorded_at"];
                if unit.is_some() {
                    fields.extend(["unit", "code"]);
                }
                self.selector(selector, &fields, schema);
            }
        }
    }

    fn selector(&mut self, selector: &Selector, more: &[&str], schema: &Schema) {
        let Some(kind) = schema.record(&selector.record) else { return };
        let mut fields: Vec<String> = more.iter().map(|&field| field.to_owned()).collect();
        each(&selector.filter, &mut |test| fields.extend(fields_of(test)));
        fields.extend(selector.hidden.iter().map(|hidden| hidden.field.clone()));
        if selector.active {
            fields.extend(["end".to_owned(), "status".to_owned()]);
        }
        if fields.iter().any(|field| field == "value") {
            fields.push("comparator".to_owned());
        }
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.kind(kind, &fields, narrowed(&selector.filter), schema);
    }

    fn kind(&mut self, kind: &RecordKind, fields: &[&str], codes: Option<&CodeSet>, schema: &Schema) {
        let reads = self.records.entry(kind.name.clone()).or_default();
        for field in ["record_id", "at"].iter().chain(fields) {
            if kind.field(field).is_some() {
                reads.fields.insert((*field).to_owned());
            }
        }
        reads.classes.extend(schema.classes_for(kind, codes));
    }
}

/// The field that is tested, and the one it is compared with.
pub(super) fn fields_of(test: &FieldTest) -> impl Iterator<Item = String> {
    let others = match &test.test {
        Test::CompareField(_, other) => vec![other.field.clone()],
        // What is measured decides how units are converted.
        Test::Measured { .. } => vec!["unit".to_owned(), "code".to_owned()],
        _ => Vec::new(),
    };
    std::iter::once(test.field.clone()).chain(others)
}

/// The codes outside of which the filter is not TRUE.
fn narrowed(filter: &Filter) -> Option<&CodeSet> {
    match filter {
        Logic::Leaf(FieldTest { field, test: Test::Codes(set), .. }) if field == "code" => Some(set),
        Logic::And(parts) => parts.iter().find_map(narrowed),
        Logic::True | Logic::False | Logic::Or(_) | Logic::Of { .. } | Logic::Not(_) | Logic::Leaf(_) => None,
    }
}

fn each<L>(logic: &Logic<L>, take: &mut impl FnMut(&L)) {
    match logic {
        Logic::True | Logic::False => {}
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().for_each(|part| each(part, take));
        }
        Logic::Not(inner) => each(inner, take),
        Logic::Leaf(leaf) => take(leaf),
    }
}
