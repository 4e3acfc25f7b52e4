//! Random numbers that contacts are ordered by, limits, one per value.

use hyperseg_dsl::schema::{Field, FieldType, RecordKind};
use hyperseg_dsl::segment::{
    AgeUnit, Aggregate, Amount, Counted, Direction, Limit, OnePer, Order, Selector, Which,
};

use super::criteria::Maker;

impl<'w> Maker<'w> {
    /// A limit that often cuts, over few contacts.
    pub(super) fn limit(&mut self) -> Limit {
        let count = self.dice.one(&[1, 1, 2, 3, 5, 8, 1000]);
        let by = self.dice.percent(75).then(|| self.amount()).flatten();
        let direction = self.dice.pick(&Direction::ALL).copied().unwrap_or(Direction::Asc);
        Limit { count, by: by.map(|amount| Order { amount, direction }) }
    }

    /// One per value of a field that contacts share.
    pub(super) fn one_per(&mut self) -> Option<OnePer> {
        let comparable = |field: &&Field| !matches!(field.ty, FieldType::Categories | FieldType::Point);
        let fields: Vec<&Field> = self.schema.contact.iter().filter(comparable).collect();
        let field = self.dice.pick(&fields)?;
        Some(OnePer { field: field.name.clone(), ty: field.ty })
    }

    /// A number that contacts are ordered by; `None` in a world without such records.
    pub(super) fn amount(&mut self) -> Option<Amount> {
        let of_contacts: Vec<&Field> = self.schema.contact.iter().filter(|field| ordered(field.ty)).collect();
        match self.dice.below(10) {
            0..=1 => {
                let field = self.dice.pick(&of_contacts)?;
                Some(Amount::Field { field: field.name.clone(), ty: field.ty })
            }
            2 => Some(Amount::Age(if self.dice.percent(50) { AgeUnit::Years } else { AgeUnit::Months })),
            3..=5 => {
                let kind = self.kind()?;
                let counted = match self.dice.below(3) {
                    0 => Counted::Records,
                    1 => Counted::Days,
                    _ => {
                        let comparable =
                            |field: &&Field| !matches!(field.ty, FieldType::Categories | FieldType::Point);
                        let fields: Vec<&Field> = kind.fields.iter().filter(comparable).collect();
                        let field = self.dice.pick(&fields)?;
                        Counted::Distinct { field: field.name.clone(), ty: field.ty }
                    }
                };
                let selector = self.for_all(kind);
                Some(Amount::Count { counted, selector })
            }
            6..=7 => {
                let (kind, field) =
                    self.field_of(|ty| matches!(ty, FieldType::Int | FieldType::Number | FieldType::Money))?;
                let function = self.dice.pick(&Aggregate::ALL).copied()?;
                let selector = self.for_all(kind);
                Some(Amount::Aggregate { function, selector, field: field.name.clone(), ty: field.ty })
            }
            _ => {
                let (kind, field) = self.field_of(ordered)?;
                let which = if self.dice.percent(60) { Which::Latest } else { Which::Earliest };
                let selector = self.for_all(kind);
                Some(Amount::One { which, selector, field: field.name.clone(), ty: field.ty })
            }
        }
    }

    /// A selector that counts from no date of the contact.
    fn for_all(&mut self, kind: &RecordKind) -> Selector {
        loop {
            let params = self.params.len();
            let selector = self.selector_of(kind, 30);
            if selector.date_of_contact().is_none() {
                return selector;
            }
            self.params.truncate(params);
        }
    }

    /// A field of some of the types, of a kind that the world mostly has records of.
    fn field_of(&mut self, wanted: fn(FieldType) -> bool) -> Option<(&'w RecordKind, &'w Field)> {
        for _ in 0..8 {
            let kind = self.kind()?;
            let fields: Vec<&'w Field> = kind.fields.iter().filter(|field| wanted(field.ty)).collect();
            if let Some(field) = self.dice.pick(&fields) {
                return Some((kind, field));
            }
        }
        None
    }
}

fn ordered(ty: FieldType) -> bool {
    matches!(ty, FieldType::Int | FieldType::Number | FieldType::Money | FieldType::Date | FieldType::Time)
}
