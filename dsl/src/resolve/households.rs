//! Criteria over the members of a household.

use super::{Resolver, Scope};
use crate::ast::{Expr, Members, Span};
use crate::diagnostic::{Diagnostic, codes};
use crate::segment::{ContactTest, Criteria, HOUSEHOLD_ID, Household, Logic};

impl<'a> Resolver<'a> {
    pub(super) fn household(&mut self, which: Members, test: &'a Expr, span: Span) -> Option<Criteria> {
        self.one_test(span)?;
        let outer = self.body.negated;
        // `no` negates; whoever has no household_id is left out either way.
        self.body.negated = outer != (which == Members::No);
        self.note_negation(Scope::Contact, HOUSEHOLD_ID, span, false);
        // Inside, others are asked: what is missing there is not the contact's.
        self.body.negated = false;
        let criteria = self.criteria(test);
        self.body.negated = outer;
        if self.schema.contact_field(HOUSEHOLD_ID).is_none() {
            let message = format!("contacts have no field `{HOUSEHOLD_ID}` here");
            self.report(Diagnostic::new(&codes::UNKNOWN_FIELD, span, message));
            return None;
        }
        let household = Household { all: which == Members::All, test: criteria? };
        let leaf = Logic::Leaf(ContactTest::Household(Box::new(household)));
        Some(match which {
            Members::Any | Members::All => leaf,
            Members::No => Logic::Not(Box::new(leaf)),
        })
    }
}
