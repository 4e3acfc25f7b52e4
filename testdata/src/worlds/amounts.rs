//! Random numbers that contacts are ordered by, limits, one per value.

use hyperseg_dsl::schema::{Field, FieldType, RecordKind};
use hyperseg_dsl::segment::{
    AgeUnit, Aggregate, Amount, ContactTest, Counted, Criteria, Direction, End, Limit, Logic, OnePer, Order,
    Rank, Size, Which,
};

use super::criteria::Maker;
use super::palette;

impl<'w> Maker<'w> {
    /// A limit that often cuts, over few contacts.
    pub(super) fn limit(&mut self) -> Limit {
        let count = self.dice.one(&[1, 1, 2, 3, 5, 8, 1000]);
        let by = self.dice.percent(75).then(|| self.amount()).flatten();
        let direction = self.dice.pick(&Direction::ALL).copied().unwrap_or(Direction::Asc);
        Limit { count, by: by.map(|amount| Order { amount, direction }) }
    }

    /// A rank that mostly divides the contacts.
    pub(super) fn rank(&mut self) -> Criteria {
        let Some(amount) = self.amount() else { return Logic::True };
        let end = self.dice.pick(&End::ALL).copied().unwrap_or(End::Top);
        let size = if self.dice.percent(50) {
            Size::Number(self.dice.one(&[1, 2, 3, 5, 8, 1000]))
        } else {
            Size::PercentMillis(self.dice.one(&[1, 10_000, 33_333, 50_000, 80_000, 100_000]))
        };
        // Seldom of a rank again: both are looked for among all contacts.
        let among = self.dice.percent(50).then(|| self.criteria(1));
        Logic::Leaf(ContactTest::Rank(Box::new(Rank { end, size, amount, among })))
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
                let selector = self.selector_of(kind, 30);
                Some(Amount::Count { counted, selector })
            }
            6..=7 => {
                let (kind, field) =
                    self.field_of(|ty| matches!(ty, FieldType::Int | FieldType::Number | FieldType::Money))?;
                let function = self.dice.pick(&Aggregate::ALL).copied()?;
                let selector = self.selector_of(kind, 30);
                let unit = self.unit_of(kind, field);
                Some(Amount::Aggregate { function, selector, field: field.name.clone(), ty: field.ty, unit })
            }
            _ => {
                let (kind, field) = self.field_of(ordered)?;
                let which = if self.dice.percent(60) { Which::Latest } else { Which::Earliest };
                let selector = self.selector_of(kind, 30);
                let unit = self.unit_of(kind, field);
                Some(Amount::One { which, selector, field: field.name.clone(), ty: field.ty, unit })
            }
        }
    }

    /// A unit for a field that has one beside it, half of the time.
    pub(super) fn unit_of(&mut self, kind: &RecordKind, field: &Field) -> Option<String> {
        let has_unit = kind.field("unit").is_some() && field.ty == FieldType::Number;
        (has_unit && self.dice.percent(50)).then(|| palette::unit(&mut self.dice))
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
