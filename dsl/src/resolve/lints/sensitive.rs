//! Data of a sensitive class in a segment that advertises or asks for gifts.

use crate::ast::Span;
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::{Class, Purpose, Schema};
use crate::segment::{Amount, ContactTest, Criteria, Filter, Logic, Segment, Selector, Test};

/// A part of a segment and where it was written.
pub(in crate::resolve) enum Used<'s> {
    /// A criterion.
    Criterion(&'s Criteria, Span),
    /// A field of the list.
    Output(&'s str, Span),
}

/// Looks at what a segment uses; what it excludes by is not looked at, because that protects.
pub(in crate::resolve) fn sensitive(
    segment: &Segment,
    used: &[Used<'_>],
    schema: &Schema,
    findings: &mut Vec<Diagnostic>,
) {
    let Some(purpose) = segment.purpose.filter(|purpose| advertises(*purpose)) else { return };
    for part in used {
        let (class, span) = match part {
            Used::Criterion(criteria, span) => (of_criteria(criteria, schema), *span),
            Used::Output(name, span) => (of_field(name, schema), *span),
        };
        if let Some(class) = class {
            let message = format!("{} data with the purpose {purpose}", class.name());
            findings.push(
                Diagnostic::new(&codes::SENSITIVE_MARKETING, span, message)
                    .help("is there an authorization for this use? if not, leave it out"),
            );
        }
    }
}

fn advertises(purpose: Purpose) -> bool {
    match purpose {
        Purpose::Marketing | Purpose::MarketingPaid | Purpose::Fundraising => true,
        Purpose::Treatment | Purpose::Operations | Purpose::Payment | Purpose::Research => false,
    }
}

fn is_sensitive(class: Class) -> bool {
    match class {
        Class::DemographicSensitive
        | Class::SubstanceUse
        | Class::Hiv
        | Class::MentalHealth
        | Class::Reproductive
        | Class::Genetic => true,
        Class::Identity
        | Class::Demographic
        | Class::Clinical
        | Class::Journey
        | Class::Behavioural
        | Class::Consent => false,
    }
}

fn of_field(name: &str, schema: &Schema) -> Option<Class> {
    schema.contact_field(name).map(|field| field.class).filter(|class| is_sensitive(*class))
}

fn of_criteria(criteria: &Criteria, schema: &Schema) -> Option<Class> {
    first(criteria, &|test| {
        let date = test.dates_of_contact().into_iter().find_map(|name| of_field(name, schema));
        date.or_else(|| of_test(test, schema))
    })
}

fn of_test(test: &ContactTest, schema: &Schema) -> Option<Class> {
    match test {
        ContactTest::Field(test) => of_field(&test.field, schema),
        ContactTest::Anniversary { field, .. } => of_field(field, schema),
        ContactTest::History(history) => of_field(&history.field, schema),
        ContactTest::Rank(rank) => {
            of_amount(&rank.amount, schema).or_else(|| of_criteria(rank.among.as_ref()?, schema))
        }
        ContactTest::Age { .. }
        | ContactTest::Turns { .. }
        | ContactTest::Near(_)
        | ContactTest::Sample(_) => None,
        ContactTest::Has(selector)
        | ContactTest::Observed { selector, .. }
        | ContactTest::DaysCovered { selector, .. }
        | ContactTest::Continuous { selector, .. }
        | ContactTest::Count { selector, .. }
        | ContactTest::Aggregate { selector, .. } => of_filter(&selector.filter, selector, schema),
        ContactTest::One { selector, test, .. } | ContactTest::Share { selector, test, .. } => {
            of_filter(&selector.filter, selector, schema).or_else(|| of_filter(test, selector, schema))
        }
        ContactTest::Sequence(sequence) => {
            sequence.selectors().find_map(|selector| of_filter(&selector.filter, selector, schema))
        }
        ContactTest::Reference(reference) => of_criteria(&reference.test, schema),
        ContactTest::Household(household) => of_criteria(&household.test, schema),
    }
}

fn of_amount(amount: &Amount, schema: &Schema) -> Option<Class> {
    match amount {
        Amount::Field { field, .. } => of_field(field, schema),
        Amount::Age(_) => None,
        Amount::Count { selector, .. }
        | Amount::Aggregate { selector, .. }
        | Amount::One { selector, .. } => of_filter(&selector.filter, selector, schema),
    }
}

/// The class of the codes that a filter names.
fn of_filter(filter: &Filter, selector: &Selector, schema: &Schema) -> Option<Class> {
    let kind = schema.record(&selector.record)?;
    first(filter, &|test| match &test.test {
        Test::Codes(set) => {
            schema.classes_for(kind, Some(set)).into_iter().find(|class| is_sensitive(*class))
        }
        Test::Compare(_, _)
        | Test::CompareField(_, _)
        | Test::List(_, _)
        | Test::In(_)
        | Test::Between(_, _)
        | Test::Measured { .. }
        | Test::Text(_, _)
        | Test::Window(_)
        | Test::Known
        | Test::Missing => None,
    })
}

/// The first class of the leaves.
fn first<L>(logic: &Logic<L>, of: &impl Fn(&L) -> Option<Class>) -> Option<Class> {
    match logic {
        Logic::True | Logic::False => None,
        Logic::And(parts) | Logic::Or(parts) | Logic::Of { parts, .. } => {
            parts.iter().find_map(|part| first(part, of))
        }
        Logic::Not(inner) => first(inner, of),
        Logic::Leaf(leaf) => of(leaf),
    }
}
