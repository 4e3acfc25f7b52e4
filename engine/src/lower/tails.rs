//! The list as a whole: who comes first, one for each value, at most so many.

use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, col, lit, when};
use hyperseg_dsl::schema::{Class, Field, FieldType};
use hyperseg_dsl::segment::{Aggregate, Amount, Counted, Direction, Rank, Segment};
use hyperseg_dsl::semantics::Edge;

use super::fields::reported;
use super::{Lowering, node};
use crate::functions::{age_number, known_day, local_day};
use crate::plan::amounts::{AmountsNode, Making, real_of};
use crate::plan::chance::Share;
use crate::plan::ops::Operation;
use crate::plan::ops::distinct::Sameness;
use crate::plan::ops::extreme::Extreme;
use crate::plan::ops::rank::Place;
use crate::plan::ops::tails::{Asked, Order};

impl Lowering<'_> {
    /// What the list takes of those whom the gate lets through; the gate itself where that does not depend on others, and
    /// there is no sample that has to be taken `here`.
    pub(crate) fn tails(&self, gate: LogicalPlan, segment: &Segment, here: bool) -> Result<LogicalPlan> {
        let sampled = here && segment.sample.is_some();
        if segment.one_per.is_none() && segment.limit.is_none() && !sampled {
            return Ok(gate);
        }
        let by = segment.limit.as_ref().and_then(|limit| limit.by.as_ref());
        let mut inputs = vec![gate];
        if let Some(by) = by {
            inputs.push(self.amount(&by.amount, by.direction)?);
        }
        let one_per = segment
            .one_per
            .as_ref()
            .map(|one_per| (one_per.field.clone(), Sameness::of(one_per.ty, self.clock.zone)));
        let asked = Asked {
            one_per,
            sample: segment.sample.as_ref().map(Share::from),
            limit: segment.limit.as_ref().map(|limit| limit.count),
            by: by.map(|by| order(by.direction)),
        };
        let mut classes: Vec<Class> = Vec::new();
        for name in asked.columns() {
            let class = self.contact_field(name)?.class;
            if !classes.contains(&class) {
                classes.push(class);
            }
        }
        for class in classes {
            inputs.push(self.tables.contact_scan(class, &[])?.build()?);
        }
        Ok(node(Operation::Tails(asked), segment.name.clone(), Vec::new(), inputs))
    }

    /// Where contacts stand among others.
    pub(crate) fn rank(&self, rank: &Rank, label: Option<&str>) -> Result<LogicalPlan> {
        let first = rank.end.first();
        let mut inputs = vec![self.amount(&rank.amount, first)?];
        if let Some(among) = &rank.among {
            inputs.push(self.set(among, None)?);
        }
        let place = Place { order: order(first), size: rank.size };
        let label = label.map_or_else(|| rank.end.word().to_owned(), str::to_owned);
        Ok(node(Operation::Rank(place), label, Vec::new(), inputs))
    }

    pub(super) fn contact_field(&self, name: &str) -> Result<&Field> {
        let field = self.schema().contact_field(name);
        field.ok_or_else(|| internal_datafusion_err!("a field that the schema does not have"))
    }

    /// A number for each contact.
    pub(super) fn amount(&self, amount: &Amount, first: Direction) -> Result<LogicalPlan> {
        let dates = amount.dates_of_contact();
        let dates = dates.as_slice();
        let (making, exprs, input) = match amount {
            Amount::Field { field, .. } => {
                let field = self.contact_field(field)?;
                let scan = self.tables.contact_scan(field.class, &[])?.build()?;
                (Making::Value, vec![lit(true), self.number_of(field)?], scan)
            }
            Amount::Age(unit) => {
                let scan = self.tables.contact_scan(self.contact_field("birth_date")?.class, &[])?.build()?;
                let age = age_number(*unit, self.clock.today(), col("birth_date"), col("deceased_on"));
                (Making::Value, vec![lit(true), age], scan)
            }
            Amount::Count { counted, selector } => {
                let (scan, filter) = self.selected(selector, dates)?;
                let zone = self.clock.zone;
                let (making, value) = match counted {
                    Counted::Records => (Making::Count, None),
                    Counted::Days => (Making::CountDistinct(Sameness::Day(zone)), Some(col("at"))),
                    Counted::Distinct { field, ty } => {
                        (Making::CountDistinct(Sameness::of(*ty, zone)), Some(col(field)))
                    }
                };
                (making, std::iter::once(filter).chain(value).collect(), scan)
            }
            Amount::Aggregate { function, selector, field, unit, .. } => {
                let (scan, filter) = self.selected(selector, dates)?;
                let asked = self.measured(selector, field, unit.as_deref())?;
                (Making::Measure(*function), std::iter::once(filter).chain(asked).collect(), scan)
            }
            Amount::One { which, selector, field, unit, .. } => {
                let (scan, filter) = self.selected(selector, dates)?;
                let kind = self.kind(&selector.record)?;
                let own = kind.field(field);
                let own =
                    own.ok_or_else(|| internal_datafusion_err!("a field that the kind does not have"))?;
                let mut value = match unit {
                    Some(_) => reported(field, &kind.fields, unit.as_deref()).number(field),
                    None => self.number_of(own)?,
                };
                if field == "value" && kind.field("comparator").is_some() {
                    // A result such as `<5.7` is no number.
                    value = when(col("comparator").is_null(), value).end()?;
                }
                let extreme = Extreme { latest: self.is_latest(*which), zone: self.clock.zone };
                let greatest = first == Direction::Desc;
                (Making::Extreme { extreme, greatest }, vec![filter, value], scan)
            }
        };
        let known = if dates.is_empty() { None } else { Some(self.days_known(dates)?) };
        Ok(AmountsNode { making, exprs, input, known }.into_plan())
    }

    /// The value of a field as a number: dates and times as their local day, which dates that are not fully known do not have.
    fn number_of(&self, field: &Field) -> Result<Expr> {
        let column = col(&field.name);
        Ok(match field.ty {
            FieldType::Int | FieldType::Number | FieldType::Money => column,
            FieldType::Date => known_day(column),
            FieldType::Time => local_day(self.clock.zone, column),
            FieldType::Text
            | FieldType::Category
            | FieldType::Bool
            | FieldType::Code
            | FieldType::Categories
            | FieldType::Point => return internal_err!("a field that is no number"),
        })
    }
}

fn order(first: Direction) -> Order {
    match first {
        Direction::Asc => Order::Ascending,
        Direction::Desc => Order::Descending,
    }
}

/// The edge of a rank that a plan found, as the reference knows it.
pub(crate) fn edge(amount: &Amount, key: i128) -> Edge {
    let real = match amount {
        Amount::Field { ty, .. } | Amount::One { ty, .. } => *ty == FieldType::Number,
        Amount::Age(_) | Amount::Count { .. } => false,
        Amount::Aggregate { function, ty, .. } => match function {
            Aggregate::Sum => false,
            Aggregate::Avg | Aggregate::Median => true,
            Aggregate::Min | Aggregate::Max => *ty == FieldType::Number,
        },
    };
    if real { Edge::Real(real_of(key)) } else { Edge::Whole(key) }
}
